"""How often the kernel has killed for want of memory."""

from __future__ import annotations

from pathlib import Path


def oom_kills(sysfs: Path) -> int | None:
    """The kernel's count since boot, from the `/proc` beside that `/sys`; None where it has none."""
    try:
        text = (sysfs.parent / "proc" / "vmstat").read_text(encoding="ascii")
    except OSError:
        return None
    for line in text.splitlines():
        name, _, count = line.partition(" ")
        if name == "oom_kill" and count.isdecimal():
            return int(count)
    return None
