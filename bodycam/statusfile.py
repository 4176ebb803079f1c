"""What `bodycam status` reads: a file in memory, replaced as a whole by whichever thread has news."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any


class StatusFile:
    """One file; it lives in memory, so nothing is synced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = path.with_suffix(".new")
        # Two at once would write one draft, and the second rename would find none.
        self._replacing = threading.Lock()

    def replace(self, status: Callable[[], dict[str, Any]]) -> str | None:
        """Write what `status` says now; why it cannot be done, None if it was."""
        try:
            with self._replacing:
                self._draft.write_text(json.dumps(status()), encoding="utf-8")
                self._draft.rename(self._path)
        except OSError as fault:
            return f"{self._path}: {fault.strerror}"
        return None
