"""What is fuzzed: each target takes bytes, and answers with a result or one of our errors.

Seeds come from the vectors; `corpus/<target>/` holds what fuzzing found besides.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socket
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from bodycam import config, configfile
from bodycam.certificates import SigningTime, TrustPolicy, judge_chain
from bodycam.clock import SystemClock
from bodycam.custody.fields import read_fields
from bodycam.custody.manifest import read_manifest
from bodycam.custody.verify import verify_paths
from bodycam.dock.witness import parse_request
from bodycam.errors import BodycamError, ConfigError
from bodycam.formats import boxes, cenc, hpkewrap, keywrap, logproof, mp4read, onvif, records
from bodycam.formats.checkpoint import parse_checkpoint_unverified, read_witness_key
from bodycam.formats.logline import decode_line
from bodycam.media import aac_format, is_b_slice, split_annexb, video_format
from bodycam.revocation import load_crls
from bodycam.signing import NoKey, load_private_key, load_root, public_key_of
from bodycam.simulate.pins import SimulatedPins

from ..vectors.surgery import reseal

Target = Callable[[bytes], object]
VECTORS = Path(__file__).parent.parent / "vectors"
FILES = VECTORS / "files"
CORPUS = Path(__file__).with_name("corpus")


def _boxes(data: bytes) -> object:
    return [
        boxes.read_header(data, box.start, box.end) for box in boxes.children(data, 0, len(data))
    ]


def _init(data: bytes) -> object:
    return mp4read.read_init(data)


def _fragment(data: bytes) -> object:
    runs = mp4read.read_fragment(data)
    for run in runs:
        for sample in run.samples[:50]:
            with suppress(BodycamError):
                cenc.crypt_sample(bytes(16), sample.aux, bytes(min(sample.size, 4096)))
    return runs


def _payload(data: bytes) -> object:
    box = records.read_payload(data)
    with suppress(BodycamError):
        read_fields(box.record)
    return [public_key_of(der) for der in box.certificates]


def _record(data: bytes) -> object:
    return read_fields(data)


def _jwe(data: bytes) -> object:
    keywrap.recipients_of(data)
    return keywrap.unwrap(data, _custodian(), bytes(16), "recording/0")


def _hpke(data: bytes) -> object:
    return hpkewrap.hpke_recipients_of(data)


def _certificate(data: bytes) -> object:
    root = load_root(FILES / "root.pem")
    return judge_chain((data,), TrustPolicy(root), SigningTime(0, 10**18))


def _log_line(data: bytes) -> object:
    return decode_line(data)


def _note(data: bytes) -> object:
    note = parse_checkpoint_unverified(data)
    return read_witness_key(note.origin)


def _proof(data: bytes) -> object:
    return logproof.decode_proof(data)


def _witness_request(data: bytes) -> object:
    return parse_request(data)


def _config(data: bytes) -> object:
    try:
        tree = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as fault:
        raise ConfigError("not TOML") from fault
    return configfile.parse(tree, "fuzz.toml")


def _access_unit(data: bytes) -> object:
    nals = split_annexb(data)
    for nal in nals:
        with suppress(BodycamError):
            is_b_slice(nal)
        with suppress(BodycamError):
            onvif.read_sei(nal)
    cenc.video_subsamples(nals)
    return video_format(nals)


def _sound(data: bytes) -> object:
    return aac_format(data)


def _control(data: bytes) -> object:
    """One line to the control socket; it must answer with one line of JSON."""
    _, path = pins()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(2)
        client.connect(str(path))
        client.sendall(data.replace(b"\n", b" ") + b"\n")
        with client.makefile("rb") as answers:
            return json.loads(answers.readline())


def _segment(data: bytes) -> object:
    path = _folder() / "segment.mp4"
    path.write_bytes(data)
    return verify_paths([path], load_root(FILES / "root.pem")).to_json()


def _sealed(number: int, kind: str, data: bytes) -> object:
    """A segment in which one box says anything, with hashes that hold: unsigned, it needs no key."""
    source = next((FILES / "unsigned-segment").glob("*.mp4"))
    path = _folder() / source.name
    shutil.copyfile(source, path)

    def cover(at: int, covered: bytes) -> bytes:
        if at != number:
            return covered
        old = boxes.child(covered, 0, len(covered), kind)
        return covered[: old.start] + data + covered[old.end :]

    reseal(path, NoKey(), cover=cover)
    return verify_paths([path], None).to_json()


def _sealed_init(data: bytes) -> object:
    return _sealed(0, "moov", data)


def _sealed_fragment(data: bytes) -> object:
    return _sealed(2, "moof", data)


def _log(data: bytes) -> object:
    path = _folder() / "log" / "events.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return verify_paths([path], load_root(FILES / "root.pem")).to_json()


def _manifest(data: bytes) -> object:
    path = _folder() / "clip.evidence.json"
    path.write_bytes(data)
    return read_manifest(path)


def _crl(data: bytes) -> object:
    path = _folder() / "crl.pem"
    text = base64.encodebytes(data)
    path.write_bytes(b"-----BEGIN X509 CRL-----\n" + text + b"-----END X509 CRL-----\n")
    return load_crls(path)


TARGETS: dict[str, Target] = {
    "boxes": _boxes, "init": _init, "fragment": _fragment, "payload": _payload,
    "record": _record, "jwe": _jwe, "hpke": _hpke, "certificate": _certificate,
    "log_line": _log_line, "note": _note, "proof": _proof, "witness_request": _witness_request,
    "config": _config, "access_unit": _access_unit, "sound": _sound, "control": _control,
    "segment": _segment, "sealed_init": _sealed_init, "sealed_fragment": _sealed_fragment,
    "log": _log, "manifest": _manifest, "crl": _crl,
}  # fmt: skip


def run_one(name: str, data: bytes) -> None:
    """Whatever is raised beside our own errors is a crash."""
    with suppress(BodycamError):
        TARGETS[name](data)


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="bodycam-fuzz-"))


@cache
def pins() -> tuple[SimulatedPins, Path]:
    path = _folder() / f"{os.getpid()}.sock"
    return SimulatedPins(config.default_pins(), SystemClock(), path, lambda world: world), path


@cache
def _custodian() -> Any:
    return load_private_key(FILES / "custody.key")


# -- seeds ------------------------------------------------------------------------------------


def seeds(name: str) -> Iterator[bytes]:
    """Good inputs of a target, and what fuzzing kept."""
    yield from _SEEDS.get(name, _nothing)()
    yield from (path.read_bytes() for path in sorted((CORPUS / name).glob("*")))


def _nothing() -> Iterator[bytes]:
    yield b""


def _segments() -> Iterator[bytes]:
    for vector in ("segment", "segment-without-sound", "unsigned-segment", "torn-segment"):
        yield from (path.read_bytes() for path in (FILES / vector).rglob("*.mp4"))


def _kind(kind: str) -> Iterator[bytes]:
    for raw in _segments():
        with suppress(BodycamError):
            for box in boxes.children(raw, 0, len(raw)):
                if box.kind == kind:
                    yield raw[box.body if kind == "uuid" else box.start : box.end]


def _records() -> Iterator[bytes]:
    for payload in _kind("uuid"):
        yield records.read_payload(payload).record


def _certificates() -> Iterator[bytes]:
    for payload in _kind("uuid"):
        yield from records.read_payload(payload).certificates


def _wrapped() -> Iterator[bytes]:
    for moov in _kind("moov"):
        found = re.search(rb'\{"protected":.*?"tag":"[^"]*"\}', moov)
        if found:
            yield found[0]


def _logs() -> Iterator[bytes]:
    for vector in ("whole-store", "crashed-store"):
        yield (FILES / vector / "log" / "events.jsonl").read_bytes()


def _lines() -> Iterator[bytes]:
    for log in _logs():
        yield from log.splitlines()


def _notes() -> Iterator[bytes]:
    yield (FILES / "whole-store" / "log" / "checkpoint").read_bytes()


def _requests() -> Iterator[bytes]:
    for note in _notes():
        yield b"old 0\n\n" + note
        yield b"old 3\n" + base64.b64encode(bytes(32)) + b"\n\n" + note


def _proofs() -> Iterator[bytes]:
    for note in _notes():
        path = base64.b64encode(bytes(32)).decode()
        text = f"c2sp.org/tlog-proof@v1\nindex 1\n{path}\n\n{note.decode()}"
        line = next(_lines()).decode()
        certificate = base64.b64encode(next(_certificates())).decode()
        proof = {"version": 1, "line": line, "proof": text, "certificates": [certificate]}
        yield json.dumps(proof).encode()


def _configs() -> Iterator[bytes]:
    yield (VECTORS.parent.parent / "bodycam.example.toml").read_bytes()
    yield b"[camera]\nwidth = 320\n[gpio.pins.record]\nbcm = 17\ndirection = 'in'\n"
    yield b"[[triggers]]\nname = 'holster'\npin = 'trigger-1'\n"


def _units() -> Iterator[bytes]:
    kept = json.loads((VECTORS / "source.json").read_text())
    yield from (base64.b64decode(data) for _, data in kept["pictures"][:3])
    yield b"\0\0\1\x06\x05\x20" + onvif_uuid() + bytes(16) + b"\x80"


def onvif_uuid() -> bytes:
    return bytes.fromhex("005bc93f2d715e95ada4796f90877a6f")


def _control_lines() -> Iterator[bytes]:
    yield b'{"set":"record","active":true,"at_ns":null,"bounce_us":[1,2,3]}'
    yield b'{"get":"wearer-red"}'
    yield b'{"watch":true}'
    yield b'{"world":{"camera":"stall"}}'


def _manifests() -> Iterator[bytes]:
    record = {"record": next(_records()).decode(), "signature": "", "pictures": 1, "sounds": 0}
    head = {"record": next(_records()).decode(), "signature": "", "certificates": []}
    clip = {"file": "clip.mp4", "bytes": 1, "sha256": "0" * 64, "origin_ns": 0}
    part = {"head": head, "kid": "0" * 32, "salt": "0" * 64, "rate_hz": 0, "records": [record]}
    yield json.dumps({"version": 1, "segments": [part], "clip": clip}).encode()


def _sounds() -> Iterator[bytes]:
    yield b"\x11\x88"


_SEEDS: dict[str, Callable[[], Iterator[bytes]]] = {
    "boxes": _segments, "init": lambda: _kind("moov"), "fragment": lambda: _kind("moof"),
    "payload": lambda: _kind("uuid"), "record": _records, "jwe": _wrapped,
    "certificate": _certificates, "log_line": _lines, "note": _notes, "proof": _proofs,
    "witness_request": _requests, "config": _configs, "access_unit": _units, "sound": _sounds,
    "control": _control_lines, "segment": _segments,
    "sealed_init": lambda: _kind("moov"), "sealed_fragment": lambda: _kind("moof"), "log": _logs, "manifest": _manifests,
    "crl": _certificates,
}  # fmt: skip
