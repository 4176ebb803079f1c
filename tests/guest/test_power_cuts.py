"""The power is cut while it records, six times, in `make soak` twenty; each time the card is read, and it goes on.

What is cut is the guest and, with it, its card's cache (disk.py): at one of the next hundred writes the
card answers no more, and what was not flushed by then is gone, there, or torn. What the recorder's syncs
had promised until then was told to the host (promise.c).
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bodycam.clock import NS
from bodycam.custody.verify import verify_paths
from bodycam.errors import ExitCode
from bodycam.formats.checkpoint import MAX_CHECKPOINT_BYTES
from bodycam.provision.identity import Identity
from bodycam.recovery import examine
from bodycam.signing import load_root
from tests.faults.results import Measure

from .conftest import make_card
from .disk import Disk
from .medium import Promise, broken, mount_and_copy
from .recorder import Recorder
from .vm import Guest, Parts

CARDS = 2
WRITES = 100  # those of a second or two
# The switch is ON; the service is started as a camera's boot starts it.
_WORDS = "guest.switch=on systemd.wants=bodycam.service"


@dataclass(slots=True)
class Cuts:
    """One card through many cuts: what was promised so far, and how its last life ended."""

    parts: Parts
    disk: Disk
    identity: Identity
    folder: Path
    dice: random.Random
    promises: list[Promise] = field(default_factory=list)
    last: dict[str, Any] | None = None
    resumed_s: list[float] = field(default_factory=list)
    unflushed: int = 0

    def live(self) -> None:
        """Boot, record, and die at some write after the first sync of the recording."""
        with Guest(self.parts, self.disk, _WORDS) as guest:
            self._until_recording(guest)
            self._check_resumed(Recorder(guest))
            self.disk.fail_after(self.dice.randrange(WRITES))
            guest.until("the card's last write", self.disk.dead.is_set)
            lost = guest.cut_power(self.dice)
            made = [Promise.parse(line) for line in guest.promises]
        self.promises += made
        self.unflushed += lost.unflushed
        print(f"booted in {guest.booted_s:.0f} s; cut after {len(made)} promises; {lost}")

    def _until_recording(self, guest: Guest) -> None:
        guest.until(
            "a recording's first sync",
            lambda: any(".mp4" in line for line in guest.promises), 300,
        )  # fmt: skip

    def _check_resumed(self, recorder: Recorder) -> None:
        start = recorder.until_logged("rec.start", -1 if self.last is None else self.last["seq"])
        self.resumed_s.append((start["logged_ns"] - recorder.started_ns) / NS)
        if self.last is None:
            return
        unclean = recorder.events("boot.unclean", self.last["seq"])
        assert [line["data"] for line in unclean] == [
            {"last_boot": self.last["boot"], "last_ns": self.last["boot_ns"]}
        ]
        assert start["boot"] != self.last["boot"]

    def read(self) -> None:
        """Look at the medium as the cut left it, before anybody repairs anything."""
        store = mount_and_copy(self.disk.image, self.folder / "medium")
        assert broken(self.promises, store) == []
        ends: dict[str, int] = {}
        for promise in self.promises:
            ends[promise.path] = promise.end
        for path, end in ends.items():
            if path.endswith(".mp4"):
                # Each sync was made behind a whole fragment: its boxes are whole, too.
                assert examine(store / path).intact_bytes >= end
        for name in ("checkpoint", "resume"):
            assert 0 < (store / "log" / name).stat().st_size <= MAX_CHECKPOINT_BYTES
        report = verify_paths([store], load_root(self.identity.root))
        found = "\n".join(finding.text for finding in report.findings)
        assert report.exit_code in (ExitCode.OK, ExitCode.INCOMPLETE), found
        lines = (store / "log" / "events.jsonl").read_bytes().split(b"\n")[:-1]
        self.last = json.loads(lines[-1])


def _cards(cuts: int, *marks: pytest.MarkDecorator) -> list[Any]:
    """So many cuts, shared out over the cards."""
    return [
        pytest.param(card, cuts // CARDS, marks=[pytest.mark.xdist_group(f"card-{card}"), *marks])
        for card in range(CARDS)
    ]


@pytest.mark.parametrize(("card", "cuts"), [*_cards(6), *_cards(20, pytest.mark.soak)])
@pytest.mark.timeout(3600)
def test_f32_a_power_cut_while_recording_costs_nothing_that_was_synced(
    parts: Parts, identity: Identity, tmp_path: Path, card: int, cuts: int, measured: Measure
) -> None:
    make_card(tmp_path / "card.img", identity)
    with Disk(tmp_path / "card.img", tmp_path / "card.sock") as disk:
        lives = Cuts(parts, disk, identity, tmp_path, random.Random(card))
        for _ in range(cuts):
            lives.live()
            lives.read()
    assert lives.unflushed > 0
    measured("recording again after the service's start", max(lives.resumed_s), "s", 5)
