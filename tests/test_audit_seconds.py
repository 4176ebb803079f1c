"""M1 to M16 of random days against a second reading of the same log, second by second."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bodycam.audit.intervals import times
from bodycam.audit.measures import MEASURES
from bodycam.audit.measures.measure import shifts, whole_line
from bodycam.audit.policy import load_policy
from bodycam.audit.timeline import DeviceTimeline
from bodycam.clock import NS, ClockSource

from .auditlogs import DAY_US, Day, at, day
from .naive_camera import BEAT_S, US, Line, NaiveCamera

RULES = load_policy().device


class Diary:
    """Lives a random day on a camera, and writes down each line that its log gets."""

    def __init__(self, camera: Day, rng: random.Random) -> None:
        self.camera, self.rng = camera, rng
        self.lines: list[Line] = []
        self.now = self.life = self.kernel = 0
        self.beaten = 0
        self.seen = True
        self.sampled = ("none", 0)

    def run(self, lives: int) -> None:
        """So many lives of the recorder, each ended in order, cut off, or followed by a restart."""
        for _ in range(lives):
            self._boot()
            for _ in range(self.rng.randint(3, 25)):
                self._to(self.now + self.rng.choice((1, 2, 3, 9, 10, 20, 29, 31, 60, 300)))
                self.rng.choice(self._habits())()
            if self.rng.random() < 0.6:
                self._end()

    # -- lines ------------------------------------------------------------------------------------

    def _say(self, ev: str, ago_s: int = 0, /, **data: Any) -> None:
        """A line of now; the log's own fields are nanoseconds of boot time."""
        logged = {k: v for k, v in data.items() if not k.endswith("_s")}
        logged |= {k[:-1] + "ns": self._ns(v) for k, v in data.items() if k.endswith("_s")}
        self.camera.log.append(ev, self._ns(self.now - ago_s), **logged)
        self._note(ev, ago_s, **data)

    def _note(self, ev: str, ago_s: int = 0, /, **data: Any) -> None:
        self.lines.append(Line(self.now - ago_s, ev, data, self.life, self.kernel))

    def _ns(self, second: int) -> int:
        return self.camera.clock.boot_ns() + (second - self.now) * NS

    def _to(self, second: int) -> None:
        """Time passes, heartbeats and all."""
        while self.beaten + BEAT_S <= second:
            self.beaten += BEAT_S
            self._at(self.beaten)
            self._say(
                "heartbeat", camera=self.seen, charge="start", throttled=[],
                soc_milli_c=self.rng.randint(40_000, 80_000), cell_milli_c=self.rng.randint(0, 40_000),
            )  # fmt: skip
        self._at(second)

    def _at(self, second: int) -> None:
        self.now = second
        self.camera.clock.now_s = float(second)

    def _boot(self) -> None:
        rng, fresh = self.rng, not self.lines or self.rng.random() < 0.6
        orderly = bool(self.lines) and self.lines[-1].ev == "shutdown"
        least = 1 if orderly or not fresh else 21
        self._at(self.now + least + rng.choice((0, 5, 40, 2000, 4 * 3600 - least, 15_000)))
        self.life, self.kernel = self.life + 1, self.kernel + fresh
        clock = self.camera.clock
        clock.source, clock.unc_ms = rng.choice(((ClockSource.NTP, 5), (ClockSource.RTC, 900)))
        if fresh:
            self.sampled = clock.source.value, clock.unc_ms
        self.camera.boot(self.now, fresh=fresh, ready_s=0)
        # Until the clock is read again, lines carry what it said last.
        self._note("boot", unc_ms=self.sampled[1], clk=self.sampled[0])
        self.sampled = clock.source.value, clock.unc_ms
        self._note("clock.sample", error_ms=clock.unc_ms, source=clock.source.value)
        self.beaten, self.seen = self.now, True
        if rng.random() < 0.2:
            self._dock("start")
        if rng.random() < 0.95:
            self._to(self.now + rng.choice((1, 4, 25)))
            self._say("ready")

    def _end(self) -> None:
        if self.rng.random() < 0.3:
            self._say("power.off", reason="battery", refused=None)
        for name in self._open():
            self._say("activation.stop", rec=name, reason=self.rng.choice(("shutdown", "stop")))
        self._say("shutdown", reason="SIGTERM")

    # -- habits -----------------------------------------------------------------------------------

    def _habits(self) -> list[Any]:
        say = self._say
        return [
            *[self._press] * 6, *[self._stop] * 6, self._roll, self._tail, self._tail, self._cancel,
            self._stall, self._gap, lambda: self._dock("observer"), self._leap, self._sample,
            lambda: say("device.removed", kind="dock"), self._ready,
            lambda: say("storage.full", rec=None, reason="", last_s=self.now - self.rng.choice((0, 3))),
            lambda: say("storage.fault", rec=None, reason=""), lambda: say("storage.ok"),
            lambda: say("power.heat", quantity="soc", level=self.rng.choice(("close", None)), value=1),
            lambda: say("power.battery", quantity=self.rng.choice(("battery", "minutes")),
                        level=self.rng.choice(("low", "empty", None, None)), value=1),
            lambda: say("power.throttled", edges=1, flags=self.rng.choice(
                ([], ["undervolt"], ["capped"], ["capped", "undervolt"]))),
            lambda: say("switch.fault", pin="record", held=True), lambda: say("switch.fault_ended", pin="record"),
            lambda: say("capture.exit", reason="", epoch=1), lambda: say("capture.error", reason=""),
            lambda: say("mute.start", rec=None), lambda: say("mute.stop", rec=None),
            lambda: say("clock.step", step_ms=self.rng.choice((-1001, -1000, 1000, 1001))),
            lambda: say("selftest", form="", verdict=self.rng.choice(("green", "red"))),
            lambda: say("switch.on", pin="record"), lambda: say("trigger.on", pin=5, name="door"),
            self._blink, lambda: self._rarely(lambda: say(self.rng.choice(
                ("wrapkey.missing", "thread.died", "power.recalled")))),
        ]  # fmt: skip

    def _open(self) -> list[str]:
        begun = [
            li.data["rec"]
            for li in self.lines
            if li.ev == "activation.start" and li.life == self.life
        ]
        ended = {li.data["rec"] for li in self.lines if li.ev in ("activation.stop", "rec.stop")}
        return [name for name in begun if name not in ended]

    def _press(self) -> None:
        if self._open():
            return
        cause = self.rng.choice(("switch", "switch", "trigger:door", "resume"))
        if cause != "resume":
            self._say("switch.on" if cause == "switch" else "trigger.on", pin=5, name="door")
        self._start(cause)

    def _start(self, cause: str) -> None:
        name = f"rec-{len(self.lines)}"
        self._say("activation.start", rec=name, cause=cause, continues=None)
        if self.rng.random() < 0.9:
            self._say("rec.start", rec=name, synced_s=self.now, asked_ms=self.rng.choice((0, 30_000, 30_000)),
                      reason=self.rng.choice((None, None, "capacity")))  # fmt: skip

    def _stop(self) -> None:
        for name in self._open():
            said = self.rng.choice(
                ("stop", "stop", "stop", "trigger:door released", "heat", "dock", "battery")
            )
            self._say("activation.stop", rec=name, reason=said)
            self._to(self.now + self.rng.choice((0, 0, 1)))
            self._say("rec.stop", rec=name, reason=said)

    def _roll(self) -> None:
        for name in self._open():
            self._say("activation.stop", rec=name, reason="auto-roll")
            self._start("auto-roll")

    def _tail(self) -> None:
        for name in self._open():
            self._say("tail.start", rec=name, ends_s=self.now + 30)
            self._to(self.now + self.rng.choice((1, 12, 30)))
            said = self.rng.choice(("stop", "stop", "battery"))
            self._say("activation.stop", rec=name, reason=said)

    def _cancel(self) -> None:
        for name in self._open():
            self._say("tail.start", rec=name, ends_s=self.now + 30)
            self._to(self.now + 7)
            self._say("stop.cancelled", rec=name, cause="switch")

    def _stall(self) -> None:
        self._apart()
        self._say("capture.stall", silent_ms=self.rng.choice((0, 2000, 5000)), pid=1)

    def _apart(self) -> None:
        """Not at the very moment of a heartbeat, which might say the contrary."""
        self._to(self.now + (self.now == self.beaten))

    def _ready(self) -> None:
        self._apart()
        self._say("ready")

    def _gap(self) -> None:
        self._apart()
        self._say(
            "gap", from_s=self.now - self.rng.choice((1, 4, 30)), to_s=self.now, frames=1, cause=""
        )

    def _dock(self, seen_by: str) -> None:
        self._say("device.added", kind="dock", name="dock", seen_by=seen_by)

    def _leap(self) -> None:
        """The recorder hangs, and says nothing."""
        self._at(self.now + self.rng.choice((5, 21, 200)))
        self.beaten = self.now

    def _sample(self) -> None:
        clock = self.camera.clock
        clock.source, clock.unc_ms = self.rng.choice(
            ((ClockSource.NTP, 5), (ClockSource.RTC, 700), (ClockSource.NONE, 3))
        )
        self.camera.sample()
        self.sampled = clock.source.value, clock.unc_ms
        self._note("clock.sample", error_ms=clock.unc_ms, source=clock.source.value)

    def _blink(self) -> None:
        self.seen = not self.seen

    def _rarely(self, habit: Any) -> None:
        if self.rng.random() < 0.05:
            habit()


def prove(line: DeviceTimeline, naive: NaiveCamera, rng: random.Random) -> None:
    """Give the recordings pictures, on whole seconds, in both readings."""
    for one in line.recordings:
        clip = naive.clips[one.recording]
        stop = clip.stop or clip.start
        one.verdict = clip.verdict = rng.choice(("intact", "intact", "altered", ""))
        if rng.random() < 0.9:
            first = clip.start - rng.choice((-2, 0, 5, 27, 28, 29, 30, 31))
            hole = rng.randint(first, max(first, stop))
            spans = [
                (first, hole),
                (hole + rng.choice((0, 1, 5)), stop + rng.choice((0, 0, 1, 30))),
            ]
            one.evid = times((at(a), at(b)) for a, b in spans)
            clip.evid = [((a - DAY_US) // US, (b - DAY_US) // US) for a, b in one.evid]


def differences(line: DeviceTimeline, naive: NaiveCamera) -> list[str]:
    """Where the two disagree, over all there is and over each shift."""
    found = []
    told = shifts(line, RULES)
    if [(s.start_us, s.end_us) for s in told] != [(at(a), at(b)) for a, b in naive.shifts()]:
        found.append("shifts")
    states: dict[int, str] = {}
    for s in line.states:
        for n in range((s.start_us - DAY_US) // US, (s.end_us - DAY_US) // US):
            states[n] = s.state.value
    found += [f"second {n}: {s} {naive.state.get(n)}" for n, s in sorted(states.items())
              if naive.state.get(n) != s]  # fmt: skip
    found += [
        f"second {n}: nothing, {naive.state[n]}" for n in sorted(set(naive.state) - set(states))
    ]
    whole = whole_line(line)
    assert whole is not None
    for stretch in (whole, *told):
        low, high = (stretch.start_us - DAY_US) // US, (stretch.end_us - DAY_US) // US
        counted = naive.count(low, high)
        for measure in MEASURES:
            if measure.number in counted:
                values = measure.of(stretch, RULES).values
                if dict(values) != counted[measure.number]:
                    found.append(
                        f"{measure.number} {low}-{high}: {values} {counted[measure.number]}"
                    )
    return found


def read_twice(folder: Path, seed: int) -> tuple[list[str], Counter[str]]:
    """Where the two readings of one random day disagree, and what there was to read."""
    rng = random.Random(seed)
    with day(folder) as camera:
        diary = Diary(camera, rng)
        diary.run(rng.randint(1, 6))
    line, naive = camera.timeline(), NaiveCamera(diary.lines)
    prove(line, naive, rng)
    counted = naive.count(naive.first, naive.end)
    met = Counter(naive.state.values())
    for measure, values in counted.items():
        met.update({f"{measure} {name}": bool(value) for name, value in values.items()})
    return differences(line, naive), met


def test_random_days_read_second_by_second_come_to_the_same_numbers(tmp_path: Path) -> None:
    met: Counter[str] = Counter()
    for seed in range(12):
        found, there = read_twice(tmp_path / str(seed), seed)
        assert found == [], seed
        met += there
    # None of the states is left untried, and no number but of what this firmware has not.
    wanted = {"docked", "off", "boot", "ready", "recording", "fault", "unknown", *there}
    assert {name for name in wanted if not met[name]} == {
        "M2 sleep_share", "M2 sleep_us", "M2 count", "M2 longest_us", "M8 coded"
    }  # fmt: skip


@pytest.mark.soak
@pytest.mark.parametrize("hundred", range(4))
def test_many_random_days_do_too(tmp_path: Path, hundred: int) -> None:
    for seed in range(100 * (hundred + 1), 100 * (hundred + 2)):
        found, _ = read_twice(tmp_path / str(seed), seed)
        assert found == [], seed
