"""Text in a cell of a CSV file, made so that no spreadsheet computes with it, and so that nothing is lost.

A spreadsheet takes a cell for a formula that begins with `=`, `+`, `-` or `@`, wide ones too, or with them
behind a tab or an end of a line (OWASP, CSV Injection). One that separates by semicolons, as half of Europe's do,
begins a cell at each of them. Before each such sign stands an apostrophe, one more if there are some; whoever
takes one away has the text as it was. JSON and Parquet have it as it was.

| text              | cell                |
|-------------------|---------------------|
| `=HYPERLINK(1)`   | `'=HYPERLINK(1)`    |
| `'-1`             | `''-1`              |
| `x;=1`            | `x;'=1`             |
| `'s-Gravenhage`   | `'s-Gravenhage`     |
"""

from __future__ import annotations

import re

_SIGNS = r"=+\-@\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}"
# In the words of RE2, which is DuckDB's, and what takes the place of a match; first the one, then the other.
GUARDS = (
    (rf'(^|[;\t\r\n])([" \t\r\n]*)(\'*[{_SIGNS}])', r"\1\2'\3"),
    (r"^('*[\t\r\n])", r"'\1"),
)
_PYTHON = tuple(
    (re.compile(re.sub(r"\\x\{(\w+)\}", r"\\u\1", pattern)), instead) for pattern, instead in GUARDS
)


def guarded(text: str) -> str:
    """The text as a cell has it."""
    for pattern, instead in _PYTHON:
        text = pattern.sub(instead, text)
    return text
