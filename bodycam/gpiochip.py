"""GPIO chips of the kernel: the header's chip, found by its label, and who holds one of its lines.

The number in /dev/gpiochipN says nothing: on a Pi 5 the header was 4, then 0, then 10 or more,
from one kernel to the next. The label is the driver's name for it and stays.
"""

from __future__ import annotations

import fcntl
import re
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .errors import DeviceError

# The chip of the 40-pin header: Zero 2 W and Pi 3; Pi 4; Pi 5.
HEADER_LABELS = ("pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1")

# <linux/gpio.h>: struct gpiochip_info, struct gpio_v2_line_info.
_GET_CHIPINFO = 0x8044B401
_CHIP_INFO = struct.Struct("32s32sI")
_GET_LINEINFO = 0xC100B405
_LINE_INFO = struct.Struct("32s32sIIQ176x")
_USED = 1
_DEV = Path("/dev")


@dataclass(frozen=True, slots=True)
class Chip:
    """One GPIO chip: its device file and its label."""

    path: Path
    label: str

    @property
    def number(self) -> int:
        return int(self.path.name.removeprefix("gpiochip"))


def has_chips(dev: Path = _DEV) -> bool:
    """True if this kernel has character devices for its GPIO chips."""
    return bool(_devices(dev))


def find_chip(label: str = "", dev: Path = _DEV) -> Chip:
    """The chip of that label, or of the header; a DeviceError lists the chips that there are."""
    wanted = (label,) if label else HEADER_LABELS
    fits, others = [], []
    for path in _devices(dev):
        try:
            chip = Chip(path, _label(path))
        except OSError as fault:
            others.append(f"{path.name} ({fault.strerror})")
            continue
        if chip.label in wanted:
            fits.append(chip)
        others.append(f"{path.name} '{chip.label}'")
    if len(fits) == 1:
        return fits[0]
    count = "more than one GPIO chip is" if fits else "no GPIO chip is"
    raise DeviceError(
        f"{count} labelled {' or '.join(map(repr, wanted))}; there is "
        + (", ".join(others) or "no chip at all"),
        "`gpiodetect` lists the labels: name the header's in [gpio] chip. The recorder's user must "
        "be in the group that owns the devices (gpio).",
    )


def holder(chip: Chip, line: int) -> str | None:
    """Who holds a line, in words for a technician; None if nobody does.

    The kernel names what the holder calls itself; the process is found among those that this
    one may look at, which for root are all. Raises DeviceError if the chip does not answer.
    """
    request = _LINE_INFO.pack(b"", b"", line, 0, 0)
    try:
        answer = _ask(chip.path, _GET_LINEINFO, request)
    except OSError as fault:
        raise DeviceError(f"{chip.path} cannot be asked: {fault.strerror}") from fault
    _, consumer, _, _, flags = _LINE_INFO.unpack(answer)
    if not flags & _USED:
        return None
    name = _text(consumer) or "somebody without a name"
    pid = _holding_process(chip, line)
    return f"'{name}'" if pid is None else f"'{name}', process {pid} ({_command(pid)})"


def _devices(dev: Path) -> list[Path]:
    # Raspberry Pi OS links old numbers to the chips that once had them.
    found = [
        path for path in dev.glob("gpiochip*")
        if re.fullmatch(r"gpiochip\d+", path.name) and not path.is_symlink()
    ]  # fmt: skip
    return sorted(found, key=lambda path: (len(path.name), path.name))


def _label(path: Path) -> str:
    return _text(_CHIP_INFO.unpack(_ask(path, _GET_CHIPINFO, bytes(_CHIP_INFO.size)))[1])


def _ask(path: Path, request: int, data: bytes) -> bytes:
    with path.open("rb") as file:
        return fcntl.ioctl(file, request, data)


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "replace")


def _holding_process(chip: Chip, line: int) -> int | None:
    wanted = {f"gpio-chip:\t{chip.path.name}", f"gpio-line:\t{line}"}
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        # Processes end while one looks, and most belong to others.
        with suppress(OSError):
            if str(link.readlink()) != "anon_inode:gpio-line":
                continue
            info = link.parent.parent / "fdinfo" / link.name
            if wanted <= set(info.read_text(encoding="ascii").splitlines()):
                return int(link.parts[2])
    return None


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return "ended meanwhile"
    return b" ".join(words).decode("utf-8", "replace")[:200]
