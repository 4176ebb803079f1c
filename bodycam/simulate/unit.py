"""A simulated camera on a laptop: its folder, its keys, its configuration, its daemon.

Stands in for systemd too: it listens for READY and starts the recorder again when it dies.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..camera.mishaps import Mishap, MishapKind, write_mishaps
from ..clock import MS, NS, ClockSource, ScaledClock, SystemClock
from ..configfile import parse
from ..errors import BodycamError, ConfigError, DeviceError
from ..powerguard import OFF_FILE
from ..provision.identity import make_identity
from ..tomltext import to_toml
from .sysfs import set_file

_RESTART_S = 0.1
_OFF_POLL_S = 0.02
_READY_S = 30.0
_START_LIMIT = 5
_QUICK_NS = 500 * MS
# As bodycam.service has them: WatchdogSec= and TimeoutAbortSec=.
WATCHDOG_S = 5
ABORT_S = 1
# What a healthy unit's kernel shows, beside what a scenario sets.
_SYSFS: dict[str, int | str] = {
    "class/watchdog/watchdog0/identity": "simulated",
    "class/watchdog/watchdog0/state": "active",
    "class/watchdog/watchdog0/timeout": 14,
    "class/rtc/rtc0/hctosys": 1,
}
_BASE: dict[str, dict[str, Any]] = {
    "device": {"id": "BC-0001", "force": "demo-force"},
    "camera": {"source": "synthetic", "width": 640, "height": 360, "bitrate_kbps": 1500},
    "audio": {"source": "synthetic"},
    "recording": {"post_record_s": 2, "segment_s": 10, "fragment_ms": 300},
    "pre_record": {"seconds": 10},
    "store": {"min_free_mib": 1},
    "watchdog": {"heartbeat_s": 10},
}


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        before = merged.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            merged[key] = _merge(before, value)
        else:
            merged[key] = value
    return merged


class Unit:
    """One camera in a folder: `camera/` is its card, `authority/` is what the force keeps.

    `environment` is added to the recorder's own. `overrides["simulate"]` may have the `utc_offset_ns` and
    the `source` that its clock begins with. `watched`, set before it is started: a recorder that does
    not feed its watchdog is aborted, as by systemd.
    """

    def __init__(
        self,
        out: Path,
        overrides: dict[str, Any],
        speed: float,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.out = out
        self._environment = dict(environment or {})
        self.card = out / "camera"
        self.runtime = out / "run"
        self.anchor = out / "anchor"
        self.sysfs = out / "sysfs"
        self.config_path = out / "bodycam.toml"
        self.last_good_path = out / "last-good.toml"
        self.socket_path = self.runtime / "pins.sock"
        self.status_path = self.runtime / "status.json"
        self.root_path = out / "authority" / "root.pem"
        self._mishaps_path = out / "mishaps.json"
        self._mishaps: list[Mishap] = []
        system = self._system = SystemClock()
        now = system.sample()
        boot_ns = now.boot_ns
        told = overrides.get("simulate", {})
        offset_ns = int(told.get("utc_offset_ns", now.offset_ns))
        source = ClockSource(told.get("source", ClockSource.NTP.value))
        self.clock = ScaledClock(speed, boot_ns, offset_ns, system.boot_id, source)
        tree = _merge(_BASE, overrides)
        tree = _merge(tree, {
            "store": {
                "path": str(self.card), "runtime": str(self.runtime), "anchor": str(self.anchor)
            },
            "identity": {"path": str(out / "identity")},
            "power": {"sysfs": str(self.sysfs)},
            "gpio": {"backend": "simulated"},
            "simulate": {
                "speed": float(speed), "origin_ns": boot_ns, "utc_offset_ns": offset_ns,
                "boot_id": self.clock.boot_id, "source": source.value,
                "mishaps": str(self._mishaps_path),
            },
        })  # fmt: skip
        self.config = parse(tree, "scenario [config]")
        self._tree = tree
        self._process: subprocess.Popen[bytes] | None = None
        self._ending = False
        self._lock = threading.Lock()
        self.ready = threading.Event()
        self._gave_up = threading.Event()
        self.ready_ns: int | None = None
        self.switched_off = False
        self.starts = 0
        self._launched_ns = 0
        self.exit_codes: list[int] = []
        self.messages: deque[str] = deque(maxlen=1000)
        self._notify: socket.socket | None = None
        self._listener = threading.Thread(target=self._listen, daemon=True, name="notify")
        self.watched = False
        self._fed_ns: int | None = None

    def prepare(self) -> None:
        """Make the folders, the keys and the configuration. Raises ConfigError for a used folder."""
        if self.out.exists() and any(self.out.iterdir()):
            raise ConfigError(
                f"{self.out}: not empty", "Name a new folder with --out, or delete this one"
            )
        for folder in (self.card, self.runtime, self.anchor, self.sysfs):
            folder.mkdir(parents=True)
        for name, value in _SYSFS.items():
            self.set_sensor(name, value)
        # Whoever made the camera's certificate had a clock.
        unset = self.clock.source is ClockSource.NONE
        now = (self._system if unset else self.clock).sample()
        make_identity(self.out, self.config.device.id, now.utc_ns)
        self.config_path.write_text(to_toml(self._tree), encoding="utf-8")

    def set_sensor(self, name: str, value: int | str) -> None:
        """Write one file of the simulated sysfs."""
        set_file(self.sysfs, name, value)

    def mishap(self, kind: MishapKind, for_s: float, *, by_ms: int = 0, size: int = 0) -> Mishap:
        """Let the simulated camera do something wrong, from now on for so long."""
        now_ns = self.clock.boot_ns()
        until_ns = now_ns + int(for_s * NS)
        mishap = Mishap(kind=kind, from_ns=now_ns, until_ns=until_ns, by_ns=by_ms * MS, size=size)
        self._mishaps = [m for m in self._mishaps if m.until_ns > now_ns] + [mishap]
        write_mishaps(self._mishaps_path, self._mishaps)
        return mishap

    def heal(self) -> int:
        """The simulated camera does nothing wrong any more; since when, in boot time."""
        self._mishaps = []
        write_mishaps(self._mishaps_path, self._mishaps)
        return self.clock.boot_ns()

    # -- the daemon ---------------------------------------------------------------------------

    def start(self) -> None:
        """Start the daemon and everything that watches over it."""
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(f"\0bodycam-{os.getpid()}-{id(self)}")
        self._listener.start()
        self._launch()
        threading.Thread(target=self._keep, daemon=True, name="keeper").start()
        threading.Thread(target=self._switch_off, daemon=True, name="power-off").start()
        if self.watched:
            threading.Thread(target=self._guard, daemon=True, name="watchdog").start()

    def _launch(self) -> None:
        if self._notify is None:
            raise AssertionError("start() makes the notify socket")
        name = self._notify.getsockname()
        env = {
            **os.environ, **self._environment, "NOTIFY_SOCKET": "@" + name[1:].decode(),
            "WATCHDOG_USEC": str(WATCHDOG_S * 1_000_000),
        }  # fmt: skip
        with (self.out / "recorder.log").open("ab") as messages:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "bodycam", "run", "--config", str(self.config_path),
                    "--last-good", str(self.last_good_path),
                ],
                env=env, stdin=subprocess.DEVNULL, stdout=messages, stderr=messages,
            )  # fmt: skip
        self.starts += 1
        self._launched_ns = self._system.boot_ns()

    def _listen(self) -> None:
        notify = self._notify
        while notify is not None and (message := notify.recv(4096)):
            self.messages.append(message.decode())
            words = message.split(b"\n")
            if b"WATCHDOG=1" in words and self.ready.is_set():
                self._fed_ns = self._system.boot_ns()
            if b"READY=1" in words:
                self.ready_ns = self.clock.boot_ns()
                self.ready.set()

    def _keep(self) -> None:
        # Restart=always, RestartSec=100ms: what the shipped unit asks of systemd.
        quick = 0
        while True:
            process = self._process
            if process is None:
                return
            code = process.wait()
            with self._lock:
                self.exit_codes.append(code)
                if self._ending:
                    return
                quick = quick + 1 if self._system.boot_ns() - self._launched_ns < _QUICK_NS else 0
                self.ready.clear()
                self._fed_ns = None
                if quick >= _START_LIMIT:
                    self._gave_up.set()
                    return
                threading.Event().wait(_RESTART_S)
                self._launch()

    def _guard(self) -> None:
        # WatchdogSec=, then TimeoutAbortSec=: from READY on, as systemd counts it.
        while not self._ending:
            threading.Event().wait(_OFF_POLL_S)
            fed_ns, process = self._fed_ns, self._process
            if fed_ns is None or process is None or process.poll() is not None:
                continue
            if self._system.boot_ns() - fed_ns > WATCHDOG_S * NS:
                self._fed_ns = None
                process.send_signal(signal.SIGABRT)
                try:
                    process.wait(ABORT_S)
                except subprocess.TimeoutExpired:
                    process.kill()

    def _switch_off(self) -> None:
        # bodycam-poweroff.path and .service: the file is there, the system goes down.
        asked = self.runtime / OFF_FILE
        while not self._ending:
            if asked.exists():
                self.switched_off = True
                self.stop()
                return
            threading.Event().wait(_OFF_POLL_S)

    def wait_ready(self) -> int:
        """Boot time at which the recorder said READY. Raises DeviceError if it never does."""
        for _ in range(int(_READY_S * 10)):
            if self.ready.wait(0.1) or self._gave_up.is_set():
                break
        if not self.ready.is_set() or self.ready_ns is None:
            text = (self.out / "recorder.log").read_text(encoding="utf-8", errors="replace")
            raise DeviceError(
                f"the recorder does not get ready: {text.strip()[-500:]}",
                f"See {self.out}/recorder.log",
            )
        return self.ready_ns

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def status(self) -> dict[str, Any]:
        """The daemon's status file."""
        return dict(json.loads(self.status_path.read_text(encoding="utf-8")))

    def signal_recorder(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    @contextmanager
    def down(self) -> Iterator[None]:
        """Kill the recorder; it is started again when the block is left."""
        process = self._process
        if process is None:
            raise DeviceError("no recorder is running")
        with self._lock:
            self.ready.clear()
            process.kill()
            process.wait()
            yield

    def signal_worker(self, number: signal.Signals) -> None:
        pid = self.status()["worker_pid"]
        if pid is None:
            raise DeviceError("no capture worker is running")
        os.kill(int(pid), number)

    def stop(self, *, orderly: bool = True, timeout_s: float = 20.0) -> int:
        """End the daemon, in order or by SIGKILL; its exit code."""
        with self._lock:
            self._ending = True
        process = self._process
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(signal.SIGTERM if orderly else signal.SIGKILL)
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired as fault:
            process.kill()
            process.wait()
            raise BodycamError(
                f"the recorder did not end within {timeout_s:.0f} s of SIGTERM"
            ) from fault
        finally:
            # Whoever switches the camera off may be at it as well.
            with self._lock:
                notify, self._notify = self._notify, None
            if notify is not None:
                # Closed alone it would leave its reader waiting for ever.
                notify.shutdown(socket.SHUT_RD)
                self._listener.join()
                notify.close()
        return code


def mount_card(card: Path, size_mib: int) -> None:
    """Put a real small file system under the card. Needs root, of a namespace at least."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m,mode=0750", "bodycam-card"]
    subprocess.run([*command, str(card)], check=True)


def unmount_card(card: Path) -> None:
    """Take the small file system away again and keep what was on it."""
    kept = card.with_name(card.name + ".kept")
    shutil.copytree(card, kept)
    subprocess.run(["umount", str(card)], check=True)
    card.rmdir()
    kept.rename(card)
