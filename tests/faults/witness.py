"""What the kernel took, and what the lamp said: the two are written down by others than the recorder."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bodycam.clock import MS, NS

SYNC_LIMIT_NS = 2 * NS
# Between the moment a lamp is due and the one at which a busy machine lets the thread write the pin.
_LATE_NS = 250 * MS
_SOURCE = Path(__file__).with_name("syncwitness.c")


@dataclass(frozen=True, slots=True)
class Sync:
    """One fsync or fdatasync; `monotonic_ns` is the kernel's clock at its end, `error` 0 if it held.

    `size` is that of the file when it began.
    """

    monotonic_ns: int
    error: int
    size: int
    path: str

    @property
    def of_evidence(self) -> bool:
        return self.error == 0 and self.path.endswith(".mp4")


def compile_witness(folder: Path) -> Path:
    """The library to preload (LD_PRELOAD); it writes to the file that SYNC_WITNESS names."""
    library = folder / "syncwitness.so"
    subprocess.run(
        ["gcc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(library), str(_SOURCE)],
        check=True,
    )
    return library


def read_syncs(path: Path) -> list[Sync]:
    """Every sync so far, in order."""
    if not path.exists():
        return []
    syncs = []
    for line in path.read_text(encoding="utf-8").splitlines():
        monotonic_ns, _, error, size, name = line.split(" ", 4)
        syncs.append(Sync(int(monotonic_ns), int(error), int(size), name))
    return syncs


@dataclass(frozen=True, slots=True)
class Lie:
    """A moment at which the public's lamp was lit over no evidence."""

    at_ns: int
    stale_ns: int | None

    def __str__(self) -> str:
        if self.stale_ns is None:
            return f"lamp lit at {self.at_ns}, before any sync"
        return f"lamp lit at {self.at_ns}, {self.stale_ns / NS:.2f} s after the last sync"


def lies(messages: Iterable[dict[str, Any]], synced_ns: list[int], late_ns: int) -> list[Lie]:
    """Where the public's lamp shone while the last sync of evidence was older than 2 s.

    `messages` are those of the pins' socket, `synced_ns` in the same clock, in order. A lamp that
    is lit is held to the law at both ends of each flash: `public` goes out at the second.
    """
    found = []
    for message in messages:
        if message.get("pin") != "public-red":
            continue
        at_ns = int(message["at_ns"])
        before = [ns for ns in synced_ns if ns <= at_ns]
        stale_ns = at_ns - before[-1] if before else None
        if message["active"]:
            if stale_ns is None or stale_ns > SYNC_LIMIT_NS + late_ns:
                found.append(Lie(at_ns, stale_ns))
        elif stale_ns is not None and stale_ns > SYNC_LIMIT_NS + NS // 2 + late_ns:
            found.append(Lie(at_ns, stale_ns))
    return found


def allowed_late_ns(speed: float) -> int:
    """How late a lamp may be in the camera's clock, which runs `speed` times as fast."""
    return int(_LATE_NS * speed)
