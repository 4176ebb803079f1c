"""Somebody cuts, edits or swaps what a camera wrote, or its lines will not end: what then is known."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from bodycam.camera.mishaps import MishapKind
from bodycam.clock import NS
from bodycam.custody.findings import Check, Finding, Verdict
from bodycam.custody.logfacts import LogAnswer
from bodycam.custody.verify import verify_paths
from bodycam.errors import ExitCode
from bodycam.formats.boxes import Box, children
from bodycam.signing import load_root
from bodycam.simulate.control import PinsClient
from tests.evidence import build_store, footage

from .conftest import Faulty
from .faultrig import FaultRig
from .results import Measure
from .test_clock_faults import also, begin, end

pytestmark = pytest.mark.system


def log_of(card: Path) -> Path:
    return card / "log" / "events.jsonl"


def cut_while_off(rig: FaultRig, count: int) -> int:
    """Take the last lines away while the recorder is down for a moment; how many are left."""
    lives = len(rig.unit.exit_codes)
    rig.unit.ready.clear()
    rig.unit.signal_recorder(signal.SIGTERM)
    deadline = time.monotonic() + 10
    while len(rig.unit.exit_codes) == lives:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    lines = log_of(rig.card).read_bytes().splitlines(keepends=True)
    log_of(rig.card).write_bytes(b"".join(lines[:-count]))
    rig.unit.wait_ready()
    return len(lines) - count


def test_f48_a_log_whose_last_lines_are_gone_is_noticed_by_the_camera_and_proven_later(
    unit: Faulty,
) -> None:
    with unit({"devices": {"rescan_s": 1}}, 2, allowed=[ExitCode.ALTERED]) as rig:
        begin(rig, 1)
        end(rig)
        left = cut_while_off(rig, 5)
        said = rig.until_logged("log.rollback")
        assert "service" not in also(rig)
        rig.unit.set_sensor("class/power_supply/usb/type", "USB")
        rig.unit.set_sensor("class/power_supply/usb/online", 1)
        rig.until("SERVICE at the dock", lambda: "service" in also(rig))
        begin(rig, 1)
        rig.press(False)
        rig.until_state("ready")
    assert (said["data"]["lines"], said["data"]["vouched"]) == (left, left + 5)
    report = rig.verify()
    (log,) = report.logs
    assert log.answers == [LogAnswer.TWO_HISTORIES]
    place = f"checkpoint.ahead-{left + 5}"
    assert any(f.place == place and f.verdict is Verdict.ALTERED for f in report.findings)
    # What was recorded is as good as before.
    assert [recording.verdict.name for recording in report.recordings].count("ALTERED") == 0
    assert len(report.recordings) == 2


def damaged(rig: FaultRig, spoil: Callable[[Path], None]) -> list[Finding]:
    """What the verifier finds altered in a copy to which something was done."""
    copy = rig.unit.out / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(rig.card, copy)
    spoil(copy)
    report = verify_paths([copy], load_root(rig.unit.root_path))
    assert report.exit_code is ExitCode.ALTERED
    return [finding for finding in report.findings if finding.verdict is Verdict.ALTERED]


def segments_of(card: Path) -> list[Path]:
    return sorted((card / "evidence").glob("*/*.mp4"))


def fragments_of(raw: bytes) -> list[tuple[int, int]]:
    """Where each fragment begins and ends, its signature box included."""
    boxes = list(children(raw, 0, len(raw)))
    starts = [box.start for box in boxes if box.kind == "prft"]
    return [(start, _signed_end(boxes, start)) for start in starts]


def _signed_end(boxes: list[Box], start: int) -> int:
    return next(box.end for box in boxes if box.start > start and box.kind == "uuid")


def replace_first(source: Path, card: Path) -> None:
    shutil.copy(source, segments_of(card)[0])


def flip(path: Path, at: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[at] ^= 1
    path.write_bytes(raw)


def test_f49_whatever_is_edited_or_swapped_is_named_by_its_place_and_the_rest_is_verified(
    unit: Faulty, tmp_path: Path
) -> None:
    with unit(speed=4) as rig:
        begin(rig, 6)
        end(rig)
    name = segments_of(rig.card)[0].name
    raw = segments_of(rig.card)[0].read_bytes()
    second, third, fourth = fragments_of(raw)[1:4]

    found = damaged(
        rig, lambda card: flip(segments_of(card)[0], third[0] + (third[1] - third[0]) // 2)
    )
    assert {(Path(f.file).name, f.place) for f in found} == {(name, "fragment 3")}

    def edit_log(card: Path) -> None:
        lines = log_of(card).read_bytes().splitlines(keepends=True)
        lines[7] = lines[7].replace(b'"boot_ns":', b'"boot_ns":1', 1)
        log_of(card).write_bytes(b"".join(lines))

    found = damaged(rig, edit_log)
    assert found[0].check is Check.LOG_LINES
    assert "line 8" in f"{found[0].place} {found[0].text}"
    assert {Path(finding.file).name for finding in found} == {"events.jsonl"}

    def swap(card: Path) -> None:
        parts = (
            raw[: third[0]],
            raw[fourth[0] : fourth[1]],
            raw[third[0] : third[1]],
            raw[fourth[1] :],
        )
        segments_of(card)[0].write_bytes(b"".join(parts))

    places = {finding.place for finding in damaged(rig, swap)}
    assert {"fragment 3", "fragment 4"} <= places <= {"fragment 3", "fragment 4", "fragment 5"}
    assert second[1] == third[0]

    other = build_store(tmp_path, units=footage(1)).segments[0]
    for source in (segments_of(rig.card)[1], other):
        put_in = partial(replace_first, source)
        (first, *_) = damaged(rig, put_in)
        assert (Path(first.file).name, first.place) == (name, "head")
        assert "taken from elsewhere" in first.text


def test_f67_ten_thousand_edges_a_second_do_not_fill_the_log(
    unit: Faulty, measured: Measure
) -> None:
    with unit(speed=8) as rig:
        begin(rig, 1)
        lines_before = len(rig.log())
        began_ns = rig.unit.clock.boot_ns()
        with PinsClient(rig.unit.socket_path) as client:
            for _ in range(3):
                at_ns = rig.unit.clock.boot_ns() + 2 * NS
                client.set("marker", False, at_ns=at_ns, bounce_us=list(range(100, 600_100, 100)))
                rig.run_for(3)
        rig.until_logged("switch.edges_suppressed")
        seconds = (rig.unit.clock.boot_ns() - began_ns) / NS
        end(rig)
    flood = rig.log()[lines_before:]
    counted = sum(
        line["data"]["edges"] for line in flood if line["ev"] == "switch.edges_suppressed"
    )
    shown = sum(line["ev"] == "switch.edge" and line["data"]["pin"] == "marker" for line in flood)
    measured("lines of edges at 10,000 edges a second", shown * 60 / seconds, "a minute", 1200)
    assert counted + shown == 18_000
    assert len(rig.events("rec.stop")) == 1


def test_f67_a_worker_that_reports_without_end_is_counted_then_replaced(
    unit: Faulty, measured: Measure
) -> None:
    with unit(speed=8) as rig:
        begin(rig, 1)
        lines_before, began_ns = len(rig.log()), rig.unit.clock.boot_ns()
        rig.unit.mishap(MishapKind.CHATTER, 30, size=400)
        rig.until_logged("capture.garbage")
        rig.until_logged("capture.suppressed", seconds=40)
        seconds = (rig.unit.clock.boot_ns() - began_ns) / NS
        rig.until("pictures again", lambda: rig.unit.status()["camera"])
        rig.press(False)
        rig.until_logged("rec.stop")
    flood = [line["ev"] for line in rig.log()[lines_before:]]
    counted = sum(line["data"]["lines"] for line in rig.events("capture.suppressed"))
    measured("lines of a mad worker", flood.count("overlay.lost") * 60 / seconds, "a minute", 480)
    assert counted + flood.count("overlay.lost") >= 2300
    assert "reports within a minute" in rig.events("capture.garbage")[0]["data"]["reason"]
    assert len(rig.events("rec.stop")) == 1
