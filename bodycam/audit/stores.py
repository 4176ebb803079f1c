"""Which stores are meant by the paths that somebody gave."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..eventlog import LOG_FILE


def stores_of(given: Iterable[Path]) -> list[Path]:
    """Each path that is a store, and the stores in each folder that is none; else the path itself."""
    found: list[Path] = []
    for path in given:
        found += [p for p in _inside(path) if _is_store(p)] or [path]
    return found


def _inside(path: Path) -> list[Path]:
    if _is_store(path) or not path.is_dir():
        return []
    try:
        return sorted(path.iterdir())
    except OSError:
        return []  # then it is a path that the verifier cannot read either, and says so


def _is_store(path: Path) -> bool:
    return (path / "evidence").is_dir() or (path / "log" / LOG_FILE).is_file()
