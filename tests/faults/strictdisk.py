"""A file system in memory on which only what was synced outlives a power cut: POSIX at its strictest.

A file's content is durable up to its last fsync, a name from the fsync of its folder on, not before.
Each state that a cut could leave is kept, and each that a kill could, with what was promised in between.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .fusemount import served
from .life import PROMISE
from .promises import Promise

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mfusepy

Tree = dict[str, bytes | None]  # a folder has None


@dataclass(slots=True)
class Node:
    """A file or a folder: as it is, and as it would be after a power cut."""

    mode: int
    data: bytearray = field(default_factory=bytearray)
    synced: bytes = b""
    names: dict[str, Node] = field(default_factory=dict)
    synced_names: dict[str, Node] = field(default_factory=dict)

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)


class StrictDisk(mfusepy.Operations):  # type: ignore[misc]
    """Serves one mount. `cuts[n]` is what a power cut leaves after the n-th change, `kills[n]` a kill."""

    use_ns = True

    def __init__(self) -> None:
        self._root = Node(stat.S_IFDIR | 0o755)
        self.cuts: list[Tree] = [{}]
        self.kills: list[Tree] = [{}]
        self.promises: list[Promise] = []

    def _node(self, path: str) -> Node:
        node = self._root
        for name in path.strip("/").split("/"):
            if name:
                if name not in node.names:
                    raise mfusepy.FuseOSError(errno.ENOENT)
                node = node.names[name]
        return node

    def _place(self, path: str) -> tuple[dict[str, Node], str]:
        folder, _, name = path.rpartition("/")
        return self._node(folder).names, name

    def _changed(self) -> None:
        self.cuts.append(_tree(self._root, synced=True))
        self.kills.append(_tree(self._root, synced=False))

    # -- what a recorder asks of a file system ----------------------------------------------------

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        node = self._node(path)
        return {
            "st_mode": node.mode, "st_nlink": 2 if node.is_folder else 1, "st_size": len(node.data),
            "st_uid": os.getuid(), "st_gid": os.getgid(),
        }  # fmt: skip

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *self._node(path).names]

    def mkdir(self, path: str, mode: int) -> int:
        names, name = self._place(path)
        if name in names:
            raise mfusepy.FuseOSError(errno.EEXIST)
        names[name] = Node(stat.S_IFDIR | mode)
        self._changed()
        return 0

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        names, name = self._place(path)
        names[name] = Node(stat.S_IFREG | mode)
        self._changed()
        return 0

    def open(self, path: str, flags: int) -> int:
        self._node(path)
        return 0

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return bytes(self._node(path).data[offset : offset + size])

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        file = self._node(path).data
        file.extend(bytes(max(0, offset - len(file))))
        file[offset : offset + len(data)] = data
        self._changed()
        return len(data)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        file = self._node(path).data
        del file[length:]
        file.extend(bytes(length - len(file)))
        self._changed()
        return 0

    def rename(self, old: str, new: str) -> int:
        names, name = self._place(old)
        others, other = self._place(new)
        others[other] = names.pop(name)
        self._changed()
        return 0

    def unlink(self, path: str) -> int:
        names, name = self._place(path)
        del names[name]
        self._changed()
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        node = self._node(path)
        node.synced = bytes(node.data)
        self._changed()
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        node = self._node(path)
        node.synced_names = dict(node.names)
        self._changed()
        return 0

    def setxattr(self, path: str, name: str, value: bytes, options: int, position: int = 0) -> int:
        if name != PROMISE:
            raise mfusepy.FuseOSError(errno.ENOTSUP)
        self.promises.append(Promise.of(len(self.cuts) - 1, json.loads(value)))
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        return {
            "f_bsize": 4096,
            "f_frsize": 4096,
            "f_blocks": 2**18,
            "f_bavail": 2**18,
            "f_namemax": 255,
        }

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        return 0


def _tree(folder: Node, *, synced: bool, above: str = "") -> Tree:
    tree: Tree = {}
    for name, node in (folder.synced_names if synced else folder.names).items():
        if node.is_folder:
            tree[above + name] = None
            tree |= _tree(node, synced=synced, above=f"{above}{name}/")
        else:
            tree[above + name] = node.synced if synced else bytes(node.data)
    return tree


def write_tree(tree: Tree, folder: Path) -> None:
    """Make the files of a state."""
    folder.mkdir()
    for name, data in tree.items():
        if data is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(data)


@contextmanager
def strict_disk(mountpoint: Path) -> Iterator[StrictDisk]:
    """Mount one (fusemount.served)."""
    disk = StrictDisk()
    with served(disk, mountpoint, nothreads=True):
        yield disk
