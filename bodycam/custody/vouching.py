"""Which records of a segment are vouched for: by a signature of their own, a late one, or a later one.

A signature over a record vouches for everything before it, for each record names the box before it. A
slow device key signs only some of them, and some of those late: FORMAT.md, "Late signatures".
"""

from __future__ import annotations

import base64
from collections import deque
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from ..errors import EvidenceError
from ..signing import check
from .fields import EndFields, FragFields, HeadFields

# A key that answers after half an hour is no evidence's key; and a hostile file fills no memory.
MAX_OWED = 8192


@dataclass(frozen=True, slots=True)
class Unvouched:
    """The records at the end that nothing in the segment vouches for, from the first of them on."""

    place: str
    count: int


@dataclass(frozen=True, slots=True)
class _Owed:
    number: int
    place: str
    record: bytes


class Vouching:
    """Follows the records of one segment in order; `any` once a signature held, and `vouched_to` is
    the number of the last record that one vouches for.
    """

    def __init__(self, key: ec.EllipticCurvePublicKey) -> None:
        self._key = key
        self._owed: deque[_Owed] = deque(maxlen=MAX_OWED)
        self._count = 0
        self._first = ""
        self.any = False
        self.vouched_to = -1

    def take(
        self, fields: HeadFields | FragFields | EndFields, record: bytes, place: str,
        *, signed: bool,
    ) -> None:  # fmt: skip
        """The next record; `signed` if it has a signature, which was checked.

        Raises EvidenceError if it holds a late signature that does not match.
        """
        if signed:
            self._vouch()
            self.vouched_to = fields.n
        else:
            self._first = self._first or place
            self._count += 1
            self._owed.append(_Owed(fields.n, place, record))
        late = None if isinstance(fields, HeadFields) else fields.late
        if late is not None:
            self._late(*late)

    def _vouch(self) -> None:
        self._owed.clear()
        self._count, self._first, self.any = 0, "", True

    def _late(self, number: int, text: str) -> None:
        owed = next((owed for owed in self._owed if owed.number == number), None)
        if owed is None:
            return  # what is signed already needs no other
        try:
            check(self._key, owed.record, base64.b64decode(text, validate=True))
        except (ValueError, EvidenceError) as fault:
            raise EvidenceError(f"the late signature of {owed.place} does not match") from fault
        self.vouched_to = max(self.vouched_to, number)
        while self._owed and self._owed[0].number <= number:
            self._owed.popleft()
        self._count, self.any = len(self._owed), True
        self._first = self._owed[0].place if self._owed else ""

    @property
    def unvouched(self) -> Unvouched | None:
        """What nothing vouches for so far."""
        return Unvouched(self._first, self._count) if self._count else None

    def owed_until(self, number: int) -> Unvouched | None:
        """The same of the records up to this one; what comes behind it only vouches."""
        behind = sum(owed.number > number for owed in self._owed)
        count = self._count - behind
        return Unvouched(self._first, count) if count > 0 else None
