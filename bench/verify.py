"""How fast evidence is verified, beside hashlib over the same bytes: `python -m bench.verify`.

A segment of a few hundred MB, made by the recorder's own writer out of the benchmark's stream; both
read it from the page cache, in turn, on one core.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.ours import facts_of, store_and_log
from bench.stream import STEP_NS, Stream, StreamSpec, cached, is_keyframe
from bodycam.clock import NS
from bodycam.custody.verify import verify_paths
from bodycam.interleave import Pulled
from bodycam.media import AccessUnit, Track
from bodycam.mutes import MuteWindows
from bodycam.recording import CloseReason, RecordingWriter

_PIECE_BYTES = 1 << 20


def make_segment(folder: Path, stream: Stream, seconds: int) -> Path:
    """One segment of so many seconds, the stream over and over."""
    with store_and_log(folder) as (store, log, kit):
        start_ns = 1000 * NS
        facts = facts_of(start_ns, 0, start_ns)
        writer = RecordingWriter(store, kit, log, facts, 3600 * NS, MuteWindows())
        count = len(stream.sizes)
        for number in range(seconds * NS // STEP_NS):
            data = stream.unit(number % count)
            keyframe = is_keyframe(number % count)
            unit = AccessUnit(Track.VIDEO, start_ns + number * STEP_NS, keyframe, number, data)
            writer.take(Pulled(number, unit), None)
        writer.close_segment(CloseReason.STOP, None)
    return next(folder.rglob("*.mp4"))


def hash_file(path: Path) -> None:
    """What hashlib alone needs."""
    digest, piece = hashlib.sha256(), bytearray(_PIECE_BYTES)
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(piece):
            digest.update(memoryview(piece)[:size])


def seconds_of(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path("out/bench"))
    parser.add_argument("--seconds", type=int, default=360)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    stream = cached(arguments.cache, StreamSpec())
    with tempfile.TemporaryDirectory(dir=arguments.cache) as folder:
        path = make_segment(Path(folder), stream, arguments.seconds)
        size = path.stat().st_size
        hash_file(path)
        hashed = [seconds_of(lambda: hash_file(path)) for _ in range(arguments.runs)]
        verified = [seconds_of(lambda: verify_paths([path], None)) for _ in range(arguments.runs)]
    hash_rate, rate = (size / statistics.median(times) / 1e9 for times in (hashed, verified))
    print(f"{size / 1e6:.0f} MB on one core, medians of {arguments.runs}")
    print(f"hashlib SHA-256 {hash_rate:.2f} GB/s, bodycam verify {rate:.2f} GB/s")
    print(f"verify / hashlib {rate / hash_rate:.2f}")


if __name__ == "__main__":
    main()
