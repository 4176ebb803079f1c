"""Verifies the log against the evidence files: check 14 of `verify`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..clock import MS
from .findings import Check, Finding, Findings
from .logfacts import LogAnswer, LogFacts, SegmentEntry
from .segmentfacts import SegmentFacts


def check_store(
    log: LogFacts, files: Mapping[str, SegmentFacts], label: str
) -> tuple[Finding, ...]:
    """Files the log knows are there and as it says; files that are there are known to it.

    `files` by their path below `evidence/`, as the log names them.
    """
    found = Findings(label)
    for entry in log.segments.values():
        facts = files.get(entry.file)
        if facts is None:
            _missing(found, entry)
        else:
            _compare(found, entry, facts)
    for file, facts in files.items():
        if file not in log.segments:
            _unknown(found, log, file, facts)
        _same_camera(found, log, file, facts)
    _list_gaps(found, log)
    return found.done()


def _same_camera(found: Findings, log: LogFacts, file: str, facts: SegmentFacts) -> None:
    camera = log.device or log.origin.rpartition("/")[2]
    if facts.head is None or camera in ("", facts.head.dev):
        return
    log.answer(LogAnswer.SPLICED)
    found.altered(Check.LOG_STORE, file, f"is of camera {facts.head.dev}, the log is of {camera}")


def _missing(found: Findings, entry: SegmentEntry) -> None:
    closing = entry.closing
    if closing is None and entry.synced_bytes == 0:
        found.incomplete(
            Check.LOG_STORE, entry.file, f"could not be made: {entry.explanation}; it held nothing"
        )
        return
    held = f"with {closing.frags} fragments in {closing.size} bytes" if closing else "never closed"
    found.incomplete(
        Check.LOG_STORE, entry.file,
        f"is missing: the log opened it in line {entry.opened_line}, {held}",
    )  # fmt: skip


def _compare(found: Findings, entry: SegmentEntry, facts: SegmentFacts) -> None:
    if entry.closing is None and facts.ended and entry.recovered is None:
        found.incomplete(Check.LOG_STORE, entry.file, "has an END that the log does not know of")
    elif entry.closing is None and not facts.ended:
        why = entry.explanation or "the log never says that it was closed: power or a crash"
        found.incomplete(Check.LOG_STORE, entry.file, f"was not closed: {why}")
    synced = entry.synced_bytes
    if synced is not None and facts.size < synced:
        found.incomplete(
            Check.LOG_STORE, entry.file,
            f"has {facts.size} bytes, of which {synced} had been synced when it was left: "
            f"{synced - facts.size} bytes were lost or cut off afterwards",
        )  # fmt: skip
    known = entry.closing or entry.recovered
    if known is None:
        return
    did = "closed" if entry.closing else "found"
    line = f"the log (line {known.line})"
    if facts.ended and known.last and facts.last_box != known.last:
        # Its own END, but another one: written anew, not cut, whatever its size.
        found.altered(
            Check.LOG_STORE, entry.file, f"does not end with the record that {line} names"
        )
    elif facts.size < known.size:
        found.incomplete(
            Check.LOG_STORE, entry.file,
            f"has {facts.size} bytes, {line} {did} it at {known.size} with {known.frags} "
            f"fragments: {known.size - facts.size} bytes were cut off afterwards",
        )  # fmt: skip
    elif facts.size > known.size:
        found.altered(
            Check.LOG_STORE, entry.file,
            f"has {facts.size} bytes, {line} {did} it at {known.size}",
        )  # fmt: skip
    elif known.last and (facts.last_box, facts.fragments) != (known.last, known.frags):
        found.altered(
            Check.LOG_STORE, entry.file, f"does not end with the record that {line} names"
        )


def _unknown(found: Findings, log: LogFacts, file: str, facts: SegmentFacts) -> None:
    if facts.size == 0:
        # Made, and the power was cut before the log could say so; nothing is written until then.
        found.incomplete(Check.LOG_STORE, file, "is empty, and not known to the log")
        return
    if max(facts.heads, default=0) > log.lines:
        found.incomplete(Check.LOG_STORE, file, "is not in the log, whose end is missing")
        return
    found.altered(Check.LOG_STORE, file, "is not known to the log: put there by somebody")


def _list_gaps(found: Findings, log: LogFacts) -> None:
    for event in log.events:
        data: dict[str, Any] = event.data
        if event.ev != "gap" or not data.get("rec"):
            continue
        start, end = data.get("from_ns"), data.get("to_ns")
        span = (
            f"{(end - start) // MS} ms" if isinstance(start, int) and isinstance(end, int) else "?"
        )
        found.incomplete(
            Check.LOG_STORE, f"line {event.line}",
            f"gap of {span} while recording, cause: {str(data.get('cause'))[:80]}",
        )  # fmt: skip
