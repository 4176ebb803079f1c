"""Text of others in a page: never markup, and nothing in it that cannot be seen.

| what somebody wrote                          | what a page shows                                     |
|----------------------------------------------|-------------------------------------------------------|
| `<`, `>`, `&`, quotes                        | the same, as text                                     |
| controls, marks of direction, of no width    | their escape: two names that look alike are told apart, and nothing turns the text beside it around |
| bytes of a file's name that are no UTF-8     | their escape                                          |
| more than a few marks on one letter          | the rest as escapes: they would cover other lines     |
"""

from __future__ import annotations

import html
import re
import unicodedata

# Format, control, surrogate, private, unassigned, and what ends a line or a paragraph.
_UNSEEN = frozenset(("Cf", "Cc", "Cs", "Co", "Cn", "Zl", "Zp"))
_SPACES = re.compile(r"[\t\n\r]+")
_MOST_MARKS = 3


def escape(text: str) -> str:
    """The text for an element or a quoted attribute of a page."""
    if text.isascii() and text.isprintable():
        return html.escape(text)
    return html.escape(visible(text))


def visible(text: str) -> str:
    """The text in one line, with escapes for what cannot be seen; the same if there is nothing such."""
    shown, marks = [], 0
    for letter in _SPACES.sub(" ", text):
        category = unicodedata.category(letter)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        shown.append(_escaped(letter) if category in _UNSEEN or marks > _MOST_MARKS else letter)
    return "".join(shown)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
