"""The demo, as a stranger runs it: a video to watch, and a verdict to check."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from bodycam.clock import NS
from bodycam.errors import ExitCode
from tests.scene_reader import beep_onsets, flash_onsets, read_frames

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("demo"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("demo") / "out"
    done = subprocess.run(
        [sys.executable, "-m", "bodycam", "demo", "--out", str(out)],
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == ExitCode.OK, done.stdout + done.stderr
    return out, done.stdout


def log_of(out: Path, ev: str) -> list[dict[str, object]]:
    raw = (out / "unit/camera/log/events.jsonl").read_bytes()
    lines = [json.loads(line) for line in raw.splitlines()]
    return [{**line["data"], "at_ns": line["boot_ns"]} for line in lines if line["ev"] == ev]


def test_it_prints_the_verdict_and_where_to_look(demo: tuple[Path, str]) -> None:
    out, said = demo
    assert "verdict  complete and trusted" in said
    for path in ("recording-1.mp4", "recording-2.mp4", "shift.html",
                 "unit/camera/log/events.jsonl"):  # fmt: skip
        assert str(out / path) in said
        assert (out / path).stat().st_size > 1000


def test_the_video_begins_thirty_seconds_before_the_press_and_misses_no_frame(
    demo: tuple[Path, str],
) -> None:
    out, _ = demo
    frames = read_frames(out / "recording-1.mp4")
    numbers = [frame.number for frame in frames]
    assert None not in numbers
    assert all(b == a + 1 for a, b in pairwise(n for n in numbers if n is not None))
    start, pressed_ns = log_of(out, "rec.start")[0], log_of(out, "switch.on")[0]["at_ns"]
    assert isinstance(pressed_ns, int)
    assert isinstance(start["first_ns"], int)
    assert 29 * NS <= pressed_ns - start["first_ns"] <= 30 * NS
    # The number in the picture is the capture time, in frames.
    assert numbers[0] == start["first_ns"] * 30 // NS
    rolled = [e for e in log_of(out, "seg.close") if e["reason"] == "rotate"]
    assert len(rolled) >= 4


def test_flash_and_beep_are_within_forty_milliseconds_over_the_whole_clip(
    demo: tuple[Path, str],
) -> None:
    out, _ = demo
    clip = out / "recording-1.mp4"
    start, pressed_ns = log_of(out, "rec.start")[0], log_of(out, "switch.on")[0]["at_ns"]
    assert isinstance(pressed_ns, int)
    assert isinstance(start["first_ns"], int)
    # The sound begins at the press; a beep that it cuts into has no beginning to measure.
    whole_from_s = (pressed_ns - start["first_ns"]) / NS + 0.2
    flashes = flash_onsets(read_frames(clip))
    beeps = [beep for beep in beep_onsets(clip) if beep > whole_from_s]
    assert len(beeps) >= 19
    worst_ms = max(1000 * min(abs(flash - beep) for flash in flashes) for beep in beeps)
    print(f"flash and beep at most {worst_ms:.1f} ms apart, {len(beeps)} beeps")
    assert worst_ms <= 40
    # No sound from before the press reaches the disk.
    assert min(beep_onsets(clip)) >= whole_from_s - 0.25


def test_the_clips_prove_themselves(demo: tuple[Path, str]) -> None:
    out, _ = demo
    for clip in ("recording-1.mp4", "recording-2.mp4"):
        manifest = next(out.glob(clip.removesuffix(".mp4") + "*.json"))
        done = subprocess.run(
            [sys.executable, "-m", "bodycam", "verify", str(out / clip), "--manifest",
             str(manifest), "--trust", str(out / "unit/authority/root.pem")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == ExitCode.OK, done.stdout + done.stderr


def test_debian_s_ffmpeg_plays_the_clip_without_a_word(demo: tuple[Path, str]) -> None:
    done = subprocess.run(
        ["ffmpeg", "-v", "warning", "-xerror", "-i", str(demo[0] / "recording-1.mp4"), "-f", "null", "-"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_the_demo_replaces_only_what_a_demo_made(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "bodycam", "demo", "--out", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == ExitCode.USAGE
    assert "not made by the demo" in done.stderr
    assert (tmp_path / "mine.txt").exists()


def test_the_demo_s_shift_can_be_audited(demo: tuple[Path, str], tmp_path: Path) -> None:
    unit = demo[0] / "unit"
    done = subprocess.run(
        [sys.executable, "-m", "bodycam", "audit", "--store", str(unit / "camera"), "--trust",
         str(unit / "authority/root.pem"), "--out", str(tmp_path), "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == ExitCode.OK, done.stdout + done.stderr
    (camera,) = json.loads(done.stdout)["cameras"]
    assert {state["state"] for state in camera["states"]} >= {"boot", "ready", "recording"}
    told = [r for r in camera["recordings"] if r["pressed"]]
    assert len(told) == 2
    # With 30 s from before each press, and what the tail adds.
    assert all(r["evid_us"] > r["live_us"] > 0 for r in told)
    assert (camera["measures"]["M13"]["mismatches"], camera["measures"]["M9"]["refused"]) == (0, 0)
    assert "<svg" in (tmp_path / "audit.html").read_text(encoding="utf-8")
