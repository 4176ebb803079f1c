"""The status file of a recorder, and whether the recorder that wrote it still runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..errors import DeviceError


def read_status(runtime: Path) -> dict[str, Any]:
    """What the recorder wrote last, and `running`. Raises DeviceError if it wrote nothing."""
    path = runtime / "status.json"
    try:
        status = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as fault:
        raise DeviceError(
            f"{path}: no recorder has written a status here ({fault})",
            "Start it: systemctl start bodycam, or bodycam run --config FILE",
        ) from fault
    status["running"] = _alive(int(status["pid"]))
    return status


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
