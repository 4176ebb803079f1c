"""One recording: which access unit goes into which segment.

A segment always begins with a keyframe. A new one is opened when the policy's length is reached,
on a jump of capture time of more than a second, after a worker restart, and when parameter sets or
the sound format change; not one unit is lost or repeated there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from .clock import NS, ClockSource
from .errors import EvidenceError, StorageError, StorageFull
from .eventlog import EventLog
from .formats.onvif import OnvifSigner, before_picture
from .formats.records import NO_PREVIOUS
from .interleave import Pulled
from .media import (
    AccessUnit,
    AudioFormat,
    Buffer,
    Track,
    VideoFormat,
    is_b_slice,
    is_vcl,
    split_annexb,
    video_format,
)
from .mutes import MuteWindows
from .segment import SealingKit, SegmentStart, SegmentWriter
from .store import SegmentFile, Store

JUMP_NS = NS
# `saiz` counts a sample's entry in one byte: 10 bytes and 6 a subsample, of which a picture may
# need one more for a clear run over 64 KiB.
MAX_SLICES = 32
# GOPs of which a part may lie in the fragment that is not sealed yet.
_UNSEALED_GOPS = 8


class CloseReason(Enum):
    """Why a segment was closed, as its END says."""

    STOP = "stop"
    ROTATE = "rotate"
    AUTO_ROLL = "auto-roll"
    JUMP = "jump"
    WORKER_RESTART = "worker-restart"
    FORMAT_CHANGE = "format-change"
    STORAGE_FULL = "storage-full"
    BATTERY = "battery"
    HEAT = "heat"
    RECALL = "recall"
    SHUTDOWN = "shutdown"


# Nothing follows in this recording that could vouch for its END, and nothing waits for it.
_AT_LEISURE = frozenset({CloseReason.STOP, CloseReason.AUTO_ROLL})


@dataclass(frozen=True, slots=True)
class RecordingFacts:
    """What is known when a recording starts."""

    recording: str
    cause: str
    trigger_seq: int
    pressed_ns: int
    pre_record: dict[str, Any]
    audio_from_ns: int
    continues: str | None = None
    previous: str = NO_PREVIOUS


class RecordingWriter:
    """Writes the segments of one recording from units in order of capture."""

    def __init__(
        self,
        store: Store,
        kit: SealingKit,
        log: EventLog,
        facts: RecordingFacts,
        segment_ns: int,
        mutes: MuteWindows,
        onvif: OnvifSigner | None = None,
    ) -> None:
        self._store = store
        self._kit = kit
        self._log = log
        self.facts = facts
        self._segment_ns = segment_ns
        self._mutes = mutes
        # One stream through all segments, gaps too: a GOP is signed in the next one, wherever.
        self.onvif = onvif or kit.onvif_signer()
        self._segment: SegmentWriter | None = None
        self._next_segment = 0
        self._previous = facts.previous
        self._segment_ns_start = 0
        self._last_picture_ns: int | None = None
        self._last_epoch: int | None = None
        self._dropped = 0
        self._unsealed: list[Pulled] = []
        self.bad_units = 0
        self.first_ns: int | None = None
        self.sealed_until_ns: int | None = None
        self.durable_until_ns: int | None = None

    @property
    def segment(self) -> SegmentWriter | None:
        return self._segment

    @property
    def last_picture_ns(self) -> int | None:
        """Capture time of the newest picture that was taken."""
        return self._last_picture_ns

    @property
    def last_box(self) -> str:
        """Hash of the last signature box written: what the next recording may chain to."""
        return self._segment.last_box if self._segment else self._previous

    @property
    def first_unsealed(self) -> int | None:
        """Ring index of the oldest picture that is not in a fragment yet."""
        return self._unsealed[0].index if self._unsealed else None

    def take(self, pulled: Pulled, audio: AudioFormat | None) -> bool:
        """Take one unit, in order of capture; True if that sealed a fragment.

        `audio` is the sound format in force. Raises StorageError as the store does; the unit is
        then not taken.
        """
        if pulled.unit.track is Track.AUDIO:
            self._sound(pulled)
            return False
        return self._picture(pulled, audio)

    def _sound(self, pulled: Pulled) -> None:
        unit, segment = pulled.unit, self._segment
        if segment is None or segment.audio is None or unit.at_ns < self.facts.audio_from_ns:
            return
        if self._mutes.covers(unit.at_ns):
            segment.count_muted()
            return
        segment.add_sound(unit.at_ns, bytes(unit.data))

    def _picture(self, pulled: Pulled, audio: AudioFormat | None) -> bool:
        unit = pulled.unit
        try:
            nals = parse_picture(unit.data)
            found = video_format(nals) if unit.keyframe else None
            self._check_sets(unit, found)
        except EvidenceError as fault:
            self._refuse(unit, str(fault))
            return False
        sealed = False
        reason = self._roll_reason(pulled, found, audio)
        if reason is not None and found is not None:
            sealed = self._roll(reason, pulled, found, audio)
        segment = self._segment
        if segment is None or (reason is None and unit.epoch != self._last_epoch):
            # Nothing to decode it with: its keyframe was refused.
            self._dropped += 1 + unit.dropped
            return False
        if segment.would_overflow(unit.at_ns):
            self.seal(unit.at_ns)
            sealed = True
        segment.add_picture(
            unit.at_ns, self._signed(unit, nals), keyframe=unit.keyframe,
            dropped=unit.dropped + self._dropped,
        )  # fmt: skip
        self._dropped = 0
        self._unsealed.append(pulled)
        self._last_picture_ns, self._last_epoch = unit.at_ns, unit.epoch
        if self.first_ns is None:
            self.first_ns = unit.at_ns
        return sealed

    def _check_sets(self, unit: AccessUnit, found: VideoFormat | None) -> None:
        """A segment goes on with the parameter sets it has; none begins without, nor does a worker."""
        if not unit.keyframe or found is not None:
            return
        if self._segment is None or unit.epoch != self._last_epoch:
            raise EvidenceError("keyframe without its parameter sets")
        self._count_bad(unit, "keyframe without its parameter sets: the segment's hold")

    def _signed(self, unit: AccessUnit, nals: Sequence[Buffer]) -> Sequence[Buffer]:
        if self.onvif is None:
            return nals
        utc_ns = None
        if unit.keyframe:
            sample = self._kit.clock_sample()
            utc_ns = None if sample.source is ClockSource.NONE else sample.utc_at(unit.at_ns)
        return before_picture(nals, self.onvif.feed(nals, unit.at_ns, utc_ns))

    def _refuse(self, unit: AccessUnit, why: str) -> None:
        self._dropped += 1 + unit.dropped
        self._count_bad(unit, why)

    def _count_bad(self, unit: AccessUnit, why: str) -> None:
        # The first is logged with its reason, then powers of two: a broken encoder makes 30 a second.
        self.bad_units += 1
        if self.bad_units & (self.bad_units - 1) == 0:
            self._log.append("nal.bad", unit.at_ns, count=self.bad_units, why=why)

    def _roll_reason(
        self, pulled: Pulled, found: VideoFormat | None, audio: AudioFormat | None
    ) -> CloseReason | None:
        unit, segment = pulled.unit, self._segment
        if not unit.keyframe:
            return None
        if segment is None:
            return CloseReason.ROTATE
        if unit.epoch != self._last_epoch:
            return CloseReason.WORKER_RESTART
        last = self._last_picture_ns or unit.at_ns
        if not 0 <= unit.at_ns - last <= JUMP_NS:
            return CloseReason.JUMP
        if found is not None and (found.sps, found.pps) != (segment.video.sps, segment.video.pps):
            return CloseReason.FORMAT_CHANGE
        if audio != segment.audio:
            return CloseReason.FORMAT_CHANGE
        if unit.at_ns - self._segment_ns_start >= self._segment_ns - self._kit.frame_ns // 2:
            return CloseReason.ROTATE
        return None

    def _roll(
        self, reason: CloseReason, pulled: Pulled, video: VideoFormat, audio: AudioFormat | None
    ) -> bool:
        at_ns = pulled.unit.at_ns
        sealed = self._segment is not None
        contiguous = reason in (CloseReason.ROTATE, CloseReason.FORMAT_CHANGE)
        self.close_segment(reason, at_ns if contiguous else None)
        self._open(reason, at_ns, video, audio)
        return sealed

    def _open(
        self, reason: CloseReason, at_ns: int, video: VideoFormat, audio: AudioFormat | None
    ) -> None:
        facts, number = self.facts, self._next_segment
        file = self._store.segment(self._kit.device, facts.recording, number)
        # The log knows of a segment before anything of it is on the card.
        self._log.append(
            "seg.open", at_ns, sync=True, rec=facts.recording, seg=number, file=self._name(file)
        )
        first = number == 0
        trigger = {
            "cause": facts.cause if first else reason.value,
            "log_seq": facts.trigger_seq, "at_ns": facts.pressed_ns,
        }  # fmt: skip
        start = SegmentStart(
            facts.recording, number, self._previous, trigger, facts.pre_record,
            facts.continues if first else None,
        )  # fmt: skip
        try:
            file.create()
            self._segment = SegmentWriter(file, self._kit, start, video, audio, at_ns)
        except StorageError as fault:
            self._suspect(file, number, fault)
            raise
        finally:
            # A number is used once, whatever became of its file.
            self._next_segment += file.made
            if self._segment is None:
                file.leave()
        self._segment_ns_start = at_ns

    def _name(self, file: SegmentFile) -> str:
        return str(file.path.relative_to(self._store.evidence))

    def _suspect(self, file: SegmentFile, number: int, fault: StorageError) -> None:
        """Say of a file what is not to be relied on: all but its first `synced_bytes`."""
        self._log.append(
            "io.error", sync=True, rec=self.facts.recording, seg=number, file=self._name(file),
            synced_bytes=file.synced_size, call=file.failed.value if file.failed else None,
            suspect=not isinstance(fault, StorageFull), why=str(fault),
        )  # fmt: skip

    def seal(self, next_ns: int | None) -> None:
        """Seal the pending fragment."""
        if self._segment is not None:
            self._segment.seal(next_ns)
            self._say_of_key()
            self.sealed_until_ns = self._last_picture_ns
            self._unsealed.clear()

    def sync(self) -> int | None:
        """Make the open segment durable; the boot time at which it was."""
        if self._segment is None:
            return None
        synced_ns = self._segment.file.sync()
        self.durable_until_ns = self.sealed_until_ns
        if self.onvif is not None:
            self.onvif.forget(_UNSEALED_GOPS)
        return synced_ns

    def close_segment(self, reason: CloseReason, next_ns: int | None) -> None:
        """Seal, write END, and log the closing with the last box's hash. Idempotent."""
        segment = self._segment
        if segment is None:
            return
        if reason is not CloseReason.STORAGE_FULL:
            self.seal(next_ns)
        segment.close(reason.value, wait=reason in _AT_LEISURE)
        self.durable_until_ns = self.sealed_until_ns
        self._leave(segment)
        self._log.append(
            "seg.close", rec=self.facts.recording, seg=segment.start.segment,
            file=self._name(segment.file), size=segment.file.size,
            frags=segment.fragments, last=segment.last_box, reason=reason.value,
        )  # fmt: skip

    def _say_of_key(self) -> None:
        for edge in self._kit.key_watch.take():
            self._log.append(
                edge.ev, rec=self.facts.recording, reason=edge.reason, unsigned=edge.unsigned
            )

    def abandon_segment(self, fault: StorageError) -> None:
        """Leave a file that cannot be trusted any more as it is, and say so."""
        segment = self._segment
        if segment is None:
            return
        segment.abandon()
        self._leave(segment)
        self._suspect(segment.file, segment.start.segment, fault)

    def _leave(self, segment: SegmentWriter) -> None:
        self._previous = segment.last_box
        self._segment = None
        self._unsealed.clear()


def parse_picture(data: Buffer) -> list[memoryview]:
    """The NAL units of a picture. Raises EvidenceError for one that the format cannot hold."""
    nals = split_annexb(data)
    slices = [nal for nal in nals if is_vcl(nal)]
    if not slices:
        raise EvidenceError("access unit has no picture")
    if len(slices) > MAX_SLICES:
        raise EvidenceError(f"picture of {len(slices)} slices, at most {MAX_SLICES}")
    if is_b_slice(slices[0]):
        raise EvidenceError("B-frame: the encoder must be set to none (bf=0, bframes=0)")
    return nals
