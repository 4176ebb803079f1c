"""npm packages for tests: pinned versions, kept outside of the tree."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

CACHE = Path.home() / ".cache" / "bodycam-tests" / "npm"


def packages(*pinned: str) -> Path:
    """A folder in which these, each NAME@VERSION, can be imported; fetched once."""
    folder = CACHE / "+".join(name.replace("/", "-").lstrip("@") for name in pinned)
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent",
             "--prefix", str(folder), *pinned],
            check=True, timeout=240,
        )  # fmt: skip
        (folder / "complete").touch()
    return folder


def node(folder: Path, script: str, *arguments: str) -> str:
    """Run a module script that imports what is installed in the folder; what it prints."""
    done = subprocess.run(
        ["node", "--input-type=module", "-", *arguments],
        input=script, cwd=folder, env=dict(os.environ), check=True, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    return done.stdout
