"""Charts as inline SVG: bars of classes, and histograms.

Every chart has a text that says what it shows; the table beside it has its numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...custody.htmltable import scrolled
from ...custody.htmltext import escape
from ..words import share_text
from .fills import ORDER, fill_of

WIDTH = 1080
_LEFT, _RIGHT, _TOP = 58, 14, 14
_HEIGHT, _FOOT = 230, 46
_MAX_LABELS = 34


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of classes: its label, how many, and of which class."""

    label: str
    count: int
    classes: Mapping[str, int]


def svg(height: int, what: str, parts: Iterable[str]) -> str:
    """A drawing that says in words what it shows."""
    said = escape(what)
    inside = "\n".join(parts)
    drawn = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{said}">\n{inside}\n</svg>'
    return scrolled(drawn, what, "scroll drawing")


def class_bars(bars: Sequence[Bar], what: str) -> str:
    """Shares of the classes, one bar each; below it how many it is of."""
    base = _TOP + _HEIGHT
    parts = [*_percents(base)]
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(bars))
    every = -(-len(bars) // _MAX_LABELS)
    for number, bar in enumerate(bars):
        x, width = _LEFT + number * step, max(1.0, step * 0.82)
        parts += _stack(bar, x + (step - width) / 2, width, base)
        if number % every == 0:
            middle = x + step / 2
            parts.append(_text(middle, base + 16, bar.label))
            parts.append(_text(middle, base + 32, short_count(bar.count), "tick soft-ink"))
    parts.append(_text(_LEFT - 8, base + 32, "of", "tick soft-ink", "end"))
    return svg(base + _FOOT, what, parts)


def strip(bar: Bar, what: str) -> str:
    """The shares of one bar, lying: each part with its share, where that has room."""
    whole, x, parts = sum(bar.classes.values()), 0.0, []
    for name in ORDER:
        count = bar.classes.get(name, 0)
        if not count:
            continue
        width = WIDTH * count / whole
        fill, stroke = fill_of(name)
        said = escape(f"{name}: {count} of {whole}, {share_text(count / whole)}")
        parts.append(
            f'<rect x="{x:.1f}" y="1" width="{width:.1f}" height="34" fill="{fill}" '
            f'stroke="{stroke}" stroke-width=".7"><title>{said}</title></rect>'
        )
        word = f"{name} {share_text(count / whole)}"
        if width > 8.2 * len(word) + 16:
            half = 4.1 * len(word) + 5
            parts += [
                (
                    f'<rect x="{x + width / 2 - half:.1f}" y="9" width="{2 * half:.1f}" height="18" '
                    f'fill="#fff"/>'
                ),
                _text(x + width / 2, 22.5, word, "inbar"),
            ]
        x += width
    return svg(36, what, parts)


def _stack(bar: Bar, x: float, width: float, base: float) -> list[str]:
    parts, y = [], base
    whole = sum(bar.classes.values())
    for name in ORDER:
        count = bar.classes.get(name, 0)
        if not count:
            continue
        height = _HEIGHT * count / whole
        y -= height
        fill, stroke = fill_of(name)
        said = escape(f"{bar.label}: {name} {count} of {whole}, {share_text(count / whole)}")
        parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}" '
            f'stroke="{stroke}" stroke-width=".7"><title>{said}</title></rect>'
        )
    return parts


def _percents(base: float) -> Iterable[str]:
    for percent in (0, 25, 50, 75, 100):
        y = base - _HEIGHT * percent / 100
        yield f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(_LEFT - 8, y + 4, f"{percent} %", "tick", "end")


def histogram(bins: Sequence[tuple[str, int, bool]], what: str) -> str:
    """Counts, one bar a bin: its label, how many, and whether it is beyond what policy allows."""
    most, height = max((count for _, count, _ in bins), default=0) or 1, 170
    base = _TOP + 14 + height
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(bins))
    parts = [f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{base}" y2="{base}"/>']
    for number, (label, count, beyond) in enumerate(bins):
        x, tall = _LEFT + number * step, height * count / most
        fill, stroke = fill_of("LATE" if beyond else "COMPLETE")
        said = escape(f"{label}: {count}")
        parts += [
            (f'<rect x="{x + step * 0.08:.1f}" y="{base - tall:.1f}" width="{step * 0.84:.1f}" '
            f'height="{tall:.1f}" fill="{fill}" stroke="{stroke}"><title>{said}</title></rect>'),
            _text(x + step / 2, base - tall - 5, short_count(count)),
            _text(x + step / 2, base + 16, label),
        ]  # fmt: skip
    return svg(round(base) + 28, what, parts)


def _text(x: float, y: float, text: str, kind: str = "tick", anchor: str = "middle") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def short_count(count: int) -> str:
    """999, 12.3k, 4.1M: what fits below a bar."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if count >= 10 * size or (count >= size and unit == "M"):
            return f"{count / size:.3g}{unit}"
    return str(count)
