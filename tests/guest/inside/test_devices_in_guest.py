"""USB, cameras and microphones plugged into a real kernel, under its udevd; run inside the guest.

dummy_hcd is a USB port of which the other end is here, too: a gadget is plugged in by writing a file.
"""

from __future__ import annotations

import fcntl
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest

from bodycam.clock import SystemClock
from bodycam.config import Config, Devices
from bodycam.devices import DeviceActions, DeviceWatch
from bodycam.eventlog import EventLog
from bodycam.signing import NoKey

GADGETS = Path("/sys/kernel/config/usb_gadget")
ALOOP = Path("/sys/bus/platform/drivers/snd_aloop")
RECORDERS_LOG = Path("/var/lib/bodycam/log/events.jsonl")
# A boot keyboard, as HID 1.11 appendix B.1 has it.
KEYBOARD = bytes.fromhex(
    "05010906a101050719e029e71500250175019508810295017508810395057501050819012905910295017503910395"
    "067508150025650507190029658100c0"
)
LOOP_CTL_ADD, LOOP_CTL_REMOVE = 0x4C80, 0x4C81
SECONDS = 60


def until(what: str, holds: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (found := holds()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def lines(path: Path, ev: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
    return [line for line in found if line["ev"] == ev]


class Watch:
    """A device watch of this test's own, beside the recorder's; it looks through sysfs never."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        clock = SystemClock()
        self.path = folder / "events.jsonl"
        self.told: list[str] = []
        self._log = EventLog(folder, clock, "guest", NoKey())
        self._log.open()
        self._watch = DeviceWatch(
            Config(devices=Devices(rescan_s=60, **settings)), clock, self._log,
            DeviceActions(
                lambda present: self.told.append("camera" if present else "no camera"),
                lambda: self.told.append("microphone"),
            ),
        )  # fmt: skip

    def __enter__(self) -> Self:
        self._watch.start()
        until("listening", lambda: self.events("device.observer"))
        until("looked once", lambda: self._watch.beats)
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.stop()
        self._log.close()

    def events(self, ev: str) -> list[dict[str, Any]]:
        return [line["data"] for line in lines(self.path, ev)]

    def seen(self, ev: str, **data: Any) -> Callable[[], list[dict[str, Any]]]:
        """Whether the kernel told of it; a rescan would not count."""
        wanted = {"seen_by": "observer", **data}.items()
        return lambda: [event for event in self.events(ev) if wanted <= event.items()]


@contextmanager
def plugged(name: str, product: str, functions: dict[str, dict[str, bytes]]) -> Iterator[None]:
    """A USB device, from its being plugged in to its being pulled out."""
    gadget = GADGETS / name
    config = gadget / "configs/c.1"
    for folder in (gadget, gadget / "strings/0x409", config):
        folder.mkdir()
    (gadget / "idVendor").write_text("0x1209")
    (gadget / "idProduct").write_text(f"0x{product}")
    (gadget / "strings/0x409/product").write_text(name)
    (gadget / "strings/0x409/serialnumber").write_text("4711")
    for function, files in functions.items():
        folder = gadget / "functions" / function
        folder.mkdir()
        for file, content in files.items():
            (folder / file).write_bytes(content)
        (config / function).symlink_to(folder)
    (gadget / "UDC").write_text("dummy_udc.0")
    try:
        yield
    finally:
        (gadget / "UDC").write_text("\n")
        for function in functions:
            (config / function).unlink()
            (gadget / "functions" / function).rmdir()
        config.rmdir()
        (gadget / "strings/0x409").rmdir()
        gadget.rmdir()


def on_usb(kind: str) -> list[str]:
    """What the kernel made of devices on this side of the port."""
    found = (path.resolve() for path in Path("/sys/class", kind).iterdir())
    return [path.name for path in found if any(p.startswith("usb") for p in path.parts[:-1])]


@pytest.fixture(scope="module", autouse=True)
def port() -> Iterator[None]:
    run("modprobe", "-a", "dummy_hcd", "usb_f_mass_storage", "usb_f_hid", "usb_f_ecm", "loop")
    yield
    run("modprobe", "-r", "dummy_hcd")


def stick(tmp_path: Path) -> dict[str, dict[str, bytes]]:
    image = tmp_path / "stick.img"
    image.write_bytes(bytes(1 << 20))
    return {"mass_storage.0": {"lun.0/file": str(image).encode()}}


def keyboard() -> dict[str, dict[str, bytes]]:
    files = {"protocol": b"1", "subclass": b"1", "report_length": b"8", "report_desc": KEYBOARD}
    return {"hid.usb0": files}


@pytest.fixture(scope="module", autouse=True)
def recorder() -> Iterator[None]:
    """The shipped unit runs beside, confined as it is and without a network."""
    asked = subprocess.run(["systemctl", "is-active", "--quiet", "bodycam"], check=False)
    if asked.returncode:
        run("systemctl", "start", "bodycam")
    until("devices are watched", lambda: lines(RECORDERS_LOG, "device.observer"))
    yield
    if asked.returncode:
        run("systemctl", "stop", "bodycam")


@pytest.mark.parametrize("name", ["stick", "keyboard", "network"])
def test_a_foreign_device_is_a_tamper_event_and_gets_no_driver(name: str, tmp_path: Path) -> None:
    functions: dict[str, dict[str, dict[str, bytes]]] = {
        "stick": stick(tmp_path), "keyboard": keyboard(), "network": {"ecm.usb0": {}},
    }  # fmt: skip
    recorded = len(lines(RECORDERS_LOG, "tamper.usb"))
    with Watch(tmp_path) as watch:
        with plugged(name, "0001", functions[name]):
            found = until("tamper", watch.seen("tamper.usb", what="device"))
            device = Path("/sys/bus/usb/devices") / found[0]["name"]
            assert "1209:0001" in found[0]["id"]
            until("the recorder", lambda: len(lines(RECORDERS_LOG, "tamper.usb")) > recorded)
            until("no driver", lambda: (device / "authorized").read_text().strip() == "0")
            run("udevadm", "settle")
            assert list(device.glob("*:*")) == []
            assert [on_usb(kind) for kind in ("block", "input", "net")] == [[], [], []]
        until("pulled out", watch.seen("device.removed", kind="usb", name=found[0]["name"]))
    last = lines(RECORDERS_LOG, "tamper.usb")[-1]["data"]
    assert last["seen_by"] == "observer"


def test_a_device_on_the_list_is_none(tmp_path: Path) -> None:
    with Watch(tmp_path, usb_allow=["1209:0002"]) as watch:
        with plugged("microphone", "0002", keyboard()):
            found = until("added", watch.seen("device.added", kind="usb", foreign=False))
            assert "1209:0002" in found[0]["id"]
        until("removed", watch.seen("device.removed", kind="usb"))
    assert watch.events("tamper.usb") == []


def test_a_camera_that_comes_and_goes_is_told_at_once(tmp_path: Path) -> None:
    with Watch(tmp_path) as watch:
        run("modprobe", "vivid", "n_devs=1", "node_types=0x1")
        until("added", watch.seen("device.added", kind="camera"))
        until("told", lambda: "camera" in watch.told)
        run("modprobe", "-r", "vivid")
        until("removed", watch.seen("device.removed", kind="camera"))
        until("told", lambda: "no camera" in watch.told)


def test_a_microphone_that_comes_back_is_opened_at_once(tmp_path: Path) -> None:
    def recorded(ev: str) -> Callable[[], list[dict[str, Any]]]:
        before = len(lines(RECORDERS_LOG, ev))
        return lambda: lines(RECORDERS_LOG, ev)[before:]

    lost, back = recorded("audio.lost"), recorded("audio.back")
    with Watch(tmp_path) as watch:
        (ALOOP / "unbind").write_text("snd_aloop.0")
        until("removed", watch.seen("device.removed", kind="microphone"))
        until("the recorder has no sound", lost)
        (ALOOP / "bind").write_text("snd_aloop.0")
        until("added", watch.seen("device.added", kind="microphone"))
        until("told", lambda: "microphone" in watch.told)
        until("the recorder has sound again", back)


def test_a_card_that_comes_and_goes_is_told_at_once(tmp_path: Path) -> None:
    with Watch(tmp_path, card="loop777") as watch:
        with open("/dev/loop-control", "rb") as control:
            fcntl.ioctl(control, LOOP_CTL_ADD, 777)
            until("added", watch.seen("device.added", kind="card", name="loop777"))
            fcntl.ioctl(control, LOOP_CTL_REMOVE, 777)
        until("removed", watch.seen("device.removed", kind="card", name="loop777"))
