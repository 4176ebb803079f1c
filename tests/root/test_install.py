"""`make install`: onto a card, onto a running camera, and away again."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bodycam import __version__
from bodycam.errors import ExitCode

from .camera import camera_files
from .conftest import ROOT, Boot
from .machine import Machine

UNITS = sorted(
    p.name for kind in ("service", "path", "timer") for p in (ROOT / "systemd").glob(f"*.{kind}")
)


def make(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", "--directory", str(ROOT), *words],
        check=False, capture_output=True, text=True,
    )  # fmt: skip


def everything(root: Path) -> dict[str, bytes]:
    """Each file below a folder and what is in it; links by where they lead."""
    return {
        str(path.relative_to(root)): (
            str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        )
        for path in root.rglob("*")
        if path.is_symlink() or path.is_file()
    }


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """A card with Python's environment on it, for a processor that is not this machine's."""
    root = tmp_path / "card"
    (root / "opt" / "bodycam" / "bin").mkdir(parents=True)
    (root / "opt" / "bodycam" / "pyvenv.cfg").write_text("version = 3.13.5\n", encoding="ascii")
    return root


def test_a_card_gets_program_units_and_configuration_and_loses_them_again(card: Path) -> None:
    before = everything(card)
    done = make("install", f"DESTDIR={card}")
    assert done.returncode == 0, done.stderr
    assert "not compiled" in done.stderr  # it says so: nothing of this card runs here
    found = everything(card)
    site = "opt/bodycam/lib/python3.13/site-packages"
    assert found[f"{site}/bodycam/pins.toml"] == (ROOT / "hardware" / "pins.toml").read_bytes()
    assert (
        f"Version: {__version__}\n".encode()
        in found[f"{site}/bodycam-{__version__}.dist-info/METADATA"]
    )
    assert found["usr/local/bin/bodycam"] == b"/opt/bodycam/bin/bodycam"
    for unit in UNITS:
        assert (
            found[f"usr/local/lib/systemd/system/{unit}"] == (ROOT / "systemd" / unit).read_bytes()
        )
    example = (ROOT / "bodycam.example.toml").read_bytes()
    assert found["etc/bodycam/bodycam.toml"] == example

    own = card / "etc" / "bodycam" / "bodycam.toml"
    own.write_text('[device]\nid = "BC-0042"\n', encoding="utf-8")
    stale = card / site / "bodycam" / "gone.py"
    stale.touch()
    assert make("install", f"DESTDIR={card}").returncode == 0
    assert own.read_text(encoding="utf-8") == '[device]\nid = "BC-0042"\n'
    assert not stale.exists()

    assert make("uninstall", f"DESTDIR={card}").returncode == 0
    after = everything(card)
    assert after.pop("etc/bodycam/bodycam.toml")
    assert after == before


def test_another_prefix_is_for_packages(card: Path) -> None:
    assert make("install", f"DESTDIR={card}", "PREFIX=/usr").returncode == 0
    assert (card / "usr/lib/systemd/system/bodycam.service").exists()
    assert not (card / "usr/local").exists()


def test_without_an_environment_on_the_card_it_says_what_to_do(tmp_path: Path) -> None:
    done = make("install", f"DESTDIR={tmp_path}")
    assert done.returncode != 0
    assert "no Python environment" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_table_of_the_readme_says_where_each_file_goes(card: Path) -> None:
    assert make("install", f"DESTDIR={card}").returncode == 0
    readme = (ROOT / "systemd" / "README.md").read_text(encoding="utf-8")
    told = set()
    for files, target in re.findall(r"(?m)^\| (`.*?`) \| `(.*?)` \|", readme):
        for name in re.findall("`([^`]+)`", files):
            told.add(
                target
                if "." in Path(target).name[1:] and not target.endswith(".d")
                else f"{target}/{name}"
            )
    there = {
        str(path.relative_to(card / "usr" / "local"))
        for path in (card / "usr" / "local" / "lib").rglob("*")
        if path.is_file()
    }
    assert told == there


# -- on systemd's own terms --------------------------------------------------------------------


@contextmanager
def mounted(rootfs: Path, installed: Path, folder: Path) -> Iterator[Path]:
    """The card as a technician has it before its first boot."""
    root = folder / "root"
    for name in ("root", "upper", "work"):
        (folder / name).mkdir()
    options = f"lowerdir={installed}:{rootfs},upperdir={folder}/upper,workdir={folder}/work"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(root)], check=True)
    try:
        yield root
    finally:
        subprocess.run(["umount", str(root)], check=True)


def test_users_and_folders_can_be_made_on_a_card_before_its_first_boot(
    rootfs: Path, installed: Path, tmp_path: Path
) -> None:
    with mounted(rootfs, installed, tmp_path) as root:
        for command in (["systemd-sysusers"], ["systemd-tmpfiles", "--create"]):
            done = subprocess.run(
                [*command, f"--root={root}", "bodycam.conf"],
                check=False, capture_output=True, text=True,
            )  # fmt: skip
            assert (done.returncode, done.stderr.count("bodycam.conf:")) == (0, 0), done.stderr
        users = (root / "etc" / "passwd").read_text(encoding="ascii")
        groups = {
            line.split(":")[0]: line.split(":")[3]
            for line in (root / "etc" / "group").read_text(encoding="ascii").splitlines()
        }
        assert re.search("(?m)^bodycam:.*:/usr/sbin/nologin$", users)
        assert [name for name in ("audio", "gpio", "video") if groups[name] == "bodycam"] == [
            "audio", "gpio", "video",
        ]  # fmt: skip
        assert groups["bodycam"] == "bodycam-offload"
        uid = int(re.findall("(?m)^bodycam:x:([0-9]+):", users)[0])
        store = root / "var" / "lib" / "bodycam"
        owners = {path.name: path.stat().st_uid for path in [store, *store.iterdir()]}
        own = dict.fromkeys(("anchor", "evidence", "lock", "log", "selftest"), uid)
        assert owners == {"bodycam": 0, "identity": 0, **own}


def test_presets_switch_on_the_recorder_and_not_the_network(
    rootfs: Path, installed: Path, tmp_path: Path
) -> None:
    with mounted(rootfs, installed, tmp_path) as root:
        subprocess.run(["systemctl", f"--root={root}", "--quiet", "preset", *UNITS], check=True)
        states = {
            unit: subprocess.run(
                ["systemctl", f"--root={root}", "is-enabled", unit],
                check=False, stdout=subprocess.PIPE, text=True,
            ).stdout.strip()
            for unit in UNITS
        }  # fmt: skip
    assert states == {
        "bodycam.service": "enabled",
        "bodycam-poweroff.path": "static",
        "bodycam-poweroff.service": "static",
        "bodycam-reboot.path": "static",
        "bodycam-reboot.service": "static",
        "bodycam-offload.service": "static",
        "bodycam-offload.timer": "disabled",
    }


def test_debians_systemd_has_no_word_to_say_about_what_is_installed(boot: Boot) -> None:
    with boot() as camera:
        machine = camera.machine
        verified = machine.run(
            "systemd-analyze", "--man=no", "--recursive-errors=yes", "verify", *UNITS
        )
        assert (verified.stdout, verified.stderr) == ("", "")
        rated = machine.run("systemd-analyze", "security", "--threshold=20", "bodycam.service")
        print(rated.stdout.splitlines()[-1])
        rules = machine.run("udevadm", "verify", "/usr/local/lib/udev/rules.d/71-bodycam.rules")
        assert rules.stdout.count("\n") <= 4, rules.stdout
        assert "1 udev rules files have been checked" in rules.stdout
        manager = machine.run("systemctl", "show").stdout.splitlines()
        assert {"RuntimeWatchdogUSec=14s", "RebootWatchdogUSec=14s"} <= set(manager)
        journal = machine.run("systemd-analyze", "cat-config", "systemd/journald.conf").stdout
        assert "Storage=volatile" in journal
        assert list((machine.root / "var" / "log" / "journal").rglob("*.journal*")) == []
        warned = machine.run("journalctl", "--no-pager", "--boot", "--priority=warning").stdout
        assert "bodycam" not in warned


def test_offload_does_nothing_and_says_nothing_until_it_is_configured(boot: Boot) -> None:
    with boot() as camera:
        machine = camera.machine
        machine.run("systemctl", "start", "bodycam-offload.service")
        assert machine.show("bodycam-offload.service", "ConditionResult") == "no"
        assert machine.show("bodycam-offload.service", "ActiveState") == "inactive"
        assert machine.run("systemctl", "--failed", "--quiet", "--no-legend").stdout == ""


def test_on_a_running_camera_it_tells_systemd_and_uninstalling_stops_it(
    rootfs: Path, tmp_path: Path
) -> None:
    assert make("wheel").returncode == 0
    camera_files(tmp_path / "layer")
    binds = [f"{ROOT}:/src"]
    with Machine([tmp_path / "layer", rootfs], tmp_path / "console", binds) as machine:
        wheel = next((ROOT / "dist").glob("bodycam-*.whl")).name
        install = ["env", "EXTRAS=[media,camera]", "/src/systemd/install.sh"]
        machine.run(*install, "install", f"/src/dist/{wheel}")
        machine.run("systemctl", "enable", "--now", "bodycam")
        assert machine.show("bodycam.service", "ActiveState") == "active"
        assert machine.show("bodycam-poweroff.path", "ActiveState") == "active"
        stop = machine.run("bodycam", "status", check=False)
        assert stop.returncode == ExitCode.OK, stop.stdout
        done = machine.run(*install, "uninstall")
        assert "kept: /etc/bodycam/bodycam.toml" in done.stderr
        assert machine.show("bodycam.service", "LoadState") == "not-found"
        assert machine.run("pgrep", "-f", "bodycam run", check=False).stdout == ""
        assert (machine.root / "var/lib/bodycam/log/events.jsonl").exists()
        assert (machine.root / "var/lib/bodycam/identity/device.key").exists()
