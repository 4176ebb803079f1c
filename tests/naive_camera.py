"""A camera's log read a second time, by somebody who never heard of intervals: second by second.

All that happens lies on whole seconds. The lines are replayed in their order; of each second it is then
known what held in it, and every number of M1 to M16 is counted from that. Written from the definitions
alone; it shares nothing with `bodycam.audit` but names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

BEAT_S = 10
SILENT_S = 2 * BEAT_S
BREAK_S = 4 * 3600
US = 1_000_000
KILLS = ("fault", "battery", "power")
SYNCED = ("ntp", "nts", "gps", "dock")


@dataclass
class Line:
    """One line of the log: when, what, and in which life of the recorder and boot of the kernel."""

    at: int
    ev: str
    data: dict[str, Any]
    life: int
    kernel: int


@dataclass
class Clip:
    """One recording, by its lines and by what the test says is proven of it."""

    name: str
    life: int
    start: int
    cause: str
    pressed: bool
    stop: int | None = None
    closed: int | None = None
    stop_cause: str = ""
    asked: int = 30
    said: str = ""
    tail: bool = False
    cancelled: int = 0
    evid: list[tuple[int, int]] = field(default_factory=list)
    verdict: str = ""


class Second:
    """What holds now, as the lines replayed so far have it."""

    def __init__(self) -> None:
        self.ready = self.docked = self.camera_lost = self.blind = False
        self.storage = self.keys = self.recalled = self.hot = self.thread = self.switch = False
        self.flat: set[str] = set()
        self.muted = self.throttled = False
        self.open: set[str] = set()


def lives(lines: list[Line]) -> list[list[Line]]:
    found: dict[int, list[Line]] = {}
    for line in lines:
        found.setdefault(line.life, []).append(line)
    return list(found.values())


class NaiveCamera:
    """`state[n]` is what the camera was in [n, n + 1), `muted`, `throttled` and `live` sets of seconds."""

    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines
        self.state: dict[int, str] = {}
        self.muted: set[int] = set()
        self.throttled: set[int] = set()
        self.clips: dict[str, Clip] = {}
        told = lives(lines)
        for number, mine in enumerate(told):
            following = told[number + 1] if number + 1 < len(told) else None
            self._clips(mine)
            self._life(mine, following, told[number - 1] if number else None)
        self.first, self.end = min(self.state), max(self.state) + 1

    # -- recordings -------------------------------------------------------------------------------

    def _clips(self, mine: list[Line]) -> None:
        ended_by = [line.data["reason"] for line in mine if line.ev == "power.off"]
        since: dict[str, int] = {}
        for line in mine:
            name = str(line.data.get("rec"))
            if line.ev == "activation.start":
                cause = line.data["cause"]
                kind = {"auto-roll": "auto-roll", "resume": "fault"}.get(cause, "button")
                kind = "trigger" if cause.startswith("trigger:") else kind
                pressed = kind not in ("auto-roll", "fault")
                self.clips[name] = Clip(name, line.life, line.at, kind, pressed)
            clip = self.clips.get(name)
            if clip is None:
                continue
            if line.ev == "tail.start":
                since[clip.name], clip.tail = line.at, True
            elif line.ev == "stop.cancelled":
                since.pop(clip.name, None)
                clip.cancelled += 1
            elif line.ev == "rec.start":
                clip.asked, clip.said = line.data["asked_ms"] // 1000, line.data["reason"] or ""
            elif line.ev in ("activation.stop", "rec.stop"):
                clip.closed = line.at
                if clip.stop is None:
                    clip.stop = since.get(clip.name, line.at)
                    clip.stop_cause = _stop_cause(line.data["reason"], ended_by)
        for clip in self.clips.values():
            if clip.life == mine[0].life and clip.stop is None:
                clip.stop, clip.stop_cause = mine[-1].at, "power"

    # -- states -----------------------------------------------------------------------------------

    def _life(
        self, mine: list[Line], following: list[Line] | None, before: list[Line] | None
    ) -> None:
        orderly = any(line.ev == "shutdown" for line in mine)
        last = mine[-1].at
        end = last if orderly else last + SILENT_S
        if not orderly and following and following[0].kernel == mine[0].kernel:
            end = min(end, following[0].at)
        until = following[0].at if following else end
        now, place, heard = Second(), 0, mine[0].at
        back = self._told_of_later(mine)
        stayed = before is not None and self._stayed(mine, before)
        for n in range(mine[0].at, end):
            while place < len(mine) and mine[place].at <= n:
                heard = mine[place].at
                self._take(now, mine[place])
                place += 1
            self.state[n] = self._state(now, n, back, stayed=stayed and n < self._seen_at(mine))
            if n >= heard + SILENT_S and place < len(mine):
                self.state[n] = "unknown"
            if now.muted:
                self.muted.add(n)
            if now.throttled:
                self.throttled.add(n)
        while place < len(mine):
            self._take(now, mine[place])
            place += 1
        for n in range(max(end, mine[0].at), until):
            self.state[n] = ("docked" if now.docked else "off") if orderly else "unknown"
        self._docked_at_end = now.docked

    def _told_of_later(self, mine: list[Line]) -> list[tuple[int, int]]:
        """Stretches in which the camera took no picture, as later lines tell."""
        found = []
        for line in mine:
            if line.ev == "capture.stall":
                found.append((line.at - line.data["silent_ms"] // 1000, line.at))
            elif line.ev == "gap":
                found.append((line.data["from_s"], line.data["to_s"]))
            elif (
                line.ev in ("storage.full", "storage.fault") and line.data.get("last_s") is not None
            ):
                found.append((line.data["last_s"], line.at))
        return found

    def _stayed(self, mine: list[Line], before: list[Line]) -> bool:
        """It stood in the dock when the life before ended, and was found there at the start."""
        docks = [li for li in mine if li.ev == "device.added"]
        return self._docked_at_end and bool(docks) and docks[0].data["seen_by"] == "start"

    def _seen_at(self, mine: list[Line]) -> int:
        return next((li.at for li in mine if li.ev == "device.added"), mine[0].at)

    def _take(self, now: Second, line: Line) -> None:
        ev, data = line.ev, line.data
        match ev:
            case "ready":
                now.ready, now.camera_lost, now.blind = True, False, False
            case "heartbeat":
                if data["camera"]:
                    now.camera_lost = now.blind = False
                else:
                    now.blind = True
            case "capture.stall" | "capture.exit" | "capture.error":
                now.camera_lost = True
            case "gap":
                now.camera_lost = now.blind = False
            case "storage.full" | "storage.fault":
                now.storage = True
            case "storage.ok":
                now.storage = False
            case "activation.start":
                now.storage = False
                now.open.add(data["rec"])
            case "wrapkey.missing":
                now.keys = True
            case "power.recalled":
                now.recalled = True
            case "power.heat":
                now.hot = data["level"] == "close"
            case "power.battery":
                now.flat.discard(data["quantity"])
                if data["level"] == "empty":
                    now.flat.add(data["quantity"])
            case "power.throttled":
                now.throttled = bool(data["flags"])
            case "thread.died":
                now.thread = True
            case "switch.fault":
                now.switch = True
            case "switch.fault_ended":
                now.switch = False
            case "device.added":
                now.docked = True
            case "device.removed":
                now.docked = False
            case "mute.start":
                now.muted = True
            case "mute.stop":
                now.muted = False

    def _state(self, now: Second, n: int, back: list[tuple[int, int]], *, stayed: bool) -> str:
        recording = any(
            name in now.open
            and (self.clips[name].closed is None or n < (self.clips[name].closed or 0))
            for name in now.open
        )
        blind = now.camera_lost or (now.blind and now.ready) or any(a <= n < b for a, b in back)
        broken = (
            blind
            or now.storage
            or now.keys
            or now.recalled
            or now.hot
            or bool(now.flat)
            or now.thread
        )
        if (now.docked or stayed) and not recording:
            return "docked"
        if broken or (now.switch and not recording):
            return "fault"
        if recording:
            return "recording"
        return "ready" if now.ready else "boot"

    # -- what is asked of it ----------------------------------------------------------------------

    def stretches(self, *names: str, low: int, high: int) -> list[tuple[int, int]]:
        """The maximal runs of seconds in these states, as far as they reach into [low, high)."""
        return [(a, b) for a, b in runs({n for n, s in self.state.items() if s in names})
                if a < high and low < b]  # fmt: skip

    def shifts(self) -> list[tuple[int, int]]:
        apart = {n for n, s in self.state.items() if s == "docked"}
        for name in ("off", "unknown"):
            for a, b in self.stretches(name, low=self.first, high=self.end):
                if b - a > BREAK_S:
                    apart |= set(range(a, b))
        return runs(set(self.state) - apart)

    @property
    def live(self) -> set[int]:
        return {n for c in self.clips.values() for n in range(c.start, c.stop or c.start)}

    def count(self, low: int, high: int) -> dict[str, dict[str, Any]]:
        """M1 to M16 of the seconds [low, high), microseconds where the audit says them."""
        here = [n for n in range(low, high) if n in self.state]
        out = [n for n in here if self.state[n] != "docked"]
        of = {s: sum(self.state[n] == s for n in out) for s in
              ("ready", "recording", "boot", "off", "unknown", "fault")}  # fmt: skip
        able = of["ready"] + of["recording"] + of["boot"]
        live = {n for n in self.live if low <= n < high}
        begun = sorted(
            (c for c in self.clips.values() if low <= c.start < high), key=lambda c: c.start
        )
        muted = self.muted & live
        mutes = self._named("mute.start", low, high)
        unknown = self.stretches("unknown", low=low, high=high)
        return {
            "M1": {"ready_ratio": share(able, len(out)), "ready_us": able * US,
                   "undocked_us": len(out) * US, "unknown_us": of["unknown"] * US,
                   "off_us": of["off"] * US, "fault_us": of["fault"] * US},
            "M2": {"sleep_share": share(0, len(out) - of["off"] - of["unknown"]), "sleep_us": 0,
                   "count": 0, "longest_us": 0},
            "M3": self._deficits(begun), "M4": self._toggles(begun, len(out), len(live)),
            "M5": self._short(begun), "M6": self._kills(low, high),
            "M7": {"muted_share": share(len(muted), len(live)), "muted_us": len(muted) * US,
                   "count": len(mutes), "longest_us": max((b - a for a, b in runs(muted)), default=0) * US,
                   "without_reason": len(mutes)},
            "M8": self._stops(begun), "M9": self._refused(low, high),
            "M11": self._clock(low, high, begun),
            "M12": {"unknown_share": share(of["unknown"], len(out)), "unknown_us": of["unknown"] * US,
                    "count": len(unknown)},
            "M13": {"in_log": len(begun), "in_store": sum(bool(c.verdict) for c in begun),
                    "mismatches": sum(c.verdict != "intact" for c in begun)},
            "M14": self._tested(low, high), "M16": self._strain(low, high),
        }  # fmt: skip

    def _named(self, name: str, low: int, high: int) -> list[Line]:
        return [line for line in self.lines if line.ev == name and low <= line.at < high]

    def _deficits(self, begun: list[Clip]) -> dict[str, Any]:
        measured = [c for c in begun if c.pressed and c.evid]
        causes, longest = [], 0
        for clip in measured:
            asked, actual = clip.asked, max(0, clip.start - clip.evid[0][0])
            if asked and (asked - actual) * 1000 <= 1000 + 500:
                continue
            longest = max(longest, asked - actual)
            causes.append(self._why_short(clip, asked))
        return {"recordings": len(measured), "flagged": sum(c != "disabled" for c in causes),
                "behaviour": causes.count("fresh_power"), "disabled": causes.count("disabled"),
                "longest_us": longest * US}  # fmt: skip

    def _why_short(self, clip: Clip, asked: int) -> str:
        if not asked:
            return "disabled"
        kept = range(clip.start - asked + 1, clip.start + 1)
        if any(b in kept for c in self.clips.values() if c is not clip for _, b in c.evid):
            return "abuts"
        # READY began within it: some second of it, the press's own too, was still BOOT.
        if any(self.state.get(n) == "boot" for n in range(clip.start - asked, clip.start + 1)):
            return "fresh_power"
        return "capacity" if clip.said == "capacity" else "unexplained"

    def _toggles(self, begun: list[Clip], out: int, live: int) -> dict[str, Any]:
        toggles = 2 * len(begun)
        return {"starts": len(begun), "stops": len(begun),
                "cancelled_stops": sum(c.cancelled for c in begun),
                "per_undocked_hour": share(toggles * 3600, out),
                "per_recorded_hour": share(toggles * 3600, live)}  # fmt: skip

    def _short(self, begun: list[Clip]) -> dict[str, Any]:
        whole: list[list[Clip]] = []
        for clip in begun:
            if whole and clip.cause == "auto-roll" and whole[-1][-1].stop == clip.start:
                whole[-1].append(clip)
            else:
                whole.append([clip])
        ends = [(mine[0].start, mine[-1].stop or 0, mine[0].pressed) for mine in whole]
        bounces = sum(
            pressed and 0 <= start - ends[n][1] <= 60
            for n, (start, _, pressed) in enumerate(ends[1:])
        )
        return {"recordings": len(ends), "short": sum(b - a < 30 for a, b, _ in ends),
                "bounces": bounces}  # fmt: skip

    def _kills(self, low: int, high: int) -> dict[str, Any]:
        count, waits = 0, [0]
        for start, end in self.stretches("recording", low=self.first, high=self.end):
            if not low <= end - 1 < high:
                continue
            then = self.state.get(end)
            killed = any(c.stop_cause in KILLS and start < (c.stop or 0) <= end
                         for c in self.clips.values())  # fmt: skip
            if killed or then in ("fault", "unknown", "off", "boot"):
                count += 1
                waits += [n - end for n in range(end, self.end)
                          if self.state[n] in ("ready", "recording")][:1]  # fmt: skip
        return {"count": count, "longest_to_ready_us": max(waits) * US}

    def _stops(self, begun: list[Clip]) -> dict[str, Any]:
        stops = [c for c in begun if c.stop_cause == "button"]
        kept = [
            c for c in stops
            if c.tail and c.evid and any(n not in self.muted for n in range(c.stop or 0, c.evid[-1][1]))
        ]  # fmt: skip
        return {"button_stops": len(stops), "coded": 0, "tail_kept": len(kept),
                "tail_share": share(len(kept), len(stops))}  # fmt: skip

    def _refused(self, low: int, high: int) -> dict[str, Any]:
        asks = [*self._named("switch.on", low, high), *self._named("trigger.on", low, high)]
        refused = [a for a in asks
                   if all(self.state.get(a.at + more) != "recording" for more in range(3))]  # fmt: skip
        return {"presses": len(asks), "refused": len(refused)}

    def _clock(self, low: int, high: int, begun: list[Clip]) -> dict[str, Any]:
        errors = [li.data["error_ms"] for li in self._named("clock.sample", low, high)]
        errors += [li.data["unc_ms"] for li in self._named("boot", low, high)]
        steps = [s for s in self._named("clock.step", low, high) if abs(s.data["step_ms"]) > 1000]
        ages = []
        for clip in (c for c in begun if c.pressed):
            kernel = next(li.kernel for li in self.lines if li.life == clip.life)
            synced = [li.at for li in self.lines if li.kernel == kernel and li.at <= clip.start
                      and (li.data.get("source") if li.ev == "clock.sample" else li.data.get("clk"))
                      in SYNCED]  # fmt: skip
            ages.append(clip.start - max(synced) if synced else None)
        told = [age for age in ages if age is not None]
        return {"max_err_us": max(errors) * 1000 if errors else None, "steps": len(steps),
                "longest_since_sync_us": max(told) * US if told else None,
                "starts_never_synced": ages.count(None)}  # fmt: skip

    def _tested(self, low: int, high: int) -> dict[str, Any]:
        begun = [a for a, _ in self.shifts() if low <= a < high]
        green = [
            li.at for li in self.lines if li.ev == "selftest" and li.data["verdict"] == "green"
        ]
        passed = sum(any(abs(t - a) <= 900 for t in green) for a in begun)
        return {"shifts": len(begun), "passed": passed, "passed_share": share(passed, len(begun))}

    def _strain(self, low: int, high: int) -> dict[str, Any]:
        beats = self._named("heartbeat", low, high)
        onsets = 0
        for mine in lives(self.lines):
            up = False
            for line in mine:
                if line.ev == "power.throttled":
                    onsets += "undervolt" in line.data["flags"] and not up and low <= line.at < high
                    up = "undervolt" in line.data["flags"]
        return {"throttled_us": len({n for n in self.throttled if low <= n < high}) * US,
                "undervolt_events": onsets,
                "max_soc_milli_c": max((b.data["soc_milli_c"] for b in beats), default=None),
                "max_cell_milli_c": max((b.data["cell_milli_c"] for b in beats), default=None)}  # fmt: skip


def _stop_cause(reason: str, ended_by: list[str]) -> str:
    if reason.endswith(" released"):
        return "trigger"
    if reason == "shutdown":
        return "battery" if ended_by and ended_by[-1] == "battery" else "power"
    return {"stop": "button", "auto-roll": "auto-roll", "battery": "battery", "dock": "dock"}.get(
        reason, "fault"
    )


def runs(seconds: set[int]) -> list[tuple[int, int]]:
    """Maximal runs of seconds as [start, end)."""
    found: list[tuple[int, int]] = []
    for n in sorted(seconds):
        if found and found[-1][1] == n:
            found[-1] = (found[-1][0], n + 1)
        else:
            found.append((n, n + 1))
    return found


def share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
