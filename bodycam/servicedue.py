"""What a technician has to look at, each with its next step: SERVICE at the dock, `bodycam status`."""

from __future__ import annotations

from collections.abc import Sequence

from .clock import utc_text
from .configchoice import ConfigWatch
from .renewal import Life, Renewal


class ServiceDue:
    """What was found at the start, and what the certificate and the configuration came to since."""

    def __init__(self, found: Sequence[str], renewal: Renewal, configs: ConfigWatch | None) -> None:
        self._found = tuple(found)
        self.renewal, self.configs = renewal, configs

    def reasons(self) -> list[str]:
        """Empty if nothing is to be done."""
        reasons = [*self._found]
        until_ns = self.renewal.until_ns
        if self.renewal.life is not Life.GOOD and until_ns is not None:
            reasons.append(
                f"the certificate of {self.renewal.name} is {self.renewal.life.value}: until "
                f"{utc_text(until_ns)[:10]}. Renew it"
            )
        if self.configs is not None and self.configs.rejected is not None:
            reasons.append(f"the configuration is refused: {self.configs.rejected}")
        return reasons
