"""When the officer muted: that sound is left out of a recording, and counted."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class MuteWindows:
    """When the wearer muted, in boot time; an open end while the key is held."""

    windows: list[tuple[int, int | None]] = field(default_factory=list)

    def start(self, at_ns: int) -> None:
        self.windows.append((at_ns, None))

    def stop(self, at_ns: int) -> None:
        if self.windows and self.windows[-1][1] is None:
            self.windows[-1] = (self.windows[-1][0], at_ns)

    def covers(self, at_ns: int) -> bool:
        return any(a <= at_ns and (b is None or at_ns < b) for a, b in self.windows)
