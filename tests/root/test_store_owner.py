"""Who tests a store: its owner, and root in the owner's name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bodycam.errors import ExitCode

BECOME = """
import os, sys
from pathlib import Path
from bodycam.errors import ConfigError
from bodycam.provision.owner import become_owner
if len(sys.argv) > 2:
    os.setresuid(*[int(sys.argv[2])] * 3)
try:
    become_owner(Path(sys.argv[1]), Path(sys.argv[1]).parent / "run")
except ConfigError as fault:
    sys.exit(f"{int(fault.exit_code)}: {fault}")
(Path(sys.argv[1]) / "evidence" / "made").touch()
(Path(sys.argv[1]).parent / "run" / "pins.sock").touch()
print(os.getresuid(), os.getresgid())
"""


def become(store: Path, *uid: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BECOME, str(store), *uid], check=False, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip


def test_only_the_owner_of_a_store_tests_it_and_root_becomes_the_owner(tmp_path: Path) -> None:
    """What root tests proves nothing for the recorder, and what root writes stays root's."""
    store = tmp_path / "store"
    (store / "evidence").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    assert become(store).stdout == f"{(0,) * 3} {(0,) * 3}\n"
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(0o755)
    for path in (store, store / "evidence", store / "evidence" / "made"):
        os.chown(path, 65534, 65534)
    shutil.rmtree(tmp_path / "run")
    assert become(store).stdout == f"{(65534,) * 3} {(65534,) * 3}\n"
    # A card of another system: nobody here has that number.
    os.chown(store / "evidence", 54321, 54321)
    (store / "evidence" / "made").unlink()
    shutil.rmtree(tmp_path / "run")
    assert become(store).stdout == f"{(54321,) * 3} {(54321,) * 3}\n"
    stranger = become(store, "65534")
    assert stranger.stderr.startswith(f"{int(ExitCode.USAGE)}: {store}: belongs to another user")
    assert "sudo bodycam selftest" in stranger.stderr
