"""Sets of time as rows, and the two operations on them: what meets, and cut at every edge.

Pieces of several sets, all of one key, are cut wherever one begins or ends. Of each stretch between
two neighbouring edges it is then known in which sets it lies: union, intersection and difference are
Boolean columns, lengths are sums, and maximal stretches are runs of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

# How many pieces of a set are open at once is counted in so many bits, several sets in one number:
# aggregates cost by the column. No key has a million pieces.
_BITS = 21
_IN_PACK = 3
_COUNT = (1 << _BITS) - 1
BUCKET_US = 6 * 3600 * 1_000_000


def cut(pieces: ir.Table, by: str, sets: Sequence[str]) -> ir.Table:
    """Rows (by, start_us, end_us, and for each set whether the stretch lies in it).

    `pieces` has the columns by, in_set, start_us, end_us; each is half-open and not empty.
    """
    packs = [tuple(sets[first : first + _IN_PACK]) for first in range(0, len(sets), _IN_PACK)]
    names = [f"pack_{number}" for number in range(len(packs))]

    def weights(sign: int) -> dict[str, ir.IntegerValue]:
        return {
            name: ibis.cases(
                *((pieces.in_set == s, sign << (_BITS * place)) for place, s in enumerate(pack)),
                else_=0,
            ).cast("int64")
            for name, pack in zip(names, packs, strict=True)
        }

    edges = ibis.union(
        pieces.select(by, at_us=pieces.start_us, **weights(1)),
        pieces.select(by, at_us=pieces.end_us, **weights(-1)),
    )
    steps = edges.group_by([by, "at_us"]).agg(**{name: edges[name].sum() for name in names})
    so_far = ibis.window(group_by=by, order_by="at_us", preceding=None, following=0)
    after = ibis.window(group_by=by, order_by="at_us")
    open_ = steps.select(
        by, start_us=steps.at_us, end_us=steps.at_us.lead().over(after),
        **{name: steps[name].sum().over(so_far).cast("int64") for name in names},
    )  # fmt: skip
    stretches = open_.select(
        by, "start_us", "end_us",
        **{s: ((open_[name] >> (_BITS * place)) & _COUNT) > 0
           for name, pack in zip(names, packs, strict=True) for place, s in enumerate(pack)},
    )  # fmt: skip
    return stretches.filter(stretches.end_us.notnull())


def runs(stretches: ir.Table, by: str, where: ir.BooleanValue) -> ir.Table:
    """The maximal runs of neighbouring stretches for which it holds: (by, start_us, end_us).

    The stretches of a key must cover its time without a hole, as they do if one of the sets does.
    """
    marked = stretches.select(by, "start_us", "end_us", holds=where)
    order = ibis.window(group_by=by, order_by="start_us", preceding=None, following=0)
    numbered = marked.mutate(run=ibis.ifelse(marked.holds, 0, 1).sum().over(order))
    held = numbered.filter(numbered.holds)
    return held.group_by([by, "run"]).agg(
        start_us=held.start_us.min(), end_us=held.end_us.max()
    ).drop("run")  # fmt: skip


def lengths(stretches: ir.Table, where: ir.BooleanValue) -> ir.IntegerScalar:
    """How long the stretches are together for which it holds; 0 for none."""
    return (stretches.end_us - stretches.start_us).sum(where=where).fill_null(0)


def merged(pieces: ir.Table, by: Sequence[str]) -> ir.Table:
    """The union of the pieces of each key: (*by, start_us, end_us), what touches or overlaps is one."""
    order = ("start_us", "end_us")
    before = ibis.window(group_by=by, order_by=order, preceding=(None, 1))
    so_far = ibis.window(group_by=by, order_by=order, preceding=None, following=0)
    # Distinct: the order must be one, or a row would be counted before what it follows.
    t = pieces.filter(pieces.start_us < pieces.end_us).select(*by, *order).distinct()
    t = t.mutate(reached_us=t.end_us.max().over(before))
    t = t.mutate(run=ibis.ifelse(t.start_us <= t.reached_us, 0, 1).sum().over(so_far))
    return t.group_by([*by, "run"]).agg(
        start_us=t.start_us.min(), end_us=t.end_us.max()
    ).drop("run")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a meeting: a table, the columns that must be equal, and [start, end) of its rows."""

    table: ir.Table
    on: tuple[str, ...]
    start: str
    end: str


def meeting(left: Side, right: Side) -> ir.Table:
    """The pairs whose times overlap, with the columns of both; all but `on` must differ in name.

    Both are laid out over buckets of time first: an engine joins on what is equal, and would compare a
    month of one camera with itself otherwise. A pair is taken in the bucket in which it begins to meet.
    """
    one, two = _laid_out(left, "left"), _laid_out(right, "right")
    met = one.join(
        two,
        [
            *((one[a] == two[b]) for a, b in zip(left.on, right.on, strict=True)),
            one.left_bucket == two.right_bucket, one[left.start] < two[right.end],
            two[right.start] < one[left.end],
            one.left_bucket == ibis.greatest(one.left_first, two.right_first),
        ],
        rname="{name}_again",
    )  # fmt: skip
    extra = {"left_bucket", "left_first", "right_bucket", "right_first"}
    return met.drop(*(c for c in met.columns if c in extra or c.endswith("_again")))


def _laid_out(side: Side, name: str) -> ir.Table:
    first = side.table[side.start] // BUCKET_US
    last = (side.table[side.end] - 1) // BUCKET_US
    return side.table.mutate(**{
        f"{name}_first": first, f"{name}_bucket": ibis.range(first, last + 1).unnest()
    }).view()  # fmt: skip
