"""What is wrong in a configuration, in words: the key, what it holds, and what it accepts."""

from __future__ import annotations

import re
from typing import Any

import msgspec


def explain(root: type, message: str, tree: dict[str, Any]) -> str:
    """Turn msgspec's message into "key: what is wrong; accepted: …"."""
    text, _, trail = message.partition(" - at `")
    path = trail.rstrip("`").removeprefix("$").removeprefix(".")
    key = re.sub(r"\[(\.\.\.|\d+)\]", "[]", path)
    shown = path.replace("[...]", f".{_bad_entry(root, path, tree)}") if "[...]" in path else path
    unknown = re.search(r"unknown field `([^`]*)`", text)
    if unknown:
        names = ", ".join(_fields_at(root, key))
        name = f"{shown}.{unknown[1]}" if shown else unknown[1]
        return f"{name}: unknown key; accepted: {names}"
    # A regular expression says less to a person than the words that follow.
    text = "not accepted" if "matching regex" in text else text[0].lower() + text[1:]
    accepted = _accepted_at(root, key)
    return f"{shown}: {text}" + (f"; accepted: {accepted}" if accepted else "")


def _bad_entry(root: type, path: str, tree: dict[str, Any]) -> str:
    """The name in a table of tables that msgspec stumbled over: it does not say which."""
    table, _, _ = path.partition("[...]")
    entries: Any = tree
    for part in table.split("."):
        entries = entries[part]
    kind = _strip(_type_at(root, f"{table}[]")).cls
    for name, entry in entries.items():
        try:
            msgspec.convert(entry, kind)
        except msgspec.ValidationError:
            return str(name)
    raise AssertionError(f"one of {table} was refused")


def _type_at(root: type, key: str) -> Any:
    """The msgspec description of the type at a dotted key."""
    node: Any = msgspec.inspect.type_info(root)
    for part in [p for p in key.replace("[]", ".[]").split(".") if p]:
        node = _strip(node)
        if isinstance(node, msgspec.inspect.StructType):
            node = next((f.type for f in node.fields if f.name == part), None)
        elif isinstance(node, msgspec.inspect.ListType):
            node = node.item_type
        elif isinstance(node, msgspec.inspect.DictType):
            node = node.value_type
        else:
            return None
    return node


def _strip(node: Any) -> Any:
    while True:
        if isinstance(node, msgspec.inspect.Metadata):
            node = node.type
        elif isinstance(node, msgspec.inspect.UnionType):
            node = next(t for t in node.types if not isinstance(t, msgspec.inspect.NoneType))
        else:
            return node


def _fields_at(root: type, key: str) -> list[str]:
    node = _strip(_type_at(root, key))
    return [f.name for f in node.fields] if isinstance(node, msgspec.inspect.StructType) else []


def _accepted_at(root: type, key: str) -> str:
    node = _type_at(root, key)
    if isinstance(node, msgspec.inspect.Metadata) and node.extra_json_schema:
        return str(node.extra_json_schema.get("description", ""))
    node = _strip(node)
    if isinstance(node, msgspec.inspect.EnumType):
        return ", ".join(repr(member.value) for member in node.cls)
    if isinstance(node, msgspec.inspect.BoolType):
        return "true or false"
    if isinstance(node, msgspec.inspect.StrType):
        return "a text in quotes"
    if isinstance(node, msgspec.inspect.ListType):
        return f"[[{key}]] tables"
    if isinstance(node, msgspec.inspect.StructType):
        return "a table with " + ", ".join(f.name for f in node.fields)
    return ""
