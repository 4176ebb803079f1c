"""What one verified segment is known to hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..certificates import ChainVerdict, Trust
from ..clock import NS, utc_text
from ..formats import mp4
from .fields import FragFields, HeadFields, Utc
from .findings import Finding, Verdict, worst
from .vouching import Unvouched


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of capture time without pictures, in boot time."""

    from_ns: int
    to_ns: int
    dropped: int
    place: str


@dataclass(frozen=True, slots=True)
class Held:
    """A stretch of capture time whose pictures are proven: no step of more than two frame times."""

    from_ns: int
    to_ns: int


@dataclass(frozen=True, slots=True)
class Closing:
    """What the log says of a segment that was closed."""

    size: int
    frags: int
    last: str
    reason: str
    line: int


@dataclass(slots=True)
class SegmentFacts:
    """One segment file: what its verified records say, and what was found wrong.

    Collected while the file is read, and not changed after.
    """

    path: Path
    size: int = 0
    head: HeadFields | None = None
    first: FragFields | None = None
    last: FragFields | None = None
    signer: ChainVerdict = field(default_factory=lambda: ChainVerdict(Trust.UNSIGNED, "", ""))
    certificates: tuple[bytes, ...] = ()
    signed: bool = False
    fragments: int = 0
    pictures: int = 0
    sounds: int = 0
    dropped: int = 0
    muted: int = 0
    max_unc_ms: int = 0
    frame_ticks: int = 0
    ended: bool = False
    reason: str = ""
    last_box: str = ""
    intact_bytes: int = 0
    torn_bytes: int = 0
    gaps: list[Gap] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    vouched_to_ns: int | None = None
    heads: dict[int, tuple[str, str]] = field(default_factory=dict)
    vouched: bool = False
    unvouched: Unvouched | None = None
    findings: tuple[Finding, ...] = ()
    more_findings: int = 0

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def verdict(self) -> Verdict:
        return worst(self.findings)

    @property
    def recording(self) -> str:
        return self.head.rec if self.head else ""

    @property
    def begin_ns(self) -> int | None:
        """Capture time of the first picture."""
        return self.first.boot_ns if self.first else None

    @property
    def end_ns(self) -> int | None:
        """Capture time at which the last picture ends."""
        return self.last.end_ns if self.last else None

    @property
    def frame_ns(self) -> int:
        """The frame time at its last picture."""
        return self.frame_ticks * NS // mp4.VIDEO_TIMESCALE

    @property
    def utc_from_ns(self) -> int | None:
        return self.first.utc_ns if self.first else None

    @property
    def utc_to_ns(self) -> int | None:
        return utc_at(self.last, self.last.end_ns) if self.last else None

    @property
    def clock_source(self) -> str:
        return self.last.clk if self.last else "none"

    def as_json(self) -> dict[str, Any]:
        head = self.head
        begin, end = self.utc_from_ns, self.utc_to_ns
        return {
            "file": str(self.path), "size": self.size, "verdict": self.verdict.value,
            "device": head.dev if head else None, "recording": head.rec if head else None,
            "segment": head.seg if head else None, "boot": head.boot if head else None,
            "firmware": head.fw if head else None,
            "signer": self.signer.as_json(),
            "fragments": self.fragments, "pictures": self.pictures, "sounds": self.sounds,
            "dropped": self.dropped, "muted": self.muted, "ended": self.ended,
            "reason": self.reason or None, "last_box": self.last_box or None,
            "begin_ns": self.begin_ns, "end_ns": self.end_ns,
            "utc_from": utc_text(begin) if begin is not None else None,
            "utc_to": utc_text(end) if end is not None else None,
            "clock": self.clock_source, "uncertainty_ms": self.max_unc_ms,
            "intact_bytes": self.intact_bytes, "torn_bytes": self.torn_bytes,
            "gaps": [{"from_ns": g.from_ns, "to_ns": g.to_ns, "dropped": g.dropped,
                      "place": g.place} for g in self.gaps],
        }  # fmt: skip


def utc_at(known: Utc, boot_ns: int) -> int:
    """The UTC estimate of another moment near one that has one."""
    return known.utc_ns + boot_ns - known.boot_ns
