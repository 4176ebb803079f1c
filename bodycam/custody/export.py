"""Exports evidence: verify, then decrypt and join into one ordinary MP4, with its clip manifest.

| step                 | a power cut or an error leaves                        |
|----------------------|-------------------------------------------------------|
| clip being written   | `OUT.part` and `OUT.evidence.json.part`, removed again |
| released             | the same, and a line in the custodian's log           |
| renamed              | a clip without manifest: export again                 |
| manifest renamed     | both                                                  |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from ..clock import NS, utc_text
from ..errors import BodycamError, CannotOpen, ConfigError, EvidenceError, ExitCode
from ..formats.mp4 import VIDEO_TIMESCALE
from ..media import AudioFormat, VideoFormat
from ..store import storage_error
from .choice import (
    WHOLE,
    Choice,
    Window,
    chains,
    choose,
    clip_name,
    nothing_between,
    only_chain,
    segments_of,
)
from .clipsei import following_seis, with_following, without_orphan
from .fields import EndFields, FragFields, HeadFields, read_fields
from .findings import Verdict
from .hashing import file_sha256
from .manifest import ManifestWriter, manifest_path, to_base64
from .opened import OpenedSegment, PlainFragment, without_after
from .openingkey import OpeningKey, load_opening_key
from .progress import Progress, no_progress
from .result import ExportResult
from .segmentfacts import SegmentFacts, utc_at
from .verify import Report, verify_paths

Stamp = Callable[[Path, Sequence[SegmentFacts]], None]
MEDIA_EXTRA = "pip install 'bodycam[media]'"


class NotTrusted(BodycamError):
    """What is to be exported is not signed, or not by anybody whom the root vouches for."""

    exit_code = ExitCode.UNTRUSTED


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be exported, for whom it is opened, and what happens before it gets its name."""

    paths: Sequence[Path]
    key: Path
    root: x509.Certificate | None
    window: Window = WHOLE
    allow_untrusted: bool = False
    progress: Progress = no_progress
    # Changes the finished clip in place: a C2PA manifest.
    stamp: Stamp | None = None
    # Called when all is written and nothing has its name yet: the custodian's log.
    release: Callable[[ExportResult], None] | None = None


def export(order: Order, out: Path) -> ExportResult:
    """Export one recording, or recordings that continue one another, to a file.

    A part begins with the last fragment at or before the window's beginning that begins with a
    keyframe, and ends with the fragment that holds its end. Raises EvidenceError for altered
    evidence, NotTrusted, CannotOpen for a wrong key, ConfigError for paths that are not one
    recording.
    """
    key, report = _opened(order)
    segments = only_chain(report.recordings)
    choices = choose(segments, key, order.window)
    if not choices:
        raise nothing_between(segments)
    return _write_out(order, key, report, choices, out)


def export_each(order: Order, folder: Path) -> list[ExportResult]:
    """Export each recording into a folder, under a name that sorts; recordings that continue one
    another become one clip.

    Raises what `export` raises. Clips that were finished before stay.
    """
    key, report = _opened(order)
    found = [segments_of(chain) for chain in chains(report.recordings)]
    if not found:
        raise CannotOpen("there is no fragment to export", "See bodycam verify")
    chosen = [choices for segments in found if (choices := choose(segments, key, order.window))]
    if not chosen:
        raise nothing_between([segment for segments in found for segment in segments])
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise storage_error(fault, folder) from fault
    return [
        _write_out(order, key, report, choices, folder / clip_name(choices)) for choices in chosen
    ]


def _opened(order: Order) -> tuple[OpeningKey, Report]:
    key = load_opening_key(order.key)
    report = verify_paths(order.paths, order.root, order.progress)
    _refuse(report, allow_untrusted=order.allow_untrusted)
    return key, report


def _write_out(
    order: Order, key: OpeningKey, report: Report, choices: Sequence[Choice], out: Path
) -> ExportResult:
    parts = (
        out.with_name(out.name + ".part"),
        manifest_path(out).with_name(manifest_path(out).name + ".part"),
    )
    try:
        result = _Export(choices, key, out, report, order).run(*parts)
        if order.release is not None:
            order.release(result)
        parts[0].replace(out)
        parts[1].replace(manifest_path(out))
    except OSError as fault:
        raise storage_error(fault, out) from fault
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
    return result


def _refuse(report: Report, *, allow_untrusted: bool) -> None:
    worst = next((f for f in report.findings if f.verdict is report.verdict), None)
    if report.verdict is Verdict.ALTERED:
        raise EvidenceError(
            f"not exported, the evidence was altered: {worst}", "See bodycam verify for all of it"
        )
    if report.verdict is Verdict.UNREADABLE:
        raise CannotOpen(f"not exported: {worst}", "See bodycam verify")
    if report.verdict is Verdict.UNTRUSTED and not allow_untrusted:
        raise NotTrusted(
            f"not exported, the signer is not trusted: {worst}",
            "Give the force's root with --trust, or add --allow-untrusted and say so in court",
        )


class _Export:
    """One run: reads the chosen fragments once, in order."""

    def __init__(
        self,
        choices: Sequence[Choice],
        private: OpeningKey,
        out: Path,
        report: Report,
        order: Order,
    ) -> None:
        self._choices = choices
        self._private = private
        self._out = out
        self._report = report
        self._order = order
        self._fragments = self._pictures = self._sounds = 0
        self._sei_dropped: list[bytes] = []
        self._sei_appended: list[bytes] = []
        self._first: FragFields | None = None
        self._last: FragFields | None = None
        self._video, self._audio = self._formats()

    def _formats(self) -> tuple[VideoFormat, AudioFormat | None]:
        video: VideoFormat | None = None
        audio: AudioFormat | None = None
        for choice in self._choices:
            with OpenedSegment(choice.facts.path, self._private) as segment:
                init = segment.init
            video = video or init.video
            if (init.video.width, init.video.height) != (video.width, video.height):
                raise ConfigError(
                    f"{choice.facts.name} is {init.video.width}x{init.video.height}, the segments "
                    f"before it {video.width}x{video.height}: one MP4 cannot hold both",
                    "Export the parts by themselves with --from and --to",
                )
            audio = audio or init.audio
            if init.audio is not None and audio != init.audio:
                raise ConfigError(
                    f"{choice.facts.name} has another sound format than the segments before it",
                    "Export the parts by themselves with --from and --to",
                )
        if video is None:
            raise AssertionError("there is at least one segment")
        return video, audio

    def run(self, clip_part: Path, manifest_part: Path) -> ExportResult:
        with ManifestWriter(manifest_part) as manifest:
            origin_ns = self._write(clip_part, manifest)
            if self._order.stamp is not None:
                self._order.stamp(clip_part, [choice.facts for choice in self._choices])
            digest = file_sha256(clip_part)
            manifest.finish({
                "file": self._out.name, "sha256": digest, "bytes": clip_part.stat().st_size,
                "origin_ns": origin_ns,
                "sei_dropped": [to_base64(sei) for sei in self._sei_dropped],
                "sei_appended": [to_base64(sei) for sei in self._sei_appended],
            })  # fmt: skip
        if self._first is None or self._last is None:
            raise AssertionError("a fragment was written")
        head = self._choices[0].facts.head
        return ExportResult(
            self._out, manifest_path(self._out), digest, file_sha256(manifest_part),
            head.dev if head else "", head.rec if head else "", len(self._choices),
            self._fragments, self._pictures, self._sounds, self._first.utc_ns,
            utc_at(self._last, self._last.end_ns), self._report,
        )  # fmt: skip

    def _write(self, clip_part: Path, manifest: ManifestWriter) -> int:
        try:
            from .clipwriter import ClipWriter
        except ImportError as fault:
            raise CannotOpen(f"joining video needs PyAV: {fault}", MEDIA_EXTRA) from fault
        writer: ClipWriter | None = None
        held: tuple[PlainFragment, int] | None = None
        origin_ns = 0
        done = 0
        try:
            for choice in self._choices:
                with OpenedSegment(choice.facts.path, self._private) as segment:
                    manifest.begin_segment(segment)
                    for fragment in self._read(choice, segment, manifest, done):
                        plain = fragment
                        if writer is None:
                            plain, self._sei_dropped = without_orphan(fragment)
                            origin_ns = fragment.fields.boot_ns
                            writer = ClipWriter(
                                clip_part, self._video, self._audio, plain, _tags(segment)
                            )
                        if held is not None:
                            writer.add(*held)
                        held = (plain, segment.head.boot_ns - origin_ns)
                    manifest.end_segment()
                done += choice.facts.size
            if writer is not None and held is not None:
                last, offset_ns = held
                self._sei_appended = self._following() if last.pictures else []
                writer.add(with_following(last, self._sei_appended), offset_ns)
        finally:
            if writer is not None:
                writer.close()
        if writer is None:
            raise CannotOpen("there is no fragment to export", "See bodycam verify")
        return origin_ns

    def _following(self) -> list[bytes]:
        last = self._choices[-1]
        if last.until_ns is not None:
            return []
        for chain in chains(self._report.recordings):
            if any(segment is last.facts for recording in chain for segment in recording.held):
                return following_seis(segments_of(chain), last.facts, last.last, self._private)
        return []

    def _read(
        self, choice: Choice, segment: OpenedSegment, manifest: ManifestWriter, done: int
    ) -> Iterator[PlainFragment]:
        total = sum(c.facts.size for c in self._choices)
        owing = segment.head_box.unsigned
        for unit, box in segment.records():
            fields = read_fields(box.record)
            wanted = isinstance(fields, FragFields) and fields.n <= choice.last
            if not wanted and not owing:
                if isinstance(fields, EndFields) and fields.frags == choice.last:
                    manifest.record(box, 0, 0)
                return
            if not box.unsigned or (not wanted and _vouches(fields, choice.last)):
                owing = False
            elif wanted:
                owing = True
            if not isinstance(fields, FragFields) or not wanted:
                # Behind the clip's last fragment, up to the signature that vouches for it.
                manifest.record(box, 0, 0)
                continue
            if fields.n < choice.first:
                # Kept so that the chain from HEAD to the clip can be followed.
                manifest.record(box, 0, 0)
                continue
            whole = segment.decrypt(unit, box, fields)
            fragment = _until(whole, segment, choice.until_ns)
            if not fragment.pictures and not fragment.sounds:
                manifest.record(box, 0, 0)
                continue
            manifest.record(
                box, len(fragment.pictures), len(fragment.sounds),
                [s.data for s in whole.pictures[len(fragment.pictures) :]],
                [s.data for s in whole.sounds[len(fragment.sounds) :]],
            )  # fmt: skip
            self._count(fragment)
            yield fragment
            self._order.progress(done + unit.end, total)

    def _count(self, fragment: PlainFragment) -> None:
        self._first = self._first or fragment.fields
        self._last = fragment.fields
        self._fragments += 1
        self._pictures += len(fragment.pictures)
        self._sounds += len(fragment.sounds)


def _tags(segment: OpenedSegment) -> dict[str, str]:
    head = segment.head
    tags = {
        "title": f"{head.dev} {head.rec}",
        "comment": "Exported by bodycam. Check it with: bodycam verify CLIP --manifest MANIFEST",
    }
    if head.clk != "none":
        tags["creation_time"] = utc_text(head.utc_ns)
    return tags


def _until(fragment: PlainFragment, segment: OpenedSegment, until_ns: int | None) -> PlainFragment:
    if until_ns is None or fragment.fields.end_ns <= until_ns:
        return fragment
    span_ns = until_ns - segment.head.boot_ns
    rate = segment.init.audio.rate_hz if segment.init.audio else 0
    return without_after(fragment, span_ns * VIDEO_TIMESCALE // NS, span_ns * rate // NS)


def _vouches(fields: HeadFields | FragFields | EndFields, last: int) -> bool:
    """Whether a record holds the late signature of the clip's last fragment, or of a later one."""
    late = None if isinstance(fields, HeadFields) else fields.late
    return late is not None and late[0] >= last
