"""Replay, webcam and picamera2: each in this process, into a real ring."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bodycam.buffer import PreRecordBuffer, RingLimits
from bodycam.camera.headers import ParameterSets
from bodycam.camera.picam import PicamSource
from bodycam.camera.replay import ReplaySource
from bodycam.camera.sink import UnitSink
from bodycam.camera.source import Source
from bodycam.camera.v4l2 import WebcamSource
from bodycam.clock import NS, Clock, SystemClock
from bodycam.config import Config
from bodycam.configfile import parse
from bodycam.errors import BodycamError, ConfigError, DeviceError
from bodycam.media import AccessUnit, Track, nal_type, split_annexb
from bodycam.ringwriter import RingWriter
from bodycam.sharedring import DESCRIPTOR_BYTES, Descriptor
from tests.evidence import SteppedClock
from tests.scene_reader import read_frames

DEADLINE_S = 20
_PIPE_BYTES = 1 << 16


class Patience(threading.Event):
    """What a source waits on: it moves the source's clock on, while the recorder keeps up with it.

    No machine is too slow for such a clock.
    """

    def __init__(self, clock: SteppedClock, pipe_fd: int) -> None:
        super().__init__()
        self._clock, self._pipe_fd = clock, pipe_fd

    def wait(self, timeout: float | None = None) -> bool:
        while self._unread() > _PIPE_BYTES // 2 and not self.is_set():
            super().wait(0.0005)
        self._clock.now_ns += round((timeout or 0) * NS)
        return self.is_set()

    def _unread(self) -> int:
        said = fcntl.ioctl(self._pipe_fd, termios.FIONREAD, bytes(4))
        return int.from_bytes(said, sys.byteorder)


class Filming:
    """A source running in a thread of its own, and the recorder's end of its ring."""

    def __init__(self, source: Source, clock: Clock) -> None:
        self._ring = PreRecordBuffer(RingLimits(32 << 20, 3600 * NS, 60_000, 1 << 20))
        self._read_end, write_end = os.pipe()
        self.stop = threading.Event()
        if isinstance(clock, SteppedClock):
            self.stop = Patience(clock, self._read_end)
        self.fault: BodycamError | None = None
        self.facts = source.open()
        writer = RingWriter(self._ring.fd, write_end, head=0, epoch=1)
        self._sink = UnitSink(writer, clock, self.stop)
        self.units: list[AccessUnit] = []
        self._thread = threading.Thread(target=self._film, args=(source, write_end))
        self._thread.start()

    def _film(self, source: Source, write_end: int) -> None:
        try:
            source.run(self._sink)
        except BodycamError as fault:
            self.fault = fault
        finally:
            source.close()
            os.close(write_end)

    def until(self, enough: Callable[[], bool]) -> list[AccessUnit]:
        """The video units, as soon as there are enough or the source has ended."""
        cursor, deadline = None, time.monotonic() + DEADLINE_S
        while not enough():
            left = deadline - time.monotonic()
            assert left > 0, f"not within {DEADLINE_S} s"
            if not select.select([self._read_end], [], [], left)[0]:
                continue
            raw = os.read(self._read_end, DESCRIPTOR_BYTES)
            if not raw:
                break
            self._ring.accept(Descriptor.unpack(raw))
            cursor = cursor or self._ring.open_cursor(0)
            while cursor and (unit := cursor.read(0)):
                self.units.append(replace(unit, data=bytes(unit.data)))
                cursor.release(cursor.position)
        return self.video

    @property
    def video(self) -> list[AccessUnit]:
        return [unit for unit in self.units if unit.track is Track.VIDEO]

    @property
    def sound(self) -> list[AccessUnit]:
        return [unit for unit in self.units if unit.track is Track.AUDIO]

    def close(self) -> None:
        self.stop.set()
        self._thread.join(DEADLINE_S)
        os.close(self._read_end)
        self._ring.close()


Film = Callable[..., Filming]


@pytest.fixture
def film() -> Iterator[Film]:
    running: list[Filming] = []

    def begin(source: Source, clock: Clock | None = None) -> Filming:
        running.append(Filming(source, clock or SystemClock()))
        return running[-1]

    yield begin
    for filming in running:
        filming.close()


def config(audio: str = "none", **camera: Any) -> Config:
    return parse({"camera": camera, "audio": {"source": audio}}, "test")


def ffmpeg(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments], check=True)


PATTERN = ("-f", "lavfi", "-i", "testsrc=s=320x180:r=30:d=2")
TONE = ("-f", "lavfi", "-i", "sine=r=48000:d=2.1")


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files as cameras leave them: with sound, raw, with B-frames, and not H.264."""
    folder = tmp_path_factory.mktemp("films")
    h264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "30")
    ffmpeg(*PATTERN, *TONE, *h264, "-bf", "0", "-c:a", "aac", str(folder / "good.mp4"))
    ffmpeg("-i", str(folder / "good.mp4"), "-c:v", "copy", str(folder / "headers.h264"))
    nals = [bytes(nal) for nal in split_annexb((folder / "headers.h264").read_bytes())]
    sets = [next(nal for nal in nals if nal_type(nal) == kind) for kind in (7, 8)]
    rest = [nal for nal in nals if nal_type(nal) in (1, 5)]
    (folder / "raw.h264").write_bytes(annexb(*sets, *rest))
    ffmpeg(*PATTERN, "-c:v", "libx264", "-bf", "2", str(folder / "bframes.mp4"))
    ffmpeg("-i", str(folder / "bframes.mp4"), "-c", "copy", str(folder / "bframes.h264"))
    ffmpeg(*PATTERN, "-c:v", "mpeg4", str(folder / "other.mp4"))
    return folder


def nals_of(path: Path, *, folder: Path) -> list[bytes]:
    """Every NAL unit of a file, by ffmpeg's own reading of it."""
    out = folder / f"{path.name}.annexb"
    ffmpeg("-i", str(path), "-c:v", "copy", "-bsf:v", "h264_mp4toannexb", "-f", "h264", str(out))
    return [bytes(nal) for nal in split_annexb(out.read_bytes())]


def replay(path: Path, clock: Clock | None = None, audio: str = "none", **more: Any) -> Source:
    settings = config(audio, source="replay", file=str(path), **more)
    return ReplaySource(settings, clock or SystemClock())


# -- replay --------------------------------------------------------------------------------------


def test_an_mp4_is_played_bit_for_bit(film: Film, films: Path, tmp_path: Path) -> None:
    clock = SteppedClock()
    filming = film(replay(films / "good.mp4", clock, loop=False), clock)
    units = filming.until(lambda: False)
    played = [bytes(nal) for unit in units for nal in split_annexb(unit.data)]
    assert played == nals_of(films / "good.mp4", folder=tmp_path)
    assert {round((b.at_ns - a.at_ns) * 30 / NS) for a, b in pairwise(units)} == {1}
    assert "played to its end" in str(filming.fault)


def test_a_raw_stream_gets_its_parameter_sets_at_every_keyframe(
    film: Film, films: Path, tmp_path: Path
) -> None:
    units = film(replay(films / "raw.h264", loop=False)).until(lambda: False)
    source = nals_of(films / "raw.h264", folder=tmp_path)
    assert len([nal for nal in source if nal_type(nal) == 7]) == 1
    played = [bytes(nal) for unit in units for nal in split_annexb(unit.data)]
    pictures = [nal for nal in played if nal_type(nal) in (1, 5)]
    assert pictures == [nal for nal in source if nal_type(nal) in (1, 5)]
    keyframes = [unit for unit in units if unit.keyframe]
    assert len(keyframes) == 2
    for unit in keyframes:
        assert {7, 8, 5} <= {nal_type(nal) for nal in split_annexb(unit.data)}


def test_sound_comes_along_in_time(film: Film, films: Path) -> None:
    clock = SteppedClock()
    filming = film(replay(films / "good.mp4", clock, audio="replay"), clock)
    filming.until(lambda: len(filming.video) >= 60)
    first = filming.video[0].at_ns
    assert 0 <= filming.sound[0].at_ns - first < 25_000_000
    assert {round((b.at_ns - a.at_ns) * 48_000 / NS) for a, b in pairwise(filming.sound)} == {1024}


def test_a_loop_has_no_seam(film: Film, films: Path) -> None:
    clock = SteppedClock()
    filming = film(replay(films / "good.mp4", clock, audio="replay"), clock)
    units = filming.until(lambda: len(filming.video) >= 600)
    assert {round((b.at_ns - a.at_ns) * 30 / NS) for a, b in pairwise(units)} == {1}
    assert all(a.at_ns < b.at_ns for a, b in pairwise(filming.sound))


@pytest.mark.parametrize(
    ("name", "audio", "says"),
    [
        ("bframes.mp4", "none", "B-frames"),
        ("bframes.h264", "none", "B-frames"),
        ("other.mp4", "none", "mpeg4"),
        ("raw.h264", "replay", "no AAC sound"),
    ],
)
def test_an_unfit_file_is_refused_by_name(films: Path, name: str, audio: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        replay(films / name, audio=audio).open()
    assert str(films / name) in str(refused.value)


def test_a_missing_file_is_a_missing_camera(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"no\.mp4: cannot be opened: No such file"):
        replay(tmp_path / "no.mp4").open()


# -- parameter sets ------------------------------------------------------------------------------

SPS, PPS, IDR, SLICE = b"\x67\x42", b"\x68\xce", b"\x65\x88\x84", b"\x41\xe0\x20"


def annexb(*nals: bytes) -> bytes:
    return b"".join(b"\0\0\0\1" + nal for nal in nals)


def test_a_buffer_of_parameter_sets_alone_waits_for_its_keyframe() -> None:
    sets = ParameterSets()
    assert sets.complete(annexb(SPS, PPS)) is None
    assert sets.complete(annexb(IDR)) == (True, annexb(SPS, PPS, IDR))
    assert sets.complete(annexb(SLICE)) == (False, annexb(SLICE))


def test_the_delimiter_stays_first() -> None:
    sets = ParameterSets()
    sets.complete(annexb(SPS, PPS))
    assert sets.complete(annexb(b"\x09\x10", IDR)) == (True, annexb(b"\x09\x10", SPS, PPS, IDR))


def test_a_keyframe_that_nobody_could_decode_is_refused() -> None:
    with pytest.raises(ConfigError, match="before any SPS and PPS"):
        ParameterSets().complete(annexb(IDR))


# -- webcam --------------------------------------------------------------------------------------


def test_a_webcam_is_encoded_as_it_comes(film: Film, films: Path, tmp_path: Path) -> None:
    settings = config(source="v4l2", device=str(films / "good.mp4"), width=640, height=360)
    filming = film(WebcamSource(settings, SystemClock()))
    units = filming.until(lambda: False)
    assert (filming.facts.width, filming.facts.height) == (320, 180), "what the camera gives"
    assert units[0].keyframe
    assert all(a.at_ns < b.at_ns for a, b in pairwise(units))
    clip = tmp_path / "clip.h264"
    clip.write_bytes(b"".join(unit.data for unit in units))
    assert len(read_frames(clip)) == len(units)
    assert "ended" in str(filming.fault)


def test_a_missing_webcam_is_named() -> None:
    with pytest.raises(DeviceError, match=r"camera\.device 97: cannot be opened"):
        WebcamSource(config(source="v4l2", device="97"), SystemClock()).open()


# -- picamera2: everything else of it runs against the real one, tests/picam -----------------------


def test_a_missing_library_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBCAMERA_LOG_LEVELS", "*:WARN")
    with pytest.raises(DeviceError, match="Install python3-picamera2"):
        PicamSource(config(source="picamera2"), SystemClock()).open()
