"""Hostile bytes: every flip is found and placed, every cut is told apart, nothing crashes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bodycam.custody.export import Order, export
from bodycam.custody.findings import Verdict
from bodycam.custody.inspect import inspect
from bodycam.custody.segmentwalk import Sealed, SegmentBytes, walk
from bodycam.custody.summary import text
from bodycam.custody.verify import Report, verify_paths
from bodycam.errors import BodycamError, EvidenceError
from bodycam.formats import records
from bodycam.formats.boxes import box, full_box
from bodycam.formats.logline import MAX_LINE_BYTES
from bodycam.formats.mp4read import read_init
from bodycam.formats.records import SIGNATURE_UUID

from .evidence import Evidence, build_store, footage

pytestmark = pytest.mark.system

FLIPS = 500


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Shared, and given back as it was: each test undoes what it spoils."""
    return build_store(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Segments of a few hundred cuts."""
    units = footage(2, width=128, height=96)
    return build_store(tmp_path_factory.mktemp("small"), units=units, segment_s=1)


def layout(path: Path) -> list[Sealed]:
    with SegmentBytes(path) as data:
        return [part for part in walk(data) if isinstance(part, Sealed)]


def flip(path: Path, at: int, mask: int) -> None:
    """Change one byte; the same call again changes it back."""
    with path.open("r+b") as file:
        file.seek(at)
        old = file.read(1)[0]
        file.seek(at)
        file.write(bytes((old ^ mask,)))


def altered_places(report: Report) -> set[str]:
    return {f.place for f in report.findings if f.verdict is Verdict.ALTERED}


def test_every_flipped_byte_of_a_segment_is_found_and_placed(evidence: Evidence) -> None:
    path = evidence.segments[1]
    units = layout(path)
    rng = random.Random(20)
    structure = [
        at
        for unit in units
        for begin, end in ((unit.start, unit.start + 2500), (unit.box_start, unit.end))
        for at in range(begin, min(end, unit.end))
    ]
    missed, misplaced = [], []
    for i in range(FLIPS):
        at = rng.choice(structure) if i % 2 else rng.randrange(path.stat().st_size)
        mask = 1 << rng.randrange(8) if i % 3 else rng.randrange(1, 256)
        flip(path, at, mask)
        report = verify_paths([path], evidence.root)
        flip(path, at, mask)
        if report.exit_code != 4:
            missed.append((at, mask))
        number = next(unit.index for unit in units if at < unit.end)
        here = {"head", "end", *(f"{word} {number}" for word in ("fragment", "record"))}
        here |= {
            f"fragment {number + 1}",
            f"after fragment {number}",
            f"after fragment {number - 1}",
        }
        if not altered_places(report) & here:
            misplaced.append((at, mask, number, altered_places(report)))
    assert (missed, misplaced) == ([], [])
    assert evidence.verify().exit_code == 0


def test_every_byte_of_the_last_signature_box_counts(evidence: Evidence) -> None:
    path = evidence.segments[1]
    end = layout(path)[-1]
    for at in range(end.box_start, end.end):
        for mask in (0x01, 0x80, 0xFF):
            flip(path, at, mask)
            code = verify_paths([path], evidence.root).exit_code
            flip(path, at, mask)
            assert code == 4, f"byte {at - end.box_start} of END, mask {mask:#x}"


def test_every_flipped_byte_of_the_log_is_found_at_its_line(evidence: Evidence) -> None:
    raw = evidence.log.read_bytes()
    rng = random.Random(21)
    last_line = range(raw[:-1].rindex(b"\n") + 1, len(raw))
    for at in [*last_line, *rng.sample(range(len(raw)), 400)]:
        mask = rng.choice((0x01, 0x02, 0x20, 0x80, 0xFF))
        flip(evidence.log, at, mask)
        report = verify_paths([evidence.log], evidence.root)
        flip(evidence.log, at, mask)
        line = raw[:at].count(b"\n") + 1
        assert report.exit_code == 4
        assert f"line {line}" in altered_places(report), f"byte {at}, mask {mask:#x}"


def test_every_cut_of_the_last_segment_is_missing_never_altered(small: Evidence) -> None:
    path = small.segments[1]
    raw = path.read_bytes()
    units = layout(path)
    last = units[-2]
    cuts = {*range(0, len(raw), 97), *range(last.box_start, last.end)}
    try:
        for cut in sorted(cuts, reverse=True):
            os.truncate(path, cut)
            report = verify_paths([path], small.root)
            assert report.exit_code == 3, f"cut at byte {cut}: {[str(f) for f in report.findings]}"
            assert any("no evidence" in f.text for f in report.findings)
            whole = sum(1 for unit in units[1:] if unit.end <= cut)
            assert report.segments[0].fragments == whole
    finally:
        path.write_bytes(raw)


def test_a_power_cut_may_leave_zeros_or_garbage_behind(evidence: Evidence) -> None:
    path = evidence.segments[1]
    raw = path.read_bytes()
    units = layout(path)
    rng = random.Random(22)
    try:
        for i in range(120):
            cut = rng.randrange(units[0].end + 1, len(raw))
            rest = bytes(rng.randrange(20, 10**6)) if i % 2 else rng.randbytes(rng.randrange(10**6))
            path.write_bytes(raw[:cut] + rest)
            report = verify_paths([path], evidence.root)
            assert report.exit_code == 3, f"cut at {cut}, {len(rest)} bytes, zeros: {i % 2 == 1}"
            whole = sum(1 for unit in units[1:-1] if unit.end <= cut)
            assert report.segments[0].fragments == whole
            torn = report.segments[0].torn_bytes
            assert torn == len(raw[:cut] + rest) - units[whole].end
    finally:
        path.write_bytes(raw)


def test_a_sector_that_never_reached_the_card_tears_what_is_behind_it_too(
    evidence: Evidence,
) -> None:
    path = evidence.segments[1]
    raw = path.read_bytes()
    units = layout(path)
    try:
        for number in (len(units) - 2, 2):
            sector = -(-(units[number].start + 10_000) // 512) * 512
            spoilt = raw[:sector] + bytes(512) + raw[sector + 512 :]
            # Whoever does it on purpose gains no more than by cutting it off there,
            path.write_bytes(spoilt[: units[-2].end])
            report = verify_paths([path], evidence.root)
            assert report.exit_code == 3
            assert report.segments[0].fragments == number - 1
            path.write_bytes(spoilt)
            assert verify_paths([path], evidence.root).exit_code == 3
            # and where the log says that the segment was whole, less.
            assert evidence.verify().exit_code == 4
    finally:
        path.write_bytes(raw)


def _head_of(evidence: Evidence) -> bytes:
    path = evidence.segments[0]
    return path.read_bytes()[: layout(path)[0].end]


def test_boxes_that_lie_about_their_size_are_met_by_limits(
    tmp_path: Path, evidence: Evidence
) -> None:
    head = _head_of(evidence)
    mark = b"uuid" + SIGNATURE_UUID.bytes
    lies = {
        "zero": bytes(8),
        "endless": struct.pack(">I4s", 0xFFFFFFFF, b"mdat"),
        "64 bit": struct.pack(">I4sQ", 1, b"moof", 2**63),
        "small 64 bit": struct.pack(">I4sQ", 1, b"moof", 3),
        "big moof": struct.pack(">I4s", 8 + 2**21, b"prft") + bytes(2**21),
        "big signature": struct.pack(">I", 24 + 2**21) + mark + bytes(2**21),
        "empty signature": struct.pack(">I", 24) + mark,
        "huge record": struct.pack(">I", 32) + mark + struct.pack(">II", 0, 2**31),
        "marks": mark * 5000,
    }
    for name, lie in lies.items():
        path = tmp_path / f"{name}.mp4"
        path.write_bytes(head + lie)
        assert verify_paths([path], evidence.root).exit_code in (3, 4), name
        path.write_bytes(lie)
        assert verify_paths([path], evidence.root).exit_code in (3, 4, 6), name


def test_logs_of_any_shape_are_met_by_limits(tmp_path: Path) -> None:
    shapes = {
        "empty": b"",
        "one long line": b"x" * (10 * MAX_LINE_BYTES),
        "long line, ended": b"x" * (10 * MAX_LINE_BYTES) + b"\n",
        "newlines": b"\n" * 1000,
        "nested": b"[" * 15_000 + b"\n",
        "not text": bytes(range(256)) * 4 + b"\n",
    }
    path = tmp_path / "events.jsonl"
    for name, shape in shapes.items():
        path.write_bytes(shape)
        report = verify_paths([path], None)
        assert report.exit_code in (0, 3, 4, 5), name
        assert report.exit_code or not shape, name


GARBAGE = st.one_of(
    st.binary(max_size=4000),
    st.lists(
        st.tuples(
            st.sampled_from([b"ftyp", b"moov", b"prft", b"moof", b"mdat", b"uuid", b"free"]),
            st.binary(max_size=200),
            st.integers(-3, 3),
        ),
        max_size=12,
    ).map(
        lambda boxes: b"".join(
            struct.pack(">I", max(0, 8 + len(body) + lie)) + kind + body
            for kind, body, lie in boxes
        )
    ),
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(tail=GARBAGE, keep=st.booleans(), mark=st.booleans())
def test_garbage_is_never_intact_and_never_a_crash(
    tmp_path: Path, evidence: Evidence, tail: bytes, keep: bool, mark: bool
) -> None:
    path = tmp_path / "garbage.mp4"
    head = _head_of(evidence) if keep else b""
    path.write_bytes(head + tail + (b"uuid" + SIGNATURE_UUID.bytes + tail if mark else b""))
    assert verify_paths([path], evidence.root).exit_code in (3, 4, 5, 6)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_spliced_segment_is_never_intact(
    tmp_path: Path, evidence: Evidence, data: st.DataObject
) -> None:
    raw = evidence.segments[0].read_bytes()
    begin = data.draw(st.integers(0, len(raw) - 1))
    length = data.draw(st.integers(0, 2000))
    put = data.draw(st.binary(max_size=300))
    spliced = raw[:begin] + put + raw[begin + length :]
    path = tmp_path / "spliced.mp4"
    path.write_bytes(spliced)
    code = verify_paths([path], evidence.root).exit_code
    assert (code == 0) == (spliced == raw)
    assert code in (0, 3, 4, 6)


# -- somebody without a device key writes whole segments: well-formed, hashed, chained, hostile ---

BY_DEFAULT: dict[str, Any] = {
    "head": {
        "v": 1, "t": "head", "n": 0, "dev": "cam", "rec": "r", "seg": 0, "boot": "b", "fw": "f",
        "x5t": "", "trig": {}, "pre": {}, "cont": None, "boot_ns": 0,
        "utc": "2026-05-28T20:26:40.000Z", "clk": "ntp", "unc_ms": 5,
    },
    "frag": {
        "v": 1, "t": "frag", "n": 1, "boot_ns": 0, "end_ns": 499_999_995,
        "utc": "2026-05-28T20:26:40.000Z", "clk": "ntp", "unc_ms": 5, "nv": 15, "na": 24,
        "drop": 0, "mute": 0, "plain.v": "", "plain.a": "", "log": [0, "0" * 64],
    },
    "end": {"v": 1, "t": "end", "n": 2, "reason": "stop", "frags": 1, "log": [0, "0" * 64]},
}  # fmt: skip
STRANGE = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.text(max_size=8), st.just([]),
    st.just({}), st.just("9999-99-99"), st.just("0001-01-01T00:00:00+23:59"), st.just(["a", "b"]),
    st.just("../../etc/passwd"), st.sampled_from([2**62, -(2**62), 2**40]),
)  # fmt: skip


def forge(parts: list[tuple[bytes, dict[str, Any]]]) -> bytes:
    """A segment without signatures whose hashes and chain hold, whatever its records say."""
    raw, prev = b"", records.NO_PREVIOUS
    for i, (body, fields) in enumerate(parts):
        covered = {
            "off": len(raw), "len": len(body), "sha256": hashlib.sha256(body).hexdigest(),
            "prev": prev,
        }  # fmt: skip
        record = records.encode_record(covered | fields)
        payload = records.signature_payload(record, b"", () if i == 0 else None)
        raw += body + records.signature_box(payload)
        prev = records.payload_hash(payload)
    return raw


def bodies(evidence: Evidence) -> tuple[bytes, bytes]:
    path = evidence.segments[0]
    raw, units = path.read_bytes(), layout(path)
    return raw[: units[0].box_start], raw[units[1].start : units[1].box_start]


def test_a_forged_segment_is_well_formed_and_only_not_trusted(
    evidence: Evidence, tmp_path: Path
) -> None:
    init, fragment = bodies(evidence)
    path = tmp_path / "forged.mp4"
    path.write_bytes(
        forge(
            [(init, BY_DEFAULT["head"]), (fragment, BY_DEFAULT["frag"]), (b"", BY_DEFAULT["end"])]
        )
    )
    report = verify_paths([path], evidence.root)
    assert [f.verdict for f in report.findings] == [Verdict.UNTRUSTED]


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_hostile_records_and_boxes_are_never_a_crash(
    tmp_path: Path, evidence: Evidence, data: st.DataObject
) -> None:
    init, fragment = bodies(evidence)
    fields = {kind: dict(default) for kind, default in BY_DEFAULT.items()}
    for _ in range(data.draw(st.integers(0, 3))):
        kind = data.draw(st.sampled_from(sorted(fields)))
        name = data.draw(st.sampled_from(sorted(fields[kind])))
        fields[kind][name] = data.draw(STRANGE)
    spoiled = {"init": bytearray(init), "fragment": bytearray(fragment)}
    for _ in range(data.draw(st.integers(0, 4))):
        part = spoiled[data.draw(st.sampled_from(sorted(spoiled)))]
        at = data.draw(st.integers(0, min(len(part), 2400) - 1))
        part[at] = data.draw(st.integers(0, 255))
    path = tmp_path / "forged.mp4"
    path.write_bytes(
        forge(
            [
                (bytes(spoiled["init"]), fields["head"]),
                (bytes(spoiled["fragment"]), fields["frag"]),
                (b"", fields["end"]),
            ]
        )
    )
    report = verify_paths([path], evidence.root)
    assert report.exit_code in (4, 5, 6)
    json.dumps(report.to_json())
    text(report)
    inspect(path)
    code = 0
    try:
        order = Order([path], evidence.custody_key, evidence.root, allow_untrusted=True)
        export(order, tmp_path / "clip.mp4")
    except BodycamError as fault:
        code = int(fault.exit_code)
    assert code in (0, 2, 4, 5, 6)


@settings(max_examples=300, deadline=None)
@given(moov=st.data())
def test_a_hostile_moov_is_refused_by_name(evidence: Evidence, moov: st.DataObject) -> None:
    init, _ = bodies(evidence)
    raw = bytearray(init[28:])
    for _ in range(moov.draw(st.integers(1, 6))):
        at = moov.draw(st.integers(8, len(raw) - 1))
        length = moov.draw(st.integers(1, 8))
        raw[at : at + length] = moov.draw(st.binary(min_size=length, max_size=length))
    # Nothing else may come out of it: that would be a traceback.
    with contextlib.suppress(EvidenceError):
        read_init(bytes(raw))


def test_a_track_without_a_sample_entry_is_refused() -> None:
    stsd = full_box("stsd", 0, 0, bytes(4))
    moov = box("moov", box("trak", box("mdia", box("minf", box("stbl", stsd)))))
    with pytest.raises(EvidenceError, match="stsd has no sample entry"):
        read_init(moov)
