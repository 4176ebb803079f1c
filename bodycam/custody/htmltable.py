"""A table of a page: it scrolls where it is too wide, by keyboard too."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


def table(head: Iterable[str], rows: Iterable[Iterable[str]], caption: str, kind: str = "") -> str:
    """Cells of rows are HTML, already escaped; the caption is read out, not shown."""
    columns = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    lines = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in rows)
    # What scrolls must be reachable by keyboard.
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption, quote=True)}">'
        f'<table class="{kind}"><thead><tr>{columns}</tr></thead><tbody>{lines}</tbody></table></div>'
    )
