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
from bodycam.custody.verify import verify_paths
from bodycam.errors import DeviceError
from bodycam.formats.boxes import children
from bodycam.formats.records import SIGNATURE_UUID
from bodycam.provision.identity import Identity, make_identity
from bodycam.recording import CloseReason
from bodycam.recovery import examine
from bodycam.signing import FileKey, load_file_key, load_root
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


class TiredKey(FileKey):
    """Signs a few times, and then no more: what follows is on the card without a signature."""

    def __init__(self, key: FileKey, left: int) -> None:
        super().__init__(key._key, [])
        self._certificates = key.certificates
        self._left = left

    def sign(self, message: bytes) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise DeviceError("tired")
        return super().sign(message)


def test_f32_a_fragment_whose_signature_is_still_to_come_is_not_torn_by_what_follows(
    tmp_path: Path,
) -> None:
    identity = make_identity(tmp_path, DEVICE, UTC_NS)
    signer = TiredKey(load_file_key(identity.identity), 12)
    camera = Camera(tmp_path, signer=signer, fragment_ns=250 * MS)
    camera.record(footage(3), reason=None, segment_s=2)
    camera.stop(orderly=False)
    path = max((camera.store.evidence / RECORDING).iterdir())
    whole = len(ends(path.read_bytes())) - 1
    with path.open("ab") as file:
        file.write(random.Random(1).randbytes(1000))
    (facts,) = verify_paths([path], load_root(identity.root)).segments
    assert facts.fragments == examine(path).fragments == whole
    assert facts.torn_bytes == 1000
