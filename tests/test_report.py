"""The report of a shift or a clip, as HTML and as PDF: plain words first, nothing from outside."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bodycam.clock import MS, NS, ClockSource
from bodycam.custody.answers import answers, interval_of
from bodycam.custody.clipcheck import verify_clip
from bodycam.custody.export import Order, export
from bodycam.custody.hashing import file_sha256
from bodycam.custody.report import write_report
from bodycam.custody.shift import read_shift
from bodycam.custody.summary import text
from bodycam.custody.timeline import timeline
from bodycam.custody.verify import Report, verify_paths
from bodycam.formats.logline import GENESIS, LOG_VERSION, encode_line
from bodycam.signing import load_root

from .evidence import (
    BOOT_ID,
    DEVICE,
    FRAME_NS,
    RECORDING,
    START_NS,
    UTC_NS,
    Camera,
    Evidence,
    SteppedClock,
    build_store,
    footage,
)

pytestmark = pytest.mark.system

EVIL = "<script>alert('x')</script>&\"'"


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return build_store(tmp_path_factory.mktemp("made"), units=footage(4), segment_s=1)


@pytest.fixture
def copy(evidence: Evidence, tmp_path: Path) -> Evidence:
    """A store that a test may damage."""
    return evidence.copy(tmp_path / "copy")


@pytest.fixture
def spoiled(evidence: Evidence, tmp_path: Path) -> Evidence:
    """As much wrong at once as can be: changed, missing and torn."""
    copy = evidence.copy(tmp_path / "spoiled")
    first, second, third, last = copy.segments
    with first.open("r+b") as file:
        for at in range(20_000, first.stat().st_size, 20_000):
            file.seek(at)
            file.write(b"\xff\x00\xff")
    second.unlink()
    third.rename(third.with_name(third.name.replace("cam-0001", "cam-0002")))
    with last.open("r+b") as file:
        file.truncate(last.stat().st_size - 1000)
    lines = copy.log.read_bytes().splitlines(keepends=True)
    copy.log.write_bytes(b"".join([*lines[:3], lines[3].replace(b"cam", b"car"), *lines[4:-2]]))
    return copy


def pages(path: Path) -> list[str]:
    """The words of each page, as Debian's pdftotext reads them."""
    done = subprocess.run(["pdftotext", "-layout", str(path), "-"], check=True, capture_output=True)
    return done.stdout.decode().split("\f")[:-1]


def written(report: Report, store: Path, path: Path) -> Path:
    write_report(store, report, path)
    return path


class _Page(HTMLParser):
    """What a browser would load, follow, and show."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


def browsed(evidence: Evidence, out: Path, clips: list[Path] | None = None) -> _Page:
    write_report(evidence.store, evidence.verify(), out, clips or [])
    return _Page(out.read_text(encoding="utf-8"))


# -- words -------------------------------------------------------------------------------------


def test_what_is_proven_is_said_in_plain_words(evidence: Evidence) -> None:
    report = evidence.verify()
    pictures = sum(s.pictures for s in report.segments)
    told = answers(report)
    assert told.wrong == ()
    assert told.proven == (
        (
            f"All 4 files of video hold, byte for byte, what camera cam-0001 signed: {pictures} "
            f"pictures and {sum(s.sounds for s in report.segments)} pieces of sound."
        ),
        "The force's certificate authority vouched for that camera when it signed.",
        "Inside the recordings no picture is missing, and no file.",
        (
            f"The first {report.logs[0].lines} of {report.logs[0].lines} lines of the camera's log are "
            "those that it signed."
        ),
        "Every file that the log names is here, and no other.",
    )


def test_without_a_root_nobody_is_vouched_for(evidence: Evidence) -> None:
    told = answers(verify_paths([evidence.store], None))
    assert told.proven[0].endswith("By whom is not proven.")
    assert not any("vouched" in line for line in told.proven)
    assert any("no root was given" in line for line in told.not_known)


def test_what_was_spoiled_is_not_called_proven(spoiled: Evidence) -> None:
    told = answers(spoiled.verify())
    assert not any("no picture is missing" in line or "no other" in line for line in told.proven)
    assert not any(line.startswith("All") for line in told.proven)
    assert told.wrong[0].startswith(("Pictures or sound were changed", "A signature"))
    assert len(told.wrong) == 4
    assert re.fullmatch(r"And \d+ more; all are listed below\.", told.wrong[-1])


def test_utc_is_an_interval_with_its_reason(evidence: Evidence) -> None:
    (recording,) = evidence.verify().recordings
    interval = interval_of(recording)
    assert interval.begin == ("2026-05-28 20:26:39.995Z", "20:26:40.005Z")
    assert (
        interval.reason
        == "\u00b15 ms: the camera's clock followed a time server (NTP, not authenticated)"
    )


def test_a_clock_that_was_not_set_gives_no_interval(tmp_path: Path) -> None:
    camera = Camera(tmp_path, clock=SteppedClock(source=ClockSource.NONE))
    camera.record(footage(2))
    camera.stop()
    (recording,) = verify_paths([camera.store.root], load_root(camera.identity.root)).recordings
    interval = interval_of(recording)
    assert (interval.begin, interval.end) == (None, None)
    assert "not set" in interval.reason


def test_the_text_answer_says_who_when_and_what_is_missing(
    evidence: Evidence, copy: Evidence
) -> None:
    whole = text(evidence.verify())
    assert whole.startswith("INTACT: ")
    assert f"Recording {RECORDING} of camera {DEVICE}: intact" in whole
    assert "2026-05-28T20:26:40.000Z to 2026-05-28T20:26:43" in whole
    assert "\u00b15 ms, clock: ntp" in whole
    assert f"signed by {DEVICE}: trusted" in whole
    os.truncate(copy.segments[-1], 100_000)
    cut = text(copy.verify())
    assert cut.startswith("INCOMPLETE: ")
    assert "What is wrong or missing:" in cut
    assert "[9] incomplete: " in cut


# -- pages -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["html", "pdf"])
def test_a_report_says_the_same_as_html_and_as_pdf(
    evidence: Evidence, tmp_path: Path, kind: str
) -> None:
    report = evidence.verify()
    path = written(report, evidence.store, tmp_path / f"report.{kind}")
    text = path.read_text() if kind == "html" else "\n".join(pages(path))
    for words in (
        "INTACT", "What is proven", "What is wrong or missing", "What is not known", "The shift",
        "When it was", "2026-05-28 20:26:39.995Z", "time server", "cam-0001",
        evidence.recording, "Camera on", "Switch on",
    ):  # fmt: skip
        assert words in text, words


def test_the_first_page_is_a_report_by_itself(evidence: Evidence, tmp_path: Path) -> None:
    first, second, *_ = pages(written(evidence.verify(), evidence.store, tmp_path / "r.pdf"))
    assert "INTACT" in first
    assert "When it was" in first
    assert "Recordings" in second


def test_it_stays_one_page_whatever_was_found(spoiled: Evidence, tmp_path: Path) -> None:
    first, second, *_ = pages(written(spoiled.verify(), spoiled.store, tmp_path / "r.pdf"))
    assert "ALTERED" in first
    assert "When it was" in first
    assert "Recordings" in second


def test_many_recordings_stay_one_page_too(tmp_path: Path) -> None:
    camera = Camera(tmp_path)
    camera.clock.unc_ms = 12_345
    for number in range(6):
        later = [replace(u, at_ns=u.at_ns + number * 10 * NS) for u in footage(2)]
        camera.record(later, f"{RECORDING[:-1]}{number}")
        camera.log.append("mute.start", rec=None)
        camera.log.append("mute.stop", rec=None)
    camera.stop()
    for folder in sorted((camera.store.root / "evidence").iterdir())[:3]:
        with (folder / f"cam-0001_{folder.name}_00000.mp4").open("r+b") as file:
            file.seek(60_000)
            file.write(b"\xff\x00\xff")
    report = verify_paths([camera.store.root], load_root(camera.identity.root))
    first, second, *_ = pages(written(report, camera.store.root, tmp_path / "r.pdf"))
    assert "And 3 more." in first
    assert "Muted" in first
    assert "Recordings" in second


def test_a_clip_has_a_report_of_its_own(evidence: Evidence, tmp_path: Path) -> None:
    order = Order([evidence.store], evidence.custody_key, evidence.root)
    clip = export(order, tmp_path / "clip.mp4")
    report = verify_clip(clip.clip, clip.manifest, evidence.root)
    (first, *_) = pages(written(report, clip.clip, tmp_path / "r.pdf"))
    assert "cam-0001" in first
    assert "8 of 8 parts of the clip are, picture by picture" in " ".join(first.split())
    assert "2026-05-28 20:26:39.995Z" in first


def test_nothing_is_fetched_and_nothing_is_script(spoiled: Evidence, tmp_path: Path) -> None:
    page = written(spoiled.verify(), spoiled.store, tmp_path / "r.html").read_text()
    assert "default-src 'none'" in page
    assert re.findall(r'(?:src|href)="(?!#)[^"]*"', page) == []
    assert "<script" not in page


def test_what_a_file_says_of_itself_is_no_markup(tmp_path: Path) -> None:
    camera = Camera(tmp_path)
    camera.record(footage(2))
    camera.log.append("marker", rec="<script>alert(1)</script>")
    camera.log.append("gap", from_ns=0, to_ns=1, frames=0, cause="<b>", rec="<img src=x>")
    camera.stop()
    report = verify_paths([camera.store.root], load_root(camera.identity.root))
    page = written(report, camera.store.root, tmp_path / "r.html").read_text()
    assert "<script>alert" not in page
    assert "<img" not in page


def test_the_page_says_verdict_device_time_and_files(evidence: Evidence, tmp_path: Path) -> None:
    shown = browsed(evidence, tmp_path / "shift.html").words
    assert "INTACT" in shown
    assert DEVICE in shown
    assert RECORDING in shown
    assert "2026-05-28T20:26:40.000Z" in shown
    for path in evidence.segments:
        assert path.name in shown
        assert file_sha256(path) in shown


def test_nothing_is_fetched_and_nothing_is_run_of_an_intact_shift(
    evidence: Evidence, tmp_path: Path
) -> None:
    made = browsed(evidence, tmp_path / "shift.html")
    assert {tag for tag, _ in made.tags}.isdisjoint({"script", "link", "img", "iframe", "object"})
    for _, attributes in made.tags:
        assert not {"src", "onclick", "onload"} & attributes.keys()
        assert "://" not in (attributes.get("href") or "")
    raw = (tmp_path / "shift.html").read_text()
    assert "@import" not in raw
    assert "url(http" not in raw


def test_missing_evidence_is_said_in_words_and_shape(copy: Evidence, tmp_path: Path) -> None:
    os.truncate(copy.segments[-1], 100_000)
    made = browsed(copy, tmp_path / "shift.html")
    assert "INCOMPLETE" in made.words
    assert "no evidence in it" in made.words
    # Not by colour alone: each badge has its word and its shape.
    assert made.words.count("incomplete") >= 3
    assert sum(tag == "path" for tag, _ in made.tags) > 5


def test_clips_are_linked_with_their_manifests(evidence: Evidence, tmp_path: Path) -> None:
    clip = tmp_path / "clip 1 & more.mp4"
    export(Order([evidence.store], evidence.custody_key, evidence.root), clip)
    made = browsed(evidence, tmp_path / "shift.html", [clip])
    links = [attributes["href"] for tag, attributes in made.tags if tag == "a"]
    assert links == [
        "clip%201%20%26%20more.mp4", "clip%201%20%26%20more.mp4.evidence.json",
    ]  # fmt: skip


def test_a_store_without_a_log_still_has_a_page(copy: Evidence, tmp_path: Path) -> None:
    copy.log.unlink()
    assert "There is no event log." in browsed(copy, tmp_path / "shift.html").words


# -- the shift as its log tells it ------------------------------------------------------------


def test_the_timeline_is_one_well_formed_drawing(evidence: Evidence) -> None:
    drawing = ET.fromstring(timeline(read_shift(evidence.log)))
    titles = [e.text or "" for e in drawing.iter("{http://www.w3.org/2000/svg}title")]
    assert any(title.startswith("1: recording, 2026-05-28T20:26:40.000Z") for title in titles)
    assert any(title.startswith("ready") for title in titles)
    assert any(title.startswith("shutdown") for title in titles)


def _shift_log(folder: Path, events: list[tuple[str, int, dict[str, object]]]) -> Path:
    """A log of these events, at so many milliseconds; chains are the verifier's business."""
    path = folder / "events.jsonl"
    with path.open("wb") as file:
        for seq, (ev, at_ms, data) in enumerate(events):
            line = encode_line({
                "v": LOG_VERSION, "seq": seq, "boot": BOOT_ID, "boot_ns": START_NS + at_ms * MS,
                "logged_ns": START_NS + at_ms * MS, "utc": "2026-05-28T20:26:40.000Z",
                "clk": "ntp", "unc_ms": 5, "ev": ev, "data": data, "prev": GENESIS,
            })  # fmt: skip
            file.write(line + b"\n")
    return path


REC: dict[str, object] = {"rec": RECORDING}


def test_a_shift_is_read_from_its_log(tmp_path: Path) -> None:
    log = _shift_log(tmp_path, [
        ("boot", 0, {"device": DEVICE, "fw": "bodycam 1"}),
        ("ready", 500, {}),
        ("switch.on", 10_000, {"pin": "switch"}),
        ("activation.start", 10_000, {**REC, "cause": "switch"}),
        ("rec.start", 4_000, {**REC, "first_ns": START_NS + 4_000 * MS, "asked_ms": 30_000,
                              "actual_ms": 6_000, "reason": "fresh_power", "audio": False}),
        ("marker", 12_000, REC),
        ("mute.start", 13_000, REC),
        ("mute.stop", 14_000, REC),
        ("gap", 16_000, {**REC, "from_ns": START_NS + 15_000 * MS, "to_ns": START_NS + 16_000 * MS,
                         "cause": "stall", "frames": 30}),
        ("switch.off", 20_000, {"pin": "switch"}),
        ("tail.start", 22_000, {**REC, "ends_ns": START_NS + 52_000 * MS}),
        ("rec.stop", 52_000, {**REC, "reason": "stop", "load": "fewer-bits",
                              "throttled": ["capped", "undervolt"]}),
        ("shutdown", 60_000, {"reason": "SIGTERM"}),
    ])  # fmt: skip
    shift = read_shift(log)
    seconds = {
        name: [((s.from_ns - UTC_NS) / NS, (s.to_ns - UTC_NS) / NS) for s in spans]
        for name, spans in (
            ("on", shift.on), ("ready", shift.ready), ("switch", shift.switch),
            ("muted", shift.muted), ("gaps", shift.gaps),
        )
    }  # fmt: skip
    assert seconds == {
        "on": [(0, 60)], "ready": [(0.5, 60)], "switch": [(10, 20)], "muted": [(13, 14)],
        "gaps": [(15, 16)],
    }  # fmt: skip
    (recorded,) = shift.recordings.values()
    assert (recorded.cause, recorded.asked_ms, recorded.actual_ms) == ("switch", 30_000, 6_000)
    assert (recorded.reason, recorded.audio, recorded.gaps) == ("fresh_power", False, 1)
    assert recorded.strain == ("fewer-bits", "capped", "undervolt")
    moments = (recorded.first_ns, recorded.pressed_ns, recorded.tail_ns, recorded.stopped_ns)
    assert [(at - UTC_NS) / NS for at in moments if at is not None] == [4, 10, 22, 52]
    assert [m.kind for m in shift.marks] == ["marker", "end"]
    drawing = timeline(shift)
    for words in ("before the press", "tail after the switch", "gap of 1.00 s", "muted", "marker"):
        assert words in drawing


def test_a_shift_shows_what_the_self_tests_found(tmp_path: Path) -> None:
    green: dict[str, object] = {"form": "boot", "verdict": "green", "failed": [], "checks": {}}
    red: dict[str, object] = {"form": "boot", "verdict": "red", "failed": ["card"], "checks": {}}
    log = _shift_log(
        tmp_path, [("boot", 0, {}), ("selftest", 3000, green), ("selftest", 9000, red)]
    )
    green_mark, red_mark = read_shift(log).marks
    assert (green_mark.kind, red_mark.kind) == ("notice", "fault")
    assert red_mark.text == "selftest form=boot verdict=red failed=['card']"


def test_an_interrupted_recording_ends_where_its_last_picture_does(tmp_path: Path) -> None:
    camera = Camera(tmp_path)
    shot = [u for u in footage() if u.at_ns < START_NS + 90 * FRAME_NS]
    camera.record(shot, reason=None)
    camera.stop(orderly=False)
    camera.clock.now_ns += 60 * NS
    again = Camera(tmp_path, clock=camera.clock)
    again.stop()
    evidence = Evidence(camera.store.root, camera.identity, RECORDING, ())
    shown = browsed(evidence, tmp_path / "shift.html")
    assert "cut off" in shown.words
    bars = [w for w in (tmp_path / "shift.html").read_text().split("<title>") if "recording," in w]
    assert bars[0].startswith("1: recording, 2026-05-28T20:26:40.000Z to 2026-05-28T20:26:4")


@pytest.mark.parametrize("ev", ["boot", "ready", "switch.on", "rec.start", "rec.stop", "gap",
                                "marker", "tail.start", "seg.open", "clock.step", "mute.start",
                                "activation.start", "recovery", "storage.full", "selftest", "no.such.event"])  # fmt: skip
@pytest.mark.parametrize(
    "data",
    [
        {},
        {"rec": EVIL},
        {"rec": 7, "first_ns": "x", "from_ns": None},
        {"rec": "r", "load": [], "throttled": 7},
    ],
)
def test_events_without_their_data_do_no_harm(
    tmp_path: Path, ev: str, data: dict[str, object]
) -> None:
    log = _shift_log(tmp_path, [(ev, 0, data), (ev, 1000, data)])
    report = verify_paths([log], None)
    write_report(tmp_path, report, tmp_path / "page.html")
    assert "<script" not in (tmp_path / "page.html").read_text()


def test_everything_that_is_shown_is_escaped(tmp_path: Path) -> None:
    log = _shift_log(tmp_path, [
        ("boot", 0, {"device": EVIL, "fw": EVIL}),
        ("switch.on", 1, {"pin": EVIL}),
        ("activation.start", 2, {"rec": EVIL, "cause": EVIL}),
        ("rec.start", 2, {"rec": EVIL, "asked_ms": 1, "actual_ms": 0, "reason": EVIL}),
        ("gap", 3, {"rec": EVIL, "from_ns": START_NS, "to_ns": START_NS + NS, "cause": EVIL}),
        ("io.error", 4, {"why": EVIL, "file": EVIL}),
        ("rec.stop", 5, {"rec": EVIL, "reason": EVIL, "load": EVIL, "throttled": [EVIL]}),
    ])  # fmt: skip
    write_report(tmp_path, verify_paths([log], None), tmp_path / "page.html", [tmp_path / EVIL[:9]])
    made = _Page((tmp_path / "page.html").read_text())
    assert "script" not in {tag for tag, _ in made.tags}
    assert "alert('x')" in made.words
