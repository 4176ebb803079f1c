"""Which configuration is in force: an officer's camera records, whatever lies in its file.

| the file                       | in force                                                    |
|--------------------------------|-------------------------------------------------------------|
| is accepted                    | it; kept as the last good one once the camera is ready      |
| is refused, or cannot be read  | the last good one                                           |
| and there is no last good one  | those of its tables that are accepted by themselves, and    |
|                                | what is built in for all the rest                           |

| while it runs, the file becomes | what follows                                               |
|---------------------------------|------------------------------------------------------------|
| another that is accepted        | `config.pending`; at rest the recorder ends, to begin anew |
| another that is refused         | `config.rejected`; nothing                                 |
| what is in force again          | nothing is pending any more                                |

So it is with a place for the last good one (`bodycam run --last-good FILE`, as the shipped unit has it).
Without one a refused file is an error, as everywhere else. Why so: docs/adr/0025.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from .config import Config
from .configfile import ConfigText, parse, read_text
from .errors import ConfigError
from .store import write_atomically
from .tomltext import to_toml


class Origin(Enum):
    """Where the configuration in force comes from."""

    FILE = "file"
    LAST_GOOD = "last-good"
    BUILT_IN = "built-in"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The configuration in force, and why it is not the file's, if it is not."""

    config: Config
    text: ConfigText
    origin: Origin
    rejected: ConfigError | None = None
    file_sha256: str = ""


def choose(path: Path, last_good: Path | None) -> Chosen:
    """The configuration to run with. Raises ConfigError only where there is no last good one to be."""
    sha256 = ""
    tree: dict[str, Any] = {}
    try:
        text = read_text(path)
        sha256 = text.sha256
        tree = text.tree()
        return Chosen(text.parse(), text, Origin.FILE, file_sha256=sha256)
    except ConfigError as fault:
        if last_good is None:
            raise
        rejected = fault
    try:
        text = read_text(last_good)
        return Chosen(text.parse(), text, Origin.LAST_GOOD, rejected, sha256)
    except ConfigError:
        # There never was one, or an older program's: what can be had is better than no camera.
        kept = accepted_tables(tree)
        text = ConfigText(path, to_toml(kept).encode())
        return Chosen(parse(kept, str(path)), text, Origin.BUILT_IN, rejected, sha256)


def accepted_tables(tree: dict[str, Any]) -> dict[str, Any]:
    """The tables that are accepted, each together with those before it."""
    kept: dict[str, Any] = {}
    for name, table in tree.items():
        try:
            parse({**kept, name: table}, name)
        except ConfigError:
            continue
        kept[name] = table
    return kept


@dataclass(frozen=True, slots=True)
class Pending:
    """Another configuration waits for the camera to be at rest."""

    sha256: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The file was changed to something that is refused."""

    reason: str


class ConfigWatch:
    """Keeps what has proved itself, and sees what else is put in place; one thread asks it."""

    def __init__(self, path: Path, chosen: Chosen, last_good: Path) -> None:
        self._path, self._in_force = path, chosen.text.sha256
        self._chosen, self._last_good = chosen, last_good
        self._judged = chosen.file_sha256
        self._seen = self._signature()
        self._settled = True
        self.pending = False
        self.rejected = str(chosen.rejected) if chosen.rejected is not None else None

    def keep(self) -> None:
        """Make the file's the last good one: a power cut leaves the old or the new. Raises OSError."""
        chosen, path = self._chosen, self._last_good
        if chosen.origin is not Origin.FILE:
            return
        if not path.exists() or path.read_bytes() != chosen.text.raw:
            write_atomically(path, chosen.text.raw)

    def look(self) -> Pending | Rejected | None:
        """What became of the file; it counts once it was left alone from one look to the next."""
        now = self._signature()
        if now != self._seen:
            self._seen, self._settled = now, False
            return None
        if self._settled:
            return None
        self._settled = True
        return self._judge()

    def _signature(self) -> tuple[int, int, int] | None:
        try:
            facts = self._path.stat()
        except OSError:
            return None
        return facts.st_ino, facts.st_size, facts.st_mtime_ns

    def _judge(self) -> Pending | Rejected | None:
        sha256 = ""
        try:
            text = read_text(self._path)
            sha256 = text.sha256
            if sha256 != self._in_force:
                text.parse()
        except ConfigError as fault:
            self.pending, self.rejected = False, str(fault)
            told, self._judged = self._judged == sha256, sha256
            return None if told else Rejected(str(fault))
        self.pending, self.rejected = sha256 != self._in_force, None
        told, self._judged = self._judged == sha256, sha256
        return Pending(sha256) if self.pending and not told else None
