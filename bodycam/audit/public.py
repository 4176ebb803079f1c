"""A summary for the public: aggregates alone, so that a force can be as transparent as it says.

No id of a person, a camera, an event or a recording, and no time finer than a day. Of fewer than
`min_incidents` incidents, `min_officers` officers or `min_cameras` cameras nothing is said but how many
there were. What else is too few, and what would give it away, is `withholding`'s to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..clock import utc_text
from ..custody.findings import Verdict
from ..custody.htmltable import table
from ..custody.htmltext import escape
from ..custody.summary import SENTENCES
from .groups import Groups
from .measures import MEASURES
from .outcome import Outcome
from .pageparts import page
from .policy import Policy, PublicRules
from .publicstatistics import public_statistics, statistics_section
from .scoring import DEFINITIONS, IncidentClass
from .states import DeviceState
from .thresholds import with_values
from .withholding import share_of_count, share_of_time, told, withheld, withhold
from .words import CLASS_WORDS, UNCERTAIN_WORDS, count_text, share_text

VERSION = 1
UNCERTAIN = "UNCERTAIN"
# What is summed over all shifts of all cameras, and what the sums are shares of.
SHARES = (
    ("M1", "ready_us", "undocked_us", "ready, of the time out of the dock"),
    ("M12", "unknown_us", "undocked_us", "unknown, of the time out of the dock"),
    ("M3", "flagged", "recordings", "recordings with a short pre-record"),
    ("M3", "behaviour", "flagged", "of these for a camera just switched on, or asleep"),
    ("M5", "short", "recordings", "recordings shorter than policy's limit"),
    ("M5", "bounces", "recordings", "recordings begun again soon after a stop"),
    ("M9", "refused", "presses", "presses that came to nothing"),
    ("M13", "mismatches", "in_log", "recordings of which log and store differ"),
    ("M14", "passed", "shifts", "shifts with a passed self-test"),
)
# The class that tells least is given up first, where one must be so that another cannot be worked out.
_GIVEN_UP = (
    IncidentClass.UNKNOWN, IncidentClass.FAULT, IncidentClass.DOCKED, IncidentClass.NO_DEVICE,
    IncidentClass.MUTED, IncidentClass.GAP, IncidentClass.EARLY, IncidentClass.LATE,
    IncidentClass.NEVER, IncidentClass.COMPLETE,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PublicIncidents:
    """Counts of officers at incidents; `classes` are those that are sure."""

    rows: int
    bad_rows: int
    excluded: int
    unmatched: int
    judged: int
    officers: int
    classes: Mapping[str, int]
    vendor: int
    window_us: int
    evid_us: int
    live_us: int


@dataclass(frozen=True, slots=True)
class PublicForce:
    """Uses of force: all, those of officers with a camera, and what it did."""

    uses: int
    matched: int
    recording: int
    proven_throughout: int
    proven_nowhere: int
    officers: int


@dataclass(frozen=True, slots=True)
class PublicGroup:
    """Incidents of one call type, district or day."""

    name: str
    judged: int
    officers: int
    complete: int
    window_us: int
    evid_us: int


@dataclass(frozen=True, slots=True)
class PublicFacts:
    """What a summary for the public is made of: nothing of it is published as it stands."""

    policy: Policy
    days: tuple[str, str] | None
    verification: str
    cameras: int
    incidents: PublicIncidents
    force: PublicForce
    sums: Mapping[tuple[str, str], int]
    together: Groups
    groups: Mapping[str, Sequence[PublicGroup]] = field(default_factory=dict)


_WORDS = {
    "rows": "rows in the files of the dispatch system", "bad_rows": "rows that could not be used",
    "judged": "incidents of officers judged", "excluded": "excluded by policy",
    "unmatched": "not judged: the officer's id matches no camera",
    "coverage": "of the time that should have been recorded, proven pictures cover",
    "live_coverage": "of the same time the log says that it was recorded, from the press to the stop",
    "vendor_share": "by the vendors' rule (a recording begins between dispatch and clearing)",
    "uses": "uses of force", "recording": "the camera was surely recording",
    "proven_throughout": "surely proven before and after", "proven_nowhere": "surely nothing proven",
}  # fmt: skip


def public_facts(outcome: Outcome) -> PublicFacts:
    """What the audit of these cameras hands to its public summary."""
    spans = [i for camera in outcome.cameras for i in camera.line.span]
    days = (
        day_text(min(i.start_us for i in spans)), day_text(max(i.end_us for i in spans)),
    ) if spans else None  # fmt: skip
    judged = outcome.judged
    whole, evid, live = outcome.covered()
    sums: dict[tuple[str, str], int] = {}
    for camera in outcome.cameras:
        for _, figures in camera.shifts:
            for number, figure in figures.items():
                for name, value in figure.values.items():
                    if isinstance(value, int):
                        sums[number, name] = sums.get((number, name), 0) + value
    return PublicFacts(
        outcome.policy, days, outcome.report.verdict.value, len(outcome.cameras),
        PublicIncidents(
            outcome.rows, len(outcome.bad_rows), outcome.left_out("EXCLUDED"),
            outcome.left_out("UNMATCHED"), len(judged), len({s.incident.officer for s, _ in judged}),
            {kind.value: surely for kind, (surely, _, _) in outcome.classes().items()},
            sum(f.nominal.vendor for _, f in judged), whole, evid, live,
        ),
        _force_facts(outcome), sums, outcome.groups,
    )  # fmt: skip


def day_text(at_us: int) -> str:
    """The day of a moment, UTC."""
    return utc_text(at_us * 1000)[:10]


def _force_facts(outcome: Outcome) -> PublicForce:
    found = [one.found for one in outcome.force if one.found is not None]
    whole_us = 2 * outcome.policy.force.covered_s * 1_000_000
    return PublicForce(
        len(outcome.force),
        len(found),
        sum(one.states == (DeviceState.RECORDING,) for one in found),
        sum(one.covered_us[0] == whole_us for one in found),
        sum(one.covered_us[1] == 0 for one in found),
        len({one.used.officer for one in outcome.force if one.found is not None}),
    )


# -- what of it may be said ----------------------------------------------------------------------


def public_summary(facts: PublicFacts) -> dict[str, Any]:
    """One object with what may be published."""
    policy, rules = facts.policy, facts.policy.public
    incidents = _incidents(facts.incidents, rules)
    return {
        "version": VERSION,
        "policy": {"name": policy.name, "version": policy.version, "sha256": policy.sha256},
        "from": facts.days and facts.days[0], "to": facts.days and facts.days[1],
        "verification": facts.verification, "cameras": facts.cameras, "incidents": incidents,
        "force": _force(facts.force, rules), "measures": _measures(facts, rules),
        "groups": public_statistics(facts.together, rules, facts.cameras),
        "breakdown": {
            title: _groups(groups, rules, incidents) for title, groups in facts.groups.items()
        },
    }  # fmt: skip


def _incidents(found: PublicIncidents, rules: PublicRules) -> dict[str, Any]:
    least = rules.min_cell
    counts = {
        "judged": found.judged, "excluded": told(found.excluded, least),
        "unmatched": told(found.unmatched, least), "bad_rows": told(found.bad_rows, least),
    }  # fmt: skip
    # The rows are the sum of these: less all that is told, they would tell the rest.
    counts = {"rows": None if None in counts.values() else found.rows, **counts}
    if found.judged < rules.min_incidents:
        return {**counts, "withheld": f"fewer than {rules.min_incidents} incidents"}
    if found.officers < rules.min_officers:
        return {**counts, "withheld": f"fewer than {rules.min_officers} officers"}
    unsure = found.judged - sum(found.classes.values())
    given_up = {UNCERTAIN: unsure, **{kind.value: found.classes[kind.value] for kind in _GIVEN_UP}}
    classes = withhold(given_up, least)
    return {
        **counts, "classes": {name: classes[name] for name in (*found.classes, UNCERTAIN)},
        "coverage": share_of_time(found.evid_us, found.window_us),
        "live_coverage": share_of_time(found.live_us, found.window_us),
        "vendor_share": share_of_count(found.vendor, found.judged, least),
    }  # fmt: skip


def _force(found: PublicForce, rules: PublicRules) -> dict[str, Any]:
    if found.matched < rules.min_incidents:
        return {
            "uses": told(found.uses, rules.min_cell),
            "withheld": f"fewer than {rules.min_incidents} uses",
        }
    if found.officers < rules.min_officers:
        return {"uses": found.uses, "withheld": f"fewer than {rules.min_officers} officers"}
    parts = {
        "recording": found.recording, "proven_throughout": found.proven_throughout,
        "proven_nowhere": found.proven_nowhere,
    }  # fmt: skip
    shares = {
        name: share_of_count(part, found.matched, rules.min_cell) for name, part in parts.items()
    }
    return {"uses": found.uses, **shares}


def _measures(facts: PublicFacts, rules: PublicRules) -> dict[str, Any]:
    if facts.cameras < rules.min_cameras:
        return {"withheld": f"fewer than {rules.min_cameras} cameras"}
    found: dict[str, Any] = {}
    for number, part, whole, words in SHARES:
        base = facts.sums.get(("M1" if whole == "undocked_us" else number, whole), 0)
        count = facts.sums.get((number, part), 0)
        found[f"{number} {words}"] = (
            share_of_time(count, base)
            if part.endswith("_us")
            else share_of_count(count, base, rules.min_cell)
        )
    return found


def _groups(
    groups: Sequence[PublicGroup], rules: PublicRules, incidents: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Groups in order of their names; those of too few are one, and nothing is said of them alone."""
    if "withheld" in incidents:
        return []
    shown = _merged(groups, rules)
    # Each column has a sum that the classes tell. Sizes are told, so they may say who is given up.
    counts = {
        g.name: (g.complete, g.judged - g.complete)
        for g in sorted(shown, key=lambda g: (g.judged, g.name))
    }
    hidden = withheld(counts, rules.min_cell)
    if incidents["classes"][IncidentClass.COMPLETE.value] is None:
        hidden = set(counts)
    return [
        {
            "name": g.name, "judged": g.judged,
            "complete_share": None if g.name in hidden else round(g.complete / g.judged, 3),
            "coverage": None if g.name in hidden else share_of_time(g.evid_us, g.window_us),
        }
        for g in shown
    ]  # fmt: skip


OTHERS = "all others"


def _merged(groups: Sequence[PublicGroup], rules: PublicRules) -> list[PublicGroup]:
    def many(group: PublicGroup) -> bool:
        return group.judged >= rules.min_incidents and group.officers >= rules.min_officers

    shown = sorted((g for g in groups if many(g) and g.name != OTHERS), key=lambda g: g.name)
    rest = [g for g in groups if g.judged and g not in shown]
    while rest:
        # Of the officers of several groups, no fewer are different ones than of the largest.
        merged = PublicGroup(
            OTHERS, sum(g.judged for g in rest), max(g.officers for g in rest),
            sum(g.complete for g in rest), sum(g.window_us for g in rest),
            sum(g.evid_us for g in rest),
        )  # fmt: skip
        if many(merged):
            return [*shown, merged]
        if not shown:
            return []
        rest.append(shown.pop(shown.index(min(shown, key=lambda g: (g.judged, g.name)))))
    return shown


# -- the page --------------------------------------------------------------------------------------


def public_page(facts: PublicFacts) -> str:
    """The summary as a page."""
    found = public_summary(facts)
    incidents = found["incidents"]
    return page("Audit of switching: public summary", [
        (f'<header><p class="over">Body-worn cameras, audit of switching</p><h1>Public summary</h1>'
         f'<p class="when">{found["from"] or ""} to {found["to"] or ""}: '
         f'{count_text(found["cameras"], "camera")}, {count_text(incidents["judged"], "incident")} of '
         f'officers judged</p><p>Verification of the evidence: <b>{found["verification"]}</b>. '
         f'{SENTENCES[Verdict(found["verification"])]} Only what was verified counts.</p></header>'),
        _section("Incidents", incidents), _classes(incidents),
        *(_group(title, rows) for title, rows in found["breakdown"].items() if rows),
        _section("Use of force", found["force"]), _section("Cameras", found["measures"]),
        statistics_section(found["groups"]),
        _rules(facts.policy),
    ])  # fmt: skip


def _section(title: str, found: Mapping[str, Any]) -> str:
    rows = [
        (escape(_WORDS.get(name, name)), _told(name, value))
        for name, value in found.items()
        if not isinstance(value, dict)
    ]
    return f"<section><h2>{title}</h2>{table(('What', 'How many, or what share'), rows, title)}</section>"


def _group(title: str, rows: Sequence[Mapping[str, Any]]) -> str:
    cells = [
        (f"<b>{escape(row['name']) or 'not said'}</b>", f"{row['judged']:,}",
         _told("complete_share", row["complete_share"]), _told("coverage", row["coverage"]))
        for row in rows
    ]  # fmt: skip
    head = (title, "Incidents judged", "Surely complete", "Time covered by proven pictures")
    return f"<section><h2>By {title.lower()}</h2>{table(head, cells, title, 'numbers')}</section>"


def _told(name: str, value: Any) -> str:
    if value is None:
        return "too few to tell"
    if isinstance(value, float) or name.endswith(("coverage", "_share")):
        return f"<b>{share_text(value)}</b>"
    return f"<b>{value:,}</b>" if isinstance(value, int) else f"<b>{escape(str(value))}</b>"


def _classes(incidents: Mapping[str, Any]) -> str:
    if "classes" not in incidents:
        return ""
    words = {**{kind.value: text for kind, text in CLASS_WORDS.items()}, UNCERTAIN: UNCERTAIN_WORDS}
    rows = [
        (f"<b>{name}</b>", _told(name, count), escape(words[name]))
        for name, count in incidents["classes"].items()
    ]
    head = ("Class", "Incidents", "What it means; the first that holds")
    return f"<section><h2>Classes</h2>{table(head, rows, 'Classes', 'numbers')}</section>"


def _rules(policy: Policy) -> str:
    rules = policy.public
    words = [
        (f"<b>{n}</b>", name, escape(with_values(text, policy))) for n, name, text in DEFINITIONS
    ]
    words += [
        (f"<b>{m.number}</b>", m.name, escape(with_values(m.definition, policy))) for m in MEASURES
    ]
    order = ", ".join(kind.value for kind in IncidentClass)
    return (
        f"<section><h2>By what rules</h2><p>Policy {escape(policy.name)}, version {policy.version}, "
        f"SHA-256 <code>{policy.sha256}</code>. An incident gets the first class that holds: {order}; "
        f"{UNCERTAIN} if a camera's clock leaves it open.</p>"
        f"<p>Counts from 1 to {rules.min_cell - 1} are withheld, and as many beside them as keep those "
        f"from being worked out; groups of fewer than {rules.min_incidents} incidents or "
        f"{rules.min_officers} officers are one. Nobody is named, and nothing is told that is finer than "
        f"a day.</p>"
        f"{table(('No.', 'Measure', 'Definition'), words, 'Definitions')}</section>"
    )
