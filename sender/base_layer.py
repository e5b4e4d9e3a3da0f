"""`BaseLayer`: what motion and references cannot use well of a rate goes into a chain of AV1 frames
(`codec/picture/chain.py`), which follows the still of a reference.

A stretch that is known as a whole has one chain. Its quantiser is searched so that the stretch's
bytes are met.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt

from ..codec.base_packets import CHAINS, MAX_AFTER, MAX_FRAMES, BaseGroup
from ..codec.counters import WRAP
from ..codec.errors import ConfigError
from ..codec.motion.profiles import motion_ticks
from ..codec.packet import Kind, Packet
from ..codec.picture.after import Anchor
from ..codec.picture.chain import COARSEST, FINEST, ChainEncoder, chain_crf
from ..codec.picture.coded_picture import StillCodec
from ..codec.picture.coders import CODERS, to_frame
from ..codec.picture.fitting import fit_picture
from ..codec.picture.level_search import LOG_GROWTH, best_level
from ..codec.picture.steps import finish
from .rate import MIN_PICTURE, RateControl

__all__ = ["BaseLayer", "BasePlan", "Moment", "weave"]

_FROM_BPP = 0.0065
"""Bits a pixel of motion and pictures, sound apart, from which a base layer is considered."""
_WORST_CRF = 60
"""A chain that would be coarser than this is worth less than references."""
_SHARE = 0.12  # of the room, for the still that a chain follows, at first
_USUAL = 30  # quantiser of a chain relative to its still that gives both about their due
_FOLLOWS = 0.7  # how far the still goes with the chain where the two lie far apart
_PROBE = 60  # quantiser at which a chain is coded to see what it takes
_LARGEST = 12_000  # bytes of the still
_MOST_FPS = 30
_BODY = 16_000  # bytes of a group that are exceeded by its last frame at most


@dataclass(frozen=True, slots=True)
class Moment:
    """A frame of a stretch.

    Attributes:
        pts: its time in ticks.
        picture: its crop, uint8 `[size, size, 3]`.
    """

    pts: int
    picture: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class BasePlan:
    """A chain that is to be coded.

    Attributes:
        times: of its frames, in ticks.
        frames: as the encoder takes them.
        still: bytes for the still that it follows.
        quantiser: that is expected to meet the bytes.
    """

    times: tuple[int, ...]
    frames: tuple[av.VideoFrame, ...]
    still: int
    quantiser: int


@dataclass(frozen=True, slots=True)
class _Coded:
    """A chain in packets. Its length is what they count for, in bytes."""

    packets: list[Packet]
    size: int

    def __len__(self) -> int:
        return self.size


class BaseLayer:
    """Codes the base layer of one stream, stretch by stretch.

    Args:
        fps: frames a second of the stream. Above 30, not every frame is in the base layer.
        rate: counts the bytes.
    """

    def __init__(self, fps: Fraction, rate: RateControl) -> None:
        self._fps, self._rate = fps, rate
        self._chains = 0

    def plan(
        self, picture: npt.NDArray[np.uint8], moments: Sequence[Moment], room: int | None
    ) -> BasePlan | None:
        """Share bytes between a chain and a still that is not coded yet.

        A chain is coded once to see what it takes.

        Args:
            picture: of the still, or one like it.
            moments: the frames of the stretch that show somebody.
            room: bytes for both; None where no rate is set.

        Returns:
            None if references alone use the bytes better.
        """
        if room is None or not self._pays():
            return None
        size = min(max(round(_SHARE * room), MIN_PICTURE), _LARGEST)
        anchor = _anchor(picture, size)
        if anchor is None:
            return None
        times, frames = self._chosen(moments)
        quantiser = self._expected(anchor, times, frames, room - size)
        if anchor.crf + quantiser / 4 > _WORST_CRF:
            return None
        # The still gets coarser or finer with the chain, by so much of a quantiser index.
        change = _FOLLOWS * (quantiser - _USUAL)
        still = round(min(max(size * math.exp(-LOG_GROWTH * change), MIN_PICTURE), _LARGEST))
        return BasePlan(times, frames, still, round(quantiser - change))

    def code(self, anchor: Anchor, reference: int, plan: BasePlan, room: float) -> list[Packet]:
        """Code a chain as well as so many bytes allow; no packets if it does not fit at all.

        Args:
            anchor: the still that it follows.
            reference: id of that keyframe.
            plan: what is coded.
            room: bytes that its packets may count for.
        """
        if room < 1:
            return []
        coded = finish(
            best_level(
                lambda level: self._code(
                    anchor, reference, plan.times, plan.frames, COARSEST - level
                ),
                COARSEST - FINEST + 1,
                int(room),
                COARSEST - plan.quantiser,
            )
        )[1]
        if len(coded) > room:
            return []
        self._chains += 1
        return coded.packets

    def _pays(self) -> bool:
        """Whether the rate is one at which a base layer may pay."""
        return (self._rate.picture_bpp or 0.0) >= _FROM_BPP

    def _chosen(
        self, moments: Sequence[Moment]
    ) -> tuple[tuple[int, ...], tuple[av.VideoFrame, ...]]:
        """Times and frames of those that are in the base layer."""
        chosen = moments[:: max(1, round(self._fps / _MOST_FPS))]
        return tuple(each.pts for each in chosen), tuple(_frame(each.picture) for each in chosen)

    def _expected(
        self, anchor: Anchor, times: Sequence[int], frames: Sequence[av.VideoFrame], room: int
    ) -> float:
        """The quantiser at which a chain should take so many bytes: it is coded once."""
        probe = len(self._code(anchor, 0, times, frames, _PROBE))
        return _PROBE + math.log(probe / max(room, 1)) / LOG_GROWTH

    def _code(
        self,
        anchor: Anchor,
        reference: int,
        times: Sequence[int],
        frames: Sequence[av.VideoFrame],
        quantiser: int,
    ) -> _Coded:
        with ChainEncoder(anchor, quantiser) as encoder:
            data = [encoder.encode(frame) for frame in frames]
        packets: list[Packet] = []
        quality = chain_crf(anchor, quantiser)
        for first, count in _cut(times, [len(each) for each in data], max(1, round(self._fps))):
            ends = range(first, first + count)
            afters = [0, *(times[at] - times[at - 1] for at in ends[1:])]
            group = BaseGroup(
                reference,
                self._chains % CHAINS,
                first + 1,
                quality,
                times[first] % WRAP,
                tuple((after, data[at]) for after, at in zip(afters, ends, strict=True)),
            )
            packets += group.to_packets()
        return _Coded(packets, sum(self._rate.framed(len(packet.payload)) for packet in packets))


def weave(packets: Sequence[Packet], base: Sequence[Packet], profile: str) -> list[Packet]:
    """Put the packets of the base layer among the others of a stretch: each group before the motion
    of its first frame, so that a receiver has it when that frame is due.

    Args:
        packets: of the stretch.
        base: of the base layer, in order.
        profile: of the motion.
    """
    result: list[Packet] = []
    waiting = list(base)
    for packet in packets:
        if packet.kind == Kind.MOTION:
            last = packet.pts + motion_ticks(profile, packet.payload)[-1]
            while waiting and (last - waiting[0].pts) % WRAP < WRAP // 2:
                result.append(waiting.pop(0))
        result.append(packet)
    return result + waiting


def _cut(times: Sequence[int], sizes: Sequence[int], most: int) -> list[tuple[int, int]]:
    """First frame and number of frames of each group: a second of them at most."""
    groups: list[tuple[int, int]] = []
    first, body = 0, 0
    for at, size in enumerate(sizes):
        count = at - first
        apart = times[at] - times[at - 1] > MAX_AFTER if count else False
        if count and (apart or count == min(most, MAX_FRAMES) or body >= _BODY):
            groups.append((first, count))
            first, body = at, 0
        body += size
    return [*groups, (first, len(sizes) - first)]


def _anchor(picture: npt.NDArray[np.uint8], size: int) -> Anchor | None:
    """A picture as the still of a chain, in about so many bytes; None if this machine cannot."""
    still = finish(fit_picture(picture, size, smallest=True))
    try:
        return Anchor(picture, still)
    except ConfigError:
        return None


def _frame(picture: npt.NDArray[np.uint8]) -> av.VideoFrame:
    return to_frame(picture, CODERS[StillCodec.AV1].pixels)
