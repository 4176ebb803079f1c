"""A C2PA manifest in an exported clip: who exported it, from which segments.

For viewers that know nothing of ours. It vouches for the exporter, not for the camera: that is
what the clip manifest beside it does. Nothing is fetched from any network.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import CannotOpen
from .hashing import file_sha256
from .segmentfacts import SegmentFacts

C2PA_EXTRA = "pip install 'bodycam[c2pa]'"
SEGMENTS_LABEL = "org.bodycam.segments"
_FORMAT = "video/mp4"
_CAPTURE = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
# The signer's own trust list is not the viewer's: whom it trusts is the viewer's business.
_SETTINGS = {
    "verify": {"verify_trust": False, "remote_manifest_fetch": False, "ocsp_fetch": False},
    "builder": {"thumbnail": {"enabled": False}},
}


class C2paStamp:
    """Signs clips with one certificate. Raises CannotOpen if c2pa-python or a file is missing."""

    def __init__(self, certificates: Path, key: Path) -> None:
        try:
            import c2pa
        except (ImportError, OSError) as fault:
            raise CannotOpen(f"a C2PA manifest needs c2pa-python: {fault}", C2PA_EXTRA) from fault
        self._c2pa = c2pa
        self._certificates, self._key = certificates, key
        try:
            self._info = (certificates.read_bytes(), key.read_bytes())
        except OSError as fault:
            raise CannotOpen(f"{fault.filename}: {fault.strerror}", "Check --c2pa") from fault

    def __call__(self, clip: Path, segments: Sequence[SegmentFacts]) -> None:
        """Put the manifest into the clip. Raises CannotOpen if the certificate does not serve."""
        c2pa, stamped = self._c2pa, clip.with_name(clip.name + ".c2pa")
        try:
            signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", *self._info, None))
            context = c2pa.Context(c2pa.Settings.from_dict(_SETTINGS))
            with (
                c2pa.Builder(json.dumps(_manifest(clip, segments)), context) as builder,
                clip.open("rb") as source,
                stamped.open("w+b") as destination,
            ):
                builder.sign(signer, _FORMAT, source, destination)
            stamped.replace(clip)
        except c2pa.C2paError as fault:
            raise CannotOpen(
                f"{self._certificates}: no C2PA manifest: {str(fault)[:300]}",
                "It must be P-256, for digitalSignature, with the extended usage emailProtection, "
                "its issuers behind it, and --c2pa-key its key",
            ) from fault
        finally:
            stamped.unlink(missing_ok=True)


def _manifest(clip: Path, segments: Sequence[SegmentFacts]) -> dict[str, Any]:
    sources = [
        {"file": facts.name, "bytes": facts.size, "sha256": file_sha256(facts.path),
         "last_record": facts.last_box}
        for facts in segments
    ]  # fmt: skip
    return {
        "claim_generator_info": [{"name": "bodycam", "version": __version__}],
        "title": clip.name.removesuffix(".part"),
        "format": _FORMAT,
        "ingredients": [
            {
                "title": source["file"], "format": _FORMAT, "relationship": "componentOf",
                "instance_id": f"sha256:{source['sha256']}",
            }
            for source in sources
        ],
        "assertions": [
            {
                "label": "c2pa.actions.v2",
                "data": {"actions": [{"action": "c2pa.created", "digitalSourceType": _CAPTURE}]},
            },
            {"label": SEGMENTS_LABEL, "data": {"segments": sources}},
        ],
    }  # fmt: skip
