"""Cuts a recorder's life off before its n-th change: by SIGKILL, or by a power cut of its file system.

    python -m tests.faults.cutting CAMERA

A process that has all loaded, with cut.c preloaded, forks one life after another as it is told on its
input, so that a cut costs a tenth of a second.
"""

from __future__ import annotations

import ctypes
import json
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bodycam.contentkeys import ContentKeys
from bodycam.provision.identity import Identity
from bodycam.signing import load_recipients
from tests.evidence import DEVICE, UTC_NS

from .aftermath import StillClock, next_start
from .life import FOOTAGE, Footage, identity_of, live
from .promises import Promise

_SOURCE = Path(__file__).with_name("cut.c")
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Cut:
    """How a life ended: cut off, or by itself after so many changes; and what it had promised."""

    cut: bool
    changes: int
    promises: tuple[Promise, ...]


def compile_cut(folder: Path) -> Path:
    """The library to preload."""
    library = folder / "cut.so"
    command = ["gcc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(library)]
    subprocess.run([*command, str(_SOURCE)], check=True)
    return library


class Cutter:
    """A context: lives to be cut off, of the camera in a folder."""

    def __init__(self, camera: Path) -> None:
        library = compile_cut(camera)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.cutting", str(camera)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT,
            env={**os.environ, "LD_PRELOAD": str(library)},
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=10)

    def live(
        self, store: Path, at: int = 0, *, power: bool = False, start_only: bool = False
    ) -> Cut:
        """One life on this store, cut off before its change number `at`; 0 lets it live."""
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("made with pipes")
        job = {"store": str(store), "at": at, "power": power, "start_only": start_only}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        promises = tuple(Promise.of(0, told) for told in answer["promises"])
        return Cut(answer["cut"], answer["changes"], promises)


def _fork(library: ctypes.CDLL, job: dict[str, Any], footage: Footage, camera: Identity) -> Any:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_cut(library, job, footage, camera, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        told = [json.loads(line) for line in stream]
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status not in (0, -signal.SIGKILL):
        raise AssertionError(f"the life ended with {status}")
    changes = told.pop()["changes"] if status == 0 else 0
    return {"cut": status != 0, "changes": changes, "promises": told}


def _be_cut(
    library: ctypes.CDLL, job: dict[str, Any], footage: Footage, camera: Identity, writer: int
) -> None:
    code = 1
    try:
        store, start = Path(job["store"]), next_start(camera, StillClock(UTC_NS), DEVICE)
        keys = ContentKeys(load_recipients(camera.identity))

        def tell(promise: dict[str, Any]) -> None:
            os.write(writer, json.dumps(promise).encode() + b"\n")

        library.cut_arm(str(store).encode(), job["at"], int(job["power"]))
        if job["start_only"]:
            start.start(store)
        else:
            live(store, start, keys, footage, tell)
        os.write(writer, json.dumps({"changes": library.cut_count()}).encode() + b"\n")
        code = 0
    finally:
        os._exit(code)


def main() -> None:
    camera = Path(sys.argv[1])
    library = ctypes.CDLL(os.environ["LD_PRELOAD"])
    identity = identity_of(camera)
    units = pickle.loads((camera / FOOTAGE).read_bytes())
    for line in sys.stdin:
        print(json.dumps(_fork(library, json.loads(line), units, identity)), flush=True)


if __name__ == "__main__":
    main()
