"""What can be configured: every key has a unit, a range and a default.

`bodycam.example.toml` documents each key; a test holds the two together. How a file of it is read:
`configfile`; what no single key can say: `configcheck`.
"""

from __future__ import annotations

import tomllib
from enum import Enum
from importlib import resources
from typing import Annotated

import msgspec

from .clock import ClockSource


class CameraSource(Enum):
    """Where pictures come from."""

    SYNTHETIC = "synthetic"
    REPLAY = "replay"
    V4L2 = "v4l2"
    PICAMERA2 = "picamera2"


class AudioSource(Enum):
    """Where sound comes from; `replay` takes the track of the replayed file."""

    NONE = "none"
    SYNTHETIC = "synthetic"
    ALSA = "alsa"
    REPLAY = "replay"


class SwitchKind(Enum):
    """A slide that stays where it is put, or a push button with gestures."""

    SLIDE = "slide"
    BUTTON = "button"


class PinsBackend(Enum):
    """Real pins through libgpiod or the RPi.GPIO interface, or simulated ones on a socket."""

    AUTO = "auto"
    GPIOD = "gpiod"
    RPI = "rpi"
    SIMULATED = "simulated"


class Pull(Enum):
    """The bias resistor of an input."""

    UP = "up"
    DOWN = "down"
    OFF = "off"


class Active(Enum):
    """Which electrical level means "active"."""

    LOW = "low"
    HIGH = "high"


def _int(low: int, high: int, unit: str) -> msgspec.Meta:
    return msgspec.Meta(ge=low, le=high, description=f"a whole number of {unit}, {low} to {high}")


def _text(what: str, pattern: str = r"^.{1,200}$") -> msgspec.Meta:
    return msgspec.Meta(pattern=pattern, description=what)


_NAME = _text("1 to 32 letters, digits, '-' or '.'", r"^[A-Za-z0-9][A-Za-z0-9.-]{0,31}$")
Path_ = Annotated[str, _text("a path")]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file."""


class Device(_Table, frozen=True):
    id: Annotated[str, _NAME] = "BC-0000"
    force: Annotated[str, _NAME] = "example-force"


class Store(_Table, frozen=True):
    path: Path_ = "/var/lib/bodycam"
    runtime: Path_ = "/run/bodycam"
    anchor: Path_ = "/var/lib/bodycam/anchor"
    min_free_mib: Annotated[int, _int(0, 1_000_000, "MiB")] = 8


class Identity(_Table, frozen=True):
    path: Path_ = "/var/lib/bodycam/identity"
    key: Annotated[str, _text("'file' or a 'pkcs11:' URI", r"^(file|pkcs11:.{1,1000})$")] = "file"


class Recipients(_Table, frozen=True):
    classic: bool = True
    post_quantum: bool = False


class Signing(_Table, frozen=True):
    onvif: bool = True


class Camera(_Table, frozen=True):
    source: CameraSource = CameraSource.PICAMERA2
    width: Annotated[int, _int(64, 4096, "pixels")] = 1280
    height: Annotated[int, _int(64, 2304, "pixels")] = 720
    fps: Annotated[int, _int(1, 60, "frames per second")] = 30
    bitrate_kbps: Annotated[int, _int(50, 50_000, "kbit/s")] = 6000
    gop_ms: Annotated[int, _int(200, 5000, "milliseconds")] = 1000
    overlay: bool = True
    lens_check: bool = True
    file: str = ""
    loop: bool = True
    device: str = "/dev/video0"


class Audio(_Table, frozen=True):
    source: AudioSource = AudioSource.ALSA
    device: str = "hw:0,0"
    rate_hz: Annotated[int, _int(8000, 48_000, "hertz")] = 48_000
    channels: Annotated[int, _int(1, 2, "channels")] = 1
    bitrate_kbps: Annotated[int, _int(16, 320, "kbit/s")] = 64


class PreRecord(_Table, frozen=True):
    seconds: Annotated[int, _int(0, 120, "seconds")] = 30
    audio: bool = False


class Ring(_Table, frozen=True):
    reserve_s: Annotated[int, _int(2, 60, "seconds")] = 10
    max_mib: Annotated[int, _int(0, 1024, "MiB")] = 0
    max_units: Annotated[int, _int(100, 1_000_000, "access units")] = 60_000


class Switch(_Table, frozen=True):
    kind: SwitchKind = SwitchKind.SLIDE
    on_stable_ms: Annotated[int, _int(1, 1000, "milliseconds")] = 30
    off_stable_ms: Annotated[int, _int(1, 10_000, "milliseconds")] = 2000
    reread_ms: Annotated[int, _int(10, 1000, "milliseconds")] = 100
    double_press_ms: Annotated[int, _int(100, 2000, "milliseconds")] = 500
    hold_stop_ms: Annotated[int, _int(500, 10_000, "milliseconds")] = 3000


class Recording(_Table, frozen=True):
    post_record_s: Annotated[int, _int(0, 300, "seconds")] = 30
    segment_s: Annotated[int, _int(2, 3600, "seconds")] = 60
    fragment_ms: Annotated[int, _int(50, 500, "milliseconds")] = 300
    max_length_s: Annotated[int, _int(10, 86_400, "seconds")] = 14_400


class Trigger(_Table, frozen=True):
    name: Annotated[str, _NAME]
    pin: Annotated[str, _NAME]
    stable_ms: Annotated[int, _int(1, 10_000, "milliseconds")] = 50


class Mute(_Table, frozen=True):
    allowed: bool = False
    hold_ms: Annotated[int, _int(200, 10_000, "milliseconds")] = 1000


class Covert(_Table, frozen=True):
    allowed: bool = False


class Signals(_Table, frozen=True):
    haptic: bool = True
    buzzer: bool = False
    long_s: Annotated[int, _int(10, 86_400, "seconds")] = 3600


class Watchdog(_Table, frozen=True):
    heartbeat_s: Annotated[int, _int(1, 60, "seconds")] = 10
    stall_ms: Annotated[int, _int(500, 30_000, "milliseconds")] = 2000


_CELL_SENSOR = _text(
    "'battery', 'hwmon:NAME', 'iio:NAME' or 'none'", r"^(battery|none|(hwmon|iio):[\w.-]{1,60})$"
)
_LABEL = _text("at most 60 characters", r"^.{0,60}$")


class Power(_Table, frozen=True):
    sysfs: Path_ = "/sys"
    vcgencmd: str = "vcgencmd"
    cell_sensor: Annotated[str, _CELL_SENSOR] = "battery"
    cell_model: Annotated[str, _LABEL] = ""
    cell_lot: Annotated[str, _LABEL] = ""
    recalled: list[Annotated[str, _text("a model, or how a lot begins")]] = []
    low_percent: Annotated[int, _int(3, 50, "percent")] = 10
    last_percent: Annotated[int, _int(2, 30, "percent")] = 5
    off_percent: Annotated[int, _int(1, 20, "percent")] = 2
    empty_mv: Annotated[int, _int(0, 30_000, "millivolts")] = 3600


_CELSIUS = "degrees Celsius"


class Heat(_Table, frozen=True):
    soc_warn_c: Annotated[int, _int(40, 85, _CELSIUS)] = 70
    soc_shed_c: Annotated[int, _int(40, 85, _CELSIUS)] = 78
    soc_shed_more_c: Annotated[int, _int(40, 85, _CELSIUS)] = 81
    soc_close_c: Annotated[int, _int(40, 85, _CELSIUS)] = 84
    soc_again_c: Annotated[int, _int(30, 82, _CELSIUS)] = 75
    cell_warn_c: Annotated[int, _int(30, 70, _CELSIUS)] = 50
    cell_shed_c: Annotated[int, _int(30, 70, _CELSIUS)] = 55
    cell_close_c: Annotated[int, _int(30, 70, _CELSIUS)] = 60
    cell_again_c: Annotated[int, _int(20, 65, _CELSIUS)] = 50
    cell_cold_c: Annotated[int, _int(-40, 10, _CELSIUS)] = -20
    charge_from_c: Annotated[int, _int(-20, 20, _CELSIUS)] = 0
    charge_to_c: Annotated[int, _int(30, 60, _CELSIUS)] = 45


# What a Pi carries itself: the hubs and Ethernet of Pi 3, 3 B+ and 4.
BUILT_IN_USB = ("0424:9514", "0424:ec00", "0424:2514", "0424:7800", "2109:3431")
_USB_ID = _text("'vvvv:pppp', vendor and product as lsusb has them", r"^[0-9a-f]{4}:[0-9a-f]{4}$")


class Devices(_Table, frozen=True):
    usb_allow: list[Annotated[str, _USB_ID]] = msgspec.field(
        default_factory=lambda: list(BUILT_IN_USB)
    )
    dock: Annotated[str, _text("'vvvv:pppp', or nothing", r"^([0-9a-f]{4}:[0-9a-f]{4})?$")] = ""
    card: Annotated[str, _text("a block device's name, with * and ?")] = "mmcblk*"
    rescan_s: Annotated[int, _int(1, 60, "seconds")] = 10


class Pin(_Table, frozen=True):
    bcm: Annotated[int, _int(0, 27, "BCM numbering")]
    direction: Annotated[str, _text("'in' or 'out'", r"^(in|out)$")]
    active: Active = Active.LOW
    pull: Pull = Pull.OFF
    rest_active: bool = False
    wire: str = ""


class Gpio(_Table, frozen=True):
    backend: PinsBackend = PinsBackend.AUTO
    chip: Annotated[str, _text("a chip's label of up to 31 characters", r"^.{0,31}$")] = ""
    pins: dict[str, Pin] = {}


class Simulate(_Table, frozen=True):
    speed: Annotated[float, msgspec.Meta(ge=0.1, le=1000, description="a factor, 0.1 to 1000")] = 1
    origin_ns: int = 0
    utc_offset_ns: int = 0
    boot_id: str = ""
    source: ClockSource = ClockSource.NTP
    mishaps: str = ""


class Config(_Table, frozen=True):
    """The whole configuration of one camera."""

    device: Device = Device()
    store: Store = Store()
    identity: Identity = Identity()
    recipients: Recipients = Recipients()
    signing: Signing = Signing()
    camera: Camera = Camera()
    audio: Audio = Audio()
    pre_record: PreRecord = PreRecord()
    ring: Ring = Ring()
    switch: Switch = Switch()
    recording: Recording = Recording()
    triggers: list[Trigger] = []
    mute: Mute = Mute()
    covert: Covert = Covert()
    signals: Signals = Signals()
    watchdog: Watchdog = Watchdog()
    power: Power = Power()
    heat: Heat = Heat()
    devices: Devices = Devices()
    gpio: Gpio = Gpio()
    simulate: Simulate | None = None

    @property
    def ring_bytes(self) -> int:
        """Memory of the ring: the pre-record, one GOP and the reserve, at the rate cap."""
        if self.ring.max_mib:
            return self.ring.max_mib * 1024 * 1024
        seconds = self.pre_record.seconds + self.ring.reserve_s + self.camera.gop_ms / 1000
        audio_kbps = 0 if self.audio.source is AudioSource.NONE else self.audio.bitrate_kbps
        rate = (self.camera.bitrate_kbps + audio_kbps) * 125
        return int(seconds * rate * 1.04) + 1024 * 1024


# The inputs and outputs the recorder knows; a pin map names each at most once.
INPUT_PINS = ("record", "marker", "mute", "covert")
CHARGE_OFF = "charge-off"
OUTPUT_PINS = (
    "wearer-red", "wearer-green", "wearer-blue", "public-red", "haptic", "buzzer", CHARGE_OFF,
)  # fmt: skip


def default_pins() -> dict[str, Pin]:
    """The pin map of `hardware/pins.toml`, which drawing, daemon and tests share."""
    text = resources.files("bodycam").joinpath("pins.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text)["pins"], dict[str, Pin])


def pin_map(config: Config) -> dict[str, Pin]:
    """The pins in force: the default map with the file's `[gpio.pins]` laid over it."""
    return {**default_pins(), **config.gpio.pins}
