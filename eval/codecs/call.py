"""facewire as in a call: two sessions over a simulated line, and what the other side saw.

frames, sound → CallSession ══ line ══ CallSession → what is shown at each moment
                               reports go back

The first run, with a generator that makes no pictures, gives the datagrams and their times of
arrival, which are the stream. Decoding plays them to a session with the real generator.
"""

from __future__ import annotations

import shlex
import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...call.config import CallConfig
from ...call.incoming import Incoming
from ...call.pack import Datagram
from ...call.playing.playback import Playback
from ...call.rate_estimate import MAX_KBPS, MIN_KBPS
from ...call.session import CallSession
from ...call.simulated import LineConditions, SimulatedLine, World
from ...codec.control import State
from ...codec.counters import WRAP
from ...codec.errors import MediaError
from ...codec.motion.frame import MotionFrame
from ...codec.sound.opus import SAMPLE_RATE
from ...models.weights import load_card
from ...receiver.decoder import Decoder
from ...receiver.generators.protocol import Array, Source
from ...receiver.tracks.pictures import DuePicture
from ..clips import Clip, Frame
from ..files import cpu_seconds
from .base import Encoded
from .facewire import AUDIO_KBPS, FacewireCodec

__all__ = ["CallCodec"]

_DELAY_S = 0.08
_BLOCK = SAMPLE_RATE // 50  # samples that microphone and loudspeaker take at once
_AFTER_S = 2.0  # until everything is shown
_REPORT_S = 0.24
_TICK_S = 0.01
_ARRIVAL = struct.Struct("<dH")


class CallCodec(FacewireCodec):
    """A call at a constant rate over a line of 80 ms without loss.

    Everything that leaves the sender counts, but for the bytes of the sound itself: the headers of
    the network (50 bytes a datagram) and the reports too. The first picture comes after about half
    a second; the frames before it are measured as if it had been shown.
    """

    suffix = ".call"

    def __init__(self, name: str, profile: str, network: str | Path, *, base: bool = False) -> None:
        super().__init__(name, profile, network, live=True, base=base)
        self.about = (
            f"facewire, profile {profile}, network {load_card(self.network).name}, two sessions of "
            f"a call over a line of {1000 * _DELAY_S:.0f} ms, all headers counted"
            f"{', with a base layer where it pays' if base else ''}"
        )

    def encode(self, clip: Clip, setting: float, out: Path, scratch: Path) -> Encoded:
        """Hold the call, and keep what arrived."""
        sound = clip.pcm()
        most = setting / 1000 + (AUDIO_KBPS if len(sound) else 0.0)
        config = CallConfig(
            kbps=min(max(most, MIN_KBPS), MAX_KBPS),
            fps=Fraction(clip.fps),
            sound=len(sound) > 0,
            encoder=self._encoder(clip, has_sound=len(sound) > 0),
        )
        began = cpu_seconds()
        with out.open("wb") as file, CallSession(config, now=0.0) as session:
            for at, datagram in _held(session, clip, sound):
                file.write(_ARRIVAL.pack(at, len(datagram)) + datagram)
            done = session.outgoing.statistics
        bits = {
            "keyframe": 8 * done.references,
            "motion": 8 * done.motion,
            "residual": 8 * done.base,
            "container": 8 * (done.headers + done.reports + done.copies),
        }
        bpp = setting / float(clip.width * clip.height * clip.fps)
        command = ["codec-eval", "--codecs", self.name, "--data", clip.name, "--bpp", f"{bpp:.6g}"]
        return Encoded(out, bits, setting, shlex.join(command), cpu_seconds() - began)

    def decode(self, clip: Clip, encoded: Encoded, scratch: Path) -> Iterator[Frame]:
        """Play what arrived, and give for each frame what was shown in its place."""
        config = replace(CallConfig().decoder, live=False)
        shown: Frame | None = None
        given = 0
        with Decoder(self._decoder(config)) as decoder:
            for due in _seen(decoder, encoded.path, clip):
                index = min(round(due.pts * Fraction(clip.fps)), clip.frames)
                while shown is not None and given < index:
                    yield shown
                    given += 1
                shown = due.rendering.picture() if due.rendering is not None else shown
        if shown is None:
            raise MediaError(f"{clip.name}: nothing was shown in this call")
        for _ in range(given, clip.frames):
            yield shown


def _held(
    session: CallSession, clip: Clip, sound: npt.NDArray[np.float32]
) -> Iterator[tuple[float, bytes]]:
    """Datagrams of a call that sends a clip, each with its time of arrival in seconds."""
    world = World()
    listener = Incoming(Decoder(CallConfig().decoder, generator=_Unseen()))
    arrived: list[tuple[float, bytes]] = []
    reports = 0

    def deliver(datagram: bytes) -> None:
        arrived.append((world.now, datagram))
        listener.receive(datagram, world.now)

    def answer() -> None:
        nonlocal reports
        packet = listener.report(world.now, State.PRESENT).to_packet(reports)
        back.send(bytes(Datagram(0, reports % WRAP, int(world.now * 1000) % WRAP, (packet,))))
        reports += 1
        world.at(world.now + _REPORT_S, answer)

    def send() -> None:
        for datagram in session.send(world.now):
            there.send(datagram)
        world.at(world.now + _TICK_S, send)

    def see_at(time: float, frame: Frame) -> None:
        world.at(time, lambda: session.see(frame, world.now))

    def hear_at(time: float, pcm: npt.NDArray[np.float32]) -> None:
        world.at(time, lambda: session.hear(pcm, world.now))

    there = SimulatedLine(world, deliver, LineConditions(delay_s=_DELAY_S))
    back = SimulatedLine(
        world, lambda data: session.receive(data, world.now), LineConditions(delay_s=_DELAY_S)
    )
    for index, frame in enumerate(clip.rgb()):
        see_at(float(index / clip.fps), np.asarray(frame))
    for start in range(0, len(sound), _BLOCK):
        piece = sound[start : start + _BLOCK]
        hear_at((start + len(piece)) / SAMPLE_RATE, piece)
    send()
    answer()
    end = float(clip.frames / clip.fps) + _AFTER_S
    while world.now < end:
        world.run(world.now + 0.5)
        yield from arrived
        arrived.clear()


def _seen(decoder: Decoder, path: Path, clip: Clip) -> Iterator[DuePicture]:
    """Pictures that are shown when the datagrams in a file arrive as they did, not rendered."""
    incoming, playback = Incoming(decoder), Playback()
    arrivals = deque(_arrivals(path))
    now = 0.0
    step = float(1 / Fraction(clip.fps))
    sound_at, picture_at = 0.0, 0.0
    while now < float(clip.frames / clip.fps) + _AFTER_S:
        now += _TICK_S
        while arrivals and arrivals[0][0] <= now:
            at, datagram = arrivals.popleft()
            playback.take(incoming.receive(datagram, at).due, at)
        playback.take(incoming.tick(now), now)
        if now >= sound_at:
            sound_at += _BLOCK / SAMPLE_RATE
            playback.sound(_BLOCK, now)
        if now >= picture_at:
            picture_at += step
            due = playback.choose(now)
            if due is not None:
                yield due


def _arrivals(path: Path) -> Iterator[tuple[float, bytes]]:
    """What `CallCodec.encode` wrote."""
    with path.open("rb") as file:
        while head := file.read(_ARRIVAL.size):
            at, size = _ARRIVAL.unpack(head)
            yield at, file.read(size)


class _Unseen:
    """A `Generator` for a listener whose pictures nobody looks at: it shows keyframes unmoved."""

    def set_source(self, rgb: Frame, motion: MotionFrame, points: Array) -> Source:
        return Source(motion.to_array(), points, rgb)

    def points(self, source: Source, motion: MotionFrame) -> Array:
        return source.points

    def render(self, source: Source, motion: MotionFrame, mel: Array | None) -> Frame:
        return np.asarray(source.features, np.uint8)
