"""Whether the watchdogs are really armed: systemd's for the recorder, the hardware's for systemd.

A time-out that the driver cannot do leaves a Pi without any watchdog, and only a line in the
journal says so. So nothing here reads a configuration file: what is asked is what is in force.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import ExitCode
from .result import CheckResult, failed, not_tested, ok, warn

SERVICE = "bodycam.service"
_OWN, _HARDWARE = "watchdog", "hw watchdog"
_TIMEOUT_S = 5
_LONGEST_S = 120
_NEVER = ("", "0", "infinity", str(2**64 - 1))
_ARM = (
    "Set RuntimeWatchdogSec= to at most 15 s in /etc/systemd/system.conf.d (systemd/README.md), "
    "then reboot"
)
_INSTALL = "Install the service as it is shipped: systemd/README.md"


@dataclass(frozen=True, slots=True)
class Systemd:
    """What systemd says is in force; nothing where no systemd answers."""

    properties: Mapping[str, str]

    @property
    def answers(self) -> bool:
        return bool(self.properties)

    @property
    def keeps_the_recorder(self) -> bool:
        """It runs, or is about to be started again."""
        return self.properties.get("ActiveState", "inactive") not in ("inactive", "failed")

    def text(self, name: str) -> str:
        """A time-out in systemd's words ("14s"); empty if it is off."""
        value = self.properties.get(name, "")
        return "" if value in _NEVER else value


@dataclass(frozen=True, slots=True)
class Hardware:
    """A watchdog as the kernel shows it; `state` is empty where it does not say."""

    device: str
    identity: str
    state: str
    timeout_s: int | None


def ask_systemd() -> Systemd:
    """Asks what is in force now, for the manager and for the recorder's unit."""
    return Systemd(
        _show("RuntimeWatchdogUSec", "WatchdogDevice", "WatchdogLastPingTimestampMonotonic")
        | _show("LoadState", "ActiveState", "WatchdogUSec", unit=SERVICE)
    )


def _show(*names: str, unit: str = "") -> dict[str, str]:
    command = ["systemctl", "show", *(f"--property={name}" for name in names)]
    try:
        done = subprocess.run(
            [*command, unit] if unit else command, check=False, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return {}  # no systemd is an answer, and the caller says so
    pairs = (line.partition("=") for line in done.stdout.splitlines())
    return {name: value for name, _, value in pairs if name in names}


def read_hardware(sysfs: Path) -> Hardware | None:
    """The watchdog that runs, or else the first one there is."""
    found = [
        Hardware(
            path.name, _text(path / "identity"), _text(path / "state"), _whole(path / "timeout")
        )
        for path in sorted(sysfs.glob("class/watchdog/watchdog*"))
    ]
    return next((one for one in found if one.state == "active"), found[0] if found else None)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""  # kernels without CONFIG_WATCHDOG_SYSFS show only the name


def _whole(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdigit() else None


def check_own_watchdog(environment: Mapping[str, str]) -> CheckResult:
    """Inside the recorder: systemd told this very process that it waits to hear from it."""
    text = environment.get("WATCHDOG_USEC", "")
    if not text.isdigit() or environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return failed(
            _OWN, "systemd does not watch the recorder: one that hangs stays so", _INSTALL,
            ExitCode.FAILURE,
        )  # fmt: skip
    return ok(_OWN, f"systemd waits {int(text) // 1_000_000} s", timeout_us=int(text))


def check_service_watchdog(systemd: Systemd) -> CheckResult:
    """From outside: the recorder's unit is there as it is shipped."""
    if not systemd.answers:
        return failed(
            _OWN, "no systemd answers: nobody restarts a recorder that hangs", _INSTALL,
            ExitCode.FAILURE,
        )  # fmt: skip
    if systemd.properties.get("LoadState") != "loaded":
        return failed(_OWN, f"{SERVICE} is not installed", _INSTALL, ExitCode.FAILURE)
    timeout = systemd.text("WatchdogUSec")
    if not timeout:
        return failed(_OWN, f"{SERVICE} has no WatchdogSec=", _INSTALL, ExitCode.FAILURE)
    return ok(_OWN, f"systemd waits {timeout}", timeout=timeout)


def check_hardware_watchdog(hardware: Hardware | None, systemd: Systemd) -> CheckResult:
    """The kernel counts down, and somebody feeds it: a system that hangs is reset."""
    wanted = systemd.text("RuntimeWatchdogUSec")
    fed = bool(systemd.text("WatchdogLastPingTimestampMonotonic"))
    if hardware is None:
        return failed(
            _HARDWARE, "the kernel has none: a system that hangs stays so",
            "Put dtparam=watchdog=on into /boot/firmware/config.txt, then reboot", ExitCode.FAILURE,
        )  # fmt: skip
    name = f"{hardware.device} ({hardware.identity or 'unnamed'})"
    # Without a word from the kernel, systemd's is the next best: it has fed the device.
    armed = hardware.state == "active" or (not hardware.state and bool(wanted) and fed)
    if not armed:
        why = f"systemd asks for {wanted}, the driver refused" if wanted else "nobody armed it"
        return failed(
            _HARDWARE, f"{name} is not armed: {why}", _ARM, ExitCode.FAILURE,
            state=hardware.state, wanted=wanted,
        )  # fmt: skip
    owner = "fed by systemd" if fed else "armed"
    timeout_s = hardware.timeout_s
    text = f"{name}, {owner}" + ("" if timeout_s is None else f", {timeout_s} s")
    if timeout_s is not None and timeout_s > _LONGEST_S:
        return warn(
            _HARDWARE, f"{text}: so long stands a system that hangs", _ARM, timeout_s=timeout_s
        )
    return ok(_HARDWARE, text, state=hardware.state, timeout_s=timeout_s, fed_by_systemd=fed)


def simulated_watchdog() -> CheckResult:
    return not_tested(_OWN, "a simulated camera has no systemd")
