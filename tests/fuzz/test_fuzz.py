"""No bytes make a parser crash, hang for 2 s, or take 200 MB: a sample here, 5 minutes in `make soak`."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .targets import TARGETS, pins, run_one, seeds

pytestmark = pytest.mark.system

MAX_S = 2
MAX_RSS_MB = 200
SOAK_S = 300
EXAMPLES = 300
ROOT = Path(__file__).parent.parent.parent

# What parsers trip over: lengths, signs, versions, ends of text.
PIECES = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([
        b"\0\0\0\0", b"\0\0\0\1", b"\0\0\0\x08", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0" * 16,
        b"uuid", b"mdat", b"moof", b"null", b"-1", b"1e9", b"[" * 40, b"{}", b'""', b"\n", b"\xff",
    ]),
)  # fmt: skip
EDITS = st.lists(
    st.tuples(st.sampled_from("xird"), st.floats(0, 1, exclude_max=True), PIECES), max_size=6
)


@pytest.fixture(scope="session", autouse=True)
def _world() -> None:
    """The pins that are spoken to live as long as the process does."""
    pins()


def spoilt(seed: bytes, edits: list[tuple[str, float, bytes]]) -> bytes:
    """The seed with pieces replaced, put in, repeated or dropped."""
    for kind, where, piece in edits:
        at = int(where * (len(seed) + 1))
        match kind:
            case "x":
                seed = seed[:at] + piece + seed[at + len(piece) :]
            case "i":
                seed = seed[:at] + piece + seed[at:]
            case "r":
                seed = seed[:at] + seed[max(0, at - 40) : at] + seed[at:]
            case _:
                seed = seed[:at] + seed[at + 1 + len(piece) * 3 :]
    return seed


def run_in_time(name: str, data: bytes) -> None:
    began = time.monotonic()
    run_one(name, data)
    assert time.monotonic() - began < MAX_S


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_is_no_crash(name: str) -> None:
    for data in seeds(name):
        run_in_time(name, data)


@pytest.mark.parametrize("name", TARGETS)
@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
@given(data=st.data())
def test_spoilt_seeds_are_no_crash(name: str, data: st.DataObject) -> None:
    known = list(seeds(name))
    seed = data.draw(st.sampled_from(range(len(known))))
    run_in_time(name, spoilt(known[seed], data.draw(EDITS)))


@pytest.mark.soak
@pytest.mark.timeout(SOAK_S * 2)
@pytest.mark.parametrize("name", TARGETS)
def test_coverage_guided_fuzzing_finds_nothing(name: str, tmp_path: Path) -> None:
    """All targets together take 5 minutes. Needs `pip install 'bodycam[fuzz]'`, as `make soak` does."""
    seconds = SOAK_S // len(TARGETS)
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.run", name, tmp_path / "found",
         f"-max_total_time={seconds}", f"-timeout={MAX_S}", f"-rss_limit_mb={MAX_RSS_MB}",
         "-max_len=20000", f"-artifact_prefix={tmp_path}/", "-print_final_stats=1"],
        cwd=ROOT, check=False, capture_output=True, text=True, timeout=seconds + 60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
