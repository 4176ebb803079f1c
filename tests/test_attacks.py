"""Attacks on evidence: each one is found, with its verdict and its place; none is a crash.

Edits of structure are vectors (tests/vectors/segments.py, stores.py), so that other verifiers can be
held to the same answers. Here is what takes thousands of files, and what takes no file at all.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bodycam.clock import NS, utc_text
from bodycam.custody.clipcheck import verify_clip
from bodycam.custody.clipreader import read_samples
from bodycam.custody.manifest import manifest_path
from bodycam.custody.segmentwalk import MAX_BREAKS
from bodycam.custody.verify import verify_paths
from bodycam.formats.mp4 import FTYP
from bodycam.formats.records import SIGNATURE_UUID
from bodycam.signing import NoKey, load_root

from .evidence import UTC_NS, Evidence, build_store, footage
from .vectors.make import FILES, INDEX, ROOT
from .vectors.surgery import log_lines, rechain, reseal, units_of, write_log

pytestmark = pytest.mark.system

FLIPS = 2000
VECTORS: dict[str, dict[str, Any]] = {v["name"]: v for v in json.loads((FILES / INDEX).read_text())}

# Every attack on the structure that one can name, and the vectors that show it.
NAMED = {
    "drop": ["fragment-dropped", "first-segment-missing", "log-line-removed"],
    "swap": ["fragments-swapped", "segments-swapped", "log-lines-swapped"],
    "duplicate": ["fragment-repeated", "segment-added-to-store"],
    "put in": ["box-put-in", "bytes-behind-end", "fragment-behind-end"],
    "another camera's": ["fragment-of-other-camera", "segment-of-other-camera"],
    "another recording's": ["fragment-of-other-segment", "segment-of-other-recording"],
    "re-signed by another key": ["resigned-by-other-camera", "resigned-by-forged-authority"],
    "re-signed by the camera's key": [
        "segment-rewritten-with-the-key", "last-segment-rewritten-with-the-key",
    ],
    "stripped signatures": [
        "signatures-stripped", "one-signature-stripped", "last-segment-stripped",
    ],
    "altered pssh or recipients": ["pssh-altered", "recipient-removed", "without-wrapped-key"],
    "END removed": ["end-removed", "segment-cut-in-store", "first-segment-cut"],
    "log line edited": ["log-line-edited", "log-line-edited-with-checksum", "log-rewritten"],
    "log cut": ["log-cut", "log-cut-without-checkpoint", "log-rolled-back"],
    "log forked": ["log-forked"],
    "checkpoint replayed": ["checkpoint-replayed", "checkpoint-removed", "checkpoint-edited"],
    "certificate swapped": [
        "certificate-swapped", "issuer-swapped", "signed-by-the-authority", "camera-as-authority",
    ],
    "time fields altered": [
        "prft-time-altered", "decode-time-altered", "creation-time-altered", "record-time-edited",
        "capture-time-backwards",
    ],
    "version fields altered": [
        "signature-box-version", "record-version-unknown", "log-line-version", "end-box-flags",
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Segments of a few kilobytes: a verification takes two milliseconds."""
    units = footage(2, width=64, height=64)
    return build_store(tmp_path_factory.mktemp("attacks"), units=units, segment_s=1)


@pytest.mark.parametrize("attack", NAMED)
def test_every_named_attack_is_found(attack: str) -> None:
    for name in NAMED[attack]:
        vector = VECTORS[name]
        report = verify_paths([FILES / vector["path"]], load_root(FILES / ROOT))
        assert int(report.exit_code) == vector["exit"] != 0, name


def test_two_thousand_flipped_bits_none_is_missed(evidence: Evidence, tmp_path: Path) -> None:
    """Half of them anywhere, half in what is no picture and no sound."""
    rng = random.Random(3)
    missed = []
    for source in evidence.segments:
        raw = source.read_bytes()
        path = tmp_path / source.name
        structure = [at for begin, end in _structure(source) for at in range(begin, end)]
        for number in range(FLIPS // len(evidence.segments)):
            at = rng.choice(structure) if number % 2 else rng.randrange(len(raw))
            mask = 1 << rng.randrange(8)
            path.write_bytes(raw[:at] + bytes((raw[at] ^ mask,)) + raw[at + 1 :])
            report = verify_paths([path], evidence.root)
            if report.exit_code != 4 or not any(f.place for f in report.findings):
                missed.append((source.name, at, mask, [str(f) for f in report.findings]))
    assert missed == []


def _structure(path: Path) -> Iterator[tuple[int, int]]:
    for unit in units_of(path):
        mdat = unit.box("mdat")
        yield unit.start, mdat.body if mdat else unit.box_start
        yield unit.box_start, unit.end


def test_a_fragment_cut_at_each_of_its_bytes_is_missing_never_altered_never_whole(
    evidence: Evidence, tmp_path: Path
) -> None:
    """In a segment without a log; the last fragment, and the END behind it."""
    raw = evidence.segments[1].read_bytes()
    units = units_of(evidence.segments[1])
    path = tmp_path / evidence.segments[1].name
    path.write_bytes(raw)
    cuts = range(units[-2].start, len(raw))
    # Every byte of boxes and record; of the samples every seventh.
    mdat = units[-2].box("mdat")
    assert mdat is not None
    for cut in sorted(
        (c for c in cuts if not mdat.body < c < mdat.end or c % 7 == 0), reverse=True
    ):
        os.truncate(path, cut)
        report = verify_paths([path], evidence.root)
        assert report.exit_code == 3, f"byte {cut}: {[str(f) for f in report.findings]}"
        assert report.segments[0].fragments == len(units) - 2 - (cut < units[-2].end)


def test_the_same_cuts_are_altered_where_a_segment_follows(
    evidence: Evidence, tmp_path: Path
) -> None:
    spoilt = evidence.copy(tmp_path)
    units = units_of(spoilt.segments[0])
    for cut in range(units[-1].end - 1, units[-2].start, -41):
        os.truncate(spoilt.segments[0], cut)
        assert spoilt.verify(spoilt.folder).exit_code == 4, cut


# -- whoever needs no key ---------------------------------------------------------------------

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.sampled_from([2**62, -(2**62)]),
    st.text(max_size=20), st.sampled_from([
        "", "9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00.000Z", "2026-05-28T20:26:40+14:00",
        "none", "head", "frag", "end", "0" * 64, "../../x",
    ]),
)  # fmt: skip
VALUES = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=3),
    st.dictionaries(st.text(max_size=4), SCALARS, max_size=2),
)
FAST = settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@FAST
@given(data=st.data())
def test_any_field_of_an_unsigned_record_may_say_anything(
    tmp_path: Path, data: st.DataObject
) -> None:
    """Its hashes are made anew, so that only the field itself is wrong."""
    source = FILES / VECTORS["unsigned-segment"]["path"]
    path = tmp_path / source.name
    shutil.copyfile(source, path)
    number = data.draw(st.integers(0, len(units_of(path)) - 1))

    def edit(fields: dict[str, Any]) -> None:
        if fields["n"] == number:
            fields[data.draw(st.sampled_from(sorted(fields)))] = data.draw(VALUES)

    try:
        reseal(path, NoKey(), edit=edit)
    except UnicodeEncodeError:  # half a surrogate is no text
        return
    report = verify_paths([path], load_root(FILES / ROOT))
    assert report.exit_code in (4, 5)
    json.dumps(report.to_json())


@FAST
@given(data=st.data())
def test_any_field_of_a_log_line_may_say_anything(tmp_path: Path, data: st.DataObject) -> None:
    """Checksums and chain are made anew."""
    store = tmp_path / "store"
    if not store.exists():
        shutil.copytree(FILES / VECTORS["whole-store"]["path"], store)
    lines = log_lines(FILES / VECTORS["whole-store"]["path"] / "log" / "events.jsonl")
    number = data.draw(st.integers(0, len(lines) - 1))
    kinds = ["recovery", "gap", "seg.open", "seg.close", "io.error", "shutdown", "boot"]

    def edit(fields: dict[str, Any]) -> None:
        if fields["seq"] != number:
            return
        if data.draw(st.booleans()):
            fields["ev"], fields["data"] = data.draw(st.sampled_from(kinds)), data.draw(VALUES)
        else:
            fields[data.draw(st.sampled_from(sorted(fields)))] = data.draw(VALUES)

    try:
        spoilt = rechain(lines, edit)
    except UnicodeEncodeError:
        return
    write_log(store / "log" / "events.jsonl", spoilt)
    report = verify_paths([store], load_root(FILES / ROOT))
    assert (report.exit_code == 0) == (spoilt == lines)
    json.dumps(report.to_json())


def _hostile_files() -> dict[str, bytes]:
    mark = b"uuid" + SIGNATURE_UUID.bytes
    empty = (34).to_bytes(4, "big") + mark + bytes(10)
    moov = (8).to_bytes(4, "big") + b"moov"
    return {
        "marks": FTYP + mark * 200_000,
        "marks with short records": FTYP + (mark + bytes(12)) * 100_000,
        "marks with long records": FTYP + (mark + bytes(4) + b"\0\0\xea\x60") * 100_000,
        "empty signature boxes": FTYP + moov + empty * 100_000,
    }


@pytest.mark.parametrize("name", _hostile_files())
def test_a_file_made_to_waste_time_is_given_up_soon(tmp_path: Path, name: str) -> None:
    path = tmp_path / "hostile.mp4"
    path.write_bytes(_hostile_files()[name])
    began = time.monotonic()
    report = verify_paths([path], None)
    assert time.monotonic() - began < 5
    assert report.exit_code == 4
    assert len(report.findings) <= MAX_BREAKS


# -- the court copy ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> tuple[Evidence, Path]:
    """About 1 s out of the middle of 4 s, across the end of a segment."""
    folder = tmp_path_factory.mktemp("part")
    made = build_store(folder, segment_s=2)
    begin, end = (utc_text(UTC_NS + tenths * NS // 10) for tenths in (15, 25))
    subprocess.run(
        [sys.executable, "-m", "bodycam", "export", made.store, "--key", made.custody_key,
         "--trust", made.identity.root, "--out", folder / "part.mp4", "--from", begin, "--to", end],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return made, folder / "part.mp4"


def remuxed(clip: Path, copy: Path) -> Path:
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(clip), "-c", "copy", str(copy)], check=True, timeout=60
    )
    return copy


@pytest.mark.parametrize("container", ["part.mp4", "copy.mp4", "copy.mkv"])
def test_a_part_proves_itself_in_each_container_and_one_altered_sound_is_placed(
    part: tuple[Evidence, Path], tmp_path: Path, container: str
) -> None:
    made, clip = part
    copy = tmp_path / container
    if copy.name == clip.name:
        shutil.copyfile(clip, copy)
    else:
        remuxed(clip, copy)
    report = verify_clip(copy, manifest_path(clip), made.root)
    assert (report.exit_code, report.findings) == (0, ())
    assert report.clip is not None
    assert report.clip.proven_fragments == report.clip.fragments >= 2
    sound = [data for video, data, _ in read_samples(copy) if not video][20]
    raw = bytearray(copy.read_bytes())
    assert raw.count(sound) == 1
    raw[raw.index(sound) + len(sound) // 2] ^= 1
    copy.write_bytes(raw)
    spoilt = verify_clip(copy, manifest_path(clip), made.root)
    assert spoilt.exit_code == 4
    assert ["sounds" in f.text and f.place != "" for f in spoilt.findings] == [True]
