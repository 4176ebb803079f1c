"""Parts that the sections of the audit's page share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

MAX_ROWS = 500


def table(head: Iterable[str], rows: Iterable[Iterable[str]], caption: str, kind: str = "") -> str:
    columns = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    lines = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in rows)
    # What scrolls must be reachable by keyboard.
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption, quote=True)}">'
        f'<table class="{kind}"><thead><tr>{columns}</tr></thead><tbody>{lines}</tbody></table></div>'
    )


def more(count: int, file: str) -> str:
    shown = f"The first {MAX_ROWS} of {count}; all are" if count > MAX_ROWS else "All numbers are"
    return f'<p class="soft">{shown} in <code>{file}</code>.</p>'


def names(title: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    shown = ", ".join(escape(name) for name in names[:MAX_ROWS])
    more = f" and {len(names) - MAX_ROWS} more" if len(names) > MAX_ROWS else ""
    return f"<h3>{title}: {len(names)}</h3><p>{shown}{more}</p>"
