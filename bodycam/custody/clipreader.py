"""Reads the samples of an MP4 as they are stored, through PyAV, without decoding."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av

from ..clock import NS
from ..errors import CannotOpen


class ClipError(Exception):
    """The file is damaged where it was being read."""


def read_samples(clip: Path) -> Iterator[tuple[bool, bytes, int | None]]:
    """For each sample in the file's order: whether it is video, its bytes, and when it is shown.

    Raises CannotOpen if it is no MP4 with one video and at most one audio track.
    """
    try:
        container = av.open(str(clip), options={"ignore_editlist": "1"})
    except (av.error.FFmpegError, OSError) as fault:
        raise CannotOpen(f"{clip}: cannot be opened as a video: {fault}") from fault
    with container:
        if len(container.streams.video) != 1 or len(container.streams.audio) > 1:
            raise CannotOpen(f"{clip}: has not one video and at most one audio track")
        try:
            for packet in container.demux(*container.streams.video, *container.streams.audio):
                if packet.size:
                    shown = packet.pts
                    at_ns = None if shown is None else int(shown * packet.time_base * NS)
                    yield packet.stream.type == "video", bytes(packet), at_ns
        except av.error.FFmpegError as fault:
            raise ClipError(str(fault)) from fault


def read_pictures(clip: Path) -> Iterator[tuple[int, bytes]]:
    """The pictures of the first H.264 track of any container, each with the size of the lengths
    before its NAL units; 0 for start codes.

    Raises CannotOpen if there is none.
    """
    try:
        container = av.open(str(clip))
    except (av.error.FFmpegError, OSError) as fault:
        raise CannotOpen(f"{clip}: cannot be opened as a video: {fault}") from fault
    with container:
        stream = next((s for s in container.streams.video if s.codec_context.name == "h264"), None)
        if stream is None:
            raise CannotOpen(f"{clip}: has no H.264 video")
        config = stream.codec_context.extradata or b""
        prefix = (config[4] & 3) + 1 if len(config) > 6 and config[0] == 1 else 0
        try:
            for packet in container.demux(stream):
                if packet.size:
                    yield prefix, bytes(packet)
        except av.error.FFmpegError as fault:
            raise ClipError(str(fault)) from fault
