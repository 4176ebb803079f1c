"""One `bodycam selftest`: as whom, beside a recorder or in its place."""

from __future__ import annotations

from pathlib import Path

from ..checks.answer import Logged
from ..checks.result import SelfTest
from ..checks.watchdog import ask_systemd
from ..configfile import read_text
from ..errors import AlreadyRunning
from ..parts import make_clock
from .beside import look_beside
from .owner import become_owner
from .pincheck import Ask
from .selftest import Say, SelfTester, Wish


def run_selftest(
    config_path: Path, *, short: bool, lamps: bool, ask: Ask | None, say: Say
) -> tuple[SelfTest, Logged]:
    """The answer, and where it stands in the log.

    Raises ConfigError for a configuration that is none, AlreadyRunning for lamps that are a
    running recorder's.
    """
    config = read_text(config_path).parse()
    # While still root: without a message bus systemd answers nobody else.
    systemd = ask_systemd()
    become_owner(Path(config.store.path), Path(config.store.runtime))
    # Once more, as the recorder will have to.
    text = read_text(config_path)
    config = text.parse()
    clock = make_clock(config)
    try:
        # A recorder between two lives would find its store taken, and systemd would give it up.
        if config.simulate is None and systemd.keeps_the_recorder:
            raise AlreadyRunning("bodycam.service is running", "Run: systemctl stop bodycam")
        return SelfTester(config, text, clock, systemd, say).run(Wish(short, lamps, ask))
    except AlreadyRunning:
        if lamps:
            raise
        say("a recorder is running: it keeps camera, pins and log")
        why = "it is the running recorder's, whose own self-test is there"
        return look_beside(config, clock, systemd), Logged(why_not=why)
