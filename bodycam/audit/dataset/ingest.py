"""Verifies stores, one camera at a time, and adds what they tell to a data set.

| a store                                                         | becomes                            |
|-----------------------------------------------------------------|------------------------------------|
| whose files are those that were ingested, by name, size and time | nothing: it is in the set         |
| of a camera that is not in the set                              | its rows                           |
| of a camera that is, with no less signed for or proven          | its rows, in the place of the old  |
| of a camera that is, with less or with another log              | nothing, and it is said            |

The last checkpoint of each camera is kept, and the verifier is told of it the next time: an older copy
of a log, or another one, is found as it is by any witness. What failed verification is in `findings`,
and what it would have shown is FAILED, not a gap. Cameras are committed in batches: a kill costs the
verification of one batch, and the same command goes on behind it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from ...checkpointfile import CHECKPOINT_FILE
from ...custody.findings import Verdict, printable, worst
from ...custody.logfacts import LogAnswer
from ...custody.logroots import OutsideWord
from ...custody.verify import Report, verify_paths
from ...errors import ExitCode
from ...formats.checkpoint import MAX_CHECKPOINT_BYTES
from ...revocation import load_crls
from ..intervals import length_us
from ..timeline import DeviceTimeline, StoryBook, timelines
from .rows import NO_MONTH, event_rows, finding_rows, month_of, recording_rows, span_rows
from .schema import DATASET_VERSION, EVENTS, FINDINGS, RECORDINGS, SOURCES, SPANS, TABLES
from .store import Camera, DataSet, Source

BATCH_CAMERAS = 256
BATCH_ROWS = 2_000_000
NO_FORCE = "unsigned"
_OTHER_LOG = (LogAnswer.ROLLED_BACK, LogAnswer.TWO_HISTORIES)
Show = Callable[[int, int], None]
Rows = dict[str, list[tuple[Any, ...]]]


@dataclass(slots=True)
class Ingested:
    """What became of the stores; `verdicts` are the worst that stores of that name of a camera got."""

    added: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    lines: int = 0

    @property
    def exit_code(self) -> ExitCode:
        """That of the worst verdict; 3 too if a store was left out."""
        code = max(self.verdicts.values(), key=lambda v: v.rank, default=Verdict.INTACT).exit_code
        return ExitCode.INCOMPLETE if code is ExitCode.OK and self.refused else code


@dataclass(frozen=True, slots=True)
class Told:
    """One store: the camera it is of, and its rows."""

    source: Source
    verdict: Verdict
    rows: Rows
    other_log: str


class Ingest:
    """Takes stores into a data set that is open to be written."""

    def __init__(
        self, data: DataSet, root: x509.Certificate | None, *, crls: Sequence[Path] = (),
        now_utc_ns: int | None = None, batch_cameras: int = BATCH_CAMERAS,
    ) -> None:  # fmt: skip
        self._data, self._root = data, root
        self._crls, self._now_utc_ns = crls, now_utc_ns
        self._batch_cameras = batch_cameras
        self._known: dict[Camera, Source] = {(s.force, s.device): s for s in data.sources()}
        self._seen = {s.fingerprint: s for s in self._known.values()}
        self._rows: Rows = {}
        self._pending: set[Camera] = set()
        self._gone: dict[int, set[Camera]] = {}
        self.done = Ingested()

    def take(self, stores: Sequence[Path], show: Show) -> Ingested:
        """All of these stores, and what is pending at the end. Raises CannotOpen, StorageError."""
        sizes = [sum(size for _, size, _ in _files(store)) for store in stores]
        total, before = sum(sizes), 0
        for store, size in zip(stores, sizes, strict=True):
            self._take(store, _within(show, before, size, total))
            before += size
            show(before, total)
            if self._full():
                self._commit()
        self._commit()
        return self.done

    def _take(self, store: Path, show: Show) -> None:
        fingerprint = _fingerprint(store, self._root, self._crls)
        if fingerprint in self._seen:
            self.done.unchanged.append(self._seen[fingerprint].device)
            return
        told = self._told(store, fingerprint, show)
        new, camera = told.source, (told.source.force, told.source.device)
        so_far = self.done.verdicts.get(new.device, Verdict.INTACT)
        self.done.verdicts[new.device] = max(so_far, told.verdict, key=lambda v: v.rank)
        old = self._known.get(camera)
        why = told.other_log or (_less(old, new) if old is not None else "")
        if why:
            self.done.refused.append(f"{store.name}, camera {new.device}: {why}")
            return
        if old is not None and camera in self._pending:
            self._commit()
            old = self._known[camera]
        if old is not None and old.rows_sha256 == new.rows_sha256:
            self.done.unchanged.append(new.device)
            return
        if old is not None:
            self._gone.setdefault(old.batch, set()).add(camera)
        (self.done.added if old is None else self.done.replaced).append(new.device)
        self._known[camera] = self._seen[fingerprint] = new
        self._pending.add(camera)
        for table, rows in told.rows.items():
            self._rows.setdefault(table, []).extend(rows)

    def _told(self, store: Path, fingerprint: str, show: Show) -> Told:
        book = StoryBook()
        report = verify_paths(
            [store], self._root, show, crls=self._crls, now_utc_ns=self._now_utc_ns,
            outside=OutsideWord(tuple(self._witnessed(store))), follow=book.follow,
        )  # fmt: skip
        self.done.lines += sum(log.lines for log in report.logs)
        return _told(store, report, timelines(report, book), fingerprint, self._data)

    def _witnessed(self, store: Path) -> Iterator[tuple[str, bytes]]:
        """The checkpoint that was kept of the camera that this store says to be of."""
        origin = _origin(_checkpoint(store))
        known = self._known.get(_camera_of(origin)) if origin else None
        if known is not None and known.checkpoint:
            yield "the data set", known.checkpoint

    def _full(self) -> bool:
        rows = sum(len(found) for found in self._rows.values())
        return len(self._pending) >= self._batch_cameras or rows >= BATCH_ROWS

    def _commit(self) -> None:
        if not self._pending:
            return
        batch = self._data.manifest.next_batch
        tables = {name: TABLES[name].of(rows) for name, rows in self._rows.items()}
        self._data.commit(tables, self._gone)
        for camera in self._pending:
            self._known[camera] = replace(self._known[camera], batch=batch)
        self._rows, self._pending, self._gone = {}, set(), {}


def _told(
    store: Path, report: Report, lines: Sequence[DeviceTimeline], fingerprint: str, data: DataSet
) -> Told:
    origin = next((log.origin for log in report.logs if log.origin), "")
    device = next((log.device for log in report.logs if log.device), "")
    force, named = _camera_of(origin)
    device = device or named or next((line.device for line in lines), printable(store.name))
    mine = next((line for line in lines if line.device == device), DeviceTimeline(device))
    said = [*mine.findings, *(
        f"evidence of {line.device} in the store of {device}: not counted"
        for line in lines if line is not mine
    ), *report.not_known]  # fmt: skip
    month = month_of(mine.span[0].start_us) if mine.span else NO_MONTH
    rows: Rows = {
        SPANS.name: list(span_rows(force, mine)),
        RECORDINGS.name: list(recording_rows(force, mine)),
        EVENTS.name: list(event_rows(force, mine)),
        FINDINGS.name: list(finding_rows(force, month, device, list(report.findings), said)),
    }
    source = Source(
        force, device, data.manifest.next_batch, fingerprint, _digest(rows),
        sum(log.vouched_lines for log in report.logs), length_us(mine.evid), _checkpoint(store),
    )  # fmt: skip
    verdict = worst(report.findings)
    rows[SOURCES.name] = [(
        force, month, device, printable(store.name), fingerprint, source.rows_sha256, verdict.value,
        sum(log.lines for log in report.logs), source.lines_signed, source.proven_us,
        source.checkpoint,
    )]  # fmt: skip
    other = [a for log in report.logs for a in log.answers if a in _OTHER_LOG]
    why = f"{other[0].value}: not the log that is in the data set" if other else ""
    return Told(source, verdict, rows, why)


def _less(old: Source, new: Source) -> str:
    if new.lines_signed >= old.lines_signed and new.proven_us >= old.proven_us:
        return ""
    return (
        f"the data set has {old.lines_signed} lines signed for and {old.proven_us} us proven, "
        f"this store {new.lines_signed} and {new.proven_us}"
    )


def _camera_of(origin: str) -> Camera:
    """Force and camera as the signed checkpoint of the log names them."""
    parts = origin.split("/")
    return (parts[0] or NO_FORCE, parts[-1] if len(parts) > 1 else "")


def _origin(checkpoint: bytes) -> str:
    return checkpoint.partition(b"\n")[0].decode("utf-8", "replace")


def _checkpoint(store: Path) -> bytes:
    try:
        with (store / "log" / CHECKPOINT_FILE).open("rb") as file:
            return file.read(MAX_CHECKPOINT_BYTES)
    except OSError:
        # The verifier looks there too, and says what it found.
        return b""


def _digest(rows: Rows) -> str:
    return hashlib.sha256(msgspec.json.encode(rows, order="deterministic")).hexdigest()


def _files(store: Path) -> list[tuple[str, int, int]]:
    """Name, size and time of change of every file of a store."""
    found = []
    for path in sorted(store.rglob("*") if store.is_dir() else [store]):
        try:
            facts = path.stat()
        except OSError:
            continue  # gone meanwhile: the verifier says so
        if path.is_file():
            name = printable(str(path.relative_to(store.parent)))
            found.append((name, facts.st_size, facts.st_mtime_ns))
    return found


def _fingerprint(store: Path, root: x509.Certificate | None, crls: Sequence[Path]) -> str:
    """Of all that decides which rows a store gives, but the bytes that only verification reads."""
    trusted = root.fingerprint(SHA256()).hex() if root else ""
    lists = [crl.fingerprint(SHA256()).hex() for path in crls for crl in load_crls(path)]
    said = (DATASET_VERSION, trusted, lists, _files(store))
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()


def _within(show: Show, before: int, size: int, total: int) -> Show:
    """The progress of one store as that of all."""
    return lambda done, of: show(before + size * done // max(1, of), total)
