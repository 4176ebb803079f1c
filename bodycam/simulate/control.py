"""The control socket of the simulated pins: JSON lines both ways, and the client for it.

Every request is answered with one line, a wrong one with {"error": ...}; only an end of the
connection ends it. A watcher that does not read is cut off rather than waited for.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import Full, Queue
from typing import Any, BinaryIO, Self

import msgspec

from ..errors import BodycamError, DeviceError

MAX_LINE_BYTES = 64 * 1024
MAX_CLIENTS = 32
MAX_BACKLOG = 10_000

Json = dict[str, Any]


def _use(path: Path, use: Callable[[str], None]) -> None:
    """Bind or connect by way of the folder: a socket's own address holds only 107 bytes."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        use(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


class ControlSocket:
    """Listens at a path (mode 0600) and answers; a socket left by a dead recorder is replaced."""

    def __init__(self, path: Path, answer: Callable[[Json], Json]) -> None:
        self._path = path
        self._answer = answer
        self._lock = threading.Lock()
        self._clients: set[_Client] = set()
        self._closed = False
        self._shown: Json = {}
        self._listener = _listen(path)
        self._thread = threading.Thread(target=self._accept, name="pins-socket", daemon=True)
        self._thread.start()

    def publish(self, message: Json) -> None:
        """Queue a message for every watcher; the last trace is what a new one is told first."""
        line = msgspec.json.encode(message) + b"\n"
        with self._lock:
            if "trace" in message:
                self._shown = message
            for client in self._clients:
                if client.watching:
                    client.publish(line)

    def _admit(self, client: _Client) -> Json:
        """A new watcher: what it is told is what was published before, and it gets all after."""
        with self._lock:
            client.watching = True
            return self._shown

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # closed
            with self._lock:
                if self._closed or len(self._clients) >= MAX_CLIENTS:
                    with suppress(OSError), connection:  # it gave up first
                        connection.send(b'{"error":"too many connections"}\n')
                    continue
                client = _Client(connection, self._answer, self._admit, self._forget)
                self._clients.add(client)
            client.start()

    def _forget(self, client: _Client) -> None:
        with self._lock:
            self._clients.discard(client)

    def close(self) -> None:
        """Stop listening, end every connection. Idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            clients = list(self._clients)
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self._path.unlink(missing_ok=True)
        for client in clients:
            client.close()


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket():
            _refuse_if_served(path)
            path.unlink(missing_ok=True)
        _use(path, listener.bind)
        path.chmod(0o600)  # before listen, so nobody connects in between
        listener.listen(MAX_CLIENTS)
    except OSError as fault:
        listener.close()
        raise DeviceError(
            f"{path}: no control socket can be made: {fault.strerror}",
            "Check that the folder ([store] runtime) exists and may be written.",
        ) from fault
    except DeviceError:
        listener.close()
        raise
    return listener


def _refuse_if_served(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            _use(path, probe.connect)
        except ConnectionRefusedError:
            return  # left behind by a recorder that was killed
    raise DeviceError(
        f"{path}: in use", "Stop the other recorder, or give [store] runtime another."
    )


class _Client:
    """One connection: a thread that answers, and one that sends what a watcher is to see."""

    def __init__(
        self,
        connection: socket.socket,
        answer: Callable[[Json], Json],
        admit: Callable[[_Client], Json],
        forget: Callable[[_Client], None],
    ) -> None:
        self._connection = connection
        self._answer, self._admit = answer, admit
        self._forget = forget
        self._backlog: Queue[bytes | None] = Queue(MAX_BACKLOG)
        self._sending = threading.Lock()
        self.watching = False
        self._reader = threading.Thread(target=self._serve, name="pins-client", daemon=True)
        self._sender = threading.Thread(target=self._send_backlog, name="pins-watch", daemon=True)

    def start(self) -> None:
        self._reader.start()

    def publish(self, line: bytes | None) -> None:
        """Queue a line, or None as the last; a watcher that lags this far is cut off."""
        try:
            self._backlog.put_nowait(line)
        except Full:
            self._hang_up()

    def close(self) -> None:
        """Send what is queued, for at most a second, then end the connection."""
        if self.watching:
            self.publish(None)
            self._sender.join(timeout=1)
        self._hang_up()
        self._reader.join()

    def _hang_up(self) -> None:
        with suppress(OSError):  # the client was quicker
            self._connection.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        with suppress(OSError), self._connection.makefile("rb") as lines:  # it vanished
            while line := _read_line(lines):
                self._handle(line)
        self._forget(self)
        self._hang_up()
        if self.watching:
            self.publish(None)
            self._sender.join()
        self._connection.close()

    def _handle(self, line: bytes) -> None:
        watch = False
        try:
            if len(line) > MAX_LINE_BYTES:
                raise DeviceError(f"line longer than {MAX_LINE_BYTES} bytes")
            request = msgspec.json.decode(line, type=dict[str, Any])
            reply = self._answer(request)
            watch = request.get("watch") is True
        except BodycamError as fault:
            reply = {"error": str(fault)}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
            reply = {"error": f"not a line of JSON with one object: {fault}"}
        with self._sending:
            if watch and not self.watching:
                self._sender.start()  # it waits for the lock: the answer goes first
                reply = {**reply, **self._admit(self)}
            self._connection.sendall(msgspec.json.encode(reply) + b"\n")

    def _send_backlog(self) -> None:
        with suppress(OSError):  # it vanished, or was cut off
            while (line := self._backlog.get()) is not None:
                with self._sending:
                    self._connection.sendall(line)


def _read_line(lines: BinaryIO) -> bytes:
    """One line, or b"" at the end; of one that is too long only the beginning."""
    line = lines.readline(MAX_LINE_BYTES + 1)
    rest = line
    while rest and not rest.endswith(b"\n"):
        rest = lines.readline(MAX_LINE_BYTES)
    return line


class PinsClient:
    """Throws the simulated switches of a running recorder.

    Raises DeviceError if there is no recorder, if it ends, or if it refuses the request.
    """

    def __init__(self, socket_path: Path) -> None:
        self._path = socket_path
        self._lock = threading.Lock()
        self._connection, self._lines = self._connect()
        self._watches: list[socket.socket] = []

    def _connect(self) -> tuple[socket.socket, BinaryIO]:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _use(self._path, connection.connect)
        except OSError as fault:
            connection.close()
            raise DeviceError(
                f"{self._path}: no simulated pins: {fault.strerror}",
                'Start `bodycam run` with [gpio] backend = "simulated".',
            ) from fault
        return connection, connection.makefile("rb")

    def set(
        self,
        name: str,
        active: bool,
        *,
        at_ns: int | None = None,
        bounce_us: list[int] | None = None,
        drop: list[int] | None = None,
    ) -> Json:
        """Throw a switch; the answer holds the time and the bounce of the throw."""
        request: Json = {"set": name, "active": active, "drop": drop or []}
        return self._ask({**request, "at_ns": at_ns, "bounce_us": bounce_us})

    def deafen(self, name: str) -> None:
        """Lose every edge of an input until the recorder reclaims it."""
        self._ask({"deaf": name})

    def get(self, name: str) -> bool:
        """True if the pin is active now; inputs and outputs."""
        return bool(self._ask({"get": name})["active"])

    def world(self, change: Json) -> Json:
        """Change the recorder's simulated world; what it accepts is the recorder's matter."""
        return self._ask({"world": change})

    def watch(self) -> Iterator[Json]:
        """The signal that is shown now, then changes and messages until either side closes."""
        connection, lines = self._connect()
        self._watches.append(connection)
        answer: Json = {}
        with suppress(ConnectionError):  # then the next line is the end
            connection.sendall(b'{"watch":true}\n')
            answer = msgspec.json.decode(lines.readline() or b"{}", type=dict[str, Any])
        return _messages(connection, lines, answer)

    def _ask(self, request: Json) -> Json:
        try:
            with self._lock:
                self._connection.sendall(msgspec.json.encode(request) + b"\n")
                line = self._lines.readline()
        except OSError as fault:
            raise DeviceError(f"{self._path}: the recorder has ended: {fault.strerror}") from fault
        if not line:
            raise DeviceError(f"{self._path}: the recorder has ended")
        answer = msgspec.json.decode(line, type=dict[str, Any])
        if "error" in answer:
            raise DeviceError(str(answer["error"]))
        return answer

    def close(self) -> None:
        """End the connection and every watch. Idempotent."""
        for connection in self._watches:
            with suppress(OSError):  # it has ended already
                connection.shutdown(socket.SHUT_RDWR)
        self._lines.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _messages(connection: socket.socket, lines: BinaryIO, answer: Json) -> Iterator[Json]:
    if "trace" in answer:
        yield {"trace": answer["trace"]}
    with connection, lines, suppress(ConnectionError):  # a recorder that was killed ends it too
        while line := lines.readline():
            yield msgspec.json.decode(line, type=dict[str, Any])
