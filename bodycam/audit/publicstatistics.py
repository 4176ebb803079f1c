"""M31 to M35 for the public: what is said of the group, and of nobody in it.

Estimates are rounded, and withheld where one of the counts behind them is too few; no officer's point,
duty or recording is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..custody.htmltable import table
from ..custody.htmltext import escape
from .groups import ArmResult, DutyCoverage, Filed, FilingResult, Funnel, Groups, RiskDifference
from .policy import PublicRules
from .withholding import share_of_count, share_of_time, withhold
from .words import share_text

TOO_FEW = "too few to tell"
_GIVEN_UP = (Filed.UNDATED, Filed.PARTLY, Filed.LATE, Filed.MISSING, Filed.IN_TIME)


def public_statistics(found: Groups, rules: PublicRules, cameras: int) -> dict[str, Any]:
    """What may be published; null for what is too few, and no key for what was not computed.

    Many duties, uses or shifts may be those of one officer: of how many they are counts as well.
    """
    told: dict[str, Any] = {}
    if found.missingness is not None:
        few = found.missingness.officers_with < rules.min_officers
        told["M31"] = {
            "not_complete": None if few else _difference(found.missingness.not_complete, rules),
            "never": None if few else _difference(found.missingness.never, rules),
        }
    funnels = {"never": found.never, "late": found.late}
    if any(funnels.values()):
        told["M32"] = {name: _spread(f, rules) for name, f in funnels.items() if f is not None}
    sites = {
        site.site: {
            "class": site.kind.value, "treatment_kept": _kept(site.treatment, rules),
            "control_kept": _kept(site.control, rules),
        }
        for site in found.sites
        if min(site.treatment.shifts, site.control.shifts) >= rules.min_incidents
        and min(site.treatment.officers, site.control.officers) >= rules.min_officers
    }  # fmt: skip
    if sites:
        told["M33"] = sites
    if found.duties is not None:
        told["M34"] = _duties(found.duties, rules)
    if found.filing is not None:
        told["M35"] = None if cameras < rules.min_cameras else _filing(found.filing, rules)
    return told


def _difference(d: RiskDifference, rules: PublicRules) -> dict[str, float] | None:
    cells = (d.missing_with, d.total_with - d.missing_with, d.missing_without,
             d.total_without - d.missing_without)  # fmt: skip
    few = min(d.total_with, d.total_without) < rules.min_incidents
    none_or_all = 0 in (d.missing_with + d.missing_without,
                        d.total_with + d.total_without - d.missing_with - d.missing_without)  # fmt: skip
    if d.estimate is None or few or none_or_all or any(0 < cell < rules.min_cell for cell in cells):
        return None
    e = d.by_officer or d.estimate
    return {name: round(getattr(e, name), 3) for name in ("value", "low", "high")}


def _spread(funnel: Funnel, rules: PublicRules) -> dict[str, float] | None:
    few = funnel.incidents < rules.min_incidents or funnel.officers < rules.min_officers
    rest = (funnel.events, funnel.incidents - funnel.events)
    if few or any(0 < cell < rules.min_cell for cell in rest):
        return None
    return {"value": round(funnel.rho, 3), "low": round(funnel.rho_low, 3), "high": round(funnel.rho_high, 3)}  # fmt: skip


def _kept(arm: ArmResult, rules: PublicRules) -> float | None:
    return share_of_count(arm.kept, arm.shifts, rules.min_cell)


def _duties(found: DutyCoverage, rules: PublicRules) -> dict[str, float | None] | None:
    total = found.total
    officers = len(found.officers) + found.not_shown
    if total.duties < rules.min_incidents or officers < rules.min_officers:
        return None
    return {
        "recorded": share_of_time(total.recording_us, total.duty_us),
        "able": share_of_time(total.able_us, total.duty_us),
        "unknown": share_of_time(total.unknown_us, total.duty_us),
        "proven": share_of_time(total.covered_us, total.duty_us),
    }  # fmt: skip


def _filing(found: FilingResult, rules: PublicRules) -> dict[str, float | None] | None:
    if found.due < rules.min_incidents:
        return None
    # All of them are what was due: one alone that is withheld could be worked out.
    told = withhold({kind.name.lower(): found.counts[kind] for kind in _GIVEN_UP}, rules.min_cell)
    return {
        name: None if count is None else round(count / found.due, 3) for name, count in told.items()
    }


# -- the page --------------------------------------------------------------------------------------

_QUESTIONS = {
    "not_complete": "not recorded whole, with force or a complaint, less without",
    "never": "not recorded at all, with force or a complaint, less without",
}
_SHARES = {
    "recorded": "of rostered duty, cameras were recording", "able": "they were able to record",
    "unknown": "nobody knows what they were", "proven": "proven pictures cover",
    "in_time": "of recordings, filed in time", "late": "filed late",
    "undated": "filed, and nobody says when", "partly": "without category or event",
    "missing": "not in the records system",
}  # fmt: skip


def statistics_section(told: Mapping[str, Any]) -> str:
    """The same as a table; empty if nothing was computed."""
    rows: list[tuple[str, str, str]] = []
    for name, words in _QUESTIONS.items():
        if "M31" in told:
            rows.append(("<b>M31</b>", words, _interval(told["M31"][name], 100, " points")))
    for name, spread in told.get("M32", {}).items():
        words = f"how much officers differ beyond chance and beyond what they were sent to, {name} (rho)"
        rows.append(("<b>M32</b>", words, _interval(spread, 1, "")))
    for site, found in told.get("M33", {}).items():
        kept = ", ".join(
            f"{arm} kept {_share(found[f'{arm}_kept'])}" for arm in ("treatment", "control")
        )
        rows.append(("<b>M33</b>", escape(site), f"<b>{escape(found['class'])}</b>: {kept}"))
    for number in ("M34", "M35"):
        if number in told and told[number] is None:
            rows.append((f"<b>{number}</b>", "", TOO_FEW))
        for name, share in (told.get(number) or {}).items():
            rows.append((f"<b>{number}</b>", _SHARES[name], _share(share)))
    if not rows:
        return ""
    return f"<section><h2>Taken together</h2>{table(('No.', 'What', 'How much'), rows, 'Taken together')}</section>"


def _interval(e: Mapping[str, float] | None, times: int, unit: str) -> str:
    if e is None:
        return TOO_FEW
    digits, sign = (1, "+") if times == 100 else (3, "")
    value, low, high = (f"{times * e[name]:{sign}.{digits}f}" for name in ("value", "low", "high"))
    return f"<b>{value}{unit}</b>, 95 % interval {low} to {high}"


def _share(share: float | None) -> str:
    return TOO_FEW if share is None else f"<b>{share_text(share)}</b>"
