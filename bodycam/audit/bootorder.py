"""Boots lie one behind the other, as their lines do: whose clock says otherwise has no time of day."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from .anchors import Anchor, Anchors
from .logstory import LogStory


@dataclass(slots=True)
class _Boot:
    """The runs of one boot together."""

    name: str
    line: int
    anchor: Anchor
    first_ns: int
    last_ns: int


def forget_impossible(story: LogStory, anchors: Anchors) -> list[str]:
    """Take the time of day from boots whose clocks were wrong by more than they said; a finding for each.

    The order of the lines is chained and signed, and clocks are not.
    """
    boots: dict[str, _Boot] = {}
    for run in story.runs:
        anchor = anchors.of(run.boot)
        if anchor is None:
            continue
        one = boots.setdefault(run.boot, _Boot(run.boot, run.line, anchor, run.at_ns, run.last_ns))
        one.last_ns = max(one.last_ns, run.last_ns)
    told = list(boots.values())
    if all(_possible(one, two) for one, two in pairwise(told)):
        return []
    kept: list[_Boot] = []
    findings = []
    for boot in sorted(told, key=lambda b: (b.anchor.err_us, b.line)):
        if all(_possible(*sorted((boot, other), key=lambda b: b.line)) for other in kept):
            kept.append(boot)
            continue
        anchors.forget(boot.name)
        findings.append(
            f"line {boot.line}: by its clock this boot was not between its neighbours: the clock was wrong "
            f"by more than the {boot.anchor.err_us} us that it said"
        )
    return findings


def _possible(before: _Boot, after: _Boot) -> bool:
    """Whether the one may have ended before the other began."""
    apart_us = after.anchor.at_us(after.first_ns) - before.anchor.at_us(before.last_ns)
    return apart_us + before.anchor.err_us + after.anchor.err_us >= 0
