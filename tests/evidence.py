"""Builds small real evidence for tests: encoded video and sound, a store, a log, an identity.

Everything goes through the recorder's own writer, without its threads; nothing waits for time to
pass.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from cryptography import x509

from bodycam.clock import MS, NS, ClockSource, Instant
from bodycam.contentkeys import ContentKeys
from bodycam.custody.verify import Report, verify_paths
from bodycam.eventlog import EventLog
from bodycam.interleave import Pulled
from bodycam.media import AccessUnit, AudioFormat, Track, aac_config
from bodycam.mutes import MuteWindows
from bodycam.provision.identity import Identity, make_identity
from bodycam.recording import CloseReason, RecordingFacts, RecordingWriter
from bodycam.segment import SealingKit
from bodycam.signing import NoKey, Signer, load_file_key, load_recipients, load_root
from bodycam.store import Store

DEVICE = "cam-0001"
BOOT_ID = "6f1f7a1c-9c0f-4a55-8f0e-3d8f5c1b2a40"
RECORDING = "0b8c9d2e-1111-4222-8333-444455556666"
UTC_NS = 1_780_000_000 * NS
START_NS = 1_000 * NS
FPS = 30
FRAME_NS = NS // FPS
RATE_HZ = 48_000
AUDIO = AudioFormat(RATE_HZ, 1, aac_config(RATE_HZ, 1))

Edit = Callable[[list[AccessUnit]], list[AccessUnit]]


class SteppedClock:
    """A clock that stands still until it is set."""

    boot_id = BOOT_ID

    def __init__(self, boot_ns: int = START_NS, source: ClockSource = ClockSource.NTP) -> None:
        self.now_ns = boot_ns
        self.source = source
        self.unc_ms = 5

    def boot_ns(self) -> int:
        return self.now_ns

    def boot_at(self, monotonic_ns: int) -> int:
        return monotonic_ns

    def sample(self) -> Instant:
        return Instant(self.now_ns, UTC_NS + self.now_ns - START_NS, self.source, self.unc_ms)

    def real_s(self, seconds: float) -> float:
        return seconds


def _pictures(frames: int, options: dict[str, str], width: int, height: int) -> list[AccessUnit]:
    codec = av.CodecContext.create("libx264", "w")
    assert isinstance(codec, av.VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
    codec.time_base, codec.framerate = Fraction(1, FPS), Fraction(FPS)
    codec.options = {
        "preset": "ultrafast", "bf": "0", "g": "15", "keyint_min": "15", "sc_threshold": "0",
        "threads": "1", "qp": "36", "x264-params": "repeat-headers=1:annexb=1", **options,
    }  # fmt: skip
    noise = np.random.default_rng(7).integers(0, 255, (height * 3 // 2, width), np.uint8)
    units: list[AccessUnit] = []

    def take(packets: Sequence[Any]) -> None:
        units.extend(
            AccessUnit(
                Track.VIDEO, START_NS + packet.pts * FRAME_NS, packet.is_keyframe, packet.pts,
                bytes(packet),
            )
            for packet in packets
        )  # fmt: skip

    for number in range(frames):
        frame = av.VideoFrame.from_ndarray(np.roll(noise, 3 * number, axis=1), format="yuv420p")
        frame.pts = number
        take(codec.encode(frame))
    take(codec.encode(None))
    return units


def _sounds(seconds: int) -> list[AccessUnit]:
    codec = av.CodecContext.create("aac", "w")
    assert isinstance(codec, av.AudioCodecContext)
    codec.sample_rate, codec.layout, codec.format = RATE_HZ, "mono", "fltp"
    times = np.arange(seconds * RATE_HZ) / RATE_HZ
    wave = (0.3 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)
    packets = []
    for at in range(0, len(wave) - 1023, 1024):
        frame = av.AudioFrame.from_ndarray(wave[None, at : at + 1024], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = RATE_HZ, at
        packets += codec.encode(frame)
    return [
        AccessUnit(Track.AUDIO, START_NS + i * 1024 * NS // RATE_HZ, True, i, bytes(packet))
        for i, packet in enumerate(packets)
    ]


@cache
def footage(
    seconds: int = 4, *, slices: int = 1, bframes: int = 0, width: int = 320, height: int = 180
) -> tuple[AccessUnit, ...]:
    """Real H.264 and AAC in order of capture, encoded once a test run."""
    options = {"bf": str(bframes)}
    if slices > 1:
        options["slices"] = str(slices)
    units = _pictures(seconds * FPS, options, width, height) + _sounds(seconds)
    return tuple(sorted(units, key=lambda unit: (unit.at_ns, unit.track)))


def of_track(units: Sequence[AccessUnit], track: Track) -> list[AccessUnit]:
    return [unit for unit in units if unit.track is track]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A store with what was recorded into it, and the keys of its force."""

    store: Path
    identity: Identity
    recording: str
    units: tuple[AccessUnit, ...]

    @property
    def folder(self) -> Path:
        return self.store / "evidence" / self.recording

    @property
    def segments(self) -> list[Path]:
        return sorted(self.folder.glob("*.mp4"))

    @property
    def log(self) -> Path:
        return self.store / "log" / "events.jsonl"

    @property
    def root(self) -> x509.Certificate:
        return load_root(self.identity.root)

    @property
    def custody_key(self) -> Path:
        return self.identity.recipient_key("custody")

    def verify(self, *paths: Path) -> Report:
        """The shipped verifier's answer, for the whole store if nothing else is named."""
        return verify_paths(paths or [self.store], self.root)

    def copy(self, folder: Path) -> Evidence:
        """The same evidence in another place, to be spoiled there."""
        shutil.copytree(self.store, folder / "store")
        return Evidence(folder / "store", self.identity, self.recording, self.units)


class Camera:
    """The recorder without threads: a store, a log, and recordings made one after another."""

    def __init__(
        self, folder: Path, *, signer: Signer | None = None, device: str = DEVICE,
        clock: SteppedClock | None = None, fragment_ns: int = 500 * MS,
    ) -> None:  # fmt: skip
        self.folder = folder
        self.device = device
        if (folder / "identity").is_dir():
            self.identity = Identity(folder / "identity", folder / "authority")
        else:
            self.identity = make_identity(folder, device, UTC_NS)
        self.signer = load_file_key(self.identity.identity) if signer is None else signer
        self.clock = clock or SteppedClock()
        self.store = Store(folder / "store", self.clock)
        self.store.open()
        self.log = EventLog(self.store.log, self.clock, f"example/bodycam/{device}", self.signer)
        self.log.open()
        self.log.append("boot", sync=True, fw="bodycam test", config_sha256="0" * 64)
        self.log.append("ready")
        self.kit = SealingKit(
            device, self.clock.boot_id, "bodycam test", self.signer,
            ContentKeys(load_recipients(self.identity.identity)), fragment_ns, FRAME_NS,
            self.log.head, self.clock.sample,
        )  # fmt: skip

    def record(
        self, units: Sequence[AccessUnit], recording: str = RECORDING, *, segment_s: int = 2,
        audio: AudioFormat | None = AUDIO, audio_from_ns: int = 0,
        reason: CloseReason | None = CloseReason.STOP, **facts: Any,
    ) -> RecordingWriter:  # fmt: skip
        """One recording from these units; without a reason it is left open, as by a crash."""
        pressed_ns = units[0].at_ns
        seq = self.log.append(
            "switch.on", pressed_ns, sync=True, pin="switch", settled_ns=pressed_ns
        )
        self.log.append(
            "activation.start", pressed_ns, rec=recording, cause="switch", trigger_seq=seq
        )
        writer = RecordingWriter(
            self.store, self.kit, self.log,
            RecordingFacts(
                recording, "switch", seq, pressed_ns, {"asked_ms": 0, "actual_ms": 0},
                audio_from_ns, **facts,
            ),
            segment_s * NS, MuteWindows(),
        )  # fmt: skip
        for index, unit in enumerate(units):
            self.clock.now_ns = max(self.clock.now_ns, unit.at_ns)
            writer.take(Pulled(index, unit), audio)
        self.log.append(
            "rec.start", writer.first_ns, rec=recording, first_ns=writer.first_ns,
            pressed_ns=pressed_ns, asked_ms=0, actual_ms=0, reason="disabled", audio=True,
        )  # fmt: skip
        if reason is not None:
            self.clock.now_ns += FRAME_NS
            writer.close_segment(reason, None)
            self.log.append("rec.stop", rec=recording, last_ns=writer.last_picture_ns,
                            reason=reason.value)  # fmt: skip
            self.log.append("switch.off", pin="switch", settled_ns=self.clock.now_ns)
        return writer

    def stop(self, *, orderly: bool = True) -> None:
        """End as the daemon does: shutdown, checkpoint, close; or as if it had been killed."""
        if orderly:
            self.log.append("shutdown", sync=True, reason="test")
            self.log.checkpoint()
        self.log.close()
        self.store.close()


def build_store(
    folder: Path, *, units: Sequence[AccessUnit] | None = None, signed: bool = True,
    edit: Edit | None = None, **record: Any,
) -> Evidence:  # fmt: skip
    """A store with one recording of a few segments, its log and checkpoint."""
    shot = list(footage() if units is None else units)
    if edit is not None:
        shot = edit(shot)
    camera = Camera(folder, signer=None if signed else NoKey())
    camera.record(shot, **record)
    camera.stop()
    return Evidence(
        camera.store.root, camera.identity, record.get("recording", RECORDING), tuple(shot)
    )
