"""A force is measured month by month, beside another one, and without a roster."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import ibis
import pytest

from bodycam.audit.assignments import Assignments
from bodycam.audit.dataset.store import DataSet
from bodycam.audit.engine.force import Limits, measure_force
from bodycam.audit.incidents import Incident
from bodycam.audit.policy import load_policy
from bodycam.errors import ConfigError

from . import randomaudit
from .randomaudit import DAY_US, Force, S, force, write, write_records
from .test_audit_engine import recorded

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("audit-forceparts")]
LIMITS = Limits(memory="1GB", threads=1)
JUNE_US = 1_780_272_000 * S
Rows = list[dict[str, Any]]


def measured(folder: Path, into: str, *months: str) -> dict[str, Rows]:
    """What a run over this data set leaves, in an order of its own."""
    data = DataSet(folder / "set")
    results = measure_force(data, load_policy(), folder / into, months=months, limits=LIMITS)
    engine = ibis.duckdb.connect()
    return {
        table: sorted(results.open(table, engine).to_pyarrow().to_pylist(), key=repr)
        for table in ("incidents", "shifts", "cases", "cameras", "empty_windows")
    }


def test_the_months_together_are_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The turn of the month lies in the middle of everybody's day.
    monkeypatch.setattr(randomaudit, "DAY_US", JUNE_US - 3 * 3600 * S)
    made = force(random.Random(12), cameras=8, incidents=100)
    write(tmp_path / "set", list(made.lines.values()))
    write_records(tmp_path / "set", made)
    whole = measured(tmp_path, "whole")
    may, june = measured(tmp_path, "may", "2026-05"), measured(tmp_path, "june", "2026-06")
    for table in ("incidents", "shifts", "cases", "empty_windows"):
        assert sorted(may[table] + june[table], key=repr) == whole[table]
    assert all(may[table] and june[table] for table in ("incidents", "shifts", "cases"))
    free = ("unassigned_undocked_us", "unassigned_live_us")
    for one, two, both in zip(may["cameras"], june["cameras"], whole["cameras"], strict=True):
        assert [one[name] + two[name] for name in free] == [both[name] for name in free]
    assert measured(tmp_path, "other", "2027-01")["incidents"] == []


@pytest.mark.parametrize("month", ["2026-13", "June", "2026-6", "2026-06-01"])
def test_what_is_no_month_is_said(month: str, tmp_path: Path) -> None:
    data = write(tmp_path / "set", [])
    with pytest.raises(ConfigError, match=month):
        measure_force(data, load_policy(), tmp_path / "out", months=[month])


def test_without_a_roster_a_badge_is_a_camera_that_is_worn_always(tmp_path: Path) -> None:
    line = recorded("cam-7", 0, 600)
    incidents = [
        Incident("one", "cam-7", DAY_US, DAY_US + 300 * S, DAY_US),
        Incident("one", "cam-8", DAY_US, DAY_US + 300 * S, DAY_US),
    ]
    write(tmp_path / "set", [line])
    write_records(tmp_path / "set", Force({"cam-7": line}, Assignments(), incidents))
    found = {row["officer"]: row for row in measured(tmp_path, "out")["incidents"]}
    assert (found["cam-7"]["kind"], found["cam-7"]["left_out"]) == ("COMPLETE", "")
    assert found["cam-8"]["left_out"] == "UNMATCHED"
    assert found["cam-8"]["partner_us"] == 300 * S
