"""The sections of a page about many incidents, officers, duties and recordings at once: M31 to M35.

Each has its definition beside the numbers. They need facts alone, so that the page of a few cameras and
that of a force are the same.
"""

from __future__ import annotations

from ..custody.htmltable import table
from ..custody.htmltext import escape
from .charts import Bar, differences, funnel_chart, points_text
from .dutytimes import DEFINITION as DUTY_DEFINITION
from .filed import DEFINITION as FILING_DEFINITION
from .groups import (
    ArmResult,
    DutyCoverage,
    DutySum,
    Estimate,
    Filed,
    FilingResult,
    ForceUses,
    Funnel,
    Groups,
    Missingness,
    RiskDifference,
    SiteResult,
)
from .measures.measure import ratio
from .pageparts import MAX_ROWS, more
from .policy import Policy
from .thresholds import with_values
from .useofforce import DEFINITION as FORCE_DEFINITION
from .words import count_text, share_text, span_text

M31 = (
    "M31", "Missing because of what happened",
    ("The share of incidents that are not COMPLETE (and, alone, NEVER) where force was used or a complaint "
    "made, less the share where neither was, compared only within strata of call type, part of the day and "
    "district, and pooled by Mantel and Haenszel; 95 % interval by Sato (1989). At 0 the recordings may be "
    "taken for a sample of what happened; away from 0 they must not."),
)  # fmt: skip
M32 = (
    "M32", "How much officers differ",
    ("Observed against expected NEVER and LATE, given the force's own rates for the call types, parts of the "
    "day and units that an officer was sent to. rho is by how much officers differ beyond that and beyond "
    "chance (beta-binomial; 0: not at all; 1: each always or never). Limits of the drawing: 95 % dashed, 99.8 % drawn through; 1 is what was expected."),
)  # fmt: skip
M33 = (
    "M33", "Whether the trial was kept",
    ("A treatment shift is kept if proven pictures cover duty_coverage_percent of it, a control shift if no "
    "more than contamination_s were recorded; an arm is kept if kept_percent of its shifts are. A treatment "
    "shift that only a camera at fault, unknown or not assigned kept from it may have been kept. Classes after "
    "Ariel et al. (2016)."),
)  # fmt: skip
_MOST_SITES = 5
DEFINITIONS = (M31, M32, M33, DUTY_DEFINITION, FILING_DEFINITION)


def group_sections(found: Groups, policy: Policy) -> str:
    """All sections for which there is something to say."""
    parts = [
        _not_installed(found.not_installed), _force(found.force, policy),
        "" if found.missingness is None else _missing(found.missingness, policy),
        _officers(found, policy), _trial(found, policy), _duties(found.duties, policy), _filing(found.filing, policy),
    ]  # fmt: skip
    return "".join(parts)


def _section(definition: tuple[str, str, str], body: str, policy: Policy) -> str:
    number, title, text = definition
    said = escape(with_values(text, policy))
    return f'<section><h2>{title}</h2><p class="soft"><b>{number}</b> {said}</p>{body}</section>'


def _not_installed(package: str) -> str:
    if not package:
        return ""
    return (
        f"<section><h2>Not computed</h2><p>M31, M32 and the interval of M35: <code>{escape(package)}</code> is "
        f"not installed here. Run <code>pip install 'bodycam[audit]'</code>, then this audit again.</p></section>"
    )


def groups_short(found: Groups) -> list[str]:
    """What of it belongs into the answer: one sentence each."""
    lines = []
    if found.missingness is not None:
        told = found.missingness
        lines += [
            missing_words("Not COMPLETE", told.not_complete),
            missing_words("NEVER", told.never),
        ]
    if found.force is not None and found.force.matched:
        one = found.force
        lines.append(f"Of {count_text(one.matched, 'use')} of force the camera was surely recording in "
                     f"{one.recording}; a recording was surely stopped near it in {one.stopped_surely}.")  # fmt: skip
    lines += [_trial_words(site) for site in found.sites[:_MOST_SITES]]
    if found.duties is not None and found.duties.total.duty_us:
        total = found.duties.total
        lines.append(f"Of rostered duty cameras could record {share_text(total.able_us / total.duty_us)}, and "
                     f"did {share_text(total.recording_us / total.duty_us)}.")  # fmt: skip
    if found.filing is not None and found.filing.due:
        share = found.filing.counts[Filed.IN_TIME] / found.filing.due
        lines.append(f"Of recordings that were due, {share_text(share)} were filed in time.")
    return lines


def _trial_words(site: SiteResult) -> str:
    """The class, and how much of its treatment no officer could have recorded, or nobody knows of."""
    kinds = " or ".join(kind.value for kind in site.kinds)
    lost = ratio(site.treatment.lost_us, site.treatment.duty_us)
    why = (
        f"; for {share_text(lost)} of treatment a camera was at fault, unknown or not assigned"
        if lost
        else ""
    )
    return f"The trial at {site.site or 'its site'}: {kinds}{why}."


# -- M30 ----------------------------------------------------------------------------------------


def _force(one: ForceUses | None, policy: Policy) -> str:
    if one is None:
        return ""
    rows = [
        (f"<b>{words}</b>", str(count), share_text(ratio(count, one.matched)))
        for words, count in (
            ("assigned to the officer", one.assigned), ("surely recording", one.recording),
            ("stopped near it, surely", one.stopped_surely), ("stopped near it, possibly", one.stopped_possibly),
            ("proven before and after, throughout", one.proven_throughout),
            ("nothing proven before or after", one.proven_nowhere),
        )
    ]  # fmt: skip
    lost = one.uses - one.matched
    return _section(
        (FORCE_DEFINITION[0], "Use of force, together", FORCE_DEFINITION[2]),
        f"{table(('The camera was', 'Uses of force', 'Share'), rows, 'Use of force, together', 'numbers')}"
        f'<p class="soft">Of {count_text(one.matched, "use")} of force; of {lost} more no camera belongs to the '
        "officer's id.</p>",
        policy,
    )


# -- M31 ----------------------------------------------------------------------------------------


def _missing(told: Missingness, policy: Policy) -> str:
    """M31: the answer in words, a drawing, and the counts behind it."""
    questions = (("Not COMPLETE", told.not_complete), ("NEVER", told.never))
    bars = [bar for name, one in questions for bar in _bars(name, one)]
    rows = [_counts(name, one) for name, one in questions]
    head = ("Class", "With", "Without", "Strata", "Left out", "Open", "Odds ratio", "Same odds")
    words = "".join(f"<p>{escape(missing_words(name, one))}</p>" for name, one in questions)
    return _section(
        M31,
        f"{words}{differences(bars, 'M31: differences of risk with their 95 per cent intervals')}"
        f"{table(head, rows, 'Counts of M31', 'numbers')}"
        '<p class="soft">With: force was used or a complaint made. Left out: incidents of strata in which '
        "one group is alone. Open: incidents whose class the clocks leave open. Same odds: the chance of "
        "strata that differ so much if the odds ratio is the same in all (Breslow and Day).</p>"
        '<p class="soft">By officer: the interval if the incidents of one officer go together, as they do '
        "where officers have habits; it needs 30 officers. Least, greatest: had every class that the clocks "
        "leave open been the one that makes the difference smallest, or largest.</p>",
        policy,
    )


def missing_words(name: str, one: RiskDifference) -> str:
    """One sentence: what the interval says."""
    e = one.estimate
    if e is None:
        return f"{name}: no stratum has incidents with force or a complaint and without; nothing can be compared."
    if not one.missing_with and not one.missing_without:
        of = count_text(one.total_with + one.total_without, "incident")
        return f"{name}: none of {of} that can be compared, with force or a complaint or without: no interval can be told."
    if e.low <= 0 <= e.high:
        return f"{name}: {points_text(e)} where force was used or a complaint made: the numbers do not tell it from 0."
    often = "more" if e.value > 0 else "less"
    doubts = [
        what for what, limits in (
            ("an officer's incidents may go together", [one.by_officer]),
            ("of the classes that the clocks leave open", [one.least, one.greatest]),
        ) if any(x is not None and not _beyond(x, e) for x in limits)
    ]  # fmt: skip
    verdict = "these recordings are no sample of what happened"
    if doubts:
        verdict = f"but it may be 0, for {' and for '.join(doubts)}"
    return f"{name}: {points_text(e)} where force was used or a complaint made, {often} often than without; {verdict}."


def _beyond(x: Estimate, e: Estimate) -> bool:
    """Whether this interval, too, lies on the side of 0 on which the estimate is."""
    return x.low > 0 if e.value > 0 else x.high < 0


def _bars(name: str, one: RiskDifference) -> list[Bar]:
    bars = [Bar(name, one.estimate)]
    if one.by_officer is not None:
        bars.append(Bar(f"{name}, by officer", one.by_officer, soft=True))
    if one.unsure and one.least is not None:
        bars.append(Bar(f"{name}, least by the clocks", one.least, soft=True))
        bars.append(Bar(f"{name}, greatest by the clocks", one.greatest, soft=True))
    return bars


def _counts(name: str, one: RiskDifference) -> list[str]:
    def part(count: int, of: int) -> str:
        return f"{count} of {of} ({share_text(ratio(count, of))})"

    odds = "&ndash;" if one.odds_ratio is None else f"{one.odds_ratio:.2f}"
    same = "&ndash;" if one.same_odds_p is None else f"p {one.same_odds_p:.2g}"
    return [
        f"<b>{name}</b>", part(one.missing_with, one.total_with),
        part(one.missing_without, one.total_without), str(one.strata),
        f"{one.incidents_left_out}, {one.with_left_out} with, in {one.strata_left_out} strata",
        str(one.unsure), odds, same,
    ]  # fmt: skip


# -- M32 ----------------------------------------------------------------------------------------


def _officers(found: Groups, policy: Policy) -> str:
    funnels = [(name, f) for name, f in (("NEVER", found.never), ("LATE", found.late)) if f]
    if not funnels:
        return ""
    rows = [_spread(name, funnel) for name, funnel in funnels]
    head = (
        "Class",
        "Happened",
        "Officers",
        "rho",
        "95 % interval",
        "p of chance alone",
        "Left out",
    )
    drawings = "".join(
        f"<h3>{name}</h3>{drawn}"
        for name, funnel in funnels
        if (drawn := funnel_chart(funnel, f"M32, {name}: observed by expected of each officer"))
    )
    hidden = max(f.not_shown for _, f in funnels)
    return _section(
        M32,
        f"{table(head, rows, 'Counts of M32', 'numbers')}{drawings}"
        f'<p class="soft">Nobody is ranked. {count_text(hidden, "officer")} with fewer than {policy.statistics.min_count} '
        "incidents: not shown. The lines are the limits for the mean share; a cross is outside the 99.8 % "
        "limits of what that officer was sent to. An officer outside may have a reason that no column here "
        "holds: it is a question, not an answer. Numbers: <code>funnel.csv</code>.</p>",
        policy,
    )


def _spread(name: str, funnel: Funnel) -> list[str]:
    return [
        f"<b>{name}</b>", f"{funnel.events} of {funnel.incidents}", str(funnel.officers),
        f"<b>{funnel.rho:.3f}</b>", f"{funnel.rho_low:.3f} to {funnel.rho_high:.3f}",
        "&lt; 0.0001" if funnel.p_value < 1e-4 else f"{funnel.p_value:.2g}",
        (f"{funnel.incidents_left_out} of strata that one officer has alone, {funnel.unsure} that the clocks "
         "leave open"),
    ]  # fmt: skip


# -- M33 to M35 ---------------------------------------------------------------------------------


def _trial(found: Groups, policy: Policy) -> str:
    if not found.sites and not found.shifts_left_out:
        return ""
    rows = [_site(site) for site in found.sites]
    head = ("Site", "Class", "Treatment kept", "Covered", "Control kept", "Recorded in control",
            "Lost to faults, unknown, no camera")  # fmt: skip
    left = ""
    if found.shifts_left_out:
        left = (
            f'<p class="soft">{count_text(found.shifts_left_out, "treatment shift")} left out: no camera '
            "belongs to the officer's id.</p>"
        )
    return _section(M33, f"{table(head, rows, 'Sites of the trial', 'numbers')}{left}", policy)


def _site(site: SiteResult) -> list[str]:
    def kept(arm: ArmResult) -> str:
        told = f"{arm.kept} of {arm.shifts}"
        if arm.kept_surely == arm.kept_possibly:
            return told
        return f"{told} ({arm.kept_surely} to {arm.kept_possibly})"

    kinds = " or ".join(kind.value for kind in site.kinds)
    lost = site.treatment.lost_us + site.control.lost_us
    return [
        f"<b>{escape(site.site) or '&ndash;'}</b>", f"<b>{kinds}</b>", kept(site.treatment),
        share_text(site.treatment.coverage), kept(site.control), span_text(site.control.recorded_us),
        span_text(lost),
    ]  # fmt: skip


def _duties(found: DutyCoverage | None, policy: Policy) -> str:
    if found is None:
        return ""
    head = ("Officer", "Duties", "Duty", "Recording", "Could have recorded", "Proven", "Unknown", "At fault",
            "No camera")  # fmt: skip
    notes = [
        f"{count_text(found.not_shown, 'officer')} with fewer than {policy.statistics.min_count} duties: in the sum alone",
        f"{count_text(found.unmatched, 'duty').replace('dutys', 'duties')} of officers whom no camera belongs to",
        f"{span_text(found.shared_us)} that two duties of an officer claim: counted once",
    ]
    officers = ""
    if found.officers:
        shown = [_duty_row(name, sums) for name, sums in found.officers[:MAX_ROWS]]
        officers = (
            "<details><summary>By officer, in order of id</summary>"
            f"{more(len(found.officers), 'duty-officers.csv')}"
            f"{table(head, shown, 'Duty coverage by officer', 'numbers')}</details>"
        )
    return _section(
        DUTY_DEFINITION,
        f"{table(head, [_duty_row('All', found.total)], 'Duty coverage', 'numbers')}"
        f'<p class="soft">{escape("; ".join(notes))}.</p>{officers}',
        policy,
    )


def _duty_row(name: str, sums: DutySum) -> list[str]:
    return [
        f"<b>{escape(name)}</b>", str(sums.duties), span_text(sums.duty_us),
        _between(sums.recording_us, sums.least_recording_us, sums.most_recording_us, sums.duty_us),
        _between(sums.able_us, sums.least_able_us, sums.most_able_us, sums.duty_us),
        _between(sums.covered_us, sums.least_covered_us, sums.most_covered_us, sums.duty_us),
        *(share_text(ratio(us, sums.duty_us)) for us in (
            sums.unknown_us, sums.fault_us, sums.no_device_us)),
    ]  # fmt: skip


def _between(us: int, least_us: int, most_us: int, of_us: int) -> str:
    """A share, and between which the clocks leave it, where that can be seen."""
    told, least, most = (share_text(ratio(x, of_us)) for x in (us, least_us, most_us))
    return told if least == most else f'{told} <span class="soft">({least} to {most})</span>'


def _filing(found: FilingResult | None, policy: Policy) -> str:
    if found is None:
        return ""
    rows = [
        (f"<b>{how.value}</b>", str(count),
         "&ndash;" if how is Filed.OPEN else share_text(ratio(count, found.due)))
        for how, count in found.counts.items()
    ]  # fmt: skip
    wrong = f"{found.wrong} of {found.sampled} that a reviewer looked at are under a wrong event"
    if found.wrong_share is not None:
        e = found.wrong_share
        wrong += f": {share_text(e.value)}, 95 % interval {share_text(e.low)} to {share_text(e.high)} (exact)"
    head = ("How", "Recordings", "Of those that are due")
    return _section(
        FILING_DEFINITION,
        f"{table(head, rows, 'Filing', 'numbers')}"
        f"<p>{wrong}. See <code>filed.csv</code>; {count_text(found.unknown, 'row')} of recordings "
        "that no camera here has, in <code>unmatched.csv</code>.</p>",
        policy,
    )
