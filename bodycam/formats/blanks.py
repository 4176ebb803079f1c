"""Blocks that never reached the card, in a file that only grows.

What a power cut keeps from the card reads as zeros, by whole sectors, and later sectors may be there.
Evidence holds no sector of zeros: it is ciphertext, and between it are small boxes.
"""

from __future__ import annotations

from collections.abc import Callable

SECTOR_BYTES = 512
_BLANK = bytes(SECTOR_BYTES)


def first_blank(
    find: Callable[[bytes, int], int], read: Callable[[int, int], bytes], size: int
) -> int:
    """Where the first sector of zeros begins; `size` if there is none.

    `find` tells where bytes stand first from a place on, or -1; `read` reads from a place so many.
    """
    at = 0
    while (at := find(_BLANK, at)) >= 0:
        sector = sector_after(at)
        if read(sector, SECTOR_BYTES) == _BLANK:
            return sector
        at = sector + 1
    return size


def sector_after(at: int) -> int:
    """Where the next sector begins, at the earliest here."""
    return -(-at // SECTOR_BYTES) * SECTOR_BYTES
