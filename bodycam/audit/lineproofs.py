"""Proofs of the lines of the log that the page names: files beside it, and links to them.

The page says what a camera was around each incident that may not be COMPLETE, and what does not fit in its
log. Whoever doubts that needs neither the store nor this program: a proof has the line, its place under
the checkpoint that the camera signed, and the camera's certificates (`bodycam log check`). Where the log is not
what was signed, nothing of it can be proved, and no line is a link.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from ..custody.logproofs import LogFolder, prove_lines
from ..errors import BodycamError
from ..formats.logproof import encode_proof
from ..store import storage_error
from .filenames import in_file_name
from .outcome import Camera, Outcome
from .pageparts import MAX_ROWS, Links
from .scoring import IncidentClass
from .timeline import DeviceTimeline

FOLDER = "proofs"
# Nobody follows more links than these.
MAX_A_CAMERA = 200
_LINE = re.compile(r"line (\d{1,18}):", re.ASCII)


def write_proofs(outcome: Outcome, folder: Path) -> Links:
    """Write the proofs below a folder; the links to them. Raises StorageError."""
    links: dict[tuple[str, int], str] = {}
    for camera in outcome.cameras:
        lines = sorted(_first(named_lines(outcome, camera)))
        if camera.line.log is None or not lines:
            continue
        try:
            proofs = prove_lines(LogFolder(camera.line.log), lines)
        except BodycamError:
            continue  # not what was signed, or not readable: the verifier has said so
        for line, proof in proofs.items():
            name = f"{in_file_name(camera.line.device)}-line-{line}.json"
            _write(folder / FOLDER / name, encode_proof(proof))
            links[camera.line.device, line] = f"{FOLDER}/{quote(name)}"
    return links


def named_lines(outcome: Outcome, camera: Camera) -> Iterator[int]:
    """The lines that say why: of its findings, then around its incidents that may not be COMPLETE."""
    line = camera.line
    yield from filter(None, map(line_of, line.findings[:MAX_ROWS]))
    for one in outcome.scored[:MAX_ROWS]:
        if one.found is None or one.found.kinds == (IncidentClass.COMPLETE,):
            continue
        if line.device in one.devices:
            yield from lines_in(line, one.window.due_us, one.window.end_us)


def line_of(finding: str) -> int | None:
    """The line that a finding of a timeline is about."""
    told = _LINE.match(finding)
    return int(told[1]) if told else None


def lines_in(line: DeviceTimeline, start_us: int, end_us: int) -> list[int]:
    """The lines around the states of a stretch of time."""
    states = line.states_in(start_us, end_us)
    return sorted({n for state in states for n in (state.line, state.next_line) if n})


def _first(lines: Iterator[int]) -> set[int]:
    found: set[int] = set()
    for line in lines:
        found.add(line)
        if len(found) == MAX_A_CAMERA:
            break
    return found


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    except OSError as fault:
        raise storage_error(fault, path) from fault
