"""The audit of a force as JSON: docs/audit-force.schema.json says what each key means."""

from __future__ import annotations

from typing import Any

import msgspec

from ..grouptables import groups_json
from .facts import ForceSummary, Group

VERSION = 1


def as_json(found: ForceSummary) -> dict[str, Any]:
    """One object with everything that the page says; durations are microseconds."""
    policy = found.policy
    plain = msgspec.to_builtins
    return {
        "version": VERSION, "exit_code": int(found.exit_code),
        "policy": {"name": policy.name, "version": policy.version, "sha256": policy.sha256},
        "months": list(found.months), "from": found.days and found.days[0],
        "to": found.days and found.days[1], "zone": found.zone, "forces": list(found.forces),
        "cameras": found.cameras, "shifts": found.shifts, "recordings": found.recordings,
        "undocked_us": found.undocked_us,
        "assignments": "badge ids are camera ids" if found.badges else "given, not signed",
        "badges": list(found.badges),
        "verification": {
            "verdict": found.verdict.value,
            "cameras": {one.verdict.value: one.cameras for one in found.verdicts},
            "findings": found.findings_count, "kinds": plain(found.finding_kinds),
            "first": plain(found.findings),
        },
        "summary": {
            **plain(found.counts),
            "classes": {
                kind.value: {"surely": n.surely, "possibly": n.possibly, "by_clock": n.by_clock}
                for kind, n in found.classes.items()
            },
            **plain(found.covered), "coverage": found.covered.evid_share,
            "live_coverage": found.covered.live_share, "begins_by": dict(found.begins_by),
            "ends_by": dict(found.ends_by), "late_starts": plain(found.late_starts),
            "early_stops": plain(found.early_stops),
        },
        "breakdown": {
            "call_type": [_group(g) for g in found.by_call_type],
            "district": [_group(g) for g in found.by_district],
            "hour": [_group(g) for g in found.by_hour if g.judged],
            "day": [_group(g) for g in found.by_day],
        },
        "groups": groups_json(found.groups, officers=False),
        "measures": plain(found.measures), "cases": plain(found.cases),
        "causes": plain(found.causes), "firmwares": plain(found.firmwares),
        "bad_rows": {"count": found.counts.bad_rows, "first": plain(found.bad_rows)},
        "unassigned": plain(found.unassigned),
        "unmatched": {
            "officers": plain(found.unmatched.officers), "cameras": plain(found.unmatched.cameras),
            "assigned_without_data": plain(found.unmatched.without_data),
            "force_and_complaints": plain(found.unmatched.outcomes),
            "filings": plain(found.unmatched.filings),
        },
    }  # fmt: skip


def _group(group: Group) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(group)
    return {**told, "uncertain": group.uncertain, "coverage": group.evid_share,
            "live_coverage": group.live_share}  # fmt: skip
