"""The audit of one or many cameras: everything that the report, the JSON and the tables say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ..custody.verify import Report
from ..errors import ExitCode
from .assignments import Assignments, from_badges
from .complaints import Complaints
from .csvrows import BadRow
from .duties import Arm, Duties
from .dutytimes import DutyTime, duty_times
from .filed import FiledRecordings, filed
from .filings import Filings
from .groups import Groups
from .incidentcsv import Incidents
from .incidents import Incident, Window, windows
from .intervals import Times, both, clip, length_us, times, without
from .measures import MEASURES
from .measures.measure import Figure, Stretch, shifts, whole_line
from .officers import OfficerCameras, err_us, officer_cameras
from .outcomes import Outcomes, outcomes
from .policy import Policy
from .scoring import IncidentClass, OfficerTime, S, excluded
from .states import DeviceState
from .timeline import DeviceTimeline, StoryBook, timelines
from .uncertainty import ScoreRange, peers_prove, score_range, shortfall_range
from .useofforce import ForceRecords, ForceUsed, NearForce, near_force


@dataclass(frozen=True, slots=True)
class ScoredIncident:
    """An officer at an incident; without a score, it says why it was left out.

    `others` are the other officers at the event to whom a camera belongs, `others_recording` those of them
    whose cameras prove enough of this window.
    """

    incident: Incident
    window: Window
    found: ScoreRange | None
    left_out: str
    partner_us: int
    partner_pair_us: tuple[int, int]
    others: int
    others_recording: int
    devices: tuple[str, ...]
    two_cameras_us: int
    whys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScoredForce:
    """A use of force, and what the officer's camera did around it; None without a camera."""

    used: ForceUsed
    found: NearForce | None


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera: its time, and its measures over all of it and each shift."""

    line: DeviceTimeline
    figures: Mapping[str, Figure]
    shifts: tuple[tuple[Stretch, Mapping[str, Figure]], ...]


@dataclass(frozen=True, slots=True)
class Unassigned:
    """What a camera did while it was assigned to nobody: reported apart, never dropped."""

    device: str
    undocked_us: int
    live_us: int
    recordings: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What was found. Ids that only one side knows are listed: officers that no camera belongs to,
    cameras without an incident, cameras that were assigned and whose store was not given, and force or
    complaints of no incident. `groups` are what somebody else computes from the rest.
    """

    policy: Policy
    report: Report
    cameras: tuple[Camera, ...]
    scored: tuple[ScoredIncident, ...]
    force: tuple[ScoredForce, ...]
    bad_rows: tuple[BadRow, ...]
    rows: int
    unmatched_officers: tuple[str, ...]
    unmatched_cameras: tuple[str, ...]
    missing_cameras: tuple[str, ...]
    assigned: bool
    unassigned: tuple[Unassigned, ...]
    officers: Mapping[str, OfficerTime]
    duties: tuple[DutyTime, ...]
    filed: FiledRecordings | None
    outcomes: Outcomes
    outcomes_given: bool
    outcomes_unmatched: tuple[tuple[str, str], ...]
    groups: Groups

    @property
    def exit_code(self) -> ExitCode:
        """That of the verification; else incomplete, if a row or an officer did not count."""
        code = self.report.exit_code
        lost = (
            self.bad_rows or self.unmatched_officers or self.missing_cameras
            or self.outcomes_unmatched
        )  # fmt: skip
        if code is ExitCode.OK and lost:
            return ExitCode.INCOMPLETE
        return code

    @cached_property
    def judged(self) -> list[tuple[ScoredIncident, ScoreRange]]:
        return [(s, s.found) for s in self.scored if s.found is not None]

    def left_out(self, why: str) -> int:
        """How many incidents were not judged for this reason."""
        return sum(one.left_out == why for one in self.scored)

    @property
    def failed(self) -> int:
        """How many judged incidents have pictures that failed verification."""
        return sum(found.nominal.failed_us > 0 for _, found in self.judged)

    def flags(self) -> dict[str, int]:
        """How many judged incidents have each of the flags beside the class, by the clocks as they are; of
        those surely NEVER, how many an empty battery would excuse.
        """
        told = [found.nominal for _, found in self.judged]
        sure = [found.nominal for _, found in self.judged if found.certain]
        return {
            "saved_by_buffer": sum(s.saved_by_buffer for s in told),
            "retro": sum(s.retro for s in told), "handed_over": sum(s.handed_over for s in told),
            "never_flat": sum(s.excused_if_flat for s in sure),
        }  # fmt: skip

    def others(self) -> tuple[int, int]:
        """M29: the other officers at activated incidents to whom a camera belongs; those who recorded as well."""
        there = [one for one, found in self.judged if found.nominal.activated]
        return sum(one.others for one in there), sum(one.others_recording for one in there)

    def classes(self) -> dict[IncidentClass, tuple[int, int, int]]:
        """For each class: surely, possibly, and by the clocks as they are."""
        found = [f for _, f in self.judged]
        return {
            kind: (
                sum(f.kinds == (kind,) for f in found),
                sum(kind in f.kinds for f in found),
                sum(f.nominal.kind is kind for f in found),
            )
            for kind in IncidentClass
        }

    def covered(self) -> tuple[int, int, int]:
        """Of all windows: their time, what EVID and what LIVE covers; no second counts twice."""
        whole = evid = live = 0
        spans: dict[str, list[tuple[int, int]]] = {}
        for one, _ in self.judged:
            spans.setdefault(one.incident.officer, []).append(
                (one.window.due_us, one.window.end_us)
            )
        for name, bounds in spans.items():
            due = times(bounds)
            whole += length_us(due)
            evid += length_us(both(due, self.officers[name].evid))
            live += length_us(both(due, self.officers[name].live))
        return whole, evid, live


def audit(
    report: Report, book: StoryBook, policy: Policy, incidents: Incidents | None = None,
    assignments: Assignments | None = None, force: ForceRecords | None = None, *,
    duties: Duties | None = None, complaints: Complaints | None = None,
    filings: Filings | None = None,
) -> Outcome:  # fmt: skip
    """Everything that follows from what was verified and what other systems say."""
    lines = {line.device: line for line in timelines(report, book)}
    given, used = incidents or Incidents(), force or ForceRecords()
    rostered, made = duties or Duties(), complaints or Complaints()
    worn = assignments or from_badges(lines)
    # Whom a trial gave no camera is missing none.
    due = {one.officer for one in rostered.good if one.arm is not Arm.CONTROL}
    names = {one.officer for one in given.good} | {one.officer for one in used.good} | due
    names |= {one.officer for one in rostered.good if worn.of(one.officer)}
    every = names | {one.officer for one in rostered.good}
    cameras = {name: officer_cameras(name, worn, lines) for name in sorted(every)}
    officers = {name: mine.nominal for name, mine in cameras.items()}
    scored, empty = _scored(given.good, cameras, worn, lines, policy)
    known = {device for name in names for device in worn.of(name)}
    came = outcomes(used.good, made.good)
    return Outcome(
        policy, report, tuple(_camera(line, policy, worn) for line in lines.values()), tuple(scored),
        tuple(_near(one, officers, worn, lines, policy) for one in used.good),
        (*given.bad, *empty, *worn.bad, *used.bad, *rostered.bad, *made.bad,
         *(filings.bad if filings else ())), given.rows,
        tuple(sorted(name for name in names if not worn.of(name))),
        tuple(sorted(set(lines) - known)) if given.rows else (), tuple(sorted(known - set(lines))),
        assignments is not None, _unassigned(lines.values(), worn), officers,
        tuple(duty_times(rostered.good, officers, worn, lines)),
        _filed(lines.values(), filings, policy), came, bool(used.rows or made.rows),
        came.unmatched(given.good) if given.rows else (), Groups(),
    )  # fmt: skip


def _filed(
    lines: Iterable[DeviceTimeline], filings: Filings | None, policy: Policy
) -> FiledRecordings | None:
    if filings is None:
        return None
    recordings = ((line.device, one) for line in lines for one in line.recordings)
    return filed(recordings, filings.good, policy.statistics)


def _near(
    used: ForceUsed, officers: Mapping[str, OfficerTime], worn: Assignments,
    lines: Mapping[str, DeviceTimeline], policy: Policy,
) -> ScoredForce:  # fmt: skip
    if not worn.of(used.officer):
        return ScoredForce(used, None)
    rules = policy.force
    around_us = max(rules.stop_before_s, rules.stop_after_s) * S + used.coarse_us(rules)
    err = err_us(used.officer, worn, lines, used.at_us - around_us, used.at_us + around_us)
    return ScoredForce(used, near_force(used, officers[used.officer], err, rules))


def _unassigned(lines: Iterable[DeviceTimeline], worn: Assignments) -> tuple[Unassigned, ...]:
    found = []
    for line in lines:
        taken = worn.of_device(line.device)
        undocked = without(line.span, line.in_state(DeviceState.DOCKED))
        free = [r for r in line.recordings if without(r.live or r.evid, taken)]
        one = Unassigned(
            line.device, length_us(without(undocked, taken)), length_us(without(line.live, taken)),
            tuple(r.recording for r in free),
        )  # fmt: skip
        if one.undocked_us or free:
            found.append(one)
    return tuple(found)


def _camera(line: DeviceTimeline, policy: Policy, worn: Assignments) -> Camera:
    handovers = worn.handovers(line.device)

    def figures(stretch: Stretch | None) -> dict[str, Figure]:
        if stretch is None:
            return {}
        worn_so = replace(stretch, handovers=handovers)
        return {measure.number: measure.of(worn_so, policy.device) for measure in MEASURES}

    found = tuple((shift, figures(shift)) for shift in shifts(line, policy.device))
    return Camera(line, figures(whole_line(line)), found)


def _scored(
    incidents: Sequence[Incident], officers: Mapping[str, OfficerCameras], worn: Assignments,
    lines: Mapping[str, DeviceTimeline], policy: Policy,
) -> tuple[list[ScoredIncident], list[BadRow]]:  # fmt: skip
    at_event: dict[str, set[str]] = {}
    for one in incidents:
        at_event.setdefault(one.event, set()).add(one.officer)
    scored, empty = [], []
    for one, window in zip(incidents, windows(incidents, policy.incident), strict=True):
        if window is None:
            empty.append(BadRow(one.source, one.row, "its window is empty: due is not before its end",
                                f"{one.event},{one.officer}"))  # fmt: skip
            continue
        mine = officers[one.officer]
        others = [o for o in at_event[one.event] if o != one.officer and worn.of(o)]
        shown = [clip(officers[o].nominal.evid, window.due_us, window.end_us) for o in others]
        also = sum(length_us(evid) >= policy.incident.activated_min_s * S for evid in shown)
        peers = peers_prove(
            ((proven, when, err_us(other, worn, lines, window.due_us, window.end_us))
             for other in at_event[one.event] if other != one.officer
             for proven, when in officers[other].proven), window,
        )  # fmt: skip
        err = err_us(one.officer, worn, lines, window.due_us, window.end_us)
        found, left_out = None, _left_out(one, worn, policy)
        if not left_out:
            found = score_range(
                window, mine, err, policy.incident, dispatched_us=one.dispatched_us, peers=peers
            )
        whole = times([(window.due_us, window.end_us)])
        when = {d: both(when, whole) for d, when in worn.of(one.officer).items()}
        devices = tuple(sorted(device for device, then in when.items() if then))
        partner_us = length_us(without(peers.proven, mine.nominal.evid))
        pair_us = shortfall_range(window, mine, err, peers)
        twice_us = length_us(both(worn.worn_twice(one.officer), whole))
        scored.append(ScoredIncident(one, window, found, left_out, partner_us, pair_us, len(others), also,
                                     devices, twice_us, _whys(devices, lines, when)))  # fmt: skip
    return scored, empty


def _whys(
    devices: Iterable[str], lines: Mapping[str, DeviceTimeline], when: Mapping[str, Times]
) -> tuple[str, ...]:  # fmt: skip
    """Why the cameras were off, at fault or unknown while they were worn in the window: an empty battery is
    no choice.
    """
    return tuple(dict.fromkeys(
        f"{span.state.value}: {span.why}"
        for device in devices
        if device in lines
        for start_us, end_us in when[device]
        for span in lines[device].states_in(start_us, end_us)
        if span.why
    ))  # fmt: skip


def _left_out(one: Incident, worn: Assignments, policy: Policy) -> str:
    """Why it is not judged: nobody is accused because of an id that does not match."""
    if excluded(one, policy.excluded):
        return "EXCLUDED"
    return "" if worn.of(one.officer) else "UNMATCHED"
