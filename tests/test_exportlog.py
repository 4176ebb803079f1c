"""The custodian's own log: who opened and exported what, when and why."""

from __future__ import annotations

import getpass
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bodycam.custody.verify import verify_paths
from bodycam.provision.identity import Identity
from bodycam.signing import load_root

from .evidence import DEVICE, RECORDING, Camera, Evidence, build_store, footage


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return build_store(tmp_path_factory.mktemp("made"), units=footage(2))


def bodycam_export(evidence: Evidence, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable, "-m", "bodycam", "export", str(evidence.store),
            "--trust", str(evidence.identity.root), "--out", str(out), *more,
        ],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (log / "events.jsonl").read_bytes().splitlines()]


def why(evidence: Evidence, log: Path) -> list[str]:
    return ["--key", str(evidence.custody_key), "--custody-log", str(log), "--who", "A. Clerk",
            "--why", "case 17/2026"]  # fmt: skip


def test_an_export_says_who_when_which_and_why(evidence: Evidence, tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = bodycam_export(evidence, tmp_path / "clip.mp4", *why(evidence, log), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    boot, opened, exported = lines(log)
    assert [line["ev"] for line in (boot, opened, exported)] == [
        "boot", "custody.open", "custody.export",
    ]  # fmt: skip
    for line in (opened, exported):
        assert (line["data"]["who"], line["data"]["why"]) == ("A. Clerk", "case 17/2026")
    assert opened["data"]["paths"] == [str(evidence.store)]
    data = exported["data"]
    assert (data["camera"], data["rec"], data["verdict"]) == (DEVICE, RECORDING, "intact")
    assert (data["clip"], data["sha256"]) == ("clip.mp4", told["sha256"])
    assert (data["utc_from"], data["utc_to"]) == (told["from"], told["to"])
    assert exported["utc"] >= opened["utc"] > "2026"


def test_without_a_word_it_lies_beside_the_key_with_the_login_name(
    evidence: Evidence, tmp_path: Path
) -> None:
    key = tmp_path / "keys" / "custody.key"
    key.parent.mkdir()
    shutil.copy(evidence.custody_key, key)
    assert bodycam_export(evidence, tmp_path / "clip.mp4", "--key", str(key)).returncode == 0
    last = lines(tmp_path / "keys" / "custody-log")[-1]
    assert (last["data"]["who"], last["data"]["why"]) == (getpass.getuser(), "not given")


def test_a_named_log_wants_a_reason(evidence: Evidence, tmp_path: Path) -> None:
    done = bodycam_export(
        evidence, tmp_path / "clip.mp4", "--key", str(evidence.custody_key),
        "--custody-log", str(tmp_path / "log"),
    )  # fmt: skip
    assert done.returncode == 2
    assert "--why" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_came_to_nothing_is_logged_too(evidence: Evidence, tmp_path: Path) -> None:
    stranger = Camera(tmp_path / "stranger")
    stranger.stop()
    done = bodycam_export(
        evidence, tmp_path / "clip.mp4", "--key", str(stranger.identity.recipient_key("custody")),
        "--custody-log", str(tmp_path / "log"), "--why", "curiosity",
    )  # fmt: skip
    assert done.returncode == 6
    assert [line["ev"] for line in lines(tmp_path / "log")][1:] == [
        "custody.open",
        "custody.failed",
    ]
    assert "not addressed to this key" in lines(tmp_path / "log")[-1]["data"]["reason"]


def test_what_cannot_be_logged_is_not_exported(evidence: Evidence, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("not a folder")
    done = bodycam_export(evidence, tmp_path / "clip.mp4", *why(evidence, tmp_path / "log"))
    assert done.returncode == 7
    assert not list(tmp_path.glob("clip*"))


def test_each_clip_of_a_folder_has_its_line(tmp_path: Path) -> None:
    camera = Camera(tmp_path / "made")
    for number in (1, 2):
        camera.record(footage(2), f"{RECORDING[:-1]}{number}")
    camera.stop()
    made = Evidence(camera.store.root, camera.identity, RECORDING, ())
    (tmp_path / "court").mkdir()
    done = bodycam_export(made, tmp_path / "court", *why(made, tmp_path / "log"))
    assert done.returncode == 0, done.stderr
    exported = [line["data"] for line in lines(tmp_path / "log") if line["ev"] == "custody.export"]
    clips = sorted(path.name for path in (tmp_path / "court").glob("*.mp4"))
    assert sorted(line["clip"] for line in exported) == clips
    assert len(clips) == 2


# -- verified as a camera's log is --------------------------------------------------------------


@pytest.fixture
def signed(evidence: Evidence, tmp_path: Path) -> tuple[Path, Identity]:
    """A log of two exports, signed by a desk of the same force."""
    desk = Camera(tmp_path / "desk", device="desk-1")
    desk.stop()
    log = tmp_path / "log"
    for number in (1, 2):
        done = bodycam_export(
            evidence, tmp_path / f"{number}.mp4", *why(evidence, log),
            "--log-identity", str(desk.identity.identity),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    return log, desk.identity


def test_a_signed_log_is_intact(signed: tuple[Path, Identity]) -> None:
    log, desk = signed
    report = verify_paths([log], load_root(desk.root))
    assert (report.exit_code, report.findings) == (0, ())
    assert report.logs[0].vouched_lines == report.logs[0].lines == 5
    assert not any("camera did" in note for note in report.not_known)


def test_an_unsigned_log_is_chained_and_no_more(evidence: Evidence, tmp_path: Path) -> None:
    log = tmp_path / "log"
    bodycam_export(evidence, tmp_path / "clip.mp4", *why(evidence, log))
    assert verify_paths([log], evidence.root).exit_code == 5


def test_an_edited_line_is_found(signed: tuple[Path, Identity]) -> None:
    log, desk = signed
    path = log / "events.jsonl"
    path.write_bytes(path.read_bytes().replace(b"case 17/2026", b"case 18/2026", 1))
    report = verify_paths([log], load_root(desk.root))
    assert report.exit_code == 4
    assert report.findings[0].place == "line 2"


def test_a_line_that_was_cut_off_is_missed(signed: tuple[Path, Identity]) -> None:
    log, desk = signed
    path = log / "events.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    report = verify_paths([log], load_root(desk.root))
    assert report.exit_code == 4
    assert "5 lines" in str(report.findings[0])


def test_a_log_keeps_its_desk(
    evidence: Evidence, signed: tuple[Path, Identity], tmp_path: Path
) -> None:
    done = bodycam_export(evidence, tmp_path / "3.mp4", *why(evidence, signed[0]))
    assert done.returncode == 2
    assert "is the log of 'desk-1', not of 'unsigned'" in done.stderr
    assert not (tmp_path / "3.mp4").exists()
