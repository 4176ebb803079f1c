"""The event log as a Merkle tree (RFC 6962, 2.1), and the proofs about it.

An inclusion proof shows that one line is in a tree of some size; a consistency proof shows that a
smaller tree is the beginning of a larger one. Whoever holds only the roots can check both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

from ..errors import EvidenceError

EMPTY_ROOT = hashlib.sha256(b"").digest()
HASH_BYTES = 32
# Of hashes in a row, what is worked on at once: a multiple of two of them.
_BLOCK = 2**16
# A tree of 2^62 lines; C2SP tlog-witness sends at most 63 hashes.
MAX_SIZE = 2**62
MAX_PROOF_HASHES = 63


def leaf_hash(line: bytes) -> bytes:
    """The leaf that stands for a line, which comes without its newline."""
    return hashlib.sha256(b"\0" + line).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """An append-only tree that keeps only the roots of its full subtrees."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        """An empty tree, or one that goes on from its size and peaks."""
        if len(peaks) != size.bit_count() or any(len(peak) != HASH_BYTES for peak in peaks):
            raise EvidenceError(f"{len(peaks)} peaks are not those of a tree of {size} lines")
        self.size = size
        self._peaks = list(peaks)  # largest subtree first

    @property
    def peaks(self) -> tuple[bytes, ...]:
        return tuple(self._peaks)

    def append(self, line: bytes) -> None:
        # `leaf_hash` and `_node`, without their calls: a verifier does this for every line.
        sha256, peaks = hashlib.sha256, self._peaks
        node = sha256(b"\0" + line).digest()
        size = self.size
        while size & 1:
            node = sha256(b"\1" + peaks.pop() + node).digest()
            size >>= 1
        self._peaks.append(node)
        self.size += 1

    def root(self) -> bytes:
        return _over(self._peaks[::-1])


def roots_of(leaves: bytes | bytearray, sizes: Collection[int]) -> dict[int, bytes]:
    """The root over the first `size` leaf hashes, for each of these sizes; `leaves` has them in a row."""
    peaks: dict[int, list[bytes]] = {size: [] for size in sizes}
    level, count, height = leaves, max(sizes, default=0), 0
    while count:
        for size, found in peaks.items():
            if size >> height & 1:
                end = (size >> height) * HASH_BYTES
                found.append(bytes(level[end - HASH_BYTES : end]))
        level, count, height = _parents(level, count), count // 2, height + 1
    return {size: _over(found) for size, found in peaks.items()}


def _parents(level: bytes | bytearray, count: int) -> bytearray:
    """The nodes above so many nodes in a row; the last has none if it has no partner."""
    sha256, pair, found = hashlib.sha256, 2 * HASH_BYTES, bytearray()
    whole = count // 2 * pair
    for start in range(0, whole, _BLOCK):
        end = min(start + _BLOCK, whole)
        found += b"".join(
            [sha256(b"\1" + level[at : at + pair]).digest() for at in range(start, end, pair)]
        )
    return found


def _over(peaks: Sequence[bytes]) -> bytes:
    """The root over peaks, smallest subtree first."""
    root = peaks[0] if peaks else EMPTY_ROOT
    for peak in peaks[1:]:
        root = _node(peak, root)
    return root


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over these leaf hashes."""
    return levels_of(leaves)[-1][0] if leaves else EMPTY_ROOT


def levels_of(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """The whole tree over one leaf hash or more: the leaves, the nodes above them, and so on to the root."""
    levels = [list(leaves)]
    while len(level := levels[-1]) > 1:
        pairs = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        # A node without a partner goes up as it is: that is RFC 6962's split at a power of two.
        levels.append(pairs + level[len(pairs) * 2 :])
    return levels


def _split(size: int) -> int:
    """The largest power of two below the size."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_proof(levels: Sequence[Sequence[bytes]], index: int) -> list[bytes]:
    """RFC 6962, 2.1.1: the path of leaf `index` in the tree of these levels."""
    if not 0 <= index < len(levels[0]):
        raise EvidenceError(f"line {index} is not among {len(levels[0])}")
    beside = ((level, (index >> height) ^ 1) for height, level in enumerate(levels))
    return [level[at] for level, at in beside if at < len(level)]


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """RFC 6962, 2.1.2: that the tree of the first `old_size` leaf hashes is the beginning of all.

    Empty if the old tree is empty or the same.
    """
    if not 0 <= old_size <= len(leaves):
        raise EvidenceError(f"a tree of {old_size} lines is no beginning of one of {len(leaves)}")
    if old_size in (0, len(leaves)):
        return []
    path: list[bytes] = []
    low, high, whole = 0, len(leaves), True
    while old_size != high:
        middle = low + _split(high - low)
        if old_size <= middle:
            path.append(root_of(leaves[middle:high]))
            high = middle
        else:
            path.append(root_of(leaves[low:middle]))
            low, whole = middle, False
    if not whole:
        path.append(root_of(leaves[low:high]))
    return path[::-1]


def check_inclusion(
    leaf: bytes, index: int, size: int, root: bytes, proof: Sequence[bytes]
) -> None:
    """Raises EvidenceError unless the proof leads from leaf `index` to the root of `size` lines."""
    _check_shape(proof, size)
    if not 0 <= index < size:
        raise EvidenceError(f"line {index} is outside of a tree of {size} lines")
    node, last, left = leaf, size - 1, list(proof)
    while last:
        if index & 1 or index < last:
            if not left:
                raise EvidenceError("inclusion proof is too short")
            beside = left.pop(0)
            node = _node(beside, node) if index & 1 else _node(node, beside)
        index, last = index >> 1, last >> 1
    if left:
        raise EvidenceError("inclusion proof is too long")
    if node != root:
        raise EvidenceError("inclusion proof does not lead to the root: the line is not in the log")


def check_consistency(
    old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> None:
    """Raises EvidenceError unless the proof shows that the old tree is the new one's beginning."""
    _check_shape(proof, size)
    if not 0 <= old_size <= size:
        raise EvidenceError(f"a tree of {old_size} lines is no beginning of one of {size}")
    if old_size in (0, size):
        if proof:
            raise EvidenceError("consistency proof is too long")
        if old_root != (root if old_size else EMPTY_ROOT):
            raise EvidenceError("two roots for the same number of lines: two histories")
        return
    left = list(proof)
    index, last = old_size - 1, size - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    # A full old tree is a node of the new one, and needs no hash of its own.
    old = new = left.pop(0) if index and left else old_root
    while last:
        if index & 1 or index < last:
            if not left:
                raise EvidenceError("consistency proof is too short")
            beside = left.pop(0)
            if index & 1:
                old, new = _node(beside, old), _node(beside, new)
            else:
                new = _node(new, beside)
        index, last = index >> 1, last >> 1
    if left:
        raise EvidenceError("consistency proof is too long")
    if old != old_root or new != root:
        raise EvidenceError("consistency proof does not lead to both roots: two histories")


def _check_shape(proof: Sequence[bytes], size: int) -> None:
    if not 0 <= size <= MAX_SIZE:
        raise EvidenceError(f"a tree of {size} lines; accepted: 0 to 2^62")
    if len(proof) > MAX_PROOF_HASHES or any(len(node) != HASH_BYTES for node in proof):
        raise EvidenceError(
            f"proof of {len(proof)} hashes; accepted: at most {MAX_PROOF_HASHES} of 32 bytes"
        )
