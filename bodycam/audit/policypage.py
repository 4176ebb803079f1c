"""The last section of every page of the audit: by what rules."""

from __future__ import annotations

from ..custody.findings import Verdict
from ..custody.htmltable import table
from ..custody.htmltext import escape
from .policy import Policy
from .states import DeviceState


def rules(policy: Policy) -> str:
    """The policy with its hash, the states, and what counts."""
    rows = [
        (f"<code>{group}</code>", f"<code>{name}</code>", escape(_value(getattr(found, name))))
        for group, found in (("incident", policy.incident), ("device", policy.device),
                             ("force", policy.force), ("statistics", policy.statistics), ("public", policy.public),
                             ("excluded", policy.excluded))
        for name in found.__struct_fields__
    ]  # fmt: skip
    states = ", ".join(state.value for state in DeviceState)
    verdict = Verdict.ALTERED.value
    return (
        f"<footer><section><h2>Policy</h2><p>{escape(policy.name)}, version {policy.version}, SHA-256 "
        f"<code>{policy.sha256}</code></p>{table(('Of', 'Threshold', 'Value'), rows, 'Policy', 'numbers')}"
        f"</section><p>A camera is in exactly one state at any time: {states}. OFF needs a signed "
        f"shutdown; what nobody vouches for is unknown. What failed verification ({verdict}, untrusted, "
        f"unreadable, cut, missing) is a finding: it counts neither as covered nor as a gap. No person "
        f"is ranked. This page proves nothing by itself: the files do, with <code>bodycam verify</code>."
        f"</p></footer>"
    )


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value)
