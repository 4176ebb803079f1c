"""What a recording says of its pictures, held against what the camera took."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from bodycam.custody.export import Order, export
from bodycam.signing import load_root
from tests.picam.sensor import Sensor, taken_at
from tests.rig import Rig

FRAME_US = 1_000_000 // 30


@dataclass(frozen=True)
class Account:
    """The pictures of one exported recording, those the camera took meanwhile, and the log's gaps.

    All times are microseconds of boot time.
    """

    shown: list[int]
    took: list[int]
    gaps: list[dict[str, Any]]

    def check(self) -> None:
        """Every picture is shown or lies in a gap; every gap is there, exact to its frames."""
        assert self.shown == sorted(set(self.shown))
        lost = set(self.took) - set(self.shown)
        assert set(self.shown) <= set(self.took)
        holes = [(a, b) for a, b in pairwise(self.shown) if b - a > 3 * FRAME_US]
        logged = [(gap["from_ns"] // 1000 - FRAME_US, gap["to_ns"] // 1000) for gap in self.gaps]
        assert len(holes) == len(logged), (holes, logged)
        for (before, after), (last, first), gap in zip(holes, logged, self.gaps, strict=True):
            assert abs(before - last) <= 1, "a gap begins where a picture's time ends"
            assert abs(after - first) <= 1, "and ends with the next picture"
            assert gap["frames"] == round((after - before) / FRAME_US) - 1
        for at_us in lost:
            assert any(before < at_us < after for before, after in holes), "lost, and not said"

    def around(self, at_us: int) -> tuple[int, int]:
        """The last picture shown before a moment, and the first one after it."""
        i = bisect_left(self.shown, at_us)
        return self.shown[i - 1], self.shown[i]


def account(rig: Rig, sensor: Sensor, out: Path) -> Account:
    """Export the only recording of a unit that has ended, and look at each of its pictures."""
    (start,) = [line["data"] for line in rig.events("rec.start")]
    unit, clip = rig.unit, out / "clip.mp4"
    evidence = unit.card / "evidence" / start["rec"]
    key = unit.out / "authority" / "custody.key"
    export(Order([evidence], key, load_root(unit.root_path)), clip)
    shown = taken_at(clip, start["first_ns"] // 1000)
    took = [at for at in sensor.took() if shown[0] <= at <= shown[-1]]
    gaps = [line["data"] for line in rig.events("gap")]
    inside = [gap for gap in gaps if shown[0] < gap["from_ns"] // 1000 < shown[-1]]
    return Account(shown, took, inside)
