"""`CallSession`: one side of a call, without a network, a thread or a clock.

            see, hear                                   receive
camera ──→ ┌──────────┐ send               ┌──────────┐ ←── datagrams    ┌──────────┐ picture
microphone │ Outgoing │ ──→ datagrams      │ Incoming │ ── media ──────→ │ Playback │ sound
           └──────────┘ ← peer's reports ─ └──────────┘                  └──────────┘
                          own reports go with the datagrams

Whoever owns it brings datagrams and the time, and calls it again at `next_time`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..codec.control import Control, ReferenceState, State
from ..codec.errors import ConfigError
from ..codec.packet import Packet
from ..receiver.decoder import Decoder
from ..receiver.outputs import PictureOutput
from ..receiver.talking.mouth import MouthPredictor
from ..receiver.tracks.pictures import DuePicture
from ..sender.encoder import Encoder
from ..sender.observed import ObservedFrame
from .checking import Checks
from .config import CallConfig
from .incoming import Incoming, Received
from .outgoing import Outgoing
from .playing.playback import Playback
from .signing import Proofs, PublicKey, SigningKey

__all__ = ["CallSession", "CallStatistics", "Transmit", "speaking_mouths"]

Frame = npt.NDArray[np.uint8]
Sound = npt.NDArray[np.float32]

_REPORTS = ((40.0, 0.08), (24.0, 0.12), (10.0, 0.24), (0.0, 0.36))
"""From so many kbit/s on, so many seconds between two reports."""
_THIN_KBPS = 8.0
_OVER = 400  # bytes on their way beyond the line's room
_FULL_S = 0.24  # between two reports, at least, where more is on its way than the line holds
_STATE_S = 1.0  # between two reports that tell state and clock
_SHARE = 0.1  # of the rate that reports may take, headers apart
_LATELY = 0.25  # what the newest report counts for in the mean of their bytes
_MOST_COUNTED = 100  # bytes that it counts for at most
_EARLY_S = 0.02  # that a report may leave before it is due, to go with a datagram
_RIDES = 1.5  # times as long as sound lasts in a datagram, a report waits for one to go with
_GOODBYES = 3  # times that leaving is said, since a datagram may be lost
_IDLE_S = 1.0  # between two reports to a peer from whom nothing comes
_TICK_S = 0.02
_LOOKAHEAD_MS = 40  # of a photograph that speaks


def speaking_mouths() -> MouthPredictor:
    """What tells how the mouth of a photograph moves with the voice, in a call."""
    return MouthPredictor(lookahead_ms=_LOOKAHEAD_MS)


class Transmit(Protocol):
    """Sends what a session gives out."""

    def __call__(self, datagrams: Sequence[bytes], *, reliably: bool = False) -> None:
        """Send datagrams; with `reliably`, all in one message that is not lost."""


@dataclass(frozen=True, slots=True)
class CallStatistics:
    """Figures of a call at this moment.

    Attributes:
        sent_bytes, received_datagrams: since the beginning; bytes with the network's headers.
        line_kbps: what the line to the peer is estimated to carry, in 1000 bits a second.
        queue_s: delay in that line's queue.
        loss: part of this side's datagrams that was lost lately, 0 to 1.
        peer_loss: part of the peer's datagrams that never came, since the beginning.
        round_trip_s: there and back, None before it was measured.
        delay_s: seconds from the arrival of sound to its playing.
        own_s: the time of this side's stream now, in seconds. What the camera sees now is sent with
            this time.
        picture_s, sound_s: the times, in the peer's stream, of the picture that is shown and of the
            sound that is heard; None while there is none. The peer's `own_s` at the same moment,
            less these, is the delay from camera to screen and from mouth to ear.
        held_back: packets of sound and motion that this side did not send, because the line was
            full.
        left_out: frames of the camera that were not sent, for want of time.
        shown, made_up, skipped: how many of the peer's pictures were shown, how many of these were
            made up, and how many were skipped.
        sound_made_up_s: seconds of the peer's sound that had to be made up.
        restarts: how often the peer began anew.
        damaged: datagrams that could not be read.
        strangers: datagrams of another session.
        proven: how many keyframes the peer signed; None if signatures are not checked.
        unproven: STREAM packets and keyframes that were dropped, because the peer did not sign
            them.
        peer_gone: whether nothing has come for some seconds.
        refused: why the peer's stream cannot be shown, else None.
        performed: whether nobody is before the peer's camera, and a photograph moves with the
            voice (`StreamHeader.performed`).
    """

    sent_bytes: int
    received_datagrams: int
    line_kbps: float
    queue_s: float
    loss: float
    peer_loss: float
    round_trip_s: float | None
    delay_s: float
    own_s: float
    picture_s: float | None
    sound_s: float | None
    held_back: int
    left_out: int
    shown: int
    made_up: int
    skipped: int
    sound_made_up_s: float
    restarts: int
    damaged: int
    strangers: int
    proven: int | None
    unproven: int
    peer_gone: bool
    refused: str | None
    performed: bool


class CallSession:
    """One side of a call between two people, with both directions.

    Nothing here waits or blocks, except for the time that coding and rendering take. All times are
    seconds of one clock of the caller that never goes back (`time.monotonic`); a time that lies
    before an earlier one counts as that one. The two sides' clocks need not agree.

    Args:
        config: of this side.
        now: seconds of this side's clock.
        encoder, decoder: take the place of those that `config` describes, for tests or to share
            networks that are loaded already. They are closed with the session.

    Attributes:
        config: as given.
        state: what the peer is told of this side's camera and microphone; set it at any time.
        outgoing, incoming, playback: the three parts. Each may have a thread of its own, as
            `CallWorkers` does it; then none of them is called from two threads at once.

    Raises:
        ConfigError, WeightsError, MissingExtraError: as `Encoder` and `Decoder`.
    """

    def __init__(
        self,
        config: CallConfig | None = None,
        *,
        now: float,
        encoder: Encoder | None = None,
        decoder: Decoder | None = None,
    ) -> None:
        self.config = config or CallConfig()
        if encoder is None:
            settings, fps = self.config.encoder, self.config.fps
            mouths = speaking_mouths() if settings.driver == "sound" else None
            encoder = Encoder(settings, fps=fps, sound=self.config.sound, mouths=mouths)
        self.outgoing = Outgoing(self.config, encoder, now)
        self.incoming = Incoming(decoder or Decoder(self.config.decoder))
        self.playback = Playback()
        self._now = self._began = now
        self.state = State.PRESENT
        self._left_out = 0
        self._told = float("-inf")  # when a report left last
        self._told_state: State | None = None
        self._told_references: tuple[ReferenceState, ...] | None = None
        self._full = float("-inf")  # when one with state and clock left last
        self._cost = 0.0  # bytes of a report, the mean of the last few
        self._round_trip: float | None = None
        self._shown = self._made_up = 0
        self._output: PictureOutput | None = None
        self._closed = False
        self.outgoing.take(encoder.encode(now=now), now)  # the stream's time begins now

    def prepare(self) -> None:
        """Load the networks of both directions, so that no later call has to; takes seconds."""
        self._check_open()
        self.outgoing.encoder.prepare()
        self.incoming.decoder.prepare()

    def bind(self, key: SigningKey, peer: PublicKey, ends: bytes) -> None:
        """Sign what is sent, and show only what the peer signed. Call it before anything is sent.

        Args:
            key: the key of this side.
            peer: the public key of the other side.
            ends: what stands for both ends, see `signing.ends_of`.
        """
        self.outgoing.bind(Proofs(key, ends))
        self.incoming.bind(Checks(peer, ends))

    @property
    def peer_state(self) -> State | None:
        """What the peer told of his camera and microphone; None before he did."""
        return self.incoming.state

    def change_encoder(self, encoder: Encoder, now: float) -> None:
        """Send the stream of another encoder from now on, for example of a photograph that speaks
        in the camera's place. To the peer this is as if this side began anew. The old encoder is
        not closed; this one is closed with the session.
        """
        self._check_open()
        now = self._at(now)
        encoder.reset()
        self.outgoing.change_encoder(encoder, now)
        self._began = now
        self.outgoing.take(encoder.encode(now=now), now)

    def set_ceiling(self, kbps: float, now: float) -> None:
        """Send at most so many kbit/s from now on, headers included."""
        self.outgoing.set_ceiling(kbps, self._at(now))

    def see(self, frame: Frame | ObservedFrame, now: float) -> None:
        """Take a frame of the camera, taken `now`: uint8 RGB `[H, W, 3]`, or what `Encoder.look`
        made of it in another thread.

        Raises:
            ConfigError: it is not such a frame, or the session is closed.
        """
        now = self._at(now)
        if State.CAMERA_OFF not in self.state:
            self.outgoing.take(self.outgoing.encoder.encode(frame=frame, now=now), now)

    def leave_out(self, frames: int) -> None:
        """Count frames of the camera that the caller does not give, for want of time."""
        self._left_out += frames

    def hear(self, pcm: Sound, now: float) -> None:
        """Take sound of the microphone, float32 mono `[n]` at 16 kHz, whose last sample is of
        `now`. After a pause the sound goes on at its own time: a pause is a gap, not a shift.

        Raises:
            MediaError: it is not such sound.
            ConfigError: the session is closed.
        """
        now = self._at(now)
        if State.MUTED not in self.state:
            self.outgoing.take(self.outgoing.encoder.encode(pcm=pcm, now=now), now)

    def receive(self, datagram: bytes, now: float) -> None:
        """Take a datagram from the network. One that cannot be read is counted and ignored."""
        now = self._at(now)
        received = self.incoming.receive(datagram, now)
        self.keep(received, now)
        self.answer(received, now)

    def keep(self, received: Received, now: float) -> None:
        """Keep what a datagram brought until its time comes. A part of `receive`, for callers with
        threads.
        """
        if received.anew:
            self.playback.begin()
        self.playback.take(received.due, now)

    def answer(self, received: Received, now: float) -> None:
        """Tell the sending half what the peer reported. A part of `receive`, as `keep` is."""
        if received.anew:
            self.outgoing.greet(now)
        for report in received.reports:
            self._measure(report, now)
            self.outgoing.report(report, now)

    def send(self, now: float) -> list[bytes]:
        """The datagrams that are to leave now, of at most `pack.MAX_BYTES` each; often there are
        none.
        """
        now = self._at(now)
        self.playback.take(self.incoming.tick(now, self.playback.needed(now)), now)
        return self.emit(now, [self.report(now)] if self.wants_report(now) else [])

    def reliably(self) -> list[bytes]:
        """Datagrams that are to leave by the reliable channel, in one message; see `CallConfig`."""
        return self.outgoing.reliably()

    def emit(self, now: float, reports: Sequence[Packet] = ()) -> list[bytes]:
        """The sending half of `send`, with a report that was made elsewhere."""
        now = self._at(now)
        self.outgoing.take(self.outgoing.encoder.encode(now=now), now)
        return self.outgoing.send(now, reports)

    def wants_report(self, now: float) -> bool:
        """Whether a report is to leave now. It waits a little for a datagram to go with."""
        waited = now - self._report_due(now)
        leaves = self.outgoing.due(now) <= now
        return (waited >= -_EARLY_S and leaves) or waited >= _RIDES * self.outgoing.together_s

    def report(self, now: float) -> Packet:
        """A CONTROL packet that tells the peer what came. What has not changed is told only once a
        second. It does not say which packets came, because the arrivals of the datagrams say that.
        On a thin line, references are told only every other second, even if they change.
        """
        report = replace(self.incoming.report(now, self.state), received=None)
        thin = self.outgoing.kbps < _THIN_KBPS and self._told_references
        often = 2 * _STATE_S if thin else _STATE_S
        if (thin or report.references == self._told_references) and now - self._full < often:
            report = replace(report, references=None)
        else:
            self._told_references = report.references
        if now - self._full < often and self.state == self._told_state:
            report = replace(report, state=None, clock=None)
        else:
            self._full, self._told_state = now, self.state
        self._told = now
        packet = report.to_packet(0)
        # The first report after an outage tells much; the next one must not wait for so long.
        self._cost += (min(len(packet.payload), _MOST_COUNTED) - self._cost) * _LATELY
        return packet

    def picture(self, now: float) -> PictureOutput | None:
        """The peer's picture at this moment: the newest that is due, rendered if it is new. It is
        the same object until there is a newer one; None before the first.
        """
        due = self.choose(now)
        return self._output if due is None else self.render(due)

    def choose(self, now: float, ahead_s: float = 0.0) -> DuePicture | None:
        """The first half of `picture`, for callers that render in a thread of their own.

        Args:
            now: seconds of this side's clock.
            ahead_s: how many seconds rendering takes; the picture is one for so long after `now`.

        Returns:
            What is to be shown then; None if that is nothing new.
        """
        return self.playback.choose(self._at(now) + ahead_s)

    def render(self, due: DuePicture) -> PictureOutput | None:
        """The second half of `picture`. Takes as long as the network takes for a picture."""
        frame = None if self._output is None else self._output.frame
        if due.rendering is not None:
            frame = due.rendering.picture()
        if frame is not None:
            self._shown += 1
            self._made_up += due.concealed
            self._output = PictureOutput(frame, due.pts, due.concealed, due.wants_keyframe)
        return self._output

    def sound(self, count: int, now: float) -> Sound:
        """The next samples of the peer's sound: float32 mono `[count]` at 16 kHz, silence where
        there is none.
        """
        return self.playback.sound(count, self._at(now))

    @property
    def next_time(self) -> float:
        """The time by which `send` must be called again."""
        return min(self._report_due(self._now), self.outgoing.due(self._now), self._now + _TICK_S)

    @property
    def statistics(self) -> CallStatistics:
        """See `CallStatistics`, at the time of the last call that had one."""
        incoming, outgoing = self.incoming, self.outgoing
        arrivals = incoming.arrivals
        there = arrivals.received + arrivals.lost
        header = incoming.decoder.header
        return CallStatistics(
            sent_bytes=outgoing.statistics.bytes,
            received_datagrams=arrivals.received,
            line_kbps=outgoing.line.kbps,
            queue_s=outgoing.line.queue_s,
            loss=outgoing.line.loss,
            peer_loss=arrivals.lost / there if there else 0.0,
            round_trip_s=self._round_trip,
            delay_s=self.playback.playout.buffered_s,
            own_s=self._now - self._began,
            picture_s=None if self._output is None else float(self._output.pts),
            sound_s=self.playback.position(self._now),
            held_back=outgoing.statistics.held_back,
            left_out=self._left_out,
            shown=self._shown,
            made_up=self._made_up,
            skipped=self.playback.pictures.skipped,
            sound_made_up_s=self.playback.made_up_s,
            restarts=incoming.restarts,
            damaged=incoming.damaged,
            strangers=incoming.strangers,
            proven=None if incoming.checks is None else incoming.checks.proven,
            unproven=0 if incoming.checks is None else incoming.checks.unproven,
            peer_gone=incoming.heard is not None and not incoming.is_heard(self._now),
            refused=incoming.refused,
            performed=header is not None and header.performed,
        )

    def leave(self, now: float) -> list[bytes]:
        """Say goodbye: returns datagrams to send. Call `close` after it."""
        now = self._at(now)
        self.state |= State.LEAVING
        datagrams: list[bytes] = []
        for _ in range(_GOODBYES):
            datagrams += self.outgoing.send(now, [self.report(now)])
        return datagrams

    def close(self) -> None:
        """Free both directions. Calling it again does nothing."""
        if not self._closed:
            self._closed = True
            self.outgoing.encoder.close()
            self.incoming.decoder.close()

    def __enter__(self) -> CallSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise ConfigError("this call is over: make another session")

    def _at(self, now: float) -> float:
        """The time, which never goes back."""
        self._check_open()
        if not math.isfinite(now):
            raise ConfigError(f"a time is a finite number of seconds, not {now}")
        self._now = max(self._now, now)
        return self._now

    def _report_due(self, now: float) -> float:
        """When the next report is to leave."""
        if self.state != self._told_state:
            return now
        if not self.incoming.is_heard(now):
            return self._told + _IDLE_S
        kbps = self.outgoing.kbps
        paid = self._cost * 8 / (_SHARE * kbps * 1000)
        usual = next(seconds for least, seconds in _REPORTS if kbps >= least)
        if self.outgoing.line.room(now) < -_OVER:  # the line carries less than the estimate by now
            usual = max(usual, _FULL_S)
        return self._told + min(max(usual, paid), _IDLE_S)

    def _measure(self, report: Control, now: float) -> None:
        """The round trip, from this side's clock reading that comes back."""
        clock = report.clock
        if clock is None or not clock.echo:
            return
        passed = (int(now * 1000) - clock.echo) % (1 << 32) - clock.held
        if 0 <= passed < 60_000:
            self._round_trip = passed / 1000
            self.outgoing.line.round_trip(self._round_trip, now)
