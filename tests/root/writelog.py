"""A disk that logs its writes and flushes in order, and what of them a power cut may leave.

An ext4 on a loop device over a file that qemu-storage-daemon serves through FUSE and whose writes it
logs (`blklogwrites`, the format of dm-log-writes). What is flushed is on the medium; of what is not,
none, all, any part, and of a write any of its sectors may be. Only the file system's superblock is
whole or not at all: torn, ext4 does not mount, whoever writes on it.
"""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path

SECTOR = 512
FS_MIB, TAIL_MIB = 20, 4
_MAGIC = 0x6A736677736872
_WHOLE = 0.5
_ROUNDS = 200
_CHUNK = 65536


class Flag(IntFlag):
    FLUSH = 1
    FUA = 2
    DISCARD = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """One request that the disk was given; `data` is where its bytes are in the log."""

    offset: int
    length: int
    flags: Flag
    data: int


class WriteLog:
    """The log of one disk, read once nobody writes it any more."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        magic, _, count, sector = struct.unpack("<QQQI", self._file.read(28))
        if (magic, sector) != (_MAGIC, SECTOR):
            raise ValueError(f"{path}: no log of writes")
        self.entries: list[Entry] = []
        at = SECTOR
        for _ in range(count):
            self._file.seek(at)
            start, sectors, flags, _ = struct.unpack("<QQQQ", self._file.read(32))
            length = 0 if Flag(flags) & Flag.DISCARD else sectors * SECTOR
            at += SECTOR
            self.entries.append(Entry(start * SECTOR, length, Flag(flags), at))
            at += length

    def close(self) -> None:
        self._file.close()

    def data(self, entry: Entry) -> bytes:
        self._file.seek(entry.data)
        return self._file.read(entry.length)


@dataclass(frozen=True, slots=True)
class CrashState:
    """What may be on the medium if the power is cut before entry `cut`.

    `flushed` is how many entries the last flush before covers; `kept` are the later ones of which
    something is there: the entry's number, the offset and the bytes.
    """

    cut: int
    flushed: int
    kind: str
    kept: tuple[tuple[int, int, bytes], ...]


def crash_states(log: WriteLog, end: int, dice: random.Random) -> Iterator[CrashState]:
    """Different ones, in the order of the log, round after round with new dice; `end` is where the
    file system ends. The last rounds find nothing new: it ends.
    """
    flushes = [n for n, entry in enumerate(log.entries) if entry.flags & Flag.FLUSH]
    flushes.append(len(log.entries))
    seen: set[tuple[int, tuple[tuple[int, int], ...]]] = set()
    for _ in range(_ROUNDS):
        flushed = 0
        for flush in flushes:
            window = [
                n
                for n in range(flushed, flush)
                if log.entries[n].length and log.entries[n].offset < end
            ]
            for state in _states_of(log, window, flushed, flush, dice) if window else ():
                key = (flushed, tuple((offset, len(data)) for _, offset, data in state.kept))
                if key not in seen:
                    seen.add(key)
                    yield state
            flushed = flush


def _states_of(
    log: WriteLog, window: list[int], flushed: int, flush: int, dice: random.Random
) -> Iterator[CrashState]:
    whole = tuple((n, log.entries[n].offset, log.data(log.entries[n])) for n in window)
    yield CrashState(flush, flushed, "none", ())
    yield CrashState(flush, flushed, "all", whole)
    # The next flush may have begun: then each write of the window is there or not.
    cut = dice.choice([*window[1:], flush, flush])
    came = [write for write in whole if write[0] < cut]
    chance = dice.random()
    yield CrashState(cut, flushed, "part", tuple(w for w in came if dice.random() < chance))
    torn: list[tuple[int, int, bytes]] = []
    for n, offset, data in came:
        if len(data) == SECTOR or offset == 0 or dice.random() < _WHOLE:
            torn += [(n, offset, data)] if dice.random() < chance else []
            continue
        torn += [
            (n, offset + at, data[at : at + SECTOR])
            for at in range(0, len(data), SECTOR)
            if dice.random() < chance
        ]
    yield CrashState(cut, flushed, "torn", tuple(torn))


class Medium:
    """The disk's bytes as flushed so far; goes forward only, but for `rewind`."""

    def __init__(self, base: Path, log: WriteLog, end: int) -> None:
        self._base, self._log, self._end = base, log, end
        self.rewind()

    def rewind(self) -> None:
        self._bytes = bytearray(self._base.read_bytes()[: self._end])
        self._applied = 0
        self._used = {
            at for at in range(0, self._end, _CHUNK) if any(self._bytes[at : at + _CHUNK])
        }

    def write_state(self, state: CrashState, image: Path) -> None:
        """Make a fresh image of the state: one written anew in place was seen to deceive."""
        if state.flushed < self._applied:
            self.rewind()
        for entry in self._log.entries[self._applied : state.flushed]:
            if entry.length and entry.offset < self._end:
                end = entry.offset + entry.length
                self._bytes[entry.offset : end] = self._log.data(entry)
                self._used.update(range(entry.offset // _CHUNK * _CHUNK, end, _CHUNK))
        self._applied = state.flushed
        image.unlink(missing_ok=True)
        with image.open("wb") as file:
            file.truncate(self._end)
            for at in sorted(self._used):
                file.seek(at)
                file.write(memoryview(self._bytes)[at : at + _CHUNK])
            for _, offset, data in state.kept:
                file.seek(offset)
                file.write(data)


@dataclass(frozen=True, slots=True)
class LoggedDisk:
    """A mounted ext4 whose every write is logged; `marks` is where promises are written: past its end."""

    folder: Path
    device: str
    mounted: Path

    @property
    def base(self) -> Path:
        return self.folder / "base.img"

    @property
    def log(self) -> Path:
        return self.folder / "log.img"

    @property
    def end(self) -> int:
        return FS_MIB * 2**20


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@contextmanager
def logged_disk(folder: Path, options: str = "noatime") -> Iterator[LoggedDisk]:
    """A fresh one; when the block is left it is unmounted and its log is complete."""
    disk, base, log, export = (folder / n for n in ("disk.img", "base.img", "log.img", "export"))
    with disk.open("wb") as file:
        file.truncate((FS_MIB + TAIL_MIB) * 2**20)
    _run("mkfs.ext4", "-q", "-m", "0", "-b", "4096", "-J", "size=4",
         "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", str(disk), str(FS_MIB * 256))  # fmt: skip
    shutil.copyfile(disk, base)
    with log.open("wb") as file:
        file.truncate(2**32)
    export.touch()
    mounted = folder / "mounted"
    mounted.mkdir()
    with ExitStack() as stack:
        _serve(stack, disk, log, export)
        device = _run("losetup", "--find", "--show", str(export))
        stack.callback(_run, "losetup", "--detach", device)
        _run("mount", "-o", options, device, str(mounted))
        stack.callback(_run, "umount", str(mounted))
        yield LoggedDisk(folder, device, mounted)


def _serve(stack: ExitStack, disk: Path, log: Path, export: Path) -> None:
    # It dies with the test that made it, however that dies.
    daemon = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "qemu-storage-daemon",
         "--blockdev", f"driver=file,node-name=f,filename={disk}",
         "--blockdev", f"driver=file,node-name=l,filename={log}",
         "--blockdev", "driver=raw,node-name=r,file=f",
         "--blockdev", "driver=blklogwrites,node-name=w,file=r,log=l,log-sector-size=512,log-super-update-interval=1",
         "--export", f"type=fuse,id=e,node-name=w,mountpoint={export},writable=on"],
        stdin=subprocess.DEVNULL,
    )  # fmt: skip

    def end() -> None:
        daemon.terminate()
        daemon.wait(20)

    stack.callback(end)
    deadline = time.monotonic() + 20
    while export.stat().st_size == 0:
        if daemon.poll() is not None or time.monotonic() > deadline:
            raise AssertionError("qemu-storage-daemon does not serve the disk")
        time.sleep(0.01)
