"""Signs the records of one segment: in time, late, or not at all.

What is late is in a later record of the same segment, so one signature at a time is on its way, and a
record behind it is written without one: the next signature vouches for it, too. FORMAT.md, "Late
signatures".
"""

from __future__ import annotations

import base64
from collections.abc import Callable

from .errors import DeviceError
from .keywatch import KeyState, KeyWatch
from .signing import Promise, Signer

PATIENCE_S = 0.25
# Of what may be asked for before: one that the key is busy with, and a checkpoint.
CLOSING_PATIENCE_S = 8.0


class RecordSigner:
    """One segment's; times to wait are in the machine's seconds."""

    def __init__(
        self, signer: Signer, watch: KeyWatch, now_ns: Callable[[], int],
        patience_s: float, closing_patience_s: float,
    ) -> None:  # fmt: skip
        self._signer, self._watch, self._now_ns = signer, watch, now_ns
        self._patience_s, self._closing_patience_s = patience_s, closing_patience_s
        self._owed: tuple[int, Promise] | None = None

    def late(self) -> list[int | str] | None:
        """What the next record says of an earlier one whose signature has come; None if none has."""
        if self._owed is None:
            return None
        number, promise = self._owed
        try:
            signature = promise.wait()
        except DeviceError as fault:
            self._owed = None
            self._watch.failed(self._now_ns(), str(fault))
            return None
        if signature is None:
            return None
        self._owed = None
        self._watch.signed(self._now_ns(), in_time=False)
        return [number, base64.b64encode(signature).decode("ascii")]

    def sign(self, number: int, record: bytes, *, last: bool = False) -> bytes:
        """The signature; empty where it is not there in time, or another is still on its way.

        `last`: nothing follows, and there is time: it vouches for all that was not signed.
        """
        if last:
            self.forget()
        if self._owed is not None:
            self._watch.late(self._now_ns())
            return b""
        hopeless = self._watch.state is KeyState.FAILING
        wait_s = self._closing_patience_s if last and not hopeless else self._patience_s
        promise = self._signer.ask(record)
        try:
            signature = promise.wait(wait_s)
        except DeviceError as fault:
            self._watch.failed(self._now_ns(), str(fault))
            return b""
        if signature is None:
            self._owed = (number, promise)
            self._watch.late(self._now_ns())
            return b""
        self._watch.signed(self._now_ns(), in_time=True)
        return signature

    def not_written(self, number: int) -> None:
        """The record is not in the file: nothing may say later that it was signed."""
        if self._owed is not None and self._owed[0] == number:
            self.forget()

    def forget(self) -> None:
        """Nobody wants any more what is on its way."""
        if self._owed is not None:
            self._owed[1].cancel()
            self._owed = None
