"""What lies here runs inside the guest, as root, and is not looked at anywhere else."""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("BODYCAM_INSIDE_GUEST") == "1" else ["test_*.py"]
