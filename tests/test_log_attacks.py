"""What somebody could do to a camera's log, and what `verify` says: which, and where."""

from __future__ import annotations

import hashlib
import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from bodycam.certificates import TrustPolicy
from bodycam.clock import NS
from bodycam.commands import log as log_command
from bodycam.custody.findings import Verdict
from bodycam.custody.logcheck import TakeLine
from bodycam.custody.logfacts import LogAnswer
from bodycam.custody.logproofs import LogFolder, check_line, prove_growth, prove_line, read_note
from bodycam.custody.logroots import OutsideWord
from bodycam.custody.verify import Report, verify_paths
from bodycam.errors import ConfigError, EvidenceError
from bodycam.formats.logline import encode_line
from bodycam.formats.logproof import decode_proof, encode_proof
from bodycam.logreplay import RESUME_FILE
from bodycam.signing import load_root

from .evidence import Camera, Evidence, SteppedClock, build_store, footage

MINUTE_NS = 60 * NS


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return build_store(tmp_path_factory.mktemp("made"), units=footage(2))


@pytest.fixture
def evidence(made: Evidence, tmp_path: Path) -> Evidence:
    return made.copy(tmp_path)


def rewrite(evidence: Evidence, lines: list[bytes]) -> None:
    evidence.log.write_bytes(b"".join(line + b"\n" for line in lines))


def rechained(lines: list[bytes], edit: Callable[[dict[str, object]], None]) -> list[bytes]:
    """The lines with something changed, and chain, numbers and checksums made to fit again."""
    prev, made = "0" * 64, []
    for seq, raw in enumerate(lines):
        fields = json.loads(raw)
        fields.pop("crc")
        fields.update(seq=seq, prev=prev)
        edit(fields)
        made.append(encode_line(fields))
        prev = hashlib.sha256(made[-1]).hexdigest()
    return made


def nothing(_: dict[str, object]) -> None:
    """Leave the line as it is."""


def answers(report: Report) -> list[LogAnswer]:
    (log,) = report.logs
    return log.answers


def said(report: Report, verdict: Verdict, place: str, text: str) -> bool:
    return any(
        f.verdict is verdict and place in f"{f.file} {f.place}" and text in f.text
        for f in report.findings
    )


# -- cut, rolled back, forked -----------------------------------------------------------------


def test_an_untouched_log_has_no_answer(evidence: Evidence) -> None:
    report = evidence.verify()
    assert (report.exit_code, answers(report)) == (0, [])
    alone = evidence.verify(evidence.log)
    assert (alone.exit_code, answers(alone)) == (0, [])


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_last_lines_cut_off_cleanly(evidence: Evidence, count: int) -> None:
    lines = evidence.log.read_bytes().splitlines()
    rewrite(evidence, lines[:-count])
    report = evidence.verify()
    assert (report.exit_code, answers(report)) == (4, [LogAnswer.CUT])
    behind = len(lines) - count
    assert said(
        report, Verdict.ALTERED, "checkpoint",
        f"the log was cut: this vouches for {len(lines)} lines, {count} lines are missing behind "
        f"line {behind}",
    )  # fmt: skip


def test_a_log_cut_together_with_its_checkpoint_is_told_by_the_video(evidence: Evidence) -> None:
    lines = evidence.log.read_bytes().splitlines()
    rewrite(evidence, lines[:2])
    evidence.log.with_name("checkpoint").unlink()
    report = evidence.verify()
    assert (report.exit_code, answers(report)) == (4, [LogAnswer.CUT])
    assert said(report, Verdict.ALTERED, "end", "the log was cut: this vouches for") or said(
        report, Verdict.ALTERED, "fragment", "the log was cut: this vouches for"
    )


def days(tmp_path: Path) -> tuple[Evidence, Path, Path]:
    """A camera after today; yesterday's image of its card; the checkpoint a witness holds."""
    camera = Camera(tmp_path)
    camera.record(footage(2))
    camera.stop()
    evidence = Evidence(camera.store.root, camera.identity, "", ())
    yesterday = tmp_path / "yesterday"
    shutil.copytree(evidence.store, yesterday)
    today = Camera(tmp_path)
    today.log.append("marker", rec=None)
    today.stop()
    held = tmp_path / "held-by-the-witness"
    shutil.copy(evidence.log.with_name("checkpoint"), held)
    return evidence, yesterday, held


def with_note(paths: list[Path], root: x509.Certificate, note: Path) -> Report:
    outside = OutsideWord(((note.name, note.read_bytes()),))
    return verify_paths(paths, root, outside=outside)


def test_a_card_rolled_back_to_yesterday(tmp_path: Path) -> None:
    evidence, yesterday, held = days(tmp_path)
    assert with_note([evidence.store], evidence.root, held).exit_code == 0
    # By itself yesterday's image is whole: only who saw more can tell.
    assert verify_paths([yesterday], evidence.root).exit_code == 0
    report = with_note([yesterday], evidence.root, held)
    assert (report.exit_code, answers(report)) == (4, [LogAnswer.ROLLED_BACK])
    assert said(report, Verdict.ALTERED, held.name, "the log was rolled back: somebody outside")


def test_two_histories_of_one_camera(tmp_path: Path) -> None:
    evidence, yesterday, held = days(tmp_path)
    # Yesterday's image goes on in another camera body with the same key: as long, and different.
    shutil.rmtree(evidence.store)
    shutil.copytree(yesterday, evidence.store)
    other = Camera(tmp_path)
    other.log.append("marker", rec="another day")
    other.stop()
    assert evidence.verify().exit_code == 0
    report = with_note([evidence.store], evidence.root, held)
    assert (report.exit_code, answers(report)) == (4, [LogAnswer.TWO_HISTORIES])
    assert said(report, Verdict.ALTERED, held.name, "there are two histories")
    with pytest.raises(EvidenceError, match="two histories"):
        prove_growth(LogFolder(evidence.store), read_note(held), TrustPolicy(None))


def test_a_line_changed_with_everything_made_to_fit_again(evidence: Evidence) -> None:
    def later(fields: dict[str, object]) -> None:
        if fields["ev"] == "switch.on":
            fields["boot_ns"] = int(str(fields["boot_ns"])) + MINUTE_NS

    rewrite(evidence, rechained(evidence.log.read_bytes().splitlines(), later))
    report = evidence.verify()
    assert (report.exit_code, answers(report)) == (4, [LogAnswer.TWO_HISTORIES])
    assert said(report, Verdict.ALTERED, "checkpoint", "not those that it vouches for")


def test_a_line_changed_in_place(evidence: Evidence) -> None:
    lines = evidence.log.read_bytes().splitlines()
    lines[3] = lines[3].replace(b'"ev":"', b'"ev":"x')
    rewrite(evidence, lines)
    report = evidence.verify()
    assert (report.exit_code, answers(report)) == (4, [LogAnswer.EDITED])
    assert said(report, Verdict.ALTERED, "line 4", "does not match its own checksum")


def test_a_log_that_is_swapped_while_it_is_read_is_judged_by_what_was_read(
    evidence: Evidence,
) -> None:
    """Its lines would be those of one file, and their root that of another."""
    good = evidence.log.read_bytes()

    def later(fields: dict[str, object]) -> None:
        if fields["ev"] == "switch.on":
            fields["boot_ns"] = int(str(fields["boot_ns"])) + MINUTE_NS

    def swap(path: Path) -> TakeLine:
        path.write_bytes(good)
        return lambda _number, _line: None

    rewrite(evidence, rechained(good.splitlines(), later))
    report = verify_paths([evidence.store], evidence.root, follow=swap)
    assert evidence.log.read_bytes() == good
    assert (report.exit_code, answers(report)) == (4, [LogAnswer.TWO_HISTORIES])


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (b'"ev":"', b'"ev":"\xff', "not JSON"),
        (b'"ev":"', b'"ev":"\\ud800', "not JSON"),
        (b'"unc_ms":', b'"unc_ms":1e999,"was":', "lacks proper data"),
        (b'"logged_ns":', b'"logged_ns":Infinity,"was":', "lacks proper data"),
    ],
)  # fmt: skip
def test_a_line_that_says_what_nobody_can_read_is_a_finding(
    evidence: Evidence, old: bytes, new: bytes, text: str
) -> None:
    lines = evidence.log.read_bytes().splitlines()
    body = lines[3][:-18].replace(old, new, 1)
    lines[3] = body + b',"crc":"%08x"}' % zlib.crc32(body)
    rewrite(evidence, lines)
    report = evidence.verify()
    assert report.exit_code == 4
    assert said(report, Verdict.ALTERED, "line 4", text)


# -- two cameras ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """The log of another camera, of another boot."""
    clock = SteppedClock()
    clock.boot_id = "11111111-2222-4333-8444-555555555555"
    camera = Camera(tmp_path_factory.mktemp("foreign"), device="cam-0002", clock=clock)
    camera.log.append("boot", device="cam-0002")
    camera.log.append("marker", rec=None)
    camera.stop()
    return Evidence(camera.store.root, camera.identity, "", ())


def test_lines_of_another_camera_spliced_in(evidence: Evidence, foreign: Evidence) -> None:
    ours = evidence.log.read_bytes().splitlines()
    theirs = foreign.log.read_bytes().splitlines()
    rewrite(evidence, rechained([*ours, *theirs[2:]], nothing))
    report = evidence.verify()
    # The third of their lines is their `boot`, the fourth stands alone without it.
    assert report.exit_code == 4
    rewrite(evidence, rechained([*ours, *theirs[3:]], nothing))
    report = evidence.verify()
    assert LogAnswer.SPLICED in answers(report)
    assert said(
        report, Verdict.ALTERED, f"line {len(ours) + 1}", "is of another boot, which never began"
    )


def test_a_boot_of_another_camera_spliced_in(tmp_path: Path, foreign: Evidence) -> None:
    camera = Camera(tmp_path)
    camera.log.append("boot", device="cam-0001")
    camera.stop()
    ours = Evidence(camera.store.root, camera.identity, "", ())
    lines = ours.log.read_bytes().splitlines()
    rewrite(ours, rechained([*lines, *foreign.log.read_bytes().splitlines()[2:]], nothing))
    report = ours.verify(ours.log)
    assert LogAnswer.SPLICED in answers(report)
    assert said(
        report, Verdict.ALTERED, f"line {len(lines) + 1}",
        "is of camera cam-0002, the lines before are of cam-0001",
    )  # fmt: skip


def test_the_whole_log_of_another_camera(evidence: Evidence, foreign: Evidence) -> None:
    shutil.rmtree(evidence.log.parent)
    shutil.copytree(foreign.log.parent, evidence.log.parent)
    report = evidence.verify()
    assert report.exit_code == 4
    assert LogAnswer.SPLICED in answers(report)
    assert said(
        report, Verdict.ALTERED, "00000.mp4", "is of camera cam-0001, the log is of cam-0002"
    )


def test_the_checkpoint_of_another_camera(evidence: Evidence, foreign: Evidence) -> None:
    shutil.copy(foreign.log.with_name("checkpoint"), evidence.log.with_name("checkpoint"))
    shutil.copytree(
        foreign.log.with_name("certificates"), evidence.log.with_name("certificates"),
        dirs_exist_ok=True,
    )  # fmt: skip
    report = evidence.verify()
    assert report.exit_code == 4
    assert said(report, Verdict.ALTERED, "checkpoint", "not those that it vouches for") or said(
        report, Verdict.ALTERED, "checkpoint", "parts of two cameras"
    )


# -- the checkpoint and the certificates ------------------------------------------------------


def long_log(tmp_path: Path, *, orderly: bool) -> tuple[Evidence, Path]:
    """Ten minutes of heartbeats with a checkpoint at the start, kept aside, and at the end."""
    camera = Camera(tmp_path)
    camera.log.checkpoint()
    old = tmp_path / "old"
    shutil.copy(camera.store.log / "checkpoint", old)
    for _ in range(10):
        camera.clock.now_ns += MINUTE_NS
        camera.log.append("heartbeat")
    if not orderly:
        camera.log.checkpoint()
    camera.stop(orderly=orderly)
    return Evidence(camera.store.root, camera.identity, "", ()), old


@pytest.mark.parametrize("orderly", [True, False])
def test_an_old_checkpoint_put_back(tmp_path: Path, orderly: bool) -> None:
    evidence, old = long_log(tmp_path, orderly=orderly)
    assert evidence.verify().exit_code == 0
    shutil.copy(old, evidence.log.with_name("checkpoint"))
    report = evidence.verify()
    # Nothing in the log contradicts it: what is there may be whole, but nobody signed for the rest.
    assert (report.exit_code, answers(report)) == (3, [LogAnswer.CHECKPOINT_REPLAYED])
    assert said(report, Verdict.INCOMPLETE, "checkpoint", "is an old one, of 2 lines")
    assert said(report, Verdict.INCOMPLETE, "line 3", "not signed by any checkpoint yet")


def test_a_changed_checkpoint(evidence: Evidence) -> None:
    path = evidence.log.with_name("checkpoint")
    lines = len(evidence.log.read_bytes().splitlines())
    path.write_bytes(path.read_bytes().replace(f"\n{lines}\n".encode(), b"\n3\n"))
    assert said(evidence.verify(), Verdict.ALTERED, "checkpoint", "signature does not hold")


def certificate(evidence: Evidence) -> Path:
    (path,) = evidence.log.with_name("certificates").glob("*.pem")
    return path


def test_a_certificate_swapped_for_another_cameras(evidence: Evidence, foreign: Evidence) -> None:
    shutil.copy(certificate(foreign), certificate(evidence))
    for report in (evidence.verify(), evidence.verify(evidence.log)):
        assert report.exit_code == 4
        assert LogAnswer.CERTIFICATE_SWAPPED in answers(report)
        assert said(report, Verdict.ALTERED, "certificates/", "it was swapped")


def test_a_certificate_swapped_under_its_own_name(evidence: Evidence, foreign: Evidence) -> None:
    certificate(evidence).unlink()
    shutil.copy(certificate(foreign), evidence.log.with_name("certificates"))
    report = evidence.verify(evidence.log)
    assert report.exit_code == 5
    assert LogAnswer.CERTIFICATE_SWAPPED in answers(report)
    assert said(report, Verdict.UNTRUSTED, "checkpoint", "signed by a key whose certificate")


def test_a_certificate_that_is_none(evidence: Evidence) -> None:
    certificate(evidence).write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n")
    report = evidence.verify()
    assert report.exit_code == 4
    assert said(report, Verdict.ALTERED, "certificates/", "holds no certificates")


def test_a_log_of_a_camera_that_the_root_does_not_vouch_for(
    evidence: Evidence, foreign: Evidence
) -> None:
    report = verify_paths([evidence.log], load_root(foreign.identity.root))
    assert (report.exit_code, report.verdict) == (5, Verdict.UNTRUSTED)


# -- a quick start is no way around it --------------------------------------------------------


def test_a_line_edited_while_the_camera_was_off_is_found_after_it_went_on(tmp_path: Path) -> None:
    camera = Camera(tmp_path)
    camera.stop()
    evidence = Evidence(camera.store.root, camera.identity, "", ())
    assert evidence.log.with_name(RESUME_FILE).exists()
    lines = evidence.log.read_bytes().splitlines()
    rewrite(
        evidence, [lines[0].replace(b'"fw":"bodycam test"', b'"fw":"bodycam tost"'), *lines[1:]]
    )
    again = Camera(tmp_path)
    again.log.append("marker", rec=None)
    again.stop()
    report = evidence.verify()
    assert (report.exit_code, answers(report)) == (4, [LogAnswer.EDITED])
    assert said(report, Verdict.ALTERED, "line 1", "checksum")


# -- proofs -----------------------------------------------------------------------------------


def test_a_proof_stands_alone(evidence: Evidence, tmp_path: Path) -> None:
    lines = evidence.log.read_bytes().splitlines()
    for number in (1, 3, len(lines)):
        file = encode_proof(prove_line(LogFolder(evidence.store), number))
        proven = check_line(decode_proof(file), TrustPolicy(evidence.root))
        assert proven.trusted
        assert (proven.line, proven.text.encode()) == (number, lines[number - 1])
    shutil.rmtree(tmp_path / "store")
    assert check_line(decode_proof(file), TrustPolicy(evidence.root)).trusted


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"marker", b"merker", "not in the log"),
        (b'\\"seq\\":14', b'\\"seq\\":13', "not in the log"),
        (b"index 14", b"index 13", "not"),
        (b"index 14", b"index 99", "outside"),
        (b"\\nexample/bodycam/", b"\\nexomple/bodycam/", "not signed by the certificate"),
    ],
)
def test_a_spoilt_proof_is_refused(tmp_path: Path, old: bytes, new: bytes, why: str) -> None:
    camera = Camera(tmp_path)
    for _ in range(20):
        camera.log.append("marker", rec=None)
    camera.stop()
    file = encode_proof(prove_line(LogFolder(camera.store.log), 15))
    assert old in file
    with pytest.raises(EvidenceError, match=why):
        check_line(decode_proof(file.replace(old, new)), TrustPolicy(None))


def test_a_proof_with_another_cameras_certificate_is_refused(
    evidence: Evidence, foreign: Evidence
) -> None:
    file = json.loads(encode_proof(prove_line(LogFolder(evidence.store), 3)))
    other = json.loads(encode_proof(prove_line(LogFolder(foreign.store), 3)))
    file["certificates"] = other["certificates"]
    with pytest.raises(EvidenceError, match="not signed by the certificate"):
        check_line(decode_proof(json.dumps(file).encode()), TrustPolicy(evidence.root))


def test_no_proof_is_made_of_an_altered_log(evidence: Evidence) -> None:
    lines = evidence.log.read_bytes().splitlines()
    rewrite(evidence, [lines[0], lines[1] + b" ", *lines[2:]])
    with pytest.raises(EvidenceError, match="two histories"):
        prove_line(LogFolder(evidence.store), 1)
    rewrite(evidence, lines[:-1])
    with pytest.raises(EvidenceError, match="cut or rolled back"):
        prove_line(LogFolder(evidence.store), 1)


def test_a_line_that_no_checkpoint_covers_has_no_proof(evidence: Evidence) -> None:
    with pytest.raises(ConfigError, match="covers lines 1 to"):
        prove_line(LogFolder(evidence.store), 1000)


def test_the_commands_prove_and_check(
    evidence: Evidence, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import argparse

    def run(*words: object) -> int:
        parser = argparse.ArgumentParser()
        log_command.add_arguments(parser)
        return int(log_command.main(parser.parse_args([str(word) for word in words])))

    out, root = tmp_path / "proof.json", evidence.identity.root
    assert run("prove", 3, "--log", evidence.store, "--trust", root, "--out", out) == 0
    assert run("check", out, "--trust", root) == 0
    assert "PROVEN: line 3 of" in capsys.readouterr().out
    assert run("check", out) == 5
    old = evidence.log.with_name("checkpoint")
    assert run("consistency", old, "--log", evidence.store, "--trust", root, "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["proof"] == []


def test_the_certificates_beside_the_log_are_the_devices(evidence: Evidence) -> None:
    (leaf, _) = x509.load_pem_x509_certificates(certificate(evidence).read_bytes())
    der = leaf.public_bytes(serialization.Encoding.DER)
    assert certificate(evidence).stem == hashlib.sha256(der).hexdigest()[:16]
