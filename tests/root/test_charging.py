"""The charger's cut-off where a root's tools are needed to make the fault."""

from __future__ import annotations

from pathlib import Path

from bodycam.simulate.scenario import PowerChange
from bodycam.simulate.sysfs import change_power
from bodycam.simulate.unit import Unit, mount_card, unmount_card
from tests.rig import running
from tests.test_powerguard import HEALTHY, charge_off


def test_a_card_without_room_does_not_keep_a_hot_cell_on_the_charger(tmp_path: Path) -> None:
    def prepared(unit: Unit) -> None:
        mount_card(unit.card, 16)
        change_power(unit.sysfs, HEALTHY)

    with running(tmp_path / "unit", before=prepared) as rig:
        try:
            rig.until("charging", lambda: not charge_off(rig))
            with (rig.card / "filler").open("wb", buffering=0) as filler:
                try:
                    while True:
                        filler.write(bytes(65536))
                except OSError:
                    pass
            change_power(rig.unit.sysfs, PowerChange(cell_c=50))
            rig.until("cut off", lambda: charge_off(rig))
        finally:
            rig.unit.stop()
            unmount_card(rig.card)
