"""`BaseLayer`: puts the bits that motion and references cannot use well into a base layer.

The base layer is a chain of AV1 frames (`codec/picture/chain.py`) that continues from the still of
a reference. A stretch of video that is known as a whole has one chain. Its quantiser is searched so
that the stretch takes the bytes that it should.

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
from ...codec.errors import ConfigError
from ...codec.motion.profiles import motion_ticks
from ...codec.packet import Kind, Packet
from ...codec.picture.after import Anchor
from ...codec.picture.chain import COARSEST, FINEST, ChainDecoder, ChainEncoder, chain_crf
from ...codec.picture.coded_picture import StillCodec
from ...codec.picture.coders import CODERS, to_frame
from ...codec.picture.fitting import fit_picture
from ...codec.picture.level_search import best_level
from ...codec.picture.steps import finish
from ..rate.control import MIN_PICTURE, RateControl

__all__ = ["GROWTH", "BaseChain", "BaseLayer", "BasePlan", "Moment", "pays", "weave"]

_log = logging.getLogger(__name__)
_FROM_BPP = 0.011
"""Bits a pixel of motion and pictures, sound apart, from which a base layer is considered."""
_LOST_AT_0_DB, _FALL = 2.6, 0.121
"""What fused pictures lose, by the PSNR of the base layer in dB: `2.6 * exp(-0.121 * PSNR)`, in the
unit of `expected_loss` (docs/rate.md). The structure that is lost, by which stills are judged, says
little about moving pictures: in noise and blur much of it is lost, and nobody misses it.
"""
_DB = 0.055
"""By how much a chain's PSNR falls with each step of its quantiser, in dB."""
GROWTH = 0.0142
"""By how much the logarithm of a chain's bytes usually falls with each step of its quantiser."""
_SHARE = 0.12  # of the bytes, for the still that a chain follows, at first
_USUAL = 30  # quantiser of a chain relative to its still at which their bytes are in proportion
_WORST = 80  # a chain that needs a coarser one has little room, and might not fit
_FOLLOWS = 0.7  # how far the still goes with the chain where the two lie far apart
_PROBE, _PROBED = 35, 100  # quantiser and frames of the chain that is coded as a trial
_JUDGED = 9  # every ninth of these frames is looked at; odd, so that all layers are
_MOST_DB = 50.0
_LARGEST = 12_000  # bytes of the still
_QUARTERS = 4  # of a quantiser index
_LEVELS = _QUARTERS * (COARSEST - FINEST)
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
        still: how many bytes the still may take from which it continues.
        quantiser: the quantiser that is expected to give the right number of bytes.
        loss: what fused pictures are expected to lose on average, in the unit of `expected_loss`.
    """

    times: tuple[int, ...]
    frames: tuple[av.VideoFrame, ...]
    still: int
    quantiser: float
    loss: float


@dataclass(frozen=True, slots=True)
class _Coded:
    """A coded chain and its packets. Its length is the bytes that these count for."""

    packets: list[Packet]
    size: int

    def __len__(self) -> int:
        return self.size


@dataclass(frozen=True, slots=True, eq=False)
class BaseChain:
    """A chain that follows a still.

    Attributes:
        anchor: the still.
        plan: what is coded.
    """

    anchor: Anchor
    plan: BasePlan
    _tried: dict[int, list[bytes]] = field(default_factory=dict)

    @property
    def first(self) -> int:
        """The level of quality that is expected to give the right number of bytes."""
        return min(max(round(_QUARTERS * (COARSEST - self.plan.quantiser)), 0), _LEVELS)

    def data(self, level: int) -> list[bytes]:
        """Code it at a level of quality, from 0, the coarsest, on; each is coded only once."""
        if level not in self._tried:
            self._tried[level] = _chain(self.anchor, self.plan.frames, _quantiser(level))
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
        """Share bytes between a chain and a still that is not coded yet.

        The first frames of the chain are coded once to see how many bytes they take.

        Args:
            picture: the picture of the still, or one like it.
            moments: the frames of the stretch that show somebody.
            room: bytes for both; None where no rate is set.

        Returns:
            None if there cannot be a chain, or the rate is too low for one.
        """
        if room is None or not pays(self._rate):
            return None
        size = min(max(round(_SHARE * room), MIN_PICTURE), _LARGEST)
        anchor = _anchor(picture, size)
        if anchor is None:
            return None
        chosen = moments[:: max(1, round(self._fps / _MOST_FPS))]
        times = tuple(moment.pts for moment in chosen)
        frames = tuple(_frame(moment.picture) for moment in chosen)
        count = min(len(chosen), _PROBED)
        try:
            probe = _chain(anchor, frames[:count], _PROBE)
        except ConfigError as error:
            _log.warning("no base layer, and further pictures instead: %s", error)
            return None
        taken = len(self._pack(probe, 0, times[:count], 0)) * len(chosen) / count
        quantiser = _PROBE + math.log(taken / max(room - size, 1)) / GROWTH
        psnr = _psnr(anchor, probe, chosen) - _DB * (quantiser - _PROBE)
        loss = _LOST_AT_0_DB * math.exp(-_FALL * psnr)
        # The still gets coarser or finer with the chain, by so much of a quantiser index.
        change = _FOLLOWS * (quantiser - _USUAL)
        still = round(min(max(size * math.exp(-GROWTH * change), MIN_PICTURE), _LARGEST))
        quantiser -= change
        if quantiser > _WORST:
            return None
        return BasePlan(times, frames, still, quantiser, loss)

    def begin(
        self, picture: npt.NDArray[np.uint8], plan: BasePlan, room: float
    ) -> BaseChain | None:
        """Code the still, and the chain once or twice, to see whether both fit.

        Args:
            picture: the picture of the still.
            plan: what is coded.
            room: how many bytes both may take.

        Returns:
            The chain, to be given to `code`; None if it does not fit even at its coarsest.
        """
        anchor = _anchor(picture, plan.still)
        if anchor is None:
            return None
        chain = BaseChain(anchor, plan)
        left = room - len(anchor.picture.data)
        coarser = math.exp(-GROWTH * chain.first / _QUARTERS)
        if _SURE * coarser * len(self._at(chain, 0, chain.first)) <= left:
            return chain
        return chain if len(self._at(chain, 0, 0)) <= left else None

    def code(self, chain: BaseChain, reference: int, room: float) -> list[Packet]:
        """Code a chain as well as so many bytes allow. If it does not fit at all, there are no
        packets.

        Args:
            chain: as `begin` gave it.
            reference: id of the keyframe whose picture it follows.
            room: how many bytes its packets may count for.
        """
        if room < 1:
            return []
        coded = finish(
            best_level(
                lambda level: self._at(chain, reference, level),
                np.linspace(0, GROWTH * (COARSEST - FINEST), _LEVELS + 1),
                int(room),
                chain.first,
            )
        )[1]
        if len(coded) > room:
            return []
        self._chains += 1
        return coded.packets

    def _at(self, chain: BaseChain, reference: int, level: int) -> _Coded:
        quality = chain_crf(chain.anchor, _quantiser(level))
        return self._pack(chain.data(level), reference, chain.plan.times, quality)

    def _pack(
        self, data: Sequence[bytes], reference: int, times: Sequence[int], quality: int
    ) -> _Coded:
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
        return _Coded(packets, sum(self._rate.framed(len(packet.payload)) for packet in packets))


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


def _anchor(picture: npt.NDArray[np.uint8], size: int) -> Anchor | None:
    """A picture as the still of a chain, in about so many bytes; None if this machine cannot make
    one.
    """
    still = finish(fit_picture(picture, size, smallest=True))
    try:
        return Anchor(picture, still)
    except ConfigError:
        return None


def _quantiser(level: int) -> float:
    """The quantiser of a chain at a level of quality, from 0, the coarsest, on."""
    return COARSEST - level / _QUARTERS


def _chain(anchor: Anchor, frames: Sequence[av.VideoFrame], quantiser: float) -> list[bytes]:
    """The coded frames of a chain."""
    with ChainEncoder(anchor, quantiser) as encoder:
        return [encoder.encode(frame) for frame in frames]


def _psnr(anchor: Anchor, chain: Sequence[bytes], moments: Sequence[Moment]) -> float:
    """Mean PSNR of a chain's pictures in dB, of each at most `_MOST_DB`."""
    decoder = ChainDecoder(anchor.picture)
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
