"""One segment: access units in, sealed, chained, signed fragments out.

| step               | a power cut leaves                                                   |
|--------------------|----------------------------------------------------------------------|
| head written       | a file that verifies as a segment without fragments                  |
| fragment appended  | that, or a torn tail that the verifier sets apart                    |
| synced             | every fragment up to here                                            |
| end written        | a complete segment                                                   |
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .clock import NS, ClockSource, Instant, utc_text
from .contentkeys import ContentKeys
from .formats import cenc, mp4, records
from .formats.onvif import MAX_PEM_BYTES, OnvifSigner, Vendor, pem_chain
from .keywatch import KeyWatch
from .media import AudioFormat, Buffer, VideoFormat
from .recordsigner import CLOSING_PATIENCE_S, PATIENCE_S, RecordSigner
from .signing import Signer, fingerprint
from .store import SegmentFile

_SLACK_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class SealingKit:
    """What every segment of a camera is sealed with."""

    device: str
    boot_id: str
    firmware: str
    signer: Signer
    keys: ContentKeys
    fragment_ns: int
    frame_ns: int
    log_head: Callable[[], tuple[int, str]]
    clock_sample: Callable[[], Instant]
    onvif: bool = False
    key_watch: KeyWatch = field(default_factory=KeyWatch)
    patience_s: float = PATIENCE_S
    closing_patience_s: float = CLOSING_PATIENCE_S

    def record_signer(self) -> RecordSigner:
        """What signs the records of one segment."""
        return RecordSigner(
            self.signer, self.key_watch, lambda: self.clock_sample().boot_ns, self.patience_s,
            self.closing_patience_s,
        )  # fmt: skip

    def onvif_signer(self) -> OnvifSigner | None:
        """What signs the video of one recording; None if it is not wanted, or there is no key."""
        chain = self.signer.certificates
        if not self.onvif or not chain or len(pem_chain(chain)) > MAX_PEM_BYTES:
            return None
        return OnvifSigner(self.signer.sign, chain, Vendor(self.firmware, self.device, "bodycam"))


@dataclass(frozen=True, slots=True)
class SegmentStart:
    """What HEAD says of a segment: whose it is, what it follows, why it was opened."""

    recording: str
    segment: int
    previous: str
    trigger: dict[str, Any]
    pre_record: dict[str, Any]
    continues: str | None = None


@dataclass(slots=True)
class _Picture:
    at_ns: int
    nals: Sequence[Buffer]
    keyframe: bool


@dataclass(slots=True)
class _Pending:
    """The fragment that is being filled."""

    pictures: list[_Picture] = field(default_factory=list)
    sounds: list[tuple[int, Buffer]] = field(default_factory=list)  # decode time, AAC frame
    dropped: int = 0
    muted: int = 0


class SegmentWriter:
    """Writes one segment file: HEAD before the first fragment, END after the last.

    The content key lives only in this object and is forgotten at `close`. Video times are
    relative to the first picture; sound follows its own sample count and is set right against
    boot time when it is more than one AAC frame off (a gap, or a drifting clock).
    """

    def __init__(
        self,
        file: SegmentFile,
        kit: SealingKit,
        start: SegmentStart,
        video: VideoFormat,
        audio: AudioFormat | None,
        first_ns: int,
    ) -> None:
        self._file = file
        self._kit = kit
        self.start = start
        self.video = video
        self.audio = audio
        self._first_ns = first_ns
        content = kit.keys.take(start.recording, start.segment)
        self._key = content.key
        self._salt = cenc.plain_salt(content.key, content.kid)
        self._counters = {mp4.VIDEO_TRACK_ID: 0, mp4.AUDIO_TRACK_ID: 0}
        self._pending = _Pending()
        self._next_sound = 0
        self._signer = kit.record_signer()
        self.fragments = 0
        self.last_box = start.previous
        self._write_head(mp4.Protection(content.kid, content.jwe, content.hpke))

    @property
    def file(self) -> SegmentFile:
        return self._file

    @property
    def has_pending(self) -> bool:
        return bool(self._pending.pictures or self._pending.sounds)

    def _write_head(self, protection: mp4.Protection) -> None:
        kit, start = self._kit, self.start
        sample = kit.clock_sample()
        created = None if sample.source is ClockSource.NONE else sample.utc_at(self._first_ns)
        init = mp4.init_segment(self.video, self.audio, protection, created)
        chain = kit.signer.certificates
        fields = {
            "v": records.RECORD_VERSION, "t": "head", "n": 0,
            **self._covers(0, init), "prev": start.previous,
            "dev": kit.device, "rec": start.recording, "seg": start.segment, "boot": kit.boot_id,
            "fw": kit.firmware, "x5t": fingerprint(chain[0]) if chain else "",
            "trig": start.trigger, "pre": start.pre_record, "cont": start.continues,
            "boot_ns": self._first_ns, "utc": utc_text(sample.utc_at(self._first_ns)),
            "clk": sample.source.value, "unc_ms": sample.unc_ms,
        }  # fmt: skip
        self._append([init], fields, chain)

    @staticmethod
    def _covers(offset: int, *parts: Buffer) -> dict[str, Any]:
        digest = hashlib.sha256()
        for part in parts:
            digest.update(part)
        return {"off": offset, "len": sum(len(p) for p in parts), "sha256": digest.hexdigest()}

    def _append(
        self, parts: list[Buffer], fields: dict[str, Any], chain: Sequence[bytes] | None = None,
        *, last: bool = False,
    ) -> None:  # fmt: skip
        late = self._signer.late()
        record = records.encode_record(fields if late is None else {**fields, "late": late})
        signature = self._signer.sign(fields["n"], record, last=last)
        payload = records.signature_payload(record, signature, chain)
        try:
            self._file.append([*parts, records.signature_box(payload)])
        except BaseException:
            self._signer.not_written(fields["n"])
            raise
        self.last_box = records.payload_hash(payload)

    def would_overflow(self, at_ns: int) -> bool:
        """True if a picture at `at_ns` would make the fragment longer than its limit."""
        pictures = self._pending.pictures
        if not pictures:
            return False
        kit = self._kit
        return at_ns + kit.frame_ns - pictures[0].at_ns > kit.fragment_ns + _SLACK_NS

    def add_picture(
        self, at_ns: int, nals: Sequence[Buffer], *, keyframe: bool, dropped: int
    ) -> None:
        """Take one coded picture; its bytes must stay valid until the fragment is sealed."""
        self._pending.pictures.append(_Picture(at_ns, nals, keyframe))
        self._pending.dropped += dropped

    def add_sound(self, at_ns: int, frame: Buffer) -> None:
        """Take one AAC frame; `at_ns` may lie up to a frame before the first picture."""
        if self.audio is None:
            raise ValueError("the segment has no audio track")
        due = max(0, at_ns - self._first_ns) * self.audio.rate_hz // NS
        if self._next_sound == 0 or abs(due - self._next_sound) > self.audio.frame_samples:
            self._next_sound = max(due, self._next_sound - self.audio.frame_samples + 1)
        self._pending.sounds.append((self._next_sound, frame))
        self._next_sound += self.audio.frame_samples

    def count_muted(self) -> None:
        """One AAC frame was left out because the wearer muted."""
        self._pending.muted += 1

    def seal(self, next_ns: int | None) -> None:
        """Encrypt, hash, sign and append the pending fragment.

        `next_ns` is the capture time of the picture that follows, if it is known: it gives the
        last picture its duration. Raises StorageError with the file and the chain as before.
        """
        pending = self._pending
        if not self.has_pending:
            return
        end_ns = self._end_ns(next_ns)
        counters = dict(self._counters)
        video, video_data, plain_v = self._video_run(pending.pictures, end_ns)
        audio, audio_data, plain_a = self._audio_run(pending.sounds)
        runs = [run for run in (video, audio) if run is not None]
        data = [*video_data, *audio_data]
        first_ns = pending.pictures[0].at_ns if pending.pictures else end_ns
        sample = self._kit.clock_sample()
        moof = mp4.moof(self.fragments + 1, runs)
        time = video.base_time if video else self._ticks(first_ns)
        body: list[Buffer] = [
            mp4.prft(mp4.VIDEO_TRACK_ID, sample.utc_at(first_ns), time), moof,
            mp4.mdat_header(sum(len(d) for d in data)), *data,
        ]  # fmt: skip
        fields = {
            "v": records.RECORD_VERSION, "t": "frag", "n": self.fragments + 1,
            **self._covers(self._file.size, *body), "prev": self.last_box,
            "boot_ns": first_ns, "end_ns": end_ns, "utc": utc_text(sample.utc_at(first_ns)),
            "clk": sample.source.value, "unc_ms": sample.unc_ms,
            "nv": len(pending.pictures), "na": len(pending.sounds), "drop": pending.dropped,
            "mute": pending.muted, "plain.v": plain_v, "plain.a": plain_a,
            "log": list(self._kit.log_head()),
        }  # fmt: skip
        try:
            self._append(body, fields)
        except BaseException:
            self._counters = counters
            raise
        self.fragments += 1
        self._pending = _Pending()

    def _ticks(self, at_ns: int) -> int:
        return (at_ns - self._first_ns) * mp4.VIDEO_TIMESCALE // NS

    def _end_ns(self, next_ns: int | None) -> int:
        pictures = self._pending.pictures
        if not pictures:
            return self._first_ns + self._next_sound * NS // (
                self.audio.rate_hz if self.audio else 1
            )
        last = pictures[-1].at_ns
        return next_ns if next_ns is not None and next_ns > last else last + self._kit.frame_ns

    def _next_iv(self, track_id: int) -> bytes:
        counter = self._counters[track_id]
        self._counters[track_id] = counter + 1
        return cenc.sample_iv(track_id, counter)

    def _video_run(
        self, pictures: list[_Picture], end_ns: int
    ) -> tuple[mp4.TrackRun | None, list[Buffer], str]:
        if not pictures:
            return None, [], ""
        plain = hashlib.sha256(self._salt)
        samples, data = [], []
        times = [self._ticks(p.at_ns) for p in pictures] + [self._ticks(end_ns)]
        for i, picture in enumerate(pictures):
            sample = cenc.length_prefixed(picture.nals)
            plain.update(len(sample).to_bytes(4, "big"))
            plain.update(sample)
            aux = cenc.SampleAux(
                self._next_iv(mp4.VIDEO_TRACK_ID), cenc.video_subsamples(picture.nals)
            )
            data += cenc.crypt_sample(self._key, aux, sample)
            duration = max(1, times[i + 1] - times[i])
            samples.append(mp4.Sample(len(sample), duration, picture.keyframe, aux))
        run = mp4.TrackRun(mp4.VIDEO_TRACK_ID, times[0], tuple(samples))
        return run, data, plain.hexdigest()

    def _audio_run(
        self, sounds: list[tuple[int, Buffer]]
    ) -> tuple[mp4.TrackRun | None, list[Buffer], str]:
        if not sounds or self.audio is None:
            return None, [], ""
        plain = hashlib.sha256(self._salt)
        samples, data = [], []
        ends = [time for time, _ in sounds[1:]] + [sounds[-1][0] + self.audio.frame_samples]
        for (time, frame), end in zip(sounds, ends, strict=True):
            plain.update(len(frame).to_bytes(4, "big"))
            plain.update(frame)
            aux = cenc.SampleAux(self._next_iv(mp4.AUDIO_TRACK_ID))
            data += cenc.crypt_sample(self._key, aux, frame)
            samples.append(mp4.Sample(len(frame), max(1, end - time), True, aux))
        run = mp4.TrackRun(mp4.AUDIO_TRACK_ID, sounds[0][0], tuple(samples))
        return run, data, plain.hexdigest()

    def close(self, reason: str, *, wait: bool = False) -> None:
        """Write END, forget the key, sync and close the file. What is pending is not sealed.

        `wait`: there is time to wait for a slow device key; else the next segment vouches for this END.
        """
        fields = {
            "v": records.RECORD_VERSION, "t": "end", "n": self.fragments + 1,
            **self._covers(self._file.size), "prev": self.last_box,
            "reason": reason, "frags": self.fragments, "log": list(self._kit.log_head()),
        }  # fmt: skip
        self._append([], fields, last=wait)
        self._signer.forget()
        self._key = b""
        self._file.sync()
        self._file.close()

    def abandon(self) -> None:
        """Forget the key and leave the file as it is: without END, the verifier says so."""
        self._signer.forget()
        self._key = b""
        self._file.leave()
