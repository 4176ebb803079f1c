"""Footage that fills a card and a ring quickly: 8 Mbit/s, made once and replayed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

_KBPS = 8000
_SIZE = (1280, 720)


def make_footage(path: Path) -> Path:
    """Some seconds of moving noise at a constant rate, without B-frames."""
    rate = ["-b:v", f"{_KBPS}k", "-minrate", f"{_KBPS}k", "-maxrate", f"{_KBPS}k", "-bufsize", "4M"]
    scene = f"testsrc2=size={_SIZE[0]}x{_SIZE[1]}:rate=30,noise=alls=20:allf=t"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", scene, "-t", "4", "-c:v", "libx264",
         "-preset", "ultrafast", "-g", "30", "-bf", "0", "-x264-params", "nal-hrd=cbr:scenecut=0",
         *rate, str(path)],
        check=True,
    )  # fmt: skip
    return path


def heavy(footage: Path) -> dict[str, Any]:
    """The configuration of a camera that plays it over and over."""
    return {
        "camera": {
            "source": "replay", "file": str(footage), "width": _SIZE[0], "height": _SIZE[1],
            "bitrate_kbps": _KBPS, "gop_ms": 1000,
        },
        "audio": {"source": "none"},
    }  # fmt: skip
