"""What no single key of a configuration can say: how the keys must fit together."""

from __future__ import annotations

from .config import (
    CHARGE_OFF,
    INPUT_PINS,
    OUTPUT_PINS,
    AudioSource,
    CameraSource,
    Config,
    default_pins,
    pin_map,
)
from .errors import ConfigError


def check(config: Config, where: str) -> None:
    """Raises ConfigError for the first thing that does not fit; `where` names the file in it."""
    camera, audio = config.camera, config.audio
    if camera.width % 2 or camera.height % 2:
        raise ConfigError(
            f"{where}: camera.width, camera.height: {camera.width}x{camera.height}; "
            "accepted: even numbers of pixels"
        )
    if camera.source is CameraSource.REPLAY and not camera.file:
        raise ConfigError(f"{where}: camera.file: empty; accepted: an MP4 or H.264 file to replay")
    if audio.source is AudioSource.REPLAY and camera.source is not CameraSource.REPLAY:
        raise ConfigError(
            f"{where}: audio.source: 'replay' without camera.source = 'replay'; "
            "accepted: 'none', 'synthetic', 'alsa'"
        )
    if audio.rate_hz not in (8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000):
        raise ConfigError(
            f"{where}: audio.rate_hz: {audio.rate_hz}; accepted: 8000, 16000, 22050, 24000, "
            "32000, 44100, 48000 hertz"
        )
    if config.ring.max_mib and config.ring_bytes < 2 * camera.bitrate_kbps * 125:
        raise ConfigError(
            f"{where}: ring.max_mib: {config.ring.max_mib} MiB hold less than 2 s at "
            f"camera.bitrate_kbps = {camera.bitrate_kbps}; accepted: 0 (automatic) or more MiB"
        )
    if not (config.recipients.classic or config.recipients.post_quantum):
        raise ConfigError(
            f"{where}: recipients.classic, recipients.post_quantum: both false; "
            "accepted: at least one, for nothing is recorded in clear"
        )
    _check_pins(config, where)
    _check_levels(config, where)


def _check_pins(config: Config, where: str) -> None:
    pins = pin_map(config)
    trigger_pins = [t.pin for t in config.triggers]
    known = {*INPUT_PINS, *OUTPUT_PINS, *default_pins(), *trigger_pins}
    for name in config.gpio.pins:
        if name not in known:
            raise ConfigError(
                f"{where}: gpio.pins.{name}: no such pin; accepted: {', '.join(sorted(known))}"
            )
    owners: dict[int, str] = {}
    for name, pin in pins.items():
        if pin.bcm in owners:
            raise ConfigError(
                f"{where}: gpio.pins.{name}: BCM {pin.bcm} is also {owners[pin.bcm]}; "
                "accepted: one pin for one purpose"
            )
        owners[pin.bcm] = name
        wanted = "out" if name in OUTPUT_PINS else "in"
        if pin.direction != wanted:
            raise ConfigError(
                f"{where}: gpio.pins.{name}.direction: '{pin.direction}'; accepted: '{wanted}'"
            )
    if not pins[CHARGE_OFF].rest_active:
        raise ConfigError(
            f"{where}: gpio.pins.charge-off.rest_active: false; accepted: true, "
            "for nothing may charge while nobody watches"
        )
    names, taken = {"switch"}, set[str]()
    for trigger in config.triggers:
        if trigger.pin not in pins or trigger.pin in (*INPUT_PINS, *OUTPUT_PINS):
            raise ConfigError(
                f"{where}: triggers.{trigger.name}.pin: '{trigger.pin}' is not a free input; "
                "accepted: a pin of [gpio.pins] with direction = 'in'"
            )
        if trigger.name in names or trigger.pin in taken:
            raise ConfigError(
                f"{where}: triggers.{trigger.name}: name or pin is taken; "
                "accepted: a name and a pin of its own, and not the name 'switch'"
            )
        names.add(trigger.name)
        taken.add(trigger.pin)


def _check_levels(config: Config, where: str) -> None:
    """The levels of one quantity follow one another, or its ladder makes no sense."""
    heat, power = config.heat, config.power
    for table, names in (
        (heat, ("soc_warn_c", "soc_shed_c", "soc_shed_more_c", "soc_close_c")),
        (heat, ("soc_again_c", "soc_close_c")),
        (heat, ("cell_warn_c", "cell_shed_c", "cell_close_c")),
        (heat, ("cell_again_c", "cell_close_c")),
        (heat, ("charge_to_c", "cell_close_c")),
        (power, ("off_percent", "last_percent", "low_percent")),
    ):
        values = [getattr(table, name) for name in names]
        if values != sorted(set(values)):
            kind = type(table).__name__.lower()
            raise ConfigError(
                f"{where}: {', '.join(f'{kind}.{name}' for name in names)}: {values}; "
                "accepted: each higher than the one before"
            )
