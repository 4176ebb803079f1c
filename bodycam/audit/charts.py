"""Statistics as drawings: differences with their intervals, and a funnel. SVG, told apart by shape."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from ..custody.htmltable import scrolled
from ..custody.htmltext import escape
from .groups import Estimate, Funnel, FunnelPoint

_WIDTH, _LEFT, _RIGHT = 1080, 300, 24
_ROW = 34
_INK, _SOFT, _MARK, _OUT = "#16202b", "#5b6673", "#0b5394", "#9a3412"
_TEXT = 'font-family="DejaVu Sans, sans-serif" font-size="13"'
_FUNNEL_HEIGHT, _FUNNEL_LEFT = 420, 70


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of a drawing of differences."""

    name: str
    estimate: Estimate | None
    soft: bool = False


@dataclass(frozen=True, slots=True)
class _Axis:
    low: float
    high: float
    from_px: float
    to_px: float

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.from_px + min(1.0, max(0.0, share)) * (self.to_px - self.from_px)

    def ticks(self) -> list[float]:
        step = _step(self.high - self.low)
        return [
            n * step
            for n in range(ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9) + 1)
        ]


def _step(span: float) -> float:
    """A step of 1, 2 or 5 times a power of ten, of which about eight make the span."""
    rough = span / 8
    power = 10.0 ** floor(log10(rough))
    return next(power * m for m in (1, 2, 5, 10) if rough <= power * m * (1 + 1e-9))


def differences(bars: Sequence[Bar], what: str) -> str:
    """Dots with whiskers about a line at zero, in percentage points."""
    there = [bar.estimate for bar in bars if bar.estimate is not None]
    ends = [0.0, *(e.low for e in there), *(e.high for e in there)]
    pad = max(0.01, 0.06 * (max(ends) - min(ends)))
    axis = _Axis(min(ends) - pad, max(ends) + pad, _LEFT, _WIDTH - _RIGHT)
    height = 16 + _ROW * len(bars) + 44
    parts = [_svg(_WIDTH, height, what)]
    bottom = height - 40
    for value in axis.ticks():
        x = axis.at(value)
        zero = abs(value) < 1e-9
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="8" y2="{bottom}" stroke="{_INK if zero else "#e3e7eb"}" '
            f'stroke-width="{1.6 if zero else 1}"/>{_label(x, bottom + 18, f"{100 * value:+.3g}" if not zero else "0")}'
        )
    parts.append(_label((_LEFT + _WIDTH - _RIGHT) / 2, bottom + 36, "percentage points"))
    for number, bar in enumerate(bars):
        parts += _bar(bar, axis, 16 + _ROW * number + _ROW / 2)
    return scrolled("\n".join([*parts, "</svg>"]), what, "scroll drawing")


def _bar(bar: Bar, axis: _Axis, y: float) -> Iterable[str]:
    yield _label(_LEFT - 14, y + 5, bar.name, "end", soft=bar.soft)
    e = bar.estimate
    if e is None:
        yield _label(_LEFT + 8, y + 5, "nothing to compare", "start", soft=True)
        return
    low, high, dot = axis.at(e.low), axis.at(e.high), axis.at(e.value)
    ink = _SOFT if bar.soft else _MARK
    title = f"{bar.name}: {points_text(e)}"
    yield (
        f'<g stroke="{ink}" stroke-width="2"><title>{escape(title)}</title>'
        f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}"/>'
        f'<line x1="{low:.1f}" x2="{low:.1f}" y1="{y - 6}" y2="{y + 6}"/>'
        f'<line x1="{high:.1f}" x2="{high:.1f}" y1="{y - 6}" y2="{y + 6}"/>'
        f'<circle cx="{dot:.1f}" cy="{y}" r="6" fill="{"#fff" if bar.soft else ink}"/></g>'
    )


def points_text(e: Estimate) -> str:
    """+12.3 points (+4.5 to +20.1)."""
    return f"{100 * e.value:+.1f} points ({100 * e.low:+.1f} to {100 * e.high:+.1f})"


def funnel_chart(funnel: Funnel, what: str) -> str:
    """Observed by expected over the number of incidents; nobody is named. Empty without points.

    The lines are the limits of the mean share, smoothed over the steps of whole counts; whether a point
    is outside, its own limits say.
    """
    if not funnel.points or not funnel.curve:
        return ""
    most = max(p.count.incidents for p in funnel.points)
    ratios = [_ratio(p) for p in funnel.points]
    edge = max(high / p.count.expected for p in funnel.curve for _, high in p.limits[-1:])
    top = max(2.0, min(12.0, max(*ratios, edge)) * 1.05)
    across = _Axis(0, most * 1.03, _FUNNEL_LEFT, _WIDTH - _RIGHT)
    up = _Axis(0, top, _FUNNEL_HEIGHT - 50, 18)
    parts = [_svg(_WIDTH, _FUNNEL_HEIGHT, what), *_frame(across, up)]
    if beyond := sum(ratio > top for ratio in ratios):
        parts.append(
            _label(_WIDTH - _RIGHT, 11, f"at the upper edge: {beyond} above {top:.3g}", "end")
        )
    for number, dash in ((0, "6 4"), (1, "")):
        for side in (0, 1):
            line = " ".join(
                f"{across.at(p.count.incidents):.1f},{up.at(p.limits[number][side] / p.count.expected):.1f}"
                for p in funnel.curve
            )
            parts.append(
                f'<polyline points="{line}" fill="none" stroke="{_SOFT}" stroke-width="1.4" stroke-dasharray="{dash}"/>'
            )
    parts += _points(funnel.points, across, up)
    return scrolled("\n".join([*parts, "</svg>"]), what, "scroll drawing")


def _ratio(point: FunnelPoint) -> float:
    return point.count.observed / point.count.expected if point.count.expected else 1.0


def _frame(across: _Axis, up: _Axis) -> Iterable[str]:
    bottom = _FUNNEL_HEIGHT - 50
    for value in sorted({1.0, *(v for v in up.ticks() if abs(v - 1) > 1e-9)}):
        y = up.at(value)
        ink = _INK if value == 1.0 else "#e3e7eb"
        yield f'<line x1="{_FUNNEL_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{ink}"/>'
        yield _label(_FUNNEL_LEFT - 8, y + 5, f"{value:g}", "end")
    for value in across.ticks():
        yield _label(across.at(value), bottom + 20, f"{value:g}")
    yield _label((_FUNNEL_LEFT + _WIDTH - _RIGHT) / 2, bottom + 42, "incidents of an officer")
    yield (
        f'<text x="16" y="{bottom / 2:.0f}" transform="rotate(-90 16 {bottom / 2:.0f})" '
        f'text-anchor="middle" fill="{_INK}" {_TEXT}>observed / expected</text>'
    )


def _points(points: Sequence[FunnelPoint], across: _Axis, up: _Axis) -> Iterable[str]:
    """A dot for whoever lies inside, a cross outside; those of one place are one."""
    places = {
        (round(across.at(p.count.incidents)), round(up.at(_ratio(p))), p.outside) for p in points
    }
    # One path of dots without length: a force has tens of thousands.
    inside = "".join(f"M{x} {y}h0" for x, y, outside in sorted(places) if not outside)
    yield f'<path d="{inside}" stroke="{_MARK}" stroke-width="6" stroke-linecap="round" stroke-opacity="0.7"/>'
    for x, y, outside in sorted(places):
        if outside:
            yield f'<path d="M{x - 5} {y - 5}l10 10m0-10l-10 10" stroke="{_OUT}" stroke-width="2.4"/>'


def _svg(width: int, height: float, what: str) -> str:
    label = escape(what)
    return f'<svg viewBox="0 0 {width} {height:g}" role="img" aria-label="{label}">'


def _label(x: float, y: float, text: str, anchor: str = "middle", *, soft: bool = False) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{_SOFT if soft else _INK}" {_TEXT}>'
        f"{escape(text)}</text>"
    )
