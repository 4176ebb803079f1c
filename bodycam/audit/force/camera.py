"""One camera of a data set as a page: a picture of each of its shifts, as its own audit draws them.

Rows are made what they were before ingest. What ingest does not keep is not drawn: the source of a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from ...clock import utc_text
from ...custody.findings import printable
from ...custody.htmltable import table
from ...custody.htmltext import escape
from ...errors import ConfigError
from ..anchors import Anchor
from ..camerapage import KEY_FIGURES, state_table
from ..dataset.schema import ASSIGNMENTS, FINDINGS, RECORDINGS, SOURCES, SPANS, Kind
from ..filenames import in_file_name
from ..intervals import Interval, times
from ..logstory import PlacedRun, Run
from ..measures.measure import Stretch
from ..pageparts import page
from ..picture import IncidentBar, legend, patterns, picture
from ..policypage import rules
from ..recordings import Recording
from ..states import DeviceState, Overlay
from ..timeline import DeviceTimeline, StateSpan
from ..words import count_text, span_text, value_text
from .sources import Row, Sources, count_of, rows_of

MAX_SHIFTS = 62
_MAX_FINDINGS = 100


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera of one force; of several forces it is named with its own."""

    force: str
    device: str
    several: bool

    @property
    def named(self) -> str:
        """What it is called beside others."""
        return f"{self.force} {self.device}" if self.several else self.device

    def of(self, table: ir.Table) -> ir.Table:
        """What a table has of it."""
        return table.filter((table.force == self.force) & (table.device == self.device))


def known_cameras(asked: Sources, devices: Sequence[str]) -> list[Camera]:
    """The cameras of these ids: of several forces each that has one, named with its own. Raises
    ConfigError, naming the first that is not in the data set.
    """
    cameras = [asked.told(table).select("force", "device") for table in (SOURCES, SPANS)]
    every = ibis.union(*cameras, distinct=True)
    known: dict[str, list[Camera]] = {}
    # What is no Unicode is no camera's id, and no engine takes it.
    ids = [device for device in devices if printable(device) == device]
    for row in rows_of(every.filter(every.device.isin(ids)).order_by(["device", "force"])):
        camera = Camera(row["force"], row["device"], asked.several)
        known.setdefault(camera.device, []).append(camera)
    for device in devices:
        if device not in known:
            raise ConfigError(
                f"audit: --camera {device[:100]!r} is not in {asked.data.folder}",
                "cameras.csv of an audit without it lists all",
            )
    return [camera for mine in known.values() for camera in mine]


def camera_file(camera: Camera) -> str:
    """The name of a camera's page."""
    name = in_file_name(camera.device)
    if camera.several:
        name = f"{in_file_name(camera.force)}@{name.removeprefix('camera-')}"
    return f"{name}.html"


def camera_page(asked: Sources, camera: Camera) -> str:
    """The page of a camera: its shifts of the months that are asked for."""
    device, line, bars = camera.named, timeline_of(asked, camera), _bars(asked, camera)
    shifts = rows_of(camera.of(asked.result("shifts")).order_by("from_us"))
    sections = [
        (
            f"<section class='shift'><h2>{escape(device)}, {utc_text(row['from_us'] * 1000)[:16]}</h2>"
            f"{picture(shift, bars)}<p>{_short(row)}</p>{_incidents(shift, bars)}{state_table(shift, {})}</section>"
        )
        for row in shifts[:MAX_SHIFTS]
        if (shift := Stretch(line, row["from_us"], row["to_us"]))
    ]
    shown = f"The first {MAX_SHIFTS} of " if len(shifts) > MAX_SHIFTS else ""
    return page(f"Audit of switching: {device}", [
        patterns(),
        (f'<header><p class="over">Body-worn cameras, audit of switching</p><h1>{escape(device)}</h1>'
         f'<p class="when">{shown}{count_text(len(shifts), "shift")}</p></header>'),
        *sections,
        f"<section><h2>What the pictures mean</h2>{legend()}</section>",
        _findings(asked, camera), rules(asked.policy),
    ])  # fmt: skip


def timeline_of(asked: Sources, camera: Camera) -> DeviceTimeline:
    """What ingest was told of this camera: states, overlays, recordings, and by how much clocks err."""
    spans = rows_of(camera.of(asked.told(SPANS)).order_by(["start_us", "number"]))
    by_kind: dict[str, list[Row]] = {}
    for row in spans:
        by_kind.setdefault(row["kind"], []).append(row)
    line = DeviceTimeline(camera.device)
    line.states = [
        StateSpan(DeviceState(r["name"]), r["start_us"], r["end_us"], r["err_us"], r["why"], r["line"],
                  r["next_line"])
        for r in sorted(by_kind.get(Kind.STATE.value, ()), key=lambda r: r["number"])
    ]  # fmt: skip
    for overlay in Overlay:
        line.overlays[overlay] = times(
            _span(r) for r in by_kind.get(Kind.OVERLAY.value, ()) if r["name"] == overlay.value
        )
    line.recordings = _recordings(asked, camera, by_kind)
    for row in by_kind.get(Kind.CLOCK.value, ()):
        line.errors.append((Interval(*_span(row)), row["err_us"]))
        clock = Anchor(0, 0, row["err_us"], "", 0)
        line.runs.append(PlacedRun(Run("", 0, 0), clock, *_span(row)))
    return line


def _recordings(asked: Sources, camera: Camera, by_kind: dict[str, list[Row]]) -> list[Recording]:
    found = []
    for row in rows_of(camera.of(asked.told(RECORDINGS)).order_by("number")):
        one = Recording(row["recording"], row["boot"], row["line"], row["start_us"])
        one.live_end_us, one.verdict = row["live_end_us"], row["verdict"]
        one.evid, one.failed = (
            times(_span(r) for r in by_kind.get(kind.value, ()) if r["number"] == row["number"])
            for kind in (Kind.EVID, Kind.FAILED)
        )
        found.append(one)
    return found


def _span(row: Row) -> tuple[int, int]:
    return row["start_us"], row["end_us"]


def _bars(asked: Sources, camera: Camera) -> list[IncidentBar]:
    """The incidents of those who wore it, while they did."""
    device, assignments = camera.device, asked.told(ASSIGNMENTS)
    worn = rows_of(camera.of(assignments).select("officer", "start_us", "end_us"))
    if not worn and not count_of(assignments.filter(assignments.force == camera.force)):
        worn = [{"officer": device, "start_us": -(1 << 62), "end_us": 1 << 62}]
    spans: dict[str, list[tuple[int, int]]] = {}
    for row in worn:
        spans.setdefault(row["officer"], []).append(_span(row))
    incidents = asked.result("incidents")
    theirs = (incidents.force == camera.force) & incidents.officer.isin(list(spans))
    mine = rows_of(incidents.filter(theirs)) if spans else []
    return [
        IncidentBar(
            row["event"], row["officer"], row["left_out"].lower() or row["kinds"].replace("|", " or "),
            row["due_us"], row["due_by"], row["end_us"], row["end_by"],
            0 if row["left_out"] else row["err_us"], (device,),
        )
        for row in mine
        if any(start < row["end_us"] and row["due_us"] < end for start, end in spans[row["officer"]])
    ]  # fmt: skip


def _short(row: Row) -> str:
    return "; ".join(
        f"{words} <b>{escape(value_text(name, _whole(row[f'{number.lower()}_{name}'])))}</b>"
        for number, name, words in KEY_FIGURES
    )


def _whole(value: float | None) -> float | int | None:
    """A count that the engine hands over as a float is one again."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _incidents(shift: Stretch, bars: Sequence[IncidentBar]) -> str:
    mine = sorted(
        (b for b in bars if b.due_us < shift.end_us and shift.start_us < b.end_us),
        key=lambda b: (b.due_us, b.event, b.officer),
    )
    rows = [
        (f"<b>{escape(b.event)}</b>", escape(b.officer), f"{utc_text(b.due_us * 1000)[:19]} {b.due_by}",
         f"{span_text(b.end_us - b.due_us)} to {b.end_by}", f"<b>{escape(b.word)}</b>")
        for b in mine
    ]  # fmt: skip
    head = ("Event", "Officer", "Due (UTC)", "Window", "Class")
    return table(head, rows, "Incidents of the shift", "numbers") if rows else ""


def _findings(asked: Sources, camera: Camera) -> str:
    rows = [
        (f"<b>{escape(r['verdict']) or 'note'}</b>", escape(r["text"]),
         f"<code>{escape(r['file'])}{', ' if r['place'] else ''}{escape(r['place'])}</code>")
        for r in rows_of(camera.of(asked.told(FINDINGS)).order_by("number").limit(_MAX_FINDINGS))
    ]  # fmt: skip
    held = table(("Verdict", "What", "Where"), rows, "Findings") if rows else "<p>None.</p>"
    return f"<section><h2>Findings</h2>{held}</section>"
