"""Reads an ALSA device through PyAV, in a thread that may hang for ever without anybody waiting."""

from __future__ import annotations

import ctypes
import os
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer

from ..clock import Clock
from ..config import Audio

_CONFIG = Path("/usr/share/alsa")
_KERNEL = Path("/proc/asound/pcm")
_PIECES_A_SECOND = 100
_QUEUED = 5 * _PIECES_A_SECOND
_TICK_S = 1.0


# file, line, function, error, text
_SILENT = ctypes.CFUNCTYPE(
    None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p
)(lambda *_: None)


@dataclass(frozen=True, slots=True)
class Opened:
    """What the device gives, which need not be what was asked."""

    at_ns: int
    rate_hz: int
    channels: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples of 16 bits, interleaved, and when the last of them was read."""

    at_ns: int
    samples: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """There will be no more, and why."""

    reason: str


class AlsaReader:
    """One attempt at one device: `Opened`, then pieces of 10 ms, then `Ended`.

    Opening and reading block for as long as the driver likes, and nothing can wake them. Whoever
    loses patience abandons the reader; should it ever wake, it closes the device and ends.
    """

    def __init__(self, audio: Audio, clock: Clock) -> None:
        self._audio = audio
        self._clock = clock
        self._queue: queue.Queue[Opened | Piece | Ended] = queue.Queue(_QUEUED)
        self._abandoned = threading.Event()
        self._thread = threading.Thread(target=self._run, name="microphone", daemon=True)
        self._thread.start()

    def take(self, timeout_s: float) -> Opened | Piece | Ended | None:
        """What came, None if nothing did."""
        try:
            return self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def abandon(self) -> None:
        """Take no more from it. Idempotent."""
        self._abandoned.set()

    @property
    def hangs(self) -> bool:
        """True for one that was abandoned and has not woken."""
        return self._thread.is_alive()

    def _run(self) -> None:
        prepare_library()
        try:
            container = self._open()
        except (av.FFmpegError, OSError) as fault:
            self._put(Ended(f"cannot be opened ({fault.strerror}); {microphones()}"))
            return
        try:
            with container:
                self._read(container)
            reason = "gave no more sound"
        except (av.FFmpegError, OSError) as fault:
            reason = f"cannot be read on ({fault.strerror})"
        self._put(Ended(reason))

    def _read(self, container: InputContainer) -> None:
        stream = container.streams.audio[0]
        opened = Opened(self._clock.boot_ns(), stream.rate, stream.codec_context.channels)
        self._put(opened)
        for raw, at_ns in self._pieces(container, stream, opened):
            self._put(Piece(at_ns, len(raw) // (2 * opened.channels), raw))
            if self._abandoned.is_set():
                return

    def _open(self) -> InputContainer:
        """As asked; else with as many channels as it has; else converted by ALSA."""
        device, asked = self._audio.device, self._audio.channels
        attempts = [(device, asked), (device, 3 - asked), (f"plug:'{device}'", asked)]
        first: av.FFmpegError | None = None
        for name, channels in attempts:
            options = {"sample_rate": str(self._audio.rate_hz), "channels": str(channels)}
            try:
                return av.open(name, format="alsa", options=options)
            except av.FFmpegError as fault:
                first = first or fault
        raise first or AssertionError("no attempt was made")

    def _pieces(
        self, container: InputContainer, stream: AudioStream, opened: Opened
    ) -> Iterator[tuple[bytes, int]]:
        """Some devices give a sample or two at a time: they are gathered, and the last is timed."""
        wanted = 2 * opened.channels * max(1, opened.rate_hz // _PIECES_A_SECOND)
        held = bytearray()
        for packet in container.demux(stream):
            if packet.size == 0:
                return
            held += memoryview(cast("Any", packet))
            if len(held) >= wanted:
                yield bytes(held), self._clock.boot_ns()
                held.clear()

    def _put(self, item: Opened | Piece | Ended) -> None:
        while not self._abandoned.is_set():
            try:
                self._queue.put(item, timeout=_TICK_S)
            except queue.Full:
                continue
            return


def prepare_library() -> None:
    """Show libasound where its files are, and keep it from writing to stderr at each attempt."""
    if _CONFIG.is_dir():
        # The one inside PyAV's wheel looks for them where it was built.
        os.environ.setdefault("ALSA_CONFIG_DIR", str(_CONFIG))
        os.environ.setdefault("ALSA_CONFIG_PATH", str(_CONFIG / "alsa.conf"))
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        if "libasound" in line:
            library = ctypes.CDLL(line.split(maxsplit=5)[5])
            if hasattr(library, "snd_lib_error_set_handler"):
                library.snd_lib_error_set_handler(_SILENT)
            return


def microphones(kernel: Path = _KERNEL) -> str:
    """What the kernel has to offer, for whoever has to find out why it cannot be opened."""
    if not kernel.exists():
        return "this machine has no sound card"
    names = []
    for line in kernel.read_text(encoding="utf-8", errors="replace").splitlines():
        place, _, rest = line.partition(":")
        card, _, device = place.partition("-")
        if "capture" in rest and card.isdigit() and device.isdigit():
            names.append(f"hw:{int(card)},{int(device)} {rest.split(':')[0].strip()}")
    return "microphones here: " + (", ".join(names) or "none")
