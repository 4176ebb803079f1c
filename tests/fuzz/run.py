"""Coverage-guided fuzzing of one target with atheris.

    python -m tests.fuzz.run TARGET FOLDER [libFuzzer's options]

FOLDER takes what reaches new code; the vectors and `corpus/` are what it starts from.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["bodycam"]):
    from . import targets


def main() -> None:
    name, folder, *options = sys.argv[1:]
    found = Path(folder)
    found.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(targets.seeds(name)):
        (found / f"seed-{number}").write_bytes(seed)
    atheris.Setup([sys.argv[0], *options, str(found)], lambda data: targets.run_one(name, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
