"""RFC 3161 time stamps over checkpoints, with openssl as TSA and as judge."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bodycam.clock import utc_from_text
from bodycam.commands import log as log_command
from bodycam.commands import verify as verify_command
from bodycam.custody.findings import Verdict
from bodycam.custody.logroots import OutsideWord
from bodycam.custody.stamps import load_tsa, stamp_checker
from bodycam.custody.verify import Report, verify_paths
from bodycam.dock.timestamp import TsaUnreachable
from bodycam.errors import CannotOpen, EvidenceError

from .evidence import Camera, Evidence

CONFIG = Path(__file__).with_name("tsa.cnf")


def openssl(folder: Path, *arguments: object) -> str:
    done = subprocess.run(
        ["openssl", *map(str, arguments)],
        check=True, capture_output=True, text=True, timeout=60, cwd=folder,
    )  # fmt: skip
    return done.stdout


class Tsa:
    """A time stamping authority made with openssl alone."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.root = folder, folder / "root.pem"
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        openssl(
            folder, "req", "-x509", *key, "-keyout", "root.key", "-out", "root.pem",
            "-days", 30, "-config", CONFIG,
        )  # fmt: skip
        openssl(
            folder, "req", "-new", *key, "-keyout", "tsa.key", "-out", "tsa.csr",
            "-config", CONFIG, "-subj", "/CN=Test TSA",
        )  # fmt: skip
        openssl(
            folder, "x509", "-req", "-in", "tsa.csr", "-CA", "root.pem", "-CAkey", "root.key",
            "-CAcreateserial", "-extfile", CONFIG, "-extensions", "leaf", "-days", 20,
            "-out", "tsa.pem",
        )  # fmt: skip
        (folder / "serial").write_text("01\n", encoding="ascii")

    def reply(self, query: Path, answer: Path) -> None:
        openssl(
            self.folder, "ts", "-reply", "-config", CONFIG, "-section", "test",
            "-queryfile", query, "-signer", "tsa.pem", "-inkey", "tsa.key", "-out", answer,
        )  # fmt: skip


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Tsa:
    return Tsa(tmp_path_factory.mktemp("authority") / "tsa")


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    camera = Camera(tmp_path)
    camera.log.append("marker", rec=None)
    camera.stop()
    return Evidence(camera.store.root, camera.identity, "", ())


def run(command: str, *words: object) -> int:
    parser = argparse.ArgumentParser()
    module = {"log": log_command, "verify": verify_command}[command]
    module.add_arguments(parser)
    return int(module.main(parser.parse_args([str(word) for word in words])))


def stamp(evidence: Evidence, tsa: Tsa, folder: Path) -> Path:
    """Stamp the checkpoint by files, as where there is no network."""
    query, answer = folder / "query.tsq", folder / "answer.tsr"
    assert run("log", "timestamp", "--log", evidence.store, "--query", query) == 0
    tsa.reply(query, answer)
    assert run("log", "timestamp", "--log", evidence.store, "--response", answer) == 0
    (token,) = evidence.log.with_name("timestamps").glob("*.tsr")
    return token


def judged(evidence: Evidence, tsa: Tsa) -> Report:
    outside = OutsideWord(stamped_at=stamp_checker(load_tsa(tsa.root)))
    return verify_paths([evidence.log], evidence.root, outside=outside)


def said(report: Report, verdict: Verdict, text: str) -> bool:
    return any(f.verdict is verdict and text in f.text for f in report.findings)


def test_openssl_and_verify_agree_on_a_stamp(evidence: Evidence, tsa: Tsa, tmp_path: Path) -> None:
    token = stamp(evidence, tsa, tmp_path)
    note = token.with_suffix(".note")
    assert note.read_bytes() == evidence.log.with_name("checkpoint").read_bytes()
    arguments = ["-data", note, "-in", token, "-CAfile", tsa.root]
    openssl(tmp_path, "ts", "-verify", *arguments)
    report = judged(evidence, tsa)
    assert report.exit_code == 0
    (vouched,) = report.logs[0].vouched_by
    assert (vouched.by, vouched.lines) == ("TSA Test TSA root", report.logs[0].lines)
    shown = openssl(tmp_path, "ts", "-reply", "-in", token, "-text")
    assert vouched.at[11:19] in shown
    assert utc_from_text(vouched.at) > 0


def test_the_command_checks_stamps_by_the_tsas_root(
    evidence: Evidence, tsa: Tsa, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stamp(evidence, tsa, tmp_path)
    trust = ["--trust", evidence.identity.root]
    assert run("verify", evidence.log, *trust, "--tsa-root", tsa.root) == 0
    assert "TSA Test TSA root saw" in capsys.readouterr().out
    assert run("verify", evidence.log, *trust) == 0
    assert "no TSA was given" in capsys.readouterr().out
    with pytest.raises(CannotOpen):
        run("verify", evidence.log, *trust, "--tsa-root", tmp_path / "nothing")


def test_a_stamp_of_an_unknown_tsa_is_not_trusted(
    evidence: Evidence, tsa: Tsa, tmp_path: Path
) -> None:
    stamp(evidence, tsa, tmp_path)
    report = judged(evidence, Tsa(tmp_path / "other"))
    assert report.exit_code == 5
    assert said(report, Verdict.UNTRUSTED, "not of the given TSA")


def test_a_stamp_of_other_bytes_is_altered(evidence: Evidence, tsa: Tsa, tmp_path: Path) -> None:
    note = stamp(evidence, tsa, tmp_path).with_suffix(".note")
    note.write_bytes(note.read_bytes().replace(b"example/", b"exomple/"))
    report = judged(evidence, tsa)
    assert report.exit_code == 4
    assert said(report, Verdict.ALTERED, "not of this checkpoint")


@pytest.mark.parametrize("at", [0, 5, 40, 200, 500, -1])
def test_a_changed_stamp_is_found(evidence: Evidence, tsa: Tsa, tmp_path: Path, at: int) -> None:
    token = stamp(evidence, tsa, tmp_path)
    data = bytearray(token.read_bytes())
    data[at] ^= 0x04
    token.write_bytes(data)
    assert judged(evidence, tsa).exit_code in (4, 5)


def test_a_stamped_checkpoint_shows_a_rollback(
    evidence: Evidence, tsa: Tsa, tmp_path: Path
) -> None:
    stamp(evidence, tsa, tmp_path)
    lines = evidence.log.read_bytes().splitlines(keepends=True)
    evidence.log.write_bytes(b"".join(lines[:-1]))
    evidence.log.with_name("checkpoint").unlink()
    report = judged(evidence, tsa)
    assert report.exit_code == 4
    assert said(report, Verdict.ALTERED, "the log was rolled back: TSA Test TSA root at 20")


def test_an_answer_to_another_question_is_not_kept(
    evidence: Evidence, tsa: Tsa, tmp_path: Path
) -> None:
    token = stamp(evidence, tsa, tmp_path)
    answer = tmp_path / "kept.tsr"
    shutil.move(token, answer)
    token.with_suffix(".note").unlink()
    with pytest.raises(EvidenceError, match="none of these checkpoints"):
        run("log", "timestamp", "--log", evidence.store, "--response", answer)
    answer.write_bytes(b"no stamp")
    with pytest.raises(EvidenceError, match="not a time stamp"):
        run("log", "timestamp", "--log", evidence.store, "--response", answer)


@pytest.fixture
def tsa_url(tsa: Tsa, tmp_path: Path) -> Iterator[str]:
    """The same authority over HTTP."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query, answer = tmp_path / "http.tsq", tmp_path / "http.tsr"
            query.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            tsa.reply(query, answer)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer.read_bytes())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_tsa_is_asked_over_http(evidence: Evidence, tsa: Tsa, tsa_url: str) -> None:
    assert run("log", "timestamp", "--log", evidence.store, "--tsa", tsa_url) == 0
    assert judged(evidence, tsa).exit_code == 0
    with pytest.raises(TsaUnreachable):
        run("log", "timestamp", "--log", evidence.store, "--tsa", "file:///etc/passwd")
