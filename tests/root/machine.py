"""A camera's system in a container: its PID 1 is the real systemd, with the units as installed.

The root file system is an overlay whose upper layer is memory: nothing that a machine does is left
when it is gone, and a machine that is killed takes its mounts with it. It has no network, and cgroups
of version 2, as a Pi has them, whatever this machine's own are. systemd may load BPF programs there:
they are how it enforces DeviceAllow=.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

_BOOT_S = 60.0
_COMMAND_S = 60.0
_SCRIPT = """
mount -t tmpfs tmpfs /mnt
mkdir /mnt/up /mnt/work /mnt/root
mount -t overlay overlay -o "lowerdir=$1,upperdir=/mnt/up,workdir=/mnt/work" /mnt/root
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup/$2"
echo $$ > "/sys/fs/cgroup/$2/cgroup.procs"
name=$2
shift 2
systemd-nspawn --machine="$name" --quiet --directory=/mnt/root --register=no --keep-unit --link-journal=no \
    --private-network --capability=CAP_BPF --system-call-filter=bpf --console=pipe --boot "$@"
"""
# A killed container leaves its groups, each with BPF programs, of which there may be only so many.
_SWEEP = """
mount -t cgroup2 cgroup2 /mnt
find "/mnt/$1" -depth -type d -exec rmdir {} +
"""
_OWN_MOUNTS = ["unshare", "--mount", "--propagation", "private"]
_number = itertools.count()


class Machine:
    """One boot of the layers, the first on top; a context that ends it whatever state it is in."""

    def __init__(self, layers: Sequence[Path], console: Path, binds: Sequence[str] = ()) -> None:
        self._layers = ":".join(str(layer) for layer in layers)
        self._console = console
        self._binds = binds
        self._name = f"camera-{os.getpid()}-{next(_number)}"
        self._container: subprocess.Popen[bytes] | None = None
        self._leader = 0

    def __enter__(self) -> Self:
        options = [f"--bind={bind}" for bind in self._binds]
        with self._console.open("wb") as console:
            # Processes of its own: the container dies with the test that made it, however that dies.
            self._container = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *_OWN_MOUNTS, "--pid", "--mount-proc", "--fork",
                 "--kill-child", "sh", "-ec", _SCRIPT, "sh", self._layers, self._name, *options],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console,
            )  # fmt: skip
        try:
            self.until("systemd to answer", self._answers, _BOOT_S)
            self.run("systemctl", "is-system-running", "--wait", check=False)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        container = self._container
        if container is None:
            return
        container.kill()
        container.wait(10)
        self._container = None
        self._sweep()

    def _sweep(self) -> None:
        # Until the last of its processes is gone, a group stays.
        deadline = time.monotonic() + 10
        while subprocess.run(
            [*_OWN_MOUNTS, "sh", "-ec", _SWEEP, "sh", self._name], check=False, capture_output=True
        ).returncode:
            if time.monotonic() > deadline:
                raise AssertionError(f"{self._name}: its processes do not end")
            time.sleep(0.05)

    @property
    def root(self) -> Path:
        """Its root file system, to look at from outside."""
        return Path(f"/proc/{self._leader}/root")

    @property
    def console(self) -> str:
        return self._console.read_text(encoding="utf-8", errors="replace")

    def run(
        self, *command: str, check: bool = True, timeout: float = _COMMAND_S
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as root and outside of every unit."""
        done = subprocess.run(
            ["nsenter", "--target", str(self._leader), "--mount", "--uts", "--ipc", "--net",
             "--pid", "--cgroup", "--root", "--wd", "--", *command],
            check=False, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"{command} → {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def until(self, what: str, holds: Callable[[], bool], seconds: float = 20) -> None:
        """Wait for a fact; the failure says which one never came."""
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s: {what}\n{self._last_words()}")
            time.sleep(0.02)

    def show(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.run("systemctl", "show", "--value", "--property", name, unit).stdout.strip()

    def until_state(self, unit: str, state: str, seconds: float = 20) -> None:
        self.until(f"{unit} {state}", lambda: self.show(unit, "ActiveState") == state, seconds)

    def journal(self, unit: str) -> str:
        """What the unit and systemd said about it since the boot."""
        return self.run("journalctl", "--no-pager", "--output", "cat", "--unit", unit).stdout

    def wait_for_end(self, seconds: float = 60) -> None:
        """Until the machine has switched itself off."""
        if self._container is None:
            raise AssertionError("not booted")
        self._container.wait(seconds)

    def _answers(self) -> bool:
        if self._container is None or self._container.poll() is not None:
            raise AssertionError(f"the container has ended:\n{self.console}")
        if not self._leader:
            self._leader = _leader(self._container.pid)
        return self._leader != 0 and (self.root / "run/systemd/private").exists()

    def _last_words(self) -> str:
        if not self._leader:
            return self.console[-2000:]
        units = self.run("systemctl", "--no-pager", "--failed", check=False).stdout
        journal = self.run("journalctl", "--no-pager", "-n", "40", check=False).stdout
        return f"{units}\n{journal}"


def _leader(pid: int) -> int:
    """The container's PID 1 below `unshare`, as this machine numbers it; 0 while it is not there.

    It is an only child's only child and so on, and the first that is 1 in a second namespace.
    """
    try:
        while True:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
            if len(children) != 1:
                return 0
            pid = int(children[0])
            status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
            numbers = status.partition("NSpid:")[2].split("\n", 1)[0].split()
            if len(numbers) == 3 and numbers[-1] == "1":
                return pid
    except (FileNotFoundError, ProcessLookupError):
        return 0
