"""`bodycam demo`: one simulated shift on any laptop, end to end."""

from __future__ import annotations

import argparse
import shutil
from importlib import resources
from pathlib import Path

from ..custody.export import Order, export
from ..custody.report import write_report
from ..custody.verify import verify_paths
from ..errors import ConfigError, ExitCode
from ..signing import load_root
from ..simulate.player import Played, Player, print_to_stderr
from ..simulate.scenario import load_scenario

_MARK = "made-by-bodycam-demo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, default=Path("bodycam-demo"), metavar="DIR",
        help="folder for everything; one made by an earlier demo is replaced "
        "(default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--speed", type=float, metavar="X", help="so many times real speed")


def main(arguments: argparse.Namespace) -> ExitCode:
    """The verdict's exit code; 1 if the shift did not go as it should."""
    out: Path = arguments.out.resolve()
    _renew(out)
    with resources.as_file(resources.files("bodycam.simulate").joinpath("demo.toml")) as path:
        scenario = load_scenario(path)
    unit_folder = out / "unit"
    minutes = scenario.ends / 60 / (arguments.speed or scenario.speed)
    print_to_stderr(f"Playing a shift of {minutes:.1f} minutes against the real recorder …")
    played = Player(scenario, unit_folder, arguments.speed, print_to_stderr).play()
    verdict = _finish(out, played)
    for outcome in played.outcomes:
        if not outcome.passed:
            print_to_stderr(f"NOT AS IT SHOULD BE: {outcome.text}; found {outcome.found}")
    return verdict if played.passed else ExitCode.FAILURE


def _finish(out: Path, played: Played) -> ExitCode:
    unit = played.unit
    report = verify_paths([unit.card], load_root(unit.root_path))
    clips = []
    for i, folder in enumerate(sorted(_recordings(unit.card), key=_first_written), start=1):
        clip = out / f"recording-{i}.mp4"
        key = unit.out / "authority" / "custody.key"
        export(Order([folder], key, load_root(unit.root_path)), clip)
        clips.append(clip)
    page = out / "shift.html"
    write_report(unit.card, report, page, clips)
    verdict = ExitCode(report.exit_code)
    said = "complete and trusted" if verdict is ExitCode.OK else f"exit {int(verdict)}"
    print(f"verdict  {said}")
    for clip in clips:
        print(f"video    {clip}")
    print(f"log      {unit.card / 'log' / 'events.jsonl'}")
    print(f"summary  {page}")
    print(f"check it yourself:  bodycam verify {unit.card} --trust {unit.root_path}")
    return verdict


def _recordings(card: Path) -> list[Path]:
    return [folder for folder in (card / "evidence").iterdir() if folder.is_dir()]


def _first_written(folder: Path) -> int:
    return min(path.stat().st_mtime_ns for path in folder.glob("*.mp4"))


def _renew(out: Path) -> None:
    if out.exists() and any(out.iterdir()):
        if not (out / _MARK).exists():
            raise ConfigError(
                f"{out}: not empty and not made by the demo", "Name a new folder with --out"
            )
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / _MARK).write_text("This folder may be deleted.\n", encoding="utf-8")
