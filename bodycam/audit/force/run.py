"""A data set asked from beginning to end: measured, summed up, and written into a folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from ...errors import ConfigError, StorageError
from ...store import make_folder, storage_error
from ..dataset.store import DataSet
from ..engine.force import Limits, Show, measure_force
from ..engine.results import Results
from ..policy import Policy
from ..public import public_page, public_summary
from .asjson import as_json
from .camera import camera_file, camera_page, known_cameras
from .facts import ForceSummary
from .page import force_page
from .published import public_facts
from .sources import open_sources
from .summary import summary
from .tables import write_tables

RESULTS = "results"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a data set."""

    data: Path
    out: Path
    policy: Policy
    months: tuple[str, ...]
    memory: str
    threads: int
    public: bool = False
    every_row: bool = False
    cameras: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """What was found, as facts and as JSON, and the files that say it."""

    found: ForceSummary
    told: dict[str, Any]
    files: tuple[Path, ...]


def audit_force(wanted: Wanted, show: Show) -> Written:
    """Audit a data set. Raises CannotOpen, ConfigError, StorageError."""
    data = DataSet(wanted.data)
    data.check()
    try:
        make_folder(wanted.out)
    except OSError as fault:
        raise storage_error(fault, wanted.out) from fault
    try:
        return _audit(wanted, data, show)
    except duckdb.OutOfMemoryException as fault:
        raise ConfigError(
            f"audit: --memory {wanted.memory} is not enough: {_first(fault)}",
            "Give more, or fewer --month",
        ) from fault
    except duckdb.IOException as fault:
        raise StorageError(
            f"{wanted.out}: {_first(fault)}", "Check space and permissions"
        ) from fault


def _audit(wanted: Wanted, data: DataSet, show: Show) -> Written:
    policy, limits = wanted.policy, Limits(wanted.memory, wanted.threads)
    results = Results(wanted.out / RESULTS)
    asked = open_sources(results, data, policy, wanted.months, wanted.memory, wanted.threads)
    cameras = known_cameras(asked, wanted.cameras)
    measure_force(data, policy, results.folder, months=wanted.months, limits=limits, show=show)
    found = summary(asked)
    told = as_json(found)
    texts = {"audit.html": force_page(found), "audit.json": _json(told)}
    if wanted.public:
        facts = public_facts(found)
        texts |= {"public.html": public_page(facts), "public.json": _json(public_summary(facts))}
    texts |= {camera_file(camera): camera_page(asked, camera) for camera in cameras}
    files = [_write(wanted.out / name, text) for name, text in texts.items()]
    files += write_tables(asked, found.groups, wanted.out, every_row=wanted.every_row)
    results.forget_spilled()
    return Written(found, told, (*files, results.folder))


def _json(told: dict[str, Any]) -> str:
    return json.dumps(told, indent=1) + "\n"


def _write(path: Path, text: str) -> Path:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as fault:
        raise storage_error(fault, path) from fault
    return path


def _first(fault: Exception) -> str:
    return str(fault).splitlines()[0]
