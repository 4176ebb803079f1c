"""Which vectors there are: how each is made, and what a verifier must answer."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bodycam.custody.findings import Check, Verdict

from ..evidence import Evidence
from .world import World

Make = Callable[[World, Path], Path]


@dataclass(frozen=True, slots=True)
class Vector:
    """One piece of evidence, what was done to it, and the answer that is right.

    `place` is where the finding must be that decides; empty for what is intact.
    """

    name: str
    what: str
    verdict: Verdict
    check: Check | None
    place: str
    make: Make


CATALOGUE: list[Vector] = []


def vector(verdict: Verdict, check: Check | None = None, place: str = "") -> Callable[[Make], Make]:
    """Register a function that writes a vector into a folder and answers what to verify."""

    def register(make: Make) -> Make:
        name = make.__name__.replace("_", "-")
        what = (make.__doc__ or "").strip()
        CATALOGUE.append(Vector(name, what, verdict, check, place, make))
        return make

    return register


def one(evidence: Evidence, out: Path, number: int = 0) -> Path:
    """A copy of one segment, by itself."""
    source = evidence.segments[number]
    out.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(source, out / source.name))


def folder(evidence: Evidence, out: Path) -> list[Path]:
    """A copy of a recording's folder."""
    place = out / evidence.recording
    place.mkdir(parents=True)
    return [Path(shutil.copyfile(p, place / p.name)) for p in evidence.segments]


def store(evidence: Evidence, out: Path) -> Evidence:
    """A copy of a whole store."""
    shutil.copytree(
        evidence.store, out, dirs_exist_ok=True, ignore=shutil.ignore_patterns("lock", "resume"),
        copy_function=shutil.copyfile,
    )  # fmt: skip
    return Evidence(out, evidence.identity, evidence.recording, ())
