"""Two `CallSession`s over a network in the computer, with a face that sways and a voice.

Everything runs in virtual time and is seeded. The networks are none: a tracker that knows where the
face is, and a generator that paints nothing new.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from facewire.call.config import CallConfig
from facewire.call.pack import Datagram
from facewire.call.session import CallSession
from facewire.call.signing import PublicKey, SigningKey, ends_of
from facewire.call.simulated import Clock, LineConditions, SimulatedLine, World
from facewire.codec.motion.frame import MotionFrame
from facewire.codec.packet import Kind
from facewire.models.face.mesh import POINTS
from facewire.receiver.decoder import Decoder
from facewire.receiver.generators.protocol import Generator
from facewire.receiver.outputs import PictureOutput
from facewire.receiver.talking.mouth import MouthPredictor
from facewire.sender.encoder import Encoder
from facewire.sender.tracking.finder import FaceTracker
from facewire.sender.tracking.tracker import Face

Frame = npt.NDArray[np.uint8]
Sound = npt.NDArray[np.float32]
RATE = 16000
SIZE = 256
DELAY = 0.08  # of the line by default
ENDS = ends_of(bytes(32), bytes(range(32)))
BLOCK = 320  # samples that microphone and loudspeaker take at once
_AT_ONCE = 50  # blocks of the voice that are computed at once


def picture() -> Frame:
    """A picture that a still codec has something to do with."""
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    shades = [0.5 + 0.3 * np.sin(9 * x + 4 * y), 0.5 + 0.3 * np.cos(7 * y), 0.3 + 0.4 * x * y]
    return (255 * np.stack(shades, 2)).astype(np.uint8)


class SwayingFace:
    """A `FaceTracker` that finds the same face each time, a little further on its way."""

    def __init__(self) -> None:
        rng = np.random.default_rng(7)
        unit = rng.uniform(0, 1, (478, 2))
        self._unit = (unit - unit.min(0)) / (unit.max(0) - unit.min(0))
        self.away = False

    def track(self, frame: Frame, time_ms: int | None = None) -> list[Face]:
        if self.away:
            return []
        time = (time_ms or 0) / 1000
        sway = np.array([12 * np.sin(2.1 * time), 6 * np.sin(3.7 * time)])
        mouth = (self._unit[:, 1:] > 0.7) * np.array([0, 8 * np.sin(9 * time)])
        return [Face((70 + 116 * self._unit + sway + mouth).astype(np.float32))]

    def close(self) -> None:
        pass


class NoGenerator:
    """A `Generator` that shows the keyframe."""

    def set_source(self, rgb: Frame, motion: MotionFrame, points: npt.NDArray[np.float32]) -> Frame:
        return rgb

    def points(self, source: Frame, motion: MotionFrame) -> npt.NDArray[np.float32]:
        return np.zeros((len(POINTS), 2), np.float32)

    def render(
        self, source: Frame, motion: MotionFrame, mel: npt.NDArray[np.float32] | None
    ) -> Frame:
        return source


def voice(start: int, count: int, seed: int = 0) -> Sound:
    """Syllables of a synthetic voice: samples `start` to `start + count` of it."""
    return voices(start, 1, count, seed)[0]


def voices(start: int, blocks: int, count: int, seed: int = 0) -> Sound:
    """So many blocks of `voice` that follow each other: `[blocks, count]`."""
    time = np.arange(start, start + blocks * count).reshape(blocks, count) / RATE
    pitch = 120 + 15 * np.sin(1.3 * time + seed)
    phase = 2 * np.pi * np.cumsum(pitch, axis=1) / RATE
    before, tone, double = np.zeros_like(phase), np.sin(phase), 2 * np.cos(phase)
    harmonic = tone.copy()
    for k in range(2, 9):  # sin(k x) = 2 cos(x) sin((k - 1) x) - sin((k - 2) x)
        before, harmonic = harmonic, double * harmonic - before
        tone += harmonic / k
    loud = np.clip(np.sin(2 * np.pi * 2.5 * time + seed), 0, 1)
    return np.asarray(0.2 * tone * loud, np.float32)


@dataclass
class Shown:
    """A picture when it was first seen: times are seconds of the world.

    Attributes:
        at, taken: when it was seen, and when the camera took it.
        made_up: whether it was made up.
        picture: itself.
        ahead: by how much it was ahead of the sound that was heard just then; None without sound.
    """

    at: float
    taken: float
    made_up: bool
    picture: Frame
    ahead: float | None


@dataclass
class Side:
    """One person with his devices.

    Attributes:
        clock: of his machine.
        screen_s: how long his machine takes for a picture.
        send_s: how often it asks whether something is to leave.
        messages: what he sent by the reliable channel, if his configuration has one.
        channel: seconds that a message in that channel takes; infinite where it never arrives.
        shown: pictures that he saw.
        heard: (time of the world, how long ago it was said), ten times a second.
        lips: (time of the world, how far the picture is ahead of the sound), ten times a second.
        film: what the camera shows, forwards and backwards in turn, for the real networks; None:
            the networks are none, and the camera shows one picture.
        filmed: (time of the world, frame of the camera).
        see: takes the camera's place, where it is set: it is called for each frame.
        face: makes the tracker that knows where the face is.
        generator: makes what shows the peer.
        speech: what the microphone hears from the beginning on, and silence after it; None: the
            synthetic voice.
    """

    world: World
    clock: Clock
    config: CallConfig
    card: Path
    screen_s: float = 0.02
    send_s: float = 0.005
    shown: list[Shown] = field(default_factory=list)
    heard: list[tuple[float, float]] = field(default_factory=list)
    lips: list[tuple[float, float]] = field(default_factory=list)
    sent: list[tuple[float, int]] = field(default_factory=list)
    messages: list[list[bytes]] = field(default_factory=list)
    channel: float = DELAY
    captured: int = 0
    first_arrival: float = float("inf")
    key: SigningKey | None = field(default_factory=SigningKey)
    talking: bool = True
    filming: bool = True
    seed: int = 0
    film: Sequence[Frame] | None = None
    filmed: list[tuple[float, Frame]] = field(default_factory=list)
    see: Callable[[], None] | None = None
    face: Callable[[], FaceTracker] = SwayingFace
    generator: Callable[[], Generator] = NoGenerator
    speech: Sound | None = None

    def __post_init__(self) -> None:
        self.frame = picture()
        self.peer: Side | None = None
        self.begin()

    @property
    def now(self) -> float:
        return self.clock.read(self.world.now)

    def begin(self) -> None:
        """Open the session; a second time, begin anew as after a crash."""
        self.tracker = self.face()
        self._output: PictureOutput | None = None  # that is shown
        if self.film is not None:
            self.session = CallSession(self.config, now=self.now)
        else:
            speaks = self.config.encoder.driver == "sound"
            encoder = Encoder(
                replace(self.config.encoder, model=str(self.card), crop=False),
                fps=self.config.fps,
                sound=self.config.sound,
                tracker=self.tracker,
                mouths=MouthPredictor(lookahead_ms=40) if speaks else None,
            )
            decoder = Decoder(self.config.decoder, generator=self.generator())
            self.session = CallSession(self.config, now=self.now, encoder=encoder, decoder=decoder)
        self.origin = self.now  # of the stream's time
        self.samples = 0
        self._voice: list[Sound] = []  # the next blocks of it
        if self.peer is not None:
            self._bind(self.peer)

    def _bind(self, peer: Side) -> None:
        if self.key is not None and peer.key is not None:
            self.session.bind(self.key, PublicKey(peer.key.public), ENDS)

    def connect(self, peer: Side, line: SimulatedLine) -> None:
        """Send to a peer over a line; the devices start."""
        self.peer, self.line = peer, line
        self._bind(peer)
        for period, act in (
            (float(1 / self.config.fps), self._film),
            (BLOCK / RATE, self._talk),
            (BLOCK / RATE, self._listen),
            (self.screen_s, self._look),
            (self.send_s, self._send),
        ):
            self._repeat(self.now, period, act)

    def _repeat(self, shown: float, period: float, act: Callable[[], None]) -> None:
        """Do something at each period of this side's clock."""

        def once() -> None:
            act()
            self._repeat(shown + period, period, act)

        self.world.at(self.clock.time_of(shown + period), once)

    def receive(self, datagram: bytes) -> None:
        """A datagram comes out of the line."""
        self.first_arrival = min(self.first_arrival, self.world.now)
        self.session.receive(datagram, self.now)

    def _film(self) -> None:
        if self.filming and self.see is not None:
            self.see()
        elif self.filming:
            if self.film is not None:
                self.frame = self._next_of(self.film)
                self.filmed.append((self.world.now, self.frame))
            self.captured += 1
            self.session.see(self.frame, self.now)

    def _next_of(self, film: Sequence[Frame]) -> Frame:
        """The film's frames, forwards and backwards in turn."""
        turn = self.captured % (2 * len(film) - 2)
        return film[min(turn, 2 * len(film) - 2 - turn)]

    def _talk(self) -> None:
        block = self._block()
        if self.talking:
            self.session.hear(block, self.now)
        self.samples += BLOCK

    def _block(self) -> Sound:
        """What the microphone hears next."""
        if self.speech is not None:
            block = self.speech[self.samples : self.samples + BLOCK]
            return np.pad(block, (0, BLOCK - len(block)))
        if not self._voice:
            self._voice = [*voices(self.samples, _AT_ONCE, BLOCK, self.seed)]
        return self._voice.pop(0)

    def _listen(self) -> None:
        self.session.sound(BLOCK, self.now)

    def _look(self) -> None:
        output = self.session.picture(self.now)
        if output is not None and output is not self._output:
            self._output = output
            assert self.peer is not None
            taken = self.peer.clock.time_of(self.peer.origin + float(output.pts))
            said = self._said()
            ahead = None if said is None else taken - said
            self.shown.append(Shown(self.world.now, taken, output.concealed, output.frame, ahead))

    def _send(self) -> None:
        message = self.session.reliably()
        if message:
            self.messages.append(message)
            if math.isfinite(self.channel):
                self.world.at(self.world.now + self.channel, lambda: self._deliver(message))
        for datagram in self.session.send(self.now):
            self.sent.append((self.world.now, len(datagram) + self.line.settings.overhead))
            self.line.send(datagram)

    def _deliver(self, message: list[bytes]) -> None:
        """What went by the reliable channel arrives, all of it."""
        assert self.peer is not None
        for datagram in message:
            self.peer.receive(datagram)

    def measure(self) -> None:
        """Note how old the sound is that is heard now, and whether the picture fits it."""
        said = self._said()
        if said is None:
            return
        self.heard.append((self.world.now, self.world.now - said))
        if self.shown:
            self.lips.append((self.world.now, self.shown[-1].taken - said))

    def _said(self) -> float | None:
        """When the sound that is heard now was said, in seconds of the world."""
        position = self.session.playback.position(self.now)
        if position is None or self.peer is None:
            return None
        return self.peer.clock.time_of(self.peer.origin + position)

    def kbps(self, start: float, end: float) -> float:
        """What was sent, headers included."""
        return sum(size for at, size in self.sent if start <= at < end) / 125 / (end - start)

    def frames(self, start: float, end: float) -> list[Shown]:
        """Pictures seen within a time."""
        return [one for one in self.shown if start <= one.at < end]

    def longest_still(self, start: float, end: float) -> float:
        """Longest time within another one in which no new picture was seen."""
        times = [start, *(one.at for one in self.frames(start, end)), end]
        return max(after - before for before, after in pairwise(times))


class Call:
    """Two sides, a line each way.

    Args:
        card: folder of a network's card (the fixture `card`).
        config: of both sides.
        there, back: how the lines behave.
        clocks: of both machines.
        signed: whether each signs what it sends, and shows only what the other signed.
        face, generator: see `Side`.
    """

    def __init__(
        self,
        card: Path,
        config: CallConfig | None = None,
        there: LineConditions | None = None,
        back: LineConditions | None = None,
        clocks: tuple[Clock, Clock] = (Clock(100.0), Clock(5000.0)),
        *,
        seed: int = 0,
        screen_s: float = 0.02,
        send_s: float = 0.005,
        film: Sequence[Frame] | None = None,
        signed: bool = True,
        face: Callable[[], FaceTracker] = SwayingFace,
        generator: Callable[[], Generator] = NoGenerator,
    ) -> None:
        self.world = World()
        config = config or CallConfig()
        self.a, self.b = (
            Side(
                *(self.world, clock, config, card),
                screen_s=screen_s,
                send_s=send_s,
                seed=number,
                key=SigningKey() if signed else None,
                film=film,
                face=face,
                generator=generator,
            )
            for number, clock in enumerate(clocks)
        )
        self.there = self._line(self.b, there or LineConditions(), seed)
        self.back = self._line(self.a, back or LineConditions(), seed + 1)
        self.a.connect(self.b, self.there)
        self.b.connect(self.a, self.back)
        self._measure()

    def lose_motion(self, losing: Callable[[], bool]) -> None:
        """Take the motion out of the datagrams from a to b that leave while `losing` says so. The
        sound in the same datagrams arrives.
        """
        send = self.there.send

        def without_motion(data: bytes) -> None:
            datagram = Datagram.parse(data)
            kept = tuple(p for p in datagram.packets if p.kind != Kind.MOTION)
            if kept != datagram.packets and losing():
                data = bytes(Datagram(datagram.session, datagram.number, datagram.sent, kept))
            send(data)

        self.there.send = without_motion  # type: ignore[method-assign]

    def _line(self, to: Side, settings: LineConditions, seed: int) -> SimulatedLine:
        return SimulatedLine(self.world, to.receive, settings, seed=seed)

    def _measure(self) -> None:
        self.a.measure()
        self.b.measure()
        self.world.at(self.world.now + 0.1, self._measure)

    def run(self, seconds: float) -> None:
        """Let so many more seconds pass."""
        self.world.run(self.world.now + seconds)


def percentile(values: list[float], share: float) -> float:
    """Of measured values; infinite where there are none."""
    return float(np.percentile(values, share)) if values else float("inf")
