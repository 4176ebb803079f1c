"""What only a real Pi can prove: `sudo /opt/bodycam/bin/python hardware/acceptance.py --config FILE`.

It does each step of ACCEPTANCE.md or asks for it, measures where it can, and writes one JSON file and a
page to sign. What is open is done when it is run again: some steps restart the camera.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bodycam.configfile import load
from bodycam.errors import BodycamError, ConfigError, ExitCode
from hardware.rig import Outcome, Rig, Talk, Verdict, left_open
from hardware.steps import STEPS, Step

RESULT, PAGE = "acceptance.json", "acceptance.txt"
_REPORT_VERSION = 1


class Terminal:
    """The technician at a keyboard."""

    def tell(self, words: str) -> None:
        print(f"\n{words}", flush=True)

    def ask(self, question: str) -> bool | None:
        while True:
            answer = self._line(f"{question} [y, n, s: skip] ")
            if answer in ("", "s"):
                return None
            if answer in ("y", "n"):
                return answer == "y"

    def number(self, question: str) -> float | None:
        while True:
            answer = self._line(f"{question} [a number, s: skip] ")
            if answer in ("", "s"):
                return None
            try:
                return float(answer.replace(",", "."))
            except ValueError:
                continue

    def _line(self, prompt: str) -> str:
        print(prompt, end="", flush=True)
        return sys.stdin.readline().strip().lower()


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="acceptance.py", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the camera's bodycam.toml")
    parser.add_argument(
        "--out", type=Path, default=Path("acceptance"), help="folder of the results"
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="A01", help="these steps alone"
    )
    parser.add_argument("--again", action="store_true", help="also steps that passed before")
    parser.add_argument("--list", action="store_true", help="say what there is, do nothing")
    return parser.parse_args(arguments)


def read_results(out: Path) -> dict[str, dict[str, Any]]:
    """What was found before, by step; nothing if there is no file."""
    try:
        found = json.loads((out / RESULT).read_bytes())
        return {name: dict(entry) for name, entry in found["steps"].items() if entry["verdict"]}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise ConfigError(
            f"{out / RESULT}: not what this program wrote: {fault!r}", "Move it away, or give --out"
        ) from fault


def run_steps(
    rig: Rig, talk: Talk, steps: Sequence[Step], done: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Each step's outcome; written after every step, for a step may restart the camera."""
    for step in steps:
        talk.tell(f"{step.id}  {step.title} (about {step.minutes} min)")
        # Half of a step may be all there will be: it is on the card before the camera goes down.
        done[step.id] = entry(step, left_open("begun"))
        write_results(rig, done)
        outcome = step.run(rig, talk)
        done[step.id] = entry(step, outcome)
        write_results(rig, done)
        talk.tell(f"{step.id}  {outcome.verdict.value.upper()}: {outcome.found}")
    return done


def entry(step: Step, outcome: Outcome) -> dict[str, Any]:
    now = datetime.now(tz=UTC).isoformat(timespec="seconds")
    return {
        "title": step.title, "verdict": outcome.verdict.value, "found": outcome.found,
        "figures": outcome.figures, "at": now,
    }  # fmt: skip


def write_results(rig: Rig, done: dict[str, dict[str, Any]]) -> None:
    rig.out.mkdir(parents=True, exist_ok=True)
    report = {
        "report": _REPORT_VERSION, "device": rig.config.device.id, "model": rig.model,
        "serial": rig.text("proc/device-tree/serial-number"), "steps": done,
    }  # fmt: skip
    for name, words in ((RESULT, json.dumps(report, indent=1)), (PAGE, page(report))):
        new = rig.out / f"{name}.new"
        new.write_text(words, encoding="utf-8")
        new.rename(rig.out / name)


def page(report: dict[str, Any]) -> str:
    """The page to sign."""
    done = report["steps"]
    lines = [
        f"Acceptance of {report['device']}",
        f"{report['model']}, serial {report['serial']}",
        "",
    ]
    for step in STEPS:
        found = done.get(step.id, {"verdict": "open", "found": "not begun", "at": ""})
        verdict = str(found["verdict"])
        mark = verdict if verdict == Verdict.PASSED.value else verdict.upper()
        lines.append(f"{step.id}  {mark:<7} {step.title}")
        lines.append(f"     {found['found']}  {found['at']}")
    lines += ["", answer(done), "", "Tested by:", "", "Date, signature:", ""]
    return "\n".join(lines)


def answer(done: dict[str, dict[str, Any]]) -> str:
    """One line for all of them."""
    verdicts = {step.id: done.get(step.id, {}).get("verdict", "open") for step in STEPS}
    failed = [name for name, verdict in verdicts.items() if verdict == Verdict.FAILED.value]
    still_open = [name for name, verdict in verdicts.items() if verdict == Verdict.OPEN.value]
    if failed:
        return f"FAILED: {', '.join(failed)}"
    return f"OPEN: {', '.join(still_open)}" if still_open else "ACCEPTED"


def main(arguments: Sequence[str], talk: Talk | None = None, root: Path = Path("/")) -> int:
    """Exit 0 accepted, 3 something is open, 1 something failed, 8 this is no Raspberry Pi."""
    given = parse(arguments)
    if given.list:
        print("\n".join(f"{step.id}  {step.minutes:>3} min  {step.title}" for step in STEPS))
        return ExitCode.OK
    known = {step.id for step in STEPS}
    if not known.issuperset(given.only):
        print(
            f"acceptance: {', '.join(sorted({*given.only} - known))}: no such step", file=sys.stderr
        )
        return ExitCode.USAGE
    try:
        config, done = load(given.config), read_results(given.out)
    except BodycamError as fault:
        print(f"acceptance: {fault}", file=sys.stderr)
        return fault.exit_code
    rig = Rig(config, given.config, given.out, root)
    if "Raspberry Pi" not in rig.model:
        print(
            f"acceptance: this is no Raspberry Pi ({rig.model or 'no /proc/device-tree/model'}): what is "
            "asked here can only be proved on one. Everything else is proved by `make test`.",
            file=sys.stderr,
        )
        return ExitCode.DEVICE
    if root == Path("/") and os.geteuid() != 0:
        print("acceptance: it stops and starts the service: run it with sudo", file=sys.stderr)
        return ExitCode.USAGE
    passed = {name for name, found in done.items() if found["verdict"] == Verdict.PASSED.value}
    wanted = [
        s for s in STEPS if s.id in (given.only or known) and (given.again or s.id not in passed)
    ]
    done = run_steps(rig, talk or Terminal(), wanted, done)
    words = answer(done)
    print(f"\n{words}\n{given.out / PAGE}")
    return {"ACCEPTED": ExitCode.OK, "OPEN": ExitCode.INCOMPLETE}.get(
        words.partition(":")[0], ExitCode.FAILURE
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
