"""Cameras' stores for `bodycam audit ingest`: verified, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryptography import x509

from ..audit.dataset.ingest import Ingest
from ..audit.dataset.store import DataSet
from ..clock import SystemClock
from ..custody.htmltext import visible
from ..errors import ExitCode
from ..progress import Progress


def take_stores(
    data: DataSet, stores: Sequence[Path], root: x509.Certificate | None, crls: Sequence[Path]
) -> ExitCode:
    """The worst verdict's exit code; 3 too if a store was left out."""
    bar: Progress | None = None

    def show(done: int, total: int) -> None:
        nonlocal bar
        bar = bar or Progress("ingest", total)
        bar.update(done)

    ingest = Ingest(data, root, crls=crls, now_utc_ns=SystemClock().sample().utc_ns)
    done = ingest.take(stores, show)
    if bar is not None:
        bar.close()
    for device, verdict in sorted(done.verdicts.items()):
        if verdict.exit_code is not ExitCode.OK:
            print(f"{verdict.value:11} {visible(device)}: see the findings of the data set")
    for why in done.refused:
        print(f"left out    {visible(why)}")
    print(
        f"{len(done.added)} cameras added, {len(done.replaced)} replaced, "
        f"{len(done.unchanged)} unchanged, {len(done.refused)} left out; "
        f"{done.lines} lines of logs verified"
    )
    return done.exit_code
