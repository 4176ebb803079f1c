"""The synthetic camera: the street scene, encoded here, paced by the clock."""

from __future__ import annotations

from ..clock import NS, Clock, wait
from ..config import Config
from .encoder import VideoEncoder
from .lens import LensCheck
from .mishaps import MishapKind, Mishaps
from .scene import Scene
from .sink import UnitSink
from .source import SourceFacts
from .wishes import Wishes

# A camera has some six buffers: so much of the machine's time may be made up before frames are
# lost, as on a real sensor. It is the machine that pauses, so a faster clock does not shorten it.
_BUFFERED_REAL_S = 0.2
_BLACK = 16


class SyntheticSource:
    """Frame `n` is captured at n/fps seconds of boot time, whichever worker captures it."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._config = config
        self._camera = config.camera
        self._clock = clock
        self._mishaps = Mishaps.of(config)
        self._drawn = 0

    def open(self) -> SourceFacts:
        camera = self._camera
        self._encoder = VideoEncoder(camera, camera.width, camera.height)
        self._scene = Scene(camera.width, camera.height, camera.fps)
        self._lens = LensCheck(looks=camera.lens_check)
        self._overlay = None
        if camera.overlay:
            from .overlay import Overlay

            self._overlay = Overlay(camera.width, camera.height, self._config.device.id)
        return SourceFacts("synthetic", VideoEncoder.name, camera.width, camera.height, camera.fps)

    def run(self, sink: UnitSink) -> None:
        late_ns = int(_BUFFERED_REAL_S / self._clock.real_s(1.0) * NS)
        number = self._due() + 1
        wishes = Wishes(sink, self._camera)
        while not sink.stop.is_set():
            at_ns = self._at_ns(number)
            ahead_ns = at_ns - self._clock.boot_ns()
            if ahead_ns < -late_ns:
                number = self._due()
                continue
            if ahead_ns > 0 and wait(self._clock, sink.stop, ahead_ns / NS):
                return
            self._draw(sink, number, at_ns)
            number += self._encoder.film(sink, wishes, at_ns)

    def _draw(self, sink: UnitSink, number: int, at_ns: int) -> None:
        shown = number & 0xFFFF_FFFF
        planes = self._encoder.planes
        if not self._happens(MishapKind.FROZEN, at_ns):
            self._drawn = shown
        self._scene.draw(planes, self._drawn)
        if self._happens(MishapKind.DARK, at_ns):
            planes[0][:] = _BLACK
        for event in self._lens.look(planes[0], at_ns):
            event.tell(sink)
        if self._overlay is not None:
            self._overlay.draw(planes[0], sink.clock_sample(), at_ns, shown)

    def _happens(self, kind: MishapKind, at_ns: int) -> bool:
        return self._mishaps is not None and self._mishaps.now(kind, at_ns) is not None

    def _due(self) -> int:
        return self._clock.boot_ns() * self._camera.fps // NS

    def _at_ns(self, number: int) -> int:
        return -(-number * NS // self._camera.fps)

    def close(self) -> None:
        """Nothing to give back."""
