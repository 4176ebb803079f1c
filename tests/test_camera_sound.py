"""Times of sound: generated on the clock, and through the encoder."""

from __future__ import annotations

import av
import numpy as np
import pytest

from bodycam.camera.encoder import AAC_SAMPLES, SoundEncoder
from bodycam.camera.tone import BEEP_MS, one_second
from bodycam.config import Audio
from bodycam.media import aac_format


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
