"""`Outgoing`: the half of a call that sends. It makes datagrams out of frames, sound and reports.

camera, microphone → Encoder → packets ─┬→ prompt: sound, motion, STREAM ─┬→ Datagram → network
                                        ├→ base: the base layer ──────────┤
                                        └→ patient: keyframes, identity ──┘
                                           (both as rate and line allow)

Sound and motion of the same time share a datagram, and parts of keyframes fill it up. If datagrams
are lost, each carries a copy of the sound and the motion of the one before. If the network has a
reliable channel, the first keyframe goes over it, with the STREAM packet and the signatures of
both.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..codec.control import Arrivals, Control, Wants
from ..codec.counters import WRAP, nearest
from ..codec.keyframe import fragment_of
from ..codec.packet import Kind, Packet
from ..sender.encoder import Encoder
from .base_queue import BaseQueue
from .config import CallConfig
from .outgoing_statistics import OutgoingStatistics
from .pack import HEAD_BYTES, Datagram, batches, entry_size
from .prompt_queue import PromptQueue
from .rate_estimate import LineEstimate
from .signing import Proofs

__all__ = ["Outgoing"]

_THIN_KBPS = 14.0  # below this, two packets of sound share a datagram
_COPY_FROM, _COPY_UNTIL = 0.03, 0.015  # loss at which copies begin and end
_SOUND_DEBT_S = 0.8  # of the rate that copies of sound may take in advance
_COPY_DEBT_S = 0.1  # the same for copies of motion and light
_STEP_S = 0.1  # between two settings of the encoder's rate
_SMOOTH_S = 2.0  # over which the cost of copies and reports is averaged
_LID_S = 0.25  # of the rate that may be saved for keyframes
_FIRST_BYTES = 1600  # of the first picture, which goes at once, whatever rate and line say
_DEBT_S = 1.0  # of the rate that can be taken in advance, by it or by sound and motion
_PATIENT_S = 0.08  # of the rate that keyframes may add to one datagram, so that sound is not late
_LEAST_PATIENT = 160  # bytes that they may add in any case
_SPARE_S = 0.05  # of the rate that keyframes leave to sound and motion of the line's room
_HELD_S = 0.2  # that sound and motion wait for a line that is full
_PROBE_S = 0.24  # between datagrams that leave in any case, since one must show the line's return
_SOUND_OVER = 100  # bytes beyond the line's room that sound may still take
_RELIABLE_BYTES = 188  # that the headers of a reliable packet and its confirmation take
_DELIVERED_S = 5.0  # after so long, a reliable message was lost with its connection
_KEPT_PATIENT = 512  # packets that wait for the rate, at most
_BASE_FROM, _BASE_UNTIL = 0.05, 0.08
"""The base layer begins where less than the first part of the datagrams is lost, and stops where
more than the second is: a chain could hardly ever go on then.
"""
_BASE_DEBT_S = 0.75  # of the rate that the base layer may take in advance, at most
_BEGINS = Wants.STREAM | Wants.KEYFRAME  # what somebody wants who has nothing
_PROMPT = (Kind.AUDIO, Kind.MOTION, Kind.LIGHT, Kind.STREAM)


class Outgoing:
    """Sends one side's stream.

    Args:
        config: of the call.
        encoder: codes frames and sound; its rate is set from here.
        now: seconds of this side's clock.

    Attributes:
        encoder: as given.
        line: the estimate of what the line carries.
        statistics: see `OutgoingStatistics`.
    """

    def __init__(self, config: CallConfig, encoder: Encoder, now: float) -> None:
        self.encoder = encoder
        self.line = LineEstimate(config.kbps, min(config.kbps, 14.0))
        self.statistics = OutgoingStatistics()
        self._config = config
        self._ceiling = config.kbps
        self._prompt = PromptQueue()
        self._patient: deque[Packet] = deque()
        self._base = BaseQueue()
        self._can_fuse = True  # the peer
        self._copies: tuple[Packet, ...] = ()
        self._copying = False
        self._proofs: Proofs | None = None
        self._sequence = self._number = self._controls = 0
        self._tokens = 0.0
        self._refilled = now
        self._adapted = float("-inf")
        self._more = 1.0  # kbit/s of reports and copies, smoothed
        self._counted = 0  # bytes of them since `_adapted`
        self._extra = 0.0  # datagrams a second beyond those that are planned, smoothed
        self._left = 0  # datagrams since `_adapted`
        self._departed = now  # when the last datagram left
        self._reliable: list[bytes] = []  # datagrams for the reliable channel
        self._first_at: float | None = None  # when it was given out
        self._confirmed = False  # the peer has a reference of this stream
        self._first = 0  # bytes of references that were sent before that
        self._adapt(now)

    def bind(self, proofs: Proofs) -> None:
        """From now on, sign what is sent."""
        self._proofs = proofs

    def set_ceiling(self, kbps: float, now: float) -> None:
        """Set another highest rate in 1000 bits a second, from now on."""
        self._ceiling = kbps
        self.line.set_ceiling(kbps)
        self._adapt(now)

    def allow_base(self, can_fuse: bool) -> None:
        """Say whether the peer can show a base layer. If he cannot, none is sent."""
        self._can_fuse = can_fuse

    def change_encoder(self, encoder: Encoder, now: float) -> None:
        """Send another stream from now on, as after a restart; what waits of the old one is left
        out. The old encoder is not closed.
        """
        self.encoder = encoder
        self._prompt.clear()
        self._patient.clear()
        self._base.clear()
        self._copies = ()
        self._confirmed, self._first, self._first_at = False, 0, None
        if self._proofs is not None:
            self._proofs.restart()
        self._adapt(now)

    def greet(self, now: float) -> None:
        """Note that the peer begins anew: he has nothing of this stream, and the line may have
        changed.
        """
        self.line.restart()
        if self._confirmed:  # what waits of a picture depends on others that he no longer has
            self._patient.clear()
            self._base.clear()
        self._confirmed, self._first = False, 0
        if not self._is_delivering(now):
            self._first_at = None
        if self._proofs is not None:
            self._proofs.restart()
        self.encoder.feed(self._without_delivered(Control(wants=_BEGINS), now), now)

    @property
    def kbps(self) -> float:
        """The rate that everything together may take now."""
        return min(self._ceiling, self.line.kbps)

    @property
    def together_s(self) -> float:
        """Seconds of sound and motion in a datagram at this rate."""
        return self._together * self.encoder.together_ms / 1000

    @property
    def _together(self) -> int:
        """How many packets of each kind share a datagram."""
        return 2 if self.kbps < _THIN_KBPS else 1

    def reliably(self) -> list[bytes]:
        """Datagrams for the reliable channel since the last call, all in one message."""
        taken, self._reliable = self._reliable, []
        return taken

    def take(self, packets: Iterable[Packet], now: float) -> None:
        """Put what the encoder gave into the queues."""
        packets = list(packets)
        if not packets:
            return
        first = self._first_keyframe(packets)
        if first:
            self._send_reliably(first, now)
        for packet in packets:
            if packet in first:
                continue
            if packet.kind in _PROMPT:
                self._prompt.add(packet, now)
            elif packet.kind is Kind.BASE:
                self._base.add(packet, now)
            elif len(self._patient) < _KEPT_PATIENT:
                self._patient.append(packet)

    def report(self, control: Control, now: float) -> None:
        """Take a report of the peer on this stream."""
        if control.arrivals is not None:
            arrivals = self._arrivals(control.arrivals)
            self.line.report(arrivals, now)
            self._base.report(arrivals)
            most = _COPY_UNTIL if self._copying else _COPY_FROM
            self._copying = self.line.loss > most
        if control.session == self.encoder.header.session and control.references is not None:
            confirmed = self.encoder.can_show(control.references)
            if self._confirmed and not confirmed:
                self._first = 0  # what shows him something again is as urgent as the first picture
            self._confirmed = confirmed
        if self._proofs is not None:
            self._proofs.report(control, self.encoder.header.session)
        self.encoder.feed(self._without_delivered(control, now), now)

    def _without_delivered(self, control: Control, now: float) -> Control:
        """The report; without its wish for a keyframe while one is on its way reliably."""
        if self._confirmed or not self._is_delivering(now):
            return control
        return replace(control, wants=control.wants & ~Wants.KEYFRAME, missing=None)

    def _arrivals(self, arrivals: Arrivals) -> Sequence[tuple[int, float | None]]:
        """Full numbers and times of arrival."""
        first = nearest(arrivals.first, self._number)
        start = arrivals.start / 1000
        return [
            (first + index, None if time is None else start + time)
            for index, time in enumerate(arrivals.times)
            if first + index < self._number
        ]

    def due(self, now: float) -> float:
        """The time by which `send` will have something to send; infinite if nothing waits."""
        due = self._prompt.due(now, self.encoder.together_ms / 1000, self._together)
        if self._patient and not self._rides(now) and self._may_send(self._patient[0], now):
            return now
        return due

    def send(self, now: float, reports: Sequence[Packet] = ()) -> list[bytes]:
        """The datagrams that are due.

        Args:
            now: seconds of this side's clock.
            reports: CONTROL packets to send with them, or alone; they get their numbers here.
        """
        self._refill(now)
        if now - self._adapted >= _STEP_S:
            self._adapt(now)
        if not reports and self.due(now) > now:
            return []
        ready = self._ready(now)
        base = self._layered(ready, now)
        fresh = [
            self._numbered(packet)
            for packet in [*(packet for _, packet in base), *ready, *self._affordable(now)]
        ]
        ready_since = {each.sequence: since for each, (since, _) in zip(fresh, base, strict=False)}
        copies = self._copied(fresh)
        proofs = self._proven(fresh, now)
        self._counted += self.statistics.count(fresh, reports, copies, proofs)
        more = [self._numbered_control(packet) for packet in [*proofs, *reports]]
        datagrams: list[bytes] = []
        for batch in batches([*copies, *fresh, *more]):
            layered = [packet for packet in batch if packet.kind is Kind.BASE]
            self._base.sent(self._number, [(ready_since[p.sequence], p) for p in layered])
            datagrams.append(self._datagram(batch, now))
        return datagrams

    def _layered(self, ready: Sequence[Packet], now: float) -> list[tuple[float, Packet]]:
        """The packets of the base layer that leave with these packets of sound and motion; none
        leaves alone. If one can no longer leave in time, the encoder begins another chain.
        """
        if self._base.is_late(now):
            self._base.clear()
            self.statistics.chains_lost += 1
            self.encoder.feed(Control(wants=Wants.BASE), now)
        if not ready:
            return []
        size = sum(map(entry_size, ready))
        room = min(self.line.room(now), self._tokens + _BASE_DEBT_S * self.kbps * 125) - size
        return self._base.take(room)

    def _proven(
        self, fresh: Sequence[Packet], now: float, *, reliably: bool = False
    ) -> list[Packet]:
        """The signatures that leave with these packets."""
        if self._proofs is None or not fresh:
            return []
        session = self.encoder.header.session
        proofs = self._proofs.accompany(fresh, session, now, reliably=reliably)
        return [Control(proof=proof).to_packet(0) for proof in proofs]

    def _first_keyframe(self, packets: Sequence[Packet]) -> list[Packet]:
        """The packets of a keyframe that leaves by the reliable channel: the very first one, or the
        first one for a peer who begins anew. If it does not arrive, the next one goes in datagrams.
        """
        if not self._config.reliable or self._confirmed or self._first_at is not None:
            return []
        parts = [packet for packet in packets if packet.kind is Kind.KEYFRAME]
        whole = bool(parts) and len(parts) == fragment_of(parts[0])[1]
        return parts if whole else []

    def _is_delivering(self, now: float) -> bool:
        """Whether a keyframe is on its way in the reliable channel."""
        return self._first_at is not None and now - self._first_at < _DELIVERED_S

    def _send_reliably(self, parts: Sequence[Packet], now: float) -> None:
        """Make a message with a keyframe, the stream's parameters, and the proofs of both. The
        estimate of the line does not count it: parts that are lost come later, as if from a queue.
        """
        stream = self.encoder.header.to_packet(0)
        fresh = [self._numbered(packet) for packet in (stream, *parts)]
        more = [
            self._numbered_control(packet) for packet in self._proven(fresh, now, reliably=True)
        ]
        for batch in batches([*more, *fresh]):
            self._reliable.append(self._datagram(batch, now, reliable=True))
        self._counted += self.statistics.count(fresh, (), (), more)
        self._first_at = now

    def _rides(self, now: float) -> bool:
        """Whether keyframes wait for the next datagram of sound or motion, because datagrams of
        their own would cost too many headers. The first picture does not wait.
        """
        return self._confirmed and self._prompt.flows(now, 2 * self.together_s)

    def _ready(self, now: float) -> list[Packet]:
        """The sound and motion that leave now. While more is on its way than the line can take,
        they wait a moment for a report; what is too old by then is left out. If nothing arrives at
        all, only the newest waits, so that sound does not begin again late.
        """
        held_s = _HELD_S / 4 if self.line.stalled(now) else _HELD_S
        ready, late = self._prompt.take(
            lambda packet, size: self._has_line(packet, size, now), now, held_s
        )
        for packet in late:
            self._leave_out(packet)
        return ready

    def _leave_out(self, packet: Packet) -> None:
        """Do not send a packet. Motion leaves its number free: so the peer knows that it is missing
        and not paused, and the mouth goes on with the sound.
        """
        self.statistics.held_back += 1
        if packet.kind is Kind.MOTION:
            self._sequence = (self._sequence + 1) % WRAP

    def _has_line(self, packet: Packet, before: int, now: float) -> bool:
        """Whether the line takes a packet of sound or motion after so many bytes. Sound is the
        last thing to stop. Before the first picture has arrived, that picture fills the line, and
        nothing is held back because of it.
        """
        if packet.kind is Kind.STREAM or not self._confirmed:
            return True
        if self.line.stalled(now) and now - self._departed >= _PROBE_S and not before:
            return True
        return self.line.room(now) - before >= (-_SOUND_OVER if packet.kind is Kind.AUDIO else 0)

    def _may_send(self, packet: Packet, now: float) -> bool:
        """Whether rate and line have room for a packet of a keyframe. The base layer goes first,
        because it is late sooner.
        """
        if not self._confirmed and self._first < _FIRST_BYTES:
            return True
        if self._base.waiting:
            return False
        least = 0.0 if self._confirmed else -_DEBT_S * self.kbps * 125
        return self._tokens >= least and self.line.room(now) >= _SPARE_S * self.kbps * 125

    def _affordable(self, now: float) -> list[Packet]:
        """The packets of keyframes for which there is room now."""
        most = max(_PATIENT_S * self.kbps * 125, _LEAST_PATIENT)
        taken: list[Packet] = []
        size = 0
        while self._patient and self._may_send(self._patient[0], now):
            size += len(self._patient[0].payload)
            if taken and size > most:
                break
            taken.append(self._patient.popleft())
            self._first += 0 if self._confirmed else len(taken[-1].payload)
        return taken

    def _numbered(self, packet: Packet) -> Packet:
        numbered = replace(packet, sequence=self._sequence)
        self._sequence = (self._sequence + 1) % WRAP
        return numbered

    def _numbered_control(self, packet: Packet) -> Packet:
        self._controls = (self._controls + 1) % WRAP
        return replace(packet, sequence=self._controls)

    def _copied(self, fresh: Sequence[Packet]) -> list[Packet]:
        """Copies of the sound and the motion of the datagram before, if datagrams are lost, as far
        as the rate has room, first of all for sound. A copy that has none counts as sent all the
        same, so that the encoder stays as coarse as it must be for all of them.
        """
        wanted = self._copies if self._copying and fresh else ()
        if fresh:
            self._copies = tuple(p for p in fresh if p.kind in _PROMPT[:3])
        room = self._tokens - sum(map(entry_size, fresh))
        copies = []
        for packet in wanted:
            debt_s = _SOUND_DEBT_S if packet.kind is Kind.AUDIO else _COPY_DEBT_S
            if room + debt_s * self.kbps * 125 >= entry_size(packet):
                room -= entry_size(packet)
                copies.append(packet)
            else:
                self._counted += entry_size(packet)
        return copies

    def _datagram(self, packets: Sequence[Packet], now: float, *, reliable: bool = False) -> bytes:
        session = self.encoder.header.session % WRAP
        data = bytes(Datagram(session, self._number % WRAP, int(now * 1000) % WRAP, (*packets,)))
        size = len(data) + (_RELIABLE_BYTES if reliable else self._config.overhead_bytes)
        self._tokens -= size
        if not reliable:
            self.line.sent(self._number, size, now)
        self._number += 1
        self.statistics.headers += size - sum(map(entry_size, packets))
        self.statistics.datagrams += 1
        self._left += not reliable
        self._departed = now
        return data

    def _refill(self, now: float) -> None:
        """Fill the bucket of the whole rate: keyframes leave while there is something in it."""
        passed = max(now - self._refilled, 0.0)
        self._refilled = max(now, self._refilled)
        rate = self.kbps * 125
        tokens = min(self._tokens + passed * rate, _LID_S * rate)
        self._tokens = max(tokens, -_DEBT_S * rate)

    def _adapt(self, now: float) -> None:
        """Set the encoder's rate to what headers, reports and copies leave of the whole rate."""
        passed = now - self._adapted
        if passed < 10:
            share = min(passed / _SMOOTH_S, 1.0)
            span = max(passed, 1e-3)
            self._more += (self._counted * 8 / 1000 / span - self._more) * share
            self._extra += (self._left / span - 1 / self.together_s - self._extra) * share
        self._counted, self._left, self._adapted = 0, 0, now
        datagrams = 1 / self.together_s + max(self._extra, 0.0)
        headers = (self._config.overhead_bytes + HEAD_BYTES) * 8 / 1000 * datagrams
        waiting = sum(len(packet.payload) for packet in self._patient) + self._base.waiting
        most = _BASE_UNTIL if self.encoder.base_allowed else _BASE_FROM
        self.encoder.base_allowed = self._can_fuse and self.line.loss < most
        self.encoder.set_rate(max(self.kbps - headers - self._more, 1.0), waiting)
