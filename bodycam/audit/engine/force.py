"""Every measure of a whole force, in parts that need no more memory than one part does.

| what                  | a part                                                                       |
|-----------------------|------------------------------------------------------------------------------|
| M1 to M16 of shifts   | the cameras of some batches: the files of each are its own                    |
| M20 to M29            | some time: the incidents that are due in it, and what all cameras did then    |

Forces are measured one after the other; an id of one is nothing in another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..dataset.schema import CAMERA_TABLES, INCIDENTS, SPANS
from ..dataset.store import DataFile, DataSet
from ..policy import Policy
from .assigned import camera_rows, missing_cameras
from .beside import Beside
from .cameras import shifts
from .incidentparts import IncidentParts
from .months import Months, months_of
from .presses import latencies, percentiles
from .results import Results
from .run import Run
from .shiftrows import cases, measured, stretch_rows
from .tables import AuditTables, camera_tables, duckdb_reader

Show = Callable[[int, int], None]
PART_SPANS = 4_000_000
PART_INCIDENTS = 400_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What the engine may take of the machine."""

    memory: str = "6GB"
    threads: int = 2
    part_spans: int = PART_SPANS
    part_incidents: int = PART_INCIDENTS


def _quietly(_done: int, _total: int) -> None:
    return None


def measure_force(
    data: DataSet, policy: Policy, into: Path, *, months: Sequence[str] = (),
    limits: Limits = Limits(), show: Show = _quietly,
) -> Results:  # fmt: skip
    """All measures of what is in a data set, of these months or of all there is, as tables below
    `into`. Raises ConfigError, StorageError.
    """
    results, asked = Results(into), months_of(months)
    results.begin()
    read = duckdb_reader(
        memory_limit=limits.memory, threads=limits.threads, temp_directory=str(results.work / "spill"),
        preserve_insertion_order=False,
    )  # fmt: skip
    names = sorted({file.force for file in data.manifest.files}) or [""]
    runs = [
        Run(number, name, data, policy, results, asked, read) for number, name in enumerate(names)
    ]
    steps = [step for run in runs for step in _Force(run, limits).steps()]
    show(0, len(steps))
    try:
        for done, step in enumerate(steps, 1):
            step()
            show(done, len(steps))
    finally:
        # What reads the results has the memory to itself.
        runs[0].engine.disconnect()
    results.end()
    return results


class _Force:
    """The run over one force."""

    def __init__(self, run: Run, limits: Limits) -> None:
        rows = sum(f.rows for f in run.files if f.table == INCIDENTS.name)
        self._run = run
        self._groups = _groups(run.files, limits.part_spans)
        self._incidents = IncidentParts(run, max(1, -(-rows // limits.part_incidents)))

    def steps(self) -> Iterator[Callable[[], object]]:
        """All that is to be done, one after the other."""
        yield self._prepare
        for number, files in enumerate(self._groups):
            yield partial(self._measure_cameras, f"{number:06}", files)
        for part in range(self._incidents.count):
            yield partial(self._incidents.score, part)
        yield self._incidents.sum_up
        yield self._sum_up_cameras

    def _prepare(self) -> None:
        run = self._run
        self._incidents.prepare()
        self._beside = Beside(
            run.records, run.kept("worn"), run.policy, run.months, run.keep, run.kept
        )
        self._beside.prepare(camera_tables(run.read, run.data.folder, run.files).spans)

    def _measure_cameras(self, part: str, files: Sequence[DataFile]) -> None:
        """M1 to M16 of the shifts of these files' cameras, and what nobody wore of them."""
        run, rules = self._run, self._run.policy.device
        cameras = _near(run.months, camera_tables(run.read, run.data.folder, files))
        every = shifts(cameras, rules).cache()
        wanted = every.filter(run.months.holds(every.from_us)).cache()
        found = measured(cameras, wanted, every, rules, run.kept("worn"))
        run.write(stretch_rows(found), "shifts", part)
        run.write(cases(found), "cases", part)
        known = camera_rows(
            cameras, run.devices(files), run.kept("worn"), run.kept("officers"), run.months
        )
        run.write(known, "cameras", part)
        self._beside.of_cameras(part, cameras)

    def _sum_up_cameras(self) -> None:
        """What is of all cameras together."""
        run = self._run
        missing = missing_cameras(run.kept("worn"), run.kept("officers"), run.devices(run.files))
        run.write(missing, "missing_cameras", "all")
        recordings = camera_tables(run.read, run.data.folder, run.files).recordings
        for name, t in self._beside.results(recordings).items():
            run.write(t, name, "all")
        asked = recordings.filter(run.months.holds(recordings.begins_us))
        run.write(percentiles(latencies(asked), ("firmware",), "took_us"), "latencies", "all")


def _near(months: Months, told: AuditTables) -> AuditTables:
    spans, recordings, events = told.spans, told.recordings, told.events
    return AuditTables(
        spans.filter(months.near(spans.start_us, spans.end_us)),
        recordings.filter(months.near(recordings.begins_us, recordings.begins_us + 1)),
        events.filter(months.near(events.at_us, events.at_us + 1)),
    )


def _groups(files: Sequence[DataFile], most_spans: int) -> list[list[DataFile]]:
    """The files of cameras by batch, as many batches together as have so many spans at most."""
    batches: dict[int, list[DataFile]] = {}
    for file in files:
        if file.table in CAMERA_TABLES:
            batches.setdefault(file.batch, []).append(file)
    groups: list[list[DataFile]] = []
    spans = most_spans
    for batch in sorted(batches):
        more = sum(f.rows for f in batches[batch] if f.table == SPANS.name)
        if spans + more > most_spans:
            groups.append([])
            spans = 0
        groups[-1] += batches[batch]
        spans += more
    return groups or [[]]
