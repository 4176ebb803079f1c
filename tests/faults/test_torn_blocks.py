"""A power cut keeps blocks of an open segment's end from the card, whichever: never its own fault.

ext4 may know of a file's new size before its blocks have come. What was not synced is made blank here,
block by block, in the block in which the synced part ends sector by sector; the next start reads it, and
the verifier, on the card as it is and after that start.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from bodycam.clock import MS
from bodycam.formats.boxes import children
from bodycam.formats.records import SIGNATURE_UUID
from bodycam.provision.identity import Identity
from bodycam.recording import CloseReason
from tests.evidence import DEVICE, RECORDING, UTC_NS, Camera, footage

from .aftermath import StillClock, contents, judge, next_start
from .results import Measure

_BLOCK, _SECTOR = 4096, 512


@pytest.fixture(scope="module", params=["open", "with its END"])
def left(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose recorder was cut off: nothing of its segment's last fragments was synced."""
    folder = tmp_path_factory.mktemp("left")
    camera = Camera(folder, fragment_ns=250 * MS)
    if request.param == "open":
        camera.record(footage(2), reason=None)
    else:
        writer = camera.record(footage(2), reason=None)
        raw = camera.log.head()
        segment = writer.segment
        assert segment is not None
        segment.seal(None)
        segment.close(CloseReason.STOP.value)
        assert camera.log.head() == raw  # the log does not know of it
    camera.log.checkpoint()
    camera.stop(orderly=False)
    return folder


def ends(raw: bytes) -> list[int]:
    """Where each signature box ends."""
    return [box.end for box in children(raw, 0, len(raw)) if box.extended == SIGNATURE_UUID]


def torn(raw: bytes, synced: int, dice: random.Random) -> bytes:
    """What may be left of it, all that was synced included; the size may be an earlier one."""
    spoilt = bytearray(raw[: dice.choice([len(raw), dice.randrange(synced, len(raw) + 1)])])
    raw = bytes(spoilt)
    chance = dice.random()
    boundary = -(-synced // _BLOCK) * _BLOCK
    at = synced
    while at < len(raw):
        size = _SECTOR if at < boundary else _BLOCK
        end = min((at // size + 1) * size, len(raw))
        if dice.random() < chance:
            spoilt[at:end] = bytes(end - at)
        at = end
    return bytes(spoilt)


@pytest.mark.parametrize("states", [30, pytest.param(1000, marks=pytest.mark.soak)])
@pytest.mark.timeout(900)
def test_f32_blocks_that_never_came_are_missing_and_nothing_is_altered(
    left: Path, memory: Path, measured: Measure, states: int
) -> None:
    identity = Identity(left / "identity", left / "authority")
    start = next_start(identity, StillClock(UTC_NS + 3600 * 10**9), DEVICE)
    dice = random.Random(47)
    for number in range(states):
        store = shutil.copytree(left / "store", memory / str(number))
        path = max((store / "evidence" / RECORDING).iterdir())
        raw = path.read_bytes()
        synced = dice.choice([0, *ends(raw)])
        path.write_bytes(torn(raw, synced, dice))
        start.verify(store)
        start.verify(path)
        judge(start, store, [])
        again = contents(store / "evidence")
        start.start(store)
        assert contents(store / "evidence") == again
        shutil.rmtree(store)
    measured("torn ends of a segment", states, "states")
