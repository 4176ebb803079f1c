"""One TOML file says everything; what is not understood in it is an error, unknown keys too."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from .config import Config
from .configcheck import check
from .configwords import explain
from .errors import ConfigError

MAX_CONFIG_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class ConfigText:
    """A configuration as it was read: from where, and its bytes."""

    path: Path
    raw: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()

    def tree(self) -> dict[str, Any]:
        """Its tables, values unchecked. Raises ConfigError."""
        try:
            return tomllib.loads(self.raw.decode("utf-8"))
        except (ValueError, RecursionError) as fault:
            raise ConfigError(f"{self.path}: not a TOML file: {fault}") from fault

    def parse(self) -> Config:
        """The configuration; a ConfigError names the key and what it accepts."""
        return parse(self.tree(), str(self.path))


def read_text(path: Path) -> ConfigText:
    """Read a configuration file; nothing in it is checked. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as fault:
        raise ConfigError(
            f"{path}: cannot be read: {fault.strerror}", "Give the file with --config FILE"
        ) from fault
    if len(raw) > MAX_CONFIG_BYTES:
        raise ConfigError(f"{path}: too big; accepted: at most {MAX_CONFIG_BYTES} bytes")
    return ConfigText(path, raw)


def load(path: Path) -> Config:
    """Read and check a configuration file. Raises ConfigError."""
    return read_text(path).parse()


def parse(tree: dict[str, Any], where: str) -> Config:
    """A configuration out of decoded TOML; `where` names the file in errors."""
    try:
        config = msgspec.convert(tree, Config)
    except msgspec.ValidationError as fault:
        raise ConfigError(f"{where}: {explain(Config, str(fault), tree)}") from fault
    check(config, where)
    return config
