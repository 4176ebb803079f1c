"""When a certificate has to be renewed: 30 days before it ends, and from its end on; pure.

| state      | entered                                  | what follows                          |
|------------|------------------------------------------|---------------------------------------|
| `good`     | at the start                             |                                       |
| `expiring` | less than 30 days are left               | `cert.expiring`; SERVICE at the dock  |
| `expired`  | the end has passed, by all of the clock  | `cert.expired`; SERVICE at the dock   |

The camera records and signs in each of them. A clock that is not set says nothing, and one that is
set right goes back, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from .clock import MS, NS, ClockSource, Instant
from .signing import BAD_CERTIFICATE, common_name, load_certificate, utc_ns_of

RENEW_BEFORE_DAYS = 30
DAY_NS = 86_400 * NS


class Life(Enum):
    """What is left of a certificate."""

    GOOD = "good"
    EXPIRING = "expiring"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class LifeEdge:
    """The chain came into another state: by which certificate, until when, days left."""

    life: Life
    name: str
    until_ns: int
    days: int


class Renewal:
    """Watches the certificate of a chain that ends first; with no chain, nothing."""

    def __init__(self, certificates: Sequence[bytes]) -> None:
        ends: list[tuple[int, str]] = []
        for der in certificates:
            try:
                certificate = load_certificate(der)
                ends.append((utc_ns_of(certificate.not_valid_after_utc), common_name(certificate)))
            except BAD_CERTIFICATE:
                continue  # the self-test names it; what cannot be read has no end
        self.until_ns: int | None
        self.until_ns, self.name = min(ends, default=(None, ""))
        self.life = Life.GOOD

    def feed(self, now: Instant) -> LifeEdge | None:
        """Take a sample of the clock; what has changed by it."""
        until_ns = self.until_ns
        if until_ns is None or now.source is ClockSource.NONE:
            return None
        life = Life.GOOD
        if now.utc_ns - now.unc_ms * MS > until_ns:
            life = Life.EXPIRED
        elif until_ns - now.utc_ns < RENEW_BEFORE_DAYS * DAY_NS:
            life = Life.EXPIRING
        if life is self.life:
            return None
        self.life = life
        return LifeEdge(life, self.name, until_ns, (until_ns - now.utc_ns) // DAY_NS)
