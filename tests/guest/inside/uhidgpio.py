"""A GPIO chip without interrupts: an MCP2221 as the kernel's own driver sees it, over /dev/uhid.

The driver asks the device for every level; nothing ever tells it of an edge. The device is ours:
it answers the reports that the driver sends (data sheet DS20005565, chapter 3.1).
"""

from __future__ import annotations

import os
import select
import struct
import subprocess
import threading
from typing import Self

LABEL = "mcp2221_gpio"
_LINES = 4
_UHID_DESTROY, _UHID_OUTPUT, _UHID_CREATE2, _UHID_INPUT2 = 1, 6, 11, 12
_BUS_USB, _VENDOR, _PRODUCT = 3, 0x04D8, 0x00DD
# 64 bytes in, 64 bytes out, without report numbers.
_DESCRIPTOR = bytes.fromhex(
    "0600ff0901a101 0901150026ff007508954081 02 0901150026ff00750895409102 c0".replace(" ", "")
)
_SET_GPIO, _GET_GPIO, _READ_FLASH = 0x50, 0x51, 0xB0
_NOT_GPIO = 0xEE


class InterruptlessChip:
    """The device side; `levels` is what the world does to its four lines."""

    def __init__(self) -> None:
        subprocess.run(["modprobe", "-a", "uhid", "hid-mcp2221"], check=True)
        self.levels = [0] * _LINES
        self.directions = [1] * _LINES
        self._uhid = os.open("/dev/uhid", os.O_RDWR | os.O_CLOEXEC)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="mcp2221")
        create = struct.pack(
            "=I128s64s64sHHIIII4096s", _UHID_CREATE2, b"simulated MCP2221", b"", b"",
            len(_DESCRIPTOR), _BUS_USB, _VENDOR, _PRODUCT, 0, 0, _DESCRIPTOR,
        )  # fmt: skip
        os.write(self._uhid, create)
        self._thread.start()

    def _serve(self) -> None:
        while not self._stop.is_set():
            if not select.select([self._uhid], [], [], 0.1)[0]:
                continue
            event = os.read(self._uhid, 4380)
            (kind,) = struct.unpack_from("=I", event)
            if kind == _UHID_OUTPUT:
                (size,) = struct.unpack_from("=H", event, 4 + 4096)
                self._answer(event[4 : 4 + size])

    def _answer(self, report: bytes) -> None:
        # The driver may put the number 0 of its only report in front.
        asked = report[1:] if len(report) == 65 else report
        answer = bytearray(64)
        answer[0] = asked[0]
        if asked[0] == _SET_GPIO:
            answer[2:64] = asked[2:64]
            for line in range(_LINES):
                change, value, turn, direction = asked[2 + 4 * line : 6 + 4 * line]
                if change:
                    self.levels[line] = value
                if turn:
                    self.directions[line] = direction
        elif asked[0] == _GET_GPIO:
            for line in range(_LINES):
                answer[2 + 2 * line : 4 + 2 * line] = self.levels[line], self.directions[line]
        os.write(self._uhid, struct.pack("=IH4096s", _UHID_INPUT2, 64, bytes(answer)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._uhid, struct.pack("=I", _UHID_DESTROY))
        self._stop.set()
        self._thread.join()
        os.close(self._uhid)
