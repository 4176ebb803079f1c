"""How the device key keeps up: in time, late, or not at all; pure.

| state     | what happens                                        | next      | said         |
|-----------|-----------------------------------------------------|-----------|--------------|
| `prompt`  | a record got no signature in time                   | `late`    | `sign.late`  |
| `late`    | signatures came in time for 10 s                    | `prompt`  | `sign.back`  |
| `late`    | none has come for 60 s                              | `failing` | `sign.error` |
| any       | the key refuses                                     | `failing` | `sign.error` |
| `failing` | a signature came, in time or late                   | `late`    |              |

A late signature is in a later record of its segment. What it vouches for, and everything before it, is
as good as signed in time; while the key fails, the hash chain is all there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .clock import NS

_SETTLED_NS = 10 * NS
_GIVEN_UP_NS = 60 * NS


class KeyState(Enum):
    """How the device key keeps up."""

    PROMPT = "prompt"
    LATE = "late"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class KeyEdge:
    """Something about the key to say; `unsigned` records were written without it since it was late."""

    ev: str
    reason: str | None
    unsigned: int


class KeyWatch:
    """The table above; `take` what is to be said."""

    def __init__(self) -> None:
        self.state = KeyState.PROMPT
        self._unsigned = 0
        self._late_ns = 0
        self._signed_ns: int | None = None
        self._unsaid: list[KeyEdge] = []

    def signed(self, now_ns: int, *, in_time: bool) -> None:
        """A signature came."""
        self._signed_ns = now_ns
        if self.state is KeyState.FAILING:
            self.state = KeyState.LATE
        if not in_time:
            self._late_ns = now_ns
        elif self.state is KeyState.LATE and now_ns - self._late_ns >= _SETTLED_NS:
            self.state = KeyState.PROMPT
            self._say("sign.back", None)
            self._unsigned = 0

    def late(self, now_ns: int) -> None:
        """A record was written without a signature; it may still come."""
        self._unsigned += 1
        self._late_ns = now_ns
        if self.state is KeyState.PROMPT:
            self.state = KeyState.LATE
            self._signed_ns = now_ns  # from here on it counts how long there is none
            self._say("sign.late", None)
        elif self.state is KeyState.LATE and now_ns - (self._signed_ns or 0) >= _GIVEN_UP_NS:
            self._fail(f"no signature for {_GIVEN_UP_NS // NS} s")

    def failed(self, now_ns: int, reason: str) -> None:
        """The key refused; the record has no signature."""
        self._unsigned += 1
        self._late_ns = now_ns
        if self.state is not KeyState.FAILING:
            self._fail(reason)

    def _fail(self, reason: str) -> None:
        self.state = KeyState.FAILING
        self._say("sign.error", reason)

    def _say(self, ev: str, reason: str | None) -> None:
        self._unsaid.append(KeyEdge(ev, reason, self._unsigned))

    def take(self) -> list[KeyEdge]:
        """What is to be said, once."""
        unsaid, self._unsaid = self._unsaid, []
        return unsaid
