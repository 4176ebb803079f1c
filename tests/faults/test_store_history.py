"""What was written before: a card that is an older one, another one, or that somebody wants emptied."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bodycam.errors import ExitCode
from bodycam.simulate.control import PinsClient

from .conftest import Faulty
from .faultrig import FaultRig
from .smallcard import SmallCard, small_card

pytestmark = pytest.mark.system


def swap(rig: FaultRig, other: Path | None) -> None:
    """Put another card in while the recorder is down for a moment; None: an empty one."""
    lives = len(rig.unit.exit_codes)
    rig.unit.ready.clear()
    rig.unit.signal_recorder(signal.SIGTERM)
    deadline = time.monotonic() + 10
    while len(rig.unit.exit_codes) == lives:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    rig.card.rename(rig.card.with_name(f"taken-out-{lives}"))
    if other is None:
        rig.card.mkdir()
    else:
        other.rename(rig.card)
    rig.unit.wait_ready()


def record(rig: FaultRig, count: int = 1) -> None:
    before = len(rig.events("rec.stop"))
    rig.press(True)
    rig.until_logged("rec.start", before + 1)
    rig.run_for(0.5)
    rig.press(False)
    rig.until_logged("rec.stop", before + 1)


def shown_at_start(rig: FaultRig, since: int) -> list[str]:
    """The notices since then."""
    traces = (message.get("trace", {}) for message in rig.messages[since:])
    return list(dict.fromkeys(name for trace in traces for name in trace.get("also", [])))


def test_f50_yesterday_s_card_is_noticed_and_recorded_on(unit: Faulty, tmp_path: Path) -> None:
    yesterday = tmp_path / "yesterday"
    with unit(speed=2) as rig:
        record(rig)
        # A crash makes no other card of it.
        rig.unit.ready.clear()
        rig.unit.signal_recorder(signal.SIGKILL)
        rig.unit.wait_ready()
        rig.until_logged("boot.unclean")
        assert rig.events("store.rollback") == rig.events("store.unanchored") == []
        shutil.copytree(rig.card, yesterday)
        lines = len(rig.log())
        record(rig)
        since = len(rig.messages)
        swap(rig, yesterday)
        (said,) = (line["data"] for line in rig.events("store.rollback"))
        record(rig)
        rig.until("the notice", lambda: shown_at_start(rig, since) == ["tamper"])
        swap(rig, None)
        empty = rig.events("store.rollback")[0]["data"]
    assert empty["lines"] == 0
    assert said["why"] == "shorter"
    assert said["lines"] <= lines < said["marked"]
    assert "5 quick" in rig.taps()


def test_f37_a_second_recorder_leaves_the_first_alone(unit: Faulty) -> None:
    with unit(speed=2) as rig:
        rig.press(True)
        rig.until_logged("rec.start")
        lines = len(rig.events("boot"))
        done = subprocess.run(
            [sys.executable, "-m", "bodycam", "run", "--config", str(rig.unit.config_path)],
            capture_output=True, text=True, check=False, timeout=20,
        )  # fmt: skip
        rig.run_for(1)
        # Its pins, its lamps and its recording are still there.
        rig.press(False)
        rig.until_logged("rec.stop")
        assert rig.unit.exit_codes == []
        assert len(rig.events("boot")) == lines
    assert done.returncode == ExitCode.BUSY
    assert "another recorder is running" in done.stderr
    assert rig.lost_s("ring full", "storage") == 0
    assert len(rig.events("rec.start")) == 1


# -- nothing deletes -------------------------------------------------------------------------------

_CALLS = (
    "unlink,unlinkat,rename,renameat,renameat2,rmdir,truncate,ftruncate,openat,fallocate,"
    "pwrite64,pwritev,write,writev,fdatasync"
)
_OPENED = re.compile(r"openat\(.*\.mp4\", (?P<flags>[A-Z_|]+)")
_ON_FILE = re.compile(r"(?P<call>\w+)\(\d+<(?P<path>[^>]*\.mp4)>(?:, (?P<rest>.*))?")


@pytest.fixture
def card(tmp_path: Path) -> Iterator[SmallCard]:
    with small_card(tmp_path / "card.img", 16) as made:
        yield made


class Evidence:
    """What the calls of a recorder did to its evidence files, of which strace wrote down each."""

    def __init__(self, trace: str) -> None:
        self.wrong: list[str] = []
        self.made = 0
        self.cuts = 0
        self.size: dict[str, int] = {}
        self.synced: dict[str, int] = {}
        for line in trace.splitlines():
            # What is resumed was judged when it began.
            if ".mp4" in line and " resumed>" not in line and not self._is_honest(line):
                self.wrong.append(line)

    def _is_honest(self, line: str) -> bool:
        opened = _OPENED.search(line)
        if opened is not None:
            flags = opened["flags"].split("|")
            self.made += "O_EXCL" in flags
            return "O_EXCL" in flags or flags[0] == "O_RDONLY"
        on_file = _ON_FILE.search(line)
        return on_file is not None and self._keeps(*on_file.group("call", "path", "rest"))

    def _keeps(self, call: str, path: str, rest: str) -> bool:
        synced = self.synced.get(path, 0)
        numbers = [int(number) for number in re.findall(r"(?<=, )\d+|^\d+", rest or "")]
        match call:
            case "pwrite64":
                length, offset = numbers[:2]
                self.size[path] = max(self.size.get(path, 0), offset + length)
                return offset >= synced
            case "fdatasync":
                self.synced[path] = self.size.get(path, 0)
                return True
            case "ftruncate":
                self.cuts += 1
                self.size[path] = numbers[0]
                return numbers[0] >= synced
            case "fallocate":
                return "FALLOC_FL_KEEP_SIZE," in rest
        return False


def test_f66_there_is_no_command_that_deletes(tmp_path: Path) -> None:
    for word in ("delete", "erase", "remove"):
        done = subprocess.run(
            [sys.executable, "-m", "bodycam", word, str(tmp_path)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == ExitCode.USAGE, done.stdout


def test_f66_nothing_deletes_evidence_not_a_full_card_and_not_a_clock_wrong_by_years(
    unit: Faulty, card: SmallCard
) -> None:
    # Signed while its clock was wrong by years, it is not trusted; that is all.
    with unit(speed=2, before=card.under_card, allowed=(ExitCode.UNTRUSTED,)) as rig:
        with rig.traced(_CALLS) as trace:
            record(rig)
            kept = {path: path.read_bytes() for path in rig.segments()}
            for years in (30, -60):
                with PinsClient(rig.unit.socket_path) as client:
                    step_ms = years * 365 * 86_400_000
                    client.world({"clock": {"step_ms": step_ms, "source": "ntp", "unc_ms": 5}})
                record(rig)
            filler = card.fill(500_000)
            rig.press(True)
            rig.until_logged("storage.full")
            rig.run_for(3)
            rig.press(False)
            filler.unlink()
        assert kept
        assert {path: path.read_bytes() for path in kept} == kept
        seen = Evidence(trace.read_text(encoding="utf-8"))
    assert seen.wrong == []
    # It was looked at: files were made, written and closed meanwhile.
    assert seen.made >= len(kept)
    assert seen.cuts >= len(kept)
    assert min(seen.synced.values()) > 0
    assert len(rig.events("clock.step")) == 2
