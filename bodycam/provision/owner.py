"""Being the recorder's user: what root tests proves nothing, and what root writes stays root's."""

from __future__ import annotations

import os
import pwd
import resource
from pathlib import Path

from ..errors import ConfigError


def become_owner(root: Path) -> None:
    """As root, become the user whose store this is, for good. Raises ConfigError for anybody else."""
    evidence = root / "evidence"
    try:
        owner = evidence.stat().st_uid
    except FileNotFoundError:
        return  # a store that is yet to be made is made by whoever asks
    except PermissionError:
        owner = 0
    if os.geteuid() == owner:
        return
    if os.geteuid():
        raise ConfigError(
            f"{root}: belongs to another user, and so do its keys", "Run: sudo bodycam selftest"
        )
    # As the unit has it; a user could not raise it again.
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    try:
        user = pwd.getpwuid(owner)
        os.initgroups(user.pw_name, user.pw_gid)
        group = user.pw_gid
    except KeyError:  # a card of another system
        os.setgroups([])
        group = evidence.stat().st_gid
    os.setresgid(group, group, group)
    os.setresuid(owner, owner, owner)
