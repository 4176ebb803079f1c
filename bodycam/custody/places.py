"""Finds what there is to verify at the paths that somebody gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..checkpointfile import CHECKPOINT_FILE
from ..eventlog import LOG_FILE
from ..revocation import CRL_FILE
from .findings import Check, Finding, Verdict


@dataclass(slots=True)
class Given:
    """The segments, recording folders and logs found; `log_evidence` is parallel to `logs`."""

    segments: list[Path] = field(default_factory=list)
    folders: set[Path] = field(default_factory=set)
    logs: list[tuple[Path, str]] = field(default_factory=list)
    log_evidence: list[Path | None] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    roots: list[Path] = field(default_factory=list)
    crls: list[Path] = field(default_factory=list)
    several: bool = False

    def label(self, path: Path) -> str:
        """The path as a person reads it: relative to what was given, with the name of that if
        there are several.
        """
        for root in self.roots:
            if path != root and path.is_relative_to(root):
                return str(path.relative_to(root.parent if self.several else root))
        return path.name


def find_places(paths: Sequence[Path]) -> Given:
    """Sort the paths; what is none of ours becomes an UNREADABLE finding."""
    given = Given(several=len(paths) > 1)
    for path in paths:
        try:
            _sort(given, path)
        except OSError as fault:
            _unreadable(given, path, f"{fault.strerror}: check path and permissions")
    given.segments = list(dict.fromkeys(given.segments))
    # The revocation list lies beside the evidence, so that it is there in ten years, too.
    stores = {
        path.resolve().parents[2] for path in given.segments if len(path.resolve().parents) > 2
    }
    given.crls = [found for s in sorted(stores) if (found := s / CRL_FILE).is_file()]
    return given


def _sort(given: Given, path: Path) -> None:
    if not path.exists():
        _unreadable(given, path, "No such file or folder: check the path")
    elif path.is_file():
        if path.name == CHECKPOINT_FILE or path.suffix == ".jsonl":
            _log(given, path.with_name(LOG_FILE) if path.suffix != ".jsonl" else path, None)
        else:
            given.segments.append(path)
    elif path.is_dir():
        given.roots.append(path)
        if not _folder(given, path):
            _unreadable(given, path, "holds no segments and no event log")
    else:
        _unreadable(given, path, "is neither a file nor a folder")


def _folder(given: Given, path: Path) -> bool:
    evidence, log = path / "evidence", path / "log"
    if evidence.is_dir() or (log / LOG_FILE).is_file():
        _evidence(given, evidence)
        if (log / LOG_FILE).is_file():
            _log(given, log / LOG_FILE, evidence)
        else:
            given.findings.append(
                Finding(
                    Check.LOG_STORE,
                    Verdict.INCOMPLETE,
                    path.name,
                    "log",
                    "the event log is missing: nothing tells whether evidence was removed",
                )
            )
        return True
    if (path / LOG_FILE).is_file():
        _log(given, path / LOG_FILE, None)
        return True
    return _recording(given, path) or _evidence(given, path)


def _evidence(given: Given, path: Path) -> bool:
    if not path.is_dir():
        return False
    folders = sorted(p for p in path.iterdir() if p.is_dir())
    held = [_recording(given, folder) for folder in folders]
    return any(held)


def _recording(given: Given, path: Path) -> bool:
    files = sorted(p for p in path.iterdir() if p.suffix == ".mp4" and p.is_file())
    if files:
        given.folders.add(path)
        given.segments += files
    return bool(files)


def _log(given: Given, path: Path, evidence: Path | None) -> None:
    given.logs.append((path, given.label(path)))
    given.log_evidence.append(evidence)


def _unreadable(given: Given, path: Path, text: str) -> None:
    given.findings.append(Finding(Check.CONTAINER, Verdict.UNREADABLE, str(path), "", text))
