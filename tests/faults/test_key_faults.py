"""Keys, certificates and recipients are missing, broken or too old: nothing is recorded in clear."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bodycam.certificates import Trust
from bodycam.clock import MS
from bodycam.custody.findings import Check
from bodycam.custody.verify import Report
from bodycam.errors import ExitCode
from bodycam.formats.boxes import children
from bodycam.formats.records import SIGNATURE_UUID, read_payload
from bodycam.provision.authority import open_authority
from bodycam.provision.identity import DEVICE_REQUEST
from bodycam.provision.keyfiles import write_public
from bodycam.renewal import DAY_NS
from bodycam.signing import DEVICE_CHAIN, DEVICE_KEY, RECIPIENTS
from bodycam.simulate.control import PinsClient
from bodycam.simulate.unit import Unit
from tests.rig import records_of

from .conftest import Faulty
from .faultrig import FaultRig
from .results import Measure
from .test_clock_faults import also, begin, end, nothing_was_seen

pytestmark = pytest.mark.system

_YEARS_3_MS = 3 * 365 * DAY_NS // MS
# Nobody vouches for it; a busy machine may also have missed a picture.
_UNTRUSTED = {Check.CERTIFICATE, Check.LOG_ROOT, Check.LOG_STORE, Check.CONTINUITY}


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
    [
        pytest.param(_bare_key, "lets others read", id="key for everybody to read"),
        pytest.param(
            _cut_certificate, "damaged", id="certificate cut short", marks=pytest.mark.soak
        ),
    ],
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


@pytest.mark.soak
def test_f45_one_broken_recipient_is_left_out_and_the_others_still_open(unit: Faulty) -> None:
    def spoil(unit: Unit) -> None:
        (identity_of(unit) / RECIPIENTS / "oversight.pem").write_text("no key", encoding="ascii")

    with unit(before=spoil, speed=2) as rig:
        begin(rig, 1)
        end(rig)
    assert "oversight.pem" in rig.events("wrapkey.bad")[0]["data"]["reason"]
    rig.check_whole()


# -- a key in a token that is slow, or fails ------------------------------------------------------

DRIVERS = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so")
_PIN = "135790"


class SlowToken:
    """SoftHSM behind a driver that is as slow, and fails, as it is told (slowtoken.c)."""

    def __init__(self, folder: Path) -> None:
        driver = next(path for path in DRIVERS if Path(path).exists())
        self._says = folder / "says"
        self._library = folder / "slowtoken.so"
        source = Path(__file__).with_name("slowtoken.c")
        subprocess.run(
            ["gcc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(self._library),
             str(source)],
            check=True, timeout=60,
        )  # fmt: skip
        (folder / "tokens").mkdir()
        config = folder / "softhsm2.conf"
        config.write_text(f"directories.tokendir = {folder}/tokens\n", encoding="utf-8")
        (folder / "pin").write_text(f"{_PIN}\n", encoding="ascii")
        (folder / "pin").chmod(0o600)
        self.environment = {
            "SOFTHSM2_CONF": str(config), "SLOW_TOKEN_DRIVER": driver, "SLOW_TOKEN": str(self._says),
        }  # fmt: skip
        self.uri = (
            f"pkcs11:token=bodycam;object=device?module-path={self._library}"
            f"&pin-source=file:{folder / 'pin'}"
        )
        self._run(
            "softhsm2-util", "--init-token", "--free", "--label", "bodycam", "--pin", _PIN,
            "--so-pin", "2468",
        )  # fmt: skip

    def _run(self, *words: str) -> None:
        subprocess.run(
            words, check=True, capture_output=True, timeout=60,
            env={**os.environ, **self.environment},
        )  # fmt: skip

    def provision(self, unit: Unit) -> None:
        """Put the unit's device key into the token, as a technician does."""
        identity, device = identity_of(unit), unit.config.device.id
        (identity / DEVICE_KEY).unlink()
        (identity / DEVICE_CHAIN).unlink()
        self._run(
            sys.executable, "-m", "bodycam", "authority", "csr", "--identity", str(identity),
            "--device", device, "--key", self.uri,
        )  # fmt: skip
        authority = open_authority(unit.out / "authority")
        now_ns = unit.clock.sample().utc_ns
        chain = authority.sign(identity / DEVICE_REQUEST, device, now_ns, 365, renew=True)
        write_public(identity / DEVICE_CHAIN, *chain)

    def takes(self, ms: int, error: int = 0) -> None:
        """From now on a signature takes so long, and then it fails if there is an error."""
        draft = self._says.with_suffix(".new")
        draft.write_text(f"{ms} {error}\n", encoding="ascii")
        draft.rename(self._says)


@pytest.fixture
def token(tmp_path: Path) -> SlowToken:
    (tmp_path / "token").mkdir()
    return SlowToken(tmp_path / "token")


def records_in(rig: FaultRig) -> list[dict[str, Any]]:
    return [record for path in rig.segments() for record in records_of(path)]


def unsigned_boxes(rig: FaultRig) -> int:
    """How many boxes have no signature of their own."""
    raws = [path.read_bytes() for path in rig.segments()]
    boxes = [
        read_payload(raw[box.body : box.end])
        for raw in raws
        for box in children(raw, 0, len(raw))
        if box.extended == SIGNATURE_UUID
    ]
    return sum(box.unsigned for box in boxes)


def test_f46_a_key_that_takes_two_seconds_signs_late_and_everything_is_vouched_for(
    unit: Faulty, token: SlowToken, measured: Measure
) -> None:
    setting = {
        "identity": {"key": token.uri},
        "recording": {"post_record_s": 0, "segment_s": 5, "fragment_ms": 300},
    }
    with unit(setting, before=token.provision, environment=token.environment) as rig:
        token.takes(2000)
        begin(rig, 6)
        assert rig.states()[-1] == "rec"
        rig.press(False)
        rig.until_logged("rec.stop")
    assert unsigned_boxes(rig) > 12
    late = [record["late"] for record in records_in(rig) if "late" in record]
    assert late
    report = rig.verify()
    assert report.exit_code in (ExitCode.OK, ExitCode.INCOMPLETE), report.findings
    assert len(rig.events("sign.late")) == 1
    assert rig.events("sign.error") == []
    assert len(rig.segments()) >= 2
    synced = rig.synced_ns()
    pauses = [after - before for before, after in pairwise(synced)]
    started = rig.events("rec.start")[0]["data"]["synced_ns"]
    stopped = rig.events("activation.stop")[0]["boot_ns"]
    longest = max(p for p, at in zip(pauses, synced[1:], strict=True) if started < at < stopped)
    measured("longest pause between syncs while the key takes 2 s", longest / 1e9, "s", 2.0)


def test_f46_a_key_that_fails_leaves_the_hash_chain_and_that_is_said_and_shown(
    unit: Faulty, token: SlowToken
) -> None:
    setting = {"identity": {"key": token.uri}}
    with unit(
        setting, 2, before=token.provision, environment=token.environment,
        allowed=[ExitCode.UNTRUSTED],
    ) as rig:  # fmt: skip
        begin(rig, 1)
        token.takes(0, 0x30)  # CKR_DEVICE_ERROR
        rig.until_logged("sign.error")
        rig.until("SERVICE", lambda: "service" in also(rig))
        rig.run_for(2)
        rig.press(False)
        rig.until_logged("rec.stop")
    assert "token" in rig.events("sign.error")[0]["data"]["reason"]
    report = rig.verify()
    (finding,) = [f for f in report.findings if f.check is Check.SIGNATURE]
    assert "nothing vouches for the last" in finding.text
    assert len(rig.events("rec.stop")) == 1
    assert rig.unit.starts == 1


@pytest.mark.soak
def test_f46_a_key_that_hangs_at_the_start_keeps_nobody_from_recording(
    unit: Faulty, token: SlowToken
) -> None:
    def hang(unit: Unit) -> None:
        token.provision(unit)
        token.takes(60_000)

    setting = {"identity": {"key": token.uri}}
    with unit(
        setting, 2, before=hang, environment=token.environment, allowed=[ExitCode.UNTRUSTED]
    ) as rig:
        begin(rig, 1)
        end(rig)
    assert "has not answered for 5 s" in rig.events("key.bad")[0]["data"]["reason"]
    is_unsigned_evidence(rig)
