"""Runs inside bodycam.service in the recorder's place and says, as JSON, what it was able to do."""

import ctypes
import errno
import grp
import json
import os
import resource
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_PTRACE, _ATTACH = 101, 16  # x86-64
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_KERNELS_OWN = ("/proc", "/sys")


def attempt(action: Callable[[], object]) -> str:
    try:
        action()
    except OSError as fault:
        return errno.errorcode[fault.errno or 0]
    return "done"


def call(name: str, *arguments: object) -> Callable[[], object]:
    """A function of the C library that answers -1 when it may not."""

    def run() -> None:
        if getattr(_LIBC, name)(*arguments) == -1:
            raise OSError(ctypes.get_errno(), name)

    return run


def make_file(folder: Path) -> None:
    path = folder / ".probe"
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    path.unlink()


def open_file(path: Path, flags: int) -> None:
    os.close(os.open(path, flags))


def writable_places() -> tuple[list[str], list[str]]:
    """Every folder in which a file could be made; every file that could be opened to write."""
    folders, files = [], []
    for name, inner, found in os.walk("/"):
        folder = Path(name)
        inner[:] = [i for i in inner if str(folder / i) not in _KERNELS_OWN]
        if attempt(partial(make_file, folder)) == "done":
            folders.append(name)
        files += [
            str(folder / file)
            for file in found
            if (folder / file).is_file()
            and attempt(partial(open_file, folder / file, os.O_WRONLY)) == "done"
        ]
    return folders, files


def devices() -> dict[str, str]:
    flags = os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY
    return {
        str(path): attempt(partial(open_file, path, flags))
        for path in Path("/dev").rglob("*")
        if stat.S_ISCHR(path.lstat().st_mode) or stat.S_ISBLK(path.lstat().st_mode)
    }


def set_user_bit() -> None:
    path = Path("/tmp/program")
    path.touch()
    path.chmod(0o4755)


def privileges() -> dict[str, str]:
    param = os.sched_param(1)
    return {
        "mount": attempt(call("mount", b"none", b"/tmp", b"tmpfs", 0, None)),
        "new user namespace": attempt(call("unshare", _CLONE_NEWUSER)),
        "new network namespace": attempt(call("unshare", _CLONE_NEWNET)),
        "trace systemd": attempt(call("syscall", _PTRACE, _ATTACH, 1, 0, 0)),
        "real-time scheduling": attempt(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, param)),
        "set the clock": attempt(lambda: time.clock_settime(time.CLOCK_REALTIME, time.time())),
        "set the host's name": attempt(lambda: socket.sethostname("probe")),
        "signal systemd": attempt(lambda: os.kill(1, signal.SIGCONT)),
        "set-user-id bit": attempt(set_user_bit),
        "change root": attempt(lambda: os.chroot("/tmp")),
        "load a module": attempt(call("syscall", 313, -1, b"", 0)),
        "reboot": attempt(call("syscall", 169, 0xFEE1DEAD, 672274793, 0x89ABCDEF, None)),
    }


def open_socket(family: str, kind: int) -> None:
    socket.socket(getattr(socket, f"AF_{family}"), kind).close()


def sockets() -> dict[str, str]:
    raw = ("PACKET", "BLUETOOTH", "NETLINK")
    streams = ("INET", "INET6", "VSOCK", "UNIX")
    return {
        **{name: attempt(partial(open_socket, name, socket.SOCK_RAW)) for name in raw},
        **{name: attempt(partial(open_socket, name, socket.SOCK_STREAM)) for name in streams},
        "ALG": attempt(partial(open_socket, "ALG", socket.SOCK_SEQPACKET)),
    }


def main() -> None:
    folders, files = writable_places()
    status = dict(
        line.split(":\t", 1) for line in Path("/proc/self/status").read_text("ascii").splitlines()
    )
    json.dump({
        "folders": folders, "files": files, "devices": devices(), "privileges": privileges(),
        "sockets": sockets(), "status": status, "cwd": str(Path.cwd()),
        "groups": sorted(grp.getgrgid(gid).gr_name for gid in os.getgroups()),
        "processes": sum(p.name.isdigit() for p in Path("/proc").iterdir()),
        "network": Path("/proc/self/ns/net").stat().st_ino,
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "locked": resource.getrlimit(resource.RLIMIT_MEMLOCK),
        "identity": attempt(lambda: Path("/var/lib/bodycam/identity/device.key").read_bytes()),
        "clock": attempt(lambda: time.clock_gettime(time.CLOCK_BOOTTIME)),
    }, sys.stdout)  # fmt: skip


if __name__ == "__main__":
    main()
