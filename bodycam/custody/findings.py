"""What verification can answer, and the numbered checks it answers for.

Missing, altered and not trusted are three different answers; the worst finding decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any

from ..errors import ExitCode

MAX_FINDINGS = 200


class Verdict(Enum):
    """The answers, from best to worst."""

    INTACT = "intact"
    INCOMPLETE = "incomplete"
    UNTRUSTED = "untrusted"
    UNREADABLE = "unreadable"
    ALTERED = "altered"

    @property
    def rank(self) -> int:
        return list(Verdict).index(self)

    @property
    def exit_code(self) -> ExitCode:
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Verdict.INTACT: ExitCode.OK,
    Verdict.INCOMPLETE: ExitCode.INCOMPLETE,
    Verdict.UNTRUSTED: ExitCode.UNTRUSTED,
    Verdict.UNREADABLE: ExitCode.UNOPENED,
    Verdict.ALTERED: ExitCode.ALTERED,
}


class Check(IntEnum):
    """The numbered checks; `verify` describes them."""

    CONTAINER = 1
    SIGNATURE_BOX = 2
    CERTIFICATE = 3
    SIGNATURE = 4
    CHAIN = 5
    BYTES = 6
    HEAD = 7
    TIMES = 8
    END = 9
    RECORDING = 10
    CONTINUITY = 11
    LOG_LINES = 12
    LOG_ROOT = 13
    LOG_STORE = 14
    CLIP = 15
    ONVIF = 16


def printable(text: str) -> str:
    """The text, with what is no Unicode (bytes of a file's name that are no UTF-8) as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be: which check, how bad, where, and what.

    Its words can be printed and kept anywhere, whatever the files are called.
    """

    check: Check
    verdict: Verdict
    file: str
    place: str
    text: str

    def __post_init__(self) -> None:
        for name in ("file", "place", "text"):
            object.__setattr__(self, name, printable(getattr(self, name)))

    def as_json(self) -> dict[str, Any]:
        return {
            "check": int(self.check), "verdict": self.verdict.value, "file": self.file,
            "place": self.place, "text": self.text,
        }  # fmt: skip

    def __str__(self) -> str:
        where = f"{self.file}, {self.place}" if self.place else self.file
        return f"{where}: {self.text}"


class Findings:
    """Collects the findings about one file; a flood is counted, not kept."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.items: list[Finding] = []
        self.more = 0

    def add(self, check: Check, verdict: Verdict, place: str, text: str) -> None:
        if len(self.items) < MAX_FINDINGS:
            self.items.append(Finding(check, verdict, self.file, place, text))
            return
        self.more += 1
        # The worst must not hide behind the first two hundred.
        if verdict.rank > worst(self.items).rank:
            self.items[-1] = Finding(check, verdict, self.file, place, text)

    def altered(self, check: Check, place: str, text: str) -> None:
        self.add(check, Verdict.ALTERED, place, text)

    def incomplete(self, check: Check, place: str, text: str) -> None:
        self.add(check, Verdict.INCOMPLETE, place, text)

    def done(self) -> tuple[Finding, ...]:
        return tuple(self.items)


def worst(findings: list[Finding] | tuple[Finding, ...]) -> Verdict:
    """The verdict that decides."""
    return max((f.verdict for f in findings), key=lambda v: v.rank, default=Verdict.INTACT)
