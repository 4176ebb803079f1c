"""Makes the month, in batches that are committed one by one, and writes the truth beside it.

DIR/                              the data set, as `bodycam audit ingest` leaves it
DIR/truth.json                    what was planted, and how often it came about
DIR/truth/incidents/*.parquet     of each officer at each incident what was done, and the class that is due
DIR/truth/officers/*.parquet      of each officer the kind
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...audit.dataset.store import open_to_write
from ...errors import ConfigError
from ...store import make_folder, storage_error, write_atomically
from .behaviours import CLASSES, DOES, HONEST, KINDS, Behaviours
from .cameras import Cameras
from .columns import coded, numbered
from .conduct import Conduct, draw_conduct
from .footage import record
from .life import live
from .plan import SITES, Calls, Roster, draw_calls, draw_roster
from .records import Records

BATCH_CAMERAS = 256
_BATCH_DAYS = BATCH_CAMERAS * 30
TRUTH = "truth.json"
Show = Callable[[int, int], None]


@dataclass(slots=True)
class Planted:
    """How often each behaviour came about."""

    officers: Counter[str] = field(default_factory=Counter)
    incidents: Counter[str] = field(default_factory=Counter)
    outcomes: int = 0
    recordings: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """Some cameras: their tables, those of records, and the truth."""

    tables: dict[str, pa.Table]
    incidents: pa.Table
    officers: pa.Table
    planted: Planted


def batch_cameras(days: int) -> int:
    """So many cameras fit into memory at once: an even number, for officers come in pairs."""
    return max(2, min(BATCH_CAMERAS, _BATCH_DAYS // days // 2 * 2))


def make_batch(first: int, cameras: int, days: int, seed: int, given: Behaviours) -> Batch:
    """So many cameras from an even number on."""
    rng = np.random.default_rng((seed, first))
    roster = draw_roster(first, cameras, days, given, rng)
    calls = draw_calls(roster, given, rng)
    conduct = draw_conduct(roster, calls, given, rng)
    footage = record(roster, calls, conduct, rng)
    life = live(roster, calls, conduct, footage, rng)
    made = Cameras(roster, calls, conduct, footage, life, rng)
    records = Records(roster, calls, conduct, rng)
    tables = made.tables() | records.tables(footage, made.takes.ids, given)
    kinds = Counter(KINDS[kind] for kind in roster.kind)
    does = np.bincount(conduct.does.ravel(), minlength=len(DOES))
    planted = Planted(
        kinds, Counter({d.value: int(n) for d, n in zip(DOES, does, strict=True) if n}),
        int(calls.outcome.sum()), len(footage),
    )  # fmt: skip
    return Batch(tables, _incidents(records, calls, conduct), _officers(records, roster), planted)


def _incidents(records: Records, calls: Calls, conduct: Conduct) -> pa.Table:
    shape = calls.event.shape
    officer = np.repeat(np.arange(shape[0]), shape[1] * shape[2])
    # Where dispatch does not say when it began or ended, no class is due.
    told = calls.cleared_known & (calls.on_scene_known | calls.self_initiated)
    kinds = coded([CLASSES[d].value for d in DOES], conduct.does.ravel())
    return pa.table({
        "event": records.events, "officer": records.officers.take(pa.array(officer)),
        "does": coded([d.value for d in DOES], conduct.does.ravel()),
        "kind": pc.if_else(pa.array(told.ravel()), kinds, pa.scalar(None, pa.string())),
        "late_us": conduct.late_us.ravel(), "outcome": calls.outcome.ravel(),
        "force": calls.force.ravel(),
    })  # fmt: skip


def _officers(records: Records, roster: Roster) -> pa.Table:
    number = np.arange(roster.first, roster.first + len(roster))
    honest = np.isin(roster.kind, [KINDS.index(kind) for kind in HONEST])
    return pa.table({
        "officer": records.officers, "device": numbered("cam-", number, 6),
        "behaves": coded(KINDS, roster.kind), "honest": honest, "never": roster.never,
        "site": coded([*SITES, ""], roster.site % (len(SITES) + 1)),
    })  # fmt: skip


def make_month(
    into: Path, cameras: int, days: int, seed: int, given: Behaviours, show: Show
) -> Planted:
    """Make all of it in a new folder. Raises ConfigError if there is something in it, StorageError."""
    if into.exists() and any(into.iterdir()):
        raise ConfigError(f"{into} is not empty", "Name a new folder")
    planted, batch = Planted(), batch_cameras(days)
    with open_to_write(into) as data:
        for first in range(0, cameras, batch):
            made = make_batch(first, min(batch, cameras - first), days, seed, given)
            data.commit(made.tables, {})
            _write(into / "truth" / "incidents", first, made.incidents)
            _write(into / "truth" / "officers", first, made.officers)
            planted.officers += made.planted.officers
            planted.incidents += made.planted.incidents
            planted.outcomes += made.planted.outcomes
            planted.recordings += made.planted.recordings
            show(min(first + batch, cameras), cameras)
    truth = {
        "cameras": cameras, "days": days, "seed": seed, "planted": given,
        "officers": planted.officers, "incidents": planted.incidents, "outcomes": planted.outcomes,
        "recordings": planted.recordings,
    }  # fmt: skip
    write_atomically(
        into / TRUTH, msgspec.json.format(msgspec.json.encode(truth), indent=1) + b"\n"
    )
    return planted


def _write(folder: Path, first: int, table: pa.Table) -> None:
    try:
        make_folder(folder)
        pq.write_table(table, folder / f"{first:06}.parquet", compression="zstd")
    except OSError as fault:
        raise storage_error(fault, folder) from fault
