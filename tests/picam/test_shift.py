"""The demo's shift, with the real picamera2 as its camera."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bodycam.clock import NS
from bodycam.custody.export import Order, export
from bodycam.custody.verify import verify_paths
from bodycam.errors import ExitCode
from bodycam.signing import load_root
from bodycam.simulate.player import Played, Player
from bodycam.simulate.scenario import load_scenario
from tests.picam.sensor import Sensor, taken_at
from tests.scene_reader import read_frames


@pytest.fixture(scope="module")
def shift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Played, Sensor]]:
    camera = Sensor()
    camera.reset()
    with resources.as_file(resources.files("bodycam.simulate").joinpath("demo.toml")) as path:
        scenario = load_scenario(path)
    config = {**scenario.config, "camera": {**scenario.config["camera"], "source": "picamera2"}}
    scenario = msgspec.structs.replace(scenario, config=config)
    out = tmp_path_factory.mktemp("shift") / "unit"
    yield Player(scenario, out, None, lambda _: None).play(), camera
    camera.reset()


@pytest.fixture(scope="module")
def clips(shift: tuple[Played, Sensor], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    unit = shift[0].unit
    root, key = load_root(unit.root_path), unit.out / "authority" / "custody.key"
    recordings = [start["rec"] for start in log_of(unit.card, "rec.start")]
    out = tmp_path_factory.mktemp("clips")
    made = []
    for i, recording in enumerate(recordings):
        made.append(out / f"{i}.mp4")
        export(Order([unit.card / "evidence" / recording], key, root), made[-1])
    return made


def log_of(card: Path, ev: str) -> list[dict[str, Any]]:
    raw = (card / "log" / "events.jsonl").read_bytes()
    lines = [msgspec.json.decode(line) for line in raw.split(b"\n")[:-1]]
    return [line["data"] for line in lines if line["ev"] == ev]


def test_every_expectation_of_the_demo_holds(shift: tuple[Played, Sensor]) -> None:
    wrong = [f"{o.text}: {o.found}" for o in shift[0].outcomes if not o.passed]
    assert wrong == []


def test_the_shift_verifies_as_complete_and_trusted(shift: tuple[Played, Sensor]) -> None:
    unit = shift[0].unit
    assert verify_paths([unit.card], load_root(unit.root_path)).exit_code == ExitCode.OK


def test_the_camera_was_picamera2(shift: tuple[Played, Sensor]) -> None:
    ready = log_of(shift[0].unit.card, "capture.ready")
    assert [(r["source"], r["encoder"]) for r in ready] == [("picamera2", "libx264")]


def test_every_picture_that_the_camera_took_is_in_the_video(
    shift: tuple[Played, Sensor], clips: list[Path]
) -> None:
    played, camera = shift
    took = camera.took()
    starts = log_of(played.unit.card, "rec.start")
    assert len(clips) == 2
    for clip, start in zip(clips, starts, strict=True):
        shown = taken_at(clip, start["first_ns"] // 1000)
        assert shown == [at for at in took if shown[0] <= at <= shown[-1]]
        assert shown[0] == start["first_ns"] // 1000


def test_a_picture_is_shown_when_it_was_taken(
    shift: tuple[Played, Sensor], clips: list[Path]
) -> None:
    for clip in clips:
        frames = read_frames(clip)
        for before, after in pairwise(frames):
            assert before.number is not None
            assert after.number is not None
            shown_s = after.pts_s - before.pts_s
            assert shown_s * NS == pytest.approx((after.number - before.number) * 1000, abs=50_000)
