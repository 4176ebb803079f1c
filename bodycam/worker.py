"""The capture worker as the recorder sees it: a process to start, to watch, and to kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass

from .buffer import PreRecordBuffer
from .clock import NS, Clock
from .configfile import ConfigText
from .crashloop import CrashLoop
from .errors import DeviceError, ExitCode
from .media import Track
from .sharedring import DESCRIPTOR_BYTES, Descriptor

_PIPE_BYTES = 1 << 16  # what a pipe holds; a larger buffer is mapped anew for each read
# With the start itself, at most 5 s from a camera that is there again to its first picture.
_BACK_OFF_S = (0.0, 0.1, 0.5, 1.0, 2.0, 3.0)
_SETTLED_NS = NS // 2
# It is the machine that loads a library: a faster clock does not shorten that.
_START_GRACE_REAL_S = 10


@dataclass(frozen=True, slots=True)
class Exit:
    """How a life ended: by a signal, or with a code. `loop`: with it, crashes became a loop."""

    sig: int | None
    code: int | None
    loop: bool

    @property
    def reason(self) -> str:
        if self.sig is not None:
            return f"signal {signal.Signals(self.sig).name}"
        return f"exit {self.code}"


class Worker:
    """One life of the worker after another; units go on in the same ring.

    `epoch` counts the lives. One that delivered for half a second is replaced at once; after one
    that did not, the next start waits longer each time. `safe`: begin without what is not needed
    for pictures.
    """

    def __init__(
        self, ring: PreRecordBuffer, clock: Clock, config: ConfigText, *, safe: bool = False
    ) -> None:
        self._ring = ring
        self._clock = clock
        self._config = config
        # Whatever lies in the file by now: a new life of the worker has what the recorder has.
        self._config_fd = os.memfd_create("bodycam-config", os.MFD_CLOEXEC)
        os.write(self._config_fd, config.raw)
        self._process: subprocess.Popen[bytes] | None = None
        self._partial = b""
        self._started_ns = 0
        self._heard_ns = self._heard_first_ns = 0
        self._failures = 0
        self._next_start_ns = 0
        self._loop = CrashLoop(safe=safe)
        self.killed_ns: int | None = None
        self.epoch = 0
        self.pipe_fd = -1
        self.pid_fd = -1

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None

    @property
    def restart_due_ns(self) -> int:
        """When the next life may begin."""
        return self._next_start_ns

    @property
    def safe(self) -> bool:
        """Whether lives that begin now leave out what is not needed for pictures."""
        return self._loop.safe

    @property
    def began_ns(self) -> int:
        """When this life began."""
        return self._started_ns

    def age_ns(self) -> int:
        """How long ago this life began."""
        return self._clock.boot_ns() - self._started_ns

    def retry_now(self) -> None:
        """What made the last lives fail is over: the next one need not wait."""
        self._failures = self._next_start_ns = 0

    def start(self) -> None:
        """Start a life. Raises DeviceError if the process cannot be made."""
        self.epoch += 1
        read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(read_fd, False)
        command = [
            sys.executable, "-m", "bodycam.capture", "--ring-fd", str(self._ring.fd),
            "--pipe-fd", str(write_fd), "--head", str(self._ring.head),
            "--epoch", str(self.epoch), "--config", str(self._config.path),
            "--config-fd", str(self._config_fd),
            *(["--safe"] if self.safe else []),
        ]  # fmt: skip
        started_ns = self._clock.boot_ns()
        try:
            self._process = subprocess.Popen(
                command,
                pass_fds=(self._ring.fd, write_fd, self._config_fd),
                stdin=subprocess.DEVNULL,
            )
        except OSError as fault:
            os.close(read_fd)
            raise DeviceError(f"capture worker cannot be started: {fault}") from fault
        finally:
            os.close(write_fd)
        self.pipe_fd = read_fd
        self.pid_fd = os.pidfd_open(self._process.pid)
        self._partial = b""
        self.killed_ns = None
        self._started_ns = started_ns
        self._heard_ns = self._heard_first_ns = 0

    def receive(self) -> list[Descriptor]:
        """What the worker announced since the last call."""
        try:
            raw = self._partial + os.read(self.pipe_fd, _PIPE_BYTES)
        except BlockingIOError:
            return []
        whole = len(raw) - len(raw) % DESCRIPTOR_BYTES
        self._partial = raw[whole:]
        step = DESCRIPTOR_BYTES
        units = [Descriptor.unpack(raw[i : i + step]) for i in range(0, whole, step)]
        if any(unit.track is Track.VIDEO for unit in units):
            self._heard_ns = self._clock.boot_ns()
            self._heard_first_ns = self._heard_first_ns or self._heard_ns
        return units

    def note_alive(self) -> None:
        """Take it for a sign of life that it had a picture, though none could be announced."""
        self._heard_ns = self._clock.boot_ns()

    def silent_ns(self) -> int:
        """How long no picture was announced, beyond what a start may take.

        Sound is no sign of life: a microphone goes on beside a camera that hangs.
        """
        now_ns = self._clock.boot_ns()
        if not self._heard_ns:
            grace_ns = int(_START_GRACE_REAL_S / self._clock.real_s(1.0) * NS)
            return now_ns - self._started_ns - grace_ns
        return now_ns - self._heard_ns

    def kill(self) -> None:
        """SIGKILL: the worker owns nothing that could be damaged.

        `killed_ns` says since when it should be dead: one in uninterruptible sleep stays.
        """
        if self._process is not None and self.killed_ns is None:
            self._process.kill()
            self.killed_ns = self._clock.boot_ns()

    def reap(self) -> Exit | None:
        """How it ended, once it has, and its descriptors closed."""
        process = self._process
        if process is None or process.poll() is None:
            return None
        os.close(self.pipe_fd)
        os.close(self.pid_fd)
        self.pipe_fd = self.pid_fd = -1
        self._process = None
        now_ns = self._clock.boot_ns()
        delivered = self._heard_first_ns and self._heard_ns - self._heard_first_ns > _SETTLED_NS
        self._failures = 0 if delivered else self._failures + 1
        step = min(self._failures, len(_BACK_OFF_S) - 1)
        self._next_start_ns = now_ns + int(_BACK_OFF_S[step] * NS)
        code = process.returncode
        # Told to end it is no crash; nor is a camera that is not there, and says so.
        crashed = code not in (ExitCode.OK, ExitCode.DEVICE, ExitCode.USAGE)
        loop = crashed and self._loop.died(self._started_ns, now_ns)
        return Exit(-code if code < 0 else None, None if code < 0 else code, loop)

    def stop(self, timeout_s: float) -> bool:
        """End the worker for good: ask, then insist; False if it had to be killed.

        One that not even that ends hangs in the kernel, and is left to whoever ends the machine.
        """
        process = self._process
        if process is None:
            return True
        process.terminate()
        asked = _ended_within(process, timeout_s)
        if not asked:
            process.kill()
            _ended_within(process, timeout_s)
        self.reap()
        return asked


def _ended_within(process: subprocess.Popen[bytes], timeout_s: float) -> bool:
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return False
    return True
