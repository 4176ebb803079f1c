"""The parts of a recorder as its configuration names them, and the first lines of its log."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from . import __version__
from .boardpins import Note, open_board
from .buffer import PreRecordBuffer, RingLimits
from .clock import MS, NS, Clock, ScaledClock, SystemClock
from .config import Config, Identity, PinsBackend, pin_map
from .configfile import ConfigText
from .contentkeys import ContentKeys, FoundRecipients
from .errors import BodycamError, ConfigError, DeviceError, KeyMissing
from .eventlog import EventLog
from .gpio import Pins
from .intake import CameraHost
from .job import Report
from .keywatch import KeyWatch
from .latekey import LateKey, within
from .logreplay import OpenSegment, Recovered
from .memory import oom_kills
from .mutes import MuteWindows
from .owed import Interrupted
from .pkcs11key import load_token_key, parse_uri
from .power import Strain
from .reboot import RebootRequest
from .recorder import Recorder
from .recordsigner import CLOSING_PATIENCE_S, PATIENCE_S
from .recovery import examine
from .sealer import Sealer
from .segment import SealingKit
from .sensors import Firmware, Sensors
from .signals import Cue
from .signing import NoKey, Signer, load_file_key
from .simulate.pins import SimulatedPins
from .store import Call, Store, storage_error, sync_file
from .worker import Worker


def firmware() -> str:
    return f"bodycam {__version__}"


def log_origin(config: Config) -> str:
    """The event log's name in its checkpoints."""
    return f"{config.device.force}/bodycam/{config.device.id}"


def make_clock(config: Config) -> Clock:
    """The machine's clock, or the simulated one that the configuration describes."""
    simulated = config.simulate
    if simulated is None:
        return SystemClock()
    return ScaledClock(
        simulated.speed,
        simulated.origin_ns,
        simulated.utc_offset_ns,
        simulated.boot_id,
        simulated.source,
    )


def load_key(
    identity: Identity, clock: Clock, closing: ExitStack
) -> tuple[Signer, BodycamError | None]:
    """The device key, or none and why: KeyMissing, or whatever else is wrong with it. Never raises."""
    try:
        if identity.key == "file":
            return load_file_key(Path(identity.path)), None
        uri = parse_uri(identity.key)
        key = within(lambda: load_token_key(uri, Path(identity.path)), clock)
    except (ConfigError, DeviceError) as fault:
        # Unsigned evidence is still evidence; the officer must not be left without.
        return NoKey(), fault
    late = LateKey(key, clock)

    def close() -> None:
        if late.close():
            key.close()

    closing.callback(close)
    return late, None


def make_ring(config: Config) -> PreRecordBuffer:
    seconds = config.pre_record.seconds + config.ring.reserve_s
    size = config.ring_bytes
    return PreRecordBuffer(
        RingLimits(size, seconds * NS, config.ring.max_units, min(size // 8, 1024 * 1024))
    )


def open_pins(
    config: Config, clock: Clock, on_world: Callable[[dict[str, Any]], dict[str, Any]], note: Note
) -> Pins:
    """The pins that the configuration names; `on_world` answers for a simulated world's rest.

    What becomes of them is told to `note` as events of the log. Raises DeviceError if there are
    none; a single line that is missing is a noted fault.
    """
    runtime, pins = Path(config.store.runtime), pin_map(config)
    if config.gpio.backend is PinsBackend.SIMULATED:
        return SimulatedPins(pins, clock, runtime / "pins.sock", on_world)
    try:
        return open_board(config.gpio, pins, clock, runtime, note)
    except DeviceError as fault:
        note("gpio.fault", sync=True, pin=None, reason=str(fault), owner=None)
        raise


def open_sensors(config: Config, clock: Clock, closing: ExitStack) -> Sensors:
    """The sensors below the configured root; only the real one is asked by way of the firmware."""
    power, firmware_ = config.power, None
    if power.sysfs == "/sys" and power.vcgencmd:
        firmware_ = Firmware(power.vcgencmd, clock)
        closing.callback(firmware_.close)
    return Sensors(Path(power.sysfs), power.cell_sensor, firmware_)


def begin_log(
    log: EventLog, recovered: Recovered, config: Config, text: ConfigText, by: str
) -> None:
    """Say who writes from here on, and in which state the log was found."""
    log.append(
        "boot", sync=True, fw=firmware(), device=config.device.id, by=by,
        config_sha256=text.sha256,
        heartbeat_s=config.watchdog.heartbeat_s, pre_record_s=config.pre_record.seconds,
        pre_record_audio=config.pre_record.audio,
    )  # fmt: skip
    for torn in recovered.torn:
        log.append("log.torn", bytes=torn.size_bytes, file=torn.file)
    if recovered.damaged_lines:
        log.append("log.damaged", lines=recovered.damaged_lines)
    if recovered.vouched_lines is not None:
        log.append(
            "log.rollback", sync=True, lines=recovered.lines, vouched=recovered.vouched_lines
        )
    if recovered.unclean:
        log.append("boot.unclean", last_boot=recovered.last_boot, last_ns=recovered.last_boot_ns)


def note_identity(
    log: EventLog, key_fault: BodycamError | None, recipients: FoundRecipients
) -> None:
    """Say what is wrong with who this camera is, and with who can open what it records."""
    if key_fault is not None:
        missing = isinstance(key_fault, KeyMissing)
        log.append("key.missing" if missing else "key.bad", sync=True, reason=str(key_fault))
    for fault in recipients.bad:
        log.append("wrapkey.bad", sync=True, reason=str(fault))
    for folder in recipients.missing:
        log.append("wrapkey.missing", sync=True, folder=str(folder))


def recover(log: EventLog, recovered: Recovered, store: Store, boot_id: str) -> Interrupted:
    """Say what interrupted segments still hold; the recording that the next one goes on with.

    What is said is durable before. A power cut meanwhile leaves some of it said, and the next start
    says the rest, and comes to the same recording.
    """
    same_boot = recovered.last_boot == boot_id
    interrupted = Interrupted()
    if recovered.left is not None:
        remains = examine(store.evidence / recovered.left.file)
        gap_from_ns = remains.end_ns if same_boot and not recovered.gap_told else None
        interrupted = Interrupted(recovered.left.recording, remains.last_box, gap_from_ns)
    for segment in recovered.open_segments:
        path = store.evidence / segment.file
        _settle(log, segment, path)
        remains = examine(path)
        log.append(
            "recovery", rec=segment.recording, seg=segment.segment, file=segment.file,
            frags=remains.fragments, bytes_intact=remains.intact_bytes,
            bytes_total=remains.total_bytes, last=remains.last_box, end=remains.complete,
        )  # fmt: skip
        if remains.last_box and not segment.followed:
            interrupted = Interrupted(
                segment.recording, remains.last_box, remains.end_ns if same_boot else None
            )
    return interrupted


def _settle(log: EventLog, segment: OpenSegment, path: Path) -> None:
    # A killed recorder's pages may be in memory only.
    try:
        sync_file(path)
    except FileNotFoundError:
        pass  # cut off before its name was durable; what remains is nothing
    except OSError as fault:
        log.append(
            "io.error", sync=True, rec=segment.recording, seg=segment.segment, file=segment.file,
            synced_bytes=0, call=Call.SYNC.value, suspect=True, why=str(storage_error(fault, path)),
        )  # fmt: skip


def min_free_bytes(config: Config) -> int:
    """What is left free, so that END and the log find room."""
    return config.store.min_free_mib * 2**20


def make_recorder(
    config: Config, text: ConfigText, clock: Clock, store: Store, log: EventLog,
    ring: PreRecordBuffer, signer: Signer, keys: ContentKeys, cue: Callable[[Cue], None],
    *, can_encrypt: bool, store_takes: Callable[[], bool], interrupted: Interrupted,
    strain: Callable[[], Strain], docked: Callable[[], bool], safe: bool,
    key_watch: KeyWatch,
) -> Recorder:  # fmt: skip
    """The recorder thread with its sealer and its worker, not started; `safe` as the worker has it."""
    kit = SealingKit(
        config.device.id, clock.boot_id, firmware(), signer, keys,
        config.recording.fragment_ms * MS, NS // config.camera.fps, log.head, clock.sample,
        config.signing.onvif, key_watch, clock.real_s(PATIENCE_S), clock.real_s(CLOSING_PATIENCE_S),
    )  # fmt: skip

    def sealer(report: Callable[[Report], None], mutes: MuteWindows) -> Sealer:
        return Sealer(
            store, log, clock, kit, config.recording.segment_s * NS, mutes,
            lambda spare: store.check_room(min_free_bytes(config), spare), report,
        )  # fmt: skip

    reboot = RebootRequest(Path(config.store.runtime), clock, log)
    host = CameraHost(partial(oom_kills, Path(config.power.sysfs)), reboot.ask)
    return Recorder(
        config, clock, log, ring, Worker(ring, clock, text, safe=safe), sealer, cue, host,
        can_encrypt=can_encrypt, store_takes=store_takes, interrupted=interrupted, strain=strain,
        docked=docked,
    )  # fmt: skip
