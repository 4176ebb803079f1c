"""The device watch on this machine's kernel: block devices that come and go."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.devicerig import kill_observer, watched

LOOP_CTL_ADD, LOOP_CTL_REMOVE = 0x4C80, 0x4C81
NUMBER = 10_000


@contextmanager
def disk(number: int) -> Iterator[str]:
    """A block device that comes and goes: the kernel tells it as it tells a card's."""
    with open("/dev/loop-control", "rb") as control:
        fcntl.ioctl(control, LOOP_CTL_ADD, number)
        try:
            yield f"loop{number}"
        finally:
            fcntl.ioctl(control, LOOP_CTL_REMOVE, number)


def test_a_card_that_comes_and_goes_is_told_by_the_kernel(tmp_path: Path) -> None:
    with watched(tmp_path, card="loop?????*", rescan_s=60) as rig:
        with disk(NUMBER) as name:
            rig.until("added", lambda: rig.events("device.added"))
        rig.until("removed", lambda: rig.events("device.removed"))
    card = {"kind": "card", "name": name, "id": "", "foreign": False, "seen_by": "observer"}
    assert rig.events("device.added") == rig.events("device.removed") == [card]
    assert rig.events("device.observer") == [{"ok": True, "reason": None}]


def test_a_dead_observer_is_noticed_and_rebuilt(tmp_path: Path) -> None:
    with watched(tmp_path, card="loop?????*", rescan_s=60) as rig:
        kill_observer(rig.fd)
        rig.until("rebuilt", lambda: len(rig.events("device.observer")) == 3)
        with disk(NUMBER):
            rig.until("added", lambda: rig.events("device.added"))
    assert [event["ok"] for event in rig.events("device.observer")] == [True, False, True]
    assert rig.events("device.added")[0]["seen_by"] == "observer"


def test_a_deaf_observer_is_found_out_by_the_rescan_and_rebuilt(tmp_path: Path) -> None:
    with watched(tmp_path, card="loop?????*", rescan_s=2) as rig:
        silent, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with silent, other:
            os.dup2(silent.fileno(), rig.fd)
            with disk(NUMBER) as name:
                rig.until("rebuilt", lambda: len(rig.events("device.observer")) == 3)
                added = rig.events("device.added")
                assert [(e["name"], e["seen_by"]) for e in added] == [(name, "rescan")]
            rig.until("removed", lambda: rig.events("device.removed"))
    assert name in rig.events("device.observer")[1]["reason"]
    assert rig.events("device.removed")[0]["seen_by"] == "observer"


def test_a_storm_of_events_costs_an_observer_and_no_device(tmp_path: Path) -> None:
    """More events than the socket holds: what was lost is looked for."""
    with watched(tmp_path, card="loop?????*", rescan_s=60) as rig:
        with socket.socket(fileno=os.dup(rig.fd)) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        uevent = Path("/sys/class/block/loop0/uevent")
        with disk(NUMBER):
            deadline = time.monotonic() + 60
            while len(rig.events("device.observer")) < 3:
                assert time.monotonic() < deadline
                for _ in range(500):
                    uevent.write_text("change")
            rig.until("added", lambda: rig.events("device.added"))
        rig.until("removed", lambda: rig.events("device.removed"))
    assert len(rig.events("device.added")) == 1


def test_a_service_without_a_network_hears_the_kernel(tmp_path: Path) -> None:
    """PrivateNetwork=yes keeps udevd's events out: the kernel's own are listened to."""
    script = (
        "import sys; from bodycam.devices import Observer; o = Observer();"
        "print('listening', flush=True);"
        "names = (e.path.rpartition('/')[2] for e in iter(lambda: o.next(30), None));"
        "print(next(n for n in names if n == sys.argv[1]), flush=True)"
    )
    number = NUMBER
    command = ["unshare", "--net", sys.executable, "-c", script, f"loop{number}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == "listening\n"
        with disk(number) as name:
            assert listener.stdout.readline() == f"{name}\n"
