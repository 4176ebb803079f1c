"""Checks of the unit around the camera: clock, battery, heat, room on the card."""

from __future__ import annotations

from pathlib import Path

from ..clock import ClockSource, Instant, utc_text
from ..config import AudioSource, Config, Heat, Power
from ..errors import ExitCode, StorageError
from ..gauge import Battery
from ..power import UNDERVOLT, recall
from ..powerevents import PowerReading
from ..store import Space, Store
from .result import CheckResult, failed, not_tested, ok, warn

_LOW_PERCENT = 30
_SHIFT_HOURS = 12
_CLOCK_UNC_MS = 60_000


def record_bytes_per_s(config: Config) -> int:
    """What a recording puts on the card, at the rate cap."""
    audio_kbps = 0 if config.audio.source is AudioSource.NONE else config.audio.bitrate_kbps
    return (config.camera.bitrate_kbps + audio_kbps) * 125


def space_of(store: Store, config: Config) -> CheckResult:
    """What `check_space` makes of the room there is now."""
    try:
        return check_space(store.space(), config)
    except StorageError:
        return check_space(None, config)


def check_space(space: Space | None, config: Config) -> CheckResult:
    """There is room for a recording now, and for a shift."""
    if space is None:
        return failed("space", "cannot be read", "Check card and mount", ExitCode.STORAGE)
    room = max(0, space.free_bytes - config.store.min_free_mib * 2**20)
    minutes = room // record_bytes_per_s(config) // 60
    text = f"{space.free_bytes // 2**20} MiB free, {minutes // 60} h {minutes % 60:02d} min"
    if minutes < 1:
        return failed(
            "space", f"{text} of recording: the card is full",
            "Dock the camera to offload; nothing is deleted", ExitCode.STORAGE,
            free_bytes=space.free_bytes, minutes=minutes,
        )  # fmt: skip
    if minutes < _SHIFT_HOURS * 60:
        return warn(
            "space", f"{text} of recording, less than a shift of {_SHIFT_HOURS} h",
            "Dock the camera to offload before the shift",
            free_bytes=space.free_bytes, minutes=minutes,
        )  # fmt: skip
    return ok("space", f"{text} of recording", free_bytes=space.free_bytes, minutes=minutes)


def check_clock(now: Instant, sysfs: Path) -> CheckResult:
    """Somebody set the time of day, and a clock keeps it while the unit is off."""
    rtc = next(iter(sorted(sysfs.glob("class/rtc/rtc*"))), None)
    source, unc_ms = now.source.value, now.unc_ms
    text = f"{utc_text(now.utc_ns)[:19]}Z by {source}, +-{unc_ms} ms"
    if now.source is ClockSource.NONE:
        return warn(
            "clock", "nobody has set it: evidence will have no time of day",
            "Dock the camera or give it a network, and fit an RTC", source=source, rtc=rtc is not None,
        )  # fmt: skip
    if rtc is None:
        return warn(
            "clock", f"{text}; no RTC: after a power cut it is not set",
            "Fit an RTC (hardware/README.md)", source=source, unc_ms=unc_ms, rtc=False,
        )  # fmt: skip
    if unc_ms > _CLOCK_UNC_MS:
        return warn(
            "clock", text, "Dock the camera, so that its clock is set",
            source=source, unc_ms=unc_ms, rtc=True,
        )  # fmt: skip
    return ok("clock", f"{text}; RTC there", source=source, unc_ms=unc_ms, rtc=True)


def check_battery(reading: PowerReading, power: Power) -> CheckResult:
    """Charged, and the supply holds."""
    battery = reading.battery or Battery()
    percent = battery.percent if battery.percent in range(101) else None
    minutes = None if battery.seconds_left is None else battery.seconds_left // 60
    undervolt = None if reading.throttled is None else UNDERVOLT in reading.throttled
    if undervolt:
        return failed(
            "battery", "the supply is too weak: under-voltage",
            "Replace battery, cable or regulator", ExitCode.FAILURE,
            percent=percent, undervolt=True,
        )  # fmt: skip
    if percent is None:
        return warn(
            "battery", "no gauge answers: nobody will be warned before it is empty",
            "Check the gauge's wires and its overlay in config.txt", undervolt=undervolt,
        )  # fmt: skip
    text = f"{percent} %" + (
        "" if minutes is None else f", {minutes // 60} h {minutes % 60:02d} min"
    )
    if percent <= power.low_percent:
        return failed(
            "battery", text, "Charge it before the shift", ExitCode.FAILURE,
            percent=percent, minutes=minutes,
        )  # fmt: skip
    if percent <= _LOW_PERCENT:
        return warn("battery", text, "Charge it before the shift", percent=percent, minutes=minutes)
    return ok("battery", text, percent=percent, minutes=minutes)


def check_cell(reading: PowerReading, config: Config) -> CheckResult:
    """The cell may be charged: not recalled, and its temperature is known and in range."""
    recalled = recall(reading.battery or Battery(), config.power)
    if recalled is not None:
        return failed(
            "cell", f"{recalled.model} {recalled.serial}".strip() + " is on the recall list",
            "Take the cell out; keep it outdoors until it is collected", ExitCode.DEVICE,
            model=recalled.model, serial=recalled.serial,
        )  # fmt: skip
    milli_c, heat = reading.cell_milli_c, config.heat
    if config.power.cell_sensor == "none":
        return not_tested("cell", "no sensor at the cell: its charger has to guard it alone")
    if milli_c is None:
        return warn(
            "cell", "its temperature is not known: it will not be charged",
            "Check the thermistor, and [power] cell_sensor",
        )  # fmt: skip
    text = f"{milli_c / 1000:.0f} C"
    if milli_c >= heat.cell_shed_c * 1000:
        return failed(
            "cell", f"{text}: near the end of what it stands", "Take the unit off, let it cool apart",
            ExitCode.DEVICE, cell_milli_c=milli_c,
        )  # fmt: skip
    if not heat.charge_from_c * 1000 <= milli_c <= heat.charge_to_c * 1000:
        return warn(
            "cell", f"{text}: it will not be charged",
            f"Bring it to between {heat.charge_from_c} and {heat.charge_to_c} C",
            cell_milli_c=milli_c,
        )  # fmt: skip
    return ok("cell", text, cell_milli_c=milli_c)


def check_heat(reading: PowerReading, heat: Heat) -> CheckResult:
    """Cool enough to record for a shift."""
    milli_c = reading.soc_milli_c
    if milli_c is None:
        return not_tested("heat", "no temperature sensor answers")
    text, low, high = f"{milli_c / 1000:.0f} C", heat.soc_warn_c, heat.soc_shed_c
    if milli_c >= high * 1000:
        return failed(
            "heat", f"{text}: it will stop recording soon", "Let it cool, and find out why",
            ExitCode.FAILURE, soc_milli_c=milli_c,
        )  # fmt: skip
    if milli_c >= low * 1000:
        return warn("heat", text, "Let it cool before the shift", soc_milli_c=milli_c)
    return ok("heat", text, soc_milli_c=milli_c)
