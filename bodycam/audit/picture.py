"""A shift as a drawing: states, recordings, what is proven, overlays, incidents, and the clock.

Told apart by pattern and words, not by colour alone. The uncertainty of the clock is drawn at both
ends of each incident, to scale.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..clock import utc_text
from ..custody.htmltable import scrolled
from ..custody.htmltext import escape
from .intervals import Times, clip
from .measures.measure import S, Stretch
from .states import DeviceState, Overlay
from .words import span_text

_WIDTH, _LEFT, _RIGHT = 1080, 118, 16
_LANE, _BAR = 34, 20
_TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_MAX_DRAWN = 2000
_INK = "#16202b"
_MAX_ROWS = 4
_LETTER_PX = 8

_LINES = '<rect width="8" height="8" fill="{back}"/><path d="{path}" stroke="{ink}" stroke-width="1.4" fill="none"/>'
_PATTERNS = {
    "docked": ("#eceff2", "#5b6673", "M2 0V8"), "boot": ("#e6edf5", "#33516f", "M0 8L8 0"),
    "sleep": ("#f4f1e4", "#7a5c00", "M0 4H8"), "fault": ("#fff", "#9a3412", "M0 0L8 8M8 0L0 8"),
    "unknown": ("#fff", "#374151", "M1 4H4"), "failed": ("#fff", "#9a3412", "M0 8L8 0"),
    "overlay": ("#f3ecd8", "#7a5c00", "M0 4H8"), "unsure": ("#fff", "#374151", "M0 0L8 8"),
}  # fmt: skip
_FILLS = {
    "off": ("#ffffff", "#9aa3ad"), "ready": ("#b9c6d3", "#4b5563"), "recording": ("#0b5394", "#073763"),
    "live": ("#1f2937", "#111827"), "evid": ("#0b5394", "#073763"), "incident": ("#ffffff", "#16202b"),
    **{name: (f"url(#a-{name})", ink) for name, (_, ink, _) in _PATTERNS.items()},
}  # fmt: skip
_STYLE = """<style>
.lane { font: 13px "DejaVu Sans", sans-serif; fill: #16202b; }
.tick { font: 11.5px "DejaVu Sans", sans-serif; fill: #16202b; }
.inbar { font: bold 11.5px "DejaVu Sans", sans-serif; }
.axis { stroke: #374151; } .grid, .rule { stroke: #e3e7eb; }
</style>"""


@dataclass(frozen=True, slots=True)
class IncidentBar:
    """An incident as it is drawn: whose, its window, what it came to, and by how much clocks may be off."""

    event: str
    officer: str
    word: str
    due_us: int
    due_by: str
    end_us: int
    end_by: str
    err_us: int
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Scale:
    from_us: int
    to_us: int

    def x(self, at_us: int) -> float:
        share = (at_us - self.from_us) / max(1, self.to_us - self.from_us)
        return _LEFT + min(1.0, max(0.0, share)) * (_WIDTH - _LEFT - _RIGHT)


def patterns() -> str:
    """The fills that all drawings of a page share: once, at its beginning."""
    shapes = "".join(
        f'<pattern id="a-{name}" width="8" height="8" patternUnits="userSpaceOnUse">'
        f"{_LINES.format(back=back, ink=ink, path=path)}</pattern>"
        for name, (back, ink, path) in _PATTERNS.items()
    )
    return (
        '<svg width="0" height="0" style="position:absolute" aria-hidden="true">'
        f"{_STYLE}<defs>{shapes}</defs></svg>"
    )


def picture(shift: Stretch, incidents: Sequence[IncidentBar]) -> str:
    """An SVG element of one shift of one camera."""
    scale = _Scale(shift.start_us, shift.end_us)
    line = shift.line
    lanes = [
        ("State", [_state(scale, s.state, s.start_us, s.end_us, s.why) for s in shift.states]),
        ("Pressed (LIVE)", _bars(scale, "live", shift.live, "from the press to the stop")),
        ("Proven (EVID)", [
            *_bars(scale, "evid", _within(shift, line.evid), "pictures that verify"),
            *_bars(scale, "failed", _within(shift, line.failed), "claimed, and failed verification"),
        ]),
    ]  # fmt: skip
    for overlay in Overlay:
        found = shift.overlay(overlay)
        if found:
            lanes.append(
                (overlay.value.capitalize(), _bars(scale, "overlay", found, overlay.value))
            )
    rows = _rows([i for i in incidents if _touches(shift, i)])
    for number, row in enumerate(rows):
        name = "Incidents" if number == 0 else ""
        lanes.append((name, list(_incidents(scale, row))))
    lanes.append(("Clock", _clocks(scale, shift)))
    return _drawing(scale, shift, lanes)


def _drawing(scale: _Scale, shift: Stretch, lanes: Sequence[tuple[str, list[str]]]) -> str:
    height = 26 + _LANE * len(lanes) + 28
    what = (
        f"Timeline of camera {shift.line.device} from {utc_text(shift.start_us * 1000)} to "
        f"{utc_text(shift.end_us * 1000)}"
    )
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(what)}">',
        *_axis(scale, height - 24),
    ]
    for number, (name, shapes) in enumerate(lanes):
        y = 20 + number * _LANE
        parts.append(
            f'<text class="lane" x="{_LEFT - 10}" y="{y + 15}" text-anchor="end">{name}</text>'
            f'<line class="rule" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y + _LANE - 6}" '
            f'y2="{y + _LANE - 6}"/><g transform="translate(0 {y})">{"".join(shapes)}</g>'
        )
    return scrolled("\n".join([*parts, "</svg>"]), what, "scroll drawing")


def _within(shift: Stretch, found: Times) -> Times:
    return clip(found, shift.start_us, shift.end_us)


def _touches(shift: Stretch, one: IncidentBar) -> bool:
    near = one.due_us < shift.end_us and shift.start_us < one.end_us
    return near and shift.line.device in one.devices


def _rows(incidents: Sequence[IncidentBar]) -> list[list[IncidentBar]]:
    """Overlapping incidents below each other; what finds no row goes on the last."""
    rows: list[list[IncidentBar]] = []
    for one in sorted(incidents, key=lambda i: i.due_us)[:_MAX_DRAWN]:
        free = next((r for r in rows if r[-1].end_us <= one.due_us), None)
        if free is None and len(rows) < _MAX_ROWS:
            rows.append([one])
        else:
            (rows[-1] if free is None else free).append(one)
    return rows


def _bar(scale: _Scale, kind: str, from_us: int, to_us: int, title: str, word: str = "") -> str:
    fill, stroke = _FILLS[kind]
    x, width = scale.x(from_us), max(1.5, scale.x(to_us) - scale.x(from_us))
    shape = (
        f'<rect x="{x:.1f}" y="0" width="{width:.1f}" height="{_BAR}" fill="{fill}" '
        f'stroke="{stroke}"><title>{escape(title)}</title></rect>'
    )
    if not word or width < _LETTER_PX * len(word) + 10:
        return shape
    ink = "#fff" if kind in ("recording", "live", "evid") else _INK
    middle, half = x + width / 2, _LETTER_PX * len(word) / 2 + 3
    plate = "" if kind in ("recording", "live", "evid", "ready", "off", "incident") else (
        f'<rect x="{middle - half:.1f}" y="3" width="{2 * half:.1f}" height="14" fill="#fff"/>'
    )  # fmt: skip
    return (
        f'{shape}{plate}<text class="inbar" fill="{ink}" x="{middle:.1f}" y="14" '
        f'text-anchor="middle">{escape(word)}</text>'
    )


def _state(scale: _Scale, state: DeviceState, from_us: int, to_us: int, why: str) -> str:
    from_us, to_us = max(from_us, scale.from_us), min(to_us, scale.to_us)
    words = f"{state.value} {why}".strip()
    title = f"{words}: {utc_text(from_us * 1000)}, {span_text(to_us - from_us)}"
    return _bar(scale, state.value, from_us, to_us, title, state.value)


def _bars(scale: _Scale, kind: str, found: Times, what: str) -> list[str]:
    return [
        _bar(scale, kind, a, b, f"{what}: {utc_text(a * 1000)}, {span_text(b - a)}")
        for a, b in found[:_MAX_DRAWN]
    ]


def _incidents(scale: _Scale, row: Sequence[IncidentBar]) -> Iterable[str]:
    """The bars of a row, with their words in them, or beside them as far as the next leaves room."""
    for one, after in zip(row, [*row[1:], None], strict=True):
        yield from _incident(scale, one)
        left = max(scale.x(one.end_us + one.err_us), scale.x(one.due_us) + 1.5) + 5
        room = (scale.x(after.due_us) if after else _WIDTH) - left
        if scale.x(one.end_us) - scale.x(one.due_us) >= _LETTER_PX * len(one.word) + 10:
            continue
        word = next(
            (w for w in (f"{one.event} {one.word}", one.word) if _LETTER_PX * len(w) < room), ""
        )
        if word:
            yield f'<text class="inbar" fill="{_INK}" x="{left:.1f}" y="14">{escape(word)}</text>'


def _incident(scale: _Scale, one: IncidentBar) -> Iterable[str]:
    title = (
        f"{one.event}, officer {one.officer}: {one.word}; due {one.due_by} "
        f"{utc_text(one.due_us * 1000)}, end {one.end_by}, {span_text(one.end_us - one.due_us)}"
    )
    yield _bar(scale, "incident", one.due_us, one.end_us, title, one.word)
    for edge in (one.due_us, one.end_us):
        if scale.x(edge + one.err_us) - scale.x(edge - one.err_us) >= 3:
            yield _bar(scale, "unsure", edge - one.err_us, edge + one.err_us,
                       f"the camera's clock may be off by {span_text(one.err_us)}")  # fmt: skip


def _clocks(scale: _Scale, shift: Stretch) -> list[str]:
    shapes = []
    for placed in shift.line.runs:
        from_us, to_us = max(placed.start_us, shift.start_us), min(placed.end_us, shift.end_us)
        if from_us < to_us:
            word = f"\u00b1{span_text(placed.anchor.err_us)}"
            said = (
                placed.anchor.source,
                word,
                f"boot {placed.run.boot}" if placed.run.boot else "",
            )
            title = f"clock: {', '.join(filter(None, said))}"
            shapes.append(_bar(scale, "off", from_us, to_us, title, word))
    return shapes


def _axis(scale: _Scale, y: int) -> list[str]:
    span_s = max(1, (scale.to_us - scale.from_us) // S)
    step_us = next((t for t in _TICKS if span_s / t <= 10), 604_800) * S
    parts = [f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>']
    at_us = -(-scale.from_us // step_us) * step_us
    while at_us <= scale.to_us and len(parts) < 40:
        x = scale.x(at_us)
        anchor = "end" if x > _WIDTH - _RIGHT - 24 else "middle"
        parts.append(
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="14" y2="{y + 4}"/>'
            f'<text class="tick" x="{x:.1f}" y="{y + 18}" text-anchor="{anchor}">'
            f"{utc_text(at_us * 1000)[11:19]}</text>"
        )
        at_us += step_us
    return parts


def legend() -> str:
    """What the fills mean, each drawn as in the pictures."""
    words = {
        **{state.value: state.value for state in DeviceState}, "live": "from the press to the stop",
        "evid": "pictures that verify", "failed": "claimed, and failed verification",
        "overlay": "muted, stealth, charging, low battery",
        "unsure": "the clock may be off by so much",
    }  # fmt: skip
    items = []
    for kind, text in words.items():
        fill, stroke = _FILLS[kind]
        items.append(
            f'<span class="key"><svg width="30" height="16" aria-hidden="true"><rect x="1" y="1" '
            f'width="28" height="14" fill="{fill}" stroke="{stroke}"/></svg>{text}</span>'
        )
    return f'<div class="legend">{"".join(items)}</div>'
