"""The custodian's own log: who opened and exported what, when and why.

In the format of a camera's event log, in a folder of the custodian's:

    FOLDER/events.jsonl     chained lines: `custody.open`, `custody.export`, `custody.failed`
    FOLDER/checkpoint       signed, if there is a key to sign with
    FOLDER/certificates/    the certificates of that key
    FOLDER/lock             held while a line is appended

| step                              | a power cut leaves                                     |
|-----------------------------------|--------------------------------------------------------|
| `custody.open` is synced          | a line that says what was opened, and no clip          |
| clip written, `custody.export`    | the same, and a line that says what it would have been |
| clip named                        | both                                                   |
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from .. import __version__
from ..clock import Clock, utc_text
from ..errors import BodycamError, ConfigError, EvidenceError, StorageError
from ..eventlog import LOG_FILE, EventLog
from ..formats.logline import decode_line
from ..signing import Signer, load_certificate
from ..store import storage_error
from .logfacts import raw_lines
from .result import ExportResult

ORIGIN = "bodycam/custody"
UNSIGNED = "unsigned"
_MAX_TEXT = 500
_MAX_PATHS = 20


@dataclass(frozen=True, slots=True)
class Custodian:
    """Who exports, and the reason that was given."""

    who: str
    why: str


class ExportLog:
    """Appends to the log of one custodian's desk. Raises StorageError: then nothing is exported."""

    def __init__(self, folder: Path, clock: Clock, custodian: Custodian, signer: Signer) -> None:
        self._folder = folder
        self._clock = clock
        self._who, self._why = custodian.who[:_MAX_TEXT], custodian.why[:_MAX_TEXT]
        self._signer = signer
        chain = signer.certificates
        self._desk = _name(chain[0]) if chain else UNSIGNED

    def opened(self, paths: Sequence[Path], key: Path, root: Path | None) -> None:
        """Say what is about to be opened, before anything is."""
        with self._line() as log:
            log.append(
                "custody.open", sync=True, who=self._who, why=self._why,
                paths=[str(path)[:_MAX_TEXT] for path in paths[:_MAX_PATHS]],
                more=max(0, len(paths) - _MAX_PATHS), key=key.name, root=root.name if root else "",
            )  # fmt: skip

    def exported(self, result: ExportResult) -> None:
        """Say what is about to be handed out."""
        with self._line() as log:
            log.append(
                "custody.export", sync=True, who=self._who, why=self._why, camera=result.device,
                rec=result.recording, segments=result.segments,
                utc_from=utc_text(result.utc_from_ns), utc_to=utc_text(result.utc_to_ns),
                clip=result.clip.name, sha256=result.sha256,
                manifest_sha256=result.manifest_sha256, verdict=result.report.verdict.value,
            )  # fmt: skip

    def failed(self, fault: BodycamError) -> None:
        """Say that nothing came of it, or no more, and why."""
        with self._line() as log:
            log.append(
                "custody.failed", sync=True, who=self._who, why=self._why,
                reason=str(fault)[:_MAX_TEXT],
            )  # fmt: skip

    @contextmanager
    def _line(self) -> Iterator[EventLog]:
        with self._opened_log() as log:
            yield log
            log.checkpoint()
            if log.fault:
                raise StorageError(
                    f"the export could not be logged: {log.fault}",
                    "Nothing was exported. Name a folder that can be written with --custody-log",
                )

    @contextmanager
    def _opened_log(self) -> Iterator[EventLog]:
        folder = self._folder
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._check_desk()
                log = EventLog(folder, self._clock, f"{ORIGIN}/{self._desk}", self._signer)
                recovered = log.open()
                try:
                    if recovered.last_boot != self._clock.boot_id:
                        log.append("boot", fw=f"bodycam {__version__}", device=self._desk)
                    yield log
                finally:
                    log.close()
            finally:
                os.close(lock)
        except OSError as fault:
            raise storage_error(fault, folder) from fault

    def _check_desk(self) -> None:
        """One log, one desk: lines of another one would look as if they had been put in."""
        path = self._folder / LOG_FILE
        first = next(iter(raw_lines(path)), None) if path.exists() else None
        if first is None or not first.whole:
            return
        try:
            desk = decode_line(first.data).data.get("device")
        except (EvidenceError, AttributeError) as fault:
            raise StorageError(
                f"{path}: {fault}", "Name another folder with --custody-log"
            ) from fault
        if desk != self._desk:
            raise ConfigError(
                f"{path} is the log of {desk!r}, not of {self._desk!r}",
                "Name another folder with --custody-log, or the other --log-identity",
            )


def _name(der: bytes) -> str:
    names = load_certificate(der).subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else "unnamed"
