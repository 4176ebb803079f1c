"""Definitions name thresholds as the policy does; on a page each has the value that was in force."""

from __future__ import annotations

import re

from .policy import Policy

_UNITS = {"s": "s", "ms": "ms", "min": "min", "h": "h", "days": "days", "percent": "%"}


def with_values(definition: str, policy: Policy) -> str:
    """The definition, each threshold with its value behind it, once: grace_on_s (15 s)."""
    groups = (policy.incident, policy.device, policy.force, policy.statistics, policy.public)
    values = {name: getattr(group, name) for group in groups for name in group.__struct_fields__}

    def told(word: re.Match[str]) -> str:
        name = word[0]
        return _told(name, values.pop(name)) if name in values else name

    return re.sub(r"\b[a-z]+(?:_[a-z]+)+\b", told, definition)


def _told(name: str, value: object) -> str:
    unit = _UNITS.get(name.rpartition("_")[2], "")
    return f"{name} ({value} {unit})" if unit else f"{name} ({value})"
