"""Names of files that are made of somebody's ids."""

from __future__ import annotations

from hashlib import sha256
from urllib.parse import quote

_LONGEST = 150


def in_file_name(name: str) -> str:
    """The id as a part of a file's name: `camera-` before it, so that it is no path and no device of a
    system, and no other id's, however long both are.
    """
    shown = quote(name, safe="", errors="backslashreplace")
    if len(shown) > _LONGEST:
        digest = sha256(name.encode("utf-8", "backslashreplace")).hexdigest()[:16]
        shown = f"{shown[:_LONGEST]}-{digest}"
    return f"camera-{shown}"
