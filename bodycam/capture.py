"""The capture worker: camera and sound into the ring, in a process of its own.

`python -m bodycam.capture --ring-fd N --pipe-fd N --head N --epoch N --config FILE`, started by
the recorder with the ring's memory and the write end of the descriptor pipe. It holds no keys and
no evidence and may be killed at any moment. It ends on SIGTERM, when the recorder is gone, and by
itself rather than hang.

What it may report (EVENT units) is listed in ARCHITECTURE.md, "Worker protocol".
"""

from __future__ import annotations

import argparse
import ctypes
import faulthandler
import os
import signal
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import msgspec

from .camera.choice import make_sound, make_source
from .camera.mishaps import Mishaps, MishapSink, MishapSource
from .camera.sink import UnitSink
from .camera.sound import Sound
from .camera.source import Source
from .clock import Clock, ScaledClock, SystemClock
from .config import AudioSource, Config
from .configfile import MAX_CONFIG_BYTES, ConfigText, load
from .errors import BodycamError, ConfigError, DeviceError, ExitCode
from .ringwriter import RingWriter
from .stopping import on_signals

_PR_SET_PDEATHSIG = 1
_TICK_S = 1.0
_SILENT_TICKS = 5
_OPENING_TICKS = 20
_CLOSING_S = 1.5
_MARGIN_S = 2.0
_OOM_SCORE = 500
_CV2_NO_MEMORY = -4  # cv2.Error.StsNoMem


def main(argv: list[str] | None = None) -> int:
    """Run the worker; the answer is its exit code."""
    options = _options(argv)
    stop = threading.Event()
    on_signals((signal.SIGTERM,), lambda _: stop.set())
    # Ctrl-C reaches the whole terminal; the recorder decides when its worker ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    _be_taken_first()
    # One core encodes; a pool of idle threads would only lengthen the start.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        config = _configuration(options)
        if options.safe:
            config = video_only(config)
        clock = make_clock(config)
        ring = _ring(options)
    except BodycamError as fault:
        return _complain(fault)
    source, sound, mishaps = (
        make_source(config, clock),
        make_sound(config, clock),
        Mishaps.of(config),
    )
    if mishaps is None:
        return serve(UnitSink(ring, clock, stop), source, sound)
    sink = MishapSink(ring, clock, stop, mishaps)
    return serve(sink, MishapSource(source, mishaps, clock), sound)


def serve(sink: UnitSink, source: Source, sound: Sound | None, tick_s: float = _TICK_S) -> int:
    """Feed the sink from an unopened source and its sound until told to stop.

    After five ticks without a picture the process ends itself. One that cannot even do that is
    ended by the kernel, and says on stderr where it hung.
    """
    faulthandler.register(signal.SIGALRM, chain=True)
    threading.Thread(target=_watch, args=(sink, tick_s), name="watch", daemon=True).start()
    try:
        facts = source.open()
        sink.report("capture.ready", **asdict(facts))
        if sound is not None:
            threading.Thread(target=_hear, args=(sound, sink), name="sound", daemon=True).start()
        source.run(sink)
    except BodycamError as fault:
        sink.report("capture.error", reason=str(fault))
        return _complain(fault)
    except Exception as fault:
        if _is_no_memory(fault):
            sink.report("oom", reason=str(fault) or "no memory", by="limit")
            return _complain(DeviceError(f"no memory is left: {fault}"), ExitCode.FAILURE)
        sink.report("capture.error", reason=f"{type(fault).__name__}: {fault}")
        raise
    finally:
        sink.stop.set()
        _end_in(_CLOSING_S)
        source.close()
    return ExitCode.OK


def _is_no_memory(fault: Exception) -> bool:
    """OpenCV, which is not everywhere, says so in an error of its own."""
    opencvs = type(fault).__module__ == "cv2" and getattr(fault, "code", None) == _CV2_NO_MEMORY
    return opencvs or isinstance(fault, MemoryError)


def _hear(sound: Sound, sink: UnitSink) -> None:
    """Sound may fail without taking the video along; the recorder is told."""
    try:
        sound.run(sink)
    except Exception as fault:
        sink.report("audio.lost", reason=f"{type(fault).__name__}: {fault}")
        raise


def make_clock(config: Config) -> Clock:
    """The machine's clock, or the simulated one that the recorder runs on too."""
    simulate = config.simulate
    if simulate is None:
        return SystemClock()
    return ScaledClock(simulate.speed, simulate.origin_ns, simulate.utc_offset_ns, simulate.boot_id)


def video_only(config: Config) -> Config:
    """The same camera without what has its own libraries: sound, overlay, lens check."""
    camera = msgspec.structs.replace(config.camera, overlay=False, lens_check=False)
    audio = msgspec.structs.replace(config.audio, source=AudioSource.NONE)
    return msgspec.structs.replace(config, camera=camera, audio=audio)


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bodycam.capture", description="The capture worker; the recorder starts it."
    )
    for name in ("--ring-fd", "--pipe-fd", "--head", "--epoch"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--config-fd", type=int)
    parser.add_argument("--safe", action="store_true", help="video only: after a crash loop")
    return parser.parse_args(argv)


def _configuration(options: argparse.Namespace) -> Config:
    """The recorder's own, where it hands it over; a file may have become another one since."""
    path, fd = options.config, options.config_fd
    if fd is None:
        return load(path)
    try:
        return ConfigText(path, os.pread(fd, MAX_CONFIG_BYTES, 0)).parse()
    except OSError as fault:
        raise ConfigError(f"--config-fd {fd}: {fault}") from fault


def _ring(options: argparse.Namespace) -> RingWriter:
    try:
        os.fstat(options.pipe_fd)
        return RingWriter(options.ring_fd, options.pipe_fd, head=options.head, epoch=options.epoch)
    except (OSError, ValueError) as fault:
        raise ConfigError(
            f"--ring-fd {options.ring_fd}, --pipe-fd {options.pipe_fd}: {fault}",
            "This program is started by the recorder: bodycam run --config FILE",
        ) from fault


def _end_with_parent() -> None:
    """Ask the kernel for SIGTERM when the thread that started this process ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _be_taken_first() -> None:
    """Where memory runs short the kernel shall take this process, and not the recorder."""
    try:
        Path("/proc/self/oom_score_adj").write_text(f"{_OOM_SCORE}\n", encoding="ascii")
    except OSError as fault:
        print(f"bodycam.capture: oom_score_adj: {fault.strerror}", file=sys.stderr, flush=True)


def _end_in(seconds: float) -> None:
    """Have the kernel end this process so much later, whatever it is doing; the last call counts.

    No thread could: while libcamera's bindings wait for the camera they keep the interpreter's
    lock, and nothing of ours runs. A process that was stopped for longer ends when it goes on.
    """
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _watch(sink: UnitSink, tick_s: float) -> None:
    """End the process rather than let it hang: no picture, or a camera that will not close.

    Counts ticks of the machine's time, so that a simulated clock does not look like a hang.
    """
    seen, silent, limit = 0, 0, _OPENING_TICKS
    _end_in(limit * tick_s + _MARGIN_S)
    while not sink.stop.wait(tick_s):
        silent = 0 if sink.frames != seen else silent + 1
        seen = sink.frames
        limit = _SILENT_TICKS if seen else _OPENING_TICKS
        _end_in((limit - silent) * tick_s + _MARGIN_S)
        if silent >= limit:
            reason = f"the camera has given no picture for {silent * tick_s:.0f} s"
            sink.report("capture.error", reason=reason)
            print(f"bodycam.capture: {reason}", file=sys.stderr, flush=True)
            os._exit(ExitCode.DEVICE)
    _end_in(_CLOSING_S)


def _complain(fault: BodycamError, code: ExitCode | None = None) -> int:
    print(f"bodycam.capture: {fault}", file=sys.stderr, flush=True)
    return fault.exit_code if code is None else code


if __name__ == "__main__":
    # Not through the interpreter's end: that would wait for threads that hang in a driver.
    os._exit(main())
