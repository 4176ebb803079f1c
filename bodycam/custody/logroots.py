"""Compares the event log with everything that was signed about it: check 13 of `verify`.

| statement                        | and the log                | answer                            |
|----------------------------------|----------------------------|-----------------------------------|
| checkpoint, or a fragment's head | is shorter                 | altered: cut                      |
| what a witness or TSA saw        | is shorter                 | altered: rolled back              |
| any                              | has another root           | altered: two histories            |
| a checkpoint of another camera   | whatever it holds          | altered: spliced                  |
| the checkpoint beside it         | has gone on long since     | incomplete: checkpoint replayed   |
| none                             | has lines                  | untrusted; after the last: incomplete |

A camera signs only for lines that are durable, so a power cut explains none of the first four.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..certificates import SigningTime, Trust, TrustPolicy
from ..checkpointfile import AHEAD, CHECKPOINT_FILE
from ..clock import NS, utc_from_text, utc_text
from ..errors import EvidenceError
from ..formats.checkpoint import (
    MAX_CHECKPOINT_BYTES,
    Checkpoint,
    WitnessKey,
    cosigned_at,
    parse_checkpoint_unverified,
)
from ..formats.logline import decode_line
from .findings import Check, Verdict
from .logcheck import LogCheck
from .logfacts import LineTime, LogAnswer, LogFacts, Vouched
from .logkeys import Chain, LogKeys, chains_beside

WITNESSED_FILE = "checkpoint.witnessed"
TIMESTAMPS = "timestamps"
MAX_TOKEN_BYTES = 64 * 1024
_MAX_TIMESTAMPS = 1000
_MAX_AHEAD = 100
# A checkpoint is written every 60 s; one may be missed for a stalled card.
_CHECKPOINT_AGE_NS = 150 * NS


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A fragment's signed word of how long the log was, and its root."""

    size: int
    root: str
    where: str
    trusted: bool


@dataclass(frozen=True, slots=True)
class OutsideWord:
    """What people other than the camera hold of its log, and whom to believe.

    `stamped_at(token, message)` gives the time of an RFC 3161 token in ns, or raises EvidenceError.
    """

    notes: tuple[tuple[str, bytes], ...] = ()
    witnesses: tuple[WitnessKey, ...] = ()
    stamped_at: Callable[[bytes, bytes], tuple[str, int]] | None = None


@dataclass(frozen=True, slots=True)
class _Note:
    label: str
    note: Checkpoint
    outside: bool
    stamp: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class _At:
    """When the last of so many lines was written."""

    when: SigningTime
    line: LineTime | None


class LogRootCheck:
    """Judges one log whose lines were read already."""

    def __init__(
        self, log: LogCheck, chains: Iterable[Chain], heads: Sequence[SignedHead],
        policy: TrustPolicy, outside: OutsideWord,
    ) -> None:  # fmt: skip
        self._log, self._found = log, log.found
        self._facts: LogFacts = log.facts
        self._folder: Path = log.path.parent
        self._policy, self._outside = policy, outside
        self._heads = heads
        self._chains = frozenset(chains)
        self._keys = LogKeys(self._chains)
        self._roots: dict[int, str] = {}
        self._at: dict[int, _At] = {}

    def run(self) -> LogFacts:
        """(13) What was signed about the log is true of it, and something was."""
        facts = self._facts
        for chain in chains_beside(self._log.path, facts, self._policy, self._found):
            self._keys.add(chain)
        notes = self._notes()
        own = next((n.note for n in notes if n.label == CHECKPOINT_FILE), None)
        if own is not None:
            facts.origin, facts.checkpoint_size = own.origin, own.size
        sizes = {n.note.size for n in notes}
        self._roots = self._log.read.roots(sizes | {head.size for head in self._heads})
        self._at = {size: _at(self._log.read.line(size)) for size in sizes & self._roots.keys()}
        for note in notes:
            if self._check_note(note):
                facts.vouched_lines = max(facts.vouched_lines, note.note.size)
        self._check_heads()
        if own is not None:
            self._check_age(own)
        self._judge_vouched(signed=bool(notes))
        facts.findings = self._found.done()
        return facts

    # -- what there is ------------------------------------------------------------------------

    def _notes(self) -> list[_Note]:
        notes: list[_Note] = []
        for name, outside in ((CHECKPOINT_FILE, False), (WITNESSED_FILE, True)):
            data = self._file(self._folder / name, name, MAX_CHECKPOINT_BYTES)
            self._take_note(notes, name, data, outside=outside)
        for path in sorted(self._folder.glob(f"{AHEAD}*"))[:_MAX_AHEAD]:
            data = self._file(path, path.name, MAX_CHECKPOINT_BYTES)
            self._take_note(notes, path.name, data, outside=False)
        for label, data in self._outside.notes:
            self._take_note(notes, label, data, outside=True)
        for path in sorted((self._folder / TIMESTAMPS).glob("*.tsr"))[:_MAX_TIMESTAMPS]:
            self._take_stamped(notes, path)
        return notes

    def _take_note(
        self, notes: list[_Note], label: str, data: bytes | None, *, outside: bool,
        stamp: tuple[str, int] | None = None,
    ) -> None:  # fmt: skip
        if data is None:
            return
        try:
            notes.append(_Note(label, parse_checkpoint_unverified(data), outside, stamp))
        except EvidenceError as fault:
            self._found.altered(Check.LOG_ROOT, label, fault.message)

    def _take_stamped(self, notes: list[_Note], path: Path) -> None:
        label = f"{TIMESTAMPS}/{path.name}"
        token = self._file(path, label, MAX_TOKEN_BYTES)
        data = self._file(path.with_suffix(".note"), label, MAX_CHECKPOINT_BYTES)
        if token is None:
            return
        if self._outside.stamped_at is None:
            self._facts.stamps_not_read += 1
            return
        if data is None:
            self._found.incomplete(
                Check.LOG_ROOT, label, "the checkpoint that it stamps is missing: *.note beside it"
            )
            return
        try:
            stamp = self._outside.stamped_at(token, data)
        except EvidenceError as fault:
            self._found.add(Check.LOG_ROOT, fault_verdict(fault), label, fault.message)
            return
        self._take_note(notes, label, data, outside=True, stamp=stamp)

    def _file(self, path: Path, label: str, limit: int) -> bytes | None:
        if not path.exists():
            return None
        try:
            with path.open("rb") as file:
                return file.read(limit + 1)
        except OSError as fault:
            self._found.add(Check.LOG_ROOT, Verdict.UNREADABLE, label, str(fault.strerror))
            return None

    # -- one checkpoint -----------------------------------------------------------------------

    def _check_note(self, held: _Note) -> bool:
        """Whether the note is trusted and true of this log."""
        note, place = held.note, held.label
        when = self._at[note.size].when if note.size in self._at else SigningTime()
        try:
            judged = self._keys.judge(note, self._policy, when)
        except EvidenceError:
            self._found.altered(Check.LOG_ROOT, place, "the checkpoint's signature does not hold")
            return False
        signer = judged[0] if judged else None
        if judged is None:
            self._found.add(
                Check.LOG_ROOT, Verdict.UNTRUSTED, place,
                "is signed by a key whose certificate is not among what was given: "
                "verify the log together with its recordings",
            )  # fmt: skip
        elif judged[0].trust is not Trust.TRUSTED and judged[1] not in self._chains:
            # Of a chain that a segment carries, that segment's own finding says so.
            self._found.add(
                Check.LOG_ROOT, Verdict.UNTRUSTED, place,
                f"is signed, but the signer is not trusted ({judged[0].detail})",
            )  # fmt: skip
        if not self._same_camera(note, place, signer.device if signer else ""):
            return False
        seen = self._seen_by(held)
        holds = self._check_root(note.size, note.root.hex(), place, seen)
        return holds and signer is not None and signer.trust is Trust.TRUSTED

    def _same_camera(self, note: Checkpoint, place: str, signer: str) -> bool:
        facts = self._facts
        names = {
            "its signer": signer, "the log": facts.device,
            "the log's own checkpoint": facts.origin.rpartition("/")[2],
        }  # fmt: skip
        wrong = [f"{who} is {name}" for who, name in names.items() if name not in ("", note.device)]
        if not wrong:
            return True
        facts.answer(LogAnswer.SPLICED)
        self._found.altered(
            Check.LOG_ROOT, place,
            f"is a checkpoint of {note.origin}, but {wrong[0]}: parts of two cameras",
        )  # fmt: skip
        return False

    def _seen_by(self, held: _Note) -> str:
        """Who outside of the camera had this checkpoint, and when; "" for the camera's own."""
        words = []
        for witness in self._outside.witnesses:
            try:
                at_s = cosigned_at(held.note, witness)
            except EvidenceError as fault:
                self._found.altered(Check.LOG_ROOT, held.label, fault.message)
                continue
            if at_s is not None:
                words.append((witness.name, at_s * NS))
        if held.stamp is not None:
            words.append(held.stamp)
        for name, at_ns in words:
            self._facts.vouched_by.append(Vouched(name, utc_text(at_ns), held.note.size))
        if not words:
            return "somebody outside of the camera" if held.outside else ""
        return ", ".join(f"{name} at {utc_text(at_ns)}" for name, at_ns in words)

    # -- roots --------------------------------------------------------------------------------

    def _check_heads(self) -> None:
        lines = self._facts.lines
        beyond = [head for head in self._heads if head.size > lines]
        for head in self._heads:
            if (
                head.size <= lines
                and self._check_root(head.size, head.root, head.where, "")
                and (head.trusted)
            ):
                self._facts.vouched_lines = max(self._facts.vouched_lines, head.size)
        if beyond:
            # Each later fragment says the same: the one that knew most stands for them.
            most = max(beyond, key=lambda head: head.size)
            self._check_root(most.size, most.root, most.where, "")

    def _check_root(self, size: int, root: str, where: str, seen_by: str) -> bool:
        facts = self._facts
        if size > facts.lines:
            self._short(size, where, seen_by)
            return False
        if size == 0 or self._roots[size] == root:
            return True
        if not self._log.bad_line:
            facts.answer(LogAnswer.TWO_HISTORIES)
            self._found.altered(
                Check.LOG_ROOT, where,
                f"the first {size} lines of the log are not those that it vouches for: "
                "there are two histories, and this is the other one",
            )  # fmt: skip
        return False

    def _short(self, size: int, where: str, seen_by: str) -> None:
        facts = self._facts
        missing = f"{size - facts.lines} lines are missing behind line {facts.lines}"
        if seen_by:
            facts.answer(LogAnswer.ROLLED_BACK)
            text = f"the log was rolled back: {seen_by} saw {size} lines, {missing}"
        else:
            facts.answer(LogAnswer.CUT)
            text = f"the log was cut: this vouches for {size} lines, {missing}"
        self._found.altered(Check.LOG_ROOT, where, text)

    # -- age and coverage ---------------------------------------------------------------------

    def _check_age(self, own: Checkpoint) -> None:
        facts = self._facts
        covered, last, began = self._at.get(own.size), facts.last_line, facts.boot_began
        if covered is None or covered.line is None or last is None or own.size >= facts.lines:
            return
        since_ns = covered.line.logged_ns
        if covered.line.boot != last.boot:
            if began is None or began.boot != last.boot:
                return
            since_ns = began.logged_ns
        age_ns = last.logged_ns - since_ns
        if facts.last_ev == "shutdown":
            text = "the camera signed a later one when it shut down"
        elif age_ns > _CHECKPOINT_AGE_NS:
            text = f"the log went on for {age_ns // NS} s, and the camera signs every 60 s"
        else:
            return
        facts.answer(LogAnswer.CHECKPOINT_REPLAYED)
        self._found.incomplete(
            Check.LOG_ROOT, CHECKPOINT_FILE,
            f"is an old one, of {own.size} lines: {text}. It was put back, or the later one was "
            "never written",
        )  # fmt: skip

    def _judge_vouched(self, *, signed: bool) -> None:
        facts = self._facts
        if self._log.bad_line or facts.vouched_lines >= facts.lines:
            return
        if facts.vouched_lines:
            self._found.incomplete(
                Check.LOG_ROOT, f"line {facts.vouched_lines + 1}",
                f"lines {facts.vouched_lines + 1} to {facts.lines} are chained, but not signed by "
                "any checkpoint yet",
            )  # fmt: skip
        elif not signed:
            self._found.add(
                Check.LOG_ROOT, Verdict.UNTRUSTED, CHECKPOINT_FILE,
                "is missing: the log is chained, but nobody signed it",
            )  # fmt: skip


def fault_verdict(fault: EvidenceError) -> Verdict:
    """A token of an unknown TSA is not trusted; one that does not fit its checkpoint is altered."""
    return Verdict.UNTRUSTED if isinstance(fault, UntrustedStamp) else Verdict.ALTERED


class UntrustedStamp(EvidenceError):
    """A time stamp that no TSA under the given root issued."""


def _at(line: bytes | None) -> _At:
    try:
        said = decode_line(line or b"")
        when = SigningTime.of(utc_from_text(said.utc), str(said.clk), int(said.unc_ms))
        return _At(when, LineTime(said.boot, int(said.logged_ns)))
    except (EvidenceError, TypeError, ValueError, OverflowError):
        return _At(SigningTime(), None)
