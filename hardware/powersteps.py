"""Steps A17 to A23: charging, heat, gauge, clock, and what a hand must try."""

from __future__ import annotations

import re

from .rig import Outcome, Rig, Talk, judged, left_open

_SOAK_MIN = 30
_EVERY_S = 10


def _asked(talk: Talk, *questions: str) -> Outcome:
    answers = [talk.ask(question) for question in questions]
    failed = [question for question, good in zip(questions, answers, strict=True) if good is False]
    if failed:
        return judged(False, "; ".join(failed))
    if None in answers:
        return left_open("not all was tried")
    return judged(True, "as asked")


def charge_off(rig: Rig, talk: Talk) -> Outcome:
    """A17. The charger's lamp goes out whenever nobody watches the cell."""
    talk.tell("Dock the camera with a battery that is not full. Watch the charger's own CHG lamp.")
    first = talk.ask("The recorder is running, the cell is at room temperature: is CHG on?")
    rig.run("systemctl", "stop", "bodycam", timeout_s=60)
    second = talk.ask("The recorder is stopped: did CHG go out?")
    rig.run("systemctl", "start", "bodycam")
    third = talk.ask("It runs again: is CHG on again after a few seconds?")
    fourth = talk.ask("Pull the sleeve 21 off the header: did CHG go out? (Put it back.)")
    answers = (first, second, third, fourth)
    if None in answers:
        return left_open("not all was tried", answers=list(answers))
    return judged(all(answers), f"running, stopped, running, wire off: {answers}")


def thermistor(_: Rig, talk: Talk) -> Outcome:
    """A18. The charger alone, without the Pi: S1 off, CE to ground by hand."""
    talk.tell("S1 off: the Pi is dead. Join CE to GND with a clip: the charger may charge. Warm the NTC, "
              "not the cell, with air of 60 °C; then cool it with ice in a bag.")  # fmt: skip
    return _asked(
        talk,
        "Does CHG go out when the NTC is hot, and come back when it cools?",
        "Does CHG go out when the NTC is at ice, and come back when it warms?",
        "Is the clip off CE again, and CHG out?",
    )


def _degrees(rig: Rig, path: str) -> float | None:
    found = rig.text(path)
    return int(found) / 1000 if found and re.fullmatch(r"-?\d+", found) else None


def temperatures(rig: Rig) -> dict[str, float]:
    """SoC and cell, in degrees; what cannot be read is left out."""
    paths = {"soc": "sys/class/thermal/thermal_zone0/temp"}
    for folder in sorted((rig.root / "sys/class/hwmon").glob("hwmon*")):
        shown = folder.relative_to(rig.root)
        if f"hwmon:{rig.text(f'{shown}/name')}" == rig.config.power.cell_sensor:
            paths["cell"] = f"{shown}/temp1_input"
    found = {name: _degrees(rig, path) for name, path in paths.items()}
    return {name: degrees for name, degrees in found.items() if degrees is not None}


def heat(rig: Rig, talk: Talk) -> Outcome:
    """A19. Half an hour of recording in the closed box; what it reaches, and what the skin would feel."""
    air_c = talk.number("Box closed, in still air. Degrees of the air?")
    if air_c is None or not talk.ask(f"Slide on for {_SOAK_MIN} minutes?"):
        return left_open("not soaked")
    hottest: dict[str, float] = {}
    for _ in range(_SOAK_MIN * 60 // _EVERY_S):
        for name, degrees in temperatures(rig).items():
            hottest[name] = max(degrees, hottest.get(name, degrees))
        rig.wait(_EVERY_S)
    throttled = rig.run("vcgencmd", "get_throttled").stdout.strip()
    skin_c = talk.number("Degrees of the hottest spot on the body's side, by a thermocouple?")
    talk.tell("Slide off.")
    if "soc" not in hottest or "cell" not in hottest:
        missing = " and ".join(sorted({"soc", "cell"} - hottest.keys()))
        return judged(False, f"no temperature of {missing}", **hottest)
    limits = rig.config.heat
    good = hottest["soc"] < limits.soc_close_c and hottest["cell"] < limits.cell_close_c
    found = f"SoC {hottest['soc']:.1f}, cell {hottest['cell']:.1f}, skin {skin_c}, air {air_c:g} °C"
    return judged(good, found, throttled=throttled, air_c=air_c, skin_c=skin_c, **hottest)


def dock_wake(_: Rig, talk: Talk) -> Outcome:
    """A20. Off by itself, then docked: it must start, or an empty camera is never charged."""
    talk.tell("`systemctl poweroff`, wait until it is off, S1 stays on, then dock it. When it runs again, "
              "run this again and answer.")  # fmt: skip
    return _asked(
        talk,
        "Undocked and switched off, then docked: did it start by itself?",
        "Running, docked and undocked three times: did it go on recording, without a restart?",
    )


def gauge(rig: Rig, talk: Talk) -> Outcome:
    """A21. The gauge's voltage beside a meter's."""
    for folder in sorted((rig.root / "sys/class/power_supply").glob("*")):
        shown = folder.relative_to(rig.root)
        microvolts = rig.text(f"{shown}/voltage_now")
        percent = rig.text(f"{shown}/capacity")
        if microvolts is None or percent is None:
            continue
        meter_v = talk.number("Volts at the pack's terminals, by a meter?")
        if meter_v is None:
            return left_open("nobody measured")
        gauge_v = int(microvolts) / 1e6
        return judged(
            abs(gauge_v - meter_v) <= 0.05 and 0 <= int(percent) <= 100,
            f"{folder.name}: {gauge_v:.3f} V beside {meter_v:.3f} V, {percent} %",
            gauge_v=gauge_v, meter_v=meter_v, percent=int(percent),
        )  # fmt: skip
    return judged(False, "no battery in /sys/class/power_supply: overlay loaded, I2C on?")


def clock(rig: Rig, talk: Talk) -> Outcome:
    """A22. An hour without power, without a network: the clock must not have stood still."""
    if not list((rig.root / "dev").glob("rtc*")):
        return judged(False, "no /dev/rtc: overlay loaded?")
    talk.tell(
        "Set the time from a network or by hand. S1 off and dock out for an hour. Power on, no network."
    )
    off_s = talk.number("By how many seconds is `date` wrong beside a clock you trust?")
    if off_s is None:
        return left_open("not tried")
    return judged(abs(off_s) <= 2, f"{off_s:g} s after an hour without power", off_s=off_s)


def by_hand(_: Rig, talk: Talk) -> Outcome:
    """A23. What a hand and an eye must try."""
    return _asked(
        talk,
        "With a winter glove, without looking: slide found, thrown and felt, five times of five?",
        "A recording in the dark with a street lamp in the picture: no ghost of the lens window?",
        "The picture's corners: no collar, no finger of the case?",
        "Speech at 2 m, in the wind of a fan: can every word be understood?",
        "Public lamp: seen from 5 m in daylight?",
    )
