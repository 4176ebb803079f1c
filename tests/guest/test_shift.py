"""One boot of the shipped units on a real kernel: switched, unplugged, stopped, killed, read back.

The tests go on where the one before ended, as a shift does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from bodycam.clock import MS, NS
from bodycam.errors import ExitCode
from bodycam.provision.identity import Identity

from .recorder import LOG, Recorder
from .vm import Guest

pytestmark = [pytest.mark.xdist_group("guest"), pytest.mark.timeout(3600)]

ON_NS, OFF_NS = 30 * MS, 500 * MS
TONE_HZ = 1000
EDGE_NS = 2 * MS
RESUME_NS = 5 * NS


def test_systemctl_starts_the_recorder_on_the_kernels_own_devices(recorder: Recorder) -> None:
    recorder.start()
    assert recorder.show("ActiveState") == "active"
    camera = recorder.until_logged("capture.ready")["data"]
    assert camera["source"] == "picamera2"
    assert recorder.until_logged("gpio.chip")["data"] == {
        "backend": "gpiod", "chip": "gpiochip0", "label": "pinctrl-bcm2835", "reason": None,
    }  # fmt: skip
    recorder.until_logged("ready")
    recorder.until_logged("audio.format")


def test_a_bouncing_switch_makes_evidence(guest: Guest, recorder: Recorder) -> None:
    play_tone(guest)
    before = recorder.last_seq()
    edges = recorder.throw(2, 3, 1, 4, 6, 2, 0)
    pressed = recorder.until_logged("switch.on", before)
    assert edges[-1][0] <= pressed["boot_ns"] <= edges[-1][1] + EDGE_NS
    start = recorder.until_logged("rec.start", before)
    guest.run("sleep", "8")
    recorder.set_switch(False)
    recorder.until_logged("rec.stop", before, rec=start["data"]["rec"])
    guest.run("systemctl", "stop", "tone")


def play_tone(guest: Guest) -> None:
    """A tone into the sound card's other end, until it is stopped."""
    rate_hz = 48_000
    times = np.arange(rate_hz) / rate_hz
    wave = (8000 * np.sin(2 * np.pi * TONE_HZ * times)).astype("<i2").tobytes()
    guest.write("/tmp/tone", wave)
    aplay = f"aplay -q -D hw:Loopback,0 -f S16_LE -r {rate_hz} -c 1"
    command = f"while cat /tmp/tone; do :; done | {aplay}"
    guest.run("systemd-run", "-q", "--unit=tone", "sh", "-c", command)


def test_each_of_a_hundred_edges_is_in_the_log_with_the_kernels_time(recorder: Recorder) -> None:
    """Pulses of 1 to 60 ms, long and short in turn; the toggles are those of the rule."""
    before = recorder.last_seq()
    widths = [ms for short in range(1, 51) for ms in (short, 61 - short)]
    widths[1::4], widths[3::4] = widths[3::4], widths[1::4]
    made = recorder.throw(*widths)
    recorder.until_logged("switch.off", before)
    edges = recorder.events("switch.edge", before)
    assert len(made) == len(edges) == 100
    assert [edge["data"]["active"] for edge in edges] == [True, False] * 50
    numbers = [edge["data"]["line_seq"] for edge in edges]
    assert numbers == list(range(numbers[0], numbers[0] + 100))
    late_ns = [
        edge["boot_ns"] - low for edge, (low, _) in zip(edges, made, strict=True)
    ]  # fmt: skip
    print(f"kernel's time {max(late_ns) / MS:.2f} ms after the edge was asked for, at most")
    for edge, (low, high) in zip(edges, made, strict=True):
        assert low <= edge["boot_ns"] <= high + EDGE_NS
    times = [edge["boot_ns"] for edge in edges]
    held = [(at, until - at) for (at, until) in pairwise(times)][::2]
    on_ns = next(at for at, width_ns in held if width_ns >= ON_NS)
    toggles = [
        (line["ev"], line["boot_ns"])
        for line in recorder.log()
        if line["ev"] in ("switch.on", "switch.off") and line["seq"] > before
    ]
    assert toggles == [("switch.on", on_ns), ("switch.off", times[-1])]
    assert recorder.events("switch.lost_pulse", before) == []
    assert recorder.events("switch.reconciled", before) == []
    recorder.until_logged("rec.stop", before)


def test_a_foreign_usb_disk_is_seen_and_not_used(guest: Guest, recorder: Recorder) -> None:
    before = recorder.last_seq()
    guest.run("sh", "-ec", "truncate -s 1M /tmp/disk; modprobe dummy_hcd;"
              "modprobe g_mass_storage file=/tmp/disk idVendor=0x0781 idProduct=0x5567")  # fmt: skip
    tamper = recorder.until_logged("tamper.usb", before, id="0781:5567")
    assert tamper["data"]["seen_by"] == "observer"
    guest.run("modprobe", "-r", "g_mass_storage")
    recorder.until_logged("device.removed", before, id="0781:5567")
    assert guest.run("ls", "/sys/block").out.split().count("sda") == 0


def test_the_verifier_in_the_guest_finds_it_complete(recorder: Recorder) -> None:
    recorder.stop()
    assert recorder.log()[-1]["ev"] == "shutdown"
    code, answer = recorder.verify()
    assert code == ExitCode.OK, json.dumps(answer["findings"])


def test_the_tone_is_in_the_exported_film(
    recorder: Recorder, identity: Identity, tmp_path: Path
) -> None:
    store = recorder.fetch(tmp_path / "store")
    played = store / "evidence" / recorder.events("rec.start")[0]["data"]["rec"]
    film = tmp_path / "film.mp4"
    subprocess.run(
        [sys.executable, "-m", "bodycam", "export", str(played), "--key",
         str(identity.recipient_key("custody")), "--trust", str(identity.root), "--out", str(film),
         "--who", "test"],
        check=True,
    )  # fmt: skip
    with av.open(str(film)) as container:
        pictures = sum(1 for _ in container.decode(video=0))
        container.seek(0)
        sound = np.concatenate([f.to_ndarray().reshape(-1) for f in container.decode(audio=0)])
        rate_hz = container.streams.audio[0].rate
    assert pictures > 5 * 15
    seconds = [sound[at : at + rate_hz] for at in range(0, len(sound) - rate_hz, rate_hz)]
    strengths = [np.abs(np.fft.rfft(second)) for second in seconds]
    heard = [int(np.argmax(strength)) for strength in strengths if strength.max() > 100]
    print(f"{pictures} pictures, {len(seconds)} s of sound, loudest at {heard} Hz")
    # A second has bins of 1 Hz, and the card's clock is its own.
    assert len(heard) >= 4
    assert {abs(hz - TONE_HZ) for hz in heard} <= {0, 1}


def test_switched_on_meanwhile_it_records_as_soon_as_it_is_started(recorder: Recorder) -> None:
    before = recorder.last_seq()
    recorder.set_switch(True)
    recorder.start()
    start = recorder.until_logged("rec.start", before)
    recorder.until_logged("switch.on_at_boot", before)
    took_ns = start["logged_ns"] - recorder.started_ns
    print(f"recording {took_ns / NS:.2f} s after the service's start")
    assert took_ns <= RESUME_NS


def test_a_stopped_worker_is_replaced_and_the_recording_goes_on(
    guest: Guest, recorder: Recorder
) -> None:
    before, status = recorder.last_seq(), recorder.status()
    recording, worker = status["recording"], status["worker_pid"]
    guest.run("kill", "-STOP", str(worker))
    gap = recorder.until_logged("gap", before, rec=recording)
    guest.until("another worker", lambda: recorder.status()["worker_pid"] not in (None, worker))
    guest.until("pictures", lambda: bool(recorder.status()["on_disk"]))
    print(f"{(gap['data']['to_ns'] - gap['data']['from_ns']) / NS:.1f} s without pictures")
    assert recorder.status()["recording"] == recording
    assert recorder.events("activation.start", before) == []


def check_resumed(recorder: Recorder, before: int, recording: str) -> None:
    """A new life of the recorder is recording, in time, and says what it goes on with."""
    start = recorder.until_logged("rec.start", before)
    unclean = recorder.events("boot.unclean", before)
    assert len(unclean) == 1
    continued = recorder.until_logged("activation.start", before, rec=start["data"]["rec"])
    assert continued["data"]["cause"] == "resume"
    assert continued["data"]["continues"] == recording
    took_ns = start["logged_ns"] - recorder.started_ns
    print(f"recording {took_ns / NS:.2f} s after the service's start")
    assert took_ns <= RESUME_NS
    assert recorder.show("ActiveState") in ("active", "activating")


def test_a_killed_recorder_is_started_again_and_records(guest: Guest, recorder: Recorder) -> None:
    before, restarts = recorder.last_seq(), int(recorder.show("NRestarts"))
    recording = recorder.status()["recording"]
    guest.run("kill", "-KILL", str(recorder.pid))
    check_resumed(recorder, before, recording)
    assert int(recorder.show("NRestarts")) == restarts + 1


def test_systemd_ends_a_recorder_that_hangs_and_the_next_one_records(
    guest: Guest, recorder: Recorder
) -> None:
    before = recorder.last_seq()
    recording, pid = recorder.events("rec.start")[-1]["data"]["rec"], recorder.pid
    guest.run("kill", "-STOP", str(pid))
    guest.until("the watchdog", lambda: recorder.pid not in (0, pid), 300)
    check_resumed(recorder, before, recording)
    journal = guest.run("journalctl", "-b", "-u", "bodycam.service", "-o", "cat").out
    assert "Watchdog timeout" in journal


def test_what_the_shift_left_is_whole_but_for_what_the_log_explains(
    guest: Guest, recorder: Recorder
) -> None:
    before = recorder.last_seq()
    recorder.set_switch(False)
    recorder.until_logged("rec.stop", before)
    recorder.stop()
    assert recorder.log()[-1]["ev"] == "shutdown"
    code, answer = recorder.verify()
    assert code == ExitCode.INCOMPLETE, json.dumps(answer)[:3000]
    assert guest.read(LOG).endswith(b"\n")
