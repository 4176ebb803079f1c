"""The fields of signed records, checked for type and range before anything relies on them.

Unknown fields are allowed: a later minor version may add some, and the signature covers them.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from ..clock import NS, utc_from_text
from ..errors import EvidenceError
from ..formats.records import parse_record

Count = Annotated[int, msgspec.Meta(ge=0, le=2**40)]
Bytes = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Ns = Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]
Hash = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
MaybeHash = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{64})?$")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
LogHead = tuple[Count, Hash]
LateSignature = tuple[Count, Annotated[str, msgspec.Meta(max_length=2000)]]
# 1900 to 2500: no sum with a boot time can leave the calendar.
_UTC_RANGE_NS = (-2_208_988_800 * NS, 16_725_225_600 * NS)


class Utc(msgspec.Struct, frozen=True):
    """When something was captured: boot time, and the UTC estimate with source and half-width."""

    boot_ns: Ns
    utc: Annotated[str, msgspec.Meta(max_length=40)]
    clk: Name
    unc_ms: Annotated[int, msgspec.Meta(ge=0, le=2**40)]

    @property
    def utc_ns(self) -> int:
        try:
            utc_ns = utc_from_text(self.utc)
        except (ValueError, OverflowError) as fault:
            raise EvidenceError(f"'utc' is not a time: {self.utc!r}") from fault
        low_ns, high_ns = _UTC_RANGE_NS
        if not low_ns <= utc_ns < high_ns:
            raise EvidenceError(f"'utc' is {self.utc}, want a time from 1900 to 2500")
        return utc_ns


class HeadFields(Utc, frozen=True):
    """What HEAD says of its segment."""

    t: str
    n: Count
    off: Bytes
    len: Bytes
    sha256: Hash
    prev: Hash
    dev: Name
    rec: Name
    seg: Count
    boot: Name
    x5t: MaybeHash
    fw: str = ""
    trig: dict[str, Any] = {}
    pre: dict[str, Any] = {}
    cont: str | None = None


class FragFields(Utc, frozen=True, rename={"plain_v": "plain.v", "plain_a": "plain.a"}):
    """What a FRAG record says of its fragment."""

    t: str
    n: Count
    off: Bytes
    len: Bytes
    sha256: Hash
    prev: Hash
    end_ns: Ns
    nv: Count
    na: Count
    drop: Count
    plain_v: MaybeHash
    plain_a: MaybeHash
    log: LogHead
    mute: Count = 0
    late: LateSignature | None = None


class EndFields(msgspec.Struct, frozen=True):
    """What END says: why the segment was closed, and after how many fragments."""

    t: str
    n: Count
    off: Bytes
    len: Bytes
    sha256: Hash
    prev: Hash
    reason: Name
    frags: Count
    log: LogHead
    late: LateSignature | None = None


_KINDS: dict[str, type[HeadFields | FragFields | EndFields]] = {
    "head": HeadFields, "frag": FragFields, "end": EndFields,
}  # fmt: skip


def read_fields(record: bytes) -> HeadFields | FragFields | EndFields:
    """The typed fields of a record whose signature held. Raises EvidenceError."""
    raw = parse_record(record)
    kind = _KINDS.get(raw["t"]) if isinstance(raw.get("t"), str) else None
    if kind is None:
        raise EvidenceError(f"record is of unknown kind {raw.get('t')!r}")
    try:
        fields = msgspec.convert(raw, kind)
    except msgspec.ValidationError as fault:
        raise EvidenceError(f"{raw['t']} record: {fault}") from fault
    if isinstance(fields, Utc):
        fields.utc_ns  # noqa: B018  raises for a time that is none
    return fields
