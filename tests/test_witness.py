"""The witness over real HTTP: it cosigns a log that only grew, and nothing else."""

from __future__ import annotations

import http.client
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from bodycam.certificates import TrustPolicy
from bodycam.clock import NS, SystemClock
from bodycam.custody.logfacts import LogAnswer
from bodycam.custody.logproofs import LogFolder, check_line, prove_line, read_note
from bodycam.custody.logroots import OutsideWord
from bodycam.custody.verify import verify_paths
from bodycam.dock.submit import WitnessUnreachable, submit
from bodycam.dock.witness import MAX_REQUEST_BYTES, AddCheckpoint, Witness, parse_request
from bodycam.dock.witnessserver import WitnessServer
from bodycam.errors import AlreadyRunning, EvidenceError
from bodycam.formats.checkpoint import (
    Checkpoint,
    WitnessKey,
    cosigned_at,
    parse_checkpoint_unverified,
    read_signatures,
    read_witness_key,
)
from bodycam.formats.tlog import consistency_proof
from bodycam.provision.identity import make_identity
from bodycam.signing import load_root

from .evidence import DEVICE, Camera, SteppedClock

ORIGIN = "example/bodycam/cam-0001"


@dataclass(slots=True)
class Stand:
    """A camera, a witness of its force, and the wire between them."""

    folder: Path
    camera: Camera
    witness: Witness
    url: str
    address: tuple[str, int]

    @property
    def log(self) -> LogFolder:
        return LogFolder(self.camera.store.log)

    @property
    def policy(self) -> TrustPolicy:
        return TrustPolicy(load_root(self.camera.identity.root))

    def grow(self, lines: int) -> Checkpoint:
        for _ in range(lines):
            self.camera.log.append("marker", rec=None)
        self.camera.log.checkpoint()
        return self.log.checkpoint()

    def post(self, path: str, body: bytes) -> tuple[int, str, str]:
        connection = http.client.HTTPConnection(*self.address, timeout=30)
        try:
            connection.request("POST", path, body)
            reply = connection.getresponse()
            return reply.status, reply.read().decode(), reply.headers["Content-Type"]
        finally:
            connection.close()

    def add(self, note: Checkpoint, old_size: int, log: LogFolder | None = None) -> tuple[int, str]:
        leaves = (log or self.log).leaves[: note.size]
        proof = tuple(consistency_proof(leaves, old_size)) if old_size <= note.size else ()
        status, body, _ = self.post(
            "/add-checkpoint", AddCheckpoint(old_size, proof, note).encode()
        )
        return status, body

    def submit(self) -> int:
        return submit(self.log, self.url, self.policy, self.witness.key).lines


def serve(witness: Witness) -> WitnessServer:
    server = WitnessServer(("127.0.0.1", 0), witness)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
    return server


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    camera = Camera(tmp_path / "camera")
    policy = TrustPolicy(load_root(camera.identity.root))
    witness = Witness(tmp_path / "witness", "dock-1", policy, SteppedClock())
    server = serve(witness)
    port = int(server.server_address[1])
    yield Stand(tmp_path, camera, witness, f"http://127.0.0.1:{port}", ("127.0.0.1", port))
    server.shutdown()
    server.server_close()
    witness.close()
    camera.stop(orderly=False)


def latest(stand: Stand) -> Checkpoint:
    (path,) = (stand.folder / "witness" / "cameras").glob("*/latest")
    return read_note(path)


# -- what it does -----------------------------------------------------------------------------


def test_a_growing_log_is_cosigned_each_time(stand: Stand) -> None:
    for lines in (3, 1, 40):
        note = stand.grow(lines)
        assert stand.submit() == note.size
        assert latest(stand).body == note.body
        witnessed = stand.log.checkpoint("checkpoint.witnessed")
        assert witnessed.by_log() == note.by_log()
        at_s = cosigned_at(witnessed, stand.witness.key)
        assert at_s == SteppedClock().sample().utc_ns // NS
    assert stand.submit() == note.size  # the same again: cosigned anew


def test_the_cosigned_checkpoint_is_part_of_proof_and_verdict(stand: Stand) -> None:
    stand.grow(5)
    stand.submit()
    proof = prove_line(stand.log, 4)
    proven = check_line(proof, stand.policy, (stand.witness.key,))
    assert proven.trusted
    assert [v.by for v in proven.vouched_by] == ["dock-1"]
    outside = OutsideWord(witnesses=(stand.witness.key,))
    report = verify_paths([stand.log.path], stand.policy.root, outside=outside)
    assert report.exit_code == 0
    assert [(v.by, v.lines) for v in report.logs[0].vouched_by] == [("dock-1", 7)]


def test_the_witness_tells_its_key(stand: Stand) -> None:
    connection = http.client.HTTPConnection(*stand.address, timeout=30)
    connection.request("GET", "/key")
    assert read_witness_key(connection.getresponse().read().decode()) == stand.witness.key
    connection.close()


# -- what it refuses --------------------------------------------------------------------------


def test_an_unknown_camera_is_not_found(stand: Stand) -> None:
    assert stand.add(stand.grow(1), 0)[0] == 404


def test_a_wrong_old_size_gets_the_right_one(stand: Stand) -> None:
    first = stand.grow(3)
    stand.submit()
    note = stand.grow(3)
    request = AddCheckpoint(0, (), note).encode()
    assert stand.post("/add-checkpoint", request) == (409, f"{first.size}\n", "text/x.tlog.size")
    assert stand.add(note, first.size)[0] == 200


def test_an_old_size_above_the_checkpoint_is_malformed(stand: Stand) -> None:
    note = stand.grow(3)
    stand.submit()
    assert stand.add(note, note.size + 1)[0] == 400


def test_a_checkpoint_signed_by_nobody_known_is_forbidden(stand: Stand, tmp_path: Path) -> None:
    note = stand.grow(3)
    stand.submit()
    stranger = Camera(tmp_path / "stranger")  # the same name, another force
    stranger.log.checkpoint()
    other = LogFolder(stranger.store.log)
    assert stand.add(other.checkpoint(), 0, other)[0] == 403
    forged = Checkpoint(
        note.origin, note.size + 1, note.root,
        note.body.replace(f"\n{note.size}\n".encode(), f"\n{note.size + 1}\n".encode()),
        note.signatures,
    )  # fmt: skip
    assert stand.post("/add-checkpoint", AddCheckpoint(note.size, (), forged).encode())[0] == 403
    with pytest.raises(EvidenceError, match="not trusted"):
        submit(other, stand.url, stand.policy, stand.witness.key)
    pem = next((stranger.store.log / "certificates").glob("*.pem")).read_bytes()
    assert stand.post("/add-camera", ORIGIN.encode() + b"\n" + pem)[0] == 403
    stranger.stop(orderly=False)


def test_a_camera_is_registered_under_its_own_name_and_under_one_only(stand: Stand) -> None:
    stand.grow(1)
    pem = next((stand.camera.store.log / "certificates").glob("*.pem")).read_bytes()
    assert stand.post("/add-camera", b"example/bodycam/cam-0002\n" + pem)[0] == 403
    assert stand.post("/add-camera", ORIGIN.encode() + b"\n" + pem)[0] == 200
    assert stand.post("/add-camera", b"elsewhere/bodycam/cam-0001\n" + pem)[0] == 403
    assert stand.post("/add-camera", b"a b\n" + pem)[0] == 400
    assert stand.post("/add-camera", ORIGIN.encode() + b"\nno certificate")[0] == 400


def test_a_bad_consistency_proof_is_unprocessable(stand: Stand) -> None:
    first = stand.grow(3)
    stand.submit()
    note = stand.grow(9)
    proof = consistency_proof(stand.log.leaves[: note.size], first.size)
    for bad in ((), (bytes(32),), tuple(proof[::-1]), (*proof, bytes(32))):
        request = AddCheckpoint(first.size, bad, note).encode()
        assert stand.post("/add-checkpoint", request)[0] == 422
    assert latest(stand).size == first.size
    assert stand.submit() == note.size


def rolled_back(stand: Stand) -> None:
    """Today is witnessed, then yesterday's image of the card is put back."""
    stand.grow(5)
    yesterday = stand.folder / "yesterday"
    shutil.copytree(stand.camera.store.root, yesterday)
    stand.grow(5)
    stand.submit()
    witnessed = (stand.camera.store.log / "checkpoint.witnessed").read_bytes()
    (stand.folder / "held").write_bytes(witnessed)
    stand.camera.stop(orderly=False)
    shutil.rmtree(stand.camera.store.root)
    shutil.copytree(yesterday, stand.camera.store.root)
    stand.camera = Camera(stand.folder / "camera")


def test_a_rolled_back_card_is_refused(stand: Stand) -> None:
    rolled_back(stand)
    stand.camera.log.checkpoint()
    with pytest.raises(EvidenceError, match="the log was rolled back: the witness saw 12 lines"):
        stand.submit()
    held = OutsideWord((("held", (stand.folder / "held").read_bytes()),), (stand.witness.key,))
    report = verify_paths([stand.log.path], stand.policy.root, outside=held)
    assert (report.exit_code, report.logs[0].answers) == (4, [LogAnswer.ROLLED_BACK])
    assert any("dock-1 at 20" in f.text for f in report.findings)


@pytest.mark.parametrize("lines", [3, 30])
def test_a_second_history_is_refused(stand: Stand, lines: int) -> None:
    rolled_back(stand)
    stand.grow(lines)  # as long as the witnessed one, and longer
    with pytest.raises(EvidenceError, match="two histories"):
        stand.submit()
    assert latest(stand).size == 12


@pytest.mark.parametrize(
    "body",
    [
        b"", b"old 0", b"old 0\n\n", b"old -1\n\nx\n1\n", b"old 00\n\n", b"new 0\n\n",
        b"old 0\nAAAA\n\n", b"old 0\n" + b"A" * 44 + b"\n\n", b"\xff\n\n", b"old 0\n" * 70 + b"\n",
    ],
)  # fmt: skip
def test_a_malformed_request_is_refused(stand: Stand, body: bytes) -> None:
    assert stand.post("/add-checkpoint", body)[0] == 400
    assert stand.post("/nothing", body)[0] == 404


def raw(stand: Stand, request: bytes) -> bytes:
    with socket.create_connection(stand.address, timeout=30) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(4096), b""))


def test_input_is_bounded_before_it_is_read(stand: Stand) -> None:
    post = b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\n"
    assert b" 411 " in raw(stand, post + b"\r\n")
    assert b" 411 " in raw(stand, post + b"Content-Length: -5\r\n\r\n")
    assert b" 413 " in raw(stand, post + b"Content-Length: %d\r\n\r\n" % (MAX_REQUEST_BYTES + 1))
    assert b" 400 " in raw(stand, post + b"Content-Length: 50\r\n\r\nold 0\n")
    assert b" 431 " in raw(stand, post + b"X: " + b"y" * 70_000 + b"\r\n\r\n")
    with pytest.raises(EvidenceError, match="at most"):
        parse_request(bytes(MAX_REQUEST_BYTES + 1))


# -- at the same time, and after a crash ------------------------------------------------------


def test_of_concurrent_submissions_none_is_lost_and_none_goes_back(stand: Stand) -> None:
    stand.grow(1)
    stand.submit()
    start = latest(stand).size
    notes = [stand.grow(1) for _ in range(16)]
    gate = threading.Barrier(8)

    def push(number: int) -> list[int]:
        gate.wait()
        sizes = []
        for note in notes[number::8]:
            old = start
            while old <= note.size:
                status, body = stand.add(note, old)
                if status == 200:
                    sizes.append(note.size)
                    break
                assert status == 409
                old = int(body)
        return sizes

    with ThreadPoolExecutor(8) as pool:
        done = sorted(size for sizes in pool.map(push, range(8)) for size in sizes)
    assert latest(stand).size == notes[-1].size == done[-1]


def test_one_process_owns_the_store(stand: Stand) -> None:
    with pytest.raises(AlreadyRunning):
        Witness(stand.folder / "witness", "dock-1", stand.policy, SteppedClock())


class Process:
    """`bodycam witness` as a process of its own."""

    def __init__(self, folder: Path, root: Path) -> None:
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", "bodycam", "witness", "--store", str(folder),
                "--listen", "127.0.0.1:0", "--trust", str(root), "--name", "dock-2",
            ],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().removeprefix("listening on ").strip()
        self.key = read_witness_key(self._process.stdout.readline().removeprefix("key "))

    def end(self, number: signal.Signals) -> int:
        self._process.send_signal(number)
        code = self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code


@pytest.fixture
def live(tmp_path: Path) -> Iterator[tuple[Camera, Path]]:
    """A camera whose certificates are valid today, as the process's clock is the machine's."""
    make_identity(tmp_path / "camera", DEVICE, SystemClock().sample().utc_ns)
    camera = Camera(tmp_path / "camera")
    yield camera, tmp_path / "witness"
    camera.stop(orderly=False)


def test_a_restarted_witness_goes_on_with_key_and_size(live: tuple[Camera, Path]) -> None:
    camera, folder = live
    policy = TrustPolicy(load_root(camera.identity.root))
    keys, ends = set[WitnessKey](), (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM)
    for number in ends:
        camera.log.append("marker", rec=None)
        camera.log.checkpoint()
        process = Process(folder, camera.identity.root)
        log = LogFolder(camera.store.log)
        assert submit(log, process.url, policy, None).lines == len(log.lines)
        keys.add(process.key)
        code = process.end(number)
        assert code == (0 if number is signal.SIGTERM else -signal.SIGKILL)
    assert len(keys) == 1


def test_killed_at_any_moment_it_never_forgets_what_it_answered(live: tuple[Camera, Path]) -> None:
    camera, folder = live
    policy = TrustPolicy(load_root(camera.identity.root))
    answered = 0
    for _ in range(4):
        process = Process(folder, camera.identity.root)
        killer = threading.Timer(0.05, process.end, (signal.SIGKILL,))
        killer.start()
        try:
            while True:
                camera.log.append("marker", rec=None)
                camera.log.checkpoint()
                log = LogFolder(camera.store.log)
                answered = submit(log, process.url, policy, process.key).lines
        except WitnessUnreachable:
            killer.join()
        (path,) = folder.glob("cameras/*/latest") if answered else (None,)
        if path is not None:
            kept = parse_checkpoint_unverified(path.read_bytes())
            assert kept.size >= answered
            assert cosigned_at(kept, process.key) is not None


def test_nobody_listening_is_no_verdict(stand: Stand) -> None:
    stand.grow(1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(WitnessUnreachable):
        submit(stand.log, f"http://127.0.0.1:{port}", stand.policy, stand.witness.key)
    with pytest.raises(WitnessUnreachable, match="not an http"):
        submit(stand.log, "file:///etc", stand.policy, stand.witness.key)


def test_an_answer_that_breaks_off_is_no_verdict(stand: Stand) -> None:
    stand.grow(1)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as request:
                # What was not read of it would reset the connection before the answer is seen.
                lines = iter(request.readline, b"\r\n")
                (length,) = [line for line in lines if line.lower().startswith(b"content-length:")]
                request.read(int(length.split(b":")[1]))
                connection.sendall(head + b"half a signature")

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(WitnessUnreachable, match="IncompleteRead"):
            submit(stand.log, url, stand.policy, stand.witness.key)
        thread.join()


def test_an_answer_is_signature_lines() -> None:
    with pytest.raises(EvidenceError):
        read_signatures("hello\n")
