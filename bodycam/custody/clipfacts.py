"""What a verified clip is known to hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..certificates import ChainVerdict
from ..clock import utc_text


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """One exported clip, proven against its manifest."""

    file: str
    device: str
    recording: str
    signer: ChainVerdict
    fragments: int
    proven_fragments: int
    pictures: int
    sounds: int
    utc_from_ns: int | None
    utc_to_ns: int | None
    unc_ms: int
    clock_source: str
    same_file: bool

    def as_json(self) -> dict[str, Any]:
        begin, end = self.utc_from_ns, self.utc_to_ns
        return {
            "file": self.file, "device": self.device, "recording": self.recording,
            "signer": self.signer.as_json(),
            "fragments": self.fragments, "proven_fragments": self.proven_fragments,
            "pictures": self.pictures, "sounds": self.sounds,
            "utc_from": utc_text(begin) if begin is not None else None,
            "utc_to": utc_text(end) if end is not None else None,
            "uncertainty_ms": self.unc_ms, "clock": self.clock_source,
            "byte_for_byte": self.same_file,
        }  # fmt: skip
