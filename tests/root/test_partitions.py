"""Log and evidence on file systems of their own: real ext4 on loop devices."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bodycam.errors import ExitCode

from .camera import Camera
from .conftest import Boot

UNIT = "bodycam.service"
LOG, EVIDENCE = "/var/lib/bodycam/log", "/var/lib/bodycam/evidence"


@contextmanager
def loop_ext4(image: Path, mib: int) -> Iterator[str]:
    """A block device with a fresh ext4 on it."""
    with image.open("wb") as file:
        file.truncate(mib * 2**20)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
    done = subprocess.run(
        ["losetup", "--find", "--show", str(image)], check=True, stdout=subprocess.PIPE, text=True
    )
    device = done.stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def mount_units(layer: Path, **devices: str) -> None:
    """What systemd makes of the lines of systemd/README.md; in a container it ignores fstab."""
    folder = layer / "etc" / "systemd" / "system"
    (folder / "local-fs.target.wants").mkdir(parents=True)
    for name, device in devices.items():
        unit = folder / f"var-lib-bodycam-{name}.mount"
        unit.write_text(
            f"[Unit]\nBefore=local-fs.target\n[Mount]\nWhat={device}\n"
            f"Where=/var/lib/bodycam/{name}\nType=ext4\nOptions=noatime,nodev,nosuid,noexec\n",
            encoding="ascii",
        )
        (folder / "local-fs.target.wants" / unit.name).symlink_to(unit.name)


def file_system(camera: Camera, path: str) -> str:
    return camera.machine.run("stat", "--file-system", "--format=%T", path).stdout.strip()


def test_the_log_goes_on_on_its_own_partition_when_the_evidence_has_no_room(
    boot: Boot, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        log = stack.enter_context(loop_ext4(tmp_path / "log.img", 16))
        evidence = stack.enter_context(loop_ext4(tmp_path / "evidence.img", 16))
        camera = stack.enter_context(
            boot(lambda layer: mount_units(layer, log=log, evidence=evidence), [log, evidence])
        )
        machine = camera.machine
        machine.until_state(UNIT, "active")
        assert file_system(camera, LOG) == file_system(camera, EVIDENCE) == "ext2/ext3"
        assert file_system(camera, "/var/lib/bodycam") == "overlayfs"
        camera.press(True)
        camera.until_logged("rec.start")
        machine.run("dd", "if=/dev/zero", f"of={EVIDENCE}/filler", "bs=64K", check=False)
        camera.until_logged("storage.full")
        camera.press(False)
        camera.until_logged("switch.off")
        machine.until("the lamp", lambda: camera.status()["signal"] == "full")
        machine.run("rm", f"{EVIDENCE}/filler")
        machine.run("systemctl", "stop", UNIT)
        assert camera.events("shutdown")
        code, said = camera.verify()
        assert code == ExitCode.INCOMPLETE, said
        assert "cause: storage" in said


def test_nothing_is_written_beneath_a_partition_that_is_missing(boot: Boot) -> None:
    with boot(lambda layer: mount_units(layer, log="/dev/not-there")) as camera:
        machine = camera.machine
        start = machine.run("systemctl", "start", UNIT, check=False)
        assert start.returncode != 0
        assert "dependency" in start.stderr
        assert machine.show(UNIT, "ActiveState") == "inactive"
        assert not (camera.store / "log" / "events.jsonl").exists()
