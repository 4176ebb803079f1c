"""`bodycam status`: what the recorder is doing, as its lamps say it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ..checks.status import read_status
from ..errors import ExitCode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runtime", type=Path, default=Path("/run/bodycam"), metavar="DIR",
        help="runtime folder of the daemon (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def main(arguments: argparse.Namespace) -> ExitCode:
    """Exit 7 while storage stops the recording, 8 while camera or switch do or no recorder runs."""
    status = read_status(arguments.runtime)
    print(json.dumps(status) if arguments.json else _text(status))
    if status["storage_full"] or status["storage_fault"]:
        return ExitCode.STORAGE
    works = status["running"] and status["camera"] and "record" not in status["unreadable"]
    return ExitCode.OK if works else ExitCode.DEVICE


def _text(status: dict[str, Any]) -> str:
    free, sync = status["free_bytes"], status["last_sync_age_ms"]
    lines = [
        f"device     {status['device']}",
        f"recorder   {'running' if status['running'] else 'NOT RUNNING: start bodycam.service'}",
        f"state      {status['state']} (signal: {_signal(status)})",
        f"lamps      wearer {status['wearer_lamp']}; public {status['public_lamp']}",
        f"recording  {status['recording'] or 'none'}"
        + (", on disk" if status["on_disk"] else ""),
        f"last sync  {'never' if sync is None else f'{sync} ms ago'}",
        f"camera     {'delivering' if status['camera'] else 'NO PICTURES: check the ribbon cable'}",
        f"ring       {status['ring_ms'] / 1000:.1f} s, {status['ring_bytes'] / 2**20:.1f} MiB"
        + ("" if status["ring_locked"] else " (not locked in memory)"),
        f"storage    {_storage(free, status['free_percent'])}",
        f"battery    {_or(status['battery_percent'], ' %')}"
        + (f", {status['battery_minutes']} min left" if status["battery_minutes"] else ""),
        f"charging   {_charging(status['charge'], _celsius(status['cell_milli_c']))}",
        f"heat       {_or(_celsius(status['soc_milli_c']), ' C')}"
        + _strain(status["load"], status["throttled"]),
        f"clock      {status['utc']} ({status['clock']} +-{status['clock_unc_ms']} ms)",
        f"since boot {status['frames']} pictures, {status['dropped']} dropped",
        f"           {status['gaps']} gaps, {status['restarts']} camera restarts",
    ]  # fmt: skip
    if status["unreadable"]:
        lost = ", ".join(status["unreadable"])
        lines.append(f"SWITCHES   CANNOT BE READ: {lost}; gpio.fault in the log names the owner")
    if status["lens"]:
        lines.append(f"picture    {', '.join(status['lens'])}; see what hangs over the lens")
    lines += [f"SERVICE    {reason}" for reason in status["service"]]
    lines += _self_test(status["selftest"])
    if status["storage_fault"]:
        lines.append(f"STORAGE    {status['storage_fault']}")
    if status["inhibited"]:
        reason = status["inhibited"]
        lines.append(f"STOPPED    by {reason}: {_NEXT_STEPS.get(reason, 'see the log')}")
    return "\n".join(lines)


def _signal(status: dict[str, Any]) -> str:
    return " + ".join([status["signal"], *status["notices"]])


def _self_test(test: dict[str, Any] | None) -> list[str]:
    if test is None:
        return ["self-test  not done yet"]
    red = [check for check in test["checks"] if check["verdict"] == "failed"]
    warned = ", ".join(check["name"] for check in test["checks"] if check["verdict"] == "warn")
    answer = "RED" if red else "green"
    return [
        f"self-test  {answer} at {test['utc'][:19]}Z" + (f"; look at {warned}" if warned else ""),
        *(f"           {c['name']}: {c['found']}. {c['next_step']}" for c in red),
    ]


_NEXT_STEPS = {
    "heat": "let the unit cool", "battery": "charge the unit",
    "recall": "take the cell out; it is on the recall list",
}  # fmt: skip
_NO_CHARGE = {
    "start": "not yet looked at", "hot": "the cell is too hot", "cold": "the cell is too cold",
    "sensor": "the cell's temperature is not known", "recall": "the cell is on the recall list",
    "health": "the gauge says that the cell is not well",
}  # fmt: skip


def _charging(cut: str, cell_c: int | None) -> str:
    cell = f" (cell {cell_c} C)" if cell_c is not None else ""
    return "allowed" + cell if cut == "allowed" else f"CUT OFF: {_NO_CHARGE[cut]}{cell}"


def _strain(load: str, throttled: list[str]) -> str:
    met = [*([load] if load != "full" else []), *throttled]
    return f": {', '.join(met)}" if met else ""


def _storage(free: int | None, percent: int | None) -> str:
    return "unknown" if free is None else f"{free / 2**20:.0f} MiB free ({percent} %)"


def _or(value: int | None, unit: str) -> str:
    return "unknown" if value is None else f"{value}{unit}"


def _celsius(milli: int | None) -> int | None:
    return None if milli is None else milli // 1000
