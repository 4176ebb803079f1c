"""What the configuration accepts, and what whoever gets it wrong is told."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bodycam.config import (
    AudioSource,
    Config,
    Pin,
    Simulate,
    Trigger,
    pin_map,
)
from bodycam.configfile import MAX_CONFIG_BYTES, load, parse
from bodycam.errors import ConfigError

EXAMPLE = Path(__file__).parent.parent / "bodycam.example.toml"

WRONG_CONFIGS = {
    "unknown table": ("[camra]\nwidth = 640", "camra", "accepted: device, store,"),
    "unknown key": ("[camera]\nwidht = 640", "camera.widht", "accepted: source, width,"),
    "unit in the value": ('[pre_record]\nseconds = "30s"', "pre_record.seconds", "0 to 120"),
    "fraction": ("[pre_record]\nseconds = 1.5", "pre_record.seconds", "a whole number of seconds"),
    "out of range": ("[pre_record]\nseconds = 300", "pre_record.seconds", "0 to 120"),
    "not a choice": ('[camera]\nsource = "webcam"', "camera.source", "'synthetic', 'replay'"),
    "number for a truth": ("[mute]\nallowed = 1", "mute.allowed", "true or false"),
    "spaces in the id": ('[device]\nid = "BC 1"', "device.id", "letters, digits"),
    "odd width": ("[camera]\nwidth = 641", "camera.width", "even numbers"),
    "sound rate": ("[audio]\nrate_hz = 44000", "audio.rate_hz", "44100, 48000"),
    "nothing to replay": ('[camera]\nsource = "replay"', "camera.file", "MP4 or H.264"),
    "sound without its file": ('[audio]\nsource = "replay"', "audio.source", "'synthetic'"),
    "ring too small": ("[ring]\nmax_mib = 1", "ring.max_mib", "0 (automatic)"),
    "value for a table": ("camera = 5", "camera", "a table with source, width"),
    "table for a list": ('[triggers]\nname = "holster"', "triggers", "[[triggers]] tables"),
    "no such pin": ('[gpio.pins.lamp]\nbcm = 4\ndirection = "out"', "gpio.pins.lamp", "wearer-red"),
    "charging unwatched": (
        '[gpio.pins.charge-off]\nbcm = 11\ndirection = "out"',
        "gpio.pins.charge-off.rest_active",
        "accepted: true",
    ),
    "channel taken": (
        '[gpio.pins.marker]\nbcm = 17\ndirection = "in"',
        "gpio.pins.marker",
        "BCM 17 is also record",
    ),
    "no such channel": (
        '[gpio.pins.marker]\nbcm = 40\ndirection = "in"',
        "gpio.pins.marker.bcm",
        "0 to 27",
    ),
    "motor as an input": (
        '[gpio.pins.haptic]\nbcm = 26\ndirection = "in"',
        "gpio.pins.haptic.direction",
        "accepted: 'out'",
    ),
    "pin without a direction": ("[gpio.pins.haptic]\nbcm = 26", "gpio.pins.haptic", "direction"),
    "trigger on an output": (
        '[[triggers]]\nname = "lights"\npin = "haptic"',
        "triggers.lights.pin",
        "direction = 'in'",
    ),
    "two triggers on a pin": (
        '[[triggers]]\nname = "a"\npin = "holster"\n[[triggers]]\nname = "b"\npin = "holster"',
        "triggers.b",
        "a pin of its own",
    ),
    "trigger in the switch's name": (
        '[[triggers]]\nname = "switch"\npin = "holster"',
        "triggers.switch",
        "not the name 'switch'",
    ),
    "time with a unit in a list": (
        '[[triggers]]\nname = "a"\npin = "holster"\nstable_ms = "50ms"',
        "triggers[0].stable_ms",
        "1 to 10000",
    ),
    "two lines in a key": ('"a\\nb" = 1', "a b: unknown key", "accepted: device,"),
    "not TOML": ("camera: {}", "not a TOML file", "line 1"),
    "brackets without an end": ("a = " + "[" * 9000, "not a TOML file", ""),
    "nobody may open": ("[recipients]\nclassic = false", "recipients.classic", "at least one"),
    "too big": ("#" * (MAX_CONFIG_BYTES + 1), "too big", f"at most {MAX_CONFIG_BYTES} bytes"),
}

WRONG_COMMANDS = {
    "no command": ([], "no command", "bodycam --help"),
    "unknown command": (["record"], "'record'", "run"),
    "unknown option": (["run", "--confg", "x"], "--confg", "bodycam"),
    "option without its value": (["run", "--config"], "--config", "expected one argument"),
    "no such file": (["run", "--config", "/nowhere/b.toml"], "/nowhere/b.toml", "--config FILE"),
    "a folder": (["run", "--config", "/"], "/: cannot be read", "--config FILE"),
    "endless file": (["run", "--config", "/dev/zero"], "/dev/zero: too big", "at most"),
    "pins without an action": (["pins"], "ACTION", "bodycam pins --help"),
    "pins without a level": (["pins", "set", "record"], "0|1", "bodycam pins set --help"),
    "a level that is none": (["pins", "set", "record", "x"], "'x'", "accepted: 0 or 1"),
    "simulate without a scenario": (["simulate", "--out", "x"], "SCENARIO.toml", "simulate --help"),
    "no such scenario": (
        ["simulate", "/nowhere/shift.toml", "--out", "/nowhere/out"],
        "/nowhere/shift.toml",
        "cannot be read",
    ),
    "speed that is none": (
        ["simulate", "s.toml", "--out", "x", "--speed", "fast"],
        "--speed",
        "'fast'",
    ),
    "verify nothing": (["verify"], "PATH", "bodycam verify --help"),
    "export without a key": (["export", "x", "--out", "y.mp4"], "--key", "bodycam export --help"),
    "inspect nothing": (["inspect"], "FILE", "bodycam inspect --help"),
}


def bodycam(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bodycam", *arguments],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def assert_one_clear_line(done: subprocess.CompletedProcess[str], named: str, hint: str) -> None:
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("bodycam: ")
    assert named in done.stderr
    assert hint in done.stderr
    assert done.returncode == 2


@pytest.mark.parametrize("case", WRONG_CONFIGS.values(), ids=WRONG_CONFIGS.keys())
def test_a_wrong_configuration_is_one_line_and_exit_2(
    case: tuple[str, str, str], tmp_path: Path
) -> None:
    text, key, accepted = case
    path = tmp_path / "bodycam.toml"
    path.write_text(text, encoding="utf-8")
    done = bodycam("run", "--config", str(path))
    assert_one_clear_line(done, key, accepted)
    assert str(path) in done.stderr


@pytest.mark.parametrize("case", WRONG_COMMANDS.values(), ids=WRONG_COMMANDS.keys())
def test_a_wrong_command_line_is_one_line_and_exit_2(case: tuple[list[str], str, str]) -> None:
    arguments, named, hint = case
    assert_one_clear_line(bodycam(*arguments), named, hint)


def uncommented(text: str) -> str:
    """The example with its optional settings in force."""
    return re.sub(r"(?m)^#(?=\[|[a-z_]+ = )", "", text)


def defaults() -> dict[str, Any]:
    """Every key of the schema with its default, optional tables included."""
    tree: dict[str, Any] = msgspec.to_builtins(Config())
    tree["simulate"] = msgspec.to_builtins(Simulate())
    return tree


def test_the_example_is_the_defaults() -> None:
    assert load(EXAMPLE) == Config()


def test_the_example_names_every_key_with_its_default() -> None:
    tree = tomllib.loads(uncommented(EXAMPLE.read_text(encoding="utf-8")))
    parse(tree, "example")
    triggers, pins = tree.pop("triggers"), tree["gpio"].pop("pins")
    expected = defaults()
    del expected["triggers"], expected["gpio"]["pins"]
    assert tree == expected

    (trigger,) = triggers
    fresh = msgspec.to_builtins(Trigger(name=trigger["name"], pin=trigger["pin"]))
    assert trigger == fresh
    (pin,) = pins.values()
    assert pin == msgspec.to_builtins(Pin(bcm=pin["bcm"], direction=pin["direction"]))


def test_the_example_states_the_range_of_every_number() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    silent = []
    for table in msgspec.inspect.type_info(Config).fields:  # type: ignore[attr-defined]
        for field in getattr(table.type, "fields", ()):
            number = getattr(field.type, "type", None)
            low, high = getattr(number, "ge", None), getattr(number, "le", None)
            if low is None or field.name == "rate_hz":
                continue
            line = re.search(rf"(?m)^{field.name} = {field.default}\b.*$", text)
            wanted = f"{low} or {high}" if high == low + 1 else f"{low} to {high}"
            if line is None or wanted not in line[0]:
                silent.append(f"{table.name}.{field.name}: {wanted}")
    assert silent == []


def test_a_pin_of_the_file_replaces_the_default_one() -> None:
    moved = {"gpio": {"pins": {"marker": {"bcm": 4, "direction": "in"}}}}
    pins = pin_map(parse(moved, "test"))
    assert pins["marker"].bcm == 4
    assert pins["record"].bcm == pin_map(Config())["record"].bcm


def test_a_trigger_may_be_named_as_its_pin() -> None:
    config = parse({"triggers": [{"name": "holster", "pin": "holster"}]}, "test")
    assert config.triggers == [Trigger(name="holster", pin="holster")]


def test_a_line_that_is_no_utf_8_is_no_toml(tmp_path: Path) -> None:
    path = tmp_path / "bodycam.toml"
    path.write_bytes(b"# \xff\n")
    with pytest.raises(ConfigError, match="not a TOML file"):
        load(path)


def test_the_ring_holds_the_pre_record_a_gop_and_the_reserve() -> None:
    config = Config()
    seconds = config.pre_record.seconds + config.ring.reserve_s + config.camera.gop_ms / 1000
    video_bytes = seconds * config.camera.bitrate_kbps * 125
    assert video_bytes < config.ring_bytes < 1.1 * video_bytes + 2 * 2**20
    assert config.audio.source is not AudioSource.NONE


def test_the_rings_memory_can_be_set_by_hand() -> None:
    assert parse({"ring": {"max_mib": 64}}, "test").ring_bytes == 64 * 2**20
