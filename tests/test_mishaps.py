"""The simulated camera does wrong what it is asked to, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from bodycam.camera.mishaps import Mishap, MishapKind, Mishaps, write_mishaps
from bodycam.clock import NS, SystemClock
from bodycam.errors import EvidenceError, ExitCode
from bodycam.media import NAL_SPS, AccessUnit, Track, nal_type, split_annexb
from bodycam.recording import parse_picture
from tests.capturing import SMALL, Worker

SOUND = '[audio]\nsource = "synthetic"\n'
Film = Callable[..., Worker]


@pytest.fixture
def film(tmp_path: Path) -> Iterator[Film]:
    """A camera with such mishaps, from its start on."""
    running: list[Worker] = []

    def begin(*kinds: MishapKind, seconds: float = 600, by_ns: int = 0, size: int = 0) -> Worker:
        now_ns = SystemClock().boot_ns()
        until_ns = now_ns + int(seconds * NS)
        mishaps = [
            Mishap(kind=kind, from_ns=now_ns, until_ns=until_ns, by_ns=by_ns, size=size)
            for kind in kinds
        ]
        path = tmp_path / "mishaps.json"
        if mishaps:
            write_mishaps(path, mishaps)
        toml = f'{SMALL}{SOUND}[simulate]\nboot_id = "sim"\nmishaps = "{path}"\n'
        running.append(Worker(tmp_path, toml))
        return running[-1]

    yield begin
    for worker in running:
        worker.close()


def shot(worker: Worker, count: int = 20) -> list[AccessUnit]:
    """So many pictures, each whole, in order and marked, of a camera that does nothing wrong."""
    worker.read_until(lambda: len(worker.video) >= count)
    return worker.video


def test_the_file_may_be_missing_and_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "mishaps.json"
    mishaps = Mishaps(path)
    assert mishaps.now(MishapKind.STALL, 5) is None
    stall = Mishap(kind=MishapKind.STALL, from_ns=5, until_ns=7)
    write_mishaps(path, [stall])
    found = [mishaps.now(MishapKind.STALL, at) for at in (4, 5, 6, 7)]
    assert found == [None, stall, stall, None]
    assert mishaps.now(MishapKind.CRASH, 5) is None
    time.sleep(0.01)
    write_mishaps(path, [])
    assert mishaps.now(MishapKind.STALL, 5) is None


@pytest.mark.system
def test_without_mishaps_it_is_the_camera_that_it_is(film: Film) -> None:
    units = shot(film(), 35)
    assert [i for i, unit in enumerate(units) if unit.keyframe][:2] == [0, 30]
    assert all(parse_picture(unit.data) for unit in units)
    assert [unit.seq for unit in units] == list(range(len(units)))
    assert all(b.at_ns - a.at_ns > 0 for a, b in pairwise(units))


@pytest.mark.system
@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (MishapKind.ABSENT, ExitCode.DEVICE),
        (MishapKind.CRASH, -11),
        (MishapKind.SOUND_CRASH, -11),
    ],
)
def test_it_ends_as_it_is_asked_to(film: Film, kind: MishapKind, code: int) -> None:
    assert film(kind).read_to_end()[0] == code


@pytest.mark.system
def test_a_camera_that_cannot_be_closed_is_ended_by_the_kernel(film: Film) -> None:
    worker = film(MishapKind.STOP_HANGS)
    shot(worker)
    worker.process.terminate()
    code, said = worker.read_to_end()
    assert code == -14, said


@pytest.mark.system
def test_a_stall_gives_nothing_and_ends(film: Film) -> None:
    began_ns = SystemClock().boot_ns()
    units = shot(film(MishapKind.STALL, seconds=1.5), 5)
    assert units[0].at_ns >= began_ns + 1.5 * NS


@pytest.mark.system
@pytest.mark.parametrize("kind", [MishapKind.EMPTY, MishapKind.HEADLESS])
def test_it_gives_what_is_no_picture(film: Film, kind: MishapKind) -> None:
    for unit in shot(film(kind)):
        with pytest.raises(EvidenceError):
            parse_picture(unit.data)


@pytest.mark.system
def test_it_gives_pictures_that_are_spoilt(film: Film) -> None:
    units = shot(
        film(MishapKind.NO_PARAMETER_SETS, MishapKind.GARBLED, MishapKind.GIANT, size=9999)
    )
    for unit in units:
        kinds = [nal_type(nal) for nal in split_annexb(unit.data)]
        assert NAL_SPS not in kinds
        assert parse_picture(unit.data)
        assert len(unit.data) > 9999


@pytest.mark.system
def test_it_does_not_mark_its_keyframes(film: Film) -> None:
    worker = film(MishapKind.NO_KEYFRAMES, seconds=1.5)
    first = shot(worker, 1)[0]
    assert first.keyframe
    assert first.seq > 5, "the ring takes no picture before a keyframe"


@pytest.mark.system
def test_its_times_jump_and_repeat(film: Film) -> None:
    units = shot(film(MishapKind.CLOCK_JUMP, MishapKind.REPEAT, by_ns=3600 * NS))
    assert min(unit.at_ns for unit in units) > SystemClock().boot_ns() + 3500 * NS
    repeats = sum(a.at_ns == b.at_ns for a, b in pairwise(units))
    assert repeats >= len(units) // 2 - 1


@pytest.mark.system
def test_its_sound_is_of_another_time(film: Film) -> None:
    worker = film(MishapKind.SOUND_IN_EPOCH)
    worker.read_until(lambda: len(worker.of(Track.AUDIO)) >= 3 and len(worker.video) >= 3)
    assert all(unit.at_ns < 10**17 for unit in worker.video)
