"""The capture worker as the recorder meets it: a real process, a real ring, a real pipe."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from bodycam.clock import NS
from bodycam.errors import ExitCode
from bodycam.media import (
    NAL_IDR,
    AccessUnit,
    Track,
    aac_format,
    is_b_slice,
    is_vcl,
    nal_type,
    split_annexb,
    video_format,
)
from bodycam.sharedring import Load
from tests.capturing import DEADLINE_S, SMALL, Worker
from tests.scene_reader import beep_onsets, flash_onsets, read_frames

pytestmark = pytest.mark.system

BEEPING = SMALL + '[audio]\nsource = "synthetic"\n'
SILENT = SMALL + '[audio]\nsource = "none"\n'


Start = Callable[..., Worker]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Worker] = []

    def begin(toml: str, program: list[str] | None = None) -> Worker:
        running.append(Worker(tmp_path, toml, program))
        return running[-1]

    yield begin
    for worker in running:
        worker.close()


def adts(frame: bytes, config: bytes) -> bytes:
    """One AAC frame as it stands in a transport stream (ISO/IEC 13818-7, 6.2)."""
    fmt, length = int.from_bytes(config[:2], "big"), len(frame) + 7
    rate, channels = fmt >> 7 & 15, fmt >> 3 & 15
    bits = 0xFFF1 << 40 | 1 << 38 | rate << 34 | channels << 30 | length << 13 | 0x7FF << 2
    return bits.to_bytes(7, "big") + frame


def finished(worker: Worker, path: Path) -> Path:
    """The units as a video that any player opens, each at its capture time."""
    zero, sounds = worker.video[0].at_ns, worker.of(Track.AUDIO)
    with av.open(str(path), "w", format="mpegts") as out:
        streams = {Track.VIDEO: out.add_mux_stream("h264", width=320, height=180)}
        if sounds:
            streams[Track.AUDIO] = out.add_mux_stream("aac", rate=48_000)
            config = bytes.fromhex(worker.said("audio.format")["config"])
        for unit in worker.units:
            data = bytes(unit.data)
            packet = av.Packet(adts(data, config) if unit.track is Track.AUDIO else data)
            packet.stream = streams[unit.track]
            packet.time_base = Fraction(1, 90_000)
            packet.pts = packet.dts = round((unit.at_ns - zero) * 90_000 / NS)
            if packet.pts >= 0:
                out.mux(packet)
    return path


def kinds(unit: AccessUnit) -> list[int]:
    return [nal_type(nal) for nal in split_annexb(unit.data)]


# -- what comes out ------------------------------------------------------------------------------


def test_every_picture_decodes_and_none_is_missing(start: Start, tmp_path: Path) -> None:
    worker = start(SILENT)
    worker.read_until(lambda: len(worker.video) >= 75)
    numbers = [frame.number for frame in read_frames(finished(worker, tmp_path / "clip.ts"))]
    first = worker.video[0].at_ns * 30 // NS
    assert numbers == list(range(first, first + len(worker.video)))
    assert numbers == [unit.at_ns * 30 // NS & 0xFFFF_FFFF for unit in worker.video]
    assert [unit.seq for unit in worker.video] == list(range(len(worker.video)))
    assert {unit.epoch for unit in worker.video} == {1}


def test_a_gop_is_a_second_and_begins_with_its_parameter_sets(start: Start) -> None:
    worker = start(SILENT)
    worker.read_until(lambda: len(worker.video) >= 65)
    assert [i for i, unit in enumerate(worker.video) if unit.keyframe] == [0, 30, 60]
    for unit in worker.video:
        pictures = [nal for nal in split_annexb(unit.data) if is_vcl(nal)]
        assert len(pictures) == 1, "one slice a picture"
        assert not is_b_slice(pictures[0])
        assert unit.keyframe == (NAL_IDR in kinds(unit))
        if unit.keyframe:
            fmt = video_format(split_annexb(unit.data))
            assert fmt is not None
            assert (fmt.width, fmt.height) == (320, 180)


def test_flash_and_beep_are_one_moment(start: Start, tmp_path: Path) -> None:
    worker = start(BEEPING)
    worker.read_until(lambda: len(worker.video) >= 110)
    clip = finished(worker, tmp_path / "clip.ts")
    flashes, beeps = flash_onsets(read_frames(clip)), beep_onsets(clip)
    assert len(flashes) >= 3
    for flash in flashes[1:-1]:
        assert min(abs(flash - beep) for beep in beeps) < 0.005
    assert all(0.99 < after - before < 1.01 for before, after in pairwise(beeps))


def test_the_formats_are_announced_before_the_first_unit(start: Start) -> None:
    worker = start(BEEPING)
    worker.read_until(lambda: {"VIDEO", "AUDIO"} <= set(worker.order))
    assert worker.order[0] == "capture.ready"
    assert worker.order.index("audio.format") < worker.order.index("AUDIO")
    ready, sound = worker.said("capture.ready"), worker.said("audio.format")
    facts = {"width": 320, "height": 180, "fps": 30, "encoder": "libx264", "source": "synthetic"}
    assert {key: ready[key] for key in facts} == facts
    said = aac_format(bytes.fromhex(sound["config"]))
    assert (said.rate_hz, said.channels) == (sound["rate_hz"], sound["channels"]) == (48_000, 1)


def test_sound_advances_by_whole_frames(start: Start) -> None:
    worker = start(BEEPING)
    worker.read_until(lambda: len(worker.of(Track.AUDIO)) >= 50)
    times = [unit.at_ns for unit in worker.of(Track.AUDIO)]
    assert {round((b - a) * 48_000 / NS) for a, b in pairwise(times)} == {1024}


def test_a_simulated_clock_paces_the_camera(start: Start) -> None:
    worker = start(BEEPING + '[simulate]\nspeed = 8\norigin_ns = 1\nboot_id = "sim"\n')
    worker.read_until(lambda: len(worker.video) >= 200)
    numbers = [unit.at_ns * 30 // NS for unit in worker.video]
    assert [unit.at_ns for unit in worker.video] == [-(-n * NS // 30) for n in numbers]
    # A pause of the machine may cost pictures here, eight times as soon as at its own speed.
    assert numbers[-1] - numbers[0] < 1.5 * len(numbers)


def test_a_new_worker_goes_on_counting(start: Start) -> None:
    worker = start(SILENT)
    worker.read_until(lambda: len(worker.video) >= 10)
    worker.process.kill()
    worker.read_to_end()
    before = len(worker.video)
    os.close(worker.pipe)
    worker.spawn()
    worker.read_until(lambda: len(worker.video) >= before + 10)
    first = worker.video[before]
    assert (first.keyframe, first.seq, first.epoch) == (True, 0, 2)
    assert first.at_ns - worker.video[before - 1].at_ns < 5 * NS


# -- what the recorder asks ------------------------------------------------------------------------


def test_a_keyframe_is_made_when_it_is_asked_for(start: Start) -> None:
    worker = start(SMALL + 'gop_ms = 5000\n[audio]\nsource = "none"\n')
    worker.read_until(lambda: len(worker.video) >= 10)
    worker.ring.request_keyframe()
    worker.read_until(lambda: sum(unit.keyframe for unit in worker.video) >= 2)
    assert len(worker.video) < 150, "before the next GOP"
    assert {7, 8, 5} <= set(kinds(worker.video[-1]))
    asked = len(worker.video)
    worker.read_until(lambda: len(worker.video) >= asked + 20)
    assert not any(unit.keyframe for unit in worker.video[asked:]), "one, and no more"


def test_less_is_filmed_where_less_is_asked_for(start: Start, tmp_path: Path) -> None:
    worker = start(SILENT)
    worker.read_until(lambda: len(worker.video) >= 30)
    worker.ring.set_load(Load.FEWER_PICTURES)
    worker.read_until(lambda: len(worker.video) >= 90)
    worker.ring.set_load(Load.FULL)
    worker.read_until(lambda: len(worker.video) >= 120)
    numbers = [frame.number for frame in read_frames(finished(worker, tmp_path / "clip.ts"))]
    steps = [b - a for a, b in pairwise(n for n in numbers if n is not None)]
    assert steps == worker.every[:-1]
    assert steps == sorted(steps[:60]) + sorted(steps[60:], reverse=True)
    assert steps.count(2) >= 50
    keyframes = [unit.at_ns for unit in worker.video if unit.keyframe]
    assert all(b - a < 1.07 * NS for a, b in pairwise(keyframes)), "a GOP lasts as long"


def test_fewer_bits_are_spent_where_that_is_asked_for(start: Start) -> None:
    worker = start(SILENT)
    worker.read_until(lambda: len(worker.video) >= 60)
    worker.ring.set_load(Load.FEWER_BITS)
    worker.read_until(lambda: 2 in worker.every)
    worker.read_until(lambda: worker.every.count(2) >= 60)
    full = sum(len(u.data) for u, n in zip(worker.video, worker.every, strict=True) if n == 1)
    few = sum(len(u.data) for u, n in zip(worker.video, worker.every, strict=True) if n == 2)
    seconds_full, seconds_few = worker.every.count(1) / 30, worker.every.count(2) / 15
    assert few / seconds_few < 0.6 * full / seconds_full


# -- how it ends ---------------------------------------------------------------------------------


def test_sigterm_ends_it_within_two_seconds(start: Start) -> None:
    worker = start(BEEPING)
    worker.read_until(lambda: len(worker.video) >= 5)
    asked = time.monotonic()
    worker.process.send_signal(signal.SIGTERM)
    assert worker.read_to_end() == (0, [])
    assert time.monotonic() - asked < 2


def test_ctrl_c_is_the_recorders_business(start: Start) -> None:
    worker = start(SILENT)
    worker.read_until(lambda: len(worker.video) >= 5)
    worker.process.send_signal(signal.SIGINT)
    seen = len(worker.video)
    worker.read_until(lambda: len(worker.video) >= seen + 10)
    assert worker.process.poll() is None


def test_it_ends_quietly_when_the_recorder_is_gone(start: Start) -> None:
    worker = start(BEEPING)
    worker.read_until(lambda: len(worker.video) >= 5)
    os.close(worker.pipe)
    worker.pipe = -1
    _, errors = worker.process.communicate(timeout=DEADLINE_S)
    assert (worker.process.returncode, errors) == (0, "")


def test_it_does_not_outlive_a_killed_parent(start: Start) -> None:
    between = (
        "import subprocess, sys; r, w = sys.argv[2], sys.argv[4];"
        "subprocess.run([sys.executable, '-m', 'bodycam.capture', *sys.argv[1:]],"
        " pass_fds=(int(r), int(w)))"
    )
    worker = start(SILENT, [sys.executable, "-c", between])
    worker.read_until(lambda: len(worker.video) >= 5)
    worker.process.kill()
    worker.read_until(lambda: False)  # the pipe ends when its last writer has ended


@dataclass
class Case:
    toml: str
    code: int
    says: str


@pytest.mark.parametrize(
    "case",
    [
        Case('[camera]\nsource = "replay"\nfile = "{tmp}/no.mp4"\n', 8, "{tmp}/no.mp4"),
        Case(
            '[camera]\nsource = "replay"\nfile = "{tmp}/camera.toml"\n', 2, "an MP4 or H.264 file"
        ),
        Case('[camera]\nsource = "v4l2"\ndevice = "/dev/video97"\n', 8, "/dev/video97"),
        Case('[camera]\nsource = "v4l2"\ndevice = "{tmp}/camera.toml"\n', 8, "camera.toml"),
    ],
)
def test_a_camera_that_cannot_be_opened_is_said_in_one_line(
    start: Start, tmp_path: Path, case: Case
) -> None:
    worker = start(case.toml.format(tmp=tmp_path) + '[audio]\nsource = "none"\n')
    code, errors = worker.read_to_end()
    assert code == case.code
    assert len(errors) == 1
    assert case.says.format(tmp=tmp_path) in errors[0]
    assert worker.said("capture.error")["reason"] in errors[0]
    assert worker.units == []


@pytest.mark.parametrize(
    ("toml", "says"),
    [("[camera]\nspeed = 3\n", "camera.speed"), ("[camera\n", "not a TOML file")],
)
def test_a_bad_configuration_is_exit_2(start: Start, toml: str, says: str) -> None:
    code, errors = start(toml).read_to_end()
    assert code == 2
    assert len(errors) == 1
    assert says in errors[0]


def test_started_by_hand_it_says_who_starts_it(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text(SILENT)
    numbers = ["--ring-fd", "97", "--pipe-fd", "98", "--head", "0", "--epoch", "1", "--config"]
    program = [sys.executable, "-m", "bodycam.capture", *numbers, str(config)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "started by the recorder" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_camera_that_hangs_ends_the_worker(start: Start, tmp_path: Path) -> None:
    program = tmp_path / "hanging.py"
    program.write_text(HANGING)
    worker = start(SILENT, [sys.executable, str(program)])
    code, errors = worker.read_to_end()
    assert code == 8
    assert len(errors) == 1
    assert "no picture" in worker.said("capture.error")["reason"]
    assert len(worker.video) == 1


HANGING = """
import sys, threading
from bodycam.ringwriter import RingWriter
from bodycam.camera.sink import UnitSink
from bodycam.camera.source import SourceFacts
from bodycam.capture import serve
from bodycam.clock import SystemClock

class Hanging:
    def open(self):
        return SourceFacts("hanging", "none", 320, 180, 30)
    def run(self, sink):
        sink.video(1, True, b"\\0\\0\\1\\x65picture")
        threading.Event().wait()
    def close(self):
        pass

ring = RingWriter(int(sys.argv[2]), int(sys.argv[4]), head=0, epoch=1)
sink = UnitSink(ring, SystemClock(), threading.Event())
sys.exit(serve(sink, Hanging(), None, tick_s=0.02))
"""


@pytest.mark.parametrize("where", ["run", "close"])
def test_a_library_that_lets_no_thread_run_is_ended_by_the_kernel(
    start: Start, tmp_path: Path, where: str
) -> None:
    program = tmp_path / "deaf.py"
    program.write_text(DEAF)
    worker = start(SILENT, [sys.executable, str(program), where])
    worker.read_until(lambda: len(worker.video) == 1)
    worker.process.send_signal(signal.SIGTERM)
    code, errors = worker.read_to_end()
    assert code == -signal.SIGALRM
    assert any(f"in {where}" in line for line in errors), "where it hung"


# As libcamera's bindings: the interpreter's lock is kept while the library waits.
DEAF = """
import ctypes, sys, threading
from bodycam.ringwriter import RingWriter
from bodycam.camera.sink import UnitSink
from bodycam.camera.source import SourceFacts
from bodycam.capture import serve
from bodycam.clock import SystemClock
from bodycam.stopping import on_signals
import signal

def hang():
    ctypes.PyDLL(None).sleep(600)

class Deaf:
    def open(self):
        return SourceFacts("deaf", "none", 320, 180, 30)
    def run(self, sink):
        sink.video(1, True, b"\\0\\0\\1\\x65picture")
        if sys.argv[1] == "run":
            hang()
        sink.stop.wait()
    def close(self):
        hang()

stop = threading.Event()
on_signals((signal.SIGTERM,), lambda _: stop.set())
ring = RingWriter(int(sys.argv[3]), int(sys.argv[5]), head=0, epoch=1)
sys.exit(serve(UnitSink(ring, SystemClock(), stop), Deaf(), None, tick_s=0.1))
"""


def test_being_told_to_stop_never_meets_the_lock_that_the_main_thread_waits_with() -> None:
    """A signal at any moment of a tight wait: a handler that set the Event itself would hang."""
    program = (
        "import os, signal, threading\n"
        "from bodycam.stopping import on_signals\n"
        "stop = threading.Event()\n"
        "on_signals((signal.SIGTERM,), lambda _: stop.set())\n"
        "def flood():\n"
        "    for _ in range(2000): os.kill(os.getpid(), signal.SIGTERM)\n"
        "for _ in range(20):\n"
        "    stop.clear()\n"
        "    thread = threading.Thread(target=flood); thread.start()\n"
        "    while thread.is_alive(): stop.wait(0.00001)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


NO_MEMORY = """
import os
import cv2, numpy
from bodycam import capture
from bodycam.camera.lens import LensCheck

def look(*_):
    cv2.resize(numpy.zeros((4, 4), numpy.uint8), (1 << 28, 1 << 28))

LensCheck.look = look
os._exit(capture.main())
"""


def test_memory_that_opencv_lacks_is_said_as_any_other(tmp_path: Path) -> None:
    worker = Worker(tmp_path, SILENT, [sys.executable, "-c", NO_MEMORY])
    try:
        code, errors = worker.read_to_end()
    finally:
        worker.close()
    assert code == ExitCode.FAILURE
    assert worker.said("oom")["by"] == "limit"
    assert "Insufficient memory" in worker.said("oom")["reason"]
    assert [line for line in errors if "Traceback" in line] == []
