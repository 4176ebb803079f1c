"""How often the kernel has killed for want of memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from bodycam.memory import oom_kills


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("nr_free_pages 5\noom_kill 3\nswap_ra 0\n", 3),
        ("nr_free_pages 5\n", None),
        ("oom_kill many\n", None),
        ("oom_kill_other 7\n", None),
        ("", None),
    ],
)
def test_it_is_what_vmstat_says(tmp_path: Path, text: str, count: int | None) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "vmstat").write_text(text, encoding="ascii")
    assert oom_kills(tmp_path / "sys") == count


def test_a_kernel_that_does_not_count_is_none(tmp_path: Path) -> None:
    assert oom_kills(tmp_path / "sys") is None


def test_this_kernel_counts() -> None:
    assert (oom_kills(Path("/sys")) or 0) >= 0
    assert oom_kills(Path("/sys")) is not None
