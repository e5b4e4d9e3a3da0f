"""`BaseLayer`: puts the bits that motion and references cannot use well into a base layer.

The base layer is a chain of AV1 frames that continues from the still of a reference. A stretch of
video that is known as a whole has one chain, which is coded together with its still
(`codec/picture/chain_ahead.py`). Their quality is searched so that both take the bytes that they
should.

Whether a chain fits at all is known before anything else of the stretch is coded, since the other
references are then planned without one.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt

from ...codec.base_packets import CHAINS, MAX_AFTER, MAX_FRAMES, BaseGroup
from ...codec.counters import WRAP
from ...codec.errors import MediaError
from ...codec.motion.profiles import motion_ticks
from ...codec.packet import Kind, Packet
from ...codec.picture.chain import ChainDecoder
from ...codec.picture.chain_ahead import BEST_CRF, STEPS, WORST_CRF, code_ahead
from ...codec.picture.coded_picture import CodedPicture, StillCodec
from ...codec.picture.coders import CODERS, to_frame
from ...codec.picture.level_search import best_level
from ...codec.picture.steps import finish
from ..rate.control import RateControl

__all__ = ["BaseChain", "BaseCoded", "BaseLayer", "BasePlan", "Moment", "pays", "weave"]

_log = logging.getLogger(__name__)
_FROM_BPP = 0.011
"""Bits a pixel of motion and pictures, sound apart, from which a base layer is considered."""
_LOST_AT_0_DB, _FALL = 2.2, 0.121
"""What fused pictures lose, by the PSNR of the base layer in dB: `2.2 * exp(-0.121 * PSNR)`, in the
unit of `expected_loss` (docs/rate.md). The structure that is lost, by which stills are judged, says
little about moving pictures: in noise and blur much of it is lost, and nobody misses it.
"""
_DB = 0.5
"""By how much the PSNR falls with each step of CRF, in dB."""
_GROWTH = 0.09
"""By how much the logarithm of the bytes usually falls with each step of CRF."""
_STILL = 0.1  # of the bytes, usually taken by the still
_CRF, _AT_BYTES = 60.0, 110.0  # of a chain that usually takes so many bytes a frame
_PROBED = 100  # frames that are coded as a trial
_JUDGED = 9  # every ninth of these frames is looked at; odd, so that all layers are
_MOST_DB = 50.0
_QUARTERS = 4  # of a step of CRF
_EACH = _QUARTERS * STEPS  # levels to a step of CRF
_LEVELS = _EACH * (WORST_CRF - BEST_CRF)
_NEAR = 0.993  # part of the bytes that is near enough to them
_SURE = 1.5  # a chain that is expected to fit by this factor need not be tried
_MOST_FPS = 30
_BODY = 16_000  # bytes of a group, which only its last frame may exceed


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
        times: the times of its frames, in ticks.
        frames: its frames, as the encoder takes them.
        crf: the quality that is expected to give the right number of bytes.
        still: how many bytes the still is expected to take.
        loss: what fused pictures are expected to lose on average, in the unit of `expected_loss`.
    """

    times: tuple[int, ...]
    frames: tuple[av.VideoFrame, ...]
    crf: float
    still: int
    loss: float


@dataclass(frozen=True, slots=True)
class BaseCoded:
    """A chain in packets, with its still. Its length is the bytes that they count for.

    Attributes:
        still: the picture of the reference that the chain follows.
        packets: the chain.
        size: bytes that both take.
    """

    still: CodedPicture
    packets: list[Packet]
    size: int

    def __len__(self) -> int:
        return self.size


@dataclass(frozen=True, slots=True, eq=False)
class BaseChain:
    """A chain, and the still that it follows.

    Attributes:
        still: the still's picture, as the encoder takes it.
        plan: what is coded.
    """

    still: av.VideoFrame
    plan: BasePlan
    _tried: dict[int, tuple[CodedPicture, list[bytes]]] = field(default_factory=dict)

    @property
    def first(self) -> int:
        """The level of quality that is expected to give the right number of bytes."""
        return min(max(STEPS * round(_QUARTERS * (WORST_CRF - self.plan.crf)), 0), _LEVELS)

    def data(self, level: int) -> tuple[CodedPicture, list[bytes]]:
        """Code it at a level of quality, from 0, the coarsest, on; each is coded only once."""
        if level not in self._tried:
            frames = [self.still, *self.plan.frames]
            self._tried[level] = code_ahead(frames, _crf(level), level % STEPS)
        return self._tried[level]


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
        """See what a chain and its still would give. Its first frames are coded once.

        Args:
            picture: the picture of the still, or one like it.
            moments: the frames of the stretch that show somebody.
            room: bytes for both; None where no rate is set.

        Returns:
            None if the rate is too low for a chain, or not known, or nobody is shown, or this
            machine's encoder refuses.
        """
        chosen = moments[:: max(1, round(self._fps / _MOST_FPS))]
        if room is None or room < 1 or not chosen or not pays(self._rate):
            return None
        times = tuple(moment.pts for moment in chosen)
        frames = tuple(_frame(moment.picture) for moment in chosen)
        count = min(len(chosen), _PROBED)
        crf = _CRF - math.log((1 - _STILL) * room / len(chosen) / _AT_BYTES) / _GROWTH
        crf = _within(crf)
        try:
            still, probe = code_ahead([_frame(picture), *frames[:count]], crf)
        except MediaError as error:
            _log.warning("no base layer, and further pictures instead: %s", error)
            return None
        taken = self._framed(self._pack(probe, 0, times[:count], 0)) * len(chosen) / count
        coarser = math.log((taken + len(still.data)) / room) / _GROWTH
        psnr = _psnr(still, probe, chosen) - _DB * coarser
        loss = _LOST_AT_0_DB * math.exp(-_FALL * psnr)
        size = round(len(still.data) * math.exp(-_GROWTH * coarser))
        return BasePlan(times, frames, crf + coarser, size, loss)

    def begin(
        self, picture: npt.NDArray[np.uint8], plan: BasePlan, room: float
    ) -> BaseChain | None:
        """Begin a chain: code it once or twice, to see whether it fits.

        Args:
            picture: the picture of the still.
            plan: what is coded.
            room: how many bytes both may take.

        Returns:
            The chain, to be given to `code`; None if it does not fit even at its coarsest.
        """
        chain = BaseChain(_frame(picture), plan)
        coarsest = math.exp(-_GROWTH * chain.first / _EACH)
        if _SURE * coarsest * len(self._at(chain, 0, 1, chain.first)) <= room:
            return chain
        return chain if len(self._at(chain, 0, 1, 0)) <= room else None

    def code(self, chain: BaseChain, reference: int, shape: int, room: float) -> BaseCoded | None:
        """Code a chain and its still as well as so many bytes allow.

        Args:
            chain: as `begin` gave it.
            reference: id of the keyframe that gets the still.
            shape: bytes of that keyframe's shape.
            room: how many bytes the packets of both may count for.

        Returns:
            None if they do not fit at all.
        """
        if room < 1:
            return None
        coded = finish(
            best_level(
                lambda level: self._at(chain, reference, shape, level),
                np.linspace(0, _GROWTH * (WORST_CRF - BEST_CRF), _LEVELS + 1),
                int(room),
                chain.first,
                _NEAR,
            )
        )[1]
        if len(coded) > room:
            return None
        self._chains += 1
        return coded

    def _at(self, chain: BaseChain, reference: int, shape: int, level: int) -> BaseCoded:
        still, data = chain.data(level)
        packets = self._pack(data, reference, chain.plan.times, math.ceil(_crf(level)))
        size = self._rate.keyframe_bytes(len(still.data), shape) + self._framed(packets)
        return BaseCoded(still, packets, size)

    def _pack(
        self, data: Sequence[bytes], reference: int, times: Sequence[int], quality: int
    ) -> list[Packet]:
        """Coded frames as packets."""
        packets: list[Packet] = []
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
        return packets

    def _framed(self, packets: Sequence[Packet]) -> int:
        return sum(self._rate.framed(len(packet.payload)) for packet in packets)


def pays(rate: RateControl) -> bool:
    """Whether the rate is high enough for a base layer."""
    return (rate.picture_bpp or 0.0) >= _FROM_BPP


def weave(packets: Sequence[Packet], base: Sequence[Packet], profile: str) -> list[Packet]:
    """Put the packets of the base layer among the others of a stretch: each group before the motion
    of its first frame, so that a receiver has it when that frame is due.

    Args:
        packets: the other packets of the stretch.
        base: the packets of the base layer, in order.
        profile: the profile of the motion.
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
    """The first frame and the number of frames of each group, which lasts at most a second."""
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


def _within(crf: float) -> float:
    """The nearest quarter of the range."""
    return min(max(round(_QUARTERS * crf) / _QUARTERS, BEST_CRF), WORST_CRF)


def _crf(level: int) -> float:
    """The CRF at a level of quality, from 0, the coarsest, on."""
    return WORST_CRF - level // STEPS / _QUARTERS


def _psnr(still: CodedPicture, chain: Sequence[bytes], moments: Sequence[Moment]) -> float:
    """Mean PSNR of a chain's pictures in dB, of each at most `_MOST_DB`."""
    decoder = ChainDecoder(still)
    shown = [decoder.decode(data) for data in chain]
    judged = range(min(_JUDGED // 2, len(shown) - 1), len(shown), _JUDGED)
    errors = [
        float(np.square(np.subtract(moments[at].picture, shown[at], dtype=np.float32)).mean())
        for at in judged
    ]
    return sum(min(10 * math.log10(255**2 / (error + 1e-9)), _MOST_DB) for error in errors) / len(
        errors
    )


def _frame(picture: npt.NDArray[np.uint8]) -> av.VideoFrame:
    return to_frame(picture, CODERS[StillCodec.AV1].pixels)
