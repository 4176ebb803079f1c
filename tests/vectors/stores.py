"""Vectors of recordings, logs and whole stores."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from bodycam.clock import NS
from bodycam.custody.findings import Check, Verdict
from bodycam.signing import NoKey

from .catalogue import folder, store, vector
from .surgery import (
    Fields,
    flip,
    log_lines,
    rechain,
    replace_once,
    reseal,
    sign_checkpoint,
    units_of,
    write_log,
)
from .world import World

INTACT, INCOMPLETE = Verdict.INTACT, Verdict.INCOMPLETE
ALTERED, UNTRUSTED = Verdict.ALTERED, Verdict.UNTRUSTED


# -- recordings -----------------------------------------------------------------------------


@vector(INTACT)
def recording(world: World, out: Path) -> Path:
    """A recording of two segments."""
    return folder(world.shorter, out)[0].parent


@vector(ALTERED, Check.RECORDING, "00001")
def first_segment_missing(world: World, out: Path) -> Path:
    """The first segment was taken away."""
    first, second = folder(world.shorter, out)
    first.unlink()
    return second.parent


@vector(ALTERED, Check.RECORDING, "00001")
def first_segment_cut(world: World, out: Path) -> Path:
    """The first segment lost its END: alone incomplete, but the next one names that box."""
    first, _ = folder(world.shorter, out)
    os.truncate(first, units_of(first)[-1].start)
    return first.parent


@vector(ALTERED, Check.HEAD, "head")
def segments_swapped(world: World, out: Path) -> Path:
    """Two segments exchanged their names."""
    first, second = folder(world.shorter, out)
    one_raw, two_raw = first.read_bytes(), second.read_bytes()
    first.write_bytes(two_raw)
    second.write_bytes(one_raw)
    return first.parent


@vector(ALTERED, Check.RECORDING, "00001")
def segment_of_other_recording(world: World, out: Path) -> Path:
    """The second segment is that of the same camera's other recording."""
    _, second = folder(world.shorter, out)
    (other,) = (world.good.store / "evidence").glob("7c1d*/*_00001.mp4")
    shutil.copyfile(other, second)
    return second.parent


@vector(ALTERED, Check.RECORDING, "00001")
def segment_of_other_camera(world: World, out: Path) -> Path:
    """The second segment is another camera's."""
    _, second = folder(world.shorter, out)
    shutil.copyfile(world.stranger.segments[1], second)
    return second.parent


@vector(ALTERED, Check.RECORDING, "00001")
def segment_rewritten_with_the_key(world: World, out: Path) -> Path:
    """Whoever has the camera's key rewrote segment 0; segment 1 names the box that was there."""
    first, _ = folder(world.shorter, out)
    reseal(first, world.key, edit=lambda f: f.update(drop=0, mute=3) if f["n"] == 1 else None)
    return first.parent


# -- logs and stores --------------------------------------------------------------------------


@vector(INTACT)
def whole_store(world: World, out: Path) -> Path:
    """A store with one recording, its log and checkpoint."""
    return store(world.shorter, out).store


@vector(INTACT)
def store_with_two_recordings(world: World, out: Path) -> Path:
    """The same card after another recording."""
    return store(world.good, out).store


@vector(INCOMPLETE, Check.LOG_STORE, "00001.mp4")
def crashed_store(world: World, out: Path) -> Path:
    """The recorder was killed while it recorded."""
    return store(world.crashed, out).store


@vector(UNTRUSTED, Check.CERTIFICATE, "")
def unsigned_store(world: World, out: Path) -> Path:
    """A camera without a device key: nobody vouches for segments and log."""
    return store(world.unsigned, out).store


@vector(INTACT)
def log_alone(world: World, out: Path) -> Path:
    """A log without recordings: the certificates beside it say whose key signed its checkpoint."""
    copy = store(world.shorter, out)
    shutil.rmtree(copy.store / "evidence")
    return copy.log


@vector(UNTRUSTED, Check.LOG_ROOT, "checkpoint")
def log_without_certificates(world: World, out: Path) -> Path:
    """A log without recordings and certificates: nothing says whose key signed it."""
    copy = store(world.shorter, out)
    shutil.rmtree(copy.store / "evidence")
    shutil.rmtree(copy.log.with_name("certificates"))
    return copy.log


def _later(fields: Fields) -> None:
    if fields["ev"] == "switch.on":
        fields["boot_ns"] += 60 * NS


@vector(ALTERED, Check.LOG_LINES, "line 3")
def log_line_edited(world: World, out: Path) -> Path:
    """When the switch was thrown, changed in place."""
    copy = store(world.shorter, out)
    lines = log_lines(copy.log)
    lines[2] = lines[2].replace(b'"pin":"switch"', b'"pin":"marker"')
    write_log(copy.log, lines)
    return copy.store


@vector(ALTERED, Check.LOG_LINES, "line 4")
def log_line_edited_with_checksum(world: World, out: Path) -> Path:
    """The same with a right checksum: the next line names another one."""
    copy = store(world.shorter, out)
    lines = log_lines(copy.log)
    write_log(copy.log, rechain(lines[:3], _later) + lines[3:])
    return copy.store


@vector(ALTERED, Check.LOG_LINES, "line 5")
def log_line_removed(world: World, out: Path) -> Path:
    """One line taken out."""
    copy = store(world.shorter, out)
    lines = log_lines(copy.log)
    write_log(copy.log, lines[:4] + lines[5:])
    return copy.store


@vector(ALTERED, Check.LOG_LINES, "line 4")
def log_lines_swapped(world: World, out: Path) -> Path:
    """Two lines changed places."""
    copy = store(world.shorter, out)
    lines = log_lines(copy.log)
    lines[3], lines[4] = lines[4], lines[3]
    write_log(copy.log, lines)
    return copy.store


@vector(ALTERED, Check.LOG_LINES, "line 3")
def log_line_version(world: World, out: Path) -> Path:
    """A line of version 2, its checksum right."""
    copy = store(world.shorter, out)
    lines = log_lines(copy.log)
    edited = rechain(lines[:3], lambda f: f.update(v=2) if f["seq"] == 2 else None)
    write_log(copy.log, edited + lines[3:])
    return copy.store


@vector(ALTERED, Check.LOG_ROOT, "checkpoint")
def log_rewritten(world: World, out: Path) -> Path:
    """The whole log written anew with a good chain, without a key."""
    copy = store(world.shorter, out)
    write_log(copy.log, rechain(log_lines(copy.log), _later))
    return copy.store


@vector(ALTERED, Check.LOG_ROOT, "fragment 1")
def log_forked(world: World, out: Path) -> Path:
    """A second history, signed with the camera's key: the video still names the first."""
    copy = store(world.shorter, out)
    lines = rechain(log_lines(copy.log), _later)
    write_log(copy.log, lines)
    checkpoint = copy.log.with_name("checkpoint")
    sign_checkpoint(checkpoint, lines, world.key)
    return copy.store


@vector(ALTERED, Check.LOG_ROOT, "checkpoint")
def log_cut(world: World, out: Path) -> Path:
    """The last two lines cut off cleanly."""
    copy = store(world.shorter, out)
    write_log(copy.log, log_lines(copy.log)[:-2])
    return copy.store


@vector(ALTERED, Check.LOG_ROOT, "00001.mp4")
def log_cut_without_checkpoint(world: World, out: Path) -> Path:
    """The log cut in the middle of the recording, the checkpoint deleted: the video tells."""
    copy = store(world.shorter, out)
    write_log(copy.log, log_lines(copy.log)[:5])
    copy.log.with_name("checkpoint").unlink()
    return copy.store


@vector(ALTERED, Check.LOG_ROOT, "7c1d5a90")
def log_rolled_back(world: World, out: Path) -> Path:
    """The log as it was before the second recording, with the checkpoint of then."""
    copy = store(world.good, out)
    for path in (world.shorter.log, world.shorter.log.with_name("checkpoint")):
        shutil.copyfile(path, copy.log.with_name(path.name))
    return copy.store


@vector(ALTERED, Check.LOG_STORE, "00000.mp4")
def log_of_other_camera(world: World, out: Path) -> Path:
    """Another camera's log and checkpoint."""
    copy = store(world.shorter, out)
    for path in (world.stranger.log, world.stranger.log.with_name("checkpoint")):
        shutil.copyfile(path, copy.log.with_name(path.name))
    return copy.store


@vector(INCOMPLETE, Check.LOG_LINES, "line")
def log_torn(world: World, out: Path) -> Path:
    """Half a line at the end, as a power cut leaves it."""
    copy = store(world.shorter, out)
    copy.log.write_bytes(copy.log.read_bytes() + b'{"v":1,"seq":99,"bo')
    return copy.store


@vector(INCOMPLETE, Check.LOG_ROOT, "line")
def log_with_lines_nobody_signed(world: World, out: Path) -> Path:
    """A line added at the end, chained, but not signed."""
    copy = store(world.shorter, out)
    lines = log_lines(copy.log)
    write_log(copy.log, rechain([*lines, lines[-1]], lambda _: None))
    return copy.store


@vector(INCOMPLETE, Check.LOG_STORE, "log")
def log_missing(world: World, out: Path) -> Path:
    """No log at all."""
    copy = store(world.shorter, out)
    shutil.rmtree(copy.log.parent)
    return copy.store


@vector(INCOMPLETE, Check.LOG_ROOT, "line")
def checkpoint_replayed(world: World, out: Path) -> Path:
    """The checkpoint of an earlier time: what came after is not signed by it."""
    copy = store(world.good, out)
    lines = log_lines(copy.log)
    checkpoint = copy.log.with_name("checkpoint")
    sign_checkpoint(checkpoint, lines[:3], world.key)
    return copy.store


@vector(INCOMPLETE, Check.LOG_ROOT, "line")
def checkpoint_removed(world: World, out: Path) -> Path:
    """No checkpoint: the video vouches for the log up to its own last record."""
    copy = store(world.shorter, out)
    copy.log.with_name("checkpoint").unlink()
    return copy.store


@vector(ALTERED, Check.LOG_ROOT, "checkpoint")
def checkpoint_edited(world: World, out: Path) -> Path:
    """One line less in the checkpoint's text."""
    copy = store(world.shorter, out)
    count = len(log_lines(copy.log))
    replace_once(
        copy.log.with_name("checkpoint"), f"\n{count}\n".encode(), f"\n{count - 1}\n".encode()
    )
    return copy.store


@vector(ALTERED, Check.LOG_ROOT, "checkpoint")
def checkpoint_signature_flipped(world: World, out: Path) -> Path:
    """One bit of the checkpoint's signature."""
    copy = store(world.shorter, out)
    path = copy.log.with_name("checkpoint")
    flip(path, path.read_bytes().rindex(b" ") + 30)
    return copy.store


@vector(ALTERED, Check.LOG_ROOT, "checkpoint")
def checkpoint_not_a_note(world: World, out: Path) -> Path:
    """A checkpoint that is none."""
    copy = store(world.shorter, out)
    copy.log.with_name("checkpoint").write_bytes(b"all is well\n")
    return copy.store


@vector(INCOMPLETE, Check.LOG_STORE, "00001.mp4")
def segment_removed_from_store(world: World, out: Path) -> Path:
    """The last segment deleted: the log opened it."""
    copy = store(world.shorter, out)
    copy.segments[1].unlink()
    return copy.store


@vector(INCOMPLETE, Check.LOG_STORE, "00001.mp4")
def segment_cut_in_store(world: World, out: Path) -> Path:
    """The last segment cut behind a whole fragment: the log knows its end."""
    copy = store(world.shorter, out)
    os.truncate(copy.segments[1], units_of(copy.segments[1])[1].end)
    return copy.store


@vector(ALTERED, Check.CONTAINER, "after fragment 1")
def segment_zeroed_in_store(world: World, out: Path) -> Path:
    """Zeros from a fragment on: alone as torn by a power cut, but the log closed it whole."""
    copy = store(world.shorter, out)
    path = copy.segments[1]
    size = path.stat().st_size
    os.truncate(path, units_of(path)[1].end + 100)
    os.truncate(path, size)
    return copy.store


@vector(ALTERED, Check.LOG_STORE, "00002.mp4")
def segment_added_to_store(world: World, out: Path) -> Path:
    """A file that the log does not know of."""
    copy = store(world.shorter, out)
    path = copy.segments[1]
    shutil.copyfile(path, path.with_name(path.name.replace("_00001", "_00002")))
    return copy.store


@vector(ALTERED, Check.LOG_STORE, "00001.mp4")
def last_segment_rewritten_with_the_key(world: World, out: Path) -> Path:
    """Whoever has the camera's key rewrote the last segment: the log names its last box."""
    copy = store(world.shorter, out)
    path = copy.segments[1]
    reseal(path, world.key, edit=lambda f: f.update(mute=3) if f["n"] == 2 else None)
    return copy.store


@vector(ALTERED, Check.LOG_STORE, "00001.mp4")
def last_segment_stripped(world: World, out: Path) -> Path:
    """Signatures and certificates of the last segment removed, and its hashes made anew."""
    copy = store(world.shorter, out)
    reseal(copy.segments[1], NoKey(), edit=lambda f: f.update(x5t="") if f["n"] == 0 else None)
    return copy.store


@vector(INCOMPLETE, Check.LOG_STORE, "00000.mp4")
def recording_removed_from_store(world: World, out: Path) -> Path:
    """A whole recording deleted."""
    copy = store(world.good, out)
    shutil.rmtree(copy.folder)
    return copy.store
