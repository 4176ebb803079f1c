"""What an export made, and what verification said of it before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import ExitCode
from .verify import Report


@dataclass(frozen=True, slots=True)
class ExportResult:
    """One clip with its manifest."""

    clip: Path
    manifest: Path
    sha256: str
    manifest_sha256: str
    device: str
    recording: str
    segments: int
    fragments: int
    pictures: int
    sounds: int
    utc_from_ns: int
    utc_to_ns: int
    report: Report

    @property
    def duration_ns(self) -> int:
        return self.utc_to_ns - self.utc_from_ns

    @property
    def exit_code(self) -> ExitCode:
        """0, or 3 if what was exported is incomplete, or 5 if it is not trusted."""
        return self.report.exit_code
