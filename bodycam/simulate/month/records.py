"""What dispatch, roster and records system would hand over of the month."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...audit.dataset.schema import (
    ASSIGNMENTS,
    COMPLAINTS,
    DUTIES,
    FILINGS,
    FORCE_USES,
    INCIDENTS,
    TableSchema,
)
from .behaviours import Behaviours, Does
from .columns import Column, coded, numbered, some, table, text
from .conduct import Conduct
from .footage import Footage
from .plan import (
    ARMS,
    BEGIN_US,
    CALL_TYPES,
    DAY_US,
    DISTRICTS,
    HOUR_US,
    HOURS,
    SITES,
    Bools,
    Calls,
    Ints,
    Roster,
    S,
    code,
    seconds,
)

ROUNDING_US = 60 * S
_CLEARANCES = ("report", "no report", "arrest", "unfounded")
_TRIAL = len(DISTRICTS)
# More than any table has of one officer in a year.
_ROWS = 10_000


class Records:
    """The record tables of a roster; `first_row` numbers their lines on from there."""

    def __init__(
        self, roster: Roster, calls: Calls, conduct: Conduct, rng: np.random.Generator
    ) -> None:
        self._roster, self._calls, self._does, self._rng = roster, calls, conduct.does, rng
        number = np.arange(roster.first, roster.first + len(roster))
        self.officers = numbered("pc-", number, 6)
        self._devices = numbered("cam-", number, 6)
        self.events = numbered("E", calls.event.ravel(), 9)

    def tables(
        self, footage: Footage, recordings: pa.Array, given: Behaviours
    ) -> dict[str, pa.Table]:
        """All of them."""
        return {
            INCIDENTS.name: self._incidents(), ASSIGNMENTS.name: self._assignments(),
            DUTIES.name: self._duties(), FORCE_USES.name: self._force_uses(),
            COMPLAINTS.name: self._complaints(), FILINGS.name: self._filings(footage, recordings, given),
        }  # fmt: skip

    def _officer(self, which: Ints) -> pa.Array:
        return self.officers.take(pa.array(which))

    def _of_call(self, call: Ints) -> Ints:
        """The officer of a flat place of an incident."""
        return call // (self._roster.days * HOURS)

    def _rows(self, schema: TableSchema, at_us: Ints, /, **columns: Column) -> pa.Table:
        count = len(at_us)
        row = self._roster.first * _ROWS + np.arange(count) + 2
        return table(
            schema, count, at_us, {"file": f"{schema.name}.csv", "row": row, **columns}
        )  # fmt: skip

    def _incidents(self) -> pa.Table:
        calls, roster = self._calls, self._roster
        alone = calls.self_initiated.ravel()
        due = calls.due_us.ravel()
        # What an officer begins, dispatch hears of afterwards.
        dispatched = np.where(alone, due + self._lag(due), calls.dispatched_us.ravel())
        which = self._of_call(np.arange(len(due)))
        trial = roster.of("trial")[which]
        district = coded([*DISTRICTS, "trial"], np.where(trial, _TRIAL, roster.district[which]))
        return self._rows(
            INCIDENTS, dispatched, event=self.events, officer=self._officer(which),
            dispatched_us=dispatched, on_scene_us=some(due, ~alone & calls.on_scene_known.ravel()),
            first_entry_us=some(due, alone),
            cleared_us=some(calls.cleared_us.ravel(), calls.cleared_known.ravel()),
            self_initiated=alone, call_type=coded(CALL_TYPES, calls.call_type.ravel()),
            clearance=coded(_CLEARANCES, self._rng.integers(0, 4, len(due))),
            district=district, unit=self._unit(which),
        )  # fmt: skip

    def _unit(self, which: Ints) -> pa.Array:
        """Officers of a trial are of no unit that others are of: nobody is measured by them."""
        roster = self._roster
        names = numbered("unit ", roster.unit[which], 4)
        return pc.if_else(pa.array(roster.of("trial")[which]), "trial", names)

    def _lag(self, due: Ints) -> Ints:
        return seconds(self._rng, 0, 30, due.shape)

    def _assignments(self) -> pa.Table:
        """Most officers have a camera of their own; some take one from the pool for a shift."""
        roster = self._roster
        absent = (self._does == code(Does.NO_DEVICE)).any(axis=2)
        own = np.flatnonzero(~roster.pool)
        device, day = np.nonzero(roster.pool[:, None] & ~absent)
        begin = roster.duty_us[device, day]
        start = np.concatenate([np.full(len(own), BEGIN_US - DAY_US), begin - HOUR_US // 4])
        end = np.concatenate([
            np.full(len(own), BEGIN_US + (roster.days + 2) * DAY_US), begin + HOURS * HOUR_US + HOUR_US // 4
        ])  # fmt: skip
        which = np.concatenate([own, device])
        return self._rows(
            ASSIGNMENTS, start, device=self._devices.take(pa.array(which)),
            officer=self._officer(which), start_us=start, end_us=end,
        )  # fmt: skip

    def _duties(self) -> pa.Table:
        roster = self._roster
        start = roster.duty_us.ravel()
        which = np.repeat(np.arange(len(roster)), roster.days)
        return self._rows(
            DUTIES, start, officer=self._officer(which), start_us=start, end_us=start + HOURS * HOUR_US,
            unit=self._unit(which), site=coded([*SITES, ""], roster.site[which] % (len(SITES) + 1)),
            arm=coded(ARMS, roster.arm.ravel()),
        )  # fmt: skip

    def _force_uses(self) -> pa.Table:
        """Their times are rounded to the minute, as such times are."""
        call = np.flatnonzero(self._calls.force)
        at = self._calls.force_us.ravel()[call] // ROUNDING_US * ROUNDING_US
        return self._rows(
            FORCE_USES, at, event=self.events.take(pa.array(call)),
            officer=self._officer(self._of_call(call)), at_us=at, rounding_us=ROUNDING_US,
        )  # fmt: skip

    def _complaints(self) -> pa.Table:
        """Some name no officer, and some no day. One that is of two officers is one row."""
        calls, rng = self._calls, self._rng
        call = np.flatnonzero(calls.complaint & ~calls.second)
        named, dated = calls.named.ravel()[call], rng.random(len(call)) < 0.8
        at = calls.cleared_us.ravel()[call] + seconds(rng, 3600, 10 * 86_400, call.shape)
        officer = self._officer(self._of_call(call))
        return self._rows(
            COMPLAINTS, np.where(dated, at, calls.dispatched_us.ravel()[call]),
            event=self.events.take(pa.array(call)), officer=pc.if_else(pa.array(named), officer, ""),
            at_us=some(at, dated),
        )  # fmt: skip

    def _filings(self, footage: Footage, recordings: pa.Array, given: Behaviours) -> pa.Table:
        roster, rng, told = self._roster, self._rng, given.filing
        badly = roster.of("files_badly")[footage.device]
        count = len(footage)

        def chance(good: float, bad: float) -> Bools:
            return rng.random(count) < np.where(badly, bad, good)

        wrong = chance(told.wrong_event, told.wrong_event_badly)
        bare = chance(told.no_category, told.no_category_badly)
        late = chance(told.late, told.late_badly)
        reviewed = chance(told.reviewed, told.reviewed)
        filed = footage.stop_us + seconds(rng, 3600, 36 * 3600, (count,))
        filed = filed + np.where(late, seconds(rng, 10 * 86_400, 20 * 86_400, (count,)), 0)
        true = self.events.take(pa.array(footage.call))
        # A digit that was mistyped: no event of that number is in this month.
        mistyped = text("X", pc.utf8_slice_codeunits(true, 1))
        return self._rows(
            FILINGS, filed, recording=recordings, event=pc.if_else(pa.array(wrong), mistyped, true),
            category=pc.if_else(pa.array(bare), "", "incident"), filed_us=filed,
            reviewed_event=pc.if_else(pa.array(reviewed), true, pa.scalar(None, pa.string())),
        )  # fmt: skip
