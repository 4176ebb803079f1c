"""The witness over HTTP: POST /add-checkpoint (C2SP), POST /add-camera, GET /key."""

from __future__ import annotations

import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ..errors import StorageError
from .witness import MAX_REQUEST_BYTES, Answer, Witness

MAX_CAMERA_BYTES = 64 * 1024
_MAX_CONNECTIONS = 64
_TIMEOUT_S = 10.0


class WitnessServer(ThreadingHTTPServer):
    """Serves one witness; a connection over the limit waits until another one ends."""

    daemon_threads = True
    request_queue_size = _MAX_CONNECTIONS

    def __init__(self, address: tuple[str, int], witness: Witness) -> None:
        self.witness = witness
        self._slots = threading.BoundedSemaphore(_MAX_CONNECTIONS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._slots.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()


class _Handler(BaseHTTPRequestHandler):
    server: WitnessServer
    protocol_version = "HTTP/1.1"
    server_version = "bodycam-witness"
    sys_version = ""
    timeout = _TIMEOUT_S

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_GET(self) -> None:
        if self.path != "/key":
            self._refuse(404, "only /key can be read")
            return
        self._send(200, f"{self.server.witness.key.text()}\n", "text/plain; charset=utf-8")

    def do_POST(self) -> None:
        limits = {"/add-checkpoint": MAX_REQUEST_BYTES, "/add-camera": MAX_CAMERA_BYTES}
        if self.path not in limits:
            self._refuse(404, "no such call")
            return
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or len(length) > 9:
            self._refuse(411, "Content-Length is needed")
            return
        if int(length) > limits[self.path]:
            self._refuse(413, f"at most {limits[self.path]} bytes")
            return
        body = self.rfile.read(int(length))
        if len(body) != int(length):
            self._refuse(400, "the request ended early")
            return
        try:
            answer = self._answer(body)
        except StorageError as fault:
            print(f"witness: {fault}", file=sys.stderr, flush=True)
            self._refuse(500, "cannot be stored: nothing was cosigned")
            return
        self._send(int(answer.status), answer.body, answer.content_type)

    def _answer(self, body: bytes) -> Answer:
        witness = self.server.witness
        if self.path == "/add-checkpoint":
            return witness.add_checkpoint(body)
        origin, _, pem = body.partition(b"\n")
        return witness.add_camera(origin.decode("utf-8", "replace"), pem)

    def _refuse(self, status: int, text: str) -> None:
        # What was not read of the body would be taken for the next request.
        self.close_connection = True
        self._send(status, f"{text}\n", "text/plain; charset=utf-8")

    def _send(self, status: int, body: str, content_type: str) -> None:
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        print(f"witness: {self.address_string()} {format % args}", file=sys.stderr, flush=True)
