"""`Decoder`: packets in, pictures and sound out. No thread, no clock, no event loop.

packet ─┬→ order ─┬→ MOTION → PictureTrack ─────────→ PictureOutput
        │         └→ AUDIO  → SoundTrack ─(mel)┘ └──→ SoundOutput
        └→ the others at once: they serve later packets, whatever their order

and back: what came, what is ready and what is wanted → CONTROL
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..codec.control import Control
from ..codec.errors import (
    ConfigError,
    MotionError,
    StreamError,
    UnsupportedError,
    WeightsError,
)
from ..codec.keyframe import Keyframe, KeyframeAssembler
from ..codec.packet import Kind, Packet
from ..codec.stream import StreamHeader
from ..models.mel import SAMPLE_RATE
from .config import DecoderConfig
from .generators.networks import Networks, NotLoadedError, header_for
from .generators.people import People
from .ordering.changes import StreamChanges
from .ordering.order import Order
from .outputs import Frame, Output, PictureOutput, SoundOutput
from .reports import Reports
from .statistics import Statistics
from .talking.speech import TheirMouth
from .tracks.references import MissingBaseError
from .tracks.sound import needed_samples
from .tracks.stream import Due, StreamTracks

if TYPE_CHECKING:
    from .generators.protocol import Generator

__all__ = ["Decoder", "Due"]

_OPUS_DELAY_MS = 6.5
_DEFAULT_AUDIO_MS = 40
_log = logging.getLogger(__name__)


class Decoder:
    """Turns the packets of one stream into pictures and sound.

    Packets may be lost, late, doubled, reordered or damaged. Decoding can begin at any STREAM and
    KEYFRAME packet. The memory is bounded however long the stream is, and so is the work of one
    call (`DecoderConfig.max_renders`).

    A call passes its clock in as `now`, in seconds of any monotonic clock, always the same one. The
    decoder then waits by that clock for what is missing, and unwraps times by it. Without `now`, as
    in files, it goes by what comes.

    The first STREAM packet makes `decode` load a network, which takes about a second (several if
    the self-test of precisions never ran here). A live application avoids that with `prepare`.

    Args:
        config: settings; the defaults suit an application that embeds the decoder.
        generator: takes the place of the one that the stream names, whose weights are then not
            checked.

    Attributes:
        config: as given.
        statistics: counts of what came and what did not; the same object all along.
    """

    def __init__(
        self, config: DecoderConfig | None = None, generator: Generator | None = None
    ) -> None:
        self.config = config or DecoderConfig()
        self.statistics = Statistics()
        self._closed = False
        self._people = People(self.config.identity, self.statistics)
        self._networks = Networks(self.config, generator)
        self._mouth = TheirMouth()
        self._order = Order(self.config, self.statistics)
        self._assembler = KeyframeAssembler()
        self._reports = Reports(self.config, self.statistics, self._order, self._assembler)
        self._picture: Frame | None = None  # the newest one
        self._now: float | None = None
        self._admits: Callable[[Keyframe], bool] | None = None
        self.reset()

    def reset(self) -> None:
        """Forget the stream, after a seek or before another stream. Loaded networks, the identity
        and the counts stay.
        """
        self._changes = StreamChanges()
        self._wanted: StreamHeader | None = None
        self._networks.reset()
        self._mouth.forget()
        self._assembler.reset()
        self._reports.reset()
        self._early: deque[Keyframe] = deque(maxlen=self.config.references)
        self._stream: StreamTracks | None = None
        self._order.reset()

    @property
    def header(self) -> StreamHeader | None:
        """Of the stream being decoded; None before the first STREAM packet."""
        return None if self._stream is None else self._stream.header

    @property
    def waiting(self) -> int:
        """Number of frames and packets held back at the moment; bounded by the configuration."""
        return len(self._order) + (0 if self._stream is None else len(self._stream.pictures))

    @property
    def references(self) -> tuple[int, ...]:
        """Ids of the keyframes that are here. `report` tells their checksums too."""
        states = () if self._stream is None else self._stream.pictures.references
        return tuple(state.id for state in states)

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
        """Load a network now, and the small one that moves mouths with the sound, so that no later
        `decode` has to.

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
        self._networks.prepare(asked, self._people.find(asked))
        self._mouth.predictor()

    def lighten(self, light: bool) -> None:
        """Render with the smallest network from now on, or again with the one that the stream
        names. It changes nothing unless `DecoderConfig.live` is set. Any thread may call it.
        """
        self._networks.lighten(light)

    def work_ahead(self) -> bool:
        """Prepare one of the keyframes that came, before a picture needs it. It does nothing unless
        `DecoderConfig.live` is set, and belongs into the thread that renders.

        Returns:
            Whether there was one.
        """
        return self._networks.work_ahead()

    def decode(self, packet: Packet | bytes, now: float | None = None) -> list[Output]:
        """Take one packet.

        Args:
            packet: as it came, parsed or as the bytes of a datagram. Bytes that are no packet
                count as damaged. Packets of a kind that this build does not know are ignored.
            now: seconds of the caller's clock. A time that goes back counts as the time before.
                With it, of pictures that come 0.3 s later than others, as after an outage or where
                the caller does not keep up, only the newest is rendered, four a second at most.

        Returns:
            The pictures and pieces of sound that this packet completes; often none, or several.

        Raises:
            UnsupportedError: the stream is of a version, model, size, sound or motion tables that
                this build does not know. The old stream goes on.
            WeightsError: the stream's weights are not here, differ from those that are here, or
                may not be loaded in this call (`Statistics.wants_prepare` is then true); or the
                configured identity is not the stream's. The old stream goes on.
            ConfigError: the decoder is closed, `now` is not finite, or the configured precision is
                not available here.
            MissingExtraError: backend "torch" is not installed.
        """
        return [self._rendered(due) for due in self._take(packet, now, paced=now is not None)]

    def flush(self) -> list[Output]:
        """Return everything that still waits. Call it at the end; more packets may follow."""
        return [self._rendered(due) for due in self.take_rest()]

    def take(self, packet: Packet | bytes, now: float | None = None) -> list[Due]:
        """`decode` without rendering, for callers that render elsewhere (`Rendering.picture`) and
        choose what they render.

        Raises:
            UnsupportedError, WeightsError, ConfigError, MissingExtraError: as `decode`.
        """
        return self._take(packet, now)

    def expire(self, now: float, needed: float | None = None) -> list[Due]:
        """What is due because time passed, though no packet came: what waited for a packet that is
        given up, and frames that waited for sound long enough. Call it every 20 ms or so.

        Args:
            now: seconds of the clock.
            needed: seconds of the stream up to which sound is to be played at once. Sound of before
                it waits no longer for what is missing.

        Raises:
            ConfigError: the decoder is closed, or `now` is not finite.
        """
        self._check_open()
        now = self._advance(now)
        self._order.expire(now)
        return [*self._in_order(now, needed), *self._due(now)]

    def take_rest(self) -> list[Due]:
        """`flush` without rendering."""
        return self._rest(None)

    def report(self) -> Control:
        """What the sender should know: which packets came, the newest frame that was decoded, the
        references by id and checksum, and what is wanted.

        Fragments that are missing of a keyframe are named at most once in 0.2 s; asking for a
        report counts. They are known only if `now` is passed with the packets.
        """
        return self._reports.report(self._stream, self._now)

    def feedback(self, now: float) -> bytes:
        """A report for `Encoder.feed`, as the payload of a CONTROL packet, if one is due.

        Call it as often as you like, for example after every datagram and frame. Ordinary reports
        are 0.1 s apart; what is wanted newly is told at once. There are at most 20 in a second.

        Args:
            now: seconds of the clock that `decode` is given.

        Returns:
            Bytes to be sent to the sender; empty if nothing is due.

        Raises:
            ConfigError: the decoder is closed, or `now` is not finite.
        """
        self._check_open()
        return self._reports.due(self._stream, self._advance(now))

    def guard(self, admits: Callable[[Keyframe], bool]) -> None:
        """From now on, use only those keyframes of the packets that `admits` lets in. One that
        turns out to be good later is for `admit`.
        """
        self._admits = admits

    def admit(self, keyframe: Keyframe) -> None:
        """Use a keyframe, whoever vouches for it."""
        if self._stream is None:
            self._early.append(keyframe)
        else:
            self._use(keyframe, self._stream)

    def close(self) -> None:
        """Free the network and everything that waits. Nothing can be decoded afterwards."""
        self.reset()
        self._networks.close()
        self._people.forget()
        self._picture = None
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

    def _advance(self, now: float) -> float:
        """The time, which never goes back."""
        if not math.isfinite(now):
            raise ConfigError(f"a time is a finite number of seconds, not {now}")
        self._now = now if self._now is None else max(now, self._now)
        return self._now

    def _take(self, data: Packet | bytes, now: float | None, *, paced: bool = False) -> list[Due]:
        """The body of `take`; `paced` as in `PictureTrack.due`."""
        self._check_open()
        now = None if now is None else self._advance(now)
        packet, sequence = self._parse(data)
        if sequence is None:
            return []
        if self.statistics.wants_prepare:
            self._adapt()
        due: list[Due] = []
        self._reports.count()
        if packet is not None and packet.kind == Kind.STREAM:
            due += self._on_stream(packet, now, paced)
        elif packet is not None and packet.kind == Kind.IDENTITY:
            if self._people.push(packet, self.header):
                self._adapt()
        elif packet is not None and packet.kind == Kind.KEYFRAME:
            self._on_keyframe(packet, now)
        elif packet is not None and packet.kind == Kind.BASE and self._stream is not None:
            self._stream.pictures.push_base(packet)
        elif packet is not None and packet.kind == Kind.LIGHT and self._stream is not None:
            self._stream.pictures.push_light(packet)
        if self._order.push(sequence, packet, now):
            due += self._begin_anew(now, paced)
        return [*due, *self._in_order(now), *self._due(now, paced=paced)]

    def _parse(self, data: Packet | bytes) -> tuple[Packet | None, int | None]:
        """A packet and its number. No packet: its kind is unknown. No number: it is to be ignored,
        since it is damaged, or a CONTROL packet, which is for the sender and counted apart.
        """
        if isinstance(data, Packet):
            packet = data
        else:
            try:
                packet = Packet.parse(data)
            except UnsupportedError:
                return None, int.from_bytes(data[2:4], "little")
            except StreamError:
                self.statistics.damaged += 1
                return None, None
        return packet, None if packet.kind == Kind.CONTROL else packet.sequence

    def _due(self, now: float | None, *, paced: bool = False) -> list[Due]:
        return [] if self._stream is None else self._stream.due(now, paced=paced)

    def _rest(self, now: float | None, *, paced: bool = False) -> list[Due]:
        self._order.give_up()
        due = self._in_order(now)
        return due if self._stream is None else [*due, *self._stream.rest(now, paced=paced)]

    def _begin_anew(self, now: float | None, paced: bool) -> list[Due]:
        """The sender counts anew: its times may be anything, and its stream may be another one."""
        due = self._rest(now, paced=paced)
        self._reports.announce(self._order.begin_anew(now))
        if self._stream is not None:
            _log.info("the sender began to count its packets anew")
            self.statistics.streams += 1
            self._stream.restart()
        return due

    def _on_stream(self, packet: Packet, now: float | None, paced: bool) -> list[Due]:
        try:
            header = StreamHeader.from_payload(packet.payload)
        except UnsupportedError:
            self._reports.announce(True)
            raise
        except StreamError:
            self.statistics.damaged += 1
            return []
        if not self._changes.allows(header, packet, now):
            self.statistics.ignored_streams += 1
            return []
        self._reports.announce(True)
        if header == self.header:
            self._changes.follow(header, packet, now)
            self._wanted = None
            return []
        self._people.check(header)
        # Everything that can refuse the stream comes first: then the old one goes on as it was.
        generator = self._generator(header)
        stream = StreamTracks(
            *(header, generator, self._networks.fuser),
            *(self.config, self.statistics, self._mouth),
        )
        due: list[Due] = []
        early = [*self._early]
        self._early.clear()
        if self._stream is not None:
            due = self._rest(now, paced=paced)
            self._order.reset()
            _log.info("the stream changes to %s, profile %s", header.model, header.profile)
        self._changes.follow(header, packet, now)
        self._stream = stream
        self.statistics.streams += 1
        person = self._people.find(header)
        self._mouth.know(None if person is None else person.identity)
        self.statistics.wants_identity = header.identity is not None and person is None
        for keyframe in early:
            self._use(keyframe, stream)
        return due

    def _generator(self, header: StreamHeader) -> Generator:
        """The generator for a new stream; without the identity if that does not fit."""
        person = self._people.find(header)
        try:
            generator = self._networks.get(header, person)
        except NotLoadedError:
            self._wanted = header
            self.statistics.wants_prepare = True
            raise
        except WeightsError as error:
            if person is None or not self._people.refuse(error):
                raise
            return self._generator(header)
        self._wanted = None
        self.statistics.wants_prepare = False
        return generator

    def _adapt(self) -> None:
        """Show the face of the stream as its identity says, as soon as that network is loaded."""
        stream = self._stream
        if stream is None or self._wanted is not None:
            return
        person = self._people.find(stream.header)
        try:
            stream.pictures.use(self._networks.get(stream.header, person))
            self._mouth.know(None if person is None else person.identity)
        except NotLoadedError:
            self.statistics.wants_prepare = True
            return
        except WeightsError as error:
            self._people.refuse(error)
        self.statistics.wants_identity = person is None and stream.header.identity is not None
        self.statistics.wants_prepare = False

    def _on_keyframe(self, packet: Packet, now: float | None) -> None:
        try:
            keyframe = self._assembler.push(packet, now)
        except (StreamError, MotionError) as error:
            self._refuse_keyframe(error)
            return
        if keyframe is not None and (self._admits is None or self._admits(keyframe)):
            self.admit(keyframe)

    def _use(self, keyframe: Keyframe, stream: StreamTracks) -> None:
        try:
            stream.add_keyframe(keyframe)
        except MissingBaseError as error:
            self.statistics.missing_reference += 1
            self.statistics.ask_for_keyframe(str(error))
            return
        except (StreamError, MotionError) as error:
            self._refuse_keyframe(error)
            return
        self.statistics.wants_keyframe = False

    def _refuse_keyframe(self, error: Exception) -> None:
        _log.info("a keyframe was refused: %s", error)
        self.statistics.damaged += 1
        self.statistics.ask_for_keyframe("one was damaged")

    def _in_order(self, now: float | None, needed: float | None = None) -> list[Due]:
        """Hand over the packets that are in order; the sound that they give."""
        due: list[Due] = []
        stream = self._stream

        def follows(packet: Packet) -> bool:
            return stream is not None and (stream.follows(packet) or stream.needs(packet, needed))

        while (arrival := self._order.pop(follows)) is not None:
            kind = arrival.packet.kind
            if self._stream is not None:
                sounds, seconds = self._stream.push(arrival, now)
                self._changes.pass_time(kind, seconds)
                due += sounds
            elif kind == Kind.MOTION:
                self.statistics.missing_reference += 1
                self.statistics.ask_for_keyframe("motion came before the stream's header")
        return due
