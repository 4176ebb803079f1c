"""The audit of a force as one page: aggregates and the first findings; the rest is in tables.

Nothing is fetched, nothing is script, everything is escaped; it opens from a file and prints. It stays
small whatever the force: no part of it grows with the number of cameras or of incidents.
"""

from __future__ import annotations

from ...custody.htmltable import table
from ...custody.htmltext import escape
from ...custody.summary import SENTENCES
from ..grouppage import group_sections, groups_short
from ..pageparts import page
from ..picture import patterns
from ..policypage import rules
from ..scoring import DEFINITIONS
from ..thresholds import with_values
from ..words import (
    CLASS_WORDS,
    FAILED_WORDS,
    FLAT_WORDS,
    UNCERTAIN_WORDS,
    beside_text,
    count_text,
    share_text,
    span_text,
)
from .bars import Bar, strip
from .breakdownpage import breakdowns, delays, month
from .facts import UNCERTAIN, ForceSummary
from .fills import class_legend, class_patterns
from .findingpage import findings, lost
from .measurepage import causes, firmwares, measures


def force_page(found: ForceSummary) -> str:
    """The page."""
    return page("Audit of switching: a force", [
        patterns(), class_patterns(), _header(found), _short(found), _classes(found),
        _covered(found), month(found), breakdowns(found), delays(found),
        group_sections(found.groups, found.policy), measures(found),
        causes(found), firmwares(found), findings(found), lost(found), _sure(found),
        rules(found.policy),
    ])  # fmt: skip


def title_of(found: ForceSummary) -> str:
    """What it is an audit of."""
    names = ", ".join(found.forces[:3]) + (" and others" if len(found.forces) > 3 else "")
    cameras = count_text(found.cameras, "camera")
    return f"{names}: {cameras}" if names else cameras


def _header(found: ForceSummary) -> str:
    when = f"{found.days[0]} to {found.days[1]}" if found.days else "Nothing in this time"
    if found.months:
        when += f" (asked for: {', '.join(found.months)})"
    verdict = found.verdict
    return (
        f'<header><p class="over">Body-worn cameras, audit of switching</p>'
        f'<h1>{escape(title_of(found))}</h1><p class="when">{when}</p></header>'
        f'<section class="verdict {verdict.value}"><div><p class="word">'
        f"VERIFICATION: {verdict.value.upper()}</p><p>{SENTENCES[verdict]} {_verdicts(found)} Only what "
        f"was verified counts below.</p></div></section>"
    )


def _verdicts(found: ForceSummary) -> str:
    told = [f"{one.verdict.value} {one.cameras:,}" for one in found.verdicts if one.cameras]
    return f"Cameras: {', '.join(told)}." if told else "There is no camera in it."


# -- in short ------------------------------------------------------------------------------------


def _short(found: ForceSummary) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in in_short(found))
    return f"<section><h2>In short</h2><ul>{items}</ul></section>"


def in_short(found: ForceSummary) -> list[str]:
    """The answer in sentences."""
    counts, covered = found.counts, found.covered
    lines = [
        (f"{count_text(found.cameras, 'camera')}, {count_text(found.shifts, 'shift')}; "
        f"{count_text(found.recordings, 'recording')}.")
    ]  # fmt: skip
    if not counts.rows:
        return [*lines, "The data set holds no incidents: only what the cameras themselves tell."]
    told = [f"{kind.value} {n.surely:,}" for kind, n in found.classes.items() if n.surely]
    told += [f"{UNCERTAIN} {counts.uncertain:,}"] if counts.uncertain else []
    lines += [
        (f"{count_text(counts.judged, 'incident')} of {count_text(counts.officers, 'officer')} judged: "
        f"{', '.join(told) or 'none'}."),
        (f"Proven pictures cover {share_text(covered.evid_share)} of the time that should have been "
        f"recorded; from press to stop it is {share_text(covered.live_share)}."),
        ("By the vendors' rule, a recording that begins between dispatch and clearing, "
        f"{counts.vendor:,} of {counts.judged:,} would count as recorded."),
    ]  # fmt: skip
    for count, what in (
        (counts.uncertain, "of uncertain class, for a camera's clock was uncertain"),
        (counts.never_flat, FLAT_WORDS),
        (counts.failed, FAILED_WORDS),
        (counts.excluded, "excluded by policy"),
        (counts.unmatched, "not judged: no camera belongs to the officer's id"),
    ):
        if count:
            share = count / (counts.judged + counts.excluded + counts.unmatched)
            lines.append(f"{count_text(count, 'incident')} ({share_text(share)}) {what}.")
    if counts.bad_rows:
        lines.append(f"{count_text(counts.bad_rows, 'row')} without effect, listed below.")
    without = found.unmatched.without_data.count
    if without:
        lines.append(f"{count_text(without, 'camera')} assigned, and not in the data set: UNKNOWN.")
    lines += groups_short(found.groups)
    if set(found.forces) - set(found.badges):
        lines.append("Who wore which camera was given, and is signed by nobody.")
    if found.badges or not found.forces:
        of = f" of {', '.join(found.badges)}" if found.several else ""
        lines.append(f"No assignments were given{of}: a badge id was taken for that of a camera.")
    return lines


# -- classes and coverage ------------------------------------------------------------------------


def _classes(found: ForceSummary) -> str:
    counts = found.counts
    if not counts.rows:
        return ""
    rows = [
        (f"<b>{kind.value}</b>", f"{n.surely:,}", share_text(n.surely / counts.judged if counts.judged else None),
         f"{n.possibly:,}", f"{n.by_clock:,}", escape(CLASS_WORDS[kind]))
        for kind, n in found.classes.items()
    ]  # fmt: skip
    rows.append((
        f"<b>{UNCERTAIN}</b>", f"{counts.uncertain:,}",
        share_text(counts.uncertain / counts.judged if counts.judged else None), "&ndash;", "&ndash;",
        f"{UNCERTAIN_WORDS} Each of those counts as possible.",
    ))  # fmt: skip
    head = (
        "Class",
        "Surely",
        "Share",
        "Possibly",
        "By the clock",
        "What it means; the first that holds",
    )
    words = [(f"<b>{n}</b>", f"<b>{name}</b>", escape(with_values(text, found.policy)))
             for n, name, text in DEFINITIONS]  # fmt: skip
    sure = {kind.value: n.surely for kind, n in found.classes.items()}
    bar = Bar("", counts.judged, {**sure, UNCERTAIN: counts.uncertain})
    return (
        f"<section><h2>Classes</h2><p>One for each officer at an incident.</p>{_strip(bar)}{class_legend()}"
        f"{table(head, rows, 'Classes', 'numbers')}"
        f"<p>{beside_text(counts.saved_by_buffer, counts.retro, counts.handed_over)}</p>"
        f'<details class="definitions"><summary>How each number is defined</summary>'
        f"{table(('No.', 'Measure', 'Definition'), words, 'Definitions')}</details></section>"
    )


def _strip(bar: Bar) -> str:
    """All incidents as one lying bar."""
    return strip(bar, "Shares of the classes of all judged incidents") if bar.count else ""


def _covered(found: ForceSummary) -> str:
    counts, covered = found.counts, found.covered
    if not counts.judged:
        return ""
    vendor = share_text(counts.vendor / counts.judged)
    activated = share_text(counts.activated / counts.judged)
    rows = [
        ("<b>Proven pictures (EVID)</b>", f"<b>{share_text(covered.evid_share)}</b>", "M22",
         f"of {span_text(covered.window_us)} that should have been recorded: the primary measure"),
        ("From press to stop (LIVE)", share_text(covered.live_share), "M22",
         "of the same time, by the log"),
        ("Activated", activated, "M20", f"of {counts.judged:,} incidents: LIVE in the window"),
        ("The vendors' rule", vendor, "M21",
         ("of the same incidents: a recording begins between dispatch and clearing. What ran before does "
         "not count, two seconds do: never read it alone")),
    ]  # fmt: skip
    if counts.others:
        rows.append((
            "Others who recorded as well", share_text(counts.others_recording / counts.others), "M29",
            f"of {counts.others:,} other officers at activated incidents",
        ))  # fmt: skip
    bounds = "".join(
        f"<p>The window {what} at: {', '.join(f'{escape(by)} {n:,}' for by, n in sorted(told.items()))}.</p>"
        for what, told in (("begins", found.begins_by), ("ends", found.ends_by))
    )
    return (
        f"<section><h2>Coverage</h2>{table(('What', 'Share', 'No.', 'Of what'), rows, 'Coverage', 'numbers')}"
        f"<p>No second of an officer counts twice, where windows overlap.</p>{bounds}</section>"
    )


# -- how sure ------------------------------------------------------------------------------------


def _sure(found: ForceSummary) -> str:
    counts = found.counts
    asked = counts.judged + counts.excluded + counts.unmatched
    share = share_text(counts.excluded / asked if asked else None)
    items = [
        ("Only what is verified counts: lines that somebody signed for, and pictures whose fragment is "
        "signed, chained and unchanged. What failed verification is neither covered nor a gap."),
        ("The class of an incident is sure if it is the same for all times that the cameras' clocks leave "
        "possible; else it is UNCERTAIN, and counts as possible in each class that it may be."),
        "Shares by call type, district, hour and day, lengths and delays are by the clocks as they are.",
        (f"Excluded by policy: {counts.excluded:,} of {asked:,} ({share}). Exclusions can hide the problem: "
        "look at them."),
        ("Who wore which camera, what dispatch says and when force was used, nobody signed. Rows that do "
        "not count and ids that do not match are listed above, on both sides."),
        ("UNKNOWN, FAULT, DOCKED and NO-DEVICE are never counted as NEVER: no officer is accused of what "
        "a camera did. Of NEVER it is said how often an empty battery had switched the camera off."),
    ]  # fmt: skip
    told = "".join(f"<li>{escape(item)}</li>" for item in items)
    return f"<section><h2>How sure</h2><ul>{told}</ul></section>"
