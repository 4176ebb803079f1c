"""systemd's own judgement on the shipped units, and what they promise.

What they do when they run is in tests/root/.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from bodycam.config import BUILT_IN_USB
from bodycam.simulate.unit import ABORT_S, WATCHDOG_S

FOLDER = Path(__file__).parent.parent / "systemd"
UNITS = sorted(p for kind in ("service", "path", "timer") for p in FOLDER.glob(f"*.{kind}"))
UNIT = (FOLDER / "bodycam.service").read_text(encoding="utf-8")


def systemd_analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments], check=False, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The shipped units; only the program in them is one that is there."""
    for path in UNITS:
        text = path.read_text(encoding="utf-8")
        (tmp_path / path.name).write_text(
            text.replace("ExecStart=/opt/bodycam/bin/bodycam ", "ExecStart=/bin/sh "), "utf-8"
        )
    return tmp_path


def test_systemd_accepts_the_units_without_a_word(units: Path) -> None:
    paths = [str(units / path.name) for path in UNITS]
    done = systemd_analyze("--man=no", "--recursive-errors=yes", "verify", *paths)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_systemd_finds_a_misspelt_key(units: Path) -> None:
    unit = units / "bodycam.service"
    unit.write_text(UNIT.replace("WatchdogSec=", "WatchDogSecs="), encoding="utf-8")
    done = systemd_analyze("--man=no", "--recursive-errors=yes", "verify", str(unit))
    assert "WatchDogSecs" in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["bodycam.service", "bodycam-offload.service"])
def test_what_runs_our_program_is_exposed_to_2_0_at_most(name: str) -> None:
    rated = systemd_analyze("security", "--offline=yes", "--threshold=20", str(FOLDER / name))
    assert rated.returncode == 0, rated.stdout


def test_one_loosened_setting_is_found(tmp_path: Path) -> None:
    loose = re.sub(r"(?m)^(PrivateNetwork|RestrictAddressFamilies|IPAddressDeny)=.*\n", "", UNIT)
    unit = tmp_path / "bodycam.service"
    unit.write_text(loose, encoding="utf-8")
    rated = systemd_analyze("security", "--offline=yes", "--threshold=20", str(unit))
    assert rated.returncode == 1


@pytest.mark.parametrize(
    "line",
    [
        "Type=notify",
        "NotifyAccess=main",
        "Restart=always",
        "RestartSec=100ms",
        "RestartPreventExitStatus=2 75",
        "KillMode=mixed",
        "OOMPolicy=continue",
        "LimitMEMLOCK=infinity",
        "LimitCORE=0",
        "PrivateNetwork=yes",
        "ProtectSystem=strict",
        "WorkingDirectory=/run/bodycam",
    ],
)
def test_the_unit_keeps_its_promises(line: str) -> None:
    assert f"\n{line}\n" in UNIT


def test_the_simulated_systemd_is_as_impatient_as_the_unit() -> None:
    assert f"\nWatchdogSec={WATCHDOG_S}\nTimeoutAbortSec={ABORT_S}\n" in UNIT


def test_only_the_offload_has_a_network() -> None:
    networked = {
        path.name
        for path in UNITS
        if path.suffix == ".service"
        and "opt/bodycam" in path.read_text("utf-8")
        and "PrivateNetwork=yes" not in path.read_text("utf-8")
    }
    assert networked == {"bodycam-offload.service"}


def test_udev_lets_in_what_the_recorder_does_not_call_tampering() -> None:
    rules = (FOLDER / "71-bodycam.rules").read_text(encoding="utf-8")
    allowed = re.findall(
        r'(?m)^ATTR{idVendor}=="(\w+)", ATTR{idProduct}=="([\w|]+)", ENV{BODYCAM_ALLOWED}="1"$',
        rules,
    )
    listed = {f"{vendor}:{one}" for vendor, products in allowed for one in products.split("|")}
    assert listed == set(BUILT_IN_USB)


def test_every_shipped_file_is_in_the_table_of_the_readme() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    shipped = {p.name for p in FOLDER.iterdir()} - {"README.md", "install.sh"}
    named = {
        name
        for row in re.findall(r"(?m)^\| (`.*?`) \|", readme)
        for name in re.findall("`([^`]+)`", row)
    }
    assert shipped <= named
