"""A recipient's private key, of either kind: what opens segments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from ..boundedfile import read_bounded
from ..errors import CannotOpen
from ..formats.hpkewrap import PqPrivateKey, hpke_unwrap, is_pq_private, load_pq_private
from ..formats.keywrap import unwrap
from ..formats.mp4read import InitSegment
from ..signing import load_private_key

_MAX_KEY_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, repr=False)
class OpeningKey:
    """One private key; which of a segment's wrapped keys it fits follows from its kind."""

    private: ec.EllipticCurvePrivateKey | PqPrivateKey

    def open(self, init: InitSegment, segment: str) -> bytes:
        """The content key of a segment. Raises CannotOpen if it was not wrapped to this key."""
        if isinstance(self.private, PqPrivateKey):
            if not init.hpke:
                raise CannotOpen("the segment has no post-quantum recipient", "Use a P-256 key")
            return hpke_unwrap(init.hpke, self.private, init.kid, segment)
        if not init.wrapped:
            raise CannotOpen(
                "the segment has post-quantum recipients only", "Use one of their keys"
            )
        return unwrap(init.wrapped, self.private, init.kid, segment)


def load_opening_key(path: Path) -> OpeningKey:
    """A recipient's private key in PEM. Raises CannotOpen if it is none."""
    pem = read_bounded(path, _MAX_KEY_BYTES, "Give the custodian's key")
    if is_pq_private(pem):
        return OpeningKey(load_pq_private(pem))
    return OpeningKey(load_private_key(path))
