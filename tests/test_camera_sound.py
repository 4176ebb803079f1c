"""Times of sound: generated on the clock, and measured on a microphone."""

from __future__ import annotations

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bodycam.camera.encoder import AAC_SAMPLES, SoundEncoder
from bodycam.camera.microphone import SampleClock
from bodycam.camera.tone import BEEP_MS, one_second
from bodycam.clock import MS, NS
from bodycam.config import Audio
from bodycam.media import aac_format

RATE = 48_000
READ = 480  # samples a read, 10 ms


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 22_050, 44_100, 48_000])
def test_the_beep_stands_at_the_start_of_the_second(rate_hz: int) -> None:
    second = one_second(rate_hz)
    beep = rate_hz * BEEP_MS // 1000
    assert np.abs(second[:beep]).max() > 0.35
    assert np.abs(second[: rate_hz // 1000]).max() > 0.3, "at full strength within a millisecond"
    assert np.abs(second[beep:]).max() < 0.01


@pytest.mark.parametrize(("rate_hz", "channels"), [(16_000, 1), (44_100, 2), (48_000, 1)])
def test_a_packet_decodes_to_the_sound_of_its_own_time(rate_hz: int, channels: int) -> None:
    encoder = SoundEncoder(Audio(rate_hz=rate_hz, channels=channels))
    assert aac_format(encoder.config).rate_hz == rate_hz
    click = 5 * AAC_SAMPLES + 300
    sound = np.zeros((channels, 12 * AAC_SAMPLES), np.float32)
    sound[:, click : click + 40] = 0.9
    packets = []
    for at in range(0, sound.shape[1], AAC_SAMPLES):
        piece = np.ascontiguousarray(sound[:, at : at + AAC_SAMPLES])
        packets += [(count, bytes(data)) for count, data in encoder.encode(piece)]
    assert packets[0][0] == 0, "nothing from before the first sample"
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = encoder.config
    heard = np.zeros(20 * AAC_SAMPLES, np.float32)
    for count, data in packets:
        for frame in decoder.decode(av.Packet(data)):
            heard[count : count + frame.samples] = np.asarray(frame.to_ndarray())[0]
    assert abs(int(np.abs(heard).argmax()) - (click + 20)) < 40


@given(st.lists(st.integers(0, 15 * MS), min_size=50, max_size=400))
def test_late_reads_do_not_move_the_sound(delays_ns: list[int]) -> None:
    times = SampleClock(RATE)
    origins = set()
    for n, delay_ns in enumerate(delays_ns, 1):
        total = n * READ
        times.heard(total, 5 * NS + total * NS // RATE + delay_ns)
        origins.add(times.at_ns(0))
    assert len(origins) == 1, "packets advance by their samples alone"
    assert 0 <= origins.pop() - 5 * NS <= 15 * MS


def test_a_hole_in_the_sound_is_seen_within_two_seconds() -> None:
    times, lost_ns = SampleClock(RATE), 300 * MS
    for n in range(1, 500):
        total = n * READ
        real_ns = total * NS // RATE + (lost_ns if n > 200 else 0)
        times.heard(total, real_ns)
        if n == 200:
            assert times.at_ns(total) == real_ns
    assert times.at_ns(total) == real_ns


def test_a_slow_crystal_is_followed_within_20_ms() -> None:
    times = SampleClock(RATE)
    for n in range(1, 60_000):  # ten minutes at 100 ppm are 60 ms
        total = n * READ
        real_ns = total * NS // RATE * 1_000_100 // 1_000_000
        times.heard(total, real_ns)
        assert abs(times.at_ns(total) - real_ns) <= 21 * MS
