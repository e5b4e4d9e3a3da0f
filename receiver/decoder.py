"""`Decoder`: packets in, pictures and sound out. No thread, no clock, no event loop.

packet ─┬→ order ─┬→ MOTION → PictureTrack ─────────→ PictureOutput
        │         └→ AUDIO  → SoundTrack ─(mel)┘ └──→ SoundOutput
        └→ STREAM, IDENTITY, KEYFRAME at once: they serve later packets, whatever their order
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

from ..codec.errors import ConfigError, MotionError, StreamError, UnsupportedError, WeightsError
from ..codec.identity_packets import IdentityAssembler, fragment_id
from ..codec.keyframe import Keyframe, KeyframeAssembler
from ..codec.packet import Kind, Packet
from ..codec.stream import StreamHeader
from ..models.mel import SAMPLE_RATE
from .config import DecoderConfig
from .generators.networks import Networks, NotLoadedError, Person, header_for
from .ordering.changes import StreamChanges
from .ordering.reorder import Arrival, ReorderWindow
from .outputs import Frame, Output, PictureOutput, SoundOutput
from .statistics import Statistics
from .tracks.pictures import DuePicture, PictureTrack
from .tracks.references import MissingBaseError
from .tracks.sound import Sound, SoundTrack, needed_samples

if TYPE_CHECKING:
    from .generators.protocol import Generator

__all__ = ["Decoder", "Due"]

_OPUS_DELAY_MS = 6.5
_DEFAULT_AUDIO_MS = 40
Due: TypeAlias = DuePicture | SoundOutput
_log = logging.getLogger(__name__)


class Decoder:
    """Turns the packets of one stream into pictures and sound.

    Packets may be lost, late, doubled, reordered or damaged. Decoding can begin at any STREAM and
    KEYFRAME packet. The memory is bounded however long the stream is, and so is the work of one
    call (`DecoderConfig.max_renders`).

    The first STREAM packet makes `decode` load a network, which takes about a second (several if
    the self-test of precisions never ran here). A live application avoids that with `prepare`.

    Args:
        config: settings; the defaults suit an application that embeds the decoder.
        generator: takes the place of the one that the stream names, whose weights are then not
            checked.

    Attributes:
        config: as given.
        statistics: counts of what came and what did not; the same object all along.
        header: of the stream being decoded; None before the first STREAM packet.
    """

    def __init__(
        self, config: DecoderConfig | None = None, generator: Generator | None = None
    ) -> None:
        self.config = config or DecoderConfig()
        self.statistics = Statistics()
        self._closed = False
        given = self.config.identity
        self._given = None if given is None else Person.of(given)
        self._known: Person | None = None  # from packets
        self._networks = Networks(self.config, generator)
        self._introductions = IdentityAssembler()
        self._order = ReorderWindow(self.config.reorder_window, self.statistics)
        self._picture: Frame | None = None  # the newest one
        self.reset()

    def reset(self) -> None:
        """Forget the stream, after a seek or before another stream. Loaded networks, the identity
        and the counts stay.
        """
        self._changes = StreamChanges()
        self._wanted: StreamHeader | None = None
        self._networks.reset()
        self._forget()

    def _forget(self) -> None:
        self.header: StreamHeader | None = None
        self._order.reset()
        self._assembler = KeyframeAssembler()
        self._early: deque[Keyframe] = deque(maxlen=self.config.references)
        self._pictures: PictureTrack | None = None
        self._sound: SoundTrack | None = None
        self._lost = 0

    @property
    def waiting(self) -> int:
        """Number of frames and packets held back at the moment; bounded by the configuration."""
        return len(self._order) + (0 if self._pictures is None else len(self._pictures))

    @property
    def references(self) -> tuple[int, ...]:
        """Ids of the keyframes that are here, for `Encoder.acknowledge`."""
        return self._pictures.references if self._pictures is not None else ()

    @property
    def delay_ms(self) -> float:
        """Largest algorithmic delay that the receiver adds to a frame, in ms; 0 without sound.

        The frame waits for the sound of its look-ahead (and half a mel window more), for the Opus
        packet that contains this sound to be full, and for Opus's own delay. Before the first
        STREAM packet, Opus packets of 40 ms are assumed.
        """
        if self.header is not None and self.header.audio is None:
            return 0.0
        audio = self.header.audio if self.header else None
        packet = audio.frame_ms if audio else _DEFAULT_AUDIO_MS
        lookahead = needed_samples(0, self.config.lookahead_ms) * 1000 / SAMPLE_RATE
        return lookahead + packet + _OPUS_DELAY_MS

    def prepare(self, network: str | None = None) -> None:
        """Load a network now, so that no later `decode` has to.

        From the first call on, `decode` loads nothing itself. If packets then ask for another
        network, or bring an identity, `Statistics.wants_prepare` becomes true, and `prepare()`
        without an argument loads what they ask for. It may run in another thread meanwhile: the
        next `decode` after it takes up the result, and until then the old stream goes on.

        Args:
            network: name of a shipped network as "avfr-s" or "s". None stands for what the
                packets have asked for; before the first STREAM packet for that in
                `DecoderConfig.weights`, else "s".

        Raises:
            UnsupportedError: the stream's model or size is not known to this build.
            WeightsError: there is no such network, its files are missing or damaged, or the
                identity does not fit it.
            ConfigError: the configured precision is not available here; the decoder is closed.
            MissingExtraError: backend "torch" is not installed.
        """
        self._check_open()
        asked = self._wanted or self.header
        if network is not None or asked is None:
            asked = header_for(network or self.config.weights or "s")
        self._networks.prepare(asked, self._person(asked))

    def decode(self, packet: Packet | bytes) -> list[Output]:
        """Take one packet.

        Args:
            packet: as it came, parsed or as the bytes of a datagram. Bytes that are no packet
                count as damaged. Packets of a kind that this build does not know are ignored.

        Returns:
            The pictures and pieces of sound that this packet completes; often none, or several.

        Raises:
            UnsupportedError: the stream is of a version, model, size, sound or motion tables that
                this build does not know. The old stream goes on.
            WeightsError: the stream's weights are not here, differ from those that are here, or
                may not be loaded in this call (`Statistics.wants_prepare` is then true); or the
                configured identity is not the stream's. The old stream goes on.
            ConfigError: the decoder is closed, or the configured precision is not available here.
            MissingExtraError: backend "torch" is not installed.
        """
        return [self._rendered(due) for due in self.take(packet)]

    def flush(self) -> list[Output]:
        """Return everything that still waits. Call it at the end; more packets may follow."""
        return [self._rendered(due) for due in self.take_rest()]

    def take(self, packet: Packet | bytes) -> list[Due]:
        """`decode` without rendering, for callers that render elsewhere (`Rendering.picture`).

        Raises:
            UnsupportedError, WeightsError, ConfigError, MissingExtraError: as `decode`.
        """
        self._check_open()
        if not isinstance(packet, Packet):
            try:
                packet = Packet.parse(packet)
            except UnsupportedError:
                return []
            except StreamError:
                self.statistics.damaged += 1
                return []
        if self.statistics.wants_prepare:
            self._adapt()
        due: list[Due] = []
        if packet.kind == Kind.STREAM:
            due += self._on_stream(packet)
        elif packet.kind == Kind.IDENTITY:
            self._on_identity(packet)
        elif packet.kind == Kind.KEYFRAME:
            self._on_keyframe(packet)
        if packet.kind != Kind.CONTROL:  # they are for the sender, and have a count of their own
            for arrival in self._order.push(packet):
                due += self._in_order(arrival)
        return [*due, *self._due_pictures()]

    def take_rest(self) -> list[Due]:
        """`flush` without rendering."""
        due: list[Due] = []
        for arrival in self._order.flush():
            due += self._in_order(arrival)
        if self._sound is not None:
            due += _sounds(self._sound.flush())
        return [*due, *self._due_pictures(everything=True)]

    def close(self) -> None:
        """Free the network and everything that waits. Nothing can be decoded afterwards."""
        self.reset()
        self._networks.close()
        self._known = self._picture = None
        self._closed = True

    def __enter__(self) -> Decoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise ConfigError("this decoder is closed: make another one")

    def _rendered(self, due: Due) -> Output:
        if isinstance(due, SoundOutput):
            return due
        if due.rendering is not None:
            self._picture = due.rendering.picture()
        if self._picture is None:
            raise RuntimeError("the first picture of a stream cannot repeat another one")
        return PictureOutput(self._picture, due.pts, due.concealed, due.wants_keyframe)

    def _due_pictures(self, *, everything: bool = False) -> Sequence[DuePicture]:
        return [] if self._pictures is None else self._pictures.due(everything=everything)

    def _on_stream(self, packet: Packet) -> list[Due]:
        try:
            header = StreamHeader.from_payload(packet.payload)
        except UnsupportedError:
            raise
        except StreamError:
            self.statistics.damaged += 1
            return []
        if not self._changes.allows(header, packet):
            self.statistics.ignored_streams += 1
            return []
        if header == self.header:
            self._changes.follow(header, packet)
            self._wanted = None
            return []
        self._check_identity(header)
        # Everything that can refuse the stream comes first: then the old one goes on as it was.
        generator = self._generator(header)
        sound = None
        if header.audio is not None:
            sound = SoundTrack(header.audio, self.config, self.statistics)
        pictures = PictureTrack(header, generator, self.config, self.statistics, sound)
        due: list[Due] = []
        early = self._early
        if self.header is not None:
            due = self.take_rest()
            self._forget()
            _log.info("the stream changes to %s, profile %s", header.model, header.profile)
        self._changes.follow(header, packet)
        self.header, self._sound, self._pictures = header, sound, pictures
        self.statistics.streams += 1
        unknown = self._person(header) is None
        self.statistics.wants_identity = header.identity is not None and unknown
        for keyframe in early:
            self._use(keyframe)
        return due

    def _generator(self, header: StreamHeader) -> Generator:
        """The generator for a new stream; without the identity if that does not fit."""
        person = self._person(header)
        try:
            generator = self._networks.get(header, person)
        except NotLoadedError:
            self._wanted = header
            self.statistics.wants_prepare = True
            raise
        except WeightsError as error:
            if person is None or person is self._given:
                raise
            self._refuse_identity(error)
            return self._generator(header)
        self._wanted = None
        self.statistics.wants_prepare = False
        return generator

    def _person(self, header: StreamHeader) -> Person | None:
        """What is known of the person: as configured, else the identity that the stream names."""
        known = self._known
        return self._given or (known if known is not None and known.id == header.identity else None)

    def _check_identity(self, header: StreamHeader) -> None:
        """Refuse to show a stream that names an identity with another one."""
        given = self._given
        if given is not None and header.identity not in (None, given.id):
            raise WeightsError(
                f"the stream belongs to the identity {(header.identity or b'').hex()}, but the one "
                f"that was given is {given.id.hex()}: leave it out, or give the stream's own"
            )

    def _on_identity(self, packet: Packet) -> None:
        header, known, name = self.header, self._known, fragment_id(packet)
        if self._given is not None or (known is not None and known.id == name):
            return
        if header is not None and header.identity != name:
            return  # it belongs to another stream
        try:
            identity = self._introductions.push(packet)
        except StreamError as error:
            _log.info("an identity packet was refused: %s", error)
            self.statistics.damaged += 1
            return
        if identity is not None:
            self._known = Person(identity, name)
            _log.info("the identity %s has arrived", name.hex())
            self._adapt()

    def _adapt(self) -> None:
        """Show the face of the stream as its identity says, as soon as that network is loaded."""
        header, pictures = self.header, self._pictures
        if header is None or pictures is None or self._wanted is not None:
            return
        person = self._person(header)
        try:
            pictures.use(self._networks.get(header, person))
        except NotLoadedError:
            self.statistics.wants_prepare = True
            return
        except WeightsError as error:
            self._refuse_identity(error)
        self.statistics.wants_identity = person is None and header.identity is not None
        self.statistics.wants_prepare = False

    def _refuse_identity(self, error: WeightsError) -> None:
        _log.warning("the face is shown without its identity: %s", error)
        self._known = None
        self.statistics.damaged += 1

    def _on_keyframe(self, packet: Packet) -> None:
        try:
            keyframe = self._assembler.push(packet)
        except (StreamError, MotionError) as error:
            self._refuse_keyframe(error)
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
        except MissingBaseError as error:
            self.statistics.missing_reference += 1
            self.statistics.ask_for_keyframe(str(error))
            return
        except (StreamError, MotionError) as error:
            self._refuse_keyframe(error)
            return
        self.statistics.wants_keyframe = False
        if self._sound is not None:
            self._sound.anchor(keyframe.pts * self.header.time_base)

    def _refuse_keyframe(self, error: Exception) -> None:
        _log.info("a keyframe was refused: %s", error)
        self.statistics.damaged += 1
        self.statistics.ask_for_keyframe("one was damaged")

    def _in_order(self, arrival: Arrival) -> list[SoundOutput]:
        self._lost += arrival.lost_before
        packet = arrival.packet
        if packet.kind == Kind.AUDIO and self._sound is not None and self.header is not None:
            if self.header.audio is not None:
                self._changes.pass_time(packet.kind, self.header.audio.time_base)
            return _sounds(self._sound.push(packet.pts, packet.payload))
        if packet.kind == Kind.MOTION and self._pictures is not None and self.header is not None:
            frames = self._pictures.push(packet, self._lost)
            self._changes.pass_time(packet.kind, frames / self.header.fps)
            self._lost = 0
        elif packet.kind == Kind.MOTION:
            self.statistics.missing_reference += 1
            self.statistics.ask_for_keyframe("motion came before the stream's header")
        return []


def _sounds(pieces: list[Sound]) -> list[SoundOutput]:
    return [
        SoundOutput(piece.pcm, Fraction(piece.start, SAMPLE_RATE), piece.concealed)
        for piece in pieces
    ]
