"""What every reader's test shares: the key as `jose` gives it, and samples to compare."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bodycam.formats.cenc import length_prefixed
from bodycam.media import AccessUnit, Track, split_annexb

from ..evidence import Evidence, of_track

# ONVIF Media Signing: what the recorder itself puts between the encoder's pictures.
ONVIF_UUID = bytes.fromhex("005bc93f2d715e95ada4796f90877a6f")


@dataclass(frozen=True, slots=True)
class Opened:
    """The licence in a segment, opened without our code."""

    licence: str
    kid: str
    key: str


def custodian_jwk(pem: Path) -> dict[str, str]:
    """A recipient's private key as a JWK, which is what `jose` reads."""
    private = serialization.load_pem_private_key(pem.read_bytes(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    numbers = private.private_numbers()
    point = numbers.public_numbers
    return {"kty": "EC", "crv": "P-256", "x": _b64u(point.x), "y": _b64u(point.y),
            "d": _b64u(numbers.private_value)}  # fmt: skip


def _b64u(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()


def wrapped_key(segment: Path) -> bytes:
    """The JWE, found as FORMAT.md section 11 does it."""
    found = re.search(rb'\{"protected":.*?"tag":"[^"]*"\}', segment.read_bytes()[:65536])
    assert found is not None
    return found[0]


def opened_by_jose(segment: Path, private_pem: Path, folder: Path) -> Opened:
    """Debian's `jose` answers with the licence."""
    (folder / "key.jwe").write_bytes(wrapped_key(segment))
    (folder / "custodian.jwk").write_text(json.dumps(custodian_jwk(private_pem)))
    done = subprocess.run(
        ["jose", "jwe", "dec", "-i", "key.jwe", "-k", "custodian.jwk"],
        cwd=folder, check=True, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    return read_licence(done.stdout)


def read_licence(text: str) -> Opened:
    (entry,) = json.loads(text)["keys"]
    kid, key = (base64.urlsafe_b64decode(entry[name] + "==").hex() for name in ("kid", "k"))
    return Opened(text, kid, key)


def went_in(evidence: Evidence, segment: int, segment_s: int) -> tuple[str, str]:
    """Stream hashes of what the encoder gave for one segment; empty without such a track."""
    begin_ns = evidence.units[0].at_ns + segment * segment_s * 10**9
    until_ns = begin_ns + segment_s * 10**9

    def here(track: Track) -> list[AccessUnit]:
        return [u for u in of_track(evidence.units, track) if begin_ns <= u.at_ns < until_ns]

    return (
        stream_hash([length_prefixed(split_annexb(u.data)) for u in here(Track.VIDEO)]),
        stream_hash([bytes(u.data) for u in here(Track.AUDIO)]),
    )


def came_out(path: Path, options: dict[str, str] | None = None) -> tuple[str, str]:
    """Stream hashes of the packets that a demuxer finds, in order."""
    with av.open(str(path), options=options or {}) as container:
        packets: dict[str, list[bytes]] = {"video": [], "audio": []}
        for packet in container.demux():
            if packet.size:
                packets[packet.stream.type].append(bytes(packet))
    return stream_hash([_as_encoded(p) for p in packets["video"]]), stream_hash(packets["audio"])


def _as_encoded(sample: bytes) -> bytes:
    """The sample without what the recorder signed into it."""
    out, at = b"", 0
    while at < len(sample):
        end = at + 4 + int.from_bytes(sample[at : at + 4], "big")
        nal = sample[at + 4 : end]
        if not (nal[0] & 31 == 6 and ONVIF_UUID in nal[:64]):
            out += sample[at:end]
        at = end
    return out


def stream_hash(samples: list[bytes]) -> str:
    return hashlib.sha256(b"".join(samples)).hexdigest() if samples else ""


def run(*command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], check=True, capture_output=True, text=True, timeout=120,
        **options,
    )  # fmt: skip
