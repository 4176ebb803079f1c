"""Random presses on a stepped clock: no picture is lost at any joint, no press without its line."""

from __future__ import annotations

import json
import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bodycam.clock import MS, NS
from bodycam.custody.verify import verify_paths
from bodycam.debounce import Edge
from bodycam.errors import ExitCode
from bodycam.signing import load_root
from tests.evidence import START_NS
from tests.pressrig import FRAME_NS, KEEP_S, PressRig, stepped
from tests.rig import first_nal_types

IDR, SPS, PPS = 5, 7, 8
KNOCK_SHARE = 0.15


@dataclass
class Hand:
    """Throws a bouncing switch at random; knows itself which throws count, and when they began."""

    dice: random.Random
    at_ns: int = START_NS + NS
    edges: list[Edge] = field(default_factory=list)
    meant: list[tuple[bool, int]] = field(default_factory=list)
    cancelled: int = 0
    glitches: int = 0

    def _edge(self, active: bool, at_ns: int) -> None:
        self.edges.append(Edge("record", active, at_ns, len(self.edges) + 1))

    def _throw(self, active: bool) -> None:
        """With a bounce; it counts from its last edge on."""
        offsets = sorted(self.dice.sample(range(50, 8000), self.dice.choice((0, 2, 4, 6, 8))))
        for number, offset_us in enumerate([0, *offsets]):
            self._edge(active == (number % 2 == 0), self.at_ns + offset_us * 1000)
        self.meant.append((active, self.edges[-1].at_ns))

    def _pulse(self, active: bool, most_ms: int) -> None:
        """Too short to count."""
        self._edge(active, self.at_ns)
        self._edge(not active, self.at_ns + self.dice.randint(1, most_ms) * MS)

    def _pass(self, least_ms: int, most_ms: int) -> None:
        self.at_ns += self.dice.randint(least_ms * 1000, most_ms * 1000) * 1000

    def press(self) -> None:
        """On for a while, maybe knocked meanwhile; then off, maybe with a spike."""
        self._throw(True)
        self._pass(150, 1500)
        if self.dice.random() < KNOCK_SHARE:
            self._pulse(False, 40)
            self.cancelled += 1
            self._pass(150, 400)
        self._throw(False)
        self._pass(200, 1800)
        if self.dice.random() < KNOCK_SHARE:
            self._pulse(True, 20)
            self.glitches += 1
            self._pass(150, 400)


def play(rig: PressRig, hand: Hand, presses: int) -> None:
    for _ in range(presses):
        hand.press()
    waiting = iter(hand.edges)
    edge = next(waiting, None)
    while edge is not None or rig.clock.now_ns < hand.at_ns + NS:
        due = []
        while edge is not None and edge.at_ns <= rig.clock.now_ns + FRAME_NS:
            due.append(edge)
            edge = next(waiting, None)
        rig.step(due)
    rig.until_written()


def read_log(rig: PressRig) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    with (rig.store.log / "events.jsonl").open("rb") as lines:
        for line in map(json.loads, lines):
            found.setdefault(line["ev"], []).append(line)
    return found


def check_toggles(log: dict[str, list[dict[str, Any]]], hand: Hand) -> None:
    toggles = sorted(log["switch.on"] + log["switch.off"], key=lambda line: int(line["seq"]))
    assert [(line["ev"] == "switch.on", line["boot_ns"]) for line in toggles] == hand.meant
    assert len(log["switch.edge"]) + sum(
        line["data"]["edges"] for line in log.get("switch.edges_suppressed", [])
    ) == len(hand.edges)
    assert len(log.get("stop.cancelled", [])) == hand.cancelled
    assert sum(line["data"]["count"] for line in log.get("switch.glitch", [])) <= hand.glitches
    assert "switch.reconciled" not in log
    assert "switch.lost_pulse" not in log


def recordings(log: dict[str, list[dict[str, Any]]]) -> Iterator[tuple[int, int, int, int]]:
    """Of each recording: its press, its first and its last picture, and when it was to stop."""
    on = {line["seq"]: line["boot_ns"] for line in log["switch.on"]}
    first = {line["data"]["rec"]: line["data"]["first_ns"] for line in log["rec.start"]}
    last = {line["data"]["rec"]: line["boot_ns"] for line in log["rec.stop"]}
    stop = {line["data"]["rec"]: line["boot_ns"] for line in log["activation.stop"]}
    for line in log["activation.start"]:
        recording, pressed_ns = line["data"]["rec"], line["boot_ns"]
        assert on[line["data"]["trigger_seq"]] == pressed_ns
        yield pressed_ns, first[recording], last[recording], stop[recording]


def check_recordings(log: dict[str, list[dict[str, Any]]], rig: PressRig, presses: int) -> None:
    found = list(recordings(log))
    assert len(found) == presses == len(log["rec.start"]) == len(log["rec.stop"])
    keyframes = rig.keyframes_ns
    before_ns = 0
    for pressed_ns, first_ns, last_ns, stop_ns in found:
        window_ns = pressed_ns - KEEP_S * NS
        at = bisect_left(keyframes, first_ns)
        assert keyframes[at] == first_ns, "it begins with a keyframe"
        # From a GOP before the window on, while the recording before is still being written.
        assert first_ns >= keyframes[max(0, bisect_right(keyframes, window_ns) - 1)]
        oldest_ns = keyframes[bisect_left(keyframes, window_ns)]
        if first_ns > oldest_ns:
            assert first_ns <= before_ns + FRAME_NS, "what is not its own, the one before has"
        assert last_ns > stop_ns - FRAME_NS
        before_ns = last_ns
    for (_, _, last_ns, _), (pressed_ns, first_ns, _, _) in pairwise(found):
        if last_ns > pressed_ns - KEEP_S * NS:
            assert first_ns <= last_ns + FRAME_NS, "no gap at the joint of two recordings"


def check_evidence(log: dict[str, list[dict[str, Any]]], rig: PressRig) -> None:
    assert "gap" not in log
    for path in (rig.store.root / "evidence").glob("*/*.mp4"):
        assert {IDR, SPS, PPS} <= set(first_nal_types(path))
    report = verify_paths([rig.store.root], load_root(rig.root_path))
    assert report.exit_code is ExitCode.OK, [finding.text for finding in report.findings][:5]


def press_at_random(folder: Path, seed: int, presses: int) -> None:
    hand = Hand(random.Random(seed))
    with stepped(folder) as rig:
        play(rig, hand, presses)
    log = read_log(rig)
    check_toggles(log, hand)
    check_recordings(log, rig, presses)
    check_evidence(log, rig)


@pytest.mark.parametrize("seed", range(5))
def test_a_hundred_random_presses_leave_no_gap_at_any_joint(tmp_path: Path, seed: int) -> None:
    press_at_random(tmp_path, seed, 100)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 110))
def test_a_thousand_random_presses_leave_no_gap_at_any_joint(tmp_path: Path, seed: int) -> None:
    """Ten thousand in all."""
    press_at_random(tmp_path, seed, 1000)
