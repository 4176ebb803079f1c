"""Makes and checks proofs about a log: that a line is in it, that it only grew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..boundedfile import read_bounded
from ..certificates import ChainVerdict, SigningTime, Trust, TrustPolicy
from ..checkpointfile import CERTIFICATES, CHECKPOINT_FILE
from ..clock import NS, utc_from_text, utc_text
from ..errors import CannotOpen, ConfigError, EvidenceError
from ..eventlog import LOG_FILE
from ..formats.checkpoint import (
    MAX_CHECKPOINT_BYTES,
    Checkpoint,
    WitnessKey,
    cosigned_at,
    parse_checkpoint_unverified,
)
from ..formats.logline import decode_line
from ..formats.logproof import InclusionProof, LineProof
from ..formats.records import MAX_CERTIFICATES
from ..formats.tlog import consistency_proof, inclusion_proof, leaf_hash, levels_of, root_of
from .logfacts import Vouched, raw_lines
from .logkeys import MAX_CHAIN_BYTES, Chain, LogKeys, read_chain
from .logroots import WITNESSED_FILE


class LogFolder:
    """A log on disk, with what lies beside it. Raises CannotOpen for what cannot be read."""

    def __init__(self, path: Path) -> None:
        below = path / "log"
        folder = below if (below / LOG_FILE).is_file() else path
        self.path = folder / LOG_FILE if folder.is_dir() else folder
        self.folder = self.path.parent
        try:
            lines = [line.data for line in raw_lines(self.path) if line.whole]
        except OSError as fault:
            raise CannotOpen(
                f"{self.path}: {fault.strerror}", "Give a store, its log folder, or events.jsonl"
            ) from fault
        self.lines = lines
        self.leaves = [leaf_hash(line) for line in lines]

    def checkpoint(self, name: str = CHECKPOINT_FILE) -> Checkpoint:
        """The camera's latest checkpoint, or the one that a witness cosigned."""
        return read_note(self.folder / name)

    def latest(self) -> Checkpoint:
        """The latest checkpoint; the witnessed one if it is as late."""
        own = self.checkpoint()
        if not (self.folder / WITNESSED_FILE).exists():
            return own
        witnessed = self.checkpoint(WITNESSED_FILE)
        return witnessed if witnessed.size >= own.size else own

    def chains(self) -> list[Chain]:
        """The chains of the device keys that signed this log's checkpoints."""
        found = []
        for path in sorted((self.folder / CERTIFICATES).glob("*.pem")):
            try:
                found.append(read_chain(_read(path, MAX_CHAIN_BYTES)))
            except EvidenceError as fault:
                raise EvidenceError(f"{path}: {fault.message}") from fault
        return found

    def chain_of(self, note: Checkpoint) -> Chain:
        """The chain of the key that signed the note. Raises EvidenceError if it is not here."""
        for chain in self.chains():
            judged = LogKeys([chain]).judge(note, TrustPolicy(None), SigningTime())
            if judged is not None:
                return judged[1]
        raise EvidenceError(
            f"{self.folder / CERTIFICATES}: no certificate of the key that signed the checkpoint",
            "Copy certificates/ from the camera's log folder",
        )

    def check_root(self, note: Checkpoint, label: str) -> None:
        """Raises EvidenceError unless the log begins with what the note vouches for."""
        if note.size > len(self.lines):
            raise EvidenceError(
                f"{self.path}: has {len(self.lines)} lines, {label} vouches for {note.size}: "
                "the log was cut or rolled back"
            )
        if root_of(self.leaves[: note.size]) != note.root:
            raise EvidenceError(
                f"{self.path}: its first {note.size} lines are not those that {label} vouches "
                "for: two histories"
            )


def read_note(path: Path) -> Checkpoint:
    """A checkpoint file. Raises CannotOpen or EvidenceError."""
    try:
        return parse_checkpoint_unverified(_read(path, MAX_CHECKPOINT_BYTES))
    except EvidenceError as fault:
        raise EvidenceError(f"{path}: {fault.message}") from fault


def _read(path: Path, limit: int) -> bytes:
    data = read_bounded(path, limit, "Check the path")
    if len(data) > limit:
        raise EvidenceError(f"{path}: bigger than {limit} bytes")
    return data


def prove_line(log: LogFolder, line: int) -> LineProof:
    """The proof of a line, numbered from 1 as `verify` does, under the latest checkpoint.

    Raises ConfigError if no checkpoint covers it, EvidenceError if the log is not what was signed.
    """
    size = log.latest().size
    if not 1 <= line <= size:
        raise ConfigError(
            f"log prove: line {line}; the checkpoint covers lines 1 to {size}",
            "A later checkpoint covers later lines",
        )
    return prove_lines(log, [line])[line]


def prove_lines(log: LogFolder, lines: Iterable[int]) -> dict[int, LineProof]:
    """The proofs of those of these lines that the latest checkpoint covers, over one tree.

    Raises EvidenceError if the log is not what was signed.
    """
    note = log.latest()
    log.check_root(note, "its checkpoint")
    covered = [line for line in lines if 1 <= line <= note.size]
    if not covered:
        return {}
    levels = levels_of(log.leaves[: note.size])
    chain = log.chain_of(note)[:MAX_CERTIFICATES]
    proofs = {}
    for line in covered:
        path = InclusionProof(line - 1, tuple(inclusion_proof(levels, line - 1)), note)
        proofs[line] = LineProof(log.lines[line - 1], path, chain)
        proofs[line].check_path()
    return proofs


@dataclass(frozen=True, slots=True)
class ProvenLine:
    """What a proof shows: a line, the camera whose log it is in, and who vouches for that."""

    line: int
    text: str
    origin: str
    lines: int
    signer: ChainVerdict
    vouched_by: tuple[Vouched, ...]

    @property
    def trusted(self) -> bool:
        return self.signer.trust is Trust.TRUSTED


def check_line(
    proof: LineProof, policy: TrustPolicy, witnesses: tuple[WitnessKey, ...] = ()
) -> ProvenLine:
    """Check a proof by itself: path, line, signature, certificates, cosignatures.

    Raises EvidenceError for what does not hold; whether the signer is trusted is in the answer.
    """
    proof.check_path()
    line = decode_line(proof.line)
    note = proof.proof.checkpoint
    if line.seq != proof.proof.index:
        raise EvidenceError(f"line says to be number {line.seq}, not {proof.proof.index}")
    if not proof.certificates:
        raise EvidenceError("the proof carries no certificate: nobody signed this log")
    try:
        when = SigningTime.of(utc_from_text(line.utc), str(line.clk), int(line.unc_ms))
    except (TypeError, ValueError, OverflowError) as fault:
        raise EvidenceError(f"line has no proper time: {fault!r}") from fault
    judged = LogKeys([proof.certificates]).judge(note, policy, when)
    if judged is None:
        raise EvidenceError("the checkpoint is not signed by the certificate in the proof")
    if judged[0].device != note.device:
        raise EvidenceError(
            f"the checkpoint is of {note.origin}, the certificate of {judged[0].device}"
        )
    return ProvenLine(
        proof.proof.index + 1, proof.line.decode("utf-8"), note.origin, note.size, judged[0],
        seen_by(note, witnesses),
    )  # fmt: skip


def seen_by(note: Checkpoint, witnesses: tuple[WitnessKey, ...]) -> tuple[Vouched, ...]:
    """Which of these witnesses cosigned, and when. Raises EvidenceError for a false one."""
    found = []
    for witness in witnesses:
        at_s = cosigned_at(note, witness)
        if at_s is None:
            raise EvidenceError(f"{witness.name} has not cosigned the checkpoint")
        found.append(Vouched(witness.name, utc_text(at_s * NS), note.size))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Grown:
    """That a log only grew from an older checkpoint to its latest one."""

    old: Checkpoint
    new: Checkpoint
    proof: tuple[bytes, ...]
    signer: ChainVerdict


def prove_growth(log: LogFolder, old: Checkpoint, policy: TrustPolicy) -> Grown:
    """The consistency proof from an older checkpoint to the log's latest one.

    Raises EvidenceError if the log was cut, rolled back, or has another history.
    """
    new = log.latest()
    if old.origin != new.origin:
        raise EvidenceError(
            f"the old checkpoint is of {old.origin}, the log of {new.origin}: two cameras"
        )
    judged = LogKeys(log.chains()).judge(old, policy, SigningTime())
    if judged is None:
        raise EvidenceError(
            "the old checkpoint is not signed by a key whose certificate is beside the log"
        )
    log.check_root(old, "the old checkpoint")
    log.check_root(new, "its checkpoint")
    if old.size > new.size:
        raise EvidenceError(
            f"the log's checkpoint has {new.size} lines, the old one {old.size}: "
            "an older checkpoint was put back"
        )
    proof = consistency_proof(log.leaves[: new.size], old.size)
    return Grown(old, new, tuple(proof), judged[0])
