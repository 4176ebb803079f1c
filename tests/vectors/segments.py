"""Vectors of one segment."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from bodycam.custody.findings import Check, Verdict
from bodycam.formats.boxes import child
from bodycam.provision.identity import make_identity
from bodycam.signing import NoKey

from ..evidence import UTC_NS
from .catalogue import one, vector
from .surgery import (
    Fields,
    box_at,
    flip,
    parts_of,
    replace_once,
    reseal,
    resize_box,
    units_of,
)
from .world import FixedKey, World, device_key, fixed_chance, load_key

INTACT, INCOMPLETE = Verdict.INTACT, Verdict.INCOMPLETE
ALTERED, UNTRUSTED = Verdict.ALTERED, Verdict.UNTRUSTED


@vector(INTACT)
def segment(world: World, out: Path) -> Path:
    """A segment with video and audio as the camera wrote it."""
    return one(world.shorter, out)


@vector(INTACT)
def segment_without_sound(world: World, out: Path) -> Path:
    """A segment with video only."""
    return one(world.silent, out)


@vector(INTACT)
def record_with_unknown_field(world: World, out: Path) -> Path:
    """A later version added a field, and signed it."""
    path = one(world.shorter, out)
    reseal(path, world.key, edit=lambda fields: fields.update(weather="rain"))
    return path


@vector(INCOMPLETE, Check.END, "after fragment 1")
def crashed_segment(world: World, out: Path) -> Path:
    """The recorder was killed: no END, nothing torn."""
    return one(world.crashed, out, 1)


@vector(INCOMPLETE, Check.CONTAINER, "after fragment 2")
def torn_segment(world: World, out: Path) -> Path:
    """Power was cut while a fragment was written."""
    path = one(world.shorter, out)
    os.truncate(path, units_of(path)[3].start + 700)
    return path


@vector(INCOMPLETE, Check.CONTAINER, "after fragment 2")
def torn_into_zeros(world: World, out: Path) -> Path:
    """The same; the file system had given the file its length, but not its content."""
    path = one(world.shorter, out)
    size = path.stat().st_size
    os.truncate(path, units_of(path)[3].start + 700)
    os.truncate(path, size)
    return path


@vector(INCOMPLETE, Check.END, "")
def empty_file(world: World, out: Path) -> Path:
    """The name reached the card, the content never did."""
    path = one(world.shorter, out)
    os.truncate(path, 0)
    return path


@vector(INCOMPLETE, Check.END, "after fragment 4")
def end_removed(world: World, out: Path) -> Path:
    """END was cut off: the file alone cannot tell this from a power cut."""
    path = one(world.shorter, out)
    os.truncate(path, units_of(path)[-1].start)
    return path


@vector(Verdict.UNREADABLE, Check.CONTAINER, "")
def not_evidence(world: World, out: Path) -> Path:
    """A picture with a segment's name."""
    path = one(world.shorter, out)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    return path


@vector(UNTRUSTED, Check.CERTIFICATE, "")
def unsigned_segment(world: World, out: Path) -> Path:
    """The camera had no device key."""
    return one(world.unsigned, out)


# -- bytes changed without a key ------------------------------------------------------------


@vector(ALTERED, Check.BYTES, "fragment 2")
def picture_bit_flipped(world: World, out: Path) -> Path:
    """One bit of a picture."""
    path = one(world.shorter, out)
    flip(path, box_at(path, 2, "mdat").end - 20)
    return path


@vector(ALTERED, Check.BYTES, "fragment 1")
def sound_bit_flipped(world: World, out: Path) -> Path:
    """One bit of the last sound of a fragment."""
    path = one(world.shorter, out)
    flip(path, box_at(path, 1, "mdat").end - 1)
    return path


@vector(ALTERED, Check.BYTES, "fragment 3")
def prft_time_altered(world: World, out: Path) -> Path:
    """The time that players show for a fragment."""
    path = one(world.shorter, out)
    flip(path, box_at(path, 3, "prft").body + 11, 0x10)
    return path


@vector(ALTERED, Check.BYTES, "fragment 2")
def decode_time_altered(world: World, out: Path) -> Path:
    """A fragment is shown one tick later."""
    path = one(world.shorter, out)
    raw = path.read_bytes()
    moof = box_at(path, 2, "moof")
    flip(path, raw.index(b"tfdt", moof.start) + 15)
    return path


@vector(ALTERED, Check.BYTES, "head")
def creation_time_altered(world: World, out: Path) -> Path:
    """The creation time in `mvhd`."""
    path = one(world.shorter, out)
    flip(path, path.read_bytes().index(b"mvhd") + 15, 0x40)
    return path


@vector(ALTERED, Check.BYTES, "head")
def pssh_altered(world: World, out: Path) -> Path:
    """One character of the wrapped key."""
    path = one(world.shorter, out)
    flip(path, path.read_bytes().index(b'"ciphertext":"') + 20)
    return path


@vector(ALTERED, Check.BYTES, "head")
def recipient_removed(world: World, out: Path) -> Path:
    """Oversight shall not be able to open it."""
    path = one(world.shorter, out)
    head, *rest = parts_of(path)
    covered = units_of(path)[0].box_start
    path.write_bytes(_one_recipient(0, head[:covered]) + head[covered:] + b"".join(rest))
    return path


def _one_recipient(number: int, covered: bytes) -> bytes:
    if number:
        return covered
    moov = child(covered, 0, len(covered), "moov")
    pssh = child(covered, moov.body, moov.end, "pssh")
    jwe = json.loads(covered[pssh.body + 44 : pssh.end])
    jwe["recipients"] = jwe["recipients"][:1]
    data = json.dumps(jwe, separators=(",", ":")).encode()
    content = covered[pssh.body : pssh.body + 40] + len(data).to_bytes(4, "big") + data
    return resize_box(covered, pssh, content)


@vector(ALTERED, Check.SIGNATURE, "fragment 2")
def record_time_edited(world: World, out: Path) -> Path:
    """UTC in a record, one hour later."""
    path = one(world.shorter, out)
    raw = path.read_bytes()
    begin = units_of(path)[2].box_start
    at = raw.index(b"T20:26", begin)
    path.write_bytes(raw[:at] + b"T21:26" + raw[at + 6 :])
    return path


@vector(ALTERED, Check.SIGNATURE, "head")
def head_record_edited(world: World, out: Path) -> Path:
    """Who switched the camera on, in HEAD."""
    path = one(world.shorter, out)
    replace_once(path, b'"cause":"switch"', b'"cause":"resume"')
    return path


@vector(ALTERED, Check.SIGNATURE, "fragment 3")
def signature_bit_flipped(world: World, out: Path) -> Path:
    """One bit of a signature."""
    path = one(world.shorter, out)
    flip(path, units_of(path)[3].end - 5)
    return path


@vector(ALTERED, Check.SIGNATURE_BOX, "fragment 1")
def signature_box_version(world: World, out: Path) -> Path:
    """The version of a signature box."""
    path = one(world.shorter, out)
    flip(path, units_of(path)[1].box_start + 24)
    return path


@vector(ALTERED, Check.SIGNATURE_BOX, "record 5")
def end_box_flags(world: World, out: Path) -> Path:
    """The flags of END, which nothing in the file vouches for."""
    path = one(world.shorter, out)
    flip(path, units_of(path)[-1].box_start + 27)
    return path


@vector(ALTERED, Check.CONTAINER, "fragment 2")
def box_size_altered(world: World, out: Path) -> Path:
    """The length of a `moof`."""
    path = one(world.shorter, out)
    flip(path, box_at(path, 2, "moof").start + 3, 0x08)
    return path


# -- structure ------------------------------------------------------------------------------


@vector(ALTERED, Check.CHAIN, "fragment 3")
def fragment_dropped(world: World, out: Path) -> Path:
    """Fragment 2 was cut out with its signature box."""
    path = one(world.shorter, out)
    parts = parts_of(path)
    path.write_bytes(b"".join(parts[:2] + parts[3:]))
    return path


@vector(ALTERED, Check.CHAIN, "fragment 3")
def fragments_swapped(world: World, out: Path) -> Path:
    """Fragments 2 and 3 changed places."""
    path = one(world.shorter, out)
    parts = parts_of(path)
    parts[2], parts[3] = parts[3], parts[2]
    path.write_bytes(b"".join(parts))
    return path


@vector(ALTERED, Check.CHAIN, "fragment 2")
def fragment_repeated(world: World, out: Path) -> Path:
    """Fragment 2 is there twice."""
    path = one(world.shorter, out)
    parts = parts_of(path)
    path.write_bytes(b"".join([*parts[:3], *parts[2:]]))
    return path


@vector(ALTERED, Check.CHAIN, "fragment 2")
def fragment_of_other_segment(world: World, out: Path) -> Path:
    """Fragment 2 of the same recording's next segment, signed by the same key."""
    path = one(world.shorter, out)
    parts = parts_of(path)
    parts[2] = parts_of(world.shorter.segments[1])[2]
    path.write_bytes(b"".join(parts))
    return path


@vector(ALTERED, Check.SIGNATURE, "fragment 2")
def fragment_of_other_camera(world: World, out: Path) -> Path:
    """Fragment 2 as another camera signed it."""
    path = one(world.shorter, out)
    parts = parts_of(path)
    parts[2] = parts_of(world.stranger.segments[0])[2]
    path.write_bytes(b"".join(parts))
    return path


@vector(ALTERED, Check.CONTAINER, "fragment 2")
def box_put_in(world: World, out: Path) -> Path:
    """A `free` box between two fragments."""
    path = one(world.shorter, out)
    parts = parts_of(path)
    path.write_bytes(b"".join([*parts[:2], b"\0\0\0\x0cfreeHide", *parts[2:]]))
    return path


@vector(ALTERED, Check.CONTAINER, "")
def bytes_behind_end(world: World, out: Path) -> Path:
    """Something hangs on behind END."""
    path = one(world.shorter, out)
    path.write_bytes(path.read_bytes() + b"\0\0\0\x0cfreeHide")
    return path


@vector(ALTERED, Check.CONTAINER, "fragment 6")
def fragment_behind_end(world: World, out: Path) -> Path:
    """A signed fragment behind END."""
    path = one(world.shorter, out)
    path.write_bytes(path.read_bytes() + parts_of(path)[1])
    return path


@vector(ALTERED, Check.CONTAINER, "head")
def head_removed(world: World, out: Path) -> Path:
    """`ftyp` and `moov` without HEAD."""
    path = one(world.shorter, out)
    head, *rest = parts_of(path)
    path.write_bytes(head[: units_of(path)[0].box_start] + b"".join(rest))
    return path


@vector(ALTERED, Check.HEAD, "head")
def renamed_segment(world: World, out: Path) -> Path:
    """A file with another segment's number."""
    path = one(world.shorter, out)
    return path.rename(path.with_name(path.name.replace("_00000", "_00007")))


# -- signatures and certificates ------------------------------------------------------------


@vector(UNTRUSTED, Check.CERTIFICATE, "")
def signatures_stripped(world: World, out: Path) -> Path:
    """All signatures and certificates removed, and a new chain of hashes made."""
    path = one(world.shorter, out)
    reseal(path, NoKey(), edit=lambda f: f.update(x5t="") if f["t"] == "head" else None)
    return path


@vector(ALTERED, Check.CHAIN, "fragment 4")
def one_signature_stripped(world: World, out: Path) -> Path:
    """The signature of fragment 3 removed: it might have come late, but fragment 4 names another box."""
    path = one(world.shorter, out)
    parts = parts_of(path)
    unit = units_of(path)[3]
    size = int.from_bytes(unit.payload[4:8], "big")
    payload = unit.payload[: 8 + size] + bytes(2)
    box = (24 + len(payload)).to_bytes(4, "big") + parts[3][unit.box_start - unit.start + 4 :][:20]
    parts[3] = parts[3][: unit.box_start - unit.start] + box + payload
    path.write_bytes(b"".join(parts))
    return path


@vector(ALTERED, Check.HEAD, "head")
def resigned_by_other_camera(world: World, out: Path) -> Path:
    """Signed anew by another camera of the same force, with its own certificates."""
    path = one(world.shorter, out)
    reseal(path, world.sister_key, edit=_naming(world.sister_key.certificates))
    return path


def _naming(certificates: tuple[bytes, ...]) -> Callable[[Fields], None]:
    def edit(fields: Fields) -> None:
        if fields["t"] == "head":
            fields["x5t"] = hashlib.sha256(certificates[0]).hexdigest()

    return edit


@vector(UNTRUSTED, Check.CERTIFICATE, "")
def resigned_by_forged_authority(world: World, out: Path) -> Path:
    """Signed anew by a key with a certificate of the same name, from an authority of one's own."""
    path = one(world.shorter, out)
    with fixed_chance("forger"):
        forged = device_key(make_identity(out / "forger", "cam-0001", UTC_NS))
    shutil.rmtree(out / "forger")
    reseal(path, forged, edit=_naming(forged.certificates))
    return path


@vector(ALTERED, Check.SIGNATURE, "head")
def certificate_swapped(world: World, out: Path) -> Path:
    """Another camera's certificate in HEAD."""
    path = one(world.shorter, out)
    reseal(path, world.key, certificates=world.stranger_key.certificates)
    return path


@vector(ALTERED, Check.CHAIN, "fragment 1")
def issuer_swapped(world: World, out: Path) -> Path:
    """The issuer's certificate exchanged for another force's."""
    path = one(world.shorter, out)
    ours, theirs = world.key.certificates[1], world.stranger_key.certificates[1]
    head, *rest = parts_of(path)
    added = len(theirs) - len(ours)
    at = units_of(path)[0].box_start
    size = int.from_bytes(head[at : at + 4], "big") + added
    head = head[:at] + size.to_bytes(4, "big") + head[at + 4 :]
    old, new = (len(der).to_bytes(4, "big") + der for der in (ours, theirs))
    path.write_bytes(head.replace(old, new) + b"".join(rest))
    return path


@vector(UNTRUSTED, Check.CERTIFICATE, "")
def certificate_missing_its_issuer(world: World, out: Path) -> Path:
    """Only the leaf in HEAD: nothing leads to the root."""
    path = one(world.shorter, out)
    reseal(path, world.key, certificates=world.key.certificates[:1])
    return path


@vector(UNTRUSTED, Check.CERTIFICATE, "")
def certificate_expired_at_signing(world: World, out: Path) -> Path:
    """The camera went on signing when its certificate had expired."""
    path = one(world.shorter, out)
    reseal(path, world.key, edit=_in_2036)
    return path


def _in_2036(fields: Fields) -> None:
    if "utc" in fields:
        fields["utc"] = fields["utc"].replace("2026-", "2036-")


@vector(ALTERED, Check.HEAD, "head")
def signed_by_the_authority(world: World, out: Path) -> Path:
    """Signed with the key of the authority, which may sign certificates only."""
    path = one(world.shorter, out)
    identity = world.shorter.identity
    forged = FixedKey(load_key(identity.authority / "intermediate.key"), world.key.certificates[1:])
    reseal(path, forged, edit=_naming(forged.certificates))
    return path


@vector(UNTRUSTED, Check.CERTIFICATE, "")
def camera_as_authority(world: World, out: Path) -> Path:
    """A camera's certificate used to issue another one."""
    path = one(world.shorter, out)
    with fixed_chance("sub-camera"):
        forged = device_key(make_identity(out / "forger", "cam-0001", UTC_NS))
        leaf = x509.load_der_x509_certificate(forged.certificates[0])
        ours = x509.load_der_x509_certificate(world.key.certificates[0])
        builder = x509.CertificateBuilder(
            ours.subject, leaf.subject, leaf.public_key(), 7,
            leaf.not_valid_before_utc, leaf.not_valid_after_utc, list(leaf.extensions),
        )  # fmt: skip
        issued = builder.sign(world.key.private, hashes.SHA256())
    shutil.rmtree(out / "forger")
    der = issued.public_bytes(serialization.Encoding.DER)
    chain = (der, *world.key.certificates)
    reseal(path, FixedKey(forged.private, chain), edit=_naming(chain))
    return path


# -- what only the holder of the camera's key could do ----------------------------------------


@vector(ALTERED, Check.SIGNATURE, "fragment 2")
def record_version_unknown(world: World, out: Path) -> Path:
    """A record of version 2."""
    path = one(world.shorter, out)
    reseal(path, world.key, edit=lambda f: f.update(v=2) if f["n"] == 2 else None)
    return path


@vector(ALTERED, Check.SIGNATURE, "fragment 2")
def record_with_a_fraction(world: World, out: Path) -> Path:
    """A number that is no whole number."""
    path = one(world.shorter, out)
    reseal(path, world.key, edit=lambda f: f.update(drop=0.5) if f["n"] == 2 else None)
    return path


@vector(ALTERED, Check.SIGNATURE, "fragment 2")
def record_not_json(world: World, out: Path) -> Path:
    """A record that is no JSON."""
    path = one(world.shorter, out)
    reseal(path, world.key, record=lambda n, line: b"{" + line if n == 2 else line)
    return path


@vector(ALTERED, Check.TIMES, "fragment 3")
def capture_time_backwards(world: World, out: Path) -> Path:
    """Fragment 3 says that it was captured before fragment 2."""
    path = one(world.shorter, out)
    reseal(
        path, world.key,
        edit=lambda f: f.update(boot_ns=f["boot_ns"] - 10**9) if f["n"] == 3 else None,
    )  # fmt: skip
    return path


@vector(ALTERED, Check.TIMES, "fragment 2")
def sample_count_wrong(world: World, out: Path) -> Path:
    """One picture less than the `moof` has."""
    path = one(world.shorter, out)
    reseal(path, world.key, edit=lambda f: f.update(nv=f["nv"] - 1) if f["n"] == 2 else None)
    return path


@vector(ALTERED, Check.END, "end")
def end_miscounts(world: World, out: Path) -> Path:
    """END counts more fragments than there are."""
    path = one(world.shorter, out)
    reseal(path, world.key, edit=lambda f: f.update(frags=5) if f["t"] == "end" else None)
    return path


@vector(ALTERED, Check.HEAD, "head")
def without_wrapped_key(world: World, out: Path) -> Path:
    """The `pssh` box with the wrapped key is empty: nobody could open it."""

    def empty(number: int, covered: bytes) -> bytes:
        if number:
            return covered
        moov = child(covered, 0, len(covered), "moov")
        pssh = child(covered, moov.body, moov.end, "pssh")
        return resize_box(covered, pssh, covered[pssh.body : pssh.body + 40] + bytes(4))

    path = one(world.shorter, out)
    reseal(path, world.key, cover=empty)
    return path


@vector(INCOMPLETE, Check.CONTINUITY, "fragment 3")
def lost_pictures_counted(world: World, out: Path) -> Path:
    """The camera counts pictures that it lost."""
    path = one(world.shorter, out)
    reseal(path, world.key, edit=lambda f: f.update(drop=7) if f["n"] == 3 else None)
    return path


@vector(INCOMPLETE, Check.CONTINUITY, "fragment 2")
def pictures_lost_behind_the_first(world: World, out: Path) -> Path:
    """Half a second without pictures right behind the first, which is alone in its fragment."""
    return one(world.lossy, out)


@vector(INTACT)
def slower_in_the_dark(world: World, out: Path) -> Path:
    """The camera slows from 20 pictures a second to 4, with one or two in a fragment: nothing is lost."""
    return one(world.slowed, out)
