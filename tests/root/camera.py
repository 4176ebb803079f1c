"""A camera in a container: switched by hand inside, its log and its status read from outside."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from bodycam.clock import SystemClock
from bodycam.errors import ExitCode
from bodycam.provision.identity import make_identity
from tests.rig import NEVER_GIVEN

from .machine import Machine

CONFIG = """\
[device]
id = "BC-0001"
[store]
min_free_mib = 1
[camera]
source = "synthetic"
width = 320
height = 180
bitrate_kbps = 600
gop_ms = 500
[audio]
source = "synthetic"
[pre_record]
seconds = 2
[recording]
post_record_s = 0
segment_s = 5
[switch]
off_stable_ms = 60
[gpio]
backend = "simulated"
"""


def camera_files(layer: Path) -> None:
    """What a technician puts on a card after `make install`: configuration and identity."""
    (layer / "etc" / "bodycam").mkdir(parents=True)
    (layer / "etc" / "bodycam" / "bodycam.toml").write_text(CONFIG, encoding="utf-8")
    made = make_identity(layer / "made", "BC-0001", SystemClock().sample().utc_ns)
    (layer / "var" / "lib" / "bodycam").mkdir(parents=True)
    made.identity.rename(layer / "var" / "lib" / "bodycam" / "identity")
    (layer / "root").mkdir()
    shutil.copy(made.root, layer / "root" / "root.pem")
    shutil.rmtree(layer / "made")


class Camera:
    """The recorder as bodycam.service runs it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.store = machine.root / "var" / "lib" / "bodycam"

    @property
    def pid(self) -> int:
        """The recorder's process, as the machine numbers it; 0 while there is none."""
        return int(self.machine.show("bodycam.service", "MainPID"))

    @property
    def restarts(self) -> int:
        return int(self.machine.show("bodycam.service", "NRestarts"))

    def start(self) -> None:
        """Start the service; done when the recorder has said that it is ready."""
        self.machine.run("systemctl", "start", "bodycam.service")

    def press(self, active: bool) -> None:
        """Throw the record switch, which stays where it is put."""
        self.machine.run("bodycam", "pins", "set", "record", "1" if active else "0")

    def status(self) -> dict[str, Any]:
        path = self.machine.root / "run" / "bodycam" / "status.json"
        return dict(json.loads(path.read_text(encoding="utf-8")))

    def until_shown(self, **facts: object) -> None:
        """Wait until the status says so; one that an earlier life of the recorder left is none."""

        def shown() -> bool:
            status = self.status()
            return status["pid"] == self.pid and facts.items() <= status.items()

        self.machine.until(f"a status of {facts}", shown)

    def log(self) -> list[dict[str, Any]]:
        raw = (self.store / "log" / "events.jsonl").read_bytes()
        return [json.loads(line) for line in raw.split(b"\n")[:-1]]

    def events(self, ev: str) -> list[dict[str, Any]]:
        return [line for line in self.log() if line["ev"] == ev]

    def until_logged(self, ev: str, count: int = 1, seconds: float = 20) -> dict[str, Any]:
        self.machine.until(f"{count} x {ev}", lambda: len(self.events(ev)) >= count, seconds)
        return self.events(ev)[count - 1]

    def verify(self, *words: str) -> tuple[int, str]:
        """The shipped verifier's answer, given inside: exit code, and what it said."""
        command = ["bodycam", "verify", "/var/lib/bodycam", "--trust", "/root/root.pem", *words]
        done = self.machine.run(*command, check=False)
        return done.returncode, done.stdout + done.stderr

    def check_whole(self) -> None:
        """The verifier finds nothing but such pictures as the camera never gave (Rig.check_whole)."""
        code, said = self.verify("--json")
        found = [finding["text"] for finding in json.loads(said)["findings"]]
        assert [text for text in found if not text.endswith(NEVER_GIVEN)] == []
        assert code == (ExitCode.INCOMPLETE if found else ExitCode.OK), said
