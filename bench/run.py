"""`python bench/run.py`: measure, and write docs/PERFORMANCE.md."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.plan import Plan


def child(kind: str, raw: str) -> int:
    """One measured process."""
    given = json.loads(raw)
    if kind == "feeder":
        from bench import ours

        ours.feed(given)
        return 0
    plan = Plan(**given)
    if kind in ("ours", "ours-record"):
        from bench import ours

        (ours.record if kind == "ours-record" else ours.buffer_only)(plan)
    elif kind == "protection":
        from bench import protection

        protection.measure(plan)
    else:
        from bench import peers

        peers.run(kind, plan)
    return 0

if __name__ == "__main__":
    if sys.argv[1] == "--child":
        sys.exit(child(*sys.argv[2:]))
