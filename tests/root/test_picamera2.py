"""The real picamera2 and libcamera inside the shipped unit: nothing that they need is forbidden.

The camera is libcamera's virtual one, as tests/picam/ makes it; a Pi's own device nodes are not here.
"""

from __future__ import annotations

from pathlib import Path

from .camera import CONFIG
from .conftest import ROOT, Boot

UNIT = "bodycam.service"
_RIG = """\
[Unit]
Requires=rig.service
After=rig.service
[Service]
Environment=LD_PRELOAD=/rig/shim.so SHIM_FPS=30 SHIM_STALL=/tmp/stall
Environment=RIG_FAULTS=/rig/faults RIG_DIARY=/tmp/diary RIG_LOCK=/tmp/lock
Environment=PYTHONPATH=/rig/tests/picam/site:/rig
"""
_SHIM = """\
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=gcc -O2 -shared -fPIC -o /rig/shim.so /rig/tests/picam/shim.c
"""


def with_rig(layer: Path) -> None:
    units = layer / "etc" / "systemd" / "system"
    (units / "bodycam.service.d").mkdir(parents=True)
    (units / "bodycam.service.d" / "rig.conf").write_text(_RIG, encoding="ascii")
    (units / "rig.service").write_text(_SHIM, encoding="ascii")
    synthetic = 'source = "synthetic"\nwidth = 320\nheight = 180'
    assert synthetic in CONFIG
    config = CONFIG.replace(synthetic, 'source = "picamera2"\nwidth = 640\nheight = 480')
    (layer / "etc" / "bodycam" / "bodycam.toml").write_text(config, encoding="utf-8")
    (layer / "rig" / "faults").mkdir(parents=True)


def test_the_real_picamera2_records_in_the_shipped_unit(boot: Boot) -> None:
    with boot(with_rig, [f"{ROOT / 'tests'}:/rig/tests"]) as camera:
        machine = camera.machine
        machine.until_state(UNIT, "active")
        machine.until("pictures", lambda: bool(camera.status()["camera"]))
        camera.press(True)
        camera.until_logged("rec.start")
        camera.press(False)
        camera.until_logged("rec.stop")
        machine.run("systemctl", "stop", UNIT)
        camera.check_whole()
        assert "libcamera" in machine.journal(UNIT)
        assert camera.restarts == 0
