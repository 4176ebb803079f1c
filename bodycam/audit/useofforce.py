"""M30: what the camera did when force was used, and whether it was switched off around that.

| column           | must be there | what                                                            |
|------------------|---------------|-----------------------------------------------------------------|
| Event ID         | yes           |                                                                 |
| Officer Badge ID | yes           |                                                                 |
| Force DateTime   | yes           | when force was used, somebody was hurt, a TASER fired            |
| Rounded To Seconds |             | how coarse that time is; empty: `rounding_s` of the policy      |

Such times are often rounded. So f may be half of that to either side, and besides the camera's clock has
its error; u is both together. A stop is near **surely** if it is for every f in [f - u, f + u], **possibly**
if it is for one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path

from .csvrows import CsvRow
from .intervals import Interval, Times, both, clip, length_us, shifted, union, without
from .policy import ForceRules
from .rowkind import Records, RowKind, ids, moment, read_records
from .scoring import OfficerTime, S
from .states import DeviceState

_REQUIRED = ("event id", "officer badge id", "force datetime")
_KNOWN = (*_REQUIRED, "rounded to seconds")
_MAX_ROUNDING_S = 86_400
DEFINITION = (
    "M30", "Switch near force",
    ("For each time f at which force was used: the states of the camera at f, whether a recording was "
    "stopped in [f - stop_before_s, f + stop_after_s] (one that rolled over into the next was not), and how much of f - covered_s to f + covered_s is "
    "proven. The rounding of f and the clock's error are carried: least and greatest."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ForceUsed:
    """One use of force by one officer; `rounding_us` is how coarse the time is, None: not said."""

    event: str
    officer: str
    at_us: int
    rounding_us: int | None
    source: str = ""
    row: int = 0

    def coarse_us(self, rules: ForceRules) -> int:
        """How coarse its time is; where the record does not say, the policy does."""
        return rules.rounding_s * S if self.rounding_us is None else self.rounding_us


ForceRecords = Records[ForceUsed]


@dataclass(frozen=True, slots=True)
class NearForce:
    """What the camera did around one use of force."""

    unsure_us: int
    assigned: bool
    states: tuple[DeviceState, ...]
    stops_surely: int
    stops_possibly: int
    covered_us: tuple[int, int]


def read_force(
    paths: Iterable[Path], rules: ForceRules, zone: tzinfo | None = None
) -> ForceRecords:
    """All rows of these files. Raises CannotOpen, ConfigError where a whole file is of no use."""
    found = read_records(FORCE_ROWS, paths, zone)
    found.good = [replace(one, rounding_us=one.coarse_us(rules)) for one in found.good]
    return found


def _record(row: CsvRow, zone: tzinfo | None) -> ForceUsed:
    cells = row.cells
    ids(cells, "event id", "officer badge id")
    rounded = cells.get("rounded to seconds", "")
    if rounded and not (
        rounded.isascii() and rounded.isdigit() and int(rounded[:9]) <= _MAX_ROUNDING_S
    ):
        raise ValueError(f"'rounded to seconds' is {rounded[:20]!r}, want 0 to {_MAX_ROUNDING_S}")
    return ForceUsed(
        cells["event id"], cells["officer badge id"], moment(cells, "force datetime", zone),
        int(rounded) * S if rounded else None, row.file, row.row,
    )  # fmt: skip


FORCE_ROWS = RowKind(
    _REQUIRED, _KNOWN, _record, ("event", "officer", "at_us"), ("rounding_us",),
    "an officer, event and time",
)  # fmt: skip


def near_force(used: ForceUsed, officer: OfficerTime, err_us: int, rules: ForceRules) -> NearForce:
    """Look at one use of force; `err_us` is the error of the camera's clock there."""
    at_us, unsure_us = used.at_us, used.coarse_us(rules) // 2 + err_us
    low, high = at_us - unsure_us, at_us + unsure_us
    moment: Times = (Interval(low, high + 1),)
    found = {s: both(t, moment) for s, t in officer.states.items()}
    if without(both(moment, officer.assigned), union(*found.values())):
        found[DeviceState.UNKNOWN] = moment
    states = tuple(s for s in DeviceState if found.get(s))
    before, after = rules.stop_before_s * S, rules.stop_after_s * S
    stops = [press.end_us for press in officer.presses if press.stopped]
    surely = sum(high - before <= stop <= low + after for stop in stops)
    possibly = sum(low - before <= stop <= high + after for stop in stops)
    return NearForce(
        unsure_us, bool(both(moment, officer.assigned)), states, surely, possibly,
        _covered(officer.evid, at_us, unsure_us, rules.covered_s * S),
    )  # fmt: skip


def _covered(evid: Times, at_us: int, unsure_us: int, half_us: int) -> tuple[int, int]:
    """Least and greatest of what is proven around the moment, wherever it was within its doubt."""
    start, end = at_us - half_us, at_us + half_us
    near = clip(evid, start - unsure_us, end + unsure_us)
    edges = {edge for interval in near for edge in interval}
    shifts = {-unsure_us, unsure_us, 0}
    shifts |= {t - e for e in edges for t in (start, end) if abs(t - e) <= unsure_us}
    # Linear between the shifts at which an edge meets a bound.
    found = [length_us(clip(shifted(near, by), start, end)) for by in shifts]
    return min(found), max(found)
