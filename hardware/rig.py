"""The camera on the bench, as the acceptance sees it: its files, its commands, its log."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from bodycam.config import Config

Figures = dict[str, Any]
ROOT = Path(__file__).resolve().parent.parent


class Verdict(Enum):
    """What a step came to. An open one was not done, or goes on after a restart."""

    PASSED = "passed"
    FAILED = "failed"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Outcome:
    verdict: Verdict
    found: str
    figures: Figures = field(default_factory=dict)


def judged(good: bool, found: str, **figures: Any) -> Outcome:
    return Outcome(Verdict.PASSED if good else Verdict.FAILED, found, figures)


def left_open(why: str, **figures: Any) -> Outcome:
    return Outcome(Verdict.OPEN, why, figures)


class Talk(Protocol):
    """The technician: told what to do, asked what happened."""

    def tell(self, words: str) -> None: ...

    def ask(self, question: str) -> bool | None:
        """Yes, no, or None: not done."""
        ...

    def number(self, question: str) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Rig:
    """One camera. `root` is / on a real one; `out` keeps what must outlive a restart."""

    config: Config
    config_path: Path
    out: Path
    root: Path = Path("/")

    def text(self, path: str) -> str | None:
        """A file of the system, without the zero byte that device-tree puts at its end."""
        try:
            return (self.root / path).read_text(encoding="utf-8", errors="replace").strip("\0\n ")
        except OSError:
            return None

    @property
    def model(self) -> str:
        return self.text("proc/device-tree/model") or ""

    @property
    def boot_id(self) -> str:
        return self.text("proc/sys/kernel/random/boot_id") or ""

    def python(self, *arguments: str, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
        """A module of ours, or pytest, in the interpreter and the checkout this runs in."""
        return self.run(sys.executable, *arguments, timeout_s=timeout_s)

    def run(self, *command: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """A command of the system; one that is not there answers 127, one that hangs 124."""
        try:
            return subprocess.run(
                command, check=False, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True,
                text=True, timeout=timeout_s,
            )  # fmt: skip
        except FileNotFoundError:
            return subprocess.CompletedProcess(command, 127, "", f"{command[0]}: not installed")
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 124, "", f"no answer in {timeout_s:g} s")

    def status(self) -> Mapping[str, Any] | None:
        """The recorder's status file; None while there is none."""
        try:
            found = json.loads((Path(self.config.store.runtime) / "status.json").read_bytes())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def events(self, store: Path | None = None) -> list[dict[str, Any]]:
        """The lines of the log, oldest first."""
        path = (store or Path(self.config.store.path)) / "log" / "events.jsonl"
        try:
            lines = path.read_bytes().splitlines()
        except OSError:
            return []
        found = []
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue  # a line that is being written just now
            if isinstance(event, dict):
                found.append(event)
        return found

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)

    # -- what outlives a restart --------------------------------------------------------------

    def remember(self, step: str, **facts: Any) -> None:
        """Note that a step was begun, so that its second half finds it after a restart."""
        state = self._state()
        state[step] = facts
        self._path.write_text(json.dumps(state), encoding="utf-8")

    def remembered(self, step: str) -> dict[str, Any] | None:
        found = self._state().get(step)
        return found if isinstance(found, dict) else None

    def forget(self, step: str) -> None:
        state = self._state()
        state.pop(step, None)
        self._path.write_text(json.dumps(state), encoding="utf-8")

    @property
    def _path(self) -> Path:
        return self.out / "begun.json"

    def _state(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def pin_states(printed: str) -> dict[int, tuple[str, str]]:
    """What `pinctrl get` says: function and level by BCM number."""
    return {
        int(bcm): (function, level)
        for bcm, function, level in re.findall(r"(?m)^\s*(\d+): (\w+).*\| (hi|lo)", printed)
    }


def to_toml(tree: Mapping[str, Any], name: str = "") -> str:
    """Plain tables, lists of tables and simple values as TOML."""
    lines = [f"[{name}]"] if name else []
    later = []
    for key, value in tree.items():
        path = f"{name}.{json.dumps(key)}" if name else json.dumps(key)
        if isinstance(value, Mapping):
            later.append(to_toml(value, path))
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            later += [f"[[{path}]]\n" + to_toml(entry) for entry in value]
        else:
            lines.append(f"{json.dumps(key)} = {json.dumps(value)}")
    return "\n".join([*lines, *later]) + "\n"
