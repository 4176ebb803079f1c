"""Samples in, blocks of 1024 out: nothing moves, and only silence is left out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bodycam.camera.encoder import AAC_SAMPLES
from bodycam.camera.soundtrack import Blocks

Samples = NDArray[np.float32]


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 5000)), max_size=20))
def test_every_sample_stays_at_its_count_and_only_silence_is_left_out(
    parts: list[tuple[bool, int]],
) -> None:
    blocks = Blocks(1)
    expected: list[Samples] = []
    out: list[tuple[int, Samples]] = []
    for i, (is_sound, size) in enumerate(parts, 1):
        part = np.full((1, size), i if is_sound else 0, np.float32)
        out += blocks.add(part) if is_sound else blocks.gap(size)
        expected.append(part[0])
    whole = np.concatenate([*expected, np.zeros(0, np.float32)])
    assert blocks.count == whole.size
    counts = [at for at, _ in out]
    assert counts == sorted(set(counts))
    left = whole.copy()
    for at, block in out:
        assert at % AAC_SAMPLES == 0
        assert np.array_equal(block[0], whole[at : at + AAC_SAMPLES])
        left[at : at + AAC_SAMPLES] = 0
    assert not left[: whole.size // AAC_SAMPLES * AAC_SAMPLES].any(), "sound was left out"


@pytest.mark.parametrize("before", [0, 1, 1000, 1023])
def test_a_long_gap_costs_one_silent_block(before: int) -> None:
    blocks = Blocks(1)
    list(blocks.add(np.ones((1, before), np.float32)))
    out = list(blocks.gap(60 * AAC_SAMPLES))
    assert len(out) <= 2
    assert not out[-1][1].any(), "a decoder overlaps the next frame with silence"
