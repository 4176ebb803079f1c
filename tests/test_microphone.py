"""A real libasound without a sound card: its `file` device reads what the test puts into a pipe.

The worker is a process of its own, its ring and its pictures are real. What only a kernel can do
(a card that is unplugged while it is read) is shown in the guest, tests/guest/.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from bodycam.camera.alsa import AlsaReader, Ended, Opened, Piece, microphones
from bodycam.clock import MS, NS, SystemClock
from bodycam.config import Audio
from bodycam.errors import ExitCode
from bodycam.media import Track
from tests.capturing import SMALL, Worker
from tests.rig import records_of, running

pytestmark = pytest.mark.system

RATE = 8000
DEADLINE_S = 20
BOUND_NS = 40 * MS
_FEED_S = 0.01
LISTENING = SMALL + f'[audio]\nsource = "alsa"\ndevice = "mic"\nrate_hz = {RATE}\n'


class Room:
    """What the microphone hears: silence, a click with every whole second, in real time."""

    def __init__(self, fifo: Path) -> None:
        os.mkfifo(fifo)
        self._fifo = fifo
        self._clock = SystemClock()
        self._change = threading.Lock()
        self._dead = self._deaf = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        """As a device: it begins to hear when it is opened."""
        while not self._stop.is_set():
            pipe = os.open(self._fifo, os.O_WRONLY)
            try:
                self._feed(pipe)
            except BrokenPipeError:
                continue
            finally:
                os.close(pipe)

    def _feed(self, pipe: int) -> None:
        done = self._clock.boot_ns() * RATE // NS
        while not self._stop.wait(_FEED_S):
            due = self._clock.boot_ns() * RATE // NS
            with self._change:
                if self._dead:
                    continue
                if not self._deaf:
                    at_s = np.arange(done, due) / RATE
                    click = np.where(at_s % 1 < 0.004, np.sin(2 * np.pi * 1000 * at_s), 0)
                    os.write(pipe, (26_000 * click).astype(np.int16).tobytes())
                done = due

    def hang(self, seconds: float) -> int:
        """The device gives nothing, then all at once; when it began."""
        return self._for(seconds, "_dead")

    def lose(self, seconds: float) -> int:
        """What is heard meanwhile is lost; when it began."""
        return self._for(seconds, "_deaf")

    def _for(self, seconds: float, what: str) -> int:
        began_ns = self._clock.boot_ns()
        self.set(what, True)
        time.sleep(seconds)
        self.set(what, False)
        return began_ns

    def set(self, what: str, value: bool) -> None:
        with self._change:
            setattr(self, what, value)

    def close(self) -> None:
        self._stop.set()
        # Nobody may ever have opened it: then the thread waits for somebody who does.
        while self._thread.is_alive():
            os.close(os.open(self._fifo, os.O_RDONLY | os.O_NONBLOCK))
            self._thread.join(_FEED_S)


class Sounds:
    """The machine's sound configuration, and the rooms its microphones are in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._version = 0
        self._rooms: list[Room] = []
        self.configure("")

    def configure(self, text: str) -> None:
        """libasound looks at the whole seconds of the file's time to see that it changed."""
        self._version += 1
        path = self._folder / "alsa.conf"
        path.write_text(text)
        os.utime(path, (self._version, self._version))

    def plug_in(self) -> Room:
        """A new device under the name that is asked for."""
        fifo = self._folder / f"room{self._version}"
        room = Room(fifo)
        self._rooms.append(room)
        self.configure(
            f'pcm.mic {{ type file slave.pcm {{ type null }} file /dev/null infile "{fifo}" '
            "format raw }\n"
        )
        return room

    def close(self) -> None:
        for room in self._rooms:
            room.close()


@pytest.fixture
def sounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sounds]:
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(tmp_path / "alsa.conf"))
    # Where a reader in this process tells the library to look is taken back.
    monkeypatch.setenv("ALSA_CONFIG_DIR", "")
    monkeypatch.delenv("ALSA_CONFIG_DIR")
    system = Sounds(tmp_path)
    yield system
    system.close()


Start = Callable[[], Worker]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Worker] = []

    def begin() -> Worker:
        running.append(Worker(tmp_path, LISTENING))
        return running[-1]

    yield begin
    for worker in running:
        worker.close()


def heard(worker: Worker) -> int:
    return len(worker.of(Track.AUDIO))


def clicks(worker: Worker) -> list[int]:
    """When a click begins in the sound that was recorded."""
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = bytes.fromhex(worker.said("audio.format")["config"])
    found: list[int] = []
    for unit in worker.of(Track.AUDIO):
        for frame in decoder.decode(av.Packet(bytes(unit.data))):
            loud = np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.25)
            if loud.size:
                click_ns = unit.at_ns + int(loud[0]) * NS // RATE
                if not found or click_ns - found[-1] > NS // 2:
                    found.append(click_ns)
    return found


def all_said(worker: Worker, ev: str) -> list[dict[str, Any]]:
    return [event for event in worker.events if event["ev"] == ev]


def test_sound_lies_where_it_was_heard(start: Start, sounds: Sounds) -> None:
    sounds.plug_in()
    worker = start()
    worker.read_until(lambda: heard(worker) >= 40 and len(worker.video) >= 30)
    found = clicks(worker)
    assert len(found) >= 3
    # The pipe is written a hundredth of a second late; the rest is the recorder's doing.
    assert all(abs(at - round(at / NS) * NS) < BOUND_NS for at in found)
    assert worker.said("audio.format")["channels"] == 1
    assert all_said(worker, "audio.lost") == []


def test_without_a_microphone_it_is_said_once_and_tried_again(start: Start, sounds: Sounds) -> None:
    worker = start()
    worker.read_until(lambda: "audio.lost" in worker.order and len(worker.video) >= 150)
    assert len(all_said(worker, "audio.lost")) == 1
    assert "audio.device mic: cannot be opened" in worker.said("audio.lost")["reason"]
    assert heard(worker) == 0
    sounds.plug_in()
    worker.read_until(lambda: heard(worker) > 0)
    back = [step for step in worker.order if step != "VIDEO"]
    assert back[:4] == ["capture.ready", "audio.lost", "audio.format", "audio.back"]
    assert worker.said("audio.back")["lost_ms"] > 2000
    worker.process.send_signal(signal.SIGTERM)
    assert worker.read_to_end() == (0, []), "libasound has nothing to say on stderr"


def test_a_microphone_that_hangs_is_noticed_and_holds_nobody_up(
    start: Start, sounds: Sounds
) -> None:
    room = sounds.plug_in()
    worker = start()
    worker.read_until(lambda: heard(worker) >= 8)
    room.set("_dead", True)
    hung_ns = SystemClock().boot_ns()
    worker.read_until(lambda: "audio.lost" in worker.order)
    assert "no sound for 2 s" in worker.said("audio.lost")["reason"]
    last_ns = worker.of(Track.AUDIO)[-1].at_ns
    assert last_ns <= hung_ns
    pictures = len(worker.video)
    worker.read_until(lambda: len(worker.video) >= pictures + 30)
    asked = time.monotonic()
    worker.process.send_signal(signal.SIGTERM)
    assert worker.read_to_end() == (0, [])
    assert time.monotonic() - asked < 2


def test_a_microphone_that_comes_to_life_again_is_heard_again(start: Start, sounds: Sounds) -> None:
    room = sounds.plug_in()
    worker = start()
    worker.read_until(lambda: heard(worker) >= 8)
    room.set("_dead", True)
    worker.read_until(lambda: "audio.lost" in worker.order)
    room.set("_deaf", True)  # what it would have heard meanwhile is gone
    room.set("_dead", False)
    room.set("_deaf", False)
    before = heard(worker)
    worker.read_until(lambda: "audio.back" in worker.order and heard(worker) >= before + 40)
    assert all(abs(at - round(at / NS) * NS) < BOUND_NS for at in clicks(worker)[-3:])
    assert all_said(worker, "audio.gap") == [], "lost and back say it already"


def test_a_new_microphone_is_opened_at_once_though_the_old_one_hangs(
    start: Start, sounds: Sounds
) -> None:
    room = sounds.plug_in()
    worker = start()
    worker.read_until(lambda: heard(worker) >= 8)
    room.set("_dead", True)
    worker.read_until(lambda: "audio.lost" in worker.order)
    sounds.plug_in()
    worker.ring.microphone_seen()
    worker.read_until(lambda: "audio.back" in worker.order)
    assert 2000 <= worker.said("audio.back")["lost_ms"] < 9000, "by itself it would wait for 10 s"


def test_lost_samples_are_told_and_move_nothing(start: Start, sounds: Sounds) -> None:
    room = sounds.plug_in()
    worker = start()
    worker.read_until(lambda: heard(worker) >= 16)
    lost_ns = room.lose(0.6)
    worker.read_until(lambda: "audio.gap" in worker.order)
    gap = worker.said("audio.gap")
    assert gap["count"] == 1
    assert abs(gap["from_ns"] - lost_ns) < 100 * MS
    assert abs(gap["lost_ms"] - 600) < 100
    before = heard(worker)
    worker.read_until(lambda: heard(worker) >= before + 24)
    assert all(abs(at - round(at / NS) * NS) < BOUND_NS for at in clicks(worker))


def test_a_pause_that_is_made_up_for_is_no_loss(start: Start, sounds: Sounds) -> None:
    room = sounds.plug_in()
    worker = start()
    worker.read_until(lambda: heard(worker) >= 16)
    room.hang(0.8)
    before = heard(worker)
    worker.read_until(lambda: heard(worker) >= before + 24)
    assert {"audio.gap", "audio.lost"} & set(worker.order) == set()
    times = [unit.at_ns for unit in worker.of(Track.AUDIO)]
    assert {round((b - a) * RATE / NS) for a, b in pairwise(times)} == {1024}


def test_a_device_that_gives_more_sound_than_there_is_time_is_not_believed(
    start: Start, sounds: Sounds
) -> None:
    sounds.configure("pcm.mic { type null }\n")
    worker = start()
    worker.read_until(lambda: "audio.lost" in worker.order and len(worker.video) >= 60)
    assert "more sound than there is time" in worker.said("audio.lost")["reason"]
    assert all(unit.at_ns <= SystemClock().boot_ns() for unit in worker.of(Track.AUDIO))


def test_the_recorder_says_degraded_until_there_is_sound_again(
    sounds: Sounds, tmp_path: Path
) -> None:
    """Also where the worker that lost it is gone, and the next one never missed it."""
    audio = {"source": "alsa", "device": "mic", "rate_hz": RATE}
    with running(tmp_path / "unit", {"audio": audio}) as rig:
        lost = rig.until_logged("audio.lost")
        assert lost["boot_ns"] <= lost["logged_ns"]
        rig.press(True)
        rig.until("degraded", lambda: rig.unit.status()["signal"] == "degraded")
        sounds.plug_in()
        rig.unit.signal_worker(signal.SIGKILL)
        rig.until_logged("audio.format")
        rig.until("recording", lambda: rig.unit.status()["signal"] == "rec")
        rig.until_logged("seg.open", 2)
        rig.run_for(3)
        rig.press(False)
        rig.until_logged("rec.stop")
        heard = [sum(r.get("na", 0) for r in records_of(path)) for path in rig.segments()]
        assert heard[0] == 0
        assert sum(heard) > 10
        assert rig.verify().exit_code == ExitCode.INCOMPLETE, "the worker was killed: a gap"


def test_a_stereo_device_is_taken_where_mono_was_asked(sounds: Sounds) -> None:
    sounds.configure(
        "pcm.mic { type multi slaves.a { pcm { type null } channels 2 }\n"
        "bindings.0 { slave a channel 0 } bindings.1 { slave a channel 1 } }\n"
    )
    reader = AlsaReader(Audio(device="mic", rate_hz=16_000, channels=1), SystemClock())
    opened, piece = reader.take(DEADLINE_S), reader.take(DEADLINE_S)
    reader.abandon()
    assert isinstance(opened, Opened)
    assert (opened.rate_hz, opened.channels) == (16_000, 2)
    assert isinstance(piece, Piece)
    assert len(piece.raw) == piece.samples * 4 == 16_000 // 100 * 4


def test_an_abandoned_reader_ends_when_it_wakes(sounds: Sounds) -> None:
    room = sounds.plug_in()
    reader = AlsaReader(Audio(device="mic", rate_hz=RATE), SystemClock())
    assert isinstance(reader.take(DEADLINE_S), Opened)
    room.set("_dead", True)
    reader.abandon()
    assert reader.hangs
    room.set("_dead", False)
    deadline = time.monotonic() + DEADLINE_S
    while reader.hangs:
        assert time.monotonic() < deadline


def test_the_reason_names_what_the_machine_has(sounds: Sounds, tmp_path: Path) -> None:
    reader = AlsaReader(Audio(device="nosuch"), SystemClock())
    ended = reader.take(DEADLINE_S)
    assert isinstance(ended, Ended)
    assert microphones() in ended.reason
    listed = tmp_path / "pcm"
    assert microphones(listed) == "this machine has no sound card"
    listed.write_text(
        "00-00: bcm2835 Headphones : bcm2835 Headphones : playback 8\n"
        "01-00: USB Audio : USB Audio : playback 1 : capture 1\n"
    )
    assert microphones(listed) == "microphones here: hw:1,0 USB Audio"
    listed.write_text("00-00: bcm2835 Headphones : bcm2835 Headphones : playback 8\n")
    assert microphones(listed) == "microphones here: none"
