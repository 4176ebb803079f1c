"""Recorders that lack one sync on purpose: copies to throw away, to see that a sweep finds it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bodycam

SOURCE = Path(bodycam.__file__).parent


@dataclass(frozen=True, slots=True)
class Plant:
    """In a module's text, `was` becomes `now`; a sweep must find that `breaks` is not kept."""

    module: str
    was: str
    now: str
    breaks: str
    ext4_shows_it: bool = True

    def put_into(self, package: Path) -> None:
        """Write the changed module into a copy of the package."""
        text = (SOURCE / self.module).read_text(encoding="utf-8")
        if self.was not in text:
            raise AssertionError(f"{self.module}: nothing to take away: {self.was!r}")
        package.mkdir(parents=True, exist_ok=True)
        (package / self.module).write_text(text.replace(self.was, self.now), encoding="utf-8")


_RENAME = "temporary.rename(path)\n    sync_directory(path.parent)\n"
PLANTS = {
    "segments": Plant("store.py", "os.fdatasync(self._fd)", "pass", ".mp4"),
    "log": Plant("eventlog.py", "os.fdatasync(self._fd)", "pass", "log/events.jsonl"),
    "content-before-rename": Plant("store.py", "        os.fsync(fd)\n    finally:\n        os.close(fd)\n    " + _RENAME,
        "        pass\n    finally:\n        os.close(fd)\n    " + _RENAME, "log/"),
    "name-after-rename": Plant("store.py", _RENAME, "temporary.rename(path)\n", "log/"),
    "new-name": Plant("store.py", "            sync_directory(folder)\n", "", ".mp4", ext4_shows_it=False),
    "new-folder": Plant("store.py", "    path.mkdir(mode=0o750, exist_ok=True)\n    sync_directory(path.parent)\n", "    path.mkdir(mode=0o750, exist_ok=True)\n", "missing", ext4_shows_it=False),
}  # fmt: skip
