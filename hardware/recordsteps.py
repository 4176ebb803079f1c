"""Steps A08 to A16: recording, and what interrupts it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from bodycam.clock import MS, NS

from .rig import ROOT, Outcome, Rig, Talk, judged, left_open, to_toml

_CUTS = 5
_CAMERA_S = 60


def camera(rig: Rig, talk: Talk) -> Outcome:
    """A08. The running recorder's own count of pictures, over a minute of recording."""
    if not talk.ask("Slide on; red lamps after a second?"):
        return left_open("not recording")
    before = rig.status()
    rig.wait(_CAMERA_S)
    after = rig.status()
    talk.tell("Slide off.")
    if before is None or after is None:
        return judged(False, "no status file: is the recorder running?")
    span_ns = after["written_ns"] - before["written_ns"]
    if span_ns <= 0:
        return judged(False, "the status file did not change for a minute")
    fps = (after["frames"] - before["frames"]) * NS / span_ns
    lost = {key: after[key] - before[key] for key in ("dropped", "restarts", "gaps")}
    good = abs(fps - rig.config.camera.fps) < 0.5 and not any(lost.values())
    return judged(good, f"{fps:.2f} pictures a second, lost: {lost}", fps=fps, **lost)


def keyframe(rig: Rig, talk: Talk) -> Outcome:
    """A09. A recorder of its own without pre-record and with a GOP of 5 s: a press must not wait."""
    work = Path(rig.config.store.path) / "acceptance"
    tree = tomllib.loads(rig.config_path.read_text(encoding="utf-8"))
    tree["store"] = {**tree.get("store", {}), "path": str(work), "runtime": str(work / "run")}
    tree["camera"] = {**tree.get("camera", {}), "gop_ms": 5000}
    tree["pre_record"] = {**tree.get("pre_record", {}), "seconds": 0}
    tree["recording"] = {**tree.get("recording", {}), "post_record_s": 0}
    work.mkdir(parents=True, exist_ok=True)
    config = work / "acceptance.toml"
    config.write_text(to_toml(tree), encoding="utf-8")
    rig.run("systemctl", "stop", "bodycam", timeout_s=60)
    command = [sys.executable, "-m", "bodycam", "run", "--config", str(config)]
    with (
        (work / "recorder.txt").open("wb") as words,
        subprocess.Popen(command, stderr=words, cwd=ROOT) as own,
    ):
        try:
            done = talk.ask("Wait for green. Then five times: slide on, count to three, slide off, "
                            "count to five. Done?")  # fmt: skip
        finally:
            own.send_signal(signal.SIGTERM)
            own.wait(60)
    waits = keyframe_waits_ms(rig.events(work))
    shutil.rmtree(work)
    rig.run("systemctl", "start", "bodycam")
    if not done or not waits:
        return left_open("nothing was recorded")
    worst = max(waits)
    return judged(worst < 500, f"{len(waits)} presses, first picture at most {worst} ms later "
                  "(GOP 5000 ms)", waits_ms=waits)  # fmt: skip


def keyframe_waits_ms(events: list[dict[str, Any]]) -> list[int]:
    """How long after each throw of the switch its recording's first picture was taken."""
    waits, pressed_ns = [], None
    for event in events:
        if event["ev"] == "switch.on":
            pressed_ns = event["boot_ns"]
        elif event["ev"] == "rec.start" and pressed_ns is not None:
            waits.append(max(0, event["data"]["first_ns"] - pressed_ns) // MS)
            pressed_ns = None
    return waits


def starts_in_time(rig: Rig, talk: Talk) -> Outcome:
    """A10. The service is started with the slide on; from then to the first durable fragment."""
    rig.run("systemctl", "stop", "bodycam", timeout_s=60)
    if not talk.ask("Slide on, and leave it on?"):
        rig.run("systemctl", "start", "bodycam")
        return left_open("slide not on")
    rig.run("systemctl", "start", "bodycam", timeout_s=60)
    rig.wait(15)
    shown = rig.run("systemctl", "show", "bodycam", "-P", "ExecMainStartTimestampMonotonic")
    talk.tell("Slide off.")
    try:
        started_ns = int(shown.stdout) * 1000
    except ValueError:
        return judged(False, f"systemctl show: {shown.stdout}{shown.stderr}")
    mine = [e for e in rig.events() if e.get("boot") == rig.boot_id]
    durable = [e["data"]["synced_ns"] for e in mine
               if e["ev"] == "rec.start" and e["data"]["synced_ns"] > started_ns]  # fmt: skip
    if not durable:
        return judged(False, "no recording within 15 s of the start")
    after_s = (durable[0] - started_ns) / NS
    ready = [e["boot_ns"] for e in mine if e["ev"] == "ready"][:1]
    return judged(
        after_s <= 5, f"on disk {after_s:.2f} s after the service's start",
        after_s=after_s, first_ready_after_power_s=ready[0] / NS if ready else None,
    )  # fmt: skip


def clap(rig: Rig, talk: Talk) -> Outcome:
    """A11. Somebody claps in front of the lens; an editor shows how far sound and hands are apart."""
    if rig.config.audio.source.value == "none":
        return left_open("the configuration has no sound")
    talk.tell("Slide on, clap three times in front of the lens, slide off. Export the recording "
              "(`bodycam export`), open it in an editor that shows the wave under the pictures.")  # fmt: skip
    offset_ms = talk.number("Milliseconds by which the sound is late (early: negative)?")
    if offset_ms is None:
        return left_open("nobody measured")
    # One picture is as near as hands can be seen.
    limit_ms = 40 + 1000 / rig.config.camera.fps
    return judged(abs(offset_ms) <= limit_ms, f"{offset_ms:g} ms", offset_ms=offset_ms)


def signals(_: Rig, talk: Talk) -> Outcome:
    """A12. What the officer is promised."""
    questions = (
        "Slide on: one tick at once, two short taps and both red lamps within a second?",
        "Slide off: ticks and the fast red lamp while it waits, then one long tap and green?",
        "Slide flicked as fast as you can for ten seconds: it ends as the slide stands, no fault lamp?",
        "Wire of pin 11 pulled, a finger on its end: nothing starts? (Put it back.)",
        "Marker pressed for a moment in standby: one tap (not recording)?",
    )
    answers = [talk.ask(question) for question in questions]
    if None in answers:
        return left_open("not all was tried", answers=answers)
    failed = [question for question, good in zip(questions, answers, strict=True) if not good]
    return judged(not failed, "; ".join(failed) or "all as promised")


def hung_recorder(rig: Rig, _: Talk) -> Outcome:
    """A13. The recorder is stopped by SIGSTOP; systemd must miss it and start another."""
    before = rig.status()
    if before is None:
        return judged(False, "no status file: is the recorder running?")
    os.kill(int(before["pid"]), signal.SIGSTOP)
    for waited_s in range(0, 60, 2):
        rig.wait(2)
        after = rig.status()
        if after and after["pid"] != before["pid"] and after.get("ready"):
            return judged(waited_s <= 40, f"another recorder is ready after {waited_s + 2} s",
                          after_s=waited_s + 2)  # fmt: skip
    os.kill(int(before["pid"]), signal.SIGCONT)
    return judged(False, "nobody started it again within a minute")


def dead_kernel(rig: Rig, talk: Talk) -> Outcome:
    """A14. A crash of the kernel, which nothing but the hardware watchdog heals. In two halves."""
    begun = rig.remembered("A14")
    if begun and begun["boot_id"] != rig.boot_id:
        rig.forget("A14")
        return judged(talk.ask("Did it start again by itself, without your hand?") is True,
                      "another boot than the one that was crashed")  # fmt: skip
    if rig.run("systemctl", "show", "-P", "RuntimeWatchdogUSec").stdout.strip() in ("", "0"):
        return judged(False, "systemd does not feed a watchdog: dtparam=watchdog=on, "
                      "systemd/hardware-watchdog.conf?")  # fmt: skip
    talk.tell("The kernel will be crashed: echo c > /proc/sysrq-trigger. What is not on the card is "
              "lost. The camera must start again by itself within half a minute; then run this again.")  # fmt: skip
    if not talk.ask("Nothing else is at work on it. Crash it now?"):
        return left_open("not crashed")
    rig.remember("A14", boot_id=rig.boot_id)
    os.sync()
    rig.run("sysctl", "-w", "kernel.panic=0")  # or the kernel restarts itself, and proves nothing
    (rig.root / "proc/sysrq-trigger").write_text("c", encoding="ascii")
    rig.wait(60)
    return judged(False, "still running a minute after the crash")


def power_cuts(rig: Rig, talk: Talk) -> Outcome:
    """A15. The plug is pulled while it records; after each restart the store must verify. In parts."""
    begun = rig.remembered("A15")
    cuts = int(begun["cuts"]) if begun else 0
    if begun and begun["boot_id"] != rig.boot_id:
        unclean = [e for e in rig.events()
                   if e["ev"] == "boot.unclean" and e.get("boot") == rig.boot_id]  # fmt: skip
        root = Path(rig.config.identity.path) / "root.pem"
        trust = ["--trust", str(root)] if root.exists() else []
        done = rig.python("-m", "bodycam", "verify", rig.config.store.path, *trust,
                       "--json", timeout_s=600)  # fmt: skip
        # 3: intact, and the log explains what is missing; 5: no root here to trust it by.
        if not unclean or done.returncode not in (0, 3, 5):
            rig.forget("A15")
            return judged(False, f"after cut {cuts + 1}: verify exit {done.returncode}, "
                          f"{len(unclean)} boot.unclean")  # fmt: skip
        cuts += 1
        if cuts >= _CUTS:
            rig.forget("A15")
            return judged(True, f"{cuts} cuts; after each the store is intact, the gap is logged")
    rig.remember("A15", boot_id=rig.boot_id, cuts=cuts)
    talk.tell(f"Cut {cuts + 1} of {_CUTS}: slide on, wait for the red lamp and ten seconds more, pull "
              "plug and S1, wait five seconds, power on, slide off. Then run this again.")  # fmt: skip
    return left_open(f"{cuts} of {_CUTS} cuts done", cuts=cuts)


def foreign_usb(rig: Rig, talk: Talk) -> Outcome:
    """A16. A USB stick: no disk may appear."""
    before = rig.text("proc/partitions")
    if not talk.ask("Any USB stick plugged in, ten seconds ago?"):
        return left_open("no stick")
    new = set((rig.text("proc/partitions") or "").split()) - set((before or "").split())
    disks = sorted(name for name in new if name.startswith("sd"))
    return judged(not disks, f"new disks: {', '.join(disks) or 'none'}")
