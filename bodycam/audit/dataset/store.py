"""The folder of a data set: its files, the manifest that names those that count, and how they change.

| what a kill leaves                  | and the next ingest                                       |
|-------------------------------------|-----------------------------------------------------------|
| files that the manifest does not name | removes them, and the folder `spill`                    |
| the manifest before, or the one after | goes on: what was committed is not verified again       |

`dataset.json` is replaced atomically, after the files that it names are durable and before those that
it no longer names are removed: whoever reads through it sees the set before a commit or after it,
never in between. A file is named by the hash of its bytes. Cameras come in batches; a camera that is
ingested again leaves the files of its old batch, which are written anew without it. A CSV file of records
is a batch of its own, and leaves as a whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...boundedfile import read_bounded
from ...errors import AlreadyRunning, CannotOpen, ConfigError
from ...store import make_folder, storage_error, sync_directory, write_atomically
from .schema import DATASET_FORMAT, DATASET_VERSION, SOURCES, TABLES, TableSchema

MANIFEST = "dataset.json"
SPILL = "spill"
_LOCK = "lock"
_START_ANEW = "Ingest the stores into a new folder"
_MAX_MANIFEST_BYTES = 1 << 28
Camera = tuple[str, str]


class DataFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One Parquet file of one table, force, month and batch; its name is the hash of its bytes."""

    table: str
    force: str
    month: str
    batch: Annotated[int, msgspec.Meta(ge=0)]
    rows: Annotated[int, msgspec.Meta(ge=1)]
    name: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]

    @property
    def path(self) -> Path:
        """Below the data set."""
        force, month = (quote(value, safe=" ") for value in (self.force, self.month))
        return Path(self.table) / f"force={force}" / f"month={month}" / f"{self.name}.parquet"


class RecordFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A CSV file of records: what of it is in the set, and the batch that holds its rows.

    `fingerprint` is of all that decides which rows it gives. `behind` are the files of the same kind that
    had a row first which stands in this one too.
    """

    table: str
    force: str
    name: str
    fingerprint: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    good: Annotated[int, msgspec.Meta(ge=0)]
    bad: Annotated[int, msgspec.Meta(ge=0)]
    behind: tuple[str, ...]
    batch: Annotated[int, msgspec.Meta(ge=0)]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the data set is made of."""

    format: str = DATASET_FORMAT
    version: int = DATASET_VERSION
    next_batch: int = 0
    files: tuple[DataFile, ...] = ()
    records: tuple[RecordFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A camera as it was ingested last, and the batch that holds its rows."""

    force: str
    device: str
    batch: int
    fingerprint: str
    rows_sha256: str
    lines_signed: int
    proven_us: int
    checkpoint: bytes


class DataSet:
    """A data set on disk; `open_to_write` gives one that may be changed."""

    def __init__(self, folder: Path) -> None:
        """Raises CannotOpen if there is none, ConfigError if it is of another version."""
        self.folder = folder
        self.manifest = _read_manifest(folder)

    def paths(self, table: str) -> list[Path]:
        """The files of a table that count."""
        return [self.folder / f.path for f in self.manifest.files if f.table == table]

    def forces(self) -> set[str]:
        """Those that anything is of."""
        return {file.force for file in self.manifest.files} | {
            file.force for file in self.manifest.records
        }

    def sources(self) -> list[Source]:
        """Every camera that is in it."""
        return [
            Source(
                row["force"], row["device"], file.batch, row["fingerprint"], row["rows_sha256"],
                row["lines_signed"], row["proven_us"], row["checkpoint"],
            )
            for file in self.manifest.files
            if file.table == SOURCES.name
            for row in self.read(file).to_pylist()
        ]  # fmt: skip

    def read(self, file: DataFile) -> pa.Table:
        """The rows of a file. Raises CannotOpen if it is not the one that the manifest names."""
        return pq.read_table(self.checked(file), partitioning=None)

    def checked(self, file: DataFile) -> Path:
        """Where a file lies. Raises CannotOpen if it is not the one that the manifest names."""
        path = self.folder / file.path
        try:
            with path.open("rb") as data:
                found = hashlib.file_digest(data, "sha256").hexdigest()
        except OSError as fault:
            raise CannotOpen(f"{path}: {fault.strerror}", _START_ANEW) from fault
        if found != file.name:
            raise CannotOpen(f"{path}: was changed since it was written", _START_ANEW)
        return path

    def check(self) -> None:
        """Whether every file is as it was written: an engine reads them without asking. Raises CannotOpen."""
        for file in self.manifest.files:
            self.checked(file)

    # -- changes ------------------------------------------------------------------------------

    def commit(self, rows: Mapping[str, pa.Table], gone: Mapping[int, Iterable[Camera]]) -> None:
        """Add rows by table's name as a new batch; `gone` are the cameras that leave older ones.

        When it returns, all of it is durable. Raises StorageError, after which nothing has changed.
        """
        try:
            files = [f for f in self.manifest.files if f.batch not in gone]
            for file in self.manifest.files:
                if file.batch in gone:
                    files += self._without(file, set(gone[file.batch]))
            batch = self.manifest.next_batch
            for name, found in rows.items():
                files += self.put(TABLES[name], found, batch)
        except OSError as fault:
            raise storage_error(fault, self.folder) from fault
        self._replace(files, self.manifest.records, batch + 1)

    def commit_records(
        self, added: Sequence[RecordFile], files: Sequence[DataFile], gone: Collection[RecordFile]
    ) -> None:
        """Let what `put` wrote count, each file of records in a batch of its own; others leave.

        When it returns, all of it is durable. Raises StorageError, after which nothing has changed.
        """
        old = {file.batch for file in gone}
        left = [f for f in self.manifest.files if f.batch not in old]
        records = [f for f in self.manifest.records if f.batch not in old]
        batch = max((file.batch for file in added), default=self.manifest.next_batch - 1) + 1
        self._replace([*left, *files], [*records, *added], batch)

    def _replace(
        self, files: Sequence[DataFile], records: Sequence[RecordFile], next_batch: int
    ) -> None:
        manifest = Manifest(next_batch=next_batch, files=tuple(files), records=tuple(records))
        data = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
        try:
            write_atomically(self.folder / MANIFEST, data + b"\n")
        except OSError as fault:
            raise storage_error(fault, self.folder) from fault
        self.manifest = manifest
        self.tidy()

    @contextmanager
    def spill(self) -> Iterator[Path]:
        """An empty folder for what does not fit into memory; gone afterwards, or by the next ingest."""
        folder = self.folder / SPILL
        _empty(folder)
        folder.mkdir()
        try:
            yield folder
        finally:
            _empty(folder)

    def tidy(self) -> None:
        """Remove what the manifest does not name: what a kill left, and what was replaced."""
        named = {self.folder / file.path for file in self.manifest.files}
        for table in TABLES:
            for path in (self.folder / table).rglob("*.parquet*"):
                if path not in named:
                    path.unlink()

    def _without(self, file: DataFile, cameras: set[Camera]) -> list[DataFile]:
        table = self.read(file)
        devices = pa.array(sorted(d for force, d in cameras if force == file.force), pa.string())
        left = table.filter(pc.invert(pc.is_in(table["device"], value_set=devices)))
        if left.num_rows == table.num_rows:
            return [file]
        return self.put(TABLES[file.table], left, file.batch)

    def put(self, schema: TableSchema, table: pa.Table, batch: int) -> list[DataFile]:
        """Write rows, one durable file for each force and month. They count once they are committed."""
        table = table.combine_chunks()
        parts = table.group_by(["force", "month"]).aggregate([]).to_pylist()
        written = []
        for part in sorted(parts, key=lambda p: (p["force"], p["month"])):
            force, month = part["force"], part["month"]
            mine = table.filter(
                pc.and_(pc.equal(table["force"], force), pc.equal(table["month"], month))
            ).sort_by([(column, "ascending") for column in schema.order])
            data = BytesIO()
            pq.write_table(mine, data, compression="zstd")
            file = DataFile(
                schema.name, force, month, batch, mine.num_rows,
                hashlib.sha256(data.getbuffer()).hexdigest(),
            )  # fmt: skip
            self._put(self.folder / file.path, data.getvalue())
            written.append(file)
        return written

    def _put(self, path: Path, data: bytes) -> None:
        make_folder(path.parent)
        temporary = path.with_name(path.name + ".new")
        with temporary.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        temporary.rename(path)
        sync_directory(path.parent)


@contextmanager
def open_to_write(folder: Path) -> Iterator[DataSet]:
    """The data set of this folder, made if there is none, for as long as nobody else changes it.

    Raises AlreadyRunning, ConfigError, StorageError.
    """
    try:
        make_folder(folder)
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as fault:
        raise storage_error(fault, folder) from fault
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            raise AlreadyRunning(f"{folder}: another ingest is writing", "Wait for it") from fault
        if not (folder / MANIFEST).exists():
            if {p.name for p in folder.iterdir()} - {_LOCK, SPILL, f"{MANIFEST}.new", *TABLES}:
                raise ConfigError(
                    f"{folder}: holds other things and no data set", "Give a new or empty folder"
                )
            empty = msgspec.json.format(msgspec.json.encode(Manifest()), indent=1)
            write_atomically(folder / MANIFEST, empty + b"\n")
        found = DataSet(folder)
        found.tidy()
        _empty(folder / SPILL)
        yield found
    finally:
        os.close(lock)


def _empty(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    data = read_bounded(path, _MAX_MANIFEST_BYTES, "Give a folder that ingest made")
    try:
        said = msgspec.json.decode(data)
        if not isinstance(said, dict) or said.get("format") != DATASET_FORMAT:
            raise CannotOpen(f"{path}: is no data set of the audit", "Give one that ingest made")
        if said.get("version") != DATASET_VERSION:
            raise ConfigError(
                f"{path}: is of version {said.get('version')}, this program knows "
                f"{DATASET_VERSION}", _START_ANEW,
            )  # fmt: skip
        found = msgspec.convert(said, Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise CannotOpen(f"{path}: {fault}", _START_ANEW) from fault
    unknown = {file.table for file in found.files} - TABLES.keys()
    if unknown:
        raise CannotOpen(f"{path}: {min(unknown)[:40]!r} is no table", _START_ANEW)
    return found
