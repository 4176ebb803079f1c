"""Parts that the sections of the audit's page share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import resources

from ..custody.htmltext import escape

MAX_ROWS = 500
# Where the proof of a camera's line of the log is, from the page's folder.
Links = Mapping[tuple[str, int], str]


def page(title: str, sections: Iterable[str]) -> str:
    """A whole page of these sections, in the style of the house; it loads nothing."""
    house = resources.files("bodycam.custody").joinpath("report.css").read_text(encoding="utf-8")
    own = resources.files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; img-src data:\">"
        f"<title>{escape(title)}</title>\n<style>\n{house}\n{own}</style></head>\n"
        f"<body><main>\n{''.join(sections)}\n</main></body></html>\n"
    )


def line_text(device: str, line: int, links: Links) -> str:
    """The number of a line of the log: a link to its proof, if there is one."""
    to = links.get((device, line))
    if to is None:
        return str(line)
    return f'<a href="{escape(to)}" title="proof of line {line} of {escape(device)}">{line}</a>'


def more(count: int, file: str) -> str:
    shown = f"The first {MAX_ROWS} of {count}; all are" if count > MAX_ROWS else "All numbers are"
    return f'<p class="soft">{shown} in <code>{file}</code>.</p>'


def names(title: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    shown = ", ".join(escape(name) for name in names[:MAX_ROWS])
    more = f" and {len(names) - MAX_ROWS} more" if len(names) > MAX_ROWS else ""
    return f"<h3>{title}: {len(names)}</h3><p>{shown}{more}</p>"
