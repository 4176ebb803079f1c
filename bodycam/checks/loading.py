"""Whether native modules load: each in a process of its own, for one may kill whatever loads it.

A wheel for another processor ends a Pi's recorder with SIGILL and not with an error. Nothing native is
imported here, so that this can be asked before anything is.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ..errors import ExitCode
from .result import CheckResult, failed, ok, warn

# Without these there is not even a configuration.
BASE_MODULES = ("cryptography.hazmat.bindings._rust", "msgspec")
_TIMEOUT_S = 60
_MAX_CHARS = 160
_INSTALL = "Install it for this machine (README.md, Installing), or restore the card's image"


@dataclass(frozen=True, slots=True)
class Broken:
    """A module that does not load, and how that ended; a deadly one takes its process along."""

    module: str
    how: str
    deadly: bool


def load_alone(module: str) -> Broken | None:
    """Import one module in a new interpreter."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", f"import {module}"], check=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=_TIMEOUT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Broken(module, f"hangs for {_TIMEOUT_S} s", deadly=True)
    if done.returncode == 0:
        return None
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        return Broken(module, f"dies of {name}", deadly=True)
    said = done.stderr.decode(errors="replace").strip().splitlines()
    how = said[-1][:_MAX_CHARS] if said else f"exit {done.returncode}"
    return Broken(module, how, deadly=not said)


def broken_among(modules: Sequence[str], at_once: int = 2) -> list[Broken]:
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        return [found for found in pool.map(load_alone, modules) if found]


def judge_modules(
    modules: Sequence[str], broken: Sequence[Broken], spare: Collection[str] = ()
) -> CheckResult:
    """Everything that is compiled for some processor loads on this one; `spare` ones may lack."""
    told = "; ".join(f"{b.module}: {b.how}" for b in broken)
    names = [b.module for b in broken]
    if any(name not in spare for name in names):
        return failed("modules", told, _INSTALL, ExitCode.FAILURE, broken=names)
    if broken:
        return warn("modules", f"{told}; it is done without", _INSTALL, broken=names)
    loaded = ", ".join(module.partition(".")[0] for module in modules)
    return ok("modules", f"{loaded} load", modules=list(modules))
