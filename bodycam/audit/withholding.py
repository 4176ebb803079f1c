"""What is too few to be published: one rule for the audit of a camera and that of a force.

A reader knows the sums, what is shown, and this rule.

| attack                                              | answer                                        |
|-----------------------------------------------------|-----------------------------------------------|
| the sum, less all that is shown                     | a second count is withheld beside a lone one  |
| a sum so small that it leaves one way to split it   | further ones, until it leaves several         |
| none was taken beside them: all of them are small   | one always is, where there is one             |
| which one was taken beside it says how large it was | the order is fixed: no count decides it       |
| a share, times the whole                            | withheld as both of its parts would be        |
| a group that is one person                          | groups of few officers are merged, or unsaid  |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Counts = Mapping[str, Sequence[int]]


def withheld(rows: Counts, min_cell: int) -> set[str]:
    """The names of the rows that must not be told; each column has a sum that is known.

    The rows that are given first are given up first.
    """
    hidden = {name for name, counts in rows.items() if any(0 < n < min_cell for n in counts)}
    spare = [name for name, counts in rows.items() if any(counts) and name not in hidden]
    if hidden and spare:
        hidden.add(spare.pop(0))
    while hidden and spare and not _open(rows, hidden, min_cell):
        hidden.add(spare.pop(0))
    return hidden


def _open(rows: Counts, hidden: set[str], min_cell: int) -> bool:
    sums: list[int] = [sum(column) for column in zip(*(rows[name] for name in hidden), strict=True)]
    # At least `min_cell` in one and something in each other, and one more to put here or there.
    return min(sums) >= max(2 * min_cell, min_cell + len(hidden))


def withhold(counts: Mapping[str, int], min_cell: int) -> dict[str, int | None]:
    """The counts, with None for those that must not be told."""
    hidden = withheld({name: (count,) for name, count in counts.items()}, min_cell)
    return {name: None if name in hidden else count for name, count in counts.items()}


def told(count: int, min_cell: int) -> int | None:
    """A count by itself, of no sum that is known."""
    return None if 0 < count < min_cell else count


def share_of_count(part: int, whole: int, min_cell: int) -> float | None:
    """A share of a count, to a tenth of a per cent; None where part or rest is too few."""
    if not whole or part > whole or 0 < part < min_cell or 0 < whole - part < min_cell:
        return None
    return round(part / whole, 3)


def share_of_time(part_us: int, whole_us: int) -> float | None:
    """A share of time, to a tenth of a per cent: no length can be worked out from it."""
    return round(part_us / whole_us, 3) if whole_us else None
