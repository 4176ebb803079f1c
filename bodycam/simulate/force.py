"""A force whose truth is known: cameras, rosters, incidents and officers who behave as planted.

    OUT/stores/<device>/      real evidence: signed logs and fragments
    OUT/authority/root.pem    whom to trust
    OUT/incidents.csv, assignments.csv, force.csv    what other systems would hand over
    OUT/truth.json            who did what, and the class that each incident is to get

| behaviour        | what the officer or the camera does                                   | class    |
|------------------|-----------------------------------------------------------------------|----------|
| always           | records from before the scene to after clearing                       | COMPLETE |
| late             | presses 100 to 160 s after coming on the scene                        | LATE     |
| early            | stops half way                                                        | EARLY    |
| never            | does not press                                                        | NEVER    |
| off-before-force | stops 30 to 60 s before force is used, near the middle                | EARLY    |
| faulty           | presses, and the camera's sensor has stalled                          | FAULT    |
| flat-battery     | always, until the battery's power is gone before the last incidents   | UNKNOWN  |
| wrong-clock      | always; the clock was never set, is 40 minutes off, and says so       | COMPLETE |

Whoever is planted to misbehave does so at about two incidents of three, and records the others as
`always` does. The same seed gives the same force, but for keys and ids.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from ..clock import NS, ClockSource, utc_text
from ..errors import ConfigError
from ..provision import profile
from ..provision.authority import ROOT, init_authority, open_authority
from ..provision.identity import make_request
from ..provision.keyfiles import write_public
from ..provision.recipients import new_recipient
from ..signing import DEVICE_CHAIN, RECIPIENTS
from ..store import storage_error
from .staged import StagedCamera

# 2026-06-01T06:00:00Z.
DAY_UTC_NS = 1_780_293_600 * NS
_SHIFT_S = 4 * 3600
_UNSET_UNC_MS = 3_000_000
_WRONG_S = -2400


class Behaviour(Enum):
    """What is planted."""

    ALWAYS = "always"
    LATE = "late"
    EARLY = "early"
    NEVER = "never"
    OFF_BEFORE_FORCE = "off-before-force"
    FAULTY = "faulty"
    FLAT_BATTERY = "flat-battery"
    WRONG_CLOCK = "wrong-clock"


_CLASSES = {
    Behaviour.ALWAYS: "COMPLETE", Behaviour.LATE: "LATE", Behaviour.EARLY: "EARLY",
    Behaviour.NEVER: "NEVER", Behaviour.OFF_BEFORE_FORCE: "EARLY", Behaviour.FAULTY: "FAULT",
    Behaviour.FLAT_BATTERY: "UNKNOWN", Behaviour.WRONG_CLOCK: "COMPLETE",
}  # fmt: skip
HONEST = (Behaviour.ALWAYS, Behaviour.FAULTY, Behaviour.FLAT_BATTERY, Behaviour.WRONG_CLOCK)


@dataclass(frozen=True, slots=True)
class Call:
    """One incident of one officer, and what is planted for it; seconds of the day."""

    event: str
    dispatched_s: float
    on_scene_s: float
    cleared_s: float
    does: Behaviour
    force_s: float | None = None


@dataclass(frozen=True, slots=True)
class Officer:
    """One officer with one camera for one shift."""

    badge: str
    device: str
    behaviour: Behaviour
    calls: tuple[Call, ...]


def plan(officers: int, calls: int, seed: int) -> list[Officer]:
    """Who is there and what happens, without making anything of it."""
    rng = random.Random(seed)  # noqa: S311  a plan, no secret
    kinds = list(Behaviour)
    return [
        _officer(number, kinds[number % len(kinds)], calls, rng) for number in range(officers)
    ]  # fmt: skip


def _officer(number: int, behaviour: Behaviour, calls: int, rng: random.Random) -> Officer:
    apart_s = (_SHIFT_S - 600) // calls
    found = []
    for index in range(calls):
        dispatched = 300 + index * apart_s + rng.randrange(60)
        on_scene = dispatched + rng.randrange(60, 240)
        cleared = on_scene + rng.randrange(200, 300)
        does = behaviour
        if behaviour is Behaviour.FLAT_BATTERY:
            does = behaviour if index >= calls - 1 else Behaviour.ALWAYS
        elif behaviour is not Behaviour.WRONG_CLOCK and rng.random() < 1 / 3:
            does = Behaviour.ALWAYS
        call = Call(f"F{number:03d}-{index}", dispatched, on_scene, cleared, does)
        if behaviour is Behaviour.OFF_BEFORE_FORCE:
            call = replace(call, force_s=on_scene + (cleared - on_scene) // 2)
        found.append(call)
    return Officer(f"{4000 + number}", f"BC-{number:04d}", behaviour, tuple(found))


def make_force(
    out: Path, officers: int, calls: int, seed: int, progress: Callable[[int, int], None]
) -> list[Officer]:
    """Make all of it in a new folder. Raises ConfigError if there is something in it."""
    if out.exists() and any(out.iterdir()):
        raise ConfigError(f"{out} is not empty", "Name a new folder")
    planned = plan(officers, calls, seed)
    try:
        out.mkdir(parents=True, exist_ok=True)
        authority, identities = out / "authority", out / "identities"
        init_authority(authority, "Planted Police", DAY_UTC_NS - 86_400 * NS)
        custody = identities / "custody.pem"
        identities.mkdir(mode=0o700)
        new_recipient("custody", authority / "custody.key", custody)
        for number, officer in enumerate(planned):
            _live(officer, out / "stores" / officer.device, _identity(out, officer, custody), seed)
            progress(number + 1, len(planned))
        _hand_over(out, planned)
    except OSError as fault:
        raise storage_error(fault, out) from fault
    return planned


def _identity(out: Path, officer: Officer, custody: Path) -> Path:
    folder = out / "identities" / officer.device
    csr = make_request(folder, officer.device)
    leaf, middle = open_authority(out / "authority").sign(
        csr, officer.device, DAY_UTC_NS - 86_400 * NS, profile.DEVICE_DAYS
    )
    write_public(folder / DEVICE_CHAIN, leaf, middle)
    (folder / RECIPIENTS).mkdir()
    (folder / RECIPIENTS / "custody.pem").write_bytes(custody.read_bytes())
    return folder


# -- lives ---------------------------------------------------------------------------------------


def _live(officer: Officer, store: Path, identity: Path, seed: int) -> None:
    rng = random.Random(f"{seed} {officer.device}")  # noqa: S311
    store.mkdir(parents=True)
    camera = StagedCamera(store, officer.device, identity, DAY_UTC_NS)
    if officer.behaviour is Behaviour.WRONG_CLOCK:
        camera.clock.wrong_s, camera.clock.unc_ms = _WRONG_S, _UNSET_UNC_MS
        camera.clock.source = ClockSource.RTC
    camera.boot(0)
    for call in officer.calls:
        if not _attend(camera, call, rng):
            # The next morning, with a new battery: what was, is told by nobody.
            camera.boot(_SHIFT_S + 3600)
            break
    camera.shut_down(_SHIFT_S + 3700)
    camera.close()


def _attend(camera: StagedCamera, call: Call, rng: random.Random) -> bool:
    """One incident; False if the camera has died of it."""
    begin, end = call.on_scene_s - rng.randrange(2, 20), call.cleared_s + rng.randrange(0, 20)
    middle = (call.on_scene_s + call.cleared_s) / 2
    match call.does:
        case Behaviour.ALWAYS | Behaviour.WRONG_CLOCK:
            camera.record(begin, end)
        case Behaviour.LATE:
            camera.record(call.on_scene_s + rng.randrange(100, 160), end)
        case Behaviour.EARLY:
            camera.record(begin, middle)
        case Behaviour.OFF_BEFORE_FORCE:
            camera.record(begin, (call.force_s or middle) - rng.randrange(30, 60))
        case Behaviour.NEVER:
            pass
        case Behaviour.FAULTY:
            _stall(camera, call, begin)
        case Behaviour.FLAT_BATTERY:
            camera.battery = 3
            camera.say(call.dispatched_s - 120, "power.battery", quantity="battery", level="low",
                       value=3)  # fmt: skip
            camera.to(call.dispatched_s - 60)
            camera.die()
            return False
    return True


def _stall(camera: StagedCamera, call: Call, press_s: float) -> None:
    """The sensor gives no picture from before the press until a minute after clearing."""
    lost_s = call.on_scene_s - 40
    camera.say(lost_s + 2, "capture.stall", silent_ms=2000, pid=1)
    camera.camera_ok = False
    camera.log.append("capture.exit", reason="killed", epoch=0)
    camera.say(press_s, "switch.on", pin="record")
    camera.log.append("activation.waiting", cause="switch")
    camera.say(call.cleared_s, "switch.off", pin="record")
    camera.log.append("activation.stop", rec=None, reason="stop")
    camera.to(call.cleared_s + 60)
    clock = camera.clock
    camera.log.append(
        "gap", from_ns=clock.boot_at_s(lost_s), to_ns=clock.boot_ns(), frames=1, cause="stall",
        rec=None,
    )  # fmt: skip
    camera.camera_ok = True


# -- what other systems know ----------------------------------------------------------------------


def _utc(at_s: float) -> str:
    return utc_text(DAY_UTC_NS + round(at_s * NS))


def _hand_over(out: Path, planned: Sequence[Officer]) -> None:
    calls = [(officer, call) for officer in planned for call in officer.calls]
    _csv(
        out / "incidents.csv",
        ("Event ID", "Officer Badge ID", "Officer Dispatched DateTime", "Officer Cleared DateTime",
         "Call Type", "Officer On Scene DateTime", "Clearance Code"),
        ((c.event, o.badge, _utc(c.dispatched_s), _utc(c.cleared_s), "CALL", _utc(c.on_scene_s), "RPT")
         for o, c in calls),
    )  # fmt: skip
    _csv(
        out / "assignments.csv",
        ("Device ID", "Officer Badge ID", "Assigned DateTime", "Returned DateTime"),
        ((o.device, o.badge, _utc(-7200), _utc(_SHIFT_S + 7200)) for o in planned),
    )
    _csv(
        out / "force.csv", ("Event ID", "Officer Badge ID", "Force DateTime"),
        ((c.event, o.badge, _utc(c.force_s)) for o, c in calls if c.force_s is not None),
    )  # fmt: skip
    truth = {
        "officers": {
            o.badge: {"device": o.device, "behaviour": o.behaviour.value,
                      "honest": o.behaviour in HONEST}
            for o in planned
        },
        "incidents": {
            c.event: {"officer": o.badge, "does": c.does.value, "class": _CLASSES[c.does]}
            for o, c in calls
        },
    }  # fmt: skip
    (out / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")


def _csv(path: Path, heading: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(heading)
        writer.writerows(rows)


def audit_command(out: Path) -> str:
    """How to audit what was made."""
    return (
        f"bodycam audit --store {out / 'stores'} --trust {out / 'authority' / ROOT} --incidents "
        f"{out / 'incidents.csv'} --force {out / 'force.csv'} --assignments {out / 'assignments.csv'} --out {out / 'audit'}"
    )
