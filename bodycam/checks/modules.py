"""Which native modules a configuration needs."""

from __future__ import annotations

from importlib.util import find_spec

from ..config import AudioSource, CameraSource, Config, PinsBackend
from ..rpilines import MODULE as RPI_GPIO
from .loading import BASE_MODULES

GPIOD, TOKEN, UDEV = "gpiod", "pkcs11", "pyudev"
# Without it devices are found by looking every ten seconds.
SPARE_MODULES = (UDEV,)
_PICTURES = ("av", "cv2", "numpy")
_BY_CAMERA = {
    CameraSource.SYNTHETIC: _PICTURES,
    CameraSource.REPLAY: _PICTURES,
    CameraSource.V4L2: _PICTURES,
    CameraSource.PICAMERA2: ("picamera2", "libcamera", *_PICTURES),
}


def needed_modules(config: Config) -> list[str]:
    """What the recorder or its worker loads, by import name."""
    needed = [*BASE_MODULES, *_BY_CAMERA[config.camera.source]]
    if config.audio.source is AudioSource.ALSA:
        needed += ["av", "numpy"]
    needed += pins_modules(config.gpio.backend)
    if config.identity.key != "file":
        needed.append(TOKEN)
    if config.simulate is None:
        needed.append(UDEV)
    return list(dict.fromkeys(needed))


def pins_modules(backend: PinsBackend) -> list[str]:
    """What opens the pins."""
    match backend:
        case PinsBackend.SIMULATED:
            return []
        case PinsBackend.RPI:
            return [RPI_GPIO]
        case PinsBackend.GPIOD:
            return [GPIOD]
        case PinsBackend.AUTO:
            return [GPIOD if find_spec(GPIOD) else RPI_GPIO]
