"""Keys, certificates and recipients are missing, broken or too old: nothing is recorded in clear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bodycam.certificates import Trust
from bodycam.clock import MS
from bodycam.custody.findings import Check
from bodycam.custody.verify import Report
from bodycam.errors import ExitCode
from bodycam.renewal import DAY_NS
from bodycam.signing import DEVICE_CHAIN, DEVICE_KEY, RECIPIENTS
from bodycam.simulate.control import PinsClient
from bodycam.simulate.unit import Unit
from tests.rig import records_of

from .conftest import Faulty
from .faultrig import FaultRig
from .test_clock_faults import also, begin, end, nothing_was_seen

pytestmark = pytest.mark.system

_YEARS_3_MS = 3 * 365 * DAY_NS // MS
# Nobody vouches for it; a busy machine may also have missed a picture.
_UNTRUSTED = {Check.CERTIFICATE, Check.LOG_ROOT, Check.CONTINUITY}


def identity_of(unit: Unit) -> Path:
    return Path(unit.config.identity.path)


def trust_of(report: Report) -> set[Trust]:
    return {s.signer.trust for recording in report.recordings for s in recording.segments}


def is_unsigned_evidence(rig: FaultRig) -> None:
    """Encrypted, chained, whole; only nobody vouches for it, and every record says so."""
    report = rig.verify()
    assert report.exit_code is ExitCode.UNTRUSTED
    assert trust_of(report) == {Trust.UNSIGNED}
    assert {finding.check for finding in report.findings} <= _UNTRUSTED
    records = [record for path in rig.segments() for record in records_of(path)]
    assert {record["x5t"] for record in records if record["t"] == "head"} == {""}
    assert all(b"encv" in path.read_bytes()[:4096] for path in rig.segments())


def record_unsigned(unit: Faulty, spoil: Any) -> FaultRig:
    with unit(before=spoil, allowed=[ExitCode.UNTRUSTED], speed=2, from_boot=True) as rig:
        rig.until(
            "SERVICE, and it is felt", lambda: "service" in also(rig) and "5 quick" in rig.taps()
        )
        begin(rig, 1)
        end(rig)
    is_unsigned_evidence(rig)
    assert "rec" in rig.states()
    assert "fault" not in rig.states()
    return rig


def test_f42_without_a_device_key_it_records_and_says_so_when_the_shift_begins(
    unit: Faulty,
) -> None:
    rig = record_unsigned(unit, lambda unit: (identity_of(unit) / DEVICE_KEY).unlink())
    (said,) = rig.events("key.missing")
    assert DEVICE_KEY in said["data"]["reason"]
    assert said["seq"] < rig.events("switch.on")[0]["seq"]


def _bare_key(unit: Unit) -> None:
    (identity_of(unit) / DEVICE_KEY).chmod(0o644)


def _cut_certificate(unit: Unit) -> None:
    path = identity_of(unit) / DEVICE_CHAIN
    path.write_bytes(path.read_bytes()[:200])


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [(_bare_key, "lets others read"), (_cut_certificate, "damaged")],
    ids=["key for everybody to read", "certificate cut short"],
)
def test_f43_a_key_that_cannot_be_used_is_named_and_the_camera_records(
    unit: Faulty, spoil: Any, reason: str
) -> None:
    rig = record_unsigned(unit, spoil)
    (said,) = rig.events("key.bad")
    assert reason in said["data"]["reason"]


def test_f44_an_expired_certificate_still_signs_and_is_warned_of_for_a_month(unit: Faulty) -> None:
    with unit({"devices": {"rescan_s": 1}}, 2, allowed=[ExitCode.UNTRUSTED]) as rig:
        put_into_dock(rig, docked=False)
        step_to(rig, _YEARS_3_MS - 20 * DAY_NS // MS)
        warned = rig.until_logged("cert.expiring")
        assert "service" not in also(rig), "not in the field"
        put_into_dock(rig, docked=True)
        rig.until("SERVICE", lambda: "service" in also(rig))
        put_into_dock(rig, docked=False)
        rig.until("no SERVICE", lambda: "service" not in also(rig))
        step_to(rig, 40 * DAY_NS // MS)
        expired = rig.until_logged("cert.expired")
        begin(rig, 1)
        end(rig)
    assert 15 <= warned["data"]["days"] <= 21
    assert expired["data"]["days"] < 0
    assert expired["data"]["name"] == "BC-0001"
    report = rig.verify()
    assert trust_of(report) == {Trust.EXPIRED}
    assert Trust.EXPIRED.value == "expired at signing"
    assert {finding.check for finding in report.findings} <= _UNTRUSTED
    assert all(record["x5t"] for record in records_of(rig.segments()[0]) if record["t"] == "head")
    nothing_was_seen(rig)


def step_to(rig: FaultRig, step_ms: int) -> None:
    with PinsClient(rig.unit.socket_path) as client:
        client.world({"clock": {"step_ms": step_ms, "source": "ntp", "unc_ms": 5}})


def put_into_dock(rig: FaultRig, *, docked: bool) -> None:
    """Put it into the dock, or take it out: what the supply says."""
    rig.unit.set_sensor("class/power_supply/usb/type", "USB")
    rig.unit.set_sensor("class/power_supply/usb/online", int(docked))


def test_f45_without_recipients_nothing_is_recorded_in_clear_and_it_says_so_all_the_time(
    unit: Faulty,
) -> None:
    def spoil(unit: Unit) -> None:
        for path in (identity_of(unit) / RECIPIENTS).glob("*.pem"):
            path.unlink()

    with unit(before=spoil, speed=8) as rig:
        rig.until_state("notready")
        assert rig.unit.status()["ring_ms"] >= 0
        rig.until("the ring goes on", lambda: rig.unit.status()["ring_ms"] > 1500)
        rig.press(True)
        rig.until_logged("activation.refused")
        rig.until_state("fault")
        felt = len(rig.taps())
        rig.until("FAULT again and again", lambda: rig.taps()[felt:].count("5 quick") >= 2, 40)
        rig.press(False)
        rig.until_state("notready")
    assert RECIPIENTS in rig.events("wrapkey.missing")[0]["data"]["folder"]
    assert rig.events("activation.refused")[0]["data"]["reason"] == "no recipient keys"
    assert rig.segments() == []
    assert not any("rec" in state for state in rig.states())
    assert len(rig.events("heartbeat")) >= 2


def test_f45_one_broken_recipient_is_left_out_and_the_others_still_open(unit: Faulty) -> None:
    def spoil(unit: Unit) -> None:
        (identity_of(unit) / RECIPIENTS / "oversight.pem").write_text("no key", encoding="ascii")

    with unit(before=spoil, speed=2) as rig:
        begin(rig, 1)
        end(rig)
    assert "oversight.pem" in rig.events("wrapkey.bad")[0]["data"]["reason"]
    assert rig.verify().exit_code is ExitCode.OK
