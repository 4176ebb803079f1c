"""Being the recorder's user: what root tests proves nothing, and what root writes stays root's."""

from __future__ import annotations

import os
import pwd
import resource
from contextlib import suppress
from pathlib import Path

from ..errors import ConfigError


def become_owner(root: Path, runtime: Path) -> None:
    """As root, become the user whose store this is, for good. Raises ConfigError for anybody else.

    The runtime folder, which goes when the service stops, is made for that user before.
    """
    try:
        place = next((path for path in (root / "evidence", root) if path.exists()), None)
        found = place.stat() if place else None
    except PermissionError:
        found = None
    if found is None and os.geteuid() == 0:
        return  # a store that is yet to be made is made by whoever asks
    if found is not None and os.geteuid() == found.st_uid:
        return
    if found is None or os.geteuid():
        raise ConfigError(
            f"{root}: belongs to another user, and so do its keys", "Run: sudo bodycam selftest"
        )
    if not runtime.exists():
        runtime.mkdir(mode=0o755, parents=True)
        os.chown(runtime, found.st_uid, found.st_gid)
    # As the unit has it; a user could not raise it again. Without it the ring's check says so.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY,) * 2)
    try:
        user = pwd.getpwuid(found.st_uid)
        os.initgroups(user.pw_name, user.pw_gid)
        group = user.pw_gid
    except KeyError:  # a card of another system
        os.setgroups([])
        group = found.st_gid
    os.setresgid(group, group, group)
    os.setresuid(found.st_uid, found.st_uid, found.st_uid)
