"""A second verifier for body-worn video, written from docs/FORMAT.md alone.

    python3 verify2.py ROOT.pem PATH      a segment, a recording's folder, a log, or a store

Python's library and `cryptography` only; nothing of the program whose evidence it judges. Numbers
in brackets are the checks of FORMAT.md, section 10; the answer is its exit code.
"""

import base64
import hashlib
import json
import re
import struct
import sys
import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median_low
from types import SimpleNamespace as Segment
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

WORST_FIRST = ALTERED, UNREADABLE, UNTRUSTED, INCOMPLETE, INTACT = 4, 6, 5, 3, 0
MARK = bytes.fromhex("d5a2f3c87b1e4c0a9f642b8e51d07c3a")
WRAPPED = ("8f3f7d0c52c14ef19a3b6a0d3f5b1c77", "c1f0b9a46e574d338b0e9d5a2e417f60")
FTYP = struct.pack(">I4s4sI4s4s4s", 28, b"ftyp", b"iso6", 0, b"iso6", b"cmfc", b"mp41")
HEAD_BOXES, FRAGMENT_BOXES = [b"ftyp", b"moov"], [b"prft", b"moof", b"mdat"]
ZERO, ECDSA = "0" * 64, ec.ECDSA(hashes.SHA256())
DER = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
BROKEN = (Exception,)  # whatever hostile bytes break, they have broken a rule
EVIDENCE_SIGNING = x509.ObjectIdentifier("2.25.162402619306510249478206808653890473111")


def need(holds: object, number: int, text: str) -> None:
    if not holds:
        raise ValueError(number, text)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def boxes(data: bytes, at: int = 0) -> Iterator[tuple[bytes, bytes, int]]:
    """Kind, content and end of each box from `at` to the end of the data."""
    while at < len(data):
        (size, kind), body = struct.unpack_from(">I4s", data, at), at + 8
        if size == 1:
            (size,), body = struct.unpack_from(">Q", data, body), at + 16
        need(body - at <= size <= len(data) - at, 1, f"box at byte {at} is cut short")
        at += size
        yield kind, data[body:at], at


def parts_of(data: bytes) -> dict[bytes, bytes]:
    return {kind: content for kind, content, _ in boxes(data)}


def split(data: bytes) -> tuple[list[tuple[int, int, bytes]], int, str]:
    """(1) Start, signature box and its payload of each unit; where that ends, and why."""
    units: list[tuple[int, int, bytes]] = []
    start = end = 0
    while start < len(data):
        wanted, kinds, at = FRAGMENT_BOXES if units else HEAD_BOXES, list[bytes](), start
        try:
            for kind, body, end in boxes(data, start):
                if kind == b"uuid" and body[:16] == MARK:
                    break
                kinds.append(kind)
                known = kind in [b"uuid", *HEAD_BOXES, *FRAGMENT_BOXES]
                need(kinds == wanted[: len(kinds)], 1, "misplaced box" if known else "unknown box")
                at = end
            need(at < end, 1, "the file ends before a signature box")
            need(kinds == wanted or (units and not kinds), 1, "misplaced box")
            need(data[:28] == FTYP, 1, "the first box is not a segment's")
        except (ValueError, struct.error) as fault:
            return units, start, str(fault)
        units.append((start, at, body[16:]))
        start = end
    return units, start, ""


def open_box(payload: bytes) -> tuple[bytes, bytes, list[bytes]]:
    """(2) Record, signature and certificates of a signature box."""
    version, length = struct.unpack_from(">II", payload)
    (size,) = struct.unpack_from(">H", payload, 8 + length)
    at = 10 + length + size
    record, signature, ders = payload[8 : 8 + length], payload[10 + length : at], []
    if at < len(payload):
        count, at = payload[at], at + 1
        for _ in range(count):
            (size,) = struct.unpack_from(">I", payload, at)
            ders.append(payload[at + 4 : at + 4 + size])
            at += 4 + size
    need(version == 0 and length <= 65536 and len(ders) <= 4 and at == len(payload), 2, "fields")
    return record, signature, ders


def box_follows(data: bytes, at: int) -> bool:
    """Whether a signature box that is all there stands anywhere behind."""
    while (at := data.find(MARK, at) + 16) >= 16:
        length = int.from_bytes(data[at + 4 : at + 8], "big")
        size = int.from_bytes(data[at + 8 + length : at + 10 + length], "big")
        if length <= 65536 and size <= 1024 and at + 10 + length + size <= len(data):
            return True
    return False


def torn(key: Any, data: bytes, start: int, at: int, payload: bytes, rest: bool, end: bool) -> bool:
    """(1) Whether a power cut explains that the last fragment of an open file does not hold."""
    try:
        record, signature, _ = open_box(payload)
        if key and signature:
            key.verify(signature, record, ECDSA)
    except BROKEN:
        last = data[len(data) // 512 * 512 :]
        garbage = not end and sum(not 32 <= byte < 127 for byte in payload[8:-90]) > 8
        return rest or garbage or (last != b"" and not any(last))
    return sha256(data[start:at]).encode() not in record and rest


def blank(data: bytes) -> int:
    """(1) Where the first sector of zeros is, or the end."""
    starts = range(0, len(data), 512)
    return next((s for s in starts if data[s : s + 512] == bytes(512)), len(data))


def runs_of(moof: bytes) -> dict[int, tuple[int, list[tuple[int, ...]]]]:
    """For each track its decode time, and duration and size of each sample."""
    runs = {}
    for parts in [parts_of(traf) for kind, traf, _ in boxes(moof) if kind == b"traf"]:
        flags, count = struct.unpack_from(">II", parts[b"trun"])
        run = list(struct.iter_unpack(">III" if flags & 1024 else ">II", parts[b"trun"][12:]))
        need(len(run) == count, 8, "trun does not end where it says")
        track, (time,) = parts[b"tfhd"][7], struct.unpack_from(">Q", parts[b"tfdt"], 4)
        runs[track] = (time, run)
    return runs


def merkle(lines: list[bytes]) -> bytes:
    """RFC 6962, 2.1."""
    if len(lines) <= 1:
        return hashlib.sha256(b"\0" + lines[0] if lines else b"").digest()
    k = 1 << (len(lines) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + merkle(lines[:k]) + merkle(lines[k:])).digest()


class Verifier:
    def __init__(self, root: x509.Certificate) -> None:
        self.root, self.worst = root, INTACT

    def say(self, code: int, where: str, text: object) -> None:
        print(f"{where}: {text!r}")
        self.worst = min(self.worst, code, key=WORST_FIRST.index)

    def segment(self, path: Path, closing: dict[str, Any] | None = None) -> Segment:
        raw = path.read_bytes()
        closed = closing and closing["size"] <= len(raw)
        data = raw if closed else raw[: blank(raw)]
        seg = Segment(name=path.name, size=len(raw), head=None, ders=[], key=None, trusted=False)
        seg.last, seg.ended, seg.begin, seg.end, seg.frame, seg.heads = ZERO, False, None, 0, 0, []
        seg.shown = []
        units, rest, why = split(data)
        for number, (start, at, payload) in enumerate(units):
            open_end, end = number == len(units) - 1 and not closed, b'"t":"end"' in payload
            after = rest < len(data) and "misplaced" not in why and not end
            if open_end and number and torn(seg.key, data, start, at, payload, after, end):
                rest, why = start, "torn"
            else:
                self.unit(seg, data[start:at], payload, number, start)
        self.continuity(seg)
        misplaced = "misplaced" in why and rest + 24 <= len(data.rstrip(b"\0"))
        part = data[rest : -(-rest // 512) * 512]
        behind = box_follows(data, rest) and (closed or not part or any(part))
        wrong = seg.ended or closed or misplaced or behind
        if rest < len(data) and why != "torn" and wrong:  # (1)
            self.say(ALTERED, path.name, why)
        elif not units and data and not FTYP.startswith(data[:28].rstrip(b"\0")):
            self.say(UNREADABLE, path.name, "is no segment")
        elif not seg.ended:  # (9)
            self.say(INCOMPLETE, path.name, f"no END; torn: {len(data) - rest} bytes")
        return seg

    def unit(self, seg: Segment, covered: bytes, payload: bytes, n: int, start: int) -> None:
        where, (prev, seg.last) = f"{seg.name}, record {n}", (seg.last, sha256(payload))
        try:
            record, signature, ders = open_box(payload)
            if n == 0:
                seg.ders = ders
                seg.key = x509.load_der_x509_certificate(ders[0]).public_key() if ders else None
            need(not seg.ended, 1, "stands behind END")
            need(bool(signature) == (seg.key is not None), 4, "is signed, or not, unlike HEAD")
            if seg.key:
                seg.key.verify(signature, record, ECDSA)
            f = json.loads(record, parse_float=int, parse_constant=int)
            need(f["v"] == 1 and (f["t"] == "head") == (n == 0), 4, "of unknown version or kind")
            need(f["n"] == n and (not n or f["prev"] == prev), 5, "breaks the chain")
            here = (start, len(covered), sha256(covered))
            need((f["off"], f["len"], f["sha256"]) == here, 6, "covers other bytes")
            seg.heads += [tuple(f["log"])] if n else []
            if f["t"] == "head":
                self.head(seg, f, covered)
            elif f["t"] == "frag":
                self.fragment(seg, f, parts_of(covered), where)
            else:
                seg.ended = True
                need(f["len"] == 0 and f["frags"] == n - 1, 9, "END miscounts")
        except BROKEN as fault:
            self.say(ALTERED, where, fault)

    def chain(self, chain: list[x509.Certificate], f: Any) -> None:
        """(3) Whether these certificates lead to the root, and were valid when HEAD was signed."""
        for depth, (subject, issuer) in enumerate(pairwise([*chain, self.root])):
            subject.verify_directly_issued_by(issuer)
            limits = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
            need(limits.ca and limits.path_length in (None, *range(depth, 9)), 3, "not its issuer")
        usage = chain[0].extensions.get_extension_for_class(x509.KeyUsage).value
        purposes = chain[0].extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        need(usage.digital_signature and not usage.key_cert_sign, 3, "is no signer's")
        need(EVIDENCE_SIGNING in purposes, 3, "is not for signing evidence")
        for c in [*chain, self.root] if f and f["clk"] != "none" else []:
            at, unsure = datetime.fromisoformat(f["utc"]), timedelta(milliseconds=f["unc_ms"])
            inside = c.not_valid_before_utc - unsure <= at <= c.not_valid_after_utc + unsure
            need(inside, 3, "was not valid when it signed")

    def head(self, seg: Segment, f: dict[str, Any], covered: bytes) -> None:
        seg.head, chain = f, [x509.load_der_x509_certificate(der) for der in seg.ders]
        try:
            self.chain(chain, f)
            seg.trusted = True
        except BROKEN as fault:
            self.say(UNTRUSTED, seg.name, fault)
        if seg.ders:
            need(f["x5t"] == sha256(seg.ders[0]), 7, "names another certificate")
            need(chain[0].subject.rfc4514_string() == f"CN={f['dev']}", 7, "is another device's")
        name = re.fullmatch(r"(.+)_([0-9a-fA-F-]{36})_(\d{5,9})\.mp4", seg.name)
        need(not name or name.groups() == (f["dev"], f["rec"], f"{f['seg']:05d}"), 7, "renamed")
        moov = boxes(parts_of(covered)[b"moov"])
        jwe = json.loads(next(box[44:] for _, box, _ in moov if box[4:20].hex() in WRAPPED))
        need(1 <= len(jwe["recipients"]) <= 16, 7, "no wrapped key")

    def fragment(self, seg: Segment, f: Any, parts: dict[bytes, bytes], where: str) -> None:
        runs, known = runs_of(parts[b"moof"]), seg.begin is not None
        (base, video), (_, audio) = (runs.get(track, (0, [])) for track in (1, 2))
        times = [sample[0] for sample in video]
        capture = seg.head["boot_ns"] + base * 10**9 // 90000
        need((len(video), len(audio)) == (f["nv"], f["na"]), 8, "counts other samples")
        need(sum(s[1] for s in video + audio) == len(parts[b"mdat"]), 8, "does not fill the mdat")
        need(f["end_ns"] >= f["boot_ns"], 8, "it ends before it begins")
        need(not (known and video) or f["boot_ns"] > seg.begin, 8, "time goes backwards")
        need(not video or abs(capture - f["boot_ns"]) < 25_000, 8, "media time differs")
        need(sum(times[:-1]) <= 49_500, 8, "is longer than half a second")
        between = (f["boot_ns"] - seg.end) * 9 // 10**5 if known and video else 0
        seg.shown.append((where, f["drop"], between, times))
        seg.begin, seg.end = f["boot_ns"], f["end_ns"]

    def continuity(self, seg: Segment) -> None:
        """(11) A picture stands for at most three times as long as those around it."""
        steps = [step for *_, times in seg.shown for step in times]
        frames = [median_low(steps[max(0, i - 7) : i + 8]) for i in range(len(steps))]
        seg.frame, at = frames[-1] if frames else 0, 0
        for where, lost, between, times in seg.shown:
            here, at = frames[at : at + len(times)], at + len(times)
            stood = zip([between, *times], here[:1] + here, strict=False)
            if lost or any(step > 3 * frame for step, frame in stood):
                self.say(INCOMPLETE, where, f"a gap; {lost} pictures lost")

    def recording(self, segments: list[Segment]) -> None:
        headed = sorted((s for s in segments if s.head), key=lambda s: int(s.head["seg"]))
        for i, seg in enumerate(headed):  # (10)
            before = headed[i - 1]
            if any(seg.head[k] != headed[0].head[k] for k in ("dev", "rec", "boot", "x5t")):
                self.say(ALTERED, seg.name, "is of another camera, recording or boot")
            if seg.head["seg"] != i or (i and seg.head["prev"] != before.last):
                self.say(ALTERED, seg.name, "does not follow the segment before")
            elif i and (seg.head["boot_ns"] - before.end) * 9 // 10**5 > 3 * (before.frame or 9000):
                self.say(INCOMPLETE, seg.name, "a gap before it")

    def log_lines(self, path: Path) -> tuple[list[bytes], list[dict[str, Any]]]:
        raw, prev, events = path.read_bytes() if path.exists() else b"", ZERO, []
        *lines, tail = raw.partition(b"\0")[0].split(b"\n")
        for number, line in enumerate(lines):  # (12)
            try:
                f = json.loads(line)
                need(line[-18:] == b',"crc":"%08x"}' % zlib.crc32(line[:-18]), 12, "checksum")
                right = len(line) <= 16384, f["v"], f["seq"], f["prev"]
                need(right == (True, 1, number, prev), 12, "breaks the chain, or is too long")
                events.append(f)
            except BROKEN as fault:
                self.say(ALTERED, f"line {number + 1}", fault)
            prev = sha256(line)
        if tail or b"\0" in raw:
            self.say(INCOMPLETE, path.name, "torn last line")
        return lines, events

    def log_root(self, path: Path, lines: list[bytes], segments: list[Segment]) -> None:
        known = [s.key for s in segments if s.trusted]
        for pem in sorted((path.parent / "certificates").glob("*.pem")):
            try:
                chain = x509.load_pem_x509_certificates(pem.read_bytes())
                self.chain(chain, None)
                known.append(chain[0].public_key())
            except BROKEN as fault:
                self.say(UNTRUSTED, pem.name, fault)
        keys = {bytes.fromhex(sha256(key.public_bytes(*DER)))[:4]: key for key in known}
        stated, vouched = [(*head, s.trusted) for s in segments for head in s.heads], 0
        try:  # (13)
            text, signatures = path.with_name("checkpoint").read_text("utf-8").split("\n\n", 1)
            _, size, root = text.split("\n")
            raws = [base64.b64decode(note.split(" ")[2]) for note in signatures.splitlines()]
            ours = [raw for raw in raws if raw[:4] in keys]
            for raw in ours:
                keys[raw[:4]].verify(raw[4:], text.encode() + b"\n", ECDSA)
            stated.append((int(size), base64.b64decode(root).hex(), bool(ours)))
            if not ours:
                self.say(UNTRUSTED, "checkpoint", "is signed by a key that nobody named")
        except FileNotFoundError:
            if not any(trusted for _, _, trusted in stated):
                self.say(UNTRUSTED, "checkpoint", "missing: nobody signed this log")
        except BROKEN as fault:
            self.say(ALTERED, "checkpoint", fault)
        for size, root, trusted in stated:
            if size > len(lines):
                self.say(ALTERED, path.name, f"was cut: {size} lines were there")
            elif size and merkle(lines[:size]).hex() != root:
                self.say(ALTERED, path.name, f"root of {size} lines")
            else:
                vouched = max(vouched, size if trusted else 0)
        if 0 < vouched < len(lines):
            self.say(INCOMPLETE, path.name, f"nobody signed for lines from {vouched + 1} on")

    def store(self, root: Path) -> None:
        log = root / "log" / "events.jsonl"
        lines, events = self.log_lines(log)
        said = {e["ev"] + e["data"]["file"]: e["data"] for e in events if e["ev"][:4] == "seg."}
        files: dict[str, Segment] = {}
        for folder in sorted(p for p in (root / "evidence").glob("*") if p.is_dir()):
            here = {f"{folder.name}/{p.name}": p for p in sorted(folder.glob("*.mp4"))}
            found = {n: self.segment(p, said.get("seg.close" + n)) for n, p in here.items()}
            self.recording(list(found.values()))
            files |= found
        if not lines:  # (14)
            self.say(INCOMPLETE, "log", "missing")
        else:
            self.log_root(log, lines, list(files.values()))
        for name in {key[8:] for key in said if key.startswith("seg.open")} - set(files):
            self.say(INCOMPLETE, name, "was opened, and is not there")
        for name, seg in files.items() if lines else ():
            closing = said.get("seg.close" + name)
            if "seg.open" + name not in said:
                self.say(ALTERED, name, "is not in the log")
            elif closing is None or (seg.size < closing["size"] and not seg.ended):
                self.say(INCOMPLETE, name, "was not closed, or cut since")
            elif (seg.size, seg.last) != (closing["size"], closing["last"]):
                self.say(ALTERED, name, "does not end as the log says")


def verify(root: Path, path: Path) -> int:
    judge = Verifier(x509.load_pem_x509_certificate(root.read_bytes()))
    if path.suffix == ".jsonl":
        judge.log_root(path, judge.log_lines(path)[0], [])
    elif path.is_file():
        judge.segment(path)
    elif (path / "evidence").is_dir() or (path / "log").is_dir():
        judge.store(path)
    else:
        judge.recording([judge.segment(p) for p in sorted(path.glob("*.mp4"))])
    return judge.worst


if __name__ == "__main__":
    sys.exit(verify(Path(sys.argv[1]), Path(sys.argv[2])))
