"""The event log on a real disk: chained, torn tails set aside, written when the disk is full."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from bodycam.clock import SystemClock
from bodycam.errors import EvidenceError, ExitCode
from bodycam.eventlog import EventLog
from bodycam.formats import tlog
from bodycam.formats.logline import GENESIS, LogLine, decode_line, encode_line
from bodycam.logreplay import Recovered, TornTail
from bodycam.signing import NoKey

ORIGIN = "example-force/bodycam/BC-0001"


def open_log(folder: Path) -> tuple[EventLog, Recovered]:
    log = EventLog(folder, SystemClock(), ORIGIN, NoKey())
    return log, log.open()


def lines_of(folder: Path) -> list[bytes]:
    return (folder / "events.jsonl").read_bytes().split(b"\n")[:-1]


def write(folder: Path, count: int) -> None:
    log, _ = open_log(folder)
    for i in range(count):
        log.append("heartbeat", i, number=i)
    log.close()


def test_each_line_names_the_hash_of_the_line_before(tmp_path: Path) -> None:
    write(tmp_path, 5)
    previous = GENESIS
    for seq, line in enumerate(lines_of(tmp_path)):
        fields = decode_line(line)
        assert (fields.seq, fields.prev) == (seq, previous)
        previous = hashlib.sha256(line).hexdigest()


def test_a_reopened_log_goes_on_in_number_chain_and_tree(tmp_path: Path) -> None:
    write(tmp_path, 3)
    log, recovered = open_log(tmp_path)
    log.append("heartbeat", sync=True)
    head = log.head()
    log.close()
    tree = tlog.Tree()
    for line in lines_of(tmp_path):
        tree.append(line)
    assert recovered.lines == 3
    assert head == (4, tree.root().hex())
    assert (
        decode_line(lines_of(tmp_path)[3]).prev == hashlib.sha256(lines_of(tmp_path)[2]).hexdigest()
    )


def test_the_merkle_root_is_that_of_rfc_6962() -> None:
    def slow(leaves: list[bytes]) -> bytes:
        if not leaves:
            return hashlib.sha256(b"").digest()
        if len(leaves) == 1:
            return hashlib.sha256(b"\0" + leaves[0]).digest()
        k = 1
        while k * 2 < len(leaves):
            k *= 2
        return hashlib.sha256(b"\1" + slow(leaves[:k]) + slow(leaves[k:])).digest()

    leaves = [str(i).encode() for i in range(130)]
    tree = tlog.Tree()
    for i, leaf in enumerate(leaves):
        assert tree.root() == slow(leaves[:i])
        tree.append(leaf)


@pytest.mark.parametrize("cut", [1, 2, 17, 100])
def test_a_torn_last_line_is_set_aside_and_said_so(tmp_path: Path, cut: int) -> None:
    write(tmp_path, 4)
    path = tmp_path / "events.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    torn = whole[:-cut].split(b"\n")[-1]
    log, recovered = open_log(tmp_path)
    log.close()
    assert (recovered.lines, recovered.torn) == (3, (TornTail("events.torn-3", len(torn)),))
    assert (tmp_path / "events.torn-3").read_bytes() == torn
    assert path.read_bytes() == b"\n".join(whole.split(b"\n")[:3]) + b"\n"


def test_setting_aside_twice_gives_the_same_files(tmp_path: Path) -> None:
    write(tmp_path, 4)
    path = tmp_path / "events.jsonl"
    torn = path.read_bytes()[:-5]
    path.write_bytes(torn)
    open_log(tmp_path)[0].close()
    first = (path.read_bytes(), (tmp_path / "events.torn-3").read_bytes())
    path.write_bytes(torn)  # the power went between the copy and the cut
    open_log(tmp_path)[0].close()
    assert (path.read_bytes(), (tmp_path / "events.torn-3").read_bytes()) == first


@pytest.mark.parametrize("hole", [(0, 60), (30, 700), (560, 700)])
def test_behind_a_block_that_never_came_nothing_is_taken(
    tmp_path: Path, hole: tuple[int, int]
) -> None:
    write(tmp_path, 6)
    path = tmp_path / "events.jsonl"
    whole = path.read_bytes()
    ends = [at for at, byte in enumerate(whole) if byte == ord("\n")]
    begin, end = ends[1] + 1 + hole[0], ends[1] + 1 + hole[1]
    spoilt = whole[:begin] + bytes(end - begin) + whole[end:]
    path.write_bytes(spoilt)
    good = spoilt.index(b"\0")
    good = spoilt.rindex(b"\n", 0, good) + 1
    log, recovered = open_log(tmp_path)
    log.close()
    (torn,) = recovered.torn
    assert torn.size_bytes == len(whole) - good
    assert (tmp_path / torn.file).read_bytes() == spoilt[good:]
    assert path.read_bytes() == whole[:good]


def test_a_tail_set_aside_is_told_of_though_the_power_went_before_it_was(tmp_path: Path) -> None:
    write(tmp_path, 4)
    path = tmp_path / "events.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    log, first = open_log(tmp_path)
    log.append("boot", sync=True)  # and here the power is cut
    log.close()
    log, second = open_log(tmp_path)
    assert second.torn == first.torn
    with path.open("ab") as file:
        file.write(b'{"v":')  # and again
    log, third = open_log(tmp_path)
    assert third.torn == (*first.torn, TornTail("events.torn-4", 5))
    for torn in third.torn:
        log.append("log.torn", sync=True, bytes=torn.size_bytes, file=torn.file)
    log.close()
    assert open_log(tmp_path)[1].torn == ()


def test_the_recording_to_go_on_with_is_known_though_its_recovery_was_cut(tmp_path: Path) -> None:
    log, _ = open_log(tmp_path)
    log.append("boot")
    log.append("seg.open", rec="a", seg=0, file="a/0.mp4")
    log.append("recovery", file="a/0.mp4", last="00")
    log.sync()
    log.close()
    for _ in range(2):  # by the note, and without it
        log, recovered = open_log(tmp_path)
        assert recovered.left is not None
        assert (recovered.left.file, recovered.gap_told) == ("a/0.mp4", False)
        log.close()
        (tmp_path / "resume").unlink()
    log, _ = open_log(tmp_path)
    log.append("gap")
    log.close()
    assert open_log(tmp_path)[1].gap_told
    log, _ = open_log(tmp_path)
    log.append("seg.open", rec="b", seg=0, file="b/0.mp4")
    log.close()
    assert open_log(tmp_path)[1].left is None


def test_open_segments_and_an_unclean_end_are_known_again(tmp_path: Path) -> None:
    log, _ = open_log(tmp_path)
    log.append("boot")
    log.append("seg.open", rec="a", seg=0, file="a/0.mp4")
    log.append("seg.close", rec="a", seg=0, file="a/0.mp4")
    log.append("seg.open", rec="a", seg=1, file="a/1.mp4")
    log.close()
    log, recovered = open_log(tmp_path)
    assert [s.file for s in recovered.open_segments] == ["a/1.mp4"]
    assert recovered.unclean
    log.append("recovery", file="a/1.mp4", last="")
    log.append("shutdown")
    log.close()
    assert open_log(tmp_path)[1].open_segments == ()


def test_a_damaged_line_does_not_keep_the_camera_from_starting(tmp_path: Path) -> None:
    log, _ = open_log(tmp_path)
    log.append("boot")
    log.append("heartbeat")
    log.close()
    path = tmp_path / "events.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"ev":"boot"', b'"ev":"boot" '))
    log, recovered = open_log(tmp_path)
    log.close()
    assert (recovered.lines, recovered.damaged_lines) == (2, 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=300))
def test_whatever_is_in_the_file_the_log_opens_and_appends(tmp_path: Path, junk: bytes) -> None:
    folder = tmp_path / hashlib.sha256(junk).hexdigest()[:12]
    folder.mkdir(exist_ok=True)
    (folder / "events.jsonl").write_bytes(junk)
    log, recovered = open_log(folder)
    seq = log.append("boot", sync=True)
    log.close()
    # A line that holds a NUL never reached the card: it is torn, and all behind it.
    assert seq == recovered.lines == junk.partition(b"\0")[0].count(b"\n")
    assert decode_line(lines_of(folder)[-1]).ev == "boot"


@given(st.integers(0, 10**6), st.integers(0, 7))
def test_one_flipped_bit_in_a_line_is_known_by_the_line_itself(at: int, bit: int) -> None:
    line = bytearray(encode_line({
        "v": 1, "seq": 7, "boot": "b", "boot_ns": 5, "ev": "heartbeat", "data": {"state": "standby"},
        "prev": GENESIS,
    }))  # fmt: skip
    line[at % len(line)] ^= 1 << bit
    with pytest.raises(EvidenceError):
        decode_line(bytes(line))


def test_a_full_disk_still_takes_the_log(tmp_path: Path) -> None:
    """A real small file system, filled to the last byte by somebody else."""
    script = f"""
import os, sys
from pathlib import Path
from typing import Any
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from tests.test_eventlog import open_log, lines_of
card = Path({str(tmp_path)!r}) / "card"
folder = card / "log"
folder.mkdir()
log, _ = open_log(folder)
log.append("boot", sync=True)
with open(card / "filler", "wb", buffering=0) as filler:
    try:
        while True:
            filler.write(bytes(4096))
    except OSError:
        pass
for i in range(1000):
    log.append("heartbeat", i, sync=True)
    assert log.fault is None, log.fault
assert len(lines_of(folder)) == 1001
log.close()
"""
    card = tmp_path / "card"
    card.mkdir()
    unshare = ["unshare", "--mount"] + (["--user", "--map-root-user"] if os.geteuid() else [])
    mount = f'mount -t tmpfs -o size=4m none {card} && exec python -c "$SCRIPT"'
    environment = {
        **os.environ,
        "SCRIPT": script,
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin:/usr/sbin:/sbin",
    }
    done = subprocess.run(
        [*unshare, "sh", "-c", mount], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (ExitCode.OK, "")


def test_what_could_not_be_written_comes_later_in_its_place(tmp_path: Path) -> None:
    log, _ = open_log(tmp_path)
    log.append("boot", sync=True)
    real_fd, log._fd = log._fd, os.open("/dev/full", os.O_RDWR)
    log.append("heartbeat", number=1)
    assert "no space" in (log.fault or "")
    os.close(log._fd)
    log._fd = real_fd
    log.append("heartbeat", sync=True, number=2)
    log.close()
    assert log.fault is None
    assert [json.loads(line)["seq"] for line in lines_of(tmp_path)] == [0, 1, 2]


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_segment_left_after_an_error_is_no_recording_to_go_on_with(
    tmp_path: Path, *, goes_on: bool
) -> None:
    log, _ = open_log(tmp_path)
    log.append("boot")
    log.append("seg.open", rec="a", seg=0, file="a/0.mp4")
    log.append("io.error", rec="a", seg=0, file="a/0.mp4", synced_bytes=10)
    if goes_on:
        log.append("seg.open", rec="a", seg=1, file="a/1.mp4")
    log.append("rec.stop", rec="a", reason="stop" if not goes_on else "storage")
    log.close()
    left = {s.file: s.followed for s in open_log(tmp_path)[1].open_segments}
    assert left == ({"a/0.mp4": True, "a/1.mp4": False} if goes_on else {"a/0.mp4": True})


# -- only what is durable is signed for -------------------------------------------------------


def test_the_head_that_is_signed_is_that_of_the_durable_lines(tmp_path: Path) -> None:
    log, _ = open_log(tmp_path)
    log.append("boot", sync=True)
    durable = log.head()
    log.append("heartbeat")
    assert (durable[0], log.head()) == (1, durable)
    log.sync_pending()
    assert log.head()[0] == 2
    log.close()


def test_a_failed_sync_vouches_for_nothing_until_its_lines_are_written_again(
    tmp_path: Path,
) -> None:
    log, _ = open_log(tmp_path)
    log.append("boot", sync=True)
    real_fd, log._fd = log._fd, os.open("/dev/full", os.O_RDWR)
    log.append("heartbeat", sync=True)
    os.close(log._fd)
    log._fd = real_fd
    assert log.head()[0] == 1
    log.append("heartbeat", sync=True)
    assert log.head()[0] == 3
    log.close()
    assert [json.loads(line)["seq"] for line in lines_of(tmp_path)] == [0, 1, 2]


# -- a quick start ----------------------------------------------------------------------------


def resumed(folder: Path) -> tuple[Recovered, tuple[int, str]]:
    log, recovered = open_log(folder)
    head = log.head()
    os.close(log._fd)  # as if killed: nothing is noted for the next start
    return recovered, head


def synced(folder: Path) -> None:
    """A log with an open segment, closed in order, and a line behind what was noted."""
    log, _ = open_log(folder)
    log.append("boot", sync=True)
    log.append("seg.open", sync=True, rec="a", seg=0, file="a/0.mp4")
    for i in range(5):
        log.append("heartbeat", i)
    log.sync()
    log.close()


def test_a_start_from_the_note_knows_what_a_full_reading_does(tmp_path: Path) -> None:
    synced(tmp_path)
    noted = (tmp_path / "resume").read_bytes()
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(b'{"ev":"boot","torn')
    quick = resumed(tmp_path)
    (tmp_path / "resume").unlink()
    (tmp_path / "events.torn-7").unlink()
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(b'{"ev":"boot","torn')
    assert resumed(tmp_path) == quick
    assert [torn.size_bytes for torn in quick[0].torn] == [18]
    assert [s.file for s in quick[0].open_segments] == ["a/0.mp4"]
    assert json.loads(noted.splitlines()[0])["lines"] == 7


def test_a_note_is_not_read_behind_its_own_line_again(tmp_path: Path) -> None:
    """It is used: what stands before the noted line is not looked at again at the start."""
    synced(tmp_path)
    head = resumed(tmp_path)[1]
    path = tmp_path / "events.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"ev":"boot"', b'"ev":"bxxt"'))
    assert resumed(tmp_path)[1] == head
    (tmp_path / "resume").unlink()
    assert resumed(tmp_path)[1] != head


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=120) | st.integers(0, 700))
def test_a_note_that_does_not_fit_is_not_believed(tmp_path: Path, spoilt: bytes | int) -> None:
    if not (tmp_path / "events.jsonl").exists():
        synced(tmp_path)
        (tmp_path / "good").write_bytes((tmp_path / "resume").read_bytes())
    good = bytearray((tmp_path / "good").read_bytes())
    if isinstance(spoilt, int):
        good[spoilt % len(good)] ^= 1
    (tmp_path / "resume").write_bytes(spoilt if isinstance(spoilt, bytes) else good)
    recovered, head = resumed(tmp_path)
    tree = tlog.Tree()
    for line in lines_of(tmp_path):
        tree.append(line)
    assert (recovered.lines, head) == (7, (7, tree.root().hex()))


@pytest.mark.parametrize(
    "fields",
    [
        {"lines": -1}, {"lines": 3}, {"bytes": -5}, {"bytes": 10**9}, {"bytes": "x"},
        {"peaks": ["zz"]}, {"peaks": 5}, {"open": [{"file": 1}]}, {"open": 3}, {"v": 2},
        {"prev": None}, {"lines": None},
    ],
)  # fmt: skip
def test_a_note_with_a_good_checksum_and_nonsense_in_it_is_not_believed(
    tmp_path: Path, fields: dict[str, object]
) -> None:
    synced(tmp_path)
    body = json.loads((tmp_path / "resume").read_bytes().splitlines()[0])
    raw = json.dumps({**body, **fields}).encode()
    (tmp_path / "resume").write_bytes(
        raw + b"\n" + hashlib.sha256(raw).hexdigest().encode() + b"\n"
    )
    assert resumed(tmp_path)[0].lines == 7


def test_a_log_that_was_cut_behind_the_note_is_read_anew(tmp_path: Path) -> None:
    synced(tmp_path)
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in lines_of(tmp_path)[:4]))
    assert resumed(tmp_path)[0].lines == 4


@pytest.mark.parametrize(
    "value",
    [
        "NaN", "-Infinity", "1e400", "123456789012345678901234567890", "-9223372036854775809", "-0", "1E2",
        "0.1", "5e-324", '"\\u0000"', '"\\ud83d\\ude00"', '{"a":1,"a":2}', "[[], {}, null, true]",
    ],
)  # fmt: skip
def test_a_line_means_what_json_makes_of_it(value: str) -> None:
    good = encode_line({
        "v": 1, "seq": 0, "boot": "b", "boot_ns": 1, "utc": "u", "ev": "e", "data": {}, "prev": GENESIS,
    })  # fmt: skip
    body = good[:-18].replace(b'"data":{}', b'"data":{"x":' + value.encode() + b"}")
    line = body + f',"crc":"{zlib.crc32(body):08x}"}}'.encode()
    assert repr(told(decode_line(line))) == repr(json.loads(line))


def told(line: LogLine) -> dict[str, Any]:
    """The fields that a line has, in the order of a log."""
    order = (
        "v",
        "seq",
        "boot",
        "boot_ns",
        "logged_ns",
        "utc",
        "clk",
        "unc_ms",
        "ev",
        "data",
        "prev",
        "crc",
    )
    return {name: value for name in order if (value := getattr(line, name)) is not UNSET}


ODD = ["1", "1.0", "true", "-1", "null", '"u"', '"\\ud800"', "{}", '{"a":1e400}', "[]", "1e999", "NaN",
       "123456789012345678901234567890", "9" * 5000, "01", '"\xff"', '{"a":NaN}', '{"a":"\xff"}']  # fmt: skip
PROPER = {"v": "1", "seq": "7", "boot": '"b"', "boot_ns": "1", "utc": '"u"', "ev": '"e"', "data": '{"a":1}',
          "prev": '"p"'}  # fmt: skip


@given(
    st.dictionaries(st.sampled_from([*PROPER, "logged_ns", "clk", "unc_ms", "more"]), st.sampled_from(ODD),
                    max_size=3),
    st.sets(st.sampled_from(sorted(PROPER)), max_size=1), st.booleans(),
)  # fmt: skip
def test_a_line_is_accepted_by_its_types_and_told_as_json_tells_it(
    odd: dict[str, str], gone: set[str], twice: bool
) -> None:
    fields = [*PROPER.items(), *odd.items()] if twice else list({**PROPER, **odd}.items())
    body = "{" + ",".join(f'"{name}":{value}' for name, value in fields if name not in gone)
    raw = body.encode("latin-1")
    line = raw + f',"crc":"{zlib.crc32(raw):08x}"}}'.encode()
    kinds = {
        "seq": int,
        "boot": str,
        "boot_ns": int,
        "utc": str,
        "ev": str,
        "data": dict,
        "prev": str,
    }
    try:
        meant = json.loads(line)
        json.dumps(meant, ensure_ascii=False).encode()
    except ValueError:
        meant = {}
    if meant.get("v") != 1 or not all(isinstance(meant.get(n), kind) for n, kind in kinds.items()):
        with pytest.raises(EvidenceError):
            decode_line(line)
        return
    del meant["v"]
    meant.pop("more", None)
    found = told(decode_line(line))
    assert {name: repr(found[name]) for name in meant} == {n: repr(v) for n, v in meant.items()}


@pytest.mark.parametrize("value", ["", "nul", "1,", '"\\ud800"', '"\x01"', "'a'", "{", "[" * 9000])
def test_a_line_that_json_refuses_is_none(value: str) -> None:
    body = b'{"v":1,"data":' + value.encode()
    with pytest.raises(EvidenceError, match="not JSON"):
        decode_line(body + f',"crc":"{zlib.crc32(body):08x}"}}'.encode())


@given(st.binary(max_size=60))
def test_bytes_that_are_json_to_nobody_are_an_evidence_error(data: bytes) -> None:
    line = data + f',"crc":"{zlib.crc32(data):08x}"}}'.encode()
    try:
        expected = json.loads(line)
    except (ValueError, RecursionError):
        expected = None
    if isinstance(expected, dict) and expected.get("v") == 1:
        return
    with pytest.raises(EvidenceError):
        decode_line(line)
