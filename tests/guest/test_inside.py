"""Runs the tests of `inside/` in the guest: they need a kernel's own devices, not a recorder."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from .vm import Guest

INSIDE = Path(__file__).parent / "inside"
_RUN = """\
cd /src
BODYCAM_INSIDE_GUEST=1 PYTHONDONTWRITEBYTECODE=1 exec /opt/bodycam/bin/python -m pytest -q -rA \\
    -p no:cacheprovider --basetemp=/tmp/inside --junitxml=/tmp/inside.xml tests/guest/inside/{name}
"""


@pytest.mark.xdist_group("guest")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", sorted(path.name for path in INSIDE.glob("test_*.py")))
def test_inside_the_guest(guest: Guest, name: str) -> None:
    done = guest.run("sh", "-c", _RUN.format(name=name), timeout_s=1000, ok=False)
    assert done.code == 0, f"{done.out}\n{done.err}"
    cases = ET.fromstring(guest.read("/tmp/inside.xml")).iter("testcase")
    ran = {case.get("name"): [said.tag for said in case] for case in cases}
    for case, said in ran.items():
        print(f"{name}: {case} {' '.join(said)}")
    assert ran
    assert not any(
        said in ("skipped", "error", "failure") for tags in ran.values() for said in tags
    )
