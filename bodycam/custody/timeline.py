"""The shift as a drawing: one SVG, told apart by shape, hatching and words, not by colour alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..clock import NS, utc_text
from .htmltext import escape
from .shift import Mark, Recorded, Shift, Span

_WIDTH, _LEFT, _RIGHT = 1080, 118, 16
_LANE, _BAR = 34, 20
_TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200)
_MAX_DRAWN = 2000

# Inside each drawing: what makes PDF applies no style of the page to it, and no other drawing's.
_STYLE = """<style>
.lane { font: 13px "DejaVu Sans", sans-serif; fill: #16202b; }
.tick { font: 11.5px "DejaVu Sans", sans-serif; fill: #16202b; } .tick.soft { fill: #566270; }
.inbar { font: 12px "DejaVu Sans", sans-serif; font-weight: bold; }
.axis { stroke: #374151; } .grid, .rule { stroke: #e3e7eb; }
</style>"""
_PATTERNS = {
    "pre": """<pattern id="{id}" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<rect width="7" height="7" fill="#cfe3f5"/><rect width="2.4" height="7" fill="#0b5394"/></pattern>""",
    "tail": """<pattern id="{id}" width="6" height="6" patternUnits="userSpaceOnUse">
<rect width="6" height="6" fill="#cfe3f5"/><circle cx="3" cy="3" r="1.4" fill="#0b5394"/></pattern>""",
    "gap": """<pattern id="{id}" width="6" height="6" patternUnits="userSpaceOnUse">
<rect width="6" height="6" fill="#fff"/><path d="M0 0L6 6M6 0L0 6" stroke="#9a3412" stroke-width="1.1"/>
</pattern>""",
    "quiet": """<pattern id="{id}" width="5" height="5" patternUnits="userSpaceOnUse">
<rect width="5" height="5" fill="#f3ecd8"/><path d="M0 2.5H5" stroke="#7a5c00" stroke-width="1.2"/>
</pattern>""",
}

_FILLS = {
    "on": ("#e7e9ec", "#6b7280"), "ready": ("#d3dbe3", "#4b5563"), "switch": ("#1f2937", "#111827"),
    "pre": ("url(#pre)", "#0b5394"), "rec": ("#0b5394", "#073763"), "tail": ("url(#tail)", "#0b5394"),
    "gap": ("url(#gap)", "#9a3412"), "mute": ("url(#quiet)", "#7a5c00"),
    "covert": ("url(#quiet)", "#7a5c00"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where a moment lies on the page."""

    from_ns: int
    to_ns: int

    def x(self, at_ns: int) -> float:
        share = (at_ns - self.from_ns) / max(1, self.to_ns - self.from_ns)
        return _LEFT + min(1.0, max(0.0, share)) * (_WIDTH - _LEFT - _RIGHT)


def timeline(shift: Shift) -> str:
    """An SVG element of the shift; empty if the log holds nothing."""
    if not shift.lines:
        return ""
    margin = max(NS, (shift.to_ns - shift.from_ns) // 50)
    starts = [r.first_ns for r in shift.recordings.values() if r.first_ns is not None]
    scale = _Scale(min([shift.from_ns, *starts]), shift.to_ns + margin)
    lanes: list[tuple[str, list[str]]] = [
        ("Camera on", [*_bars(scale, "on", shift.on), *_bars(scale, "ready", shift.ready)]),
        ("Switch on", _bars(scale, "switch", shift.switch)),
        ("Recorded", [*_recordings(scale, shift), *_bars(scale, "gap", shift.gaps)]),
    ]
    if shift.muted:
        lanes.append(("Muted", _bars(scale, "mute", shift.muted)))
    if shift.covert:
        lanes.append(("Covert", _bars(scale, "covert", shift.covert)))
    lanes.append(("Events", _marks(scale, shift.marks)))
    height = 26 + _LANE * len(lanes) + 40
    parts = [
        (
            f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="Timeline of the shift" '
            f'xmlns="http://www.w3.org/2000/svg">'
        ),
        _STYLE,
        "<defs>" + "\n".join(p.format(id=name) for name, p in _PATTERNS.items()) + "</defs>",
        *_axis(scale, shift.from_ns, height - 34),
    ]
    for i, (name, shapes) in enumerate(lanes):
        y = 20 + i * _LANE
        parts.append(
            f'<text class="lane" x="{_LEFT - 10}" y="{y + 15}" text-anchor="end">{name}</text>'
            f'<line class="rule" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y + _LANE - 6}" '
            f'y2="{y + _LANE - 6}"/><g transform="translate(0 {y})">{"".join(shapes)}</g>'
        )
    parts.append("</svg>")
    return "\n".join(parts)


def _bar(scale: _Scale, kind: str, from_ns: int, to_ns: int, title: str) -> str:
    fill, stroke = _FILLS[kind]
    x, end = scale.x(from_ns), scale.x(to_ns)
    inset = 5 if kind == "ready" else 0
    return (
        f'<rect x="{x:.1f}" y="{inset}" width="{max(1.5, end - x):.1f}" height="{_BAR - 2 * inset}" '
        f'fill="{fill}" stroke="{stroke}"><title>{escape(title)}</title></rect>'
    )


def _bars(scale: _Scale, kind: str, spans: Sequence[Span]) -> list[str]:
    return [
        _bar(
            scale, kind, s.from_ns, s.to_ns,
            f"{s.text}: {utc_text(s.from_ns)} to {utc_text(s.to_ns)}",
        )
        for s in spans[:_MAX_DRAWN]
    ]  # fmt: skip


def _recordings(scale: _Scale, shift: Shift) -> list[str]:
    shapes = []
    for number, recorded in enumerate(shift.recordings.values(), start=1):
        for kind, from_ns, to_ns, words in _parts(recorded, shift.to_ns):
            title = f"{number}: {words}, {utc_text(from_ns)} to {utc_text(to_ns)}"
            shapes.append(_bar(scale, kind, from_ns, to_ns, title))
            if kind == "rec":
                middle = (scale.x(from_ns) + scale.x(to_ns)) / 2
                shapes.append(
                    f'<text class="inbar" fill="#fff" x="{middle:.1f}" y="14" text-anchor="middle">{number}</text>'
                )
    return shapes


def _parts(recorded: Recorded, now_ns: int) -> Iterator[tuple[str, int, int, str]]:
    first = recorded.first_ns
    if first is None:
        return
    pressed = recorded.pressed_ns if recorded.pressed_ns is not None else first
    end = recorded.end_ns if recorded.end_ns is not None else now_ns
    tail = recorded.tail_ns if recorded.tail_ns is not None else end
    if pressed > first:
        yield "pre", first, min(pressed, end), "before the press"
    yield "rec", min(max(first, pressed), end), min(tail, end), "recording"
    if tail < end:
        yield "tail", tail, end, "tail after the switch"


_SHAPES = {
    "marker": '<path d="M0 1L7 10L0 19L-7 10Z" fill="#1d4d2b" stroke="#0d2a17"/>',
    "fault": '<path d="M0 1L9 18H-9Z" fill="#fff" stroke="#9a3412" stroke-width="2"/>'
    '<path d="M0 7V12.5M0 14.2V16" stroke="#9a3412" stroke-width="2"/>',
    "notice": '<circle cy="10" r="6.5" fill="#fff" stroke="#7a5c00" stroke-width="2"/>',
    "clock": '<circle cy="10" r="7" fill="#fff" stroke="#374151" stroke-width="2"/>'
    '<path d="M0 5.5V10L3.5 12" fill="none" stroke="#374151" stroke-width="1.6"/>',
    "end": '<rect x="-5" y="5" width="10" height="10" fill="#374151"/>',
}  # fmt: skip


def _marks(scale: _Scale, marks: Sequence[Mark]) -> list[str]:
    return [
        f'<g transform="translate({scale.x(mark.at_ns):.1f} 0)">{_SHAPES[mark.kind]}'
        f"<title>{escape(f'{mark.text} at {utc_text(mark.at_ns)}')}</title></g>"
        for mark in marks[:_MAX_DRAWN]
    ]


def _axis(scale: _Scale, zero_ns: int, y: int) -> list[str]:
    span_s = max(1, (scale.to_ns - scale.from_ns) // NS)
    step_s = next((t for t in _TICKS if span_s / t <= 10), 86_400)
    first_s = -(-(scale.from_ns - zero_ns) // (step_s * NS)) * step_s
    parts = [f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>']
    at_s = first_s
    while zero_ns + at_s * NS <= scale.to_ns and len(parts) < 40:
        x = scale.x(zero_ns + at_s * NS)
        anchor = "end" if x > _WIDTH - _RIGHT - 24 else "middle"
        parts.append(
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="14" y2="{y + 4}"/>'
            f'<text class="tick" x="{x:.1f}" y="{y + 17}" text-anchor="{anchor}">'
            f"{utc_text(zero_ns + at_s * NS)[11:19]}</text>"
            f'<text class="tick soft" x="{x:.1f}" y="{y + 30}" text-anchor="{anchor}">{at_s} s</text>'
        )
        at_s += step_s
    return parts


def legend() -> str:
    """What the shapes mean, each drawn as in the timeline."""
    bars = (
        ("ready", "ready to record"), ("switch", "switch on"), ("pre", "before the press"),
        ("rec", "recording"), ("tail", "tail after the switch"), ("gap", "gap: no picture"),
        ("mute", "muted or covert"),
    )  # fmt: skip
    marks = (
        ("marker", "marker"), ("fault", "fault"), ("notice", "notice"), ("clock", "clock stepped"),
        ("end", "orderly end"),
    )  # fmt: skip
    items = [f'<span class="key">{_swatch(*_FILLS[kind])}{words}</span>' for kind, words in bars]
    items += [
        f'<span class="key"><svg width="22" height="20" aria-hidden="true">'
        f'<g transform="translate(11 0)">{_SHAPES[kind]}</g></svg>{words}</span>'
        for kind, words in marks
    ]
    return f'<div class="legend">{"".join(items)}</div>'


def _swatch(fill: str, stroke: str) -> str:
    name = fill.removeprefix("url(#").removesuffix(")")
    defs = ""
    if name in _PATTERNS:
        defs = f"<defs>{_PATTERNS[name].format(id=f'key-{name}')}</defs>"
        fill = f"url(#key-{name})"
    return (
        f'<svg width="26" height="16" aria-hidden="true">{defs}<rect x="1" y="2" width="24" '
        f'height="12" fill="{fill}" stroke="{stroke}"/></svg>'
    )
