"""The tree is the design: who may import whom, and what the recorder's process must not carry."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "bodycam"

# Codecs and cameras crash, networks leak, and the custodian's tools open what the camera closed.
NOT_IN_THE_RECORDER = {
    "av",
    "boto3",
    "bodycam.audit",
    "bodycam.camera",
    "bodycam.capture",
    "bodycam.custody",
    "bodycam.dock",
    "bodycam.provision",
    "cv2",
    "http.client",
    "libcamera",
    "numpy",
    "picamera2",
    "requests",
    "ssl",
    "urllib.request",
}
# The only places that may ask what time it is, or sleep.
CLOCKS = {"clock.py", "supervise.py"}


def modules_after(statement: str) -> set[str]:
    """What a fresh interpreter has loaded after one statement."""
    script = f"import json, sys; {statement}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
    )
    return set(json.loads(done.stdout))


def test_imports_keep_the_contracts() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "statement",
    [
        "import bodycam.supervise, bodycam.commands.run",
        # As the command line gets there: it must not load the other commands.
        "from bodycam import cli; cli.build_parser('run')",
    ],
)
def test_the_recorder_carries_no_codec_no_network_and_no_tool_of_the_custodian(
    statement: str,
) -> None:
    loaded = modules_after(statement)
    assert "bodycam.supervise" in loaded
    assert loaded & NOT_IN_THE_RECORDER == set()


def test_the_audit_needs_nothing_of_the_camera() -> None:
    loaded = modules_after("import bodycam.commands.audit")
    assert "bodycam.audit.outcome" in loaded
    assert (
        loaded & {"av", "cv2", "numpy", "picamera2", "bodycam.camera", "bodycam.supervise"} == set()
    )


def test_the_worker_carries_no_keys_and_no_evidence_files() -> None:
    loaded = modules_after("import bodycam.capture")
    assert "bodycam.camera.sink" in loaded
    edges = {f"bodycam.{name}" for name in ("signing", "segment", "store", "eventlog", "gpio")}
    assert loaded & {*edges, "cryptography"} == set()


def test_only_the_clock_knows_the_time() -> None:
    """Everybody else is passed a Clock, so that a whole shift can be simulated."""
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if asks_the_time(node)
    }
    assert found - CLOCKS == set()


def asks_the_time(node: ast.AST) -> bool:
    match node:
        case ast.Import(names=names):
            return any(name.name == "time" for name in names)
        case ast.ImportFrom(module="time", level=0):
            return True
        case ast.Attribute(value=ast.Name(id="datetime" | "date"), attr="now" | "utcnow" | "today"):
            return True
    return False


def test_rpi_gpio_is_reached_through_one_module() -> None:
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if "RPi.GPIO" in {
            node.value
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant)
        }
    }  # fmt: skip
    assert found == {"rpilines.py"}


def test_every_module_says_what_it_is() -> None:
    silent = [
        path.name
        for path in PACKAGE.rglob("*.py")
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []
