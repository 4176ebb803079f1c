"""A small card of its own: ext4 on a loop device, that can be filled, made read-only, taken away."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bodycam.simulate.unit import Unit

_SHUTDOWN, _NO_LOG_FLUSH = 0x8004587D, 2
_OPTIONS = "loop,noatime,errors=remount-ro"


@dataclass(slots=True)
class SmallCard:
    """One file system in an image; mounted where the recorder writes once `under` was called."""

    image: Path
    mounted: Path | None = None

    def under(self, folder: Path) -> None:
        """Put it under a folder of the unit."""
        folder.mkdir(exist_ok=True)
        command = ["mount", "-o", _OPTIONS, str(self.image), str(folder)]
        subprocess.run(command, check=True)
        self.mounted = folder

    def under_evidence(self, unit: Unit) -> None:
        """Evidence has a partition of its own, the log another."""
        self.under(unit.card / "evidence")

    def under_card(self, unit: Unit) -> None:
        """Evidence and log have one partition."""
        self.under(unit.card)

    def fail(self) -> None:
        """The kernel finds the file system broken: from now on every write is refused (EROFS)."""
        if self.mounted is None:
            raise AssertionError("not mounted")
        source = subprocess.run(
            ["findmnt", "-n", "-o", "SOURCE", str(self.mounted)],
            check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip
        trigger = Path("/sys/fs/ext4") / Path(source).name / "trigger_fs_error"
        trigger.write_text("done by a test", encoding="ascii")

    def cut_power(self) -> None:
        """Nothing that is in memory only will reach the card."""
        folder = os.open(str(self.mounted), os.O_RDONLY | os.O_DIRECTORY)
        fcntl.ioctl(folder, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        os.close(folder)

    def power_up(self) -> None:
        """Mount it again, when nobody holds it any more: the kernel replays its journal."""
        if self.mounted is None:
            raise AssertionError("not mounted")
        subprocess.run(["umount", str(self.mounted)], check=True)
        self.under(self.mounted)

    def flags(self) -> str:
        """What the mounts table says of it."""
        mounts = Path("/proc/mounts").read_text(encoding="ascii").splitlines()
        return next(line.split()[3] for line in mounts if line.split()[1] == str(self.mounted))

    def fill(self, leave_bytes: int) -> Path:
        """Somebody else's file takes all but so many bytes."""
        if self.mounted is None:
            raise AssertionError("not mounted")
        filler = self.mounted / "filler"
        with filler.open("ab") as file:
            while (spare := self.free_bytes() - leave_bytes) > 0:
                command = [
                    "fallocate",
                    "-o",
                    str(filler.stat().st_size),
                    "-l",
                    str(spare),
                    str(filler),
                ]
                if subprocess.run(command, check=False, capture_output=True).returncode:
                    break
            file.flush()
        return filler

    def free_bytes(self) -> int:
        facts = os.statvfs(str(self.mounted))
        return facts.f_bavail * facts.f_frsize

    def total_bytes(self) -> int:
        facts = os.statvfs(str(self.mounted))
        return facts.f_blocks * facts.f_frsize


@contextmanager
def small_card(image: Path, mib: int) -> Iterator[SmallCard]:
    """A fresh file system; unmounted at the end, however the test ends."""
    with image.open("wb") as file:
        file.truncate(mib * 2**20)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
    card = SmallCard(image)
    try:
        yield card
    finally:
        if card.mounted is not None:
            subprocess.run(["umount", str(card.mounted)], check=True)
        image.unlink()
