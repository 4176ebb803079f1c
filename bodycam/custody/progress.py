"""How callers learn how far a long piece of work has come."""

from __future__ import annotations

from collections.abc import Callable

# Called with bytes done and bytes in all; what is shown, and when, is the caller's business.
Progress = Callable[[int, int], None]


def no_progress(done_bytes: int, total_bytes: int) -> None:
    """For callers that show nothing."""
    del done_bytes, total_bytes
