"""The tables of `power`, `gauge`, `ladder` and `flutter`: when to charge, shed, close and switch off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bodycam.clock import NS
from bodycam.config import Heat, Power
from bodycam.flutter import Flutter
from bodycam.gauge import Battery, Gauge
from bodycam.ladder import Ladder, Rung, climb, falling
from bodycam.power import PowerMachine
from bodycam.powerevents import (
    ChargeEdge,
    ChargeStuck,
    FlagsEdge,
    LevelEdge,
    PowerEvent,
    PowerReading,
    Recalled,
    SensorEdge,
)
from bodycam.sharedring import Load

LOOK_NS = NS // 2
FULL = Battery(percent=80, discharging=True, charging=False)
COOL = PowerReading(soc_milli_c=50_000, cell_milli_c=25_000, battery=FULL, throttled=frozenset())


def battery(percent: int | None, **more: Any) -> PowerReading:
    return replace(COOL, battery=replace(FULL, percent=percent, **more))


def soc(celsius: float) -> PowerReading:
    return replace(COOL, soc_milli_c=int(celsius * 1000))


def cell(celsius: float | None) -> PowerReading:
    return replace(COOL, cell_milli_c=None if celsius is None else int(celsius * 1000))


class Watch:
    """A machine that is looked at twice a second; it begins cool, charged and settled."""

    def __init__(self, power: Power | None = None, first: PowerReading = COOL) -> None:
        self.machine = PowerMachine(Heat(), power or Power())
        self.now_ns = 0
        self.say(*[first] * 4)

    def say(self, *readings: PowerReading) -> list[PowerEvent]:
        events = []
        for reading in readings:
            self.now_ns += LOOK_NS
            events += self.machine.feed(reading, self.now_ns)
        return events

    def levels(self, quantity: str, readings: Iterable[PowerReading]) -> list[str | None]:
        return [
            event.level
            for event in self.say(*readings)
            if isinstance(event, LevelEdge) and event.quantity == quantity
        ]


# -- ladders -----------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 100), min_size=1, max_size=60))
def test_a_level_is_kept_while_the_value_stays_within_its_hysteresis(values: list[int]) -> None:
    rungs = [Rung("a", 30, 25), Rung("b", 50, 45), Rung("c", 70, 40)]
    at = 0
    for value in values:
        before, at = at, climb(rungs, at, value)
        assert climb(rungs, at, value) == at
        if at > before:
            assert value >= rungs[at - 1].enter
        if at < before:
            assert all(value < rung.leave for rung in rungs[at:before])
        # Whatever the history: above the entry it is on the rung, below the exit it is not.
        assert all(at > i for i, rung in enumerate(rungs) if value >= rung.enter)
        assert at == 0 or value >= rungs[at - 1].leave


@given(st.integers(20, 90), st.lists(st.integers(-2, 2), max_size=60))
def test_a_value_that_trembles_by_two_degrees_changes_a_level_at_most_once(
    around: int, trembling: list[int]
) -> None:
    ladder = Ladder([Rung("a", 30, 25), Rung("b", 50, 45), Rung("c", 70, 65)])
    ladder.feed(around, 0)
    assert sum(ladder.feed(around + by, i) for i, by in enumerate(trembling)) <= 1


def test_a_falling_quantity_is_the_same_upside_down() -> None:
    ladder = Ladder([falling("low", 10, 12), falling("last", 5, 7)])
    said = []
    for percent in (50, 11, 10, 12, 13, 5, 7, 8):
        ladder.feed(-percent, 0)
        said.append(ladder.level)
    assert said == [None, None, "low", "low", None, "last", "last", "low"]


def test_a_missing_value_is_waited_for_a_minute_and_then_forgotten() -> None:
    ladder = Ladder([Rung("hot", 80, 75)])
    ladder.feed(85, 0)
    for second in range(1, 61):
        assert not ladder.feed(None, second * NS)
    assert ladder.level == "hot"
    assert ladder.feed(None, 61 * NS)
    assert ladder.level is None


# -- SoC ---------------------------------------------------------------------------------------


def test_the_soc_warns_at_70_sheds_at_78_and_81_and_closes_at_84() -> None:
    watch = Watch()
    found = []
    for celsius in (69, 70, 77, 78, 80, 81, 83, 84):
        watch.say(soc(celsius))
        machine = watch.machine
        found.append((celsius, machine.hot, machine.load, machine.close_reason))
    assert found == [
        (69, False, Load.FULL, None),
        (70, True, Load.FULL, None),
        (77, True, Load.FULL, None),
        (78, True, Load.FEWER_PICTURES, None),
        (80, True, Load.FEWER_PICTURES, None),
        (81, True, Load.FEWER_BITS, None),
        (83, True, Load.FEWER_BITS, None),
        (84, True, Load.FEWER_BITS, "heat"),
    ]


def test_once_closed_it_opens_below_75_and_goes_down_the_same_ladder() -> None:
    watch = Watch()
    ramp = [soc(celsius) for celsius in (85, 80, 76, 75, 74.9, 68, 67, 66.9)]
    assert watch.levels("soc", ramp) == ["close", "warm", None]
    assert watch.machine.close_reason is None


def test_a_hot_soc_never_switches_the_camera_off() -> None:
    watch = Watch()
    watch.say(*[soc(120)] * 10)
    assert (watch.machine.close_reason, watch.machine.off_reason) == ("heat", None)
    assert not watch.machine.danger


def test_a_lost_soc_sensor_is_said_and_does_not_keep_the_camera_closed_for_ever() -> None:
    watch = Watch()
    watch.say(soc(90))
    events = watch.say(*[replace(COOL, soc_milli_c=None)] * 119)
    assert events == [SensorEdge("soc", "no valid value")]
    assert watch.machine.close_reason == "heat"
    watch.say(*[replace(COOL, soc_milli_c=None)] * 3)
    assert watch.machine.close_reason is None


# -- the cell and its charger ------------------------------------------------------------------


def test_nothing_is_charged_before_three_looks_were_good() -> None:
    machine = PowerMachine(Heat(), Power())
    found = [machine.cut]
    for look in range(1, 5):
        machine.feed(COOL, look * LOOK_NS)
        found.append(machine.cut)
    assert found == ["start", "start", "start", None, None]


@pytest.mark.parametrize(
    ("reading", "reason"),
    [
        (cell(-0.1), "cold"),
        (cell(45.1), "hot"),
        (cell(None), "sensor"),
        (battery(80, health="Overheat"), "health"),
        (battery(80, health="Dead"), "health"),
        (replace(COOL, battery=None, cell_milli_c=None), "sensor"),
    ],
)
def test_one_bad_look_cuts_charging_off_and_three_good_ones_let_it_again(
    reading: PowerReading, reason: str
) -> None:
    watch = Watch()
    events = watch.say(reading)
    assert events[0] == ChargeEdge(reason, reading.cell_milli_c)
    assert watch.say(COOL, COOL) == []
    assert watch.machine.cut == reason
    assert watch.say(COOL) == [ChargeEdge(None, 25_000)]


def test_the_charge_range_is_entered_again_three_degrees_further_in() -> None:
    watch = Watch()
    events = watch.say(
        cell(46), *[cell(43)] * 5, *[cell(42)] * 3, cell(-1), *[cell(2)] * 5, *[cell(3)] * 3
    )
    assert events == [
        ChargeEdge("hot", 46_000),
        ChargeEdge(None, 42_000),
        ChargeEdge("cold", -1000),
        ChargeEdge(None, 3000),
    ]


TEMPERATURES = st.one_of(st.none(), st.integers(-40_000, 130_000))
PERCENTS = st.one_of(st.none(), st.integers(-5, 300))
READINGS = st.builds(
    PowerReading,
    soc_milli_c=TEMPERATURES,
    cell_milli_c=TEMPERATURES,
    battery=st.one_of(
        st.none(),
        st.builds(
            Battery,
            percent=PERCENTS,
            milli_volt=st.one_of(st.none(), st.integers(500, 30_000)),
            seconds_left=st.one_of(st.none(), st.integers(1, 100_000)),
            stored=st.one_of(st.none(), st.integers(0, 10**7)),
            draw=st.one_of(st.none(), st.integers(-(10**7), 10**7)),
            discharging=st.one_of(st.none(), st.booleans()),
            charging=st.one_of(st.none(), st.booleans()),
            health=st.one_of(st.none(), st.sampled_from(["Good", "Overheat", "Dead", "Unknown"])),
            model=st.one_of(st.none(), st.sampled_from(["GOOD-1", "BAD-1"])),
        ),
    ),
    throttled=st.one_of(st.none(), st.frozensets(st.sampled_from(["undervolt", "throttled"]))),
)


@given(st.lists(READINGS, max_size=80))
def test_whatever_the_sensors_say_nothing_is_charged_outside_of_the_range(
    readings: list[PowerReading],
) -> None:
    watch = Watch(Power(recalled=["BAD-1"]))
    good = 3
    for reading in readings:
        watch.say(reading)
        milli_c = reading.cell_milli_c
        fine = (
            milli_c is not None
            and 0 <= milli_c <= 45_000
            and (reading.battery is None or reading.battery.health not in {"Overheat", "Dead"})
            and (reading.battery is None or reading.battery.model != "BAD-1")
        )
        good = good + 1 if fine else 0
        if watch.machine.cut is None:
            assert fine
        if not fine:
            assert watch.machine.cut is not None


@given(st.lists(READINGS, max_size=80))
def test_the_hotter_the_less_is_done(readings: list[PowerReading]) -> None:
    watch = Watch()
    for reading in readings:
        watch.say(reading)
        machine = watch.machine
        hottest = max(reading.soc_milli_c or 0, (reading.cell_milli_c or 0) + 24_000)
        if hottest >= 84_000:
            assert machine.close_reason == "heat"
        if machine.close_reason == "heat":
            assert machine.load is Load.FEWER_BITS
            assert machine.hot
        if machine.off_reason is not None:
            assert machine.close_reason == machine.off_reason
        if machine.load is not Load.FULL:
            assert machine.hot


@given(st.lists(READINGS, max_size=40), st.lists(READINGS, max_size=40))
def test_what_was_said_adds_up_to_what_holds(
    readings: list[PowerReading], more: list[PowerReading]
) -> None:
    watch = Watch()
    cut: str | None = None
    level: dict[str, str | None] = {}
    for event in watch.say(*readings, *more):
        match event:
            case ChargeEdge(reason, _):
                assert reason != cut
                cut = reason
            case LevelEdge(quantity, name, _):
                assert name != level.get(quantity)
                level[quantity] = name
    assert cut == watch.machine.cut
    assert (level.get("soc") == "close" or level.get("cell") == "close") == (
        watch.machine.close_reason == "heat"
    )


def test_the_cell_warns_at_50_sheds_at_55_and_switches_off_at_60() -> None:
    watch = Watch()
    found = []
    for celsius in (49, 50, 55, 59.9, 60):
        watch.say(cell(celsius))
        machine = watch.machine
        found.append((machine.hot, machine.danger, machine.load, machine.off_reason))
    assert found == [
        (False, False, Load.FULL, None),
        (True, False, Load.FULL, None),
        (True, False, Load.FEWER_BITS, None),
        (True, False, Load.FEWER_BITS, None),
        (True, True, Load.FEWER_BITS, "heat"),
    ]
    assert watch.machine.close_reason == "heat"


def test_a_cold_cell_is_said_and_recorded_with() -> None:
    watch = Watch()
    assert watch.levels("cold", [cell(c) for c in (-19, -20, -18, -16)]) == ["cold", None]
    assert watch.machine.close_reason is None
    assert not watch.machine.hot


def test_a_charger_that_charges_on_is_danger() -> None:
    watch = Watch()
    hot = replace(battery(80, charging=True, discharging=False), cell_milli_c=46_000)
    events, danger = [], []
    for readings in ([hot], [hot] * 10, [cell(46)]):
        events += watch.say(*readings)
        danger.append(watch.machine.danger)
    assert [type(event) for event in events] == [ChargeEdge, ChargeStuck]
    assert danger == [False, True, False]


def test_without_a_sensor_the_charger_is_left_to_itself_but_not_with_a_recalled_cell() -> None:
    blind = cell(None)
    alone = Watch(Power(cell_sensor="none"), blind)
    recalled = Watch(Power(cell_sensor="none", recalled=["X"], cell_model="x"), blind)
    assert (alone.machine.cut, recalled.machine.cut) == (None, "recall")


@pytest.mark.parametrize(
    ("power", "model", "serial", "hit"),
    [
        (Power(recalled=["INR-2600"]), "inr-2600", None, True),
        (Power(recalled=["LOT17"]), "INR", "Lot17-0042", True),
        (Power(recalled=["LOT17"]), "INR", "LOT18-0042", False),
        (Power(recalled=["INR"]), "INR-2600", None, False),
        (Power(recalled=["LOT17"], cell_lot="LOT17"), None, None, True),
        (Power(recalled=[]), "INR", "LOT17", False),
    ],
)
def test_a_recalled_cell_is_neither_charged_nor_recorded_with(
    power: Power, model: str | None, serial: str | None, hit: bool
) -> None:
    watch = Watch(power, battery(80, model=model, serial=serial))
    machine = watch.machine
    assert machine.close_reason == ("recall" if hit else None)
    assert machine.cut == ("recall" if hit else None)
    assert machine.danger is hit
    # Its evidence must still be offloaded: it is not switched off.
    assert machine.off_reason is None


def test_another_cell_in_its_place_is_charged_again() -> None:
    watch = Watch(Power(recalled=["BAD"]), battery(80, model="BAD"))
    events = watch.say(*[battery(80, model="GOOD")] * 3)
    assert ChargeEdge(None, 25_000) in events
    assert not any(isinstance(event, Recalled) for event in events)
    assert watch.machine.close_reason is None


# -- the battery's charge ----------------------------------------------------------------------


def ramp(*percents: int) -> Iterator[PowerReading]:
    return (battery(percent) for percent in percents)


def test_battery_levels_are_said_once_each() -> None:
    watch = Watch()
    slowly = [*range(80, 1, -1), 1]
    assert watch.levels("battery", ramp(*slowly)) == ["low", "last", "empty"]
    assert watch.levels("battery", ramp(3, 4, 5, 7, 8, 12, 13)) == ["last", "low", None]


def test_the_camera_is_switched_off_at_2_percent_after_three_readings() -> None:
    watch = Watch(first=battery(3))
    found = []
    for _ in range(3):
        watch.say(battery(2))
        found.append((watch.machine.close_reason, watch.machine.off_reason))
    assert found == [(None, None), (None, None), ("battery", "battery")]


def test_a_flat_battery_that_is_charged_does_not_switch_the_camera_off() -> None:
    watch = Watch(first=battery(3, discharging=False, charging=True))
    charged, flat = battery(1, discharging=False, charging=True), battery(1)
    found = []
    for readings in ([charged] * 20, [flat] * 3, [charged]):
        watch.say(*readings)
        found.append((watch.machine.close_reason, watch.machine.off_reason))
    assert found == [(None, None), ("battery", "battery"), (None, None)]


@pytest.mark.parametrize("absurd", [None, -1, 255, 0, 101])
def test_an_absurd_gauge_never_ends_a_recording(absurd: int | None) -> None:
    watch = Watch()
    events = watch.say(*[battery(absurd), COOL] * 20)
    assert watch.machine.close_reason is None
    assert not any(isinstance(event, LevelEdge) for event in events)
    assert watch.say(*[battery(absurd)] * 3)[-1].sensor == "battery"  # type: ignore[union-attr]
    assert watch.machine.close_reason is None


def test_a_gauge_that_dies_at_nought_is_not_believed_before_a_minute_is_over() -> None:
    watch = Watch()
    found = []
    for looks in (119, 5):
        watch.say(*[battery(0)] * looks)
        found.append(watch.machine.close_reason)
    assert found == [None, "battery"]


def test_a_gauge_that_begins_with_empty_is_given_a_minute_to_come_to_its_senses() -> None:
    machine = PowerMachine(Heat(), Power())
    found = []
    for look in range(1, 130):
        machine.feed(battery(0), look * LOOK_NS)
        if look in (118, 129):
            found.append(machine.close_reason)
    assert found == [None, "battery"]


def test_an_empty_gauge_at_a_full_cells_voltage_is_never_believed() -> None:
    watch = Watch()
    events = watch.say(*[battery(0, milli_volt=4100)] * 300)
    assert watch.machine.close_reason is None
    assert [event.why for event in events if isinstance(event, SensorEdge)] == ["0 % at 4100 mV"]


@given(st.lists(st.one_of(st.none(), st.integers(-1, 20)), max_size=60))
def test_it_takes_three_readings_to_switch_off(percents: list[int | None]) -> None:
    watch = Watch(first=battery(12))
    read: list[int] = []
    for percent in percents:
        watch.say(battery(percent))
        read += [percent] if percent is not None and 0 <= percent <= 4 else []
        if watch.machine.off_reason is not None:
            assert len(read) >= 3
            assert min(read) <= 2
            return


# -- minutes -----------------------------------------------------------------------------------


def test_minutes_warn_at_30_20_and_5_and_not_for_a_trembling_estimate() -> None:
    watch = Watch()
    told = [battery(80, seconds_left=int(m * 60 * 80 / 78) + 60) for m in (40, 30, 31, 33, 29)]
    assert watch.levels("minutes", told) == ["early"]
    told = [battery(80, seconds_left=int(m * 60 * 80 / 78) + 60) for m in (20, 21, 5, 4, 6, 8)]
    assert watch.levels("minutes", told) == ["low", "last", "low"]


@pytest.mark.parametrize(
    ("reading", "urgency"),
    [
        (battery(50), None),
        (battery(10), 20),
        (battery(5), 5),
        (battery(50, seconds_left=1100), 20),
        (battery(50, seconds_left=240), 5),
        (replace(COOL, throttled=frozenset({"undervolt"})), 20),
    ],
)
def test_low_battery_is_signalled_by_minutes_by_percent_and_by_under_voltage(
    reading: PowerReading, urgency: int | None
) -> None:
    assert Watch(first=reading).machine.low_minutes == urgency


def minutes(*batteries: tuple[float, Battery]) -> int | None:
    gauge = Gauge(2, 3600)
    for at_s, one in batteries:
        gauge.feed(one, int(at_s * NS))
    return gauge.minutes


def test_the_gauges_own_estimate_comes_first_and_ends_where_the_camera_switches_off() -> None:
    assert minutes((0, Battery(52, seconds_left=5200))) == 83
    assert minutes((0, Battery(3)), (1, Battery(2, seconds_left=5200))) == 0


def test_else_the_charge_is_divided_by_the_current() -> None:
    # 1000 mAh at 500 mA are 120 min, of which 49/50 are usable.
    assert minutes((0, Battery(100, stored=1_000_000, draw=-500_000))) == 117


def test_a_moment_of_high_current_does_not_frighten() -> None:
    calm = Battery(100, stored=1_000_000, draw=500_000)
    burst = replace(calm, draw=2_000_000)
    assert minutes((0, calm), (1, burst)) in range(110, 118)
    assert minutes(*[(at, burst) for at in range(600)]) == 29


def test_else_by_how_fast_the_percentage_falls() -> None:
    falling_ = [(at * 60, Battery(80 - at)) for at in range(11)]  # 1 % a minute
    assert minutes(*falling_) == 68
    assert minutes(*falling_[:3]) is None


def test_a_battery_that_is_charged_has_no_minutes_left_to_tell() -> None:
    assert minutes((0, Battery(50, seconds_left=600, discharging=False))) is None


# -- flags -------------------------------------------------------------------------------------


def test_undervoltage_is_an_edge() -> None:
    watch = Watch()
    low = frozenset({"undervolt"})
    said = watch.say(*[replace(COOL, throttled=f) for f in (low, low, frozenset(), None)])
    assert said == [FlagsEdge(low, 1), FlagsEdge(frozenset(), 1)]


def test_a_flag_that_flutters_is_counted_and_no_edge_is_lost() -> None:
    flutter, on, off = Flutter(), frozenset({"undervolt"}), frozenset[str]()
    # Ten a second for ten minutes, and a last one.
    ticks = [(on if tick % 2 == 0 else off, tick * NS // 10) for tick in range(6000)]
    lines = [flutter.feed(flags, at_ns) for flags, at_ns in [*ticks, (on, 700 * NS)]]
    said = [edges for edges in lines if edges]
    assert len(said) <= 6 * 11
    assert sum(said) == 6001
    assert flutter.flags == on


# -- what the configuration accepts ------------------------------------------------------------


def test_thresholds_are_the_configurations() -> None:
    machine = PowerMachine(Heat(soc_warn_c=50, charge_to_c=40), Power(off_percent=4))
    for look, percent in enumerate((5, 4, 4, 4)):
        hot = replace(battery(percent), soc_milli_c=50_000, cell_milli_c=41_000)
        machine.feed(hot, look * LOOK_NS)
    assert machine.hot
    assert machine.cut == "hot"
    assert machine.off_reason == "battery"
