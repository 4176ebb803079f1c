"""The encoder that the board has, and what it is asked for while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import av
import pytest

from bodycam.clock import NS
from bodycam.media import is_vcl, nal_type, split_annexb
from bodycam.sharedring import Load
from tests.capturing import Worker
from tests.picam.sensor import Sensor
from tests.picam.virtualcam import Fault

CAMERA = """
[camera]
source = "picamera2"
width = {width}
height = {height}
bitrate_kbps = {kbps}
gop_ms = {gop_ms}
[audio]
source = "none"
"""
ENCODERS = ["libx264", "V4L2"]
BT709, SMPTE170M = 1, 6  # ITU-T H.264, table E-5
Start = Callable[..., Worker]


@pytest.fixture
def start(sensor: Sensor, tmp_path: Path) -> Iterator[Start]:
    running: list[Worker] = []

    def begin(
        encoder: str, gop_ms: int = 1000, size: tuple[int, int] = (640, 480), kbps: int = 1500
    ) -> Worker:
        if encoder == "V4L2":
            sensor.with_hardware_encoder()
        toml = CAMERA.format(width=size[0], height=size[1], gop_ms=gop_ms, kbps=kbps)
        running.append(Worker(tmp_path, toml))
        return running[-1]

    yield begin
    for worker in running:
        worker.close()


@pytest.mark.parametrize("encoder", ENCODERS)
def test_the_board_s_encoder_gives_every_picture_at_its_time(
    start: Start, sensor: Sensor, encoder: str
) -> None:
    worker = start(encoder)
    worker.read_until(lambda: len(worker.video) >= 75)
    assert worker.said("capture.ready")["encoder"] == encoder
    times = [unit.at_ns for unit in worker.video]
    assert [t // 1000 for t in times] == sensor.took()[: len(times)]
    assert [i for i, unit in enumerate(worker.video) if unit.keyframe] == [0, 30, 60]
    for unit in worker.video:
        kinds = [nal_type(nal) for nal in split_annexb(unit.data)]
        assert unit.keyframe == ({7, 8, 5} <= set(kinds))
        assert sum(is_vcl(nal) for nal in split_annexb(unit.data)) == 1


@pytest.mark.parametrize(("size", "matrix"), [((1280, 720), BT709), ((640, 480), SMPTE170M)])
def test_the_stream_says_how_its_colours_were_made(
    start: Start, tmp_path: Path, size: tuple[int, int], matrix: int
) -> None:
    """As the camera's own configuration, which goes by the size."""
    worker = start("libx264", size=size)
    worker.read_until(lambda: len(worker.video) >= 3)
    clip = tmp_path / "clip.h264"
    clip.write_bytes(b"".join(unit.data for unit in worker.video))
    with av.open(str(clip)) as container:
        assert next(container.decode(video=0)).colorspace == matrix


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_keyframe_is_made_when_it_is_asked_for(start: Start, encoder: str) -> None:
    worker = start(encoder, gop_ms=5000)
    worker.read_until(lambda: len(worker.video) >= 10)
    for count in (2, 3):
        worker.ring.request_keyframe()
        worker.read_until(lambda: sum(unit.keyframe for unit in worker.video) >= count)  # noqa: B023
        assert len(worker.video) < 150, "before the next GOP"
        assert {7, 8, 5} <= {nal_type(nal) for nal in split_annexb(worker.video[-1].data)}
    asked = len(worker.video)
    worker.read_until(lambda: len(worker.video) >= asked + 20)
    assert not any(unit.keyframe for unit in worker.video[asked:]), "one, and no more"


@pytest.mark.parametrize("encoder", ENCODERS)
def test_less_is_filmed_where_less_is_asked_for(start: Start, encoder: str) -> None:
    worker = start(encoder, kbps=300)
    worker.read_until(lambda: len(worker.video) >= 60)
    worker.ring.set_load(Load.FEWER_BITS)
    worker.read_until(lambda: worker.every.count(2) >= 65)
    worker.ring.set_load(Load.FULL)
    worker.read_until(lambda: worker.every[-1] == 1 and len(worker.video) >= 160)
    steps = [round((b.at_ns - a.at_ns) * 30 / NS) for a, b in pairwise(worker.video)]
    assert set(steps) == {1, 2}
    assert 55 <= steps.count(2) <= 75
    # A picture says 2 as long as the next may come so late, and 1 when it surely does not.
    assert all(step <= every for step, every in zip(steps, worker.every, strict=False))
    keyframes = [unit.at_ns for unit in worker.video if unit.keyframe]
    assert all(b - a < 1.1 * NS for a, b in pairwise(keyframes)), "a GOP lasts as long as ever"
    slow = worker.every.index(2)
    before = sum(len(unit.data) for unit in worker.video[slow - 30 : slow])
    during = sum(len(unit.data) for unit in worker.video[slow + 20 : slow + 50]) / 2
    print("bytes a second before and with fewer bits:", before, during)
    assert during < 0.7 * before


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_load_that_changes_often_uses_up_no_buffer(start: Start, encoder: str) -> None:
    """The camera has four: a change that kept one would soon end it."""
    worker = start(encoder)
    for load in [Load.FEWER_BITS, Load.FULL] * 6:
        seen = len(worker.video)
        worker.ring.set_load(load)
        worker.read_until(lambda: len(worker.video) >= seen + 8)  # noqa: B023
    times = [unit.at_ns for unit in worker.video]
    assert len(times) >= 96, "the camera has ended"
    assert max(b - a for a, b in pairwise(times)) < 0.1 * NS


@pytest.mark.parametrize("encoder", ENCODERS)
def test_nonsense_from_the_encoder_ends_the_worker_and_never_its_thread(
    start: Start, sensor: Sensor, encoder: str
) -> None:
    worker = start(encoder)
    worker.read_until(lambda: len(worker.video) >= 10)
    with sensor.suffering(Fault.GARBAGE):
        code, errors = worker.read_to_end()
    assert code == 8
    assert "does not begin with a start code" in worker.said("capture.error")["reason"]
    assert not any("Traceback" in line for line in errors)


def test_an_encoder_that_somebody_else_has_is_a_missing_camera(
    start: Start, sensor: Sensor
) -> None:
    with sensor.suffering(Fault.CODEC_BUSY):
        worker = start("V4L2")
        code, errors = worker.read_to_end()
    assert code == 8
    assert "Device or resource busy" in worker.said("capture.error")["reason"]
    assert not any("Traceback" in line for line in errors)


def test_a_dead_thread_of_the_encoder_ends_the_worker(start: Start, sensor: Sensor) -> None:
    worker = start("V4L2")
    worker.read_until(lambda: len(worker.video) >= 10)
    with sensor.suffering(Fault.CODEC_LOST):
        code, _ = worker.read_to_end()
    assert code == 8
    assert worker.said("capture.error")["reason"] == "the camera has given no picture for 5 s"


@pytest.mark.parametrize("size", [(2560, 1920), (640, 480)])
def test_the_lens_check_sees_the_picture_without_the_overlay(
    start: Start, sensor: Sensor, size: tuple[int, int]
) -> None:
    """From the small stream where the camera gives one (here: of 640x480), else from the large."""
    with sensor.suffering(Fault.DARK):
        worker = start("libx264", size=size)
        worker.read_until(lambda: "video.dark" in worker.order)
    worker.read_until(lambda: "video.clear" in worker.order)
    streams = {(1280, 720): 2, (640, 480): 1}
    ready = worker.said("capture.ready")
    assert sensor.streams() == streams[ready["width"], ready["height"]]


def test_the_worker_runs_no_thread_of_picamera2_when_it_ends(start: Start) -> None:
    worker = start("libx264")
    worker.read_until(lambda: len(worker.video) >= 10)
    worker.process.terminate()
    code, errors = worker.read_to_end()
    assert code == 0
    assert [line for line in errors if "IPA" not in line] == []
