"""What is left after a cut: the next start of the recorder on it, and the verifier's answer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from bodycam.anchor import Anchor, Rollback
from bodycam.clock import NS, ClockSource, Instant
from bodycam.configfile import parse, read_text
from bodycam.custody.verify import Report, verify_paths
from bodycam.errors import ExitCode
from bodycam.eventlog import LOG_FILE, EventLog
from bodycam.formats.logline import decode_line
from bodycam.logreplay import Recovered
from bodycam.owed import Interrupted
from bodycam.parts import begin_log, log_origin, recover
from bodycam.provision.identity import Identity
from bodycam.signing import Signer, load_file_key, load_root
from bodycam.store import Store

from .promises import Promise, broken, empty_state_files, untrue

ANCHOR = "anchor"
HONEST = (ExitCode.OK, ExitCode.INCOMPLETE)
SAME_BOOT = "0c5f0000-0000-4000-8000-0000000000b0"


@dataclass(slots=True)
class StillClock:
    """The clock of the boot after: it stands still, so that the same start writes the same bytes."""

    utc_ns: int
    boot_id: str = SAME_BOOT
    now_ns: int = 5 * NS

    def boot_ns(self) -> int:
        return self.now_ns

    def boot_at(self, monotonic_ns: int) -> int:
        return monotonic_ns

    def sample(self) -> Instant:
        return Instant(self.now_ns, self.utc_ns, ClockSource.RTC, 1000)

    def real_s(self, seconds: float) -> float:
        return seconds


@dataclass(frozen=True, slots=True)
class Begun:
    """A recorder that has started, and found what it found."""

    store: Store
    log: EventLog
    recovered: Recovered
    interrupted: Interrupted
    rollback: Rollback | None

    def accuses(self) -> list[str]:
        """What it holds against a card that nobody touched: that lines are missing."""
        said = [] if self.rollback is None else [f"the log is {self.rollback.value} than its mark"]
        if self.recovered.vouched_lines is not None:
            said.append("lines that were signed for are missing")
        return said


@dataclass(frozen=True, slots=True)
class NextStart:
    """The start of a recorder on what is left, up to where it would go on to record."""

    device: str
    signer: Signer
    root: x509.Certificate
    clock: StillClock
    config_path: Path

    def begin(self, folder: Path) -> Begun:
        """As `Supervisor` begins: lock, log, torn tail, recovery, the checkpoint of a start."""
        config = parse({"device": {"id": self.device}}, "next start")
        store = Store(folder, self.clock)
        store.open()
        log = EventLog(store.log, self.clock, log_origin(config), self.signer)
        recovered = log.open()
        rollback = Anchor(folder / ANCHOR, log).judge()
        begin_log(log, recovered, config, read_text(self.config_path), "recorder")
        interrupted = recover(log, recovered, store, self.clock.boot_id)
        log.sync()
        log.checkpoint()
        return Begun(store, log, recovered, interrupted, rollback)

    def start(self, folder: Path) -> Begun:
        """Begin, and be done with it; nothing says that it ended in order."""
        begun = self.begin(folder)
        begun.log.close()
        begun.store.close()
        return begun

    def verify(self, folder: Path) -> Report:
        """The shipped verifier's answer; raises AssertionError unless the camera is found honest."""
        report = verify_paths([folder], self.root)
        if report.exit_code not in HONEST:
            raise AssertionError("; ".join(finding.text for finding in report.findings))
        return report


def next_start(identity: Identity, clock: StillClock, device: str) -> NextStart:
    """The start of the camera with this identity."""
    return NextStart(
        device, load_file_key(identity.identity), load_root(identity.root), clock, identity.root
    )


@dataclass(frozen=True, slots=True)
class Found:
    """What one start or several have said of a store, and which recording is to go on."""

    recoveries: tuple[tuple[str, int, int, str], ...]
    torn: tuple[tuple[str, int], ...]
    going_on: tuple[str | None, str]

    @classmethod
    def by(cls, begun: Begun, folder: Path) -> Found:
        lines = (folder / "log" / LOG_FILE).read_bytes().splitlines()
        said = [(line.ev, line.data) for line in map(decode_line, lines)]
        return cls(
            tuple((d["file"], d["frags"], d["bytes_intact"], d["last"]) for ev, d in said if ev == "recovery"),
            tuple((d["file"], d["bytes"]) for ev, d in said if ev == "log.torn"),
            (begun.interrupted.recording, begun.interrupted.last_box),
        )  # fmt: skip


def judge(start: NextStart, store: Path, promises: Sequence[Promise]) -> None:
    """Every promise is kept, the next start changes no evidence, and the verifier agrees."""
    faults = broken(promises, 1, store) + untrue(store) + empty_state_files(store)
    assert not faults, faults
    before = contents(store / "evidence")
    begun = start.start(store)
    assert begun.accuses() == []
    assert contents(store / "evidence") == before
    start.verify(store)


def contents(folder: Path) -> dict[str, str]:
    """Each file below a folder, and the hash of what is in it."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
