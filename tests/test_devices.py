"""The device watch: on trees of files, on this machine's own kernel, and in a running recorder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bodycam.allowance import Allowance
from bodycam.clock import NS
from bodycam.config import Devices
from bodycam.devices import Observer
from bodycam.devicescan import DeviceScan
from bodycam.devicetable import Device, DeviceTable, Kind, SeenBy
from bodycam.errors import DeviceError
from bodycam.simulate.control import PinsClient

from .devicerig import kill_observer, watched
from .rig import QUICK, Rig, running

# -- the table ---------------------------------------------------------------------------------

PATHS = st.sampled_from(["/a", "/b", "/c"])
DEVICES = st.builds(
    Device, st.sampled_from(Kind), st.just("x"), st.sampled_from(["1", "2"]), st.booleans()
)
WORLDS = st.dictionaries(PATHS, DEVICES)


@given(WORLDS, st.lists(st.tuples(PATHS, st.none() | DEVICES)), WORLDS)
def test_what_was_said_adds_up_to_what_is_there(
    start: dict[str, Device], events: list[tuple[str, Device | None]], end: dict[str, Device]
) -> None:
    table, there = DeviceTable(), dict[str, list[Device]]()

    def see(path: str, device: Device | None, by: SeenBy) -> None:
        for edge in table.see(path, device, by):
            assert edge.seen_by is by
            if edge.present:
                there.setdefault(path, []).append(edge.device)
            else:
                there[path].remove(edge.device)

    for path, device in [*start.items(), *events]:
        see(path, device, SeenBy.OBSERVER)
    for path in table.differing(end):
        see(path, end.get(path), SeenBy.RESCAN)
    assert table.known == end
    assert {path: [device] for path, device in end.items()} == {p: d for p, d in there.items() if d}
    assert table.differing(end) == []
    assert table.foreign == any(device.foreign for device in end.values())


def test_a_loose_plug_is_counted_beyond_sixty_lines_a_minute() -> None:
    allowance = Allowance(60)
    taken = [allowance.take() for _ in range(100)]
    assert sum(taken) == 60
    assert allowance.renew(59 * NS) == 0
    assert allowance.renew(60 * NS) == 40
    assert allowance.take()
    assert allowance.renew(130 * NS) == 0


# -- trees of files ----------------------------------------------------------------------------


class Sysfs:
    """A tree as the kernel lays it out: devices below `devices`, links to them from the classes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, path: str, link: str, **files: str) -> Path:
        folder = self.root / "devices" / path
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            file = folder / name.replace("__", "/")
            file.parent.mkdir(exist_ok=True)
            file.write_text(text + "\n")
        shown = self.root / link / folder.name
        shown.parent.mkdir(parents=True, exist_ok=True)
        if not shown.is_symlink():
            shown.symlink_to(folder)
        return folder

    def usb(self, path: str, ids: str, klass: str = "0/0/0", **files: str) -> Path:
        uevent = f"DEVTYPE=usb_device\nPRODUCT={ids}\nTYPE={klass}"
        return self.add(path, "bus/usb/devices", uevent=uevent, **files)

    def interface(self, path: str, product: str, klass: str) -> Path:
        uevent = f"DEVTYPE=usb_interface\nPRODUCT={product}\nINTERFACE={klass}"
        return self.add(path, "bus/usb/devices", uevent=uevent)

    def found(self, **wanted: Any) -> dict[str, Device]:
        scan = DeviceScan(self.root, Devices(**wanted)).scan()
        return {path.removeprefix("/devices/"): device for path, device in scan.items()}


@pytest.fixture
def sysfs(tmp_path: Path) -> Sysfs:
    return Sysfs(tmp_path / "sys")


def test_a_rigs_own_devices_are_found_and_its_decoders_are_no_cameras(sysfs: Sysfs) -> None:
    video = "class/video4linux"
    sysfs.add("platform/unicam/video4linux/video0", video, name="unicam-image")
    sysfs.add("platform/codec/video4linux/video10", video, name="bcm2835-codec-decode")
    sysfs.add("platform/isp/video4linux/video13", video, name="bcm2835-isp-output0")
    sysfs.add("platform/hevc/video4linux/video19", video, name="rpi-hevc-dec")
    sysfs.add("platform/unicam/media0", "bus/media/devices", model="unicam")
    sysfs.add("platform/isp/media1", "bus/media/devices", model="bcm2835-isp")
    sysfs.add("platform/i2s/sound/card0", "class/none", id="sndi2smic")
    sysfs.add("platform/i2s/sound/card0/pcmC0D0c", "class/sound")
    sysfs.add("platform/i2s/sound/card0/pcmC0D0p", "class/sound")
    sysfs.add("platform/i2s/sound/card0/controlC0", "class/sound")
    disk = {"uevent": "DEVTYPE=disk\nDEVNAME=mmcblk0", "device__cid": "035344534c333247"}
    sysfs.add("platform/mmc/block/mmcblk0", "class/block", **disk)
    part = {"uevent": "DEVTYPE=partition\nDEVNAME=mmcblk0p2"}
    sysfs.add("platform/mmc/block/mmcblk0/mmcblk0p2", "class/block", **part)
    sysfs.add("virtual/block/loop0", "class/block", uevent="DEVTYPE=disk\nDEVNAME=loop0")
    gauge = {"type": "Battery", "model_name": "INR", "serial_number": "LOT17"}
    sysfs.add("i2c/power_supply/bq27441", "class/power_supply", **gauge)
    sysfs.add("usb/power_supply/dock", "class/power_supply", type="Mains", online="1")
    sysfs.add("usb/power_supply/port", "class/power_supply", type="USB", online="0")
    mouse = {"type": "Battery", "scope": "Device"}
    sysfs.add("hid/power_supply/mouse", "class/power_supply", **mouse)
    assert sysfs.found() == {
        "platform/unicam/video4linux/video0": Device(Kind.CAMERA, "video0", "unicam-image"),
        "platform/unicam/media0": Device(Kind.CAMERA, "media0", "unicam"),
        "platform/i2s/sound/card0/pcmC0D0c": Device(Kind.MICROPHONE, "pcmC0D0c", "sndi2smic"),
        "platform/mmc/block/mmcblk0": Device(Kind.CARD, "mmcblk0", "035344534c333247"),
        "i2c/power_supply/bq27441": Device(Kind.BATTERY, "bq27441", "INR LOT17"),
        "usb/power_supply/dock": Device(Kind.DOCK, "dock", "Mains"),
    }


HUB = "pci/usb1"


@pytest.mark.parametrize(
    ("interface", "what"),
    [("8/6/80", "storage"), ("3/1/1", "input"), ("2/6/0", "network"), ("224/1/3", "wireless"),
     ("14/1/0", "video"), ("1/1/0", "sound"), ("255/0/0", "class ff"), ("", "class -1")],
)  # fmt: skip
def test_what_is_not_on_the_list_is_foreign_and_so_is_each_of_its_interfaces(
    sysfs: Sysfs, interface: str, what: str
) -> None:
    sysfs.usb(HUB, "1d6b/2/612", "9/0/1")
    sysfs.usb(f"{HUB}/1-1", "781/5581/100", product="Ultra", serial="4C530001")
    sysfs.interface(f"{HUB}/1-1/1-1:1.0", "781/5581/100", interface)
    assert sysfs.found() == {
        f"{HUB}/1-1": Device(Kind.USB, "1-1", "0781:5581 Ultra 4C530001", True, "device"),
        f"{HUB}/1-1/1-1:1.0": Device(Kind.USB, "1-1:1.0", "0781:5581", True, what),
    }


def test_a_keyboard_that_calls_itself_a_hub_is_a_keyboard(sysfs: Sysfs) -> None:
    sysfs.usb(f"{HUB}/1-1", "666/1/100", "9/0/1")
    sysfs.interface(f"{HUB}/1-1/1-1:1.0", "666/1/100", "9/0/0")
    sysfs.interface(f"{HUB}/1-1/1-1:1.1", "666/1/100", "3/1/1")
    assert [(d.name, d.what) for d in sysfs.found().values()] == [("1-1:1.1", "input")]


def test_a_listed_device_is_no_tamper_and_what_hangs_on_it_may_be_used(sysfs: Sysfs) -> None:
    sysfs.usb(f"{HUB}/1-1", "d8c/14/100", product="USB mic")
    sysfs.interface(f"{HUB}/1-1/1-1:1.0", "d8c/14/100", "1/1/0")
    sysfs.add(f"{HUB}/1-1/1-1:1.0/sound/card1", "class/none", id="Device")
    sysfs.add(f"{HUB}/1-1/1-1:1.0/sound/card1/pcmC1D0c", "class/sound")
    listed = sysfs.found(usb_allow=["0d8c:0014"])
    foreign = sysfs.found(usb_allow=["0d8c:0015"])
    assert {d.kind: d.foreign for d in listed.values()} == {Kind.USB: False, Kind.MICROPHONE: False}
    assert {d.kind: d.foreign for d in foreign.values()} == {Kind.USB: True, Kind.MICROPHONE: True}


def test_the_dock_may_be_a_usb_device(sysfs: Sysfs) -> None:
    sysfs.usb(f"{HUB}/1-1", "1d50/6018/100", product="Dock")
    sysfs.interface(f"{HUB}/1-1/1-1:1.0", "1d50/6018/100", "2/6/0")
    sysfs.add("usb/power_supply/mains", "class/power_supply", type="Mains", online="1")
    found = sysfs.found(dock="1d50:6018")
    assert list(found.values()) == [Device(Kind.DOCK, "1-1", "1d50:6018")]


def test_garbage_in_sysfs_is_no_device(sysfs: Sysfs) -> None:
    sysfs.add(f"{HUB}/1-1", "bus/usb/devices", uevent="\x00\xff=\n====\nDEVTYPE=usb_device")
    sysfs.add(f"{HUB}/1-2", "bus/usb/devices", uevent="DEVTYPE=usb_device\nPRODUCT=zz/y/x")
    (sysfs.root / "bus/usb/devices/gone").symlink_to(sysfs.root / "nowhere")
    assert sysfs.found() == {}


# -- this machine's kernel ---------------------------------------------------------------------


def test_without_pyudev_it_is_said_and_rescans_do_the_work(tmp_path: Path, sysfs: Sysfs) -> None:
    script = (
        "import sys; sys.modules['pyudev'] = None\n"
        "from bodycam.devices import Observer\n"
        "from bodycam.errors import DeviceError\n"
        "try:\n    Observer()\nexcept DeviceError as fault:\n    print(fault)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
    )
    assert "pyudev" in done.stdout
    sysfs.root.mkdir()
    with watched(tmp_path, sysfs=str(sysfs.root), rescan_s=1) as rig:
        sysfs.add("unicam/video4linux/video0", "class/video4linux", name="unicam-image")
        rig.until("added", lambda: rig.told == ["camera"])
        (sysfs.root / "class/video4linux/video0").unlink()
        rig.until("removed", lambda: rig.told == ["camera", "no camera"])
    assert [event["ok"] for event in rig.events("device.observer")] == [False]
    assert rig.events("device.added")[0]["seen_by"] == "rescan"


def test_an_observer_that_is_dead_says_so() -> None:
    observer = Observer()
    kill_observer(observer.fileno())
    with pytest.raises(DeviceError, match="observer of devices failed"):
        observer.next(0.1)


def test_a_foreign_microphone_is_told_to_nobody(tmp_path: Path, sysfs: Sysfs) -> None:
    sysfs.root.mkdir()
    with watched(tmp_path, sysfs=str(sysfs.root), rescan_s=1) as rig:
        sysfs.usb(f"{HUB}/1-1", "666/1/100")
        sysfs.add(f"{HUB}/1-1/1-1:1.0/sound/card1/pcmC1D0c", "class/sound")
        rig.until("seen", lambda: rig.events("device.added"))
        sysfs.add("i2s/sound/card0/pcmC0D0c", "class/sound")
        rig.until("the real one", lambda: rig.told)
        assert rig.watch.tamper
    assert rig.told == ["microphone"]
    assert [event["foreign"] for event in rig.events("device.added")] == [True, False]


def test_what_is_there_at_the_start_is_said_and_disturbs_nobody(
    tmp_path: Path, sysfs: Sysfs
) -> None:
    sysfs.add("unicam/video4linux/video0", "class/video4linux", name="unicam-image")
    sysfs.usb(f"{HUB}/1-1", "781/5581/100")
    with watched(tmp_path, sysfs=str(sysfs.root)) as rig:
        rig.until("tamper", lambda: rig.events("tamper.usb"))
        assert rig.watch.tamper
    assert [event["seen_by"] for event in rig.events("device.added")] == ["start"]
    assert [event["seen_by"] for event in rig.events("tamper.usb")] == ["start"]
    assert rig.told == []


# -- a running recorder ------------------------------------------------------------------------


def shown(rig: Rig) -> dict[str, Any]:
    """What the officer sees now."""
    with PinsClient(rig.unit.socket_path) as client:
        messages = client.watch()
        now = next(messages)
    assert all(messages)  # to their end: closed
    return dict(now["trace"])


@pytest.mark.system
@pytest.mark.xdist_group("daemon")
def test_a_foreign_usb_stick_is_a_tamper_event_and_the_lamp_says_so(tmp_path: Path) -> None:
    with running(tmp_path / "unit", {"devices": {"rescan_s": 1}}) as rig:
        stick = Sysfs(rig.unit.sysfs).usb(f"{HUB}/1-1", "781/5581/100", product="Ultra")
        Sysfs(rig.unit.sysfs).interface(f"{HUB}/1-1/1-1:1.0", "781/5581/100", "8/6/80")
        rig.until_logged("tamper.usb", 2)
        rig.until("the lamp", lambda: shown(rig)["wearer"] == "red steady")
        assert "tamper" in shown(rig)["also"]
        (rig.unit.sysfs / "bus/usb/devices" / stick.name).unlink()
        rig.until_logged("device.removed")
    said = {line["data"]["what"] for line in rig.events("tamper.usb")}
    assert said == {"device", "storage"}


@pytest.mark.system
@pytest.mark.xdist_group("daemon")
def test_a_driver_that_hangs_when_it_is_asked_costs_no_recording(tmp_path: Path) -> None:
    with running(tmp_path / "unit", {"devices": {"rescan_s": 1}}, speed=4) as rig:
        supply = Sysfs(rig.unit.sysfs).add("i2c/power_supply/usb", "class/power_supply", type="USB")
        os.mkfifo(supply / "online")
        rig.until_logged("thread.stuck", seconds=60)
        fed = len(rig.unit.messages)
        rig.until("fed", lambda: "WATCHDOG=1" in list(rig.unit.messages)[fed:])
        rig.press(True)
        rig.until_logged("rec.start")
        (supply / "online").write_text("0\n")
    assert rig.unit.starts == 1


@pytest.mark.system
@pytest.mark.xdist_group("daemon")
def test_a_camera_that_comes_back_is_opened_without_waiting(tmp_path: Path) -> None:
    """The worker failed so often that its next start is seconds away; then the camera is there."""
    video = tmp_path / "footage.h264"
    camera = {**QUICK["camera"], "source": "replay", "file": str(video)}
    overrides = {"camera": camera, "audio": {"source": "none"}, "devices": {"rescan_s": 1}}
    with running(tmp_path / "unit", overrides) as rig:
        record_footage(video.with_suffix(".new.h264"))
        rig.until_logged("capture.exit", 6, seconds=60)
        failed = rig.events("capture.exit")[-1]
        video.with_suffix(".new.h264").rename(video)
        Sysfs(rig.unit.sysfs).add("unicam/video4linux/video0", "class/video4linux", name="unicam")
        ready = rig.until_logged("capture.ready")
        rig.until_logged("ready")
    # From the fifth failure on the pause is 5 s.
    waited_ns = ready["boot_ns"] - failed["boot_ns"]
    print(f"ready {waited_ns / NS:.1f} s after the last failure")
    assert waited_ns < 5 * NS


def record_footage(video: Path) -> None:
    """A short stream to replay, made by the worker's own encoder."""
    subprocess.run(
        ["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc=s=320x180:r=30", "-t", "2",
         "-c:v", "libx264", "-bf", "0", "-g", "15", "-pix_fmt", "yuv420p", str(video)],
        check=True, timeout=60,
    )  # fmt: skip
