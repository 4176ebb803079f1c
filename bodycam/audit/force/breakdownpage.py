"""The sections of a force's page about when and where: day, hour, call type, district, and delays."""

from __future__ import annotations

from collections.abc import Sequence

from ...custody.htmltable import table
from ...custody.htmltext import escape
from ..scoring import IncidentClass
from ..words import clipped, share_text, span_text
from .bars import Bar, class_bars, histogram
from .facts import UNCERTAIN, Bin, ForceSummary, Group
from .fills import class_legend

# What no officer could do anything about is one column of the tables; the charts have each by itself.
_COLUMNS = (
    ("Complete", (IncidentClass.COMPLETE,)), ("Muted", (IncidentClass.MUTED,)),
    ("Early", (IncidentClass.EARLY,)), ("Gap", (IncidentClass.GAP,)),
    ("Late", (IncidentClass.LATE,)), ("Never", (IncidentClass.NEVER,)),
    ("Could not", (IncidentClass.FAULT, IncidentClass.UNKNOWN, IncidentClass.DOCKED,
                   IncidentClass.NO_DEVICE)),
)  # fmt: skip
_MAX_DRAWN = 370


def month(found: ForceSummary) -> str:
    """The days, as a chart and as a table."""
    if not found.by_day:
        return ""
    return _chart(
        "Day by day", found.by_day[-_MAX_DRAWN:],
        f"Of each day ({found.zone}) on which a window began: the shares of the classes that are sure, and "
        "below each bar of how many incidents.", "Day",
    )  # fmt: skip


def breakdowns(found: ForceSummary) -> str:
    """By hour of the day, call type and district."""
    hours = "" if not found.by_hour else _chart(
        "By hour of the day", found.by_hour,
        f"The hour ({found.zone}) in which the window began.", "Hour",
    )  # fmt: skip
    return hours + "".join(
        f"<section><h2>{title}</h2>{group_table(name, groups)}</section>"
        for title, name, groups in (
            ("By call type", "Call type", found.by_call_type),
            ("By district", "District", found.by_district),
        )
        if groups
    )


def _chart(title: str, groups: Sequence[Group], what: str, name: str) -> str:
    bars = [Bar(_label(g.name), g.judged, {**g.classes, UNCERTAIN: g.uncertain}) for g in groups]
    return (
        f"<section><figure class='plot'><h2>{title}</h2><p>{escape(what)}</p>"
        f"{class_bars(bars, f'{title}: shares of the classes, a table follows')}{class_legend()}</figure>"
        f"{_folded(group_table(name, groups))}</section>"
    )


def _folded(held: str) -> str:
    """Open on paper, where nobody can open it."""
    return f'<details class="definitions"><summary>The same as a table</summary>{held}</details>'


def _label(name: str) -> str:
    """A day without its year and its month: they stand in the header."""
    return name[8:] if len(name) == len("2026-06-01") else name


def group_table(name: str, groups: Sequence[Group]) -> str:
    """Coverage first; the vendors' rule beside it; then the classes that are sure."""
    rows = []
    for group in (g for g in groups if g.judged):
        cells = [
            f"<b>{escape(clipped(group.name)) or 'not said'}</b>",
            f"{group.judged:,}",
            f"<b>{share_text(group.evid_share)}</b>",
            share_text(group.live_share),
            share_text(group.vendor / group.judged),
        ]
        for _, kinds in _COLUMNS:
            cells.append(_count(sum(group.classes.get(k.value, 0) for k in kinds), group.judged))
        rows.append([*cells, _count(group.uncertain, group.judged)])
    head = (name, "Incidents", "Proven (EVID)", "LIVE", "Vendors' rule",
            *(title for title, _ in _COLUMNS), "Uncertain")  # fmt: skip
    return table(head, rows, name, "numbers wide")


def _count(count: int, whole: int) -> str:
    share = f' <span class="soft">{share_text(count / whole)}</span>' if count else ""
    return f"{count:,}{share}"


# -- delays --------------------------------------------------------------------------------------


def delays(found: ForceSummary) -> str:
    """How late the first picture came, and how early the last press to stop."""
    rules = found.policy.incident
    parts = []
    for title, bins, grace_s, what in (
        ("Late starts", found.late_starts, rules.grace_on_s,
         "The first proven picture after the time at which it was due (M23), of incidents that have one"),
        ("Early stops", found.early_stops, rules.grace_off_s,
         ("The last moment of LIVE before the end of the window (M24), of incidents that have one; clear "
         "times include paperwork, so look at the whole distribution")),
    ):  # fmt: skip
        if not any(b.incidents for b in bins):
            continue
        told = [(label, b.incidents, _beyond(b, grace_s)) for label, b in _labelled(bins)]
        rows = [
            (escape(label), f"{count:,}", "beyond what policy allows" if beyond else "")
            for label, count, beyond in told
        ]
        whole, none = sum(b.incidents for b in bins), bins[0].incidents
        said = (
            f"{what}. None at all: {none:,} of {whole:,} ({share_text(none / whole)}). Hatched: more than the "
            f"{span_text(grace_s * 1_000_000)} that policy allows."
        )
        # Most have none; beside them the others would not be seen.
        drawn = histogram(told[1:], f"{title}: incidents by delay, a table follows")
        parts.append(
            f"<section><figure class='plot'><h2>{title}</h2><p>{escape(said)}</p>{drawn}</figure>"
            f"<details><summary>The same as a table</summary>"
            f"{table(('Delay', 'Incidents', 'Policy'), rows, title)}</details></section>"
        )
    return "".join(parts)


def _beyond(one: Bin, grace_s: int) -> bool:
    return one.up_to_us is None or one.up_to_us > grace_s * 1_000_000


def _labelled(bins: Sequence[Bin]) -> list[tuple[str, Bin]]:
    named, over = [], None
    for one in bins:
        if one.up_to_us is None:
            label = f"over {span_text(over or 0)}"
        elif one.up_to_us == 0:
            label = "none"
        else:
            label = f"to {span_text(one.up_to_us)}"
        named.append((label, one))
        over = one.up_to_us
    return named
