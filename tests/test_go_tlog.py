"""Go's own transparency log code (golang.org/x/mod/sumdb) judges our checkpoints and proofs."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from bodycam.certificates import TrustPolicy
from bodycam.custody.logproofs import LogFolder, prove_growth, prove_line, read_note
from bodycam.formats.logproof import encode_hashes

from .evidence import Camera

SOURCE = Path(__file__).parent / "go" / "tlogcheck.go"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go program, built from Debian's packages alone: no module is fetched."""
    folder = tmp_path_factory.mktemp("go")
    environment = {
        **os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "",
        "GOCACHE": str(folder / "cache"), "GOPROXY": "off", "CGO_ENABLED": "0",
    }  # fmt: skip
    built = subprocess.run(
        ["go", "build", "-o", str(folder / "tlogcheck"), str(SOURCE)],
        check=False, capture_output=True, text=True, timeout=240, env=environment, cwd=folder,
    )  # fmt: skip
    assert (built.returncode, built.stderr) == (0, "")
    return folder / "tlogcheck"


@dataclass(frozen=True, slots=True)
class Logged:
    """A camera's log with an older and the latest checkpoint, and its public key."""

    log: LogFolder
    old: Path
    key: Path

    @property
    def new(self) -> Path:
        return self.log.folder / "checkpoint"


def keep_log(folder: Path, fork_at: int | None = None) -> Logged:
    """41 lines, a checkpoint after 17 and at the end; `fork_at` has other words in one line."""
    camera = Camera(folder)
    for number in range(15):
        camera.log.append("marker", rec=None if number != fork_at else "forged")
    camera.log.checkpoint()
    old = folder / "old-checkpoint"
    shutil.copy(camera.store.log / "checkpoint", old)
    for _ in range(24):
        camera.log.append("marker", rec=None)
    camera.log.checkpoint()
    key = folder / "device.pub"
    public = camera.signer.public_key
    assert public is not None
    key.write_bytes(
        public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    camera.stop(orderly=False)
    return Logged(LogFolder(camera.store.log), old, key)


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Logged:
    return keep_log(tmp_path_factory.mktemp("logged"))


def go(program: Path, *arguments: object) -> tuple[int, str]:
    done = subprocess.run(
        [str(program), *map(str, arguments)],
        check=False, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    return done.returncode, done.stdout.strip()


@pytest.mark.parametrize("line", [1, 2, 17, 18, 32, 33, 41])
def test_go_finds_a_line_in_the_log(
    program: Path, logged: Logged, line: int, tmp_path: Path
) -> None:
    proof = prove_line(logged.log, line)
    file = tmp_path / "line"
    file.write_bytes(proof.line)
    hashes = encode_hashes(proof.proof.path)
    answer = go(program, logged.key, logged.new, "inclusion", file, line - 1, *hashes)
    assert answer == (0, "OK 41")


def test_go_refuses_another_line_in_its_place(
    program: Path, logged: Logged, tmp_path: Path
) -> None:
    proof = prove_line(logged.log, 20)
    file = tmp_path / "line"
    file.write_bytes(proof.line.replace(b'"rec":null', b'"rec":true'))
    hashes = encode_hashes(proof.proof.path)
    code, text = go(program, logged.key, logged.new, "inclusion", file, 19, *hashes)
    assert (code, text) == (1, "REFUSED: invalid transparency proof")


def test_go_sees_that_the_log_only_grew(program: Path, logged: Logged) -> None:
    grown = prove_growth(logged.log, read_note(logged.old), TrustPolicy(None))
    assert (grown.old.size, grown.new.size) == (17, 41)
    hashes = encode_hashes(grown.proof)
    answer = go(program, logged.key, logged.new, "consistency", logged.old, *hashes)
    assert answer == (0, "OK 41")


def test_go_refuses_a_second_history(program: Path, tmp_path: Path) -> None:
    first = keep_log(tmp_path)
    shutil.copytree(first.log.folder, tmp_path / "first")
    shutil.rmtree(tmp_path / "store")
    old = tmp_path / "of-the-first-history"
    shutil.copy(first.old, old)
    forked = keep_log(tmp_path, fork_at=5)  # the same camera, the same key
    grown = prove_growth(forked.log, read_note(forked.old), TrustPolicy(None))
    hashes = encode_hashes(grown.proof)
    assert go(program, forked.key, forked.new, "consistency", forked.old, *hashes)[0] == 0
    code, text = go(program, forked.key, forked.new, "consistency", old, *hashes)
    assert (code, text) == (1, "REFUSED: invalid transparency proof")


def test_go_refuses_a_checkpoint_that_somebody_changed(
    program: Path, logged: Logged, tmp_path: Path
) -> None:
    forged = tmp_path / "checkpoint"
    forged.write_bytes(logged.new.read_bytes().replace(b"\n41\n", b"\n40\n"))
    code, text = go(program, logged.key, forged, "consistency", logged.old)
    assert code == 1
    assert "invalid signature" in text
