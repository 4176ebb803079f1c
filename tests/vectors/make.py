"""Makes every vector and their index: `make vectors`.

python -m tests.vectors.make            writes them where they are checked in
python -m tests.vectors.make FOLDER     writes them somewhere else, to be compared
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from . import segments, stores
from .catalogue import CATALOGUE
from .world import build

FILES = Path(__file__).with_name("files")
INDEX = "index.json"
ROOT = "root.pem"
MODULES = (segments, stores)


def make(out: Path) -> None:
    """Write all vectors, the root to trust, and the index into an empty folder."""
    with tempfile.TemporaryDirectory() as scratch:
        world = build(Path(scratch))
        shutil.copyfile(world.good.identity.root, out / ROOT)
        shutil.copyfile(world.good.custody_key, out / "custody.key")
        index = []
        for vector in CATALOGUE:
            target = vector.make(world, out / vector.name)
            index.append({
                "name": vector.name, "what": vector.what, "path": str(target.relative_to(out)),
                "verdict": vector.verdict.value, "exit": int(vector.verdict.exit_code),
                "check": int(vector.check) if vector.check else None, "place": vector.place,
            })  # fmt: skip
    (out / INDEX).write_text(json.dumps(index, indent=1) + "\n")


def main() -> None:
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else FILES
    if out == FILES and out.exists():
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    make(out)


if __name__ == "__main__":
    main()
