"""Writes configurations as TOML: tables of plain values, tables in them, and lists of tables."""

from __future__ import annotations

import json
from typing import Any


def to_toml(tree: dict[str, Any]) -> str:
    """The text that `tomllib` reads the same tree from."""
    lines = []
    for table, values in tree.items():
        if isinstance(values, list):
            for entry in values:
                lines += [f"[[{table}]]", *_pairs(entry), ""]
            continue
        plain = {k: v for k, v in values.items() if not isinstance(v, dict)}
        lines += [f"[{table}]", *_pairs(plain), ""]
        for name, nested in values.items():
            if isinstance(nested, dict):
                for key, entry in nested.items():
                    lines += [f"[{table}.{name}.{key}]", *_pairs(entry), ""]
    return "\n".join(lines)


def _pairs(values: dict[str, Any]) -> list[str]:
    # JSON's strings, numbers and booleans are TOML's.
    return [f"{key} = {json.dumps(value)}" for key, value in values.items()]
