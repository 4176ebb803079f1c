"""What the recorder's unit really lets its program do: a probe runs in the recorder's place.

It runs under the shipped unit, of which nothing is changed but the program, once as the recorder's
user and once as root: then only the unit holds it back.
"""

from __future__ import annotations

import json
import resource
import shutil
from pathlib import Path
from typing import Any

import pytest

from .conftest import Boot

_DROP_IN = """\
[Service]
Type=oneshot
Restart=no
WatchdogSec=0
ExecStart=
ExecStart=/opt/bodycam/bin/python /usr/local/lib/probe.py
StandardOutput=truncate:/answer.json
User={user}
"""
_ITS_OWN = {"/run/bodycam", "/tmp", "/var/tmp"}
_STORE = {"/var/lib/bodycam/evidence", "/var/lib/bodycam/log", "/var/lib/bodycam/anchor"}
_CAP_SYS_RESOURCE = 24


@pytest.fixture(scope="module", params=["bodycam", "root"])
def answer(request: pytest.FixtureRequest, boot: Boot) -> dict[str, Any]:
    """What the probe was able to do as this user, with the facts of the machine beside it."""
    user = str(request.param)

    def probe(layer: Path) -> None:
        folder = layer / "etc" / "systemd" / "system" / "bodycam.service.d"
        folder.mkdir(parents=True)
        (folder / "probe.conf").write_text(_DROP_IN.format(user=user), encoding="utf-8")
        (layer / "usr" / "local" / "lib").mkdir(parents=True)
        shutil.copy(Path(__file__).with_name("probe.py"), layer / "usr" / "local" / "lib")

    with boot(probe, binds=["/dev/loop-control"]) as camera:
        machine = camera.machine
        machine.until(
            "the probe", lambda: machine.show("bodycam.service", "ExecMainExitTimestamp") != ""
        )
        raw = (machine.root / "answer.json").read_text(encoding="utf-8")
        assert raw, machine.journal("bodycam.service")
        found: dict[str, Any] = json.loads(raw)
        found["user"] = user
        found["machine's network"] = int(
            machine.run("stat", "--dereference", "--format=%i", "/proc/1/ns/net").stdout
        )
        return found


def test_it_writes_only_where_it_must(answer: dict[str, Any]) -> None:
    # Root may do in /dev what the modes there allow; of nodes it can make none.
    folders = {
        name for name in answer["folders"] if answer["user"] == "bodycam" or name[:4] != "/dev"
    }
    if answer["user"] == "bodycam":
        assert folders == {*_ITS_OWN, *_STORE}
        assert answer["files"] == ["/var/lib/bodycam/lock"]
    else:
        # Without capabilities, root may not write what belongs to another.
        assert folders == _ITS_OWN
        assert all(name.startswith("/dev/std") for name in answer["files"])


def test_it_has_no_network(answer: dict[str, Any]) -> None:
    done = {name for name, result in answer["sockets"].items() if result == "done"}
    assert done == {"UNIX", "NETLINK"}
    assert set(answer["sockets"].values()) == {"done", "EAFNOSUPPORT"}
    assert answer["network"] != answer["machine's network"]


def test_it_opens_only_the_camera_s_devices(answer: dict[str, Any]) -> None:
    opened = {name for name, result in answer["devices"].items() if result == "done"}
    everybodys = {"full", "null", "random", "urandom", "zero", "pts/ptmx"}
    assert opened == {f"/dev/{name}" for name in everybodys}
    assert answer["devices"]["/dev/net/tun"] == "EPERM"
    if answer["user"] == "root":
        assert answer["devices"]["/dev/loop-control"] == "EPERM"


def test_it_has_no_privileges(answer: dict[str, Any]) -> None:
    # Root may signal a process of root's.
    done = {name for name, result in answer["privileges"].items() if result == "done"}
    assert done == ({"signal systemd"} if answer["user"] == "root" else set())
    status = answer["status"]
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {
        "0" * 16
    }
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert answer["processes"] == 1  # it sees itself only
    assert answer["core"] == [0, 0]


def test_it_has_what_it_needs(answer: dict[str, Any]) -> None:
    assert answer["cwd"] == "/run/bodycam"  # lgpio makes its FIFOs there
    assert answer["groups"] == ["audio", "bodycam", "gpio", "video"]
    assert answer["clock"] == "done"
    assert answer["identity"] == ("done" if answer["user"] == "bodycam" else "EACCES")
    assert answer["locked"] == [_locked_memory()] * 2


def test_recorder_and_camera_process_are_held_alike(boot: Boot) -> None:
    with boot() as camera:
        machine = camera.machine
        machine.until_state("bodycam.service", "active")
        machine.until("a camera process", lambda: bool(camera.status()["worker_pid"]))
        uid = machine.run("id", "--user", "bodycam").stdout.strip()
        for pid in (camera.pid, camera.status()["worker_pid"]):
            text = machine.run("cat", f"/proc/{pid}/status").stdout
            status = dict(line.split(":\t", 1) for line in text.splitlines())
            assert status["Uid"].split() == [uid] * 4
            assert (status["CapEff"], status["CapBnd"]) == ("0" * 16, "0" * 16)
            assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        mounts = machine.run("cat", f"/proc/{camera.pid}/mountinfo").stdout
        root = next(line for line in mounts.splitlines() if line.split()[4] == "/")
        assert root.split()[5].startswith("ro")


def _locked_memory() -> int:
    """Without limit, if the machine that tests may give that away itself."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    capabilities = int(status.partition("CapEff:")[2].split()[0], 16)
    if capabilities >> _CAP_SYS_RESOURCE & 1:
        return resource.RLIM_INFINITY
    return resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
