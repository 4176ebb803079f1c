"""Messages to systemd (sd_notify(3)); nothing at all where nobody listens."""

from __future__ import annotations

import os
import socket


class Notifier:
    """The datagram socket that systemd, or the simulator in its place, listens on."""

    def __init__(self, address: str | None = None) -> None:
        path = address if address is not None else os.environ.get("NOTIFY_SOCKET", "")
        self._socket: socket.socket | None = None
        self._address = ""
        if path:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)
            self._address = "\0" + path[1:] if path.startswith("@") else path

    def send(self, **fields: str) -> None:
        """One message, such as READY=1 or STATUS=…; a listener that is gone or busy is ignored."""
        if self._socket is None:
            return
        text = "\n".join(f"{name.upper()}={value}" for name, value in fields.items())
        try:
            self._socket.sendto(text.encode(), self._address)
        except OSError:
            # systemd judges by what arrives; a message that cannot be taken is a late one.
            return

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
