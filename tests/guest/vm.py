"""One guest: QEMU without KVM, with the agent's port, the port of promises, and a console to read.

The guest's clock counts instructions (`-icount`): whatever else this machine does meanwhile, the guest
is a computer of one core and 1000 million instructions a second, about a quarter of a Pi Zero 2. So
what it is promised to do within five seconds can be asked of it, and none of its watchdogs barks
because this machine is busy. While it waits, its clock goes with the wall's.
"""

from __future__ import annotations

import base64
import json
import os
import random
import shlex
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .disk import Disk, Lost

BOOT_S = 900
# The guest's clock does not mind a busy machine, but whoever waits for it must: it runs with what the
# other tiers leave of the processor.
_PATIENCE = 6
# clearcpuid, as the processor's flags below: copying by `rep` was a third of a guest's time, for each
# of its steps is counted.
_KERNEL_WORDS = (
    "console=ttyS0 quiet panic=-1 mitigations=off rodata=off nokaslr audit=0 lsm=capability "
    "tsc=reliable initcall_blacklist=load_system_certificate_list "
    "systemd.show_status=0 systemd.condition-needs-update=0 clearcpuid=rep_good"
)


class GuestError(Exception):
    """The guest did not do what it was asked; the console's end is in the message."""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended in the guest."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Parts:
    """What a guest boots from: the folders of image.sh and qemu.sh, and the disk of project.sh."""

    image: Path
    qemu: Path
    project: Path


class Guest:
    """Boots at once; killed when the block is left, unless it was powered off."""

    def __init__(self, parts: Parts, disk: Disk, words: str = "") -> None:
        self.disk = disk
        self.promises: list[str] = []
        self.booted_s = 0.0
        self._parts, self._words = parts, words
        self._folder = tempfile.TemporaryDirectory(prefix="guest-")
        try:
            self._boot()
        except GuestError as fault:
            # Under emulation a kernel hangs now and then before it has started anything.
            print(f"the guest did not boot; tried once more ({str(fault).splitlines()[0]})")
            self._boot()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            print(self.console())
        self.kill()
        self._lines.close()
        self._agent.close()
        self._folder.cleanup()

    # -- power ------------------------------------------------------------------------------------

    def _boot(self) -> None:
        began = time.monotonic()
        folder = Path(self._folder.name)
        for path in folder.iterdir():
            path.unlink()
        ports = {}
        for name in ("agent", "promises"):
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(str(folder / name))
            listener.listen(1)
            ports[name] = listener
        with (folder / "qemu").open("wb") as messages:
            self._process = subprocess.Popen(
                self._command(folder), stdin=subprocess.DEVNULL, stdout=messages, stderr=messages
            )
        try:
            self._agent, promises = (self._connected(ports[n]) for n in ("agent", "promises"))
            self._lines = self._agent.makefile("rb")
            threading.Thread(target=self._listen, args=(promises,), daemon=True).start()
            self._agent.settimeout(BOOT_S)
            self._receive()
        except (GuestError, OSError) as fault:
            self.kill()
            raise GuestError(f"no boot within {BOOT_S} s: {fault}\n{self.console()}") from fault
        finally:
            for listener in ports.values():
                listener.close()
        self.booted_s = time.monotonic() - began

    def _command(self, folder: Path) -> list[str]:
        parts = self._parts
        library = parts.qemu / "usr/lib/x86_64-linux-gnu"
        disk = f"driver=nbd,node-name=card,server.type=unix,server.path={self.disk.socket_path}"
        options = f"""
            -L {parts.qemu}/usr/share/qemu -L {parts.qemu}/usr/share/seabios
            -machine q35 -accel tcg -icount shift=0 -rtc base=utc,clock=vm
            -cpu max,-erms,-fsrm,-fsrs,-fzrm,-avx,-avx2 -smp 1 -m 1024
            -nodefaults -display none -no-reboot -serial file:{folder}/console
            -kernel {parts.image}/vmlinux -initrd {parts.image}/initrd
            -drive if=none,id=system,file={parts.image}/root.img,format=raw,readonly=on
            -device virtio-blk-pci,drive=system
            -drive if=none,id=project,file={parts.project},format=raw,readonly=on
            -device virtio-blk-pci,drive=project
            -blockdev {disk} -device virtio-blk-pci,drive=card
            -device virtio-serial-pci
            -chardev socket,id=agent,path={folder}/agent
            -device virtserialport,chardev=agent,name=agent
            -chardev socket,id=promises,path={folder}/promises
            -device virtserialport,chardev=promises,name=promises
            -object rng-random,filename=/dev/urandom,id=random -device virtio-rng-pci,rng=random
            -device i6300esb -action watchdog=reset
        """
        return [
            # Whatever becomes of the tests, no guest outlives them.
            "setpriv", "--pdeathsig", "KILL", str(library / "ld-linux-x86-64.so.2"),
            "--library-path", str(library), str(parts.qemu / "usr/bin/qemu-system-x86_64"),
            *shlex.split(options), "-append", f"{_KERNEL_WORDS} {self._words}",
        ]  # fmt: skip

    def _connected(self, listener: socket.socket) -> socket.socket:
        listener.settimeout(30 * _PATIENCE)
        return listener.accept()[0]

    def kill(self) -> None:
        """SIGKILL. Idempotent."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def cut_power(self, dice: random.Random) -> Lost:
        """Kill the guest, and its card's cache with it."""
        self.kill()
        return self.disk.cut(dice)

    def power_off(self) -> None:
        """Shut down in order, as systemd does it."""
        self._ask({"run": ["systemctl", "--no-block", "poweroff"], "timeout_s": 30}, 30 * _PATIENCE)
        self._process.wait(120 * _PATIENCE)

    def console(self) -> str:
        """The end of what the guest said on its console, and QEMU's own messages."""
        said = ""
        for name in ("console", "qemu"):
            path = Path(self._folder.name) / name
            if path.exists():
                text = path.read_text(encoding="utf-8", errors="replace")
                said += f"-- {name}\n{text[-3000:]}\n"
        return said

    # -- the agent --------------------------------------------------------------------------------

    def run(self, *argv: str, timeout_s: float = 60, text: str = "", ok: bool = True) -> Done:
        """Run a command as root. Unless `ok` is false, one that fails is a failure of the test."""
        said = self._ask(
            {"run": argv, "input": text, "timeout_s": timeout_s}, (timeout_s + 60) * _PATIENCE
        )
        done = Done(said["code"], said["out"], said["err"])
        if ok and done.code:
            raise GuestError(f"{shlex.join(argv)}: exit {done.code}\n{done.out}\n{done.err}")
        return done

    def read(self, path: str, start: int = 0) -> bytes:
        """What a file holds from that byte on."""
        return base64.b64decode(self._ask({"read": path, "from": start}, 60 * _PATIENCE)["base64"])

    def write(self, path: str, data: bytes) -> None:
        """Replace a file, such as a pin's pull."""
        self._ask({"write": path, "base64": base64.b64encode(data).decode("ascii")}, 60 * _PATIENCE)

    def until(self, what: str, holds: Callable[[], bool], seconds: float = 60) -> None:
        """Wait for a fact, so long or some times as long; the failure says which one never came."""
        deadline = time.monotonic() + seconds * _PATIENCE
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds * _PATIENCE} s: {what}")
            time.sleep(0.1)

    def _ask(self, asked: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        self._agent.settimeout(timeout_s)
        self._agent.sendall(json.dumps(asked).encode() + b"\n")
        said = self._receive()
        if "error" in said:
            raise GuestError(f"{asked}: {said['error']}")
        return said

    def _receive(self) -> dict[str, Any]:
        line = self._lines.readline()
        if not line.endswith(b"\n"):
            raise GuestError("the guest has hung up")
        return dict(json.loads(line))

    def _listen(self, promises: socket.socket) -> None:
        with promises, promises.makefile("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    self.promises.append(line.decode().rstrip("\n"))


def prepare(folder: Path, src: Path) -> Parts:
    """Make what is not there yet, and the disk of this checkout."""
    project = folder / "project.img"
    environment = {**os.environ, "PYTHON": "python3"}

    def made(*command: str) -> str:
        done = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, env=environment
        )
        return done.stdout.strip()

    tiers = src / "tests" / "tiers"
    image, qemu = Path(made(str(tiers / "image.sh"))), Path(made(str(tiers / "qemu.sh")))
    made(str(src / "tests" / "guest" / "project.sh"), str(project))
    return Parts(image, qemu, project)
