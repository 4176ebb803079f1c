"""The recorder inside a guest: its switch, its log, its service."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

from .vm import Guest

UNIT = "bodycam.service"
CARD = "/var/lib/bodycam"
LOG = f"{CARD}/log/events.jsonl"
RECORD_LINE = "17"


class Recorder:
    """Runs as the shipped unit has it; only its log is believed."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self._log = b""

    # -- service ----------------------------------------------------------------------------------

    def start(self) -> None:
        self.guest.run("systemctl", "start", UNIT)

    def stop(self) -> None:
        self.guest.run("systemctl", "stop", UNIT)

    def show(self, name: str) -> str:
        """A property of the service."""
        return self.guest.run("systemctl", "show", "--value", "-p", name, UNIT).out.strip()

    @property
    def pid(self) -> int:
        return int(self.show("MainPID"))

    @property
    def started_ns(self) -> int:
        """Boot time at which systemd started the program that runs now."""
        return int(self.show("ExecMainStartTimestampMonotonic")) * 1000

    def status(self) -> dict[str, Any]:
        return dict(json.loads(self.guest.read("/run/bodycam/status.json")))

    # -- switch -----------------------------------------------------------------------------------

    def throw(self, *widths_ms: float, line: str = RECORD_LINE) -> list[tuple[int, int]]:
        """Active, inactive, active …, each for so long; boot times around each edge."""
        argv = ["/usr/bin/python3", "/opt/guest/throw.py", line, *map(str, widths_ms)]
        return [(low, high) for low, high in json.loads(self.guest.run(*argv).out)]

    def set_switch(self, on: bool, line: str = RECORD_LINE) -> None:
        self.guest.write(f"/run/gpio/sim_gpio{line}/pull", b"pull-down" if on else b"pull-up")

    # -- log --------------------------------------------------------------------------------------

    def log(self) -> list[dict[str, Any]]:
        self._log += self.guest.read(LOG, len(self._log))
        whole = self._log[: self._log.rfind(b"\n") + 1]
        return [json.loads(line) for line in whole.splitlines()]

    def events(self, ev: str, after: int = -1) -> list[dict[str, Any]]:
        """The lines of that event behind line `after`."""
        return [line for line in self.log() if line["ev"] == ev and line["seq"] > after]

    def last_seq(self) -> int:
        return int(self.log()[-1]["seq"])

    def until_logged(
        self, ev: str, after: int = -1, seconds: float = 120, **data: Any
    ) -> dict[str, Any]:
        """The first line of that event behind line `after` that says so."""

        def found() -> list[dict[str, Any]]:
            return [
                line
                for line in self.events(ev, after)
                if data.items() <= line["data"].items()
            ]  # fmt: skip

        try:
            self.guest.until(f"{ev} {data or ''}", lambda: bool(found()), seconds)
        except AssertionError as fault:
            tail = "\n".join(f"{x['seq']} {x['ev']} {x['data']}"[:300] for x in self.log()[-15:])
            raise AssertionError(f"{fault}\n{tail}") from None
        return found()[0]

    # -- evidence ---------------------------------------------------------------------------------

    def verify(self) -> tuple[int, dict[str, Any]]:
        """What `bodycam verify` says in the guest: its exit code and its answer."""
        done = self.guest.run(
            "bodycam", "verify", CARD, "--trust", f"{CARD}/identity/root.pem", "--json",
            timeout_s=300, ok=False,
        )  # fmt: skip
        return done.code, json.loads(done.out)

    def fetch(self, folder: Path) -> Path:
        """Copy the store to the host, as a dock would; the copy."""
        packed = self.guest.run("sh", "-ec", f"tar -C {CARD} -c evidence log | base64 -w 0").out
        folder.mkdir()
        subprocess.run(["tar", "-C", str(folder), "-x"], input=base64.b64decode(packed), check=True)
        return folder
