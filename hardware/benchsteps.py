"""Steps A01 to A07: board, pins, self-test."""

from __future__ import annotations

import json
import re

from bodycam.clock import MS, NS, SystemClock
from bodycam.config import INPUT_PINS, pin_map
from bodycam.debounce import Edge
from bodycam.errors import DeviceError
from bodycam.gpio import Pins
from bodycam.parts import open_pins

from .rig import ROOT, Outcome, Rig, Talk, judged, left_open, pin_states

# Which encoder each board has; picamera2 looks the same way.
_BOARDS = {"Zero 2": "hardware", "Pi 3": "hardware", "Pi 4": "hardware", "Pi 5": "software"}
_FLICKS_MS = (1, 2, 3, 5, 8, 13, 21, 34, 60)
_ROUNDS = 12
_MUST_BE_LOW = ("haptic", "buzzer", "charge-off")


def board(rig: Rig, _: Talk) -> Outcome:
    """A01. The model by its device tree; the hardware encoder is /dev/video11."""
    wanted = next((kind for name, kind in _BOARDS.items() if name in rig.model), None)
    if wanted is None:
        return judged(False, f"{rig.model}: not a board of BOM.md", model=rig.model)
    found = "hardware" if (rig.root / "dev/video11").exists() else "software"
    return judged(
        found == wanted, f"{rig.model}, {found} encoder", model=rig.model, encoder=found,
        kernel=rig.text("proc/sys/kernel/osrelease"),
    )  # fmt: skip


def pins_at_rest(rig: Rig, talk: Talk) -> Outcome:
    """A02. With the recorder stopped: transistors off, inputs high, lamps dark."""
    rig.run("systemctl", "stop", "bodycam", timeout_s=60)
    pins = pin_map(rig.config)
    shown = rig.run("pinctrl", "get", ",".join(str(pin.bcm) for pin in pins.values()))
    rig.run("systemctl", "start", "bodycam")
    if shown.returncode:
        return left_open(f"pinctrl: {shown.stderr.strip()}; apt-get install raspi-utils")
    states = pin_states(shown.stdout)
    wrong = [
        f"{name} (BCM {pin.bcm}) is {states.get(pin.bcm, ('?', '?'))[1]}"
        for name, pin in pins.items()
        if (name in _MUST_BE_LOW and states.get(pin.bcm, ("", ""))[1] != "lo")
        or (name in INPUT_PINS and states.get(pin.bcm, ("", ""))[1] != "hi")
    ]
    if wrong:
        return judged(False, "; ".join(wrong) + ". Switches off? config.txt as shipped?")
    dark = talk.ask(
        "While the recorder was stopped just now: were all lamps dark and was it still?"
    )
    if dark is None:
        return left_open("nobody looked")
    return judged(dark, "transistors low, inputs high" + ("" if dark else "; but a lamp was lit"))


def radio_silence(rig: Rig, _: Talk) -> Outcome:
    """A03. No network device but loopback, no Bluetooth."""
    net = rig.root / "sys/class/net"
    devices = sorted(path.name for path in net.iterdir()) if net.is_dir() else []
    wireless = [name for name in devices if (net / name / "wireless").exists()]
    blue = sorted(path.name for path in (rig.root / "sys/class/bluetooth").glob("hci*"))
    wired = [name for name in devices if name != "lo" and name not in wireless]
    found = ", ".join(wireless + blue) or "none"
    return judged(not wireless + blue, f"radios: {found}; wired: {', '.join(wired) or 'none'}")


def _selftest(rig: Rig, *options: str) -> tuple[int, dict[str, object]]:
    rig.run("systemctl", "stop", "bodycam", timeout_s=60)
    done = rig.python("-m", "bodycam", "selftest", "--config", str(rig.config_path), "--json",
        *options, timeout_s=300,
    )  # fmt: skip
    rig.run("systemctl", "start", "bodycam")
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = {"error": done.stderr.strip()[-400:]}
    return done.returncode, answer


def selftest(rig: Rig, _: Talk) -> Outcome:
    """A04. `bodycam selftest`, in full, with the recorder stopped."""
    code, answer = _selftest(rig)
    found = f"exit {code}" + (f": {answer['error']}" if "error" in answer else "")
    return judged(code == 0, found, answer=answer)


def lamps(rig: Rig, talk: Talk) -> Outcome:
    """A05. Each output on for a moment; whoever watches says so."""
    talk.tell("Each lamp, the motor and the buzzer go on for a moment, one after the other.")
    code, answer = _selftest(rig, "--lamps")
    seen = talk.ask(
        "Red, green, blue and the public lamp, motor and buzzer: all of them, no other?"
    )
    if seen is None:
        return left_open("nobody looked", answer=answer)
    return judged(bool(seen) and code == 0, f"self-test exit {code}, seen: {seen}", answer=answer)


def _jumper(rig: Rig, talk: Talk) -> bool:
    talk.tell("Take the wires off pins 36 and 11 and join the two pins with one wire.")
    ready = talk.ask("Joined, and the recorder may be stopped?")
    if ready:
        rig.run("systemctl", "stop", "bodycam", timeout_s=60)
    return bool(ready)


def pins_contract(rig: Rig, talk: Talk) -> Outcome:
    """A06. `pytest -m pi`: the same contract as the simulated pins."""
    tests = ROOT / "tests"
    if not tests.is_dir() or rig.python("-c", "import pytest").returncode:
        return left_open("needs a checkout, and pytest: /opt/bodycam/bin/pip install pytest")
    if not _jumper(rig, talk):
        return left_open("no jumper wire")
    done = rig.python("-m", "pytest", "-q", "-m", "pi", str(tests), timeout_s=600)
    last = done.stdout.strip().splitlines()[-1:] or [done.stderr.strip()[-200:]]
    passed = re.search(r"(\d+) passed", last[0])
    return judged(done.returncode == 0 and passed is not None, last[0])


def edges(rig: Rig, talk: Talk) -> Outcome:
    """A07. The buzzer's pin flicks the switch's; each flick must be seen, with its length."""
    if not _jumper(rig, talk):
        return left_open("no jumper wire")
    clock = SystemClock()
    try:
        with open_pins(rig.config, clock, lambda world: world, lambda *_, **__: None) as pins:
            missed, errors_ns = flick(pins, clock, rig)
    except DeviceError as fault:
        return judged(False, str(fault))
    finally:
        talk.tell("Take the jumper off and put the wires of pins 36 and 11 back.")
        rig.run("systemctl", "start", "bodycam")
    flicks = _ROUNDS * len(_FLICKS_MS)
    worst_ms = max(errors_ns, default=0) / MS
    return judged(
        missed == 0 and worst_ms < 5,
        f"{flicks} flicks of 1 to 60 ms, {missed} missed, times within {worst_ms:.2f} ms",
        flicks=flicks, missed=missed, worst_ms=worst_ms,
    )  # fmt: skip


def flick(pins: Pins, clock: SystemClock, rig: Rig, rounds: int = _ROUNDS) -> tuple[int, list[int]]:
    """How many flicks were missed, and by how much the others' times are off."""
    missed, errors_ns = 0, []
    pins.write("buzzer", True)  # high: the switch is active low
    rig.wait(0.2)
    pins.edges(0)
    for length_ms in _FLICKS_MS * rounds:
        sent_ns = []
        for level in (False, True):
            sent_ns.append(clock.boot_ns())
            pins.write("buzzer", level)
            rig.wait(length_ms / 1000)
        seen: list[Edge] = []
        until_ns = clock.boot_ns() + NS // 2
        while len(seen) < 2 and clock.boot_ns() < until_ns:
            seen += [edge for edge in pins.edges(0.1) if edge.pin == "record"]
        if [edge.active for edge in seen] != [True, False]:
            missed += 1
            continue
        errors_ns += [abs(edge.at_ns - at) for edge, at in zip(seen, sent_ns, strict=True)]
    return missed, errors_ns
