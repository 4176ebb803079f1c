"""The pre-record ring: whole GOPs, bounded, and cursors that never lose a unit.

A stream is written as text, as `IPPP IPPP`: one letter a picture, a keyframe begins a GOP.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bodycam.buffer import Cursor, PreRecordBuffer, RingLimits
from bodycam.errors import DeviceError
from bodycam.media import Track
from bodycam.ringwriter import RingWriter
from bodycam.sharedring import DESCRIPTOR_BYTES, Descriptor, Load

FRAME_NS = 1_000
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Rig:
    """A ring with a worker that writes one letter a frame."""

    limits: RingLimits
    size: int = 16
    now: int = 0
    ring: PreRecordBuffer = field(init=False)
    writer: RingWriter = field(init=False)

    def __post_init__(self) -> None:
        self.ring = PreRecordBuffer(self.limits)
        self.read_fd, self.write_fd = os.pipe()
        os.set_blocking(self.read_fd, False)
        self.writer = RingWriter(self.ring.fd, self.write_fd, head=0, epoch=1)

    def picture(self, letter: str, size: int | None = None) -> bool:
        payload = f"{letter}{self.now}".encode().ljust(size or self.size, b".")
        taken = self.writer.write(Track.VIDEO, self.now * FRAME_NS, letter == "I", payload)
        self.now += 1
        return taken

    def deliver(self) -> None:
        while True:
            try:
                raw = os.read(self.read_fd, DESCRIPTOR_BYTES)
            except BlockingIOError:
                return
            self.ring.accept(Descriptor.unpack(raw))

    def play(self, text: str) -> None:
        for letter in text.replace(" ", ""):
            self.picture(letter)
            self.deliver()

    def cursor(self, from_ns: int) -> Cursor:
        found = self.ring.open_cursor(from_ns)
        assert found is not None
        return found

    def follow(self, cursor: Cursor) -> str:
        seen = ""
        while (unit := cursor.read(0)) is not None:
            letter = bytes(unit.data[:1]).decode()
            assert bytes(unit.data).startswith(f"{letter}{unit.at_ns // FRAME_NS}".encode())
            seen += (" " if letter == "I" and seen else "") + letter
        return seen

    def close(self) -> None:
        self.writer.close()
        self.ring.close()
        os.close(self.read_fd)
        os.close(self.write_fd)


def limits(**over: int) -> RingLimits:
    values = {"max_bytes": 64 * PAGE, "max_ns": 10**9, "max_units": 10**6, "headroom_bytes": PAGE}
    values.update(over)
    return RingLimits(**values)


MakeRig = Callable[..., Rig]


@pytest.fixture
def rig() -> Iterator[MakeRig]:
    made: list[Rig] = []

    def make(**over: int) -> Rig:
        made.append(Rig(limits(**over)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_what_is_kept_is_whole_gops_of_at_least_the_time_asked(rig: MakeRig) -> None:
    r = rig(max_ns=5 * FRAME_NS)
    r.play("IPPP IPPP IPPP IPPP")
    assert r.follow(r.cursor(0)) == "IPPP IPPP"


def test_the_window_begins_at_the_first_keyframe_inside_it(rig: MakeRig) -> None:
    r = rig()
    r.play("IPPP IPPP IPPP IP")
    cursor = r.cursor(5 * FRAME_NS)
    assert cursor.start_ns == 8 * FRAME_NS
    assert r.follow(cursor) == "IPPP IP"


def test_a_window_after_the_last_keyframe_begins_at_it_rather_than_late(rig: MakeRig) -> None:
    r = rig()
    r.play("IPPP IPP")
    assert r.cursor(6 * FRAME_NS).start_ns == 4 * FRAME_NS


def test_nothing_is_kept_before_the_first_keyframe(rig: MakeRig) -> None:
    r = rig()
    r.play("PPP IPP")
    assert r.follow(r.cursor(0)) == "IPP"


def test_an_empty_ring_has_no_cursor(rig: MakeRig) -> None:
    assert rig().ring.open_cursor(0) is None


def test_bytes_bound_the_ring_and_say_so(rig: MakeRig) -> None:
    r = rig(max_bytes=8 * PAGE)
    r.size = PAGE // 2
    r.play("IPPP " * 20)
    assert r.ring.depth().payload_bytes <= 7 * PAGE
    assert r.ring.cut_by_capacity_ns is not None
    assert r.follow(r.cursor(0)).startswith("IPPP")


def test_count_bounds_the_ring(rig: MakeRig) -> None:
    r = rig(max_units=10)
    r.play("IPPP " * 20)
    assert r.ring.depth().units <= 10


def test_a_cursor_holds_what_it_has_not_released(rig: MakeRig) -> None:
    r = rig(max_ns=3 * FRAME_NS)
    r.play("IPPP")
    cursor = r.cursor(0)
    r.play("IPPP IPPP IPPP")
    assert r.follow(cursor) == "IPPP IPPP IPPP IPPP"


def test_after_release_the_old_gops_go(rig: MakeRig) -> None:
    r = rig(max_ns=3 * FRAME_NS)
    r.play("IPPP")
    cursor = r.cursor(0)
    r.play("IPPP IPPP IPPP")
    r.follow(cursor)
    cursor.release(cursor.position)
    assert r.follow(r.cursor(0)) == "IPPP"


def test_a_cursor_can_go_back_to_what_it_still_holds(rig: MakeRig) -> None:
    r = rig()
    r.play("IPPP IPPP")
    cursor = r.cursor(0)
    r.follow(cursor)
    cursor.rewind(4)
    assert r.follow(cursor) == "IPPP"
    cursor.release(6)
    with pytest.raises(ValueError, match="held from 6"):
        cursor.rewind(5)


def test_when_a_stalled_card_holds_the_ring_the_worker_drops_to_the_next_keyframe(
    rig: MakeRig,
) -> None:
    r = rig(max_bytes=4 * PAGE)
    r.size = PAGE
    r.play("IPP")
    cursor = r.cursor(0)
    taken = [r.picture(letter) for letter in "PPP IPP".replace(" ", "")]
    assert taken == [True, False, False, False, False, False]
    r.deliver()
    assert r.follow(cursor) == "IPPP"
    cursor.release(cursor.position)
    cursor.close()
    r.play("PP I")
    unit = r.cursor(0).read(0)
    assert unit is not None
    assert unit.keyframe
    assert unit.dropped == 7


def test_pictures_that_find_no_room_shorten_the_ring_by_whole_gops(rig: MakeRig) -> None:
    """Larger than what is kept free: without a word to the recorder nothing would ever be evicted."""
    r = rig(max_bytes=16 * PAGE)
    r.size = PAGE
    r.play("IPPP IPPP IPPP IPP")
    r.size = 4 * PAGE
    r.play("I")
    assert not r.picture("P")
    assert r.ring.make_room(), "the worker lives: it had a picture"
    assert not r.ring.make_room(), "and has had none since"
    r.play("IPIP")
    seen = r.follow(r.cursor(0))
    assert seen == "IP", "half of it stays free for the next one"
    assert r.ring.cut_by_capacity_ns is not None


def test_what_a_cursor_holds_gives_way_to_no_picture(rig: MakeRig) -> None:
    r = rig(max_bytes=8 * PAGE)
    r.size = PAGE
    r.play("IPPP IPP")
    cursor = r.cursor(0)
    r.size = 3 * PAGE
    assert not r.picture("I")
    assert r.ring.make_room(), "it is no stall, though nothing is announced"
    assert not r.picture("I")
    assert r.follow(cursor) == "IPPP IPP"


def test_once_time_bounds_it_again_the_ring_is_as_long_as_before(rig: MakeRig) -> None:
    r = rig(max_bytes=64 * PAGE, max_ns=12 * FRAME_NS)
    r.size = PAGE
    r.play("IPPP " * 10)
    r.size = 30 * PAGE
    taken = []
    for _ in range(6):
        taken.append(r.picture("I"))
        r.deliver()
        r.ring.make_room()
    assert taken.count(True) >= 3, "wherever in the ring its end falls"
    assert r.ring.depth().units < 12
    r.size = PAGE
    r.play("IPPP " * 20)
    assert r.ring.depth().units >= 12


def test_a_unit_that_is_skipped_leaves_its_place_to_others(rig: MakeRig) -> None:
    r = rig(max_bytes=4 * PAGE)
    r.size = PAGE
    for _ in range(50):
        r.picture("I")
        r.ring.skip(Descriptor.unpack(os.read(r.read_fd, DESCRIPTOR_BYTES)))
    r.play("IPP")
    assert r.follow(r.cursor(0)) == "IPP"


def test_a_keyframe_drought_that_outgrows_the_ring_ends_at_the_next_keyframe(rig: MakeRig) -> None:
    r = rig(max_bytes=8 * PAGE)
    r.size = PAGE
    r.play("I" + "P" * 20)
    r.play("IPP")
    assert r.follow(r.cursor(0)) == "IPP"


def test_a_new_worker_goes_on_behind_what_was_announced(rig: MakeRig) -> None:
    r = rig()
    r.play("IPPP")
    r.writer.close()
    r.writer = RingWriter(r.ring.fd, r.write_fd, head=r.ring.head, epoch=2)
    r.play("IPP")
    cursor = r.cursor(0)
    assert r.follow(cursor) == "IPPP IPP"


def test_a_unit_that_was_written_but_not_announced_does_not_exist(rig: MakeRig) -> None:
    r = rig()
    r.play("IPPP")
    r.picture("P")  # its descriptor stays in the pipe: the worker died here
    assert r.follow(r.cursor(0)) == "IPPP"


def test_a_recorder_that_does_not_read_the_pipe_costs_drops_and_never_holds_the_camera_up(
    rig: MakeRig,
) -> None:
    r = rig(max_bytes=4096 * PAGE)
    assert r.picture("I")
    while r.picture("P"):
        pass
    r.deliver()
    assert not r.picture("P")
    r.play("I")
    assert r.ring.depth().newest_ns == (r.now - 1) * FRAME_NS


@pytest.mark.parametrize(
    ("pos", "size"), [(0, 10**9), (64 * PAGE - 8, 16), (-1, 16)], ids=["huge", "wraps", "back"]
)
def test_a_descriptor_that_points_outside_the_ring_is_refused(
    rig: MakeRig, pos: int, size: int
) -> None:
    r = rig()
    r.play("I")
    at = max(pos, 0)
    with pytest.raises(DeviceError, match="outside the ring"):
        r.ring.accept(Descriptor(Track.VIDEO, True, size, 9, 9, at, 0, 1))


def test_the_ring_is_locked_in_memory_and_left_out_of_core_dumps(rig: MakeRig) -> None:
    r = rig()
    assert r.ring.locked
    smaps = Path("/proc/self/smaps").read_text(encoding="utf-8")
    # The recorder's own mapping and the writer's: locked once, in no core dump of either.
    flags = [part.split("VmFlags:")[1].splitlines()[0] for part in smaps.split("bodycam-ring")[1:]]
    assert any(" lo" in line for line in flags)
    assert all(" dd" in line for line in flags)


@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(1, 3 * PAGE)), min_size=1, max_size=40),
    st.integers(0, 60),
)
def test_what_is_kept_is_a_suffix_that_starts_with_a_keyframe(
    gops: list[tuple[int, int]], keep: int
) -> None:
    r = Rig(limits(max_bytes=48 * PAGE, max_ns=keep * FRAME_NS))
    try:
        written: list[int] = []
        for length, size in gops:
            for i in range(length):
                if r.picture("I" if i == 0 else "P", size):
                    written.append(r.now - 1)
                r.deliver()
        cursor = r.cursor(0)
        kept = []
        while (unit := cursor.read(0)) is not None:
            assert bytes(unit.data).lstrip(b"IP").startswith(str(unit.at_ns // FRAME_NS).encode())
            kept.append((unit.at_ns // FRAME_NS, unit.keyframe))
        frames = [frame for frame, _ in kept]
        assert frames == written[-len(frames) :]
        assert kept[0][1]
        if r.ring.cut_by_capacity_ns is None and frames[0] > written[0]:
            assert frames[-1] - frames[0] >= keep
    finally:
        r.close()


def test_what_the_recorder_asks_for_reaches_the_worker_through_the_header(rig: MakeRig) -> None:
    made = rig()
    ring, writer = made.ring, made.writer

    def heard() -> tuple[int, Load, int]:
        return writer.keyframes_wanted(), writer.load(), writer.microphones_seen()

    assert heard() == (0, Load.FULL, 0)
    ring.request_keyframe()
    ring.set_load(Load.FEWER_BITS)
    ring.microphone_seen()
    assert heard() == (1, Load.FEWER_BITS, 1)
