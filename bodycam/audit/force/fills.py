"""How the classes are drawn: told apart by pattern and words, not by colour alone."""

from __future__ import annotations

from ..scoring import IncidentClass
from .facts import UNCERTAIN

# From the bottom of a bar to its top: what was recorded, what was not, what nobody could.
ORDER = (
    IncidentClass.COMPLETE.value, IncidentClass.MUTED.value, IncidentClass.EARLY.value,
    IncidentClass.GAP.value, IncidentClass.LATE.value, IncidentClass.NEVER.value,
    IncidentClass.FAULT.value, IncidentClass.UNKNOWN.value, IncidentClass.DOCKED.value,
    IncidentClass.NO_DEVICE.value, UNCERTAIN,
)  # fmt: skip
_SHAPES = {
    "MUTED": ("#e3ecf5", "#0b5394", '<circle cx="4" cy="4" r="1.8" fill="{ink}"/>'),
    "EARLY": ("#fff4e6", "#9a3412", '<path d="M0 0L8 8" stroke="{ink}" stroke-width="1.6"/>'),
    "GAP": ("#fff4e6", "#9a3412", '<path d="M0 4H8" stroke="{ink}" stroke-width="2.4"/>'),
    "LATE": ("#fff4e6", "#9a3412", '<path d="M0 8L8 0" stroke="{ink}" stroke-width="1.6"/>'),
    "FAULT": ("#fff", "#4b5563", '<path d="M0 0L8 8M8 0L0 8" stroke="{ink}" stroke-width="1.1"/>'),
    "UNKNOWN": ("#fff", "#4b5563", '<path d="M1 2H5" stroke="{ink}" stroke-width="1.6"/>'),
    "DOCKED": ("#eceff2", "#4b5563", '<path d="M2 0V8" stroke="{ink}" stroke-width="1.4"/>'),
    "NO-DEVICE": ("#fff", "#4b5563", '<path d="M4 1V4" stroke="{ink}" stroke-width="1.2"/>'),
    "UNCERTAIN": ("#fff", "#7a5c00", '<path d="M1 7L4 2L7 7" fill="none" stroke="{ink}" stroke-width="1.1"/>'),
}  # fmt: skip
_SOLID = {"COMPLETE": ("#bcd0e4", "#33516f"), "NEVER": ("#16202b", "#16202b")}


def class_patterns() -> str:
    """The fills that all charts of a page share: once, at its beginning."""
    shapes = "".join(
        f'<pattern id="c-{name}" width="8" height="8" patternUnits="userSpaceOnUse">'
        f'<rect width="8" height="8" fill="{back}"/>{shape.format(ink=ink)}</pattern>'
        for name, (back, ink, shape) in _SHAPES.items()
    )
    return (
        '<svg width="0" height="0" style="position:absolute" aria-hidden="true">'
        f"<defs>{shapes}</defs></svg>"
    )


def fill_of(name: str) -> tuple[str, str]:
    """Fill and outline of a class."""
    if name in _SOLID:
        return _SOLID[name]
    return f"url(#c-{name})", _SHAPES[name][1]


def class_legend() -> str:
    """Each class, drawn as in the charts, from the bottom of a bar to its top."""
    items = []
    for name in ORDER:
        fill, stroke = fill_of(name)
        items.append(
            f'<span class="key"><svg width="30" height="16" aria-hidden="true"><rect x="1" y="1" '
            f'width="28" height="14" fill="{fill}" stroke="{stroke}"/></svg>{name}</span>'
        )
    return f'<div class="legend">{"".join(items)}</div>'
