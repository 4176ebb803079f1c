"""The tables of cameras: the same rows that ingest would have written, had there been logs.

Nobody signed anything of it: there is no checkpoint, so an ingest into this data set would believe
whatever it is given of these cameras.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...audit.dataset.schema import EVENTS, FINDINGS, RECORDINGS, SOURCES, SPANS, Kind
from ...audit.recordings import ToggleCause
from ...audit.states import DeviceState, Overlay
from ...custody.findings import Check, Verdict
from ...prerecord import ShortReason
from .columns import coded, numbered, place_in, some, table, text, uuids
from .conduct import Conduct
from .events import Takes, Written, tell
from .footage import HOLE_US, PRE_US, READY_US, SEGMENT_US, Footage
from .life import BEAT_US, LOST_BY, SAMPLE_US, STATES, WHYS, Life, joined
from .plan import BEGIN_US, Bools, Calls, Ints, Roster

FIRMWARE, SLOW_FIRMWARE = "bodycam month", "bodycam month slow"
WRONG_US, UNSET_ERR_US = -2_400_000_000, 3_000_000_000
_WRONG = (
    "",
    "no evidence after it",
    "pictures are missing",
    "the bytes are not those that were signed",
)
_STOPPED_BY = (ToggleCause.BUTTON.value, ToggleCause.POWER.value)
_VERDICTS = (Verdict.INTACT.value, Verdict.INCOMPLETE.value, Verdict.ALTERED.value)
_ALIVE = (DeviceState.BOOT, DeviceState.READY, DeviceState.RECORDING, DeviceState.FAULT)


class Cameras:
    """The cameras of a roster, their lives as rows."""

    def __init__(
        self, roster: Roster, calls: Calls, conduct: Conduct, footage: Footage, life: Life,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        self._roster, self._footage, self._life, self._rng = roster, footage, life, rng
        runs = life.runs
        self._names = numbered("cam-", np.arange(roster.first, roster.first + len(roster)), 6)
        wrong = roster.of("wrong_clock")
        # All of a camera's times are off by the same; its clock says by how much they may be.
        self._off_us = np.where(wrong, WRONG_US, 0)
        self._synced = ~wrong
        self._err_us = np.where(
            wrong[runs.device], UNSET_ERR_US, rng.integers(2, 20, len(runs.device)) * 1000
        )
        self._boots = uuids(rng, len(runs.device))
        self.takes = self._takes()
        self._told = tell(roster, calls, conduct, footage, life, self.takes, rng)
        self._number = place_in(footage.device)

    @property
    def _lines(self) -> Written:
        return self._told.written

    def _takes(self) -> Takes:
        made, runs, rng = self._footage, self._life.runs, self._rng
        run = runs.at(made.device, made.press_us)
        ready = runs.boot_us[run] + READY_US
        first = np.maximum(made.press_us - PRE_US, ready)
        slow = self._roster.of("slow_start")[made.device]
        took = np.where(slow, rng.integers(900, 1900, len(run)), rng.integers(40, 160, len(run)))
        short = np.where(
            first > made.press_us - PRE_US, f'"{ShortReason.FRESH_POWER.value}"', "null"
        )
        return Takes(
            uuids(rng, len(run)), run, runs.boot_us[run], first, made.press_us + took * 1000,
            pa.array(short),
        )  # fmt: skip

    def _device(self, device: Ints) -> pa.Array:
        return self._names.take(pa.array(device))

    def tables(self) -> dict[str, pa.Table]:
        """All of them."""
        return {
            SPANS.name: pa.concat_tables([
                self._states(), *self._overlays(), *self._proven(), self._clocks(), self._throttled(),
            ]),
            RECORDINGS.name: self._recordings(), EVENTS.name: self._events(),
            FINDINGS.name: self._findings(), SOURCES.name: self._sources(),
        }  # fmt: skip

    # -- spans ------------------------------------------------------------------------------------

    def _spans(
        self, kind: Kind, device: Ints, start: Ints, end: Ints, number: Ints, **more: object
    ) -> pa.Table:
        off = self._off_us[device]
        given = {"name": "", "err_us": 0, "why": "", "line": 0, "next_line": 0, "recording": ""}
        return table(SPANS, len(device), start + off, {
            **given, "device": self._device(device), "kind": kind.value, "number": number,
            "start_us": start + off, "end_us": end + off, **more,
        })  # fmt: skip

    def _states(self) -> pa.Table:
        found, runs, lines = self._life.states, self._life.runs, self._lines.lines
        run = runs.at(found.device, found.start_us)
        boot, last = runs.boot_us[run], runs.last_us[run]
        alive = np.isin(found.state, [STATES.index(s) for s in _ALIVE])
        alive |= (found.state == STATES.index(DeviceState.DOCKED)) & (found.why == 0)
        after = np.minimum(run + 1, len(runs.device) - 1)
        again = runs.device[after] == found.device
        # Behind the last line of a run: that one, and the first line of the next.
        line = np.where(alive, lines.upto(run, found.start_us), lines.last[run])
        within = np.where(found.end_us <= last, lines.upto(run, found.end_us - 1) + 1, 0)
        following = np.where(again, lines.boot[after], 0)
        err = self._err_us[run]
        err = np.where(~alive & again, np.maximum(err, self._err_us[after]), err)
        sampled = alive & _ticked(
            found.start_us, np.minimum(found.end_us, last + 1), boot, SAMPLE_US, 0
        )
        beaten = alive & _ticked(
            found.start_us, np.minimum(found.end_us, last + 1), boot, BEAT_US, 1
        )
        soc = self._rng.integers(45_000, 62_000, len(run))
        soc[found.why == WHYS.index("heat")] = 86_000
        cell = self._rng.integers(27_000, 36_000, len(run))
        return self._spans(
            Kind.STATE, found.device, found.start_us, found.end_us, place_in(found.device),
            name=coded([s.value for s in STATES], found.state), err_us=err,
            why=coded(WHYS, found.why), line=line, next_line=np.where(alive, within, following),
            most_err_us=some(self._err_us[run], sampled), most_soc_milli_c=some(soc, beaten),
            most_cell_milli_c=some(cell, beaten),
        )  # fmt: skip

    def _overlays(self) -> list[pa.Table]:
        life = self._life
        low = (
            life.low[0],
            life.low[1],
            life.low[2] + 2 * BEAT_US,
        )
        return [
            self._spans(Kind.OVERLAY, *_in_order(*found), name=overlay.value)
            for overlay, found in (
                (Overlay.MUTED, self._told.muted), (Overlay.CHARGING, life.docked),
                (Overlay.LOWBATT, low),
            )
        ]  # fmt: skip

    def _proven(self) -> list[pa.Table]:
        made, ids = self._footage, self.takes.ids
        live = (made.press_us, made.stop_us)
        first, last = self.takes.first_us, made.last_us
        # A stall cuts the pictures in two.
        ends = np.where(made.stalled, made.hole_us, last)
        every, stopped = np.ones(len(made), bool), self._stop_causes()
        return [
            self._spans(
                kind, made.device[which], start[which], end[which], self._number[which],
                err_us=self._err_us[self.takes.run[which]], recording=ids.filter(pa.array(which)),
                why=stopped.filter(pa.array(which)),
            )
            for kind, (start, end), which in (
                (Kind.LIVE, live, every), (Kind.EVID, (first, ends), ~made.altered),
                (Kind.EVID, (made.hole_us + HOLE_US, last), made.stalled),
                (Kind.FAILED, (first, last), made.altered),
            )
        ]  # fmt: skip

    def _stop_causes(self) -> pa.Array:
        return coded(_STOPPED_BY, self._footage.killed.astype(int))

    def _clocks(self) -> pa.Table:
        runs = self._life.runs
        end = np.where(runs.by == LOST_BY, runs.last_us + 2 * BEAT_US, runs.last_us)
        return self._spans(
            Kind.CLOCK, runs.device, runs.boot_us, end, place_in(runs.device), err_us=self._err_us
        )

    def _throttled(self) -> pa.Table:
        device, start, end = self._life.low
        weak = device, start, end + 2 * BEAT_US
        return self._spans(Kind.THROTTLED, *_in_order(*joined(self._life.heats, weak)))

    # -- the others -------------------------------------------------------------------------------

    def _recordings(self) -> pa.Table:
        made, takes, told = self._footage, self.takes, self._told
        off, slow = self._off_us[made.device], self._roster.of("slow_start")[made.device]
        verdict = np.where(made.killed | made.stalled, 1, 0) + np.where(made.altered, 2, 0)
        start = made.press_us + off
        since = (made.press_us - takes.boot_us) % SAMPLE_US
        words = np.where(made.killed, 1, 0)
        return table(RECORDINGS, len(made), start, {
            "device": self._device(made.device), "number": self._number, "recording": takes.ids,
            "boot": self._boots.take(pa.array(takes.run)), "line": told.start_line,
            "begins_us": start, "start_us": start, "live_end_us": made.stop_us + off,
            "start_cause": "button", "start_said": "switch", "pressed": True,
            "stop_cause": self._stop_causes(),
            "stop_said": coded(["stop", "cut off"], words), "stop_line": told.stop_line,
            "cancelled_stops": 0, "asked_ms": PRE_US // 1000,
            "short_said": coded(["", ShortReason.FRESH_POWER.value], _short(made, takes)),
            "synced_us": takes.synced_us + off, "err_us": self._err_us[takes.run],
            "firmware": coded([FIRMWARE, SLOW_FIRMWARE], slow.astype(int)),
            "verdict": coded(_VERDICTS, verdict),
            "files": self._files(), "since_sync_us": some(since, self._synced[made.device]),
        })  # fmt: skip

    def _files(self) -> pa.Array:
        made, ids = self._footage, self.takes.ids
        count = -(-(made.last_us - self.takes.first_us) // SEGMENT_US)
        ends = np.append(0, np.cumsum(count))
        which = np.repeat(np.arange(len(made)), count)
        rec = ids.take(pa.array(which))
        names = text(
            rec, "/", self._device(made.device[which]), "_", rec,
            numbered("_", np.arange(len(which)) - ends[which], 5), ".mp4",
        )  # fmt: skip
        return pa.ListArray.from_arrays(pa.array(ends.astype(np.int32)), names)

    def _events(self) -> pa.Table:
        said = self._lines
        at = said.at_us + self._off_us[said.device]
        return table(EVENTS, len(at), at, {
            "device": self._device(said.device), "boot": self._boots.take(pa.array(said.run)),
            "line": said.line, "at_us": at, "ev": said.name, "data": said.data,
            "run_line": said.lines.boot[said.run],
        })  # fmt: skip

    def _findings(self) -> pa.Table:
        """What is not known of every camera's certificate, and what is wrong with recordings."""
        made, every = self._footage, np.arange(len(self._roster))
        bad = made.altered | made.killed | made.stalled
        device = np.concatenate([made.device[bad], every])
        order = np.argsort(device, kind="stable")
        how = np.where(made.killed, 1, np.where(made.stalled, 2, 3))[bad]
        which = np.concatenate([how, np.zeros(len(every), int)])[order]
        ids = self.takes.ids.filter(pa.array(bad))
        first = text("evidence/", ids, "/", self._device(made.device[bad]), "_", ids, "_00000.mp4")
        files = pa.concat_arrays([first, pa.repeat("", len(every))])
        names = self._device(device[order])
        note = text(
            "whether the certificate of ", names, " was revoked: no revocation list was given"
        )
        wrong = coded(_WRONG, which)
        return table(FINDINGS, len(device), self._begins()[device[order]], {
            "device": names, "number": place_in(device[order]),
            "verdict": coded(["", *(Verdict.INCOMPLETE.value,) * 2, Verdict.ALTERED.value], which),
            "check_number": np.array([0, Check.END, Check.CONTINUITY, Check.BYTES])[which],
            "file": files.take(pa.array(order)),
            "place": coded(["", "after the last fragment", "fragment 2", "fragment 1"], which),
            "text": pc.if_else(pa.array(which == 0), note, wrong),
        })  # fmt: skip

    def _begins(self) -> Ints:
        """When each camera is first heard of."""
        states = self._life.states
        found = np.full(len(self._roster), BEGIN_US)
        # From the last one on, so that the first is what stays.
        found[states.device[::-1]] = states.start_us[::-1]
        return found + self._off_us

    def _sources(self) -> pa.Table:
        roster, made, runs = self._roster, self._footage, self._life.runs
        count = len(roster)
        lines = np.zeros(count, np.int64)
        np.maximum.at(lines, runs.device, self._lines.lines.last)
        shown = ~made.altered
        proven = np.zeros(count, np.int64)
        length = made.last_us - self.takes.first_us - np.where(made.stalled, HOLE_US, 0)
        np.add.at(proven, made.device[shown], length[shown])
        worst = np.zeros(count, np.int64)
        worst[made.device[made.killed | made.stalled]] = 1
        worst[made.device[made.altered]] = 2
        digests = pa.array(
            [hashlib.sha256(name.as_py().encode()).hexdigest() for name in self._names]
        )
        return table(SOURCES, count, self._begins(), {
            "device": self._names, "store": self._names, "fingerprint": digests, "rows_sha256": digests,
            "verdict": coded(_VERDICTS, worst),
            "log_lines": lines, "lines_signed": lines, "proven_us": proven, "checkpoint": b"",
        })  # fmt: skip


def _short(made: Footage, takes: Takes) -> Ints:
    return (takes.first_us > made.press_us - PRE_US).astype(np.int64)


def _in_order(device: Ints, start: Ints, end: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """In order of cameras and times, with the place of each."""
    order = np.lexsort((start, device))
    device = device[order]
    return device, start[order], end[order], place_in(device)


def _ticked(start: Ints, end: Ints, boot: Ints, every_us: int, first: int) -> Bools:
    """Whether a tick of the run lies in [start, end), counted from number `first`."""
    tick = np.maximum(-(-(start - boot) // every_us), first)
    found: Bools = boot + tick * every_us < end
    return found
