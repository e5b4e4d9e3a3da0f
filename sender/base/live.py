"""`LiveBase`: the base layer of a call, frame by frame.

A chain continues from a reference that the receiver has, and keeps its quantiser as long as that
fits the rate. When it does not fit, or when the receiver has lost the chain, another chain begins
at the newest such reference. A frame for which there is no room is left out; the receiver then
shows the generated picture.

A fine still would allow no coarse chain, since SVT-AV1 can add only so much to its quantiser. So
the references of such a call are coded around the quantiser at which chains are expected to lie
(`LiveBase.middle`), and stay as fine as they were. If so much moves that even the coarsest chain
has room for few frames, it is worth less than what else the bits could buy, and the base layer
rests.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from ...codec.base_packets import CHAINS, MAX_AFTER, MAX_INDEX, BaseGroup
from ...codec.counters import WRAP
from ...codec.errors import ConfigError, MediaError
from ...codec.packet import Packet
from ...codec.picture.after import Anchor
from ...codec.picture.chain import COARSEST, FINEST, ChainEncoder, chain_crf
from ...codec.picture.coded_picture import StillCodec
from ..motion.animation import Animation
from ..observed import View
from ..rate.control import RateControl
from ..references.reference import Reference
from ..still_work import StillJob, StillWork
from .layer import pays

__all__ = ["LiveBase"]

_GROWTH = 0.0142  # of the logarithm of a chain's bytes, with each step of its quantiser
_SHARE = 0.8  # of what sound and motion leave of the rate
_CRF, _AT_BYTES = 56.0, 80.0  # of a chain that usually takes so many bytes a frame
_COARSER_THAN_MIDDLE = 11  # CRF by which chains usually are coarser than the middle of their range
_FINEST_MIDDLE, _COARSEST_MIDDLE = 24, 48
_JUDGED = 48  # frames: six rounds of the layers
_FEWEST = 4  # frames by which a chain that had room for few is judged
_TOO_DEAR, _TOO_CHEAP = 1.4, 1 / 1.5  # times its bytes, beyond which a chain is replaced
_DEAR_S, _CHEAP_S = 2.0, 4.0  # from one chain to the next, at least
_FINER, _COARSER = 8.0, 16.0  # CRF from one chain to the next, at most
_IN_DEBT_S = 0.5  # while so many seconds of the rate are overdrawn,
_LESS = 0.5  # it takes this part of its share
_LOST_S = 0.5  # the same, where the receiver has lost it
_TRIED_S = 3.0  # after which a chain is judged by how many frames it had room for
_LEAST = 0.12  # of the frames, below which it is given up
_COARSE = COARSEST - 16  # quantiser from which on a chain cannot become much coarser
_REST_S = 10.0  # before the base layer is tried again
_DEBT_S, _SAVED_S = 0.2, 0.4  # seconds of its rate that may be overdrawn or saved
_FRAME_BYTES = 3.0  # of a frame in its group beside its data
_GROUP_S = Fraction(1, 8)  # seconds of frames in a group


@dataclass(slots=True, eq=False)
class _Chain:
    """The chain that is being coded; `sizes` are the bytes of its last frames."""

    encoder: ChainEncoder
    anchor: Anchor
    reference: int
    number: int
    quantiser: float
    began: Fraction
    count: int = 0
    sizes: deque[int] = field(default_factory=lambda: deque(maxlen=_JUDGED))
    waiting: list[tuple[int, bytes]] = field(default_factory=list)  # time, data

    def wanted_crf(self, frame_bytes: float) -> float:
        """The CRF that should take so many bytes a frame, judged by what the last frames took. It
        differs from the present one only so far as that judgement can be trusted.
        """
        crf = self.anchor.crf + self.quantiser / 4
        if len(self.sizes) < _FEWEST:
            return crf
        taken = sum(self.sizes) / len(self.sizes)
        change = math.log(max(taken, 1.0) / max(frame_bytes, 1.0)) / _GROWTH / 4
        return crf + min(max(change, -_FINER), _COARSER)

    def group(self) -> BaseGroup:
        """The frames that wait."""
        times = [pts for pts, _ in self.waiting]
        afters = [0, *(later - earlier for earlier, later in pairwise(times))]
        return BaseGroup(
            self.reference,
            self.number % CHAINS,
            self.count - len(times) + 1,
            chain_crf(self.anchor, self.quantiser),
            times[0] % WRAP,
            tuple((after, data) for after, (_, data) in zip(afters, self.waiting, strict=True)),
        )


class LiveBase:
    """Codes the base layer of one call.

    Args:
        fps: frames a second of the stream.
        animation: knows the references that the receiver has.
        rate: counts the bytes.
        work: finds what a chain needs of its still.

    Attributes:
        allowed: whether a base layer may be sent now.
    """

    def __init__(
        self, fps: Fraction, animation: Animation, rate: RateControl, work: StillWork
    ) -> None:
        self.allowed = True
        self._work = work
        self._fps, self._animation, self._rate = fps, animation, rate
        self._together = max(1, int(fps * _GROUP_S))
        self._chains = 0
        self._chain: _Chain | None = None
        self._search: tuple[Reference, StillJob[Anchor | None]] | None = None
        self._unusable: Reference | None = None
        self._lost = False
        self._rests_until = Fraction(0)
        self._rests = False
        self._bucket = 0.0
        self._earned_at: Fraction | None = None

    @property
    def share(self) -> float:
        """The part that the base layer takes of what sound and motion leave; 0 if it is off."""
        return _SHARE if self.allowed and not self._rests and pays(self._rate) else 0.0

    @property
    def middle(self) -> float | None:
        """The CRF around which chains of this rate lie; None if it is too low for a base layer.
        References are coded so that chains may follow them there.
        """
        if not pays(self._rate):
            return None
        crf = round(self._usual_crf - _COARSER_THAN_MIDDLE)
        return float(min(max(crf, _FINEST_MIDDLE), _COARSEST_MIDDLE))

    @property
    def is_full(self) -> bool:
        """Whether the frames that wait are enough for a group."""
        return self._chain is not None and len(self._chain.waiting) >= self._together

    def clear(self) -> None:
        """End the chain: nothing after this may depend on what was before."""
        if self._chain is not None:
            self._chain.encoder.close()
        self._chain = self._search = self._animation.followed = None
        self._lost = False

    def want_another(self) -> None:
        """The receiver has lost the chain: begin another one soon."""
        self._lost = True

    def push(self, view: View | None, pts: int, now: Fraction) -> list[Packet]:
        """Code a frame, if there is room.

        Args:
            view: what the frame shows; None if nothing is known of the person.
            pts: its time in ticks.
            now: seconds from the beginning of the stream to the end of the frame.

        Returns:
            Packets of earlier frames that must leave before it; see `flush`.
        """
        self._rests = now < self._rests_until
        self._earn(now)
        if view is None or not self.share:
            return []
        before: list[Packet] = []
        if self._chain is not None and self._is_thin(self._chain, now):
            before = self.flush()
            self._rests_until, self._rests = now + Fraction(_REST_S), True
            self.clear()
            return before
        chain = self._chain
        if chain is None or self._is_over(chain, now):
            before = self.flush()
            chain = self._begin(now)
        if chain is None or self._bucket < -_DEBT_S * self._per_second:
            return before
        if chain.waiting and pts - chain.waiting[-1][0] > MAX_AFTER:
            before += self.flush()
        try:
            data = chain.encoder.encode(view.seen.picture)
        except MediaError:
            self.clear()
            return before
        chain.waiting.append((pts, data))
        chain.sizes.append(len(data))
        chain.count += 1
        self._bucket -= len(data) + _FRAME_BYTES
        return before

    def flush(self) -> list[Packet]:
        """The packets of the frames that wait. They are counted, but have no numbers yet."""
        chain = self._chain
        if chain is None or not chain.waiting:
            return []
        packets = chain.group().to_packets()
        data = sum(len(data) for _, data in chain.waiting)
        framed = sum(self._rate.framed(len(packet.payload)) for packet in packets)
        self._bucket -= framed - data - _FRAME_BYTES * len(chain.waiting)
        chain.waiting = []
        self._rate.count(packets)
        return packets

    @property
    def _per_second(self) -> float:
        return self.share * self._rate.free()

    @property
    def _frame_bytes(self) -> float:
        return self._per_second / float(self._fps) - _FRAME_BYTES

    @property
    def _usual_crf(self) -> float:
        """The CRF of chains that usually fit the rate."""
        frame_bytes = max(_SHARE * self._rate.free() / float(self._fps) - _FRAME_BYTES, 1.0)
        return _CRF - math.log(frame_bytes / _AT_BYTES) / _GROWTH / 4

    def _earn(self, now: Fraction) -> None:
        passed = 0.0 if self._earned_at is None else max(float(now - self._earned_at), 0.0)
        self._earned_at = now
        rate = self._per_second
        if rate and self._rate.left(now) < -_IN_DEBT_S * (self._rate.per_second or 0.0):
            rate *= _LESS  # a keyframe is not earned back yet
        self._bucket = min(self._bucket + passed * rate, _SAVED_S * rate)

    def _is_over(self, chain: _Chain, now: Fraction) -> bool:
        """Whether another chain should begin."""
        since = float(now - chain.began)
        if chain.count >= MAX_INDEX:
            return True
        if self._lost:
            return since >= _LOST_S
        crf = chain.wanted_crf(self._frame_bytes)
        quantiser = min(max(4 * (crf - chain.anchor.crf), FINEST), COARSEST)
        change = (quantiser - chain.quantiser) * _GROWTH
        dear, cheap = change > math.log(_TOO_DEAR), change < math.log(_TOO_CHEAP)
        return (dear and since >= _DEAR_S) or (cheap and since >= _CHEAP_S)

    def _is_thin(self, chain: _Chain, now: Fraction) -> bool:
        """Whether the chain had room for too few of the frames, and no coarser one is possible."""
        since = float(now - chain.began)
        few = since >= _TRIED_S and chain.count < _LEAST * since * float(self._fps)
        return few and chain.quantiser >= _COARSE

    def _begin(self, now: Fraction) -> _Chain | None:
        """Begin another chain as soon as the still from which it continues is ready. Until then,
        the old chain goes on.
        """
        reference, anchor = self._anchor()
        if reference is None or anchor is None:
            return self._chain
        crf = self._usual_crf
        if self._chain is not None:
            crf = self._chain.wanted_crf(self._frame_bytes)
        self.clear()
        quantiser = min(max(4 * (crf - anchor.crf), FINEST), COARSEST)
        try:
            encoder = ChainEncoder(anchor, quantiser)
        except ConfigError:
            self._unusable = reference
            return None
        self._chain = _Chain(encoder, anchor, reference.id, self._chains, quantiser, now)
        self._chains += 1
        self._animation.followed = reference
        return self._chain

    def _anchor(self) -> tuple[Reference | None, Anchor | None]:
        """The newest still that the receiver has, in the form that a chain needs. To find its
        quantiser takes up to four codings, one in each call.
        """
        stills = [
            known
            for known in self._animation.known
            if known.coded is not None
            and known.coded.codec is StillCodec.AV1
            and known is not self._unusable
            and self._animation.is_confirmed(known)
        ]
        if not stills:
            return None, None
        newest = max(stills, key=lambda known: known.pts)
        if self._search is None or self._search[0] is not newest:
            if self._search is not None:
                self._search[1].drop()
            self._search = newest, self._work.begin(newest.anchor())
        job = self._search[1]
        if not job.advance():
            return None, None
        self._search = None
        if job.result is None:
            self._unusable = newest
        return newest, job.result
