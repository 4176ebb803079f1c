"""The configuration is spoilt, or replaced while it records: an officer's camera records."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from bodycam.clock import NS
from bodycam.errors import ExitCode
from bodycam.simulate.unit import Unit
from tests.rig import records_of

from .conftest import Faulty
from .faultrig import FaultRig
from .results import Measure
from .test_clock_faults import also, begin, end

pytestmark = pytest.mark.system


def edited(unit: Unit, old: str, new: str) -> str:
    """The camera's configuration with something else in it."""
    text = unit.config_path.read_text(encoding="utf-8")
    assert old in text
    return text.replace(old, new)


def push(unit: Unit, text: str) -> str:
    """Put a configuration in place, as `scp` and `mv` do; its digest."""
    draft = unit.config_path.with_suffix(".new")
    draft.write_text(text, encoding="utf-8")
    draft.rename(unit.config_path)
    return hashlib.sha256(text.encode()).hexdigest()


def _unknown_key(unit: Unit) -> str:
    return edited(unit, "[recording]\n", "[recording]\nsegment_length = 5\n")


def _wrong_value(unit: Unit) -> str:
    return edited(unit, "segment_s = 5", "segment_s = 5000")


def _cut_short(unit: Unit) -> str:
    text = unit.config_path.read_text(encoding="utf-8")
    return text[: text.index("segment_s")] + "segment_s = "


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        pytest.param(_unknown_key, "recording.segment_length: unknown key", id="unknown key"),
        pytest.param(_cut_short, "not a TOML file", id="cut short", marks=pytest.mark.soak),
    ],
)
def test_f51_a_spoilt_configuration_never_keeps_it_from_recording_as_it_did_before(
    unit: Faulty, spoil: Callable[[Unit], str], reason: str
) -> None:
    def before(unit: Unit) -> None:
        unit.last_good_path.write_bytes(unit.config_path.read_bytes())
        push(unit, spoil(unit))
        unit.set_sensor("class/power_supply/usb/type", "USB")
        unit.set_sensor("class/power_supply/usb/online", 1)

    with unit(before=before, speed=2) as rig:
        rig.until("SERVICE at the dock", lambda: "service" in also(rig))
        assert "SERVICE    the configuration is refused" in rig.status().stdout
        begin(rig, 1)
        end(rig)
    (said,) = rig.events("config.rejected")
    assert reason in said["data"]["reason"]
    assert said["data"]["using"] == "last-good"
    good = hashlib.sha256(rig.unit.last_good_path.read_bytes()).hexdigest()
    assert rig.events("boot")[0]["data"]["config_sha256"] == good
    report = rig.verify()
    assert report.exit_code in (ExitCode.OK, ExitCode.INCOMPLETE), report.findings
    assert "rec" in rig.states()


def test_f51_without_a_last_good_one_each_table_that_is_good_by_itself_is_taken(
    unit: Faulty,
) -> None:
    with unit(before=lambda unit: push(unit, _wrong_value(unit)) and None, speed=8) as rig:
        begin(rig, 1)
        end(rig)
        assert not rig.unit.last_good_path.exists(), "what was refused is not kept"
    (said,) = rig.events("config.rejected")
    assert "recording.segment_s" in said["data"]["reason"]
    assert said["data"]["using"] == "built-in"
    # The tail is built in, 30 s: whoever stops is believed later rather than sooner.
    (tail,) = rig.events("tail.start")
    assert tail["data"]["ends_ns"] - tail["boot_ns"] >= 30 * NS
    assert records_of(rig.segments()[0])[0]["dev"] == "BC-0001"


def test_f52_a_configuration_that_is_pushed_while_it_records_takes_effect_after_the_stop(
    unit: Faulty, measured: Measure
) -> None:
    with unit(speed=4) as rig:
        rig.until("kept", rig.unit.last_good_path.exists)
        first = hashlib.sha256(rig.unit.config_path.read_bytes()).hexdigest()
        begin(rig, 1)
        worker = rig.unit.status()["worker_pid"]
        push(rig.unit, _wrong_value(rig.unit))
        rejected = rig.until_logged("config.rejected")
        second = push(rig.unit, edited(rig.unit, "segment_s = 5000", "segment_s = 7"))
        pending = rig.until_logged("config.pending")
        rig.run_for(6)
        assert rig.events("rec.stop") == []
        assert (rig.unit.starts, rig.unit.status()["worker_pid"]) == (1, worker)
        end(rig)
        stopped_ns = rig.unit.clock.boot_ns()
        rig.until_logged("boot", 2)
        rig.until("ready anew", lambda: len(rig.events("ready")) == 2)
        measured(
            "seconds from the stop to ready with the new configuration",
            (rig.unit.clock.boot_ns() - stopped_ns) / NS, "s", 30.0,
        )  # fmt: skip
        rig.until("kept", lambda: b"segment_s = 7" in rig.unit.last_good_path.read_bytes())
    assert rejected["data"]["using"] == "running"
    assert pending["data"]["config_sha256"] == second
    assert [line["data"]["config_sha256"] for line in rig.events("boot")] == [first, second]
    assert [line["data"]["reason"] for line in rig.events("shutdown")] == ["config", "SIGTERM"]
    assert rig.unit.exit_codes == [0, 0]
    assert_only_one(rig)


def assert_only_one(rig: FaultRig) -> None:
    """The push cut nothing."""
    assert len(rig.events("rec.start")) == len(rig.events("rec.stop")) == 1
    assert rig.events("boot.unclean") == []
