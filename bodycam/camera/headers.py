"""SPS and PPS at every IDR, whatever the encoder or the file does."""

from __future__ import annotations

from ..errors import ConfigError
from ..media import NAL_IDR, NAL_PPS, NAL_SPS, Buffer, is_b_slice, is_vcl, nal_type, split_annexb

_START = b"\0\0\0\1"
_NAL_AUD = 9


class ParameterSets:
    """Remembers the parameter sets of a stream and gives them to the IDRs that lack them."""

    def __init__(self) -> None:
        self._sets: dict[int, bytes] = {}

    def complete(self, data: Buffer) -> tuple[bool, Buffer] | None:
        """The access unit with its parameter sets, True for a keyframe; None without a picture.

        Raises ConfigError for a bidirectional picture: its order of capture is not its order in
        the stream, and a recording could not be cut at every access unit.
        """
        nals = split_annexb(data)
        kinds = [nal_type(nal) for nal in nals]
        for kind, nal in zip(kinds, nals, strict=True):
            if kind in (NAL_SPS, NAL_PPS):
                self._sets[kind] = bytes(nal)
        pictures = [nal for nal in nals if is_vcl(nal)]
        if not pictures:
            return None
        if NAL_IDR not in kinds:
            if is_b_slice(pictures[0]):
                raise ConfigError("the H.264 stream has B-frames")
            return False, data
        missing = [kind for kind in (NAL_SPS, NAL_PPS) if kind not in kinds]
        if not missing:
            return True, data
        if any(kind not in self._sets for kind in missing):
            raise ConfigError("the H.264 stream has a keyframe before any SPS and PPS")
        leading = [nals.pop(0)] if kinds[0] == _NAL_AUD else []
        rest = [*leading, *(self._sets[kind] for kind in missing), *nals]
        return True, b"".join(_START + bytes(nal) for nal in rest)
