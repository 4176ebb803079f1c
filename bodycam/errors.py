"""Errors by who must act, each with its exit code and the next step.

BodycamError             1
├── ConfigError          2   whoever wrote the configuration or the command line
├── EvidenceError        4   the custodian: a file is not what it claims to be
├── CannotOpen           6   whoever holds (or lacks) the key, or the file
├── StorageError         7   the technician: card, mount, permissions
│   └── StorageFull      7   the officer: dock the camera
├── DeviceError          8   the technician: camera, pins, device key
│   └── KeyMissing       8   the technician: provision this camera
└── AlreadyRunning      75   nobody: the first recorder goes on
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command answers to the shell (a contract with other programs)."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    INCOMPLETE = 3
    ALTERED = 4
    UNTRUSTED = 5
    UNOPENED = 6
    STORAGE = 7
    DEVICE = 8
    BUSY = 75


class BodycamError(Exception):
    """A failure that a person can act on: what happened, and the next step."""

    exit_code = ExitCode.FAILURE

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message}. {self.next_step}" if self.next_step else self.message


class ConfigError(BodycamError):
    """The configuration or the command line is wrong; nothing was started."""

    exit_code = ExitCode.USAGE


class EvidenceError(BodycamError):
    """Bytes that claim to be evidence break a rule of the format."""

    exit_code = ExitCode.ALTERED


class CannotOpen(BodycamError):
    """A file or a key is not readable, or the key does not fit."""

    exit_code = ExitCode.UNOPENED


class StorageError(BodycamError):
    """The store did not take what was written; the ring still holds it."""

    exit_code = ExitCode.STORAGE


class StorageFull(StorageError):
    """No space is left: close the segment, say so, keep the ring rolling."""


class DeviceError(BodycamError):
    """Camera, pins or device key are missing or do not answer."""

    exit_code = ExitCode.DEVICE


class KeyMissing(DeviceError):
    """There is no device key, or no certificate of it: nothing is damaged, nothing is signed."""


class AlreadyRunning(BodycamError):
    """Another recorder owns this store; the first one goes on unaffected."""

    exit_code = ExitCode.BUSY
