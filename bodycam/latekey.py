"""A device key that may take its time: a thread of its own asks it, and nobody has to wait.

A token may need seconds for a signature, refuse, or hang in its driver for ever. Whoever asks gets a
promise, and decides how long to wait for it. What hangs cannot be joined; the thread is left behind.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric import ec

from .clock import NS, Clock
from .errors import BodycamError, DeviceError
from .recordsigner import PATIENCE_S
from .signing import Promise, Signer

_Key = TypeVar("_Key")

_WAITING = 4
_LOAD_S = 5.0
_SLOW_NS = 10 * NS


class LateKey:
    """A Signer in front of a slow one. `sign` does not wait for longer than a quarter of a second."""

    def __init__(self, key: Signer, clock: Clock) -> None:
        self._key, self._clock = key, clock
        self.certificates = key.certificates
        self.public_key: ec.EllipticCurvePublicKey | None = key.public_key
        self._asked: queue.Queue[tuple[bytes, Promise] | None] = queue.Queue(_WAITING)
        self._busy = False
        self._slow_ns = -_SLOW_NS
        self._thread = threading.Thread(target=self._run, name="signer", daemon=True)
        self._thread.start()

    def ask(self, message: bytes) -> Promise:
        """Have it signed, after what was asked for before. Refused if too much is waiting."""
        promise = Promise()
        try:
            self._asked.put_nowait((message, promise))
        except queue.Full:
            promise.fail(DeviceError("the device key does not answer", "Check the token"))
        return promise

    def sign(self, message: bytes) -> bytes:
        """A signature if there is one in time, else none: nothing waits behind a key that is slow."""
        if self._busy or self._clock.boot_ns() - self._slow_ns < _SLOW_NS:
            return b""
        try:
            return self.ask(message).wait(self._clock.real_s(PATIENCE_S)) or b""
        except DeviceError:
            return b""  # the next record says so

    def _run(self) -> None:
        while (asked := self._asked.get()) is not None:
            message, promise = asked
            if promise.cancelled:
                continue
            self._busy, began_ns = True, self._clock.boot_ns()
            try:
                promise.keep(self._key.sign(message))
            except DeviceError as fault:
                promise.fail(fault)
            ended_ns = self._clock.boot_ns()
            if ended_ns - began_ns > PATIENCE_S * NS:
                self._slow_ns = ended_ns
            self._busy = False

    def close(self) -> bool:
        """End; False if the key hangs, and what it holds cannot be closed. Idempotent."""
        try:
            self._asked.put_nowait(None)
        except queue.Full:
            return False
        self._thread.join(self._clock.real_s(1.0))
        return not self._thread.is_alive()


def within(load: Callable[[], _Key], clock: Clock) -> _Key:
    """What `load` returns or raises, if it does in time. Raises DeviceError if it does not."""
    found: list[_Key] = []
    faults: list[BodycamError] = []

    def run() -> None:
        try:
            found.append(load())
        except BodycamError as fault:
            faults.append(fault)

    thread = threading.Thread(target=run, name="key", daemon=True)
    thread.start()
    thread.join(clock.real_s(_LOAD_S))
    if faults:
        raise faults[0]
    if not found:
        raise DeviceError(
            f"the token has not answered for {_LOAD_S:.0f} s", "Check the token and its driver"
        )
    return found[0]
