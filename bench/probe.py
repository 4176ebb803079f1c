"""What a process costs, and what machine this is."""

from __future__ import annotations

import os
import platform
import time
from importlib import metadata
from pathlib import Path


def cpu_ns() -> int:
    """CPU time of this process, all threads, user and system."""
    return time.process_time_ns()


def boot_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def cpu_ns_of(pid: int) -> int:
    """CPU time of another process, all threads that are alive."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text(encoding="ascii").split()[0])
    return total


def memory_bytes(pid: int | str = "self") -> dict[str, int]:
    """Resident memory by kind; Pss counts a page that two processes share once between them."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]:
        name, value, *_ = line.split()
        found[name.rstrip(":")] = int(value) * 1024
    return found


def written_bytes(pid: int | str = "self") -> int:
    """Bytes that a process has caused to be sent to the disk."""
    for line in Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines():
        if line.startswith("write_bytes:"):
            return int(line.split()[1])
    raise ValueError(f"/proc/{pid}/io has no write_bytes")


def machine_facts() -> dict[str, str]:
    cpu = "unknown"
    flags: set[str] = set()
    for line in Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            cpu = value.strip()
        elif name.strip() in ("flags", "Features"):
            flags = set(value.split())
    crypto = [name for name in ("aes", "sha_ni", "sha2") if name in flags]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = [f"{name} {metadata.version(name)}" for name in ("bodycam", "cryptography", "av")]
    return {
        "CPU": f"{cpu}, {os.cpu_count()} cores, {platform.machine()}",
        "crypto instructions": ", ".join(crypto) or "none",
        "memory": f"{memory:.1f} GiB",
        "system": f"Linux {platform.release()}",
        "Python": platform.python_version(),
        "packages": ", ".join(versions),
    }
