"""A table of a page: it scrolls where it is too wide, by keyboard too."""

from __future__ import annotations

from collections.abc import Iterable

from .htmltext import escape


def table(head: Iterable[str], rows: Iterable[Iterable[str]], caption: str, kind: str = "") -> str:
    """Cells of rows are HTML, already escaped; the caption is read out, not shown."""
    columns = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    lines = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in rows)
    return scrolled(
        f'<table class="{kind}"><thead><tr>{columns}</tr></thead><tbody>{lines}</tbody></table>',
        caption,
    )


def scrolled(held: str, caption: str, kind: str = "scroll") -> str:
    """What may be too wide: it scrolls by itself, and can be reached by keyboard to do so."""
    return (
        f'<div class="{kind}" tabindex="0" role="group" aria-label="{escape(caption)}">{held}</div>'
    )
