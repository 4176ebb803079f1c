"""Numbers as a person reads them."""

from __future__ import annotations

from .measures.measure import S, Value
from .scoring import IncidentClass

_SHARES = ("_ratio", "_share", "coverage")
CLASS_WORDS = {
    IncidentClass.UNKNOWN: "Not recorded, nor could it be for at least half of the window: mostly nobody knows what the camera was.",
    IncidentClass.FAULT: "Not recorded, nor could it be for at least half of the window: mostly the camera failed.",
    IncidentClass.DOCKED: "Not recorded, nor could it be for at least half of the window: mostly the camera stood in the dock.",
    IncidentClass.NO_DEVICE: "Not recorded, nor could it be for at least half of the window: mostly no camera was assigned.",
    IncidentClass.NEVER: "Not recorded, though for more than half of the window the camera could have, or was off: switched off, or for an empty battery.",
    IncidentClass.LATE: "The first proven picture came later than policy allows.",
    IncidentClass.GAP: "Pictures are missing between the first and the last recorded moment.",
    IncidentClass.EARLY: "Stopped earlier than policy allows, and no other camera took over.",
    IncidentClass.MUTED: "Recorded, but sound was left out for a time.",
    IncidentClass.COMPLETE: "Recorded from the beginning to the end, as policy asks.",
}  # fmt: skip


FLAT_WORDS = "of those NEVER in which the camera could not have recorded for at least half of the window, if what an empty battery switched off counts"
UNCERTAIN_WORDS = "A camera's clock leaves open which of several it is."
FAILED_WORDS = "with pictures that failed verification: neither covered nor a gap, so look at each"


def span_text(us: int) -> str:
    """A length of time: 5 ms, 12.4 s, 3 min 20 s, 2 h 5 min."""
    sign, us = ("-", -us) if us < 0 else ("", us)
    if us < S:
        return f"{sign}{us / 1000:.3g} ms"
    if us < 60 * S:
        return f"{sign}{round(us / S, 1):g} s"
    if us < 3600 * S:
        minutes, seconds = divmod(round(us / S), 60)
        return f"{sign}{minutes} min" + (f" {seconds} s" if seconds else "")
    hours, minutes = divmod(round(us / (60 * S)), 60)
    return f"{sign}{hours} h" + (f" {minutes} min" if minutes else "")


def share_text(share: float | None) -> str:
    """A share in percent; none and all are said of none and all alone."""
    if share is None:
        return "\u2013"
    shown = f"{100 * share:.1f}"
    if shown == "0.0" and share > 0:
        return "under 0.1\u00a0%"
    if shown == "100.0" and share < 1:
        return "over 99.9\u00a0%"
    return f"{shown}\u00a0%"


def value_text(name: str, value: Value) -> str:
    """A value of a measure; its name says what it is."""
    if value is None:
        return "\u2013"
    if name.endswith(_SHARES) and isinstance(value, (int, float)):
        return share_text(value)
    if (name == "us" or name.endswith("_us")) and isinstance(value, int):
        return span_text(value)
    if name.endswith("_milli_c") and isinstance(value, int):
        return f"{value / 1000:g} \u00b0C"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def name_text(name: str) -> str:
    """The name of a value without its unit."""
    for unit in ("_us", "_milli_c"):
        name = name.removesuffix(unit)
    return name.replace("_", " ")


def pair_text(pair: tuple[int | None, int | None]) -> str:
    """Least and greatest; one number where they are the same."""
    least, most = pair
    if most is None:
        return "\u2013"
    if least is None:
        return f"none to {span_text(most)}"
    one, two = span_text(least), span_text(most)
    return one if one == two else f"{one} to {two}"


def count_text(count: int, what: str) -> str:
    """1 row, 2 rows, 9,000,000 rows."""
    return f"{count} {what}" if count == 1 else f"{count:,} {what}s"


def beside_text(saved: int, retro: int, handed_over: int) -> str:
    """What is said of incidents beside their class (M20, M23, M24)."""
    return (
        f"Beside the class, by the clocks as they are: saved by the buffer, which is pressed late with pictures in "
        f"time, {saved:,}; pressed after the end, so that only the buffer reaches into the window, {retro:,}; "
        f"stopped early, and another officer's camera took over, {handed_over:,}."
    )


def clipped(text: str, most: int = 80) -> str:
    """What is longer is cut, and shows that it is."""
    return text if len(text) <= most else f"{text[:most]}\u2026"
