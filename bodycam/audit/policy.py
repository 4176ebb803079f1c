"""What a force requires: thresholds and exclusions, as a versioned file whose hash is printed."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from datetime import UTC, tzinfo
from importlib import resources
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from ..boundedfile import read_bounded
from ..errors import ConfigError

_MAX_BYTES = 1 << 20
Seconds = Annotated[int, msgspec.Meta(ge=0, le=86_400)]
Words = Annotated[tuple[str, ...], msgspec.Meta(max_length=10_000)]


class IncidentRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What makes an incident activated, late, early, interrupted."""

    activated_min_s: Annotated[int, msgspec.Meta(ge=1, le=86_400)]
    grace_on_s: Seconds
    grace_off_s: Seconds
    gap_min_s: Annotated[int, msgspec.Meta(ge=1, le=86_400)]
    vendor_before_s: Annotated[int, msgspec.Meta(ge=0, le=300)]
    longest_h: Annotated[int, msgspec.Meta(ge=1, le=48)]


class DeviceRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is short, refused, stepped, self-tested in time."""

    short_recording_s: Seconds
    bounce_s: Seconds
    buffer_slack_ms: Annotated[int, msgspec.Meta(ge=0, le=60_000)]
    gop_ms: Annotated[int, msgspec.Meta(ge=0, le=60_000)]
    refused_after_s: Seconds
    clock_step_s: Seconds
    selftest_within_min: Annotated[int, msgspec.Meta(ge=0, le=1440)]
    shift_break_h: Annotated[int, msgspec.Meta(ge=1, le=48)]


class ForceRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is near a use of force."""

    stop_before_s: Seconds
    stop_after_s: Seconds
    covered_s: Annotated[int, msgspec.Meta(ge=1, le=3600)]
    rounding_s: Seconds


class PublicRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is too few to be published."""

    min_incidents: Annotated[int, msgspec.Meta(ge=1)]
    min_officers: Annotated[int, msgspec.Meta(ge=1)]
    min_cameras: Annotated[int, msgspec.Meta(ge=1)]
    min_cell: Annotated[int, msgspec.Meta(ge=1)]


class StatisticsRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From how many on a person is shown; when shifts begin, and by the clock of which zone; when a shift
    of a trial was what it was drawn for; how soon a recording must be filed.
    """

    min_count: Annotated[int, msgspec.Meta(ge=1, le=100_000)]
    shift_starts_h: Annotated[
        tuple[Annotated[int, msgspec.Meta(ge=0, le=23)], ...],
        msgspec.Meta(min_length=1, max_length=24),
    ]
    shift_zone: str
    duty_coverage_percent: Annotated[int, msgspec.Meta(ge=1, le=100)]
    contamination_s: Seconds
    kept_percent: Annotated[int, msgspec.Meta(ge=1, le=100)]
    filing_grace_days: Annotated[int, msgspec.Meta(ge=0, le=365)]

    def __post_init__(self) -> None:
        if list(self.shift_starts_h) != sorted(set(self.shift_starts_h)):
            raise ValueError("shift_starts_h: the hours must ascend")
        try:
            self.zone()
        except (ZoneInfoNotFoundError, ValueError, OSError) as fault:
            raise ValueError(f"shift_zone {self.shift_zone!r} is not known here") from fault

    def zone(self) -> tzinfo:
        """Whose wall clock the shifts follow; UTC needs no zone data."""
        return UTC if self.shift_zone == "UTC" else ZoneInfo(self.shift_zone)


class Exclusions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Call types and clearance codes for which no recording is required."""

    call_types: Words = ()
    clearance_codes: Words = ()


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    version: Annotated[int, msgspec.Meta(ge=1)]
    incident: IncidentRules
    device: DeviceRules
    force: ForceRules
    public: PublicRules
    statistics: StatisticsRules
    excluded: Exclusions


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as it was read; `sha256` is that of the file's bytes."""

    name: str
    version: int
    sha256: str
    incident: IncidentRules
    device: DeviceRules
    force: ForceRules
    public: PublicRules
    statistics: StatisticsRules
    excluded: Exclusions


def load_policy(path: Path | None = None) -> Policy:
    """The policy of a file, or the default one. Raises CannotOpen, ConfigError."""
    if path is None:
        data = resources.files(__package__).joinpath("policy.toml").read_bytes()
        return parse_policy(data, "policy.toml")
    return parse_policy(read_bounded(path, _MAX_BYTES, "Give a policy file"), path.name)


def parse_policy(data: bytes, name: str) -> Policy:
    """The policy in these bytes. Raises ConfigError, naming the key that is wrong."""
    if len(data) > _MAX_BYTES:
        raise ConfigError(f"{name}: larger than {_MAX_BYTES} bytes: not a policy")
    try:
        found = msgspec.convert(tomllib.loads(data.decode("utf-8")), _File)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as fault:
        raise ConfigError(f"{name}: {fault}", "See bodycam/audit/policy.toml") from fault
    digest = hashlib.sha256(data).hexdigest()
    return Policy(
        found.name, found.version, digest, found.incident, found.device, found.force, found.public, found.statistics,
        found.excluded,
    )  # fmt: skip
