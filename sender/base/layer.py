"""`BaseLayer`: puts the bits that motion and references cannot use well into a base layer.

The base layer is a chain of AV1 frames (`codec/picture/chain.py`) that continues from the still of
a reference. A stretch of video that is known as a whole has one chain. Its quantiser is searched so
that the stretch takes the bytes that it should.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
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

__all__ = ["GROWTH", "BaseLayer", "BasePlan", "Moment", "pays", "weave"]

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

    data: list[bytes]
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
            probe = self._code(anchor, 0, times[:count], frames[:count], _PROBE)
        except ConfigError as error:
            _log.warning("no base layer, and further pictures instead: %s", error)
            return None
        taken = len(probe) * len(chosen) / count
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

    def code(self, anchor: Anchor, reference: int, plan: BasePlan, room: float) -> list[Packet]:
        """Code a chain as well as so many bytes allow. If it does not fit at all, there are no
        packets.

        Args:
            anchor: the still from which it continues.
            reference: id of that keyframe.
            plan: what is coded.
            room: how many bytes its packets may count for.
        """
        if room < 1:
            return []
        coded = finish(
            best_level(
                lambda level: self._code(
                    anchor, reference, plan.times, plan.frames, COARSEST - level / _QUARTERS
                ),
                np.linspace(0, GROWTH * (COARSEST - FINEST), _QUARTERS * (COARSEST - FINEST) + 1),
                int(room),
                round(_QUARTERS * (COARSEST - plan.quantiser)),
            )
        )[1]
        if len(coded) > room:
            return []
        self._chains += 1
        return coded.packets

    def _code(
        self,
        anchor: Anchor,
        reference: int,
        times: Sequence[int],
        frames: Sequence[av.VideoFrame],
        quantiser: float,
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
        return _Coded(
            data, packets, sum(self._rate.framed(len(packet.payload)) for packet in packets)
        )


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


def _psnr(anchor: Anchor, chain: _Coded, moments: Sequence[Moment]) -> float:
    """Mean PSNR of a chain's pictures in dB, of each at most `_MOST_DB`."""
    decoder = ChainDecoder(anchor.picture)
    shown = [decoder.decode(data) for data in chain.data]
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
