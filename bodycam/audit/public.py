"""A summary for the public: aggregates alone, so that a force can be as transparent as it says.

No id of a person, a camera, an event or a recording, and no time finer than a day. Of fewer than
`min_incidents` incidents, or `min_cameras` cameras, nothing is said but how many there were. A count from
1 to `min_cell` - 1 is withheld; where it alone would be missing from a sum, so is the next smallest.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from ..clock import utc_text
from .measures import MEASURES
from .measures.measure import ratio
from .outcome import Outcome
from .pageparts import page, table
from .policy import PublicRules
from .scoring import DEFINITIONS, IncidentClass
from .states import DeviceState
from .words import share_text

VERSION = 1
# What is summed over all shifts of all cameras, and what the sums are shares of.
_SHARES = (
    ("M1", "ready_us", "undocked_us", "ready, of the time out of the dock"),
    ("M12", "unknown_us", None, "unknown, of the time out of the dock"),
    ("M3", "flagged", "recordings", "recordings with a short pre-record"),
    ("M3", "behaviour", "recordings", "of these for a camera just switched on, or asleep"),
    ("M5", "short", "recordings", "recordings shorter than policy's limit"),
    ("M5", "bounces", "recordings", "recordings begun again soon after a stop"),
    ("M9", "refused", "presses", "presses that came to nothing"),
    ("M13", "mismatches", "in_log", "recordings of which log and store differ"),
    ("M14", "passed", "shifts", "shifts with a passed self-test"),
)

_WORDS = {
    "rows": "rows in the files of the dispatch system", "bad_rows": "rows that could not be used",
    "judged": "incidents of officers judged", "excluded": "excluded by policy",
    "unmatched": "not judged: the officer's id matches no camera",
    "coverage": "of the time that should have been recorded, proven pictures cover",
    "live_coverage": "from the press to the stop it is",
    "vendor_share": "by the vendors' rule (a recording begins between dispatch and clearing)",
    "uses": "uses of force", "recording": "the camera was surely recording",
    "proven_throughout": "surely proven before and after", "proven_nowhere": "surely nothing proven",
}  # fmt: skip


def public_summary(outcome: Outcome) -> dict[str, Any]:
    """One object with what may be published."""
    policy, rules = outcome.policy, outcome.policy.public
    spans = [i for camera in outcome.cameras for i in camera.line.span]
    days = [
        utc_text(us * 1000)[:10]
        for us in (
            min((i.start_us for i in spans), default=0),
            max((i.end_us for i in spans), default=0),
        )
    ]
    return {
        "version": VERSION,
        "policy": {"name": policy.name, "version": policy.version, "sha256": policy.sha256},
        "from": days[0] if spans else None, "to": days[1] if spans else None,
        "verification": outcome.report.verdict.value,
        "cameras": len(outcome.cameras), "incidents": _incidents(outcome, rules),
        "force": _force(outcome, rules), "measures": _measures(outcome, rules),
    }  # fmt: skip


def _incidents(outcome: Outcome, rules: PublicRules) -> dict[str, Any]:
    judged = outcome.judged
    counts = {
        "rows": outcome.rows, "bad_rows": len(outcome.bad_rows), "judged": len(judged),
        "excluded": outcome.left_out("EXCLUDED"), "unmatched": outcome.left_out("UNMATCHED"),
    }  # fmt: skip
    if len(judged) < rules.min_incidents:
        return {**counts, "withheld": f"fewer than {rules.min_incidents} incidents"}
    whole, evid, live = outcome.covered()
    kinds = {k.value: surely for k, (surely, _, _) in outcome.classes().items()}
    kinds["UNCERTAIN"] = len(judged) - sum(kinds.values())
    return {
        **counts, "classes": withhold(kinds, rules.min_cell),
        "coverage": ratio(evid, whole), "live_coverage": ratio(live, whole),
        "vendor_share": ratio(sum(f.nominal.vendor for _, f in judged), len(judged)),
    }  # fmt: skip


def withhold(counts: Mapping[str, int], min_cell: int) -> dict[str, int | None]:
    """The counts, with None for those that are too small to tell."""
    small = {name for name, count in counts.items() if 0 < count < min_cell}
    if len(small) == 1:
        # The total is known: one alone could be worked out.
        others = [name for name, count in counts.items() if count and name not in small]
        small |= set(sorted(others, key=lambda name: counts[name])[:1])
    return {name: None if name in small else count for name, count in counts.items()}


def _force(outcome: Outcome, rules: PublicRules) -> dict[str, Any]:
    found = [one.found for one in outcome.force if one.found is not None]
    if len(found) < rules.min_incidents:
        return {"uses": len(outcome.force), "withheld": f"fewer than {rules.min_incidents} uses"}
    whole_us = 2 * outcome.policy.force.covered_s * 1_000_000
    counts = {
        "recording": sum(one.states == (DeviceState.RECORDING,) for one in found),
        "proven_throughout": sum(one.covered_us[0] == whole_us for one in found),
        "proven_nowhere": sum(one.covered_us[1] == 0 for one in found),
    }
    told = {n: None if 0 < c < rules.min_cell else c for n, c in counts.items()}
    return {"uses": len(outcome.force), **told}


def _measures(outcome: Outcome, rules: PublicRules) -> dict[str, Any]:
    if len(outcome.cameras) < rules.min_cameras:
        return {"withheld": f"fewer than {rules.min_cameras} cameras"}
    sums: dict[tuple[str, str], int] = {}
    for camera in outcome.cameras:
        for _, figures in camera.shifts:
            for number, figure in figures.items():
                for name, value in figure.values.items():
                    if isinstance(value, int):
                        sums[number, name] = sums.get((number, name), 0) + value
    found: dict[str, Any] = {}
    for number, part, whole, words in _SHARES:
        base = sums.get((number, whole), 0) if whole else sums.get(("M1", "undocked_us"), 0)
        count = sums.get((number, part), 0)
        hidden = not part.endswith("_us") and 0 < count < rules.min_cell
        found[f"{number} {words}"] = None if hidden else ratio(count, base)
    return found


def public_page(outcome: Outcome) -> str:
    """The summary as a page."""
    found = public_summary(outcome)
    incidents, force, measures = found["incidents"], found["force"], found["measures"]
    return page("Audit of switching: public summary", [
        (f'<header><p class="over">Body-worn cameras, audit of switching</p><h1>Public summary</h1>'
         f'<p class="when">{found["from"] or ""} to {found["to"] or ""}: {found["cameras"]} cameras, '
         f'{incidents["judged"]} incidents of officers judged</p></header>'),
        _section("Incidents", incidents), _classes(incidents), _section("Use of force", force),
        _section("Cameras", measures), _rules(outcome),
    ])  # fmt: skip


def _section(title: str, found: Mapping[str, Any]) -> str:
    rows = [
        (escape(_WORDS.get(name, name)), _told(name, value))
        for name, value in found.items()
        if not isinstance(value, dict)
    ]
    return f"<section><h2>{title}</h2>{table(('', ''), rows, title)}</section>"


def _told(name: str, value: Any) -> str:
    if value is None:
        return "too few to tell"
    if isinstance(value, float) or name.endswith(("coverage", "_share")):
        return f"<b>{share_text(value)}</b>"
    return f"<b>{escape(str(value))}</b>"


def _classes(incidents: Mapping[str, Any]) -> str:
    if "classes" not in incidents:
        return ""
    rows = [(f"<b>{name}</b>", _told(name, count)) for name, count in incidents["classes"].items()]
    return f"<section><h2>Classes</h2>{table(('Class', 'Incidents'), rows, 'Classes')}</section>"


def _rules(outcome: Outcome) -> str:
    policy = outcome.policy
    words = [(f"<b>{n}</b>", name, escape(text)) for n, name, text in DEFINITIONS]
    words += [(f"<b>{m.number}</b>", m.name, escape(m.definition)) for m in MEASURES]
    order = ", ".join(kind.value for kind in IncidentClass)
    return (
        f"<section><h2>By what rules</h2><p>Policy {escape(policy.name)}, version {policy.version}, "
        f"SHA-256 <code>{policy.sha256}</code>. An incident gets the first class that holds: {order}; "
        f"UNCERTAIN if a camera's clock leaves it open.</p>"
        f"{table(('', 'Measure', 'Definition'), words, 'Definitions')}</section>"
    )
