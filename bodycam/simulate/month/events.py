"""The events of the logs, with the line that each would stand on among heartbeats and clock samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from .behaviours import Does
from .columns import coded, text
from .conduct import Conduct
from .footage import HOLE_US, PRE_US, READY_US, TAIL_US, Footage
from .life import BEAT_US, LOST_BY, SAMPLE_US, STOPPED, Life, Runs, key
from .plan import Calls, Ints, Roster, S, code, seconds

# So long is a boot of the kernel before the recorder's.
_BOOT_NS = 50_000_000_000
_PRESS = '{"pin":"record"}'
_TESTED = '{{"checks":{{}},"failed":[{}],"form":"boot","not_tested":[],"verdict":"{}","warned":[]}}'
_STALLED, _EXITED = '{"pid":1,"silent_ms":2000}', '{"epoch":0,"reason":"killed"}'
_STEPPED = 0.01
Data = str | Callable[[Ints], pa.Array]


@dataclass(frozen=True, slots=True)
class _Part:
    """Events of one name; `data` is given the lines they stand on."""

    name: str
    device: Ints
    logged_us: Ints
    at_us: Ints
    data: Data


@dataclass(slots=True)
class EventLog:
    """Takes events, of one moment in the order in which they are logged."""

    runs: Runs
    _parts: list[_Part] = field(default_factory=list)

    def add(
        self, name: str, device: Ints, logged_us: Ints, data: Data = "{}", at_us: Ints | None = None
    ) -> int:
        """Events of this name; `at_us` is when they happened, if that was before. Returns their number."""
        happened = logged_us if at_us is None else at_us
        self._parts.append(_Part(name, device, logged_us, happened, data))
        return len(self._parts) - 1

    def written(self) -> Written:
        """All of them, in the order of the logs."""
        sizes = [len(p.device) for p in self._parts]
        device, logged, at = (
            np.concatenate([getattr(p, name) for p in self._parts])
            for name in ("device", "logged_us", "at_us")
        )
        order = np.lexsort((np.repeat(np.arange(len(sizes)), sizes), logged, device))
        lines = Lines(self.runs, key(device[order], logged[order]))
        run = self.runs.at(device, logged)
        line = np.empty(len(order), np.int64)
        line[order] = lines.of_events(run[order], logged[order])
        ends = np.cumsum(sizes)
        mine = tuple(
            line[end - size : end] for end, size in zip(ends, sizes, strict=True)
        )  # fmt: skip
        data = pa.concat_arrays([
            p.data(found) if callable(p.data) else pa.repeat(pa.scalar(p.data), len(found))
            for p, found in zip(self._parts, mine, strict=True)
        ])  # fmt: skip
        names = coded([p.name for p in self._parts], np.repeat(np.arange(len(sizes)), sizes)[order])
        return Written(
            device[order], run[order], line[order], at[order], names, data.take(pa.array(order)),
            mine, lines,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Written:
    """The events in order; `of_part` has the lines of each call of `add`."""

    device: Ints
    run: Ints
    line: Ints
    at_us: Ints
    name: pa.Array
    data: pa.Array
    of_part: tuple[Ints, ...]
    lines: Lines


class Lines:
    """Which line of a log was written when."""

    def __init__(self, runs: Runs, keys: Ints) -> None:
        self._runs, self._keys = runs, keys
        self._first = np.searchsorted(keys, key(runs.device, runs.boot_us))
        events = np.diff(np.append(self._first, len(keys)))
        total = 1 + events + self._ticks(runs.last_us - runs.boot_us)
        before = np.cumsum(total) - total
        begins = np.searchsorted(runs.device, runs.device)
        self.boot: Ints = before - before[begins] + 1
        self.last: Ints = self.boot + total - 1

    def of_events(self, run: Ints, logged_us: Ints) -> Ints:
        """The lines of all events, in their order."""
        rank = np.arange(len(run)) - self._first[run]
        found: Ints = self.boot[run] + 1 + rank
        return found + self._ticks(logged_us - self._runs.boot_us[run])

    def upto(self, run: Ints, at_us: Ints) -> Ints:
        """The last line of the run that was written by then."""
        events = np.searchsorted(self._keys, key(self._runs.device[run], at_us), side="right")
        since = at_us - self._runs.boot_us[run]
        found = self.boot[run] + events - self._first[run] + self._ticks(since)
        known: Ints = np.minimum(found, self.last[run])
        return known

    @staticmethod
    def _ticks(for_us: Ints) -> Ints:
        return for_us // BEAT_US + for_us // SAMPLE_US


@dataclass(frozen=True, slots=True)
class Told:
    """What the events say of recordings, and what there is of sound and throttling."""

    written: Written
    start_line: Ints
    stop_line: Ints
    muted: tuple[Ints, Ints, Ints]


def tell(
    roster: Roster, calls: Calls, conduct: Conduct, footage: Footage, life: Life,
    takes: Takes, rng: np.random.Generator,
) -> Told:  # fmt: skip
    """Everything that the logs tell."""
    log = EventLog(life.runs)
    _lives(log, roster, life, rng)
    start, stop = _recordings(log, footage, takes)
    muted = _mutes(log, calls, conduct, rng)
    _troubles(log, calls, conduct, life)
    written = log.written()
    stop_line = np.zeros(len(footage), np.int64)
    stop_line[~footage.killed] = written.of_part[stop]
    return Told(written, written.of_part[start], stop_line, muted)


@dataclass(frozen=True, slots=True)
class Takes:
    """Of each recording: its id, its run, its first proven picture, its first sync, and why it is short."""

    ids: pa.Array
    run: Ints
    boot_us: Ints
    first_us: Ints
    synced_us: Ints
    short: pa.Array


def _lives(log: EventLog, roster: Roster, life: Life, rng: np.random.Generator) -> None:
    runs = life.runs
    log.add("ready", runs.device, runs.boot_us + READY_US)
    red = roster.of("faulty_camera")[runs.device] & (rng.random(len(runs.device)) < 0.3)
    for which, words in ((red, ('"camera"', "red")), (~red, ("", "green"))):
        log.add(
            "selftest", runs.device[which], runs.boot_us[which] + READY_US, _TESTED.format(*words)
        )
    stepped = rng.random(len(runs.device)) < _STEPPED
    stepped &= runs.last_us - runs.boot_us > SAMPLE_US
    log.add(
        "clock.step", runs.device[stepped], runs.boot_us[stepped] + SAMPLE_US // 2,
        '{"before_clk":"rtc","step_ms":1500}',
    )  # fmt: skip
    log.add(
        "device.added", life.docked[0], life.docked[1],
        '{"foreign":false,"id":"dock","kind":"dock","name":"dock","seen_by":"event"}',
    )  # fmt: skip
    orderly = runs.by != LOST_BY
    log.add(
        "shutdown", runs.device[orderly], runs.last_us[orderly], f'{{"reason":"{STOPPED}"}}'
    )  # fmt: skip


def _recordings(log: EventLog, footage: Footage, takes: Takes) -> tuple[int, int]:
    device, press, ids = footage.device, footage.press_us, takes.ids
    log.add("switch.on", device, press, _PRESS)
    start = log.add("activation.start", device, press, lambda line: text(
        '{"cause":"switch","continues":null,"rec":"', ids, '","trigger_seq":', _digits(line - 1), "}",
    ))  # fmt: skip
    log.add("rec.start", device, takes.synced_us, lambda _: text(
        '{"actual_ms":', _digits((press - takes.first_us) // 1000),
        f',"asked_ms":{PRE_US // 1000},"audio":false,"first_ns":', _ns(takes, takes.first_us),
        ',"load":"full","reason":', takes.short, ',"rec":"', ids, '","synced_ns":', _ns(takes, takes.synced_us),
        ',"throttled":[]}',
    ), at_us=takes.first_us)  # fmt: skip
    bad = footage.stalled
    hole, at, torn = device[bad], footage.hole_us[bad], ids.filter(pa.array(bad))
    begun = (at - takes.boot_us[bad]) * 1000 + _BOOT_NS
    log.add("capture.stall", hole, at + 2 * S, _STALLED)
    log.add("capture.exit", hole, at + 2 * S, _EXITED)
    log.add("gap", hole, at + HOLE_US, lambda _: text(
        '{"cause":"stall","frames":1,"from_ns":', _digits(begun), ',"rec":"', torn, '","to_ns":',
        _digits(begun + HOLE_US * 1000), "}",
    ))  # fmt: skip
    whole = ~footage.killed
    device, stop, last = device[whole], footage.stop_us[whole], footage.last_us[whole]
    ended, boot = ids.filter(pa.array(whole)), takes.boot_us[whole]
    log.add("switch.off", device, stop, _PRESS)
    ends = _digits((stop + TAIL_US - boot) * 1000 + _BOOT_NS)
    log.add(
        "tail.start", device, stop, lambda _: text('{"ends_ns":', ends, ',"rec":"', ended, '"}')
    )
    end = log.add(
        "activation.stop", device, last, lambda _: text('{"reason":"stop","rec":"', ended, '"}')
    )
    log.add("rec.stop", device, last, lambda _: text(
        '{"load":"full","reason":"stop","rec":"', ended, '","throttled":[]}'
    ))  # fmt: skip
    return start, end


def _mutes(
    log: EventLog, calls: Calls, conduct: Conduct, rng: np.random.Generator
) -> tuple[Ints, Ints, Ints]:
    muted = conduct.does == code(Does.MUTED)
    device, due = np.nonzero(muted)[0], calls.due_us[muted]
    start = due + (calls.cleared_us[muted] - due) // 3
    end = start + seconds(rng, 20, 60, start.shape)
    log.add("mute.start", device, start)
    log.add("mute.stop", device, end)
    return device, start, end


def _troubles(log: EventLog, calls: Calls, conduct: Conduct, life: Life) -> None:
    stalls, hangs, heats, low = life.stalls, life.hangs, life.heats, life.low
    for device, start, _ in (stalls, hangs):
        log.add("capture.stall", device, start + 2 * S, _STALLED)
        log.add("capture.exit", device, start + 2 * S, _EXITED)
    begun = (stalls[1] - life.runs.boot_us[life.runs.at(stalls[0], stalls[1])]) * 1000 + _BOOT_NS
    ended = begun + (stalls[2] - stalls[1]) * 1000
    log.add("gap", stalls[0], stalls[2], lambda _: text(
        '{"cause":"stall","frames":1,"from_ns":', _digits(begun), ',"rec":null,"to_ns":',
        _digits(ended), "}",
    ))  # fmt: skip
    log.add("power.heat", heats[0], heats[1], '{"level":"close","quantity":"soc","value":86000}')
    log.add("power.throttled", heats[0], heats[1], '{"edges":1,"flags":["throttled"]}')
    log.add("power.heat", heats[0], heats[2], '{"level":null,"quantity":"soc","value":71000}')
    log.add("power.throttled", heats[0], heats[2], '{"edges":1,"flags":[]}')
    log.add("power.battery", low[0], low[1], '{"level":"low","quantity":"battery","value":3}')
    log.add("power.throttled", low[0], low[1], '{"edges":1,"flags":["undervolt"]}')
    for does, answer, words in (
        (Does.FAULT, "activation.waiting", '{"cause":"switch"}'),
        (Does.MIXED, "activation.waiting", '{"cause":"switch"}'),
        (Does.TOO_HOT, "activation.refused", '{"reason":"heat"}'),
    ):
        pressed = conduct.does == code(does)
        device, press = np.nonzero(pressed)[0], calls.due_us[pressed] - 10 * S
        log.add("switch.on", device, press, _PRESS)
        log.add(answer, device, press, words)
        # Who is told that it is refused lets go; who waits for a camera that hangs does not.
        if does is Does.FAULT:
            stop = calls.cleared_us[pressed]
            log.add("switch.off", device, stop, _PRESS)
            log.add("activation.stop", device, stop, '{"reason":"stop","rec":null}')
        elif does is Does.TOO_HOT:
            log.add("switch.off", device, press + 5 * S, _PRESS)


def _ns(takes: Takes, at_us: Ints) -> pa.Array:
    return _digits((at_us - takes.boot_us) * 1000 + _BOOT_NS)


def _digits(numbers: Ints) -> pa.Array:
    return pa.array(numbers).cast(pa.string())
