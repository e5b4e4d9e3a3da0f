"""`Decoder`: packets in, pictures and sound out. Push-style; no thread, no clock, no loop.

packet ─┬→ order ─┬→ MOTION → PictureTrack ─────────→ Output
        │         └→ AUDIO  → SoundTrack ─(mel)┘ └──→ Output
        └→ STREAM, IDENTITY, KEYFRAME at once: they serve later packets, whatever their order
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from ..codec.errors import ConfigError, MotionError, StreamError, UnsupportedError, WeightsError
from ..codec.identity import Identity
from ..codec.identity_packets import IdentityAssembler, fragment_id
from ..codec.keyframe import Keyframe, KeyframeAssembler
from ..codec.packet import Kind, Packet
from ..codec.stream import StreamHeader
from ..models.mel import SAMPLE_RATE
from .config import DecoderConfig
from .generators.load import open_generator
from .ordering.reorder import Arrival, ReorderWindow
from .outputs import Output, PictureOutput, SoundOutput
from .statistics import Statistics
from .tracks.pictures import PictureTrack
from .tracks.references import MissingBaseError
from .tracks.sound import Sound, SoundTrack, needed_samples

if TYPE_CHECKING:
    from .generators.protocol import Generator

__all__ = ["Decoder"]

_OPUS_DELAY_MS = 6.5
_DEFAULT_AUDIO_MS = 40


class Decoder:
    """Turns the packets of one stream into pictures and sound.

    Takes packets lost, late, doubled, reordered or damaged; starts anywhere at a STREAM and a
    KEYFRAME packet. Holds a bounded amount of memory however long the stream is.

    Args:
        config: settings; the defaults suit a library user.
        generator: in place of the one that the stream names (its weights are then not checked).

    Attributes:
        config: as given.
        statistics: counts of what came and what did not; one object all along.
        header: of the stream being decoded, None before the first STREAM packet.
    """

    def __init__(
        self, config: DecoderConfig | None = None, generator: Generator | None = None
    ) -> None:
        self.config = config or DecoderConfig()
        self.statistics = Statistics()
        self._given = generator
        self._closed = False
        self._loaded: tuple[tuple[str, bytes, bytes | None], Generator] | None = None
        self._introductions = IdentityAssembler()
        self._identity: Identity | None = None
        self._order = ReorderWindow(self.config.reorder_window, self.statistics)
        self.reset()

    def reset(self) -> None:
        """Forget the stream (after a seek, or for another one). Weights, the identity and counts
        stay.
        """
        self.header: StreamHeader | None = None
        self._order.reset()
        self._assembler = KeyframeAssembler()
        self._early: deque[Keyframe] = deque(maxlen=self.config.references)
        self._pictures: PictureTrack | None = None
        self._sound: SoundTrack | None = None
        self._lost = 0

    @property
    def waiting(self) -> int:
        """Frames and packets held back at the moment; bounded by the configuration."""
        return len(self._order) + (0 if self._pictures is None else len(self._pictures))

    @property
    def references(self) -> tuple[int, ...]:
        """Ids of the keyframes that are here: for `Encoder.acknowledge`."""
        return self._pictures.references if self._pictures is not None else ()

    @property
    def delay_ms(self) -> float:
        """Algorithmic delay that the receiver adds to a frame, in ms, at worst.

        The frame waits for the sound of its look-ahead (and the half mel window at its end), for
        the Opus packet which holds that to be full, and for Opus's own delay. 0 without sound.
        Before the first STREAM packet: for Opus packets of 40 ms.
        """
        if self.header is not None and self.header.audio is None:
            return 0.0
        audio = self.header.audio if self.header else None
        packet = audio.frame_ms if audio else _DEFAULT_AUDIO_MS
        lookahead = needed_samples(0, self.config.lookahead_ms) * 1000 / SAMPLE_RATE
        return lookahead + packet + _OPUS_DELAY_MS

    def decode(self, packet: Packet | bytes) -> list[Output]:
        """Take one packet.

        Args:
            packet: as it came, parsed or as the bytes of a datagram. Bytes that are no packet are
                counted as damaged and left aside; those of a kind that this build does not know
                are left aside too.

        Returns:
            The pictures and pieces of sound that this packet completes, often none or several.

        Raises:
            UnsupportedError: the stream is of a version, model, size, sound or motion tables that
                this build does not know.
            WeightsError: the stream's weights are not here, or differ from those that are; the
                identity of the configuration is not the stream's.
            ConfigError: the decoder is closed.
        """
        if self._closed:
            raise ConfigError("this decoder is closed: make another one")
        if not isinstance(packet, Packet):
            try:
                packet = Packet.parse(packet)
            except UnsupportedError:
                return []
            except StreamError:
                self.statistics.damaged += 1
                return []
        outputs: list[Output] = []
        if packet.kind == Kind.STREAM:
            outputs += self._on_stream(packet)
        elif packet.kind == Kind.IDENTITY:
            self._on_identity(packet)
        elif packet.kind == Kind.KEYFRAME:
            self._on_keyframe(packet)
        for arrival in self._order.push(packet):
            outputs += self._in_order(arrival)
        return outputs + self._render()

    def flush(self) -> list[Output]:
        """Give all that still waits; to be called at the end. More packets may follow."""
        outputs: list[Output] = []
        for arrival in self._order.flush():
            outputs += self._in_order(arrival)
        if self._sound is not None:
            outputs += _sounds(self._sound.flush())
        return outputs + self._render(everything=True)

    def close(self) -> None:
        """Free the network and all that waits. Nothing can be decoded after it."""
        self.reset()
        self._loaded = None
        self._identity = None
        self._closed = True

    def __enter__(self) -> Decoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _render(self, *, everything: bool = False) -> list[PictureOutput]:
        if self._pictures is None:
            return []
        return self._pictures.render(everything=everything)

    def _on_stream(self, packet: Packet) -> list[Output]:
        try:
            header = StreamHeader.from_payload(packet.payload)
        except UnsupportedError:
            raise
        except StreamError:
            self.statistics.damaged += 1
            return []
        if header == self.header:
            return []
        self._check_identity(header)
        # All that can be refused comes first: then the old stream goes on as it was.
        generator = self._generator(header)
        sound = None
        if header.audio is not None:
            sound = SoundTrack(header.audio, self.config, self.statistics)
        pictures = PictureTrack(header, generator, self.config, self.statistics, sound)
        outputs: list[Output] = []
        early: deque[Keyframe] = self._early
        if self.header is not None:
            outputs = self.flush()
            self.reset()
        self.header, self._sound = header, sound
        unknown = self._identity_of(header) is None
        self.statistics.wants_identity = header.identity is not None and unknown
        self._pictures = pictures
        for keyframe in early:
            self._use(keyframe)
        return outputs

    def _generator(self, header: StreamHeader) -> Generator:
        if self._given is not None:
            return self._given
        identity = self._identity_of(header)
        wanted = (header.model, header.weights_sha256, identity.id if identity else None)
        if self._loaded is not None and self._loaded[0] == wanted:
            return self._loaded[1]
        try:
            config = replace(self.config, identity=identity)
            self._loaded = (wanted, open_generator(header, config))
        except WeightsError:
            if identity is None or identity is self.config.identity:
                raise
            # It came with the packets and does not fit: the face is shown without it.
            self._identity = None
            self.statistics.damaged += 1
            return self._generator(header)
        return self._loaded[1]

    def _identity_of(self, header: StreamHeader) -> Identity | None:
        """What is known of the person: as configured, else the one that the stream names."""
        given, known = self.config.identity, self._identity
        return given or (known if known is not None and known.id == header.identity else None)

    def _check_identity(self, header: StreamHeader) -> None:
        """A stream that names an identity is shown with no other one."""
        given = self.config.identity
        if given is not None and header.identity not in (None, given.id):
            raise WeightsError(
                f"the stream belongs to the identity {(header.identity or b'').hex()}, the one "
                f"that was given is {given.id.hex()}: leave it out, or give the stream's own"
            )

    def _on_identity(self, packet: Packet) -> None:
        header, known, name = self.header, self._identity, fragment_id(packet)
        if self.config.identity is not None or (known is not None and known.id == name):
            return
        if header is not None and header.identity != name:
            return  # of another stream
        try:
            identity = self._introductions.push(packet)
        except StreamError:
            self.statistics.damaged += 1
            return
        if identity is None:
            return
        self._identity = identity
        if header is not None and self._pictures is not None:
            # At once: it comes at the start, and loading takes about a second.
            self._pictures.use(self._generator(header))
            self.statistics.wants_identity = False

    def _on_keyframe(self, packet: Packet) -> None:
        try:
            keyframe = self._assembler.push(packet)
        except (StreamError, MotionError):
            self._refuse_keyframe()
            return
        if keyframe is not None and self._pictures is None:
            self._early.append(keyframe)
        elif keyframe is not None:
            self._use(keyframe)

    def _use(self, keyframe: Keyframe) -> None:
        if self._pictures is None or self.header is None:
            return
        try:
            self._pictures.add_keyframe(keyframe)
        except MissingBaseError:
            self.statistics.missing_reference += 1
            self.statistics.wants_keyframe = True
            return
        except (StreamError, MotionError):
            self._refuse_keyframe()
            return
        self.statistics.wants_keyframe = False
        if self._sound is not None:
            self._sound.anchor(keyframe.pts * self.header.time_base)

    def _refuse_keyframe(self) -> None:
        self.statistics.damaged += 1
        self.statistics.wants_keyframe = True

    def _in_order(self, arrival: Arrival) -> list[SoundOutput]:
        self._lost += arrival.lost_before
        packet = arrival.packet
        if packet.kind == Kind.AUDIO:
            return _sounds(self._sound.push(packet.pts, packet.payload)) if self._sound else []
        if packet.kind == Kind.MOTION and self._pictures is not None:
            self._pictures.push(packet, self._lost)
            self._lost = 0
        elif packet.kind == Kind.MOTION:
            self.statistics.missing_reference += 1
            self.statistics.wants_keyframe = True
        return []


def _sounds(pieces: list[Sound]) -> list[SoundOutput]:
    return [
        SoundOutput(piece.pcm, Fraction(piece.start, SAMPLE_RATE), piece.concealed)
        for piece in pieces
    ]
