"""The sections of a force's page about cameras: measures of all shifts, causes, firmware."""

from __future__ import annotations

from ...custody.htmltable import table
from ...custody.htmltext import escape
from ..measures import MEASURES
from ..thresholds import with_values
from ..words import count_text, name_text, share_text, span_text, value_text
from .facts import CaseKind, ForceSummary, Spread


def measures(found: ForceSummary) -> str:
    """Each measure's definition beside its values over all shifts."""
    if not found.shifts:
        return ""
    rows = []
    for measure in MEASURES:
        spreads = [s for s in found.measures if s.measure == measure.number]
        cases = [c for c in found.cases if c.measure == measure.number]
        note = (
            f'<br><span class="soft">Note: {escape(measure.note)}.</span>' if measure.note else ""
        )
        rows.append((
            f"<b>{measure.number}</b>",
            f"<b>{measure.name}</b><br>{escape(with_values(measure.definition, found.policy))}{note}{_cases(cases)}{_causes(spreads)}",
            _spreads(spreads) if spreads else "Not measured.",
        ))  # fmt: skip
    head = (
        "No.",
        "What is measured",
        "All shifts together; 5 %, half and 95 % of shifts have less; most",
    )
    return (
        f"<section><h2>Measures of {count_text(found.shifts, 'shift')}</h2>"
        f'<p class="soft">Each shift by itself is in <code>results/shifts/</code>, each case '
        f"with its line of the log in <code>results/cases/</code>.</p>{table(head, rows, 'Measures', 'measures')}</section>"
    )


def _cases(cases: list[CaseKind]) -> str:
    if not cases:
        return ""
    told = "; ".join(
        f"{escape(c.what) or 'not said'} <b>{c.cases:,}</b> of {count_text(c.cameras, 'camera')}"
        for c in cases
    )
    return f'<p class="soft">Cases, in the words of the log: {told}.</p>'


def _by_cause(one: Spread) -> bool:
    return one.measure == "M4" and one.value.startswith(("starts_", "stops_"))


def _causes(spreads: list[Spread]) -> str:
    """M4 by what started and stopped it: those that there are."""
    told = [
        f"{escape(name_text(s.value))} <b>{s.whole:,}</b>"
        for s in spreads
        if _by_cause(s) and s.whole
    ]
    return f'<p class="soft">By cause: {", ".join(told)}.</p>' if told else ""


def _spreads(spreads: list[Spread]) -> str:
    head = "".join(
        f'<th scope="col">{cell}</th>' for cell in ("value", "all", "5 %", "half", "95 %", "most")
    )
    lines = "".join(_spread(one) for one in spreads if not _by_cause(one))
    return f'<table class="inner"><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>'


def _spread(one: Spread) -> str:
    cells = [
        escape(name_text(one.value)),
        f"<b>{_number(one.value, one.whole)}</b>" if one.whole is not None else "",
        *(_number(one.value, value) for value in (one.p5, one.p50, one.p95, one.most)),
    ]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _number(name: str, value: float) -> str:
    if name.endswith("_milli_c"):
        return f"{value / 1000:.1f} \u00b0C"
    if not name.endswith(("_us", "_ratio", "_share")):
        return f"{value:,.1f}".removesuffix(".0")
    return value_text(name, round(value) if name.endswith("_us") else value) if value else "0"


def causes(found: ForceSummary) -> str:
    """Why cameras out of the dock could not record."""
    if not found.causes:
        return ""
    rows = [
        (f"<b>{escape(c.state)}</b>", escape(c.why) or "not said", span_text(c.total_us),
         share_text(c.total_us / found.undocked_us if found.undocked_us else None),
         f"{c.stretches:,}", f"{c.cameras:,}")
        for c in found.causes
    ]  # fmt: skip
    head = ("State", "Why, as the log says", "Together", "Of the time out of the dock", "Stretches",
            "Cameras")  # fmt: skip
    return (
        f"<section><h2>Off, at fault, unknown: why</h2><p>In shifts, that is out of the dock. OFF needs a "
        f"signed shutdown; what nobody vouches for is UNKNOWN.</p>"
        f"{table(head, rows, 'Causes', 'numbers')}</section>"
    )


def firmwares(found: ForceSummary) -> str:
    """What differs by firmware is the maker's, not the officers'."""
    if not found.firmwares:
        return ""
    rows = [
        (f"{escape(f.force) + ' ' if found.several else ''}<code>{escape(f.firmware) or 'not said'}</code>", f"{f.cameras:,}", f"{f.recordings:,}",
         f'{f.not_intact:,} <span class="soft">{share_text(f.not_intact / f.recordings)}</span>',
         f"{f.latencies:,}", *(value_text("_us", v) for v in (f.p50_us, f.p95_us, f.most_us)))
        for f in found.firmwares
    ]  # fmt: skip
    head = ("Firmware", "Cameras", "Recordings", "Not intact", "Presses timed", "M10 half", "M10 95 %",
            "M10 most")  # fmt: skip
    return (
        f"<section><h2>By firmware</h2><p>What differs here is the maker's to explain, not the "
        f"officers'.</p>{table(head, rows, 'Firmware', 'numbers')}</section>"
    )
