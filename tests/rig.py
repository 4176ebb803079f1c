"""A real daemon in a test: started, pressed, killed, and read back."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bodycam.clock import NS
from bodycam.custody.verify import Report, verify_paths
from bodycam.errors import EvidenceError, ExitCode
from bodycam.formats.boxes import Box, child, children
from bodycam.formats.mp4read import read_fragment
from bodycam.formats.records import SIGNATURE_UUID, parse_record, read_payload
from bodycam.sharedring import Load, SharedRing, Word
from bodycam.signing import load_root
from bodycam.simulate.control import PinsClient
from bodycam.simulate.unit import Unit

QUICK: dict[str, Any] = {
    "camera": {"width": 320, "height": 180, "bitrate_kbps": 600, "gop_ms": 500},
    "pre_record": {"seconds": 2},
    "recording": {"post_record_s": 0, "segment_s": 5, "fragment_ms": 300},
    "switch": {"off_stable_ms": 60},
}


# What a synthetic camera does on a machine that has no time for it.
BUSY = "camera"
NEVER_GIVEN = (f", cause: {BUSY}", "; the camera counts no lost frame")


class Rig:
    """One simulated unit with its daemon running."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit

    @property
    def card(self) -> Path:
        return self.unit.card

    def press(self, active: bool, pin: str = "record") -> int:
        """Throw a switch now; the boot time of the throw."""
        with PinsClient(self.unit.socket_path) as client:
            return int(client.set(pin, active)["at_ns"])

    def log(self) -> list[dict[str, Any]]:
        raw = (self.card / "log" / "events.jsonl").read_bytes()
        return [json.loads(line) for line in raw.split(b"\n")[:-1]]

    def events(self, ev: str) -> list[dict[str, Any]]:
        return [line for line in self.log() if line["ev"] == ev]

    def until(self, what: str, holds: Callable[[], bool], seconds: float = 20) -> None:
        """Wait for a fact; the failure says which one never came."""
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                tail = "\n".join(str(line)[:300] for line in self.log()[-12:])
                raise AssertionError(f"not within {seconds} s: {what}\n{tail}")
            time.sleep(0.02)

    def until_logged(self, ev: str, count: int = 1, seconds: float = 20) -> dict[str, Any]:
        self.until(f"{count} x {ev}", lambda: len(self.events(ev)) >= count, seconds)
        return self.events(ev)[count - 1]

    def run_for(self, seconds: float) -> None:
        """Let the camera's clock go on."""
        until_ns = self.unit.clock.boot_ns() + int(seconds * NS)
        while (left := until_ns - self.unit.clock.boot_ns()) > 0:
            time.sleep(min(0.05, self.unit.clock.real_s(left / NS)))

    def shed(self, load: Load) -> None:
        """Ask the worker for less, as the recorder does: in the ring's header."""
        pid = self.unit.status()["worker_pid"]
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        number = int(words[words.index(b"--ring-fd") + 1])
        fd = os.open(f"/proc/{pid}/fd/{number}", os.O_RDWR)
        ring = SharedRing(fd)
        ring.words[Word.LOAD] = load
        ring.close()
        os.close(fd)

    def segments(self) -> list[Path]:
        return sorted((self.card / "evidence").glob("*/*.mp4"), key=lambda p: p.stat().st_mtime_ns)

    def gaps(self) -> list[dict[str, Any]]:
        """The holes that the recorder has to answer for.

        `camera` is the cause where nothing was lost on the way: a machine that was too busy to draw.
        """
        gaps = [line["data"] for line in self.events("gap")]
        return [gap for gap in gaps if gap["cause"] != BUSY]

    def verify(self) -> Report:
        return verify_paths([self.card], load_root(self.unit.root_path))

    def check_whole(self) -> None:
        """The verifier finds nothing but such pictures as the camera never gave."""
        report = self.verify()
        found = [finding.text for finding in report.findings]
        assert [text for text in found if not text.endswith(NEVER_GIVEN)] == []
        assert report.exit_code is (ExitCode.INCOMPLETE if found else ExitCode.OK), report


@contextmanager
def running(
    out: Path, overrides: dict[str, Any] | None = None, speed: float = 1, *, orderly: bool = True,
    before: Callable[[Unit], None] | None = None,
) -> Iterator[Rig]:  # fmt: skip
    """A daemon that is ready; ended in order when the block is left."""
    unit = Unit(out, {**QUICK, **(overrides or {})}, speed)
    unit.prepare()
    if before is not None:
        before(unit)
    unit.start()
    try:
        unit.wait_ready()
        yield Rig(unit)
    except BaseException:
        unit.stop(orderly=False)
        raise
    unit.stop(orderly=orderly)
    wait_for_no_worker(unit.config_path)


def wait_for_no_worker(config_path: Path) -> None:
    """No capture worker outlives its recorder: an orphan would keep the camera."""
    deadline = time.monotonic() + 10
    while left := _workers(config_path):
        if time.monotonic() > deadline:
            raise AssertionError(f"capture workers outlived their recorder: {left}")
        time.sleep(0.05)


def _workers(config_path: Path) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"bodycam.capture" in words and str(config_path).encode() in words:
            found.append(folder.name)
    return found


def records_of(path: Path) -> list[dict[str, Any]]:
    """The records of a segment in order, its whole boxes only; nothing is checked."""
    raw = path.read_bytes()
    return [
        parse_record(read_payload(raw[box.body : box.end]).record)
        for box in _whole(raw)
        if box.extended == SIGNATURE_UUID
    ]


def first_nal_types(path: Path) -> list[int]:
    """NAL types of a segment's first access unit; headers are in the clear (cenc)."""
    raw = path.read_bytes()
    moof = child(raw, 0, len(raw), "moof")
    mdat = child(raw, moof.end, len(raw), "mdat")
    run = read_fragment(raw[moof.start : moof.end])[0]
    types, at, end = [], mdat.body, mdat.body + run.samples[0].size
    while at < end:
        length = int.from_bytes(raw[at : at + 4], "big")
        types.append(raw[at + 4] & 0x1F)
        at += 4 + length
    return types


def _whole(raw: bytes) -> Iterator[Box]:
    boxes = children(raw, 0, len(raw))
    while True:
        try:
            yield next(boxes)
        except (StopIteration, EvidenceError):
            return
