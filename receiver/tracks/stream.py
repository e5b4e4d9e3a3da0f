"""`StreamTracks`: the pictures and the sound of one stream, kept together in time."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

from ...codec.keyframe import Keyframe
from ...codec.packet import Kind, Packet
from ...codec.stream import StreamHeader
from ...models.mel import SAMPLE_RATE
from ..config import DecoderConfig
from ..ordering.lane import Arrival
from ..outputs import SoundOutput
from ..statistics import Statistics
from ..talking.speech import TheirMouth
from .pictures import DuePicture, PictureTrack
from .sound import Sound, SoundTrack

if TYPE_CHECKING:
    from ..generators.protocol import Fuser, Generator

__all__ = ["Due", "StreamTracks"]

Due: TypeAlias = DuePicture | SoundOutput


class StreamTracks:
    """Takes the packets of one stream in order; gives what is due.

    Args:
        header: of the stream.
        generator: makes the pictures.
        fuser: puts them together with those of the base layer.
        config: of the decoder.
        statistics: of the decoder; counted into.
        mouth: moves with the sound where no motion comes.

    Attributes:
        header: as given.
        pictures: the frames and what they need.

    Raises:
        UnsupportedError: sound or motion of a kind that this build does not know.
    """

    def __init__(
        self,
        header: StreamHeader,
        generator: Generator,
        fuser: Fuser,
        config: DecoderConfig,
        statistics: Statistics,
        mouth: TheirMouth,
    ) -> None:
        self.header = header
        audio = header.audio
        self._sound = None if audio is None else SoundTrack(audio, config, statistics)
        self.pictures = PictureTrack(
            header, generator, fuser, config, statistics, self._sound, mouth
        )
        self._placed = False  # whether the sound was told about what time it is

    def restart(self) -> None:
        """The sender began to count anew: times may be anything. The keyframes stay."""
        self.pictures.restart()
        if self._sound is not None:
            self._sound.restart()

    def follows(self, packet: Packet) -> bool:
        """Whether nothing of its kind can be missing before a packet, by its time."""
        if packet.kind == Kind.MOTION:
            return self.pictures.follows(packet)
        return self._sound is not None and self._sound.follows(packet.pts)

    def needs(self, packet: Packet, until: float | None) -> bool:
        """Whether what is missing before a packet would have to be played before a time, in seconds
        of the stream. Then the packet waits no longer: what is missing is made up.
        """
        if until is None:
            return False
        if packet.kind == Kind.MOTION:
            return self.pictures.needs(packet, until)
        return self._sound is not None and self._sound.needs(packet.pts, until)

    def add_keyframe(self, keyframe: Keyframe) -> None:
        """Prepare a keyframe. The first one says about what time it is.

        Raises:
            MissingBaseError, StreamError, MotionError: as `PictureTrack.add_keyframe`.
        """
        self.pictures.add_keyframe(keyframe)
        if self._sound is not None and not self._placed:
            self._sound.anchor(keyframe.pts * self.header.time_base)
            self._placed = True

    def push(self, arrival: Arrival, now: float | None) -> tuple[list[Due], Fraction]:
        """Take a packet of sound or motion.

        Returns:
            The sound that it gives, and how many seconds of the stream it stands for.
        """
        packet, audio = arrival.packet, self.header.audio
        if packet.kind == Kind.MOTION:
            frames = self.pictures.push(packet, arrival.lost_before, now)
            newest = self.pictures.newest
            # Motion names a keyframe, so its time can be trusted when the sound's has lost count.
            if self._sound is not None and newest is not None:
                self._sound.anchor(newest * self.header.time_base)
            return [], frames / self.header.fps
        if self._sound is None or audio is None:
            return [], Fraction(0)
        if arrival.lost_before and self._sound.follows(packet.pts):
            self.pictures.miss()
        return _outputs(self._sound.push(packet.pts, packet.payload, now)), audio.time_base

    def due(self, now: float | None, *, paced: bool = False) -> list[Due]:
        """The pictures that are due, see `PictureTrack.due`."""
        return [*self.pictures.due(now, paced=paced)]

    def rest(self, now: float | None = None, *, paced: bool = False) -> list[Due]:
        """Everything that still waits."""
        sounds = [] if self._sound is None else self._sound.flush()
        pictures = self.pictures.due(now, everything=True, paced=paced)
        return [*_outputs(sounds), *pictures]


def _outputs(pieces: list[Sound]) -> list[Due]:
    return [
        SoundOutput(
            piece.pcm, Fraction(piece.start, SAMPLE_RATE), piece.concealed, pause=piece.pause
        )
        for piece in pieces
    ]
