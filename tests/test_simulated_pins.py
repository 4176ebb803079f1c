"""The simulated pins' own side: exact times, bounce, lost edges, and a socket that takes abuse.

What they share with real pins is in test_pins_contract.py.
"""

from __future__ import annotations

import itertools
import json
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bodycam.clock import MS, ScaledClock, SystemClock
from bodycam.config import default_pins
from bodycam.debounce import Debouncer, Edge, LostPulse, Outcome, Toggle
from bodycam.errors import ConfigError, DeviceError
from bodycam.simulate.control import MAX_BACKLOG, MAX_CLIENTS, MAX_LINE_BYTES, PinsClient
from bodycam.simulate.pins import SimulatedPins, positions_path, write_positions

CLOCK = SystemClock()


def world(change: dict[str, Any]) -> dict[str, Any]:
    if "sun" in change:
        raise ConfigError("sun: cannot be changed", "Use clock.")
    return {"seen": change}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pins.sock"


@pytest.fixture
def pins(path: Path) -> Iterator[SimulatedPins]:
    with SimulatedPins(default_pins(), CLOCK, path, world) as pins:
        yield pins


@pytest.fixture
def client(pins: SimulatedPins, path: Path) -> Iterator[PinsClient]:
    with PinsClient(path) as client:
        yield client


def collect(pins: SimulatedPins, count: int) -> list[Edge]:
    edges: list[Edge] = []
    while len(edges) < count:
        more = pins.edges(30)
        assert more, f"only {len(edges)} of {count} edges came"
        edges += more
    return edges


def after_ms(ms: int) -> int:
    return CLOCK.boot_ns() + ms * MS


# -- throws -----------------------------------------------------------------------------------


def test_edges_come_at_the_times_that_were_asked_for(
    pins: SimulatedPins, client: PinsClient
) -> None:
    at_ns = after_ms(150)
    client.set("record", True, at_ns=at_ns, bounce_us=[300, 900])
    assert pins.level("record") is False
    assert collect(pins, 3) == [
        Edge("record", True, at_ns, 1),
        Edge("record", False, at_ns + 300_000, 2),
        Edge("record", True, at_ns + 900_000, 3),
    ]
    assert pins.level("record") is True


def test_a_throw_by_hand_bounces_like_a_switch_and_settles_once(
    pins: SimulatedPins, client: PinsClient
) -> None:
    debouncer = Debouncer("record", 30 * MS, 30 * MS, initial=False)
    for active in (True, False, True):
        bounce_us = client.set("record", active)["bounce_us"]
        edges = collect(pins, 1 + len(bounce_us))
        assert len(edges) in (3, 5, 7, 9)
        assert edges[-1].at_ns - edges[0].at_ns < 8 * MS
        outcomes = [o for edge in edges for o in debouncer.feed(edge)]
        outcomes += debouncer.tick(edges[-1].at_ns + 30 * MS)
        assert [(type(o), o.pin) for o in outcomes] == [(Toggle, "record")]
        assert debouncer.active is active


def test_the_bounce_is_the_same_in_every_run(tmp_path: Path) -> None:
    bounces = []
    for run in ("a", "b"):
        path = tmp_path / run
        with SimulatedPins(default_pins(), CLOCK, path, world), PinsClient(path) as client:
            bounces.append([client.set("record", k % 2 == 0)["bounce_us"] for k in range(6)])
    assert bounces[0] == bounces[1]
    assert len({tuple(bounce) for bounce in bounces[0]}) > 1


def test_a_switch_that_does_not_move_does_not_bounce(
    pins: SimulatedPins, client: PinsClient
) -> None:
    assert client.set("record", False)["bounce_us"] == []
    assert pins.edges(0.02) == []


def test_a_deaf_input_moves_and_tells_nobody_until_it_is_reclaimed(
    pins: SimulatedPins, client: PinsClient
) -> None:
    client.deafen("record")
    client.set("record", True, bounce_us=[])
    assert pins.edges(0.02) == []
    assert pins.level("record") is True
    pins.reclaim("record")
    at_ns = int(client.set("record", False, bounce_us=[])["at_ns"])
    assert collect(pins, 1) == [Edge("record", False, at_ns, 2)]
    with pytest.raises(DeviceError, match="'haptic' is no input pin"):
        client.deafen("haptic")


def test_throws_may_be_announced_in_any_order_and_cut_each_other_short(
    pins: SimulatedPins, client: PinsClient
) -> None:
    at_ns = after_ms(150)
    client.set("record", False, at_ns=at_ns + MS, bounce_us=[])
    client.set("record", True, at_ns=at_ns, bounce_us=[400, 600, 2000, 3000])
    edges = collect(pins, 4)
    assert [(e.active, (e.at_ns - at_ns) // 1000) for e in edges] == [
        (True, 0),
        (False, 400),
        (True, 600),
        (False, 1000),
    ]
    assert pins.edges(0.01) == []


def test_a_lost_edge_leaves_a_hole_and_the_right_level(
    pins: SimulatedPins, client: PinsClient
) -> None:
    client.set("record", True, bounce_us=[300, 900], drop=[1])
    first, last = collect(pins, 2)
    assert [first.line_seq, last.line_seq] == [1, 3]
    debouncer = Debouncer("record", 30 * MS, 30 * MS, initial=False)
    outcomes: list[Outcome] = debouncer.feed(first) + debouncer.feed(last)
    assert outcomes == [LostPulse("record", last.at_ns, 1)]


def test_a_lost_last_edge_is_seen_only_by_reading_the_level(
    pins: SimulatedPins, client: PinsClient
) -> None:
    client.set("record", True, bounce_us=[], drop=[-1])
    assert pins.edges(0.02) == []
    assert pins.level("record") is True


def test_switches_of_two_lines_keep_the_order_of_time(
    pins: SimulatedPins, client: PinsClient
) -> None:
    at_ns = after_ms(150)
    client.set("marker", True, at_ns=at_ns + MS, bounce_us=[])
    client.set("record", True, at_ns=at_ns, bounce_us=[2000, 3000])
    assert [edge.pin for edge in collect(pins, 4)] == ["record", "marker", "record", "record"]


def test_times_are_the_clocks_also_when_it_runs_fast(path: Path) -> None:
    clock = ScaledClock(100, SystemClock().boot_ns(), 0, "boot")
    with SimulatedPins(default_pins(), clock, path, world) as pins, PinsClient(path) as client:
        at_ns = clock.boot_ns() + 5_000 * MS  # 50 ms for the machine
        client.set("record", True, at_ns=at_ns, bounce_us=[])
        assert pins.edges(3600) == [Edge("record", True, at_ns, 1)]


def test_a_switch_stays_on_when_its_recorder_dies(pins: SimulatedPins, path: Path) -> None:
    with PinsClient(path) as client:
        client.set("record", True)
        while not pins.level("record"):
            pins.edges(1)
    pins.close()
    with SimulatedPins(default_pins(), CLOCK, path, world) as again:
        assert again.level("record") is True
        assert again.edges(0) == []


def test_a_recorder_that_dies_in_the_bounce_finds_the_switch_where_it_was_put(
    pins: SimulatedPins, client: PinsClient, path: Path
) -> None:
    client.set("record", True, bounce_us=[100, 3_600_000_000])
    assert [edge.active for edge in collect(pins, 2)] == [True, False]
    assert json.loads(positions_path(path).read_text())["record"] is True


def test_a_switch_can_be_on_before_there_is_a_recorder(path: Path) -> None:
    write_positions(path, {"record": True})
    with SimulatedPins(default_pins(), CLOCK, path, world) as pins:
        assert pins.level("record") is True
        assert pins.level("marker") is False


def test_a_broken_positions_file_is_named(path: Path) -> None:
    positions_path(path).write_text("garbage")
    with pytest.raises(DeviceError, match=r"pins\.json: not a file of switch positions.*Delete it"):
        SimulatedPins(default_pins(), CLOCK, path, world)


# -- the socket -------------------------------------------------------------------------------


def ask(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    """Raw lines over one connection, each with its answer."""
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(30)
        raw.connect(str(path))
        answers = raw.makefile("rb")
        found = []
        for line in lines:
            raw.sendall(line + b"\n")
            found.append(json.loads(answers.readline()))
        return found


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"garbage", "not a line of JSON"),
        (b"\xff\xfe", "not a line of JSON"),
        (b"[1]", "not a line of JSON"),
        (b"[" * 60_000, "not a line of JSON"),
        (b"x" * (MAX_LINE_BYTES + 5000), "line longer than"),
        (b"{}", "unknown request. Use one of: set, get, deaf, watch, world."),
        (b'{"set":"record"}', "set: Object missing required field `active`"),
        (b'{"set":"record","active":1}', "Expected `bool`, got `int` - at `$.active`"),
        (b'{"set":"record","active":true,"speed":2}', "unknown field `speed`"),
        (b'{"set":"haptic","active":true}', "'haptic' is no input pin"),
        (b'{"set":"recrod","active":true}', "Use one of: covert, holster, marker"),
        (b'{"set":"record","active":true,"at_ns":5}', "at_ns 5 has passed"),
        (b'{"set":"record","active":true,"bounce_us":[5]}', "even number of rising offsets"),
        (b'{"set":"record","active":true,"bounce_us":[9,3]}', "even number of rising offsets"),
        (b'{"set":"record","active":true,"bounce_us":[-1,3]}', "$.bounce_us[0]"),
        (b'{"set":"record","active":true,"bounce_us":[],"drop":[1]}', "Use -1 to 0."),
        (b'{"get":"nothing"}', "no pin 'nothing'"),
        (b'{"world":{"sun":1}}', "sun: cannot be changed. Use clock."),
    ],
)
def test_a_wrong_line_is_answered_and_the_connection_goes_on(
    pins: SimulatedPins, path: Path, line: bytes, error: str
) -> None:
    refused, served = ask(path, line, b'{"get":"record"}')
    assert error in refused["error"]
    assert served == {"pin": "record", "active": False}
    assert pins.edges(0) == []


def test_only_the_owner_may_use_the_socket(pins: SimulatedPins, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_clients_that_vanish_do_no_harm(pins: SimulatedPins, path: Path) -> None:
    for line in (b"", b'{"get":"rec', b'{"watch":true}\n', b'{"get":"record"}\n' * 500):
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(str(path))
            raw.sendall(line)
    pins.publish({"still": "here"})
    assert ask(path, b'{"get":"record"}') == [{"pin": "record", "active": False}]


def test_too_many_clients_are_told(pins: SimulatedPins, path: Path) -> None:
    clients = [PinsClient(path) for _ in range(MAX_CLIENTS)]
    for client in clients:
        client.get("record")
    with PinsClient(path) as late, pytest.raises(DeviceError, match=r"too many|has ended"):
        late.get("record")
    for client in clients:
        client.close()


def test_a_watcher_sees_outputs_and_what_is_published(
    pins: SimulatedPins, client: PinsClient
) -> None:
    watch = client.watch()
    pins.write("haptic", True)
    pins.write("haptic", True)
    pins.publish({"state": "rec"})
    pins.write("haptic", False)
    assert client.get("haptic") is False
    seen = [next(watch) for _ in range(3)]
    assert [m.get("active", m.get("state")) for m in seen] == [True, "rec", False]
    assert seen[0]["pin"] == "haptic"
    assert seen[0]["at_ns"] <= seen[2]["at_ns"] <= CLOCK.boot_ns()


def test_a_watcher_is_told_first_what_is_shown_now(pins: SimulatedPins, client: PinsClient) -> None:
    pins.publish({"trace": {"state": "ready"}})
    pins.publish({"trace": {"state": "rec"}})
    watch = client.watch()
    pins.publish({"trace": {"state": "full"}})
    assert [next(watch)["trace"]["state"] for _ in range(2)] == ["rec", "full"]


def test_a_watcher_that_comes_while_much_is_published_misses_nothing(
    pins: SimulatedPins, path: Path
) -> None:
    ended = threading.Event()

    def publish() -> None:
        for number in itertools.count():
            pins.publish({"trace": number})
            if ended.wait(0.0002):
                return

    thread = threading.Thread(target=publish, daemon=True)
    thread.start()
    for _ in range(50):
        with PinsClient(path) as client:
            seen = [message["trace"] for message in itertools.islice(client.watch(), 20)]
        assert seen == list(range(seen[0], seen[0] + 20))
    ended.set()
    thread.join()


def test_a_watch_sees_the_lamps_go_out_and_then_ends(
    pins: SimulatedPins, client: PinsClient
) -> None:
    watch = client.watch()
    pins.write("public-red", True)
    closing = threading.Thread(target=pins.close)
    closing.start()
    assert [(m["pin"], m["active"]) for m in watch] == [("public-red", True), ("public-red", False)]
    closing.join()


def test_a_watcher_that_does_not_read_never_holds_up_the_recorder(
    pins: SimulatedPins, path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(path))
        raw.sendall(b'{"watch":true}\n')
        raw.recv(100)
        for _ in range(3 * MAX_BACKLOG):
            pins.publish({"filler": "x" * 200})
        assert ask(path, b'{"get":"record"}') == [{"pin": "record", "active": False}]


def test_the_world_is_handed_on(client: PinsClient) -> None:
    assert client.world({"clock_ms": -1000}) == {"seen": {"clock_ms": -1000}}
    with pytest.raises(DeviceError, match="sun: cannot be changed"):
        client.world({"sun": True})


def test_a_socket_left_by_a_killed_recorder_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with SimulatedPins(default_pins(), CLOCK, path, world), PinsClient(path) as client:
        assert client.get("record") is False
    assert not path.exists()


def test_a_socket_in_use_is_left_alone(pins: SimulatedPins, path: Path) -> None:
    with pytest.raises(DeviceError, match=r"pins\.sock: in use"):
        SimulatedPins(default_pins(), CLOCK, path, world)
    assert ask(path, b'{"get":"record"}') == [{"pin": "record", "active": False}]


def test_a_path_longer_than_a_socket_address_works(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 30) / ("deeper" * 20)
    folder.mkdir(parents=True)
    path = folder / "pins.sock"
    with SimulatedPins(default_pins(), CLOCK, path, world), PinsClient(path) as client:
        assert client.get("record") is False


def test_a_missing_folder_and_a_missing_recorder_are_said(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"no control socket can be made.*\[store\] runtime"):
        SimulatedPins(default_pins(), CLOCK, tmp_path / "none" / "pins.sock", world)
    with pytest.raises(DeviceError, match=r"no simulated pins.*Start `bodycam run`"):
        PinsClient(tmp_path / "pins.sock")


def test_a_client_learns_that_its_recorder_ended(pins: SimulatedPins, client: PinsClient) -> None:
    client.get("record")
    pins.close()
    with pytest.raises(DeviceError, match="the recorder has ended"):
        client.get("record")
