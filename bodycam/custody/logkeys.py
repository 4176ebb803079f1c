"""The keys that may sign a log's checkpoints: from its recordings, and from beside the log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ..certificates import ChainVerdict, SigningTime, Trust, TrustPolicy, judge_chain
from ..checkpointfile import CERTIFICATES
from ..errors import EvidenceError
from ..formats.checkpoint import Checkpoint, device_key_id
from ..signing import BAD_CERTIFICATE, check, fingerprint, public_key_of
from .findings import Check, Findings, Verdict
from .logfacts import LogAnswer, LogFacts

MAX_CHAIN_BYTES = 64 * 1024
_MAX_CHAINS = 64
Chain = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class LogKey:
    """A device key and the chain that names its camera."""

    key: ec.EllipticCurvePublicKey
    chain: Chain


class LogKeys:
    """Device keys by the key id that a checkpoint names."""

    def __init__(self, chains: Iterable[Chain]) -> None:
        self._keys: dict[bytes, list[LogKey]] = {}
        for chain in chains:
            self.add(chain)

    def add(self, chain: Chain) -> None:
        try:
            key = public_key_of(chain[0])
        except EvidenceError:
            return  # whoever brought the chain has said so
        spki = key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        known = self._keys.setdefault(device_key_id(spki), [])
        if all(one.chain != chain for one in known):
            known.append(LogKey(key, chain))

    def judge(
        self, note: Checkpoint, policy: TrustPolicy, when: SigningTime
    ) -> tuple[ChainVerdict, Chain] | None:
        """Who signed the note in the log's name, and by which chain; None if none is known.

        Raises EvidenceError if a named key's signature does not hold.
        """
        best = None
        for line in note.by_log():
            for known in self._keys.get(line.key_id, ()):
                check(known.key, note.body, line.signature)
                verdict = judge_chain(known.chain, policy, when)
                if best is None or verdict.trust is Trust.TRUSTED:
                    best = (verdict, known.chain)
        return best


def read_chain(pem: bytes) -> Chain:
    """The certificates in a PEM file, as DER. Raises EvidenceError."""
    try:
        chain = x509.load_pem_x509_certificates(pem)
        return tuple(c.public_bytes(serialization.Encoding.DER) for c in chain)
    except BAD_CERTIFICATE as fault:
        raise EvidenceError(f"holds no certificates: {fault}") from fault


def chains_beside(log: Path, facts: LogFacts, policy: TrustPolicy, found: Findings) -> list[Chain]:
    """The chains in `certificates/` beside a log; one that was swapped is a finding."""
    chains = []
    folder = log.with_name(CERTIFICATES)
    for path in sorted(folder.glob("*.pem"))[:_MAX_CHAINS] if folder.is_dir() else []:
        place = f"{CERTIFICATES}/{path.name}"
        try:
            with path.open("rb") as file:
                pem = file.read(MAX_CHAIN_BYTES + 1)
            if len(pem) > MAX_CHAIN_BYTES:
                raise EvidenceError(f"is bigger than {MAX_CHAIN_BYTES} bytes")
            chain = read_chain(pem)
        except OSError as fault:
            found.add(Check.LOG_ROOT, Verdict.UNREADABLE, place, str(fault.strerror))
            continue
        except EvidenceError as fault:
            found.altered(Check.LOG_ROOT, place, fault.message)
            facts.answer(LogAnswer.CERTIFICATE_SWAPPED)
            continue
        _check_chain(path, chain, facts, policy, found)
        chains.append(chain)
    return chains


def _check_chain(
    path: Path, chain: Chain, facts: LogFacts, policy: TrustPolicy, found: Findings
) -> None:
    place = f"{CERTIFICATES}/{path.name}"
    verdict = judge_chain(chain, policy, SigningTime())
    if fingerprint(chain[0])[:16] != path.stem:
        found.altered(
            Check.LOG_ROOT, place,
            "holds another certificate than the one it is named after: it was swapped",
        )  # fmt: skip
    elif facts.device and verdict.device != facts.device:
        found.altered(
            Check.LOG_ROOT, place,
            f"is the certificate of {verdict.device}, the log is of {facts.device}: it was swapped",
        )  # fmt: skip
    elif policy.root is not None and verdict.trust in (Trust.UNKNOWN_ISSUER, Trust.NOT_FOR_SIGNING):
        found.add(
            Check.LOG_ROOT, Verdict.UNTRUSTED, place,
            f"is no certificate of this force ({verdict.detail})",
        )  # fmt: skip
    else:
        return
    facts.answer(LogAnswer.CERTIFICATE_SWAPPED)
