"""`bodycam selftest` on a simulated unit: green when all is well, and every real fault by its name."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bodycam.cli import main
from bodycam.custody.inspect import inspect
from bodycam.custody.inspect import text as inspect_text
from bodycam.custody.verify import verify_paths
from bodycam.errors import DeviceError, ExitCode
from bodycam.formats.logline import encode_line
from bodycam.signing import load_root
from bodycam.simulate.control import PinsClient
from bodycam.simulate.pins import write_positions
from bodycam.simulate.scenario import PowerChange
from bodycam.simulate.sysfs import change_power
from bodycam.simulate.unit import Unit

from .rig import QUICK, Rig, running, wait_for_no_worker
from .test_verify_schema import closed

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("selftest")]

FULL = (
    "camera", "recording", "lens", "microphone", "ring", "pins", "lamps", "key", "certificates",
    "recipients", "card", "space", "clock", "battery", "cell", "heat", "watchdog", "hw watchdog", "modules",
)  # fmt: skip
SCHEMA = jsonschema.Draft202012Validator(
    closed(json.loads((Path(__file__).parent.parent / "docs" / "selftest.schema.json").read_text()))
)
# A busy machine loses a picture now and then; nothing else may be wrong.
WHOLE = ("intact", "incomplete")
DAY_NS = 86_400 * 10**9


@dataclass(frozen=True)
class Answer:
    """What one self-test printed, and how it ended."""

    code: int
    json: dict[str, Any]
    said: str

    def check(self, name: str) -> dict[str, Any]:
        return next(c for c in self.json["checks"] if c["name"] == name)

    def verdicts(self, verdict: str) -> list[str]:
        return [c["name"] for c in self.json["checks"] if c["verdict"] == verdict]

    @property
    def failed(self) -> list[str]:
        return self.verdicts("failed")


def make_unit(out: Path, **overrides: dict[str, Any]) -> Unit:
    """A healthy unit, no recorder running."""
    unit = Unit(out, {**QUICK, **overrides}, 1)
    unit.prepare()
    change_power(unit.sysfs, PowerChange(battery=83, temperature_c=41, cell_c=25))
    return unit


def command(unit: Unit, *words: str) -> list[str]:
    program = [sys.executable, "-m", "bodycam", "selftest", "--config", str(unit.config_path)]
    return [*program, *words]


def selftest(unit: Unit, *words: str, prefix: tuple[str, ...] = (), **env: str) -> Answer:
    done = subprocess.run(
        [*prefix, *command(unit, "--json", *words)], check=False, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=120, env={**os.environ, **env},
    )  # fmt: skip
    assert done.stdout, done.stderr
    answer = json.loads(done.stdout)
    SCHEMA.validate(answer)
    assert answer["exit_code"] == done.returncode
    return Answer(done.returncode, answer, done.stderr)


def log_of(unit: Unit) -> list[dict[str, Any]]:
    raw = (unit.card / "log" / "events.jsonl").read_bytes()
    return [json.loads(line) for line in raw.split(b"\n")[:-1]]


def verdict_of(unit: Unit) -> ExitCode:
    return verify_paths([unit.card], load_root(unit.root_path)).exit_code


# -- all is well -----------------------------------------------------------------------------------


def test_a_healthy_unit_is_green_and_the_log_proves_it(tmp_path: Path) -> None:
    unit = make_unit(tmp_path / "unit")
    answer = selftest(unit)
    assert (answer.code, answer.json["verdict"]) == (0, "green"), answer.json
    assert tuple(c["name"] for c in answer.json["checks"]) == FULL
    assert answer.failed == []
    recording = answer.check("recording")["figures"]
    assert recording["verify"] in WHOLE
    assert recording["recorded_ms"] >= 1900
    assert recording["pre_record_ms"] > 0
    assert recording["from_card"]
    assert answer.check("camera")["figures"]["frames"] >= 60
    assert answer.check("microphone")["figures"]["peak_db"] > -60
    # The line is in the log, signed, and says what was printed.
    lines = log_of(unit)
    assert [line["ev"] for line in lines] == ["boot", "selftest", "shutdown"]
    assert lines[0]["data"]["by"] == lines[2]["data"]["reason"] == "selftest"
    assert answer.json["log"] == {"line": 2, "signed": True, "why_not": ""}
    data = lines[1]["data"]
    assert (data["form"], data["verdict"], data["failed"]) == ("full", "green", [])
    assert data["checks"]["recording"]["verify"] == recording["verify"]
    report = verify_paths([unit.card], load_root(unit.root_path))
    assert (report.exit_code, report.logs[0].vouched_lines) == (ExitCode.OK, 3)
    # Anybody can be given that one line, with a proof that it is in the camera's log.
    proof, trust = tmp_path / "proof.json", ["--trust", str(unit.root_path)]
    assert main(["log", "prove", "2", "--log", str(unit.card), "--out", str(proof), *trust]) == 0
    assert main(["log", "check", str(proof), *trust]) == 0
    assert "selftest" in inspect_text(inspect(unit.card / "log")).splitlines()[1]
    # Nothing of the trial is left, and nothing was put among the evidence.
    assert list((unit.card / "selftest").iterdir()) == []
    assert list((unit.card / "evidence").iterdir()) == []


def test_the_short_form_records_nothing(tmp_path: Path) -> None:
    unit = make_unit(tmp_path / "unit")
    answer = selftest(unit, "--short")
    assert (answer.code, answer.json["form"]) == (0, "short"), answer.json
    assert answer.verdicts("not tested") == [
        "camera", "recording", "lens", "microphone", "ring", "lamps", "watchdog",
    ]  # fmt: skip
    assert not (unit.card / "selftest").exists()
    assert verdict_of(unit) is ExitCode.OK


def test_people_get_a_line_a_check_and_the_answer_last(tmp_path: Path) -> None:
    unit = make_unit(tmp_path / "unit")
    (unit.out / "identity" / "recipients" / "oversight.pem").unlink()
    (unit.sysfs / "class/watchdog/watchdog0/state").write_text("inactive\n")
    done = subprocess.run(
        command(unit, "--short"), check=False, capture_output=True, text=True, timeout=120
    )
    lines = done.stdout.splitlines()
    assert done.returncode == ExitCode.FAILURE
    assert lines[-1] == "RED: hw watchdog; look at recipients"
    assert len(lines) <= 30
    assert all(len(line) <= 120 for line in lines if str(tmp_path) not in line), lines
    assert any(line.startswith("FAILED      hw watchdog") for line in lines)
    assert any(line.startswith("hw watchdog: Set RuntimeWatchdogSec=") for line in lines)
    assert any(line.startswith("recipients: Copy the recipients'") for line in lines)


def test_a_line_that_is_forged_afterwards_is_found(tmp_path: Path) -> None:
    unit = make_unit(tmp_path / "unit")
    (unit.sysfs / "class/watchdog/watchdog0/state").write_text("inactive\n")
    assert selftest(unit, "--short").json["verdict"] == "red"
    path = unit.card / "log" / "events.jsonl"
    lines = log_of(unit)
    lines[1]["data"].update(verdict="green", failed=[])
    for line in lines:
        del line["crc"]
    # As somebody would who knows the format: with the right checksum.
    path.write_bytes(b"".join(encode_line(line) + b"\n" for line in lines))
    assert verdict_of(unit) is ExitCode.ALTERED


# -- camera and microphone -------------------------------------------------------------------------


def test_no_camera_is_red_and_the_rest_is_tested_all_the_same(tmp_path: Path) -> None:
    missing = str(tmp_path / "video7")
    unit = make_unit(tmp_path / "unit", camera={"source": "v4l2", "device": missing})
    answer = selftest(unit)
    assert (answer.code, answer.failed) == (ExitCode.DEVICE, ["camera"]), answer.json
    assert missing in answer.check("camera")["found"]
    assert answer.check("recording")["verdict"] == "not tested"
    assert answer.check("key")["verdict"] == answer.check("card")["verdict"] == "ok"
    assert log_of(unit)[1]["data"]["failed"] == answer.failed
    assert verdict_of(unit) is ExitCode.OK
    wait_for_no_worker(unit.config_path)


def make_film(path: Path, picture: str, sound: str) -> None:
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound,
         "-c:v", "libx264", "-preset", "ultrafast", "-g", "15", "-bf", "0", "-c:a", "aac",
         "-shortest", str(path)],
        check=True, timeout=60,
    )  # fmt: skip


def test_a_microphone_that_hears_nothing_at_all_is_said(tmp_path: Path) -> None:
    film = tmp_path / "mute.mp4"
    make_film(film, "testsrc=s=320x180:r=30:d=3", "anullsrc=r=48000:cl=mono")
    unit = make_unit(
        tmp_path / "unit", camera={**QUICK["camera"], "source": "replay", "file": str(film)},
        audio={"source": "replay"},
    )  # fmt: skip
    answer = selftest(unit)
    assert answer.code == 0
    assert "microphone" in answer.verdicts("warn"), answer.json
    assert "digital silence" in answer.check("microphone")["found"]
    assert answer.check("microphone")["figures"]["peak_db"] == -120


# -- identity --------------------------------------------------------------------------------------


def test_a_key_that_others_can_read_is_red_and_the_answer_is_unsigned(tmp_path: Path) -> None:
    unit = make_unit(tmp_path / "unit")
    (unit.out / "identity" / "device.key").chmod(0o644)
    answer = selftest(unit)
    assert (answer.code, answer.failed) == (ExitCode.DEVICE, ["key"]), answer.json
    assert "chmod 0600" in answer.check("key")["next_step"]
    assert answer.check("recording")["figures"]["verify"] == "untrusted"
    assert answer.json["log"]["signed"] is False
    assert log_of(unit)[1]["data"]["failed"] == ["key"]


def later(unit: Unit, days: int) -> None:
    """Let the unit's clock be that many days ahead."""
    text = unit.config_path.read_text(encoding="utf-8")
    before = f"utc_offset_ns = {unit.clock.sample().offset_ns}"
    assert before in text
    ahead = unit.clock.sample().offset_ns + days * DAY_NS
    unit.config_path.write_text(text.replace(before, f"utc_offset_ns = {ahead}"), "utf-8")


@pytest.mark.parametrize(
    ("days", "verdict", "says"),
    [
        (3 * 365 - 60, "ok", "until"),
        (3 * 365 - 20, "warn", "days left"),
        (3 * 365 + 1, "failed", "expired at signing"),
        (-30, "failed", "not yet valid at signing"),
    ],
)
def test_a_certificate_that_ends_is_said_a_month_before(
    tmp_path: Path, days: int, verdict: str, says: str
) -> None:
    unit = make_unit(tmp_path / "unit")
    later(unit, days)
    answer = selftest(unit, "--short")
    found = answer.check("certificates")
    assert found["verdict"] == verdict, found
    assert says in found["found"]
    assert answer.code == (ExitCode.DEVICE if verdict == "failed" else 0)


def test_a_certificate_of_another_camera_or_another_force_is_red(tmp_path: Path) -> None:
    unit = make_unit(tmp_path / "unit")
    stranger = make_unit(tmp_path / "stranger", device={"id": "BC-0099", "force": "elsewhere"})
    for name in ("device.key", "device.pem"):
        shutil.copy(stranger.out / "identity" / name, unit.out / "identity" / name)
    found = selftest(unit, "--short").check("certificates")
    assert "of BC-0099, but [device] id is BC-0001" in found["found"]
    same_name = make_unit(tmp_path / "same-name")
    shutil.copy(same_name.root_path, unit.out / "identity" / "root.pem")
    for name in ("device.key", "device.pem"):
        shutil.copy(stranger.out / "identity" / name, unit.out / "identity" / name)
    unit_again = make_unit(tmp_path / "again")
    shutil.copy(stranger.root_path, unit_again.out / "identity" / "root.pem")
    answer = selftest(unit_again, "--short")
    assert answer.failed == ["certificates"]
    assert "unknown issuer" in answer.check("certificates")["found"]


def test_without_the_force_root_the_chain_is_not_judged_and_that_is_said(tmp_path: Path) -> None:
    unit = make_unit(tmp_path / "unit")
    (unit.out / "identity" / "root.pem").unlink()
    found = selftest(unit, "--short").check("certificates")
    assert (found["verdict"], "not judged" in found["found"]) == ("warn", True)


def test_recipients_are_two_hands_and_not_the_camera_itself(tmp_path: Path) -> None:
    unit = make_unit(tmp_path / "unit")
    folder = unit.out / "identity" / "recipients"

    def check() -> tuple[int, dict[str, Any]]:
        answer = selftest(unit, "--short")
        return answer.code, answer.check("recipients")

    (folder / "oversight.pem").unlink()
    code, found = check()
    assert (code, found["verdict"]) == (0, "warn")
    # The same key under another name is the same hand.
    shutil.copy(folder / "custody.pem", folder / "copy.pem")
    assert check()[1]["verdict"] == "warn"
    (folder / "copy.pem").write_text("-----BEGIN PUBLIC KEY-----\nnonsense\n")
    code, found = check()
    assert (code, found["verdict"]) == (ExitCode.USAGE, "failed")
    assert "copy.pem" in found["found"]
    (folder / "copy.pem").unlink()
    subprocess.run(
        ["openssl", "pkey", "-in", str(unit.out / "identity" / "device.key"), "-pubout",
         "-out", str(folder / "self.pem")],
        check=True, timeout=60,
    )  # fmt: skip
    code, found = check()
    assert code == ExitCode.USAGE
    assert "the camera's own key" in found["found"]
    for path in folder.iterdir():
        path.unlink()
    code, found = check()
    assert code == ExitCode.USAGE
    assert "nothing will be recorded" in found["found"]


def test_without_recipients_the_camera_is_tested_and_nothing_is_recorded(tmp_path: Path) -> None:
    unit = make_unit(tmp_path / "unit")
    shutil.rmtree(unit.out / "identity" / "recipients")
    answer = selftest(unit)
    assert (answer.code, answer.failed) == (ExitCode.USAGE, ["recipients"]), answer.json
    assert answer.check("camera")["figures"]["frames"] > 0
    assert answer.check("recording")["verdict"] == "not tested"


# -- the card --------------------------------------------------------------------------------------


def on_a_card(unit: Unit, size: str, *words: str, fill: str = "") -> Answer:
    """The self-test with a real small file system under the unit's card."""
    unshare = ["unshare", "--mount"] + (["--user", "--map-root-user"] if os.geteuid() else [])
    mount = f"mount -t tmpfs -o size={size},mode=0750 none {unit.card} && {fill or 'true'} && "
    return selftest(unit, *words, prefix=(*unshare, "sh", "-c", mount + 'exec "$0" "$@"'))


def test_a_full_card_is_red_and_named(tmp_path: Path) -> None:
    unit = make_unit(tmp_path / "unit")
    answer = on_a_card(unit, "4m", fill=f"fallocate -l 3900k {unit.card}/filler")
    assert answer.code == ExitCode.STORAGE
    assert {"recording", "card", "space"} <= set(answer.failed), answer.json
    assert "no space left" in answer.check("card")["found"]
    assert answer.check("key")["verdict"] == "ok"


def test_a_card_without_room_for_even_a_log_still_gets_its_answer(tmp_path: Path) -> None:
    unit = make_unit(tmp_path / "unit")
    answer = on_a_card(
        unit, "1m", fill=f"dd if=/dev/zero of={unit.card}/filler 2>/dev/null || true"
    )
    assert answer.code == ExitCode.STORAGE
    assert answer.json["verdict"] == "red"
    assert answer.json["log"]["line"] is None or answer.json["log"]["why_not"]


def test_a_slow_card_is_red(tmp_path: Path) -> None:
    """Each fdatasync takes 0.7 s, as strace makes it: less than a fragment a fragment's time."""
    unit = make_unit(tmp_path / "unit")
    slow = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync",
            "-e", "inject=fdatasync:delay_exit=700000")  # fmt: skip
    answer = selftest(unit, "--short", prefix=slow)
    assert (answer.code, answer.failed) == (ExitCode.STORAGE, ["card"]), answer.json
    assert answer.check("card")["figures"]["sync_ms_p50"] >= 700
    assert "too slow" in answer.check("card")["found"]


def test_a_card_that_cannot_be_read_back_is_found_by_the_verifier(tmp_path: Path) -> None:
    """The trial's file is spoiled between writing and reading, as a dying card does."""
    unit = make_unit(tmp_path / "unit")
    stop = threading.Event()

    def spoil() -> None:
        while not stop.wait(0.01):
            for path in (unit.card / "selftest" / "evidence").glob("*/*.mp4"):
                if path.stat().st_size > 20_000:
                    with path.open("r+b") as file:
                        file.seek(10_000)
                        file.write(b"rot")

    rot = threading.Thread(target=spoil)
    rot.start()
    try:
        answer = selftest(unit)
    finally:
        stop.set()
        rot.join()
    assert (answer.code, answer.failed) == (ExitCode.STORAGE, ["recording"]), answer.json
    assert answer.check("recording")["figures"]["verify"] == "altered"


# -- pins ------------------------------------------------------------------------------------------


@contextmanager
def started(
    unit: Unit, *words: str, stdin: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command(unit, "--json", *words), stdin=stdin, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def answer_of(process: subprocess.Popen[bytes]) -> Answer:
    out, _ = process.communicate(timeout=120)
    return Answer(process.returncode, json.loads(out), "")


def until_socket(unit: Unit) -> PinsClient:
    deadline = time.monotonic() + 60
    while True:
        try:
            return PinsClient(unit.socket_path)
        except (DeviceError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)


def test_a_line_that_never_rests_is_red(tmp_path: Path) -> None:
    unit = make_unit(tmp_path / "unit")
    with started(unit, "--short") as process:
        with until_socket(unit) as client:
            client.set("marker", True, bounce_us=[1000 * i for i in range(1, 801)])
        answer = answer_of(process)
    assert (answer.code, answer.failed) == (ExitCode.DEVICE, ["pins"]), answer.json
    assert answer.check("pins")["figures"]["chatter"] == ["marker"]


def test_a_switch_that_is_on_is_said(tmp_path: Path) -> None:
    unit = make_unit(tmp_path / "unit")
    write_positions(unit.socket_path, {"record": True})
    answer = selftest(unit, "--short")
    assert "record switch is on" in answer.check("pins")["found"]
    assert answer.code == 0


def test_lamps_and_motor_are_switched_on_and_off_one_after_the_other(tmp_path: Path) -> None:
    unit = make_unit(tmp_path / "unit")
    seen: list[tuple[str, bool]] = []
    with started(unit, "--lamps") as process, until_socket(unit) as client:
        for message in client.watch():
            seen += [(message["pin"], message["active"])] if "pin" in message else []
        answer = answer_of(process)
    names = ["wearer-red", "wearer-green", "wearer-blue", "public-red", "haptic", "buzzer"]
    lamps = [(pin, active) for pin, active in seen if pin in names]
    assert lamps == [(pin, active) for pin in names for active in (True, False)]
    # Without a terminal nobody can say that it was seen: that is no "ok".
    assert answer.check("lamps")["verdict"] == "not tested"
    assert answer.code == 0


@pytest.mark.parametrize(("dead", "code"), [(None, 0), ("haptic", ExitCode.DEVICE)])
def test_on_a_terminal_the_technician_is_asked_for_each(
    tmp_path: Path, dead: str | None, code: int
) -> None:
    unit = make_unit(tmp_path / "unit")
    ours, theirs = pty.openpty()
    try:
        with started(unit, "--lamps", stdin=theirs) as process, until_socket(unit) as client:
            for message in client.watch():
                if message.get("active") and message["pin"] != "charge-off":
                    os.write(ours, b"n\n" if message["pin"] == dead else b"y\n")
            answer = answer_of(process)
    finally:
        os.close(ours)
        os.close(theirs)
    lamps = answer.check("lamps")
    assert (answer.code, lamps["verdict"]) == (code, "failed" if dead else "ok"), lamps
    assert lamps["figures"].get("dead") == ([dead] if dead else None)


# -- watchdogs and modules -------------------------------------------------------------------------


def test_a_watchdog_that_nobody_armed_is_red(tmp_path: Path) -> None:
    unit = make_unit(tmp_path / "unit")
    (unit.sysfs / "class/watchdog/watchdog0/state").write_text("inactive\n")
    answer = selftest(unit, "--short")
    assert (answer.code, answer.failed) == (ExitCode.FAILURE, ["hw watchdog"])
    assert "not armed" in answer.check("hw watchdog")["found"]
    shutil.rmtree(unit.sysfs / "class/watchdog")
    assert "the kernel has none" in selftest(unit, "--short").check("hw watchdog")["found"]


def test_a_real_unit_wants_a_real_systemd(tmp_path: Path) -> None:
    """Only a simulated camera is excused; this machine has no bodycam.service."""
    unit = make_unit(tmp_path / "unit")
    text = unit.config_path.read_text(encoding="utf-8")
    unit.config_path.write_text(text[: text.index("[simulate]")], "utf-8")
    answer = selftest(unit, "--short")
    assert "watchdog" in answer.failed
    assert answer.check("watchdog")["next_step"].startswith("Install the service")


@pytest.mark.parametrize("module", ["cv2", "msgspec"])
def test_a_module_for_another_processor_is_named_and_kills_nobody(
    tmp_path: Path, module: str
) -> None:
    unit = make_unit(tmp_path / "unit")
    broken = tmp_path / "broken"
    broken.mkdir()
    kill = "import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n"
    (broken / f"{module}.py").write_text(kill, encoding="utf-8")
    answer = selftest(unit, "--short", PYTHONPATH=str(broken))
    assert (answer.code, answer.failed) == (ExitCode.FAILURE, ["modules"]), answer.json
    assert f"{module}: dies of SIGILL" in answer.check("modules")["found"]


# -- beside a recorder -------------------------------------------------------------------------------


def test_beside_a_recorder_nothing_is_disturbed_and_its_own_test_is_told(tmp_path: Path) -> None:
    with running(tmp_path / "unit") as rig:
        rig.press(True)
        rig.until_logged("rec.start")
        rig.until_logged("selftest")
        rig.until("its answer", lambda: rig.unit.status()["selftest"] is not None)
        lines, pid = len(rig.events("boot")), rig.unit.status()["pid"]
        answer = selftest(rig.unit)
        assert (answer.json["form"], answer.code) == ("beside the recorder", 0), answer.json
        assert "delivers to the recorder" in answer.check("camera")["found"]
        assert answer.check("recording")["verdict"] == "not tested"
        assert answer.check("microphone")["verdict"] == "ok"
        assert answer.check("key")["verdict"] == "ok"
        assert answer.json["log"]["line"] is None
        people = subprocess.run(
            command(rig.unit), check=False, capture_output=True, text=True, timeout=120
        )
        assert "systemctl stop bodycam" in people.stdout
        assert people.stdout.splitlines()[-1].startswith("GREEN as far as it goes: the recorder")
        # The lamps are the officer's while a recorder runs.
        lamps = subprocess.run(
            command(rig.unit, "--lamps"), check=False, capture_output=True, text=True, timeout=120
        )
        assert lamps.returncode == ExitCode.BUSY
        assert (len(rig.events("boot")), rig.unit.status()["pid"]) == (lines, pid)
        rig.press(False)
        rig.until_logged("rec.stop")
    assert rig.verify().exit_code in (ExitCode.OK, ExitCode.INCOMPLETE)


# -- what it must not break --------------------------------------------------------------------------


def test_a_recording_that_was_interrupted_is_left_to_the_next_recorder(tmp_path: Path) -> None:
    with running(tmp_path / "unit", orderly=False) as rig:
        rig.press(True)
        rig.until_logged("rec.start")
        rig.run_for(1)
        interrupted = rig.events("activation.start")[0]["data"]["rec"]
        unit = rig.unit
    assert selftest(unit, "--short").code in (0, ExitCode.FAILURE)
    again = Rig(unit_again(unit))
    try:
        again.unit.start()
        again.unit.wait_ready()
        again.until_logged("rec.start", 2)
        assert again.events("activation.start")[1]["data"]["continues"] == interrupted
        assert [line["data"]["rec"] for line in again.events("recovery")] == [interrupted]
        assert len(again.events("boot.unclean")) == 1
        again.press(False)
        again.until_logged("rec.stop")
    finally:
        again.unit.stop()
    assert again.verify().exit_code in (ExitCode.OK, ExitCode.INCOMPLETE)


def unit_again(unit: Unit) -> Unit:
    """The same unit, to be started once more."""
    again = Unit(unit.out, {}, 1)
    again.clock = unit.clock
    return again


def test_interrupted_by_the_technician_it_cleans_up_and_says_so(tmp_path: Path) -> None:
    unit = make_unit(tmp_path / "unit")
    with started(unit) as process:
        until_trial(unit)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == ExitCode.FAILURE
    wait_for_no_worker(unit.config_path)
    assert list((unit.card / "selftest").iterdir()) == []
    assert [line["ev"] for line in log_of(unit)] == ["boot"]


def test_it_deletes_nothing_but_its_own(tmp_path: Path) -> None:
    unit = make_unit(tmp_path / "unit")
    kept = unit.card / "selftest" / "notes"
    kept.mkdir(parents=True)
    assert selftest(unit).code == 0
    assert kept.is_dir()
    # A link to the evidence must not make the evidence its own.
    kept.rmdir()
    (unit.card / "selftest").rmdir()
    precious = unit.card / "evidence" / "evidence"
    precious.mkdir()
    (unit.card / "selftest").symlink_to(unit.card / "evidence")
    answer = selftest(unit)
    assert (answer.code, answer.failed) == (ExitCode.STORAGE, ["recording"]), answer.json
    assert "is a link" in answer.check("recording")["found"]
    assert precious.is_dir()


def until_trial(unit: Unit) -> None:
    deadline = time.monotonic() + 60
    while not list((unit.card / "selftest").glob("evidence/*/*.mp4")):
        assert time.monotonic() < deadline, "no trial"
        time.sleep(0.01)


def test_killed_in_the_middle_it_leaves_no_worker_no_lock_and_no_scratch(tmp_path: Path) -> None:
    unit = make_unit(tmp_path / "unit")
    with started(unit) as process:
        until_trial(unit)
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_for_no_worker(unit.config_path)
    assert selftest(unit).json["verdict"] == "green"
    assert list((unit.card / "selftest").iterdir()) == []
    assert verdict_of(unit) is ExitCode.OK
    assert [line["ev"] for line in log_of(unit)] == [
        "boot", "boot", "boot.unclean", "selftest", "shutdown",
    ]  # fmt: skip
