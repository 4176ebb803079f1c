"""Evidence files on real file systems: what is synced stays, what is not is never promised."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bodycam.clock import SystemClock
from bodycam.errors import AlreadyRunning, ExitCode, StorageError, StorageFull
from bodycam.recovery import examine
from bodycam.store import RESERVE_BYTES, Store, segment_name, write_atomically
from tests import evidence


def open_store(root: Path) -> Store:
    store = Store(root, SystemClock())
    store.open()
    return store


def test_a_store_has_one_owner_and_a_dead_one_s_lock_is_free(tmp_path: Path) -> None:
    first = open_store(tmp_path)
    with pytest.raises(AlreadyRunning, match="another recorder"):
        open_store(tmp_path)
    first.close()
    open_store(tmp_path).close()


def test_a_segment_file_grows_by_whole_appends_and_gives_its_reserve_back(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    file = store.segment("BC-1", "rec", 3)
    file.create()
    assert file.path.name == segment_name("BC-1", "rec", 3)
    file.append([b"abc", b"def"])
    assert file.spare_bytes >= RESERVE_BYTES
    assert (file.size, file.synced_size) == (6, 0)
    file.sync()
    assert file.synced_size == 6
    file.close()
    file.close()
    assert file.path.read_bytes() == b"abcdef"
    assert file.path.stat().st_blocks * 512 <= 8192
    store.close()


def test_a_segment_is_never_written_over(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    first = store.segment("BC-1", "rec", 0)
    first.create()
    first.close()
    with pytest.raises(StorageError):
        store.segment("BC-1", "rec", 0).create()
    store.close()


def test_too_little_room_is_said_before_the_card_is_full(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    free = store.space().free_bytes
    with pytest.raises(StorageFull, match="Dock the camera"):
        store.check_room(free * 2, 0)
    store.check_room(free // 2, 0)
    store.check_room(free + 1, free)
    store.close()


def test_a_state_file_is_the_old_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "state"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


NO_ROOM_FOR_ALL = """
import resource
import sys
from pathlib import Path
from bodycam.store import write_atomically
path = Path(sys.argv[1])
write_atomically(path, b"old")
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    write_atomically(path, b"n" * 150)
except OSError:
    sys.exit(0 if path.read_bytes() == b"old" else "a part was taken for the whole")
sys.exit("nothing was refused")
"""


def test_a_state_file_that_finds_room_for_a_part_only_stays_the_old_one(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_ROOM_FOR_ALL, str(tmp_path / "checkpoint")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


FULL_CARD = """
import sys
from pathlib import Path
from bodycam.clock import SystemClock
from bodycam.errors import StorageFull
from bodycam.store import Store
card = Path(sys.argv[1])
store = Store(card, SystemClock())
store.open()
file = store.segment("BC-1", "rec", 0)
file.create()
file.append([b"x" * 100_000])
file.sync()
filler = store.segment("BC-1", "other", 0)
filler.create()
try:
    while True:
        filler.append([bytes(65536)])
except StorageFull as fault:
    assert "no space left" in str(fault)
try:
    while True:
        file.append([bytes(65536)])
except StorageFull:
    pass
whole = file.size
assert whole % 65536 == 100_000 % 65536, whole
file.append([b"END"])  # what was cut off again leaves room for it
file.sync()
file.close()
assert file.path.stat().st_size == whole + 3
"""


def test_on_a_full_card_nothing_half_written_is_left_and_the_end_still_fits(tmp_path: Path) -> None:
    card = tmp_path / "card"
    card.mkdir()
    script = tmp_path / "full.py"
    script.write_text(FULL_CARD, encoding="utf-8")
    unshare = ["unshare", "--mount"] + (["--user", "--map-root-user"] if os.geteuid() else [])
    mount = f"mount -t tmpfs -o size=6m none {card} && exec {sys.executable} {script} {card}"
    done = subprocess.run(
        [*unshare, "sh", "-c", mount], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (ExitCode.OK, "")


# -- what an interrupted segment still holds ---------------------------------------------------


def test_a_whole_segment_is_complete(tmp_path: Path) -> None:
    path = evidence.build_store(tmp_path).segments[0]
    found = examine(path)
    assert found.complete
    assert found.intact_bytes == found.total_bytes == path.stat().st_size


def test_a_cut_segment_holds_its_whole_fragments(tmp_path: Path) -> None:
    path = evidence.build_store(tmp_path).segments[0]
    whole = path.read_bytes()
    fragments = examine(path).fragments
    seen = set()
    for cut in (*range(0, len(whole), 997), len(whole) - 1):
        path.write_bytes(whole[:cut])
        found = examine(path)
        assert found.intact_bytes <= cut
        assert not found.complete
        seen.add(found.fragments)
    assert seen == set(range(fragments + 1))


def test_a_tail_of_zeros_or_of_garbage_is_not_taken(tmp_path: Path) -> None:
    path = evidence.build_store(tmp_path).segments[0]
    whole = path.read_bytes()
    end = examine(path)
    for tail in (bytes(5000), os.urandom(5000), whole[:3000]):
        path.write_bytes(whole + tail)
        assert examine(path).intact_bytes == end.intact_bytes


def test_a_missing_or_empty_file_holds_nothing(tmp_path: Path) -> None:
    assert examine(tmp_path / "none").fragments == 0
    (tmp_path / "empty").touch()
    assert examine(tmp_path / "empty").last_box == ""
