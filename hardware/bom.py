"""The bill of materials: bom.toml in, BOM.md out; written by `python hardware/wiring.py`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass

from .header import HERE


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the bill; `part` and `count` have one entry for each build."""

    what: str
    drawn: str
    part: tuple[str, ...]
    count: tuple[int, ...]
    checked: str
    note: str


@dataclass(frozen=True, slots=True)
class Bill:
    builds: tuple[str, ...]
    items: tuple[Item, ...]


def load() -> Bill:
    """The bill as bom.toml has it."""
    tree = tomllib.loads((HERE / "bom.toml").read_text(encoding="utf-8"))
    builds = tuple(str(name) for name in tree["builds"])
    items = []
    for line in tree["items"]:
        unknown = line.keys() - {"what", "drawn", "part", "count", "checked", "note"}
        if unknown:
            raise SystemExit(f"bom.toml: {line.get('what')}: unknown key {min(unknown)}")
        part, count = line["part"], line["count"]
        parts = tuple(part) if isinstance(part, list) else (part,) * len(builds)
        counts = tuple(count) if isinstance(count, list) else (count,) * len(builds)
        if {len(parts), len(counts)} != {len(builds)}:
            raise SystemExit(f"bom.toml: {line['what']}: not one entry for each of {builds}")
        items.append(
            Item(
                line["what"], line.get("drawn", ""), parts, counts,
                line.get("checked", ""), line.get("note", ""),
            )
        )  # fmt: skip
    return Bill(builds, tuple(items))


def document(bill: Bill) -> str:
    """BOM.md."""
    head = f"| part | {' | '.join(bill.builds)} | remark |"
    rows = [head, "|------|" + "------|" * len(bill.builds) + "--------|"]
    for item in bill.items:
        if len({*item.part}) == 1 and len({*item.count}) == 1:
            cells = [f"{item.count[0]} x {item.part[0]}", *["same"] * (len(bill.builds) - 1)]
        else:
            cells = [
                f"{count} x {part}" if count else part
                for part, count in zip(item.part, item.count, strict=True)
            ]
        rows.append(f"| {item.what} | {' | '.join(cells)} | {item.note} |")
    checked = [f"| {item.what} | {item.checked} |" for item in bill.items if item.checked]
    open_ = ", ".join(item.what for item in bill.items if not item.checked)
    return "\n".join(
        [
            "# Bill of materials",
            "",
            "Made from `bom.toml` by `python hardware/wiring.py`. The counts are those of the drawings.",
            "",
            *rows,
            "",
            "## Where the numbers come from",
            "",
            "None of the parts was bought or measured. A number was looked up where this table says so:",
            "",
            "| part | seen in |",
            "|------|---------|",
            *checked,
            "",
            f"Not looked up; check before you order: {open_}.",
            "",
        ]
    )
