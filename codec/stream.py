"""`StreamHeader`: what a receiver must know before the first frame: the payload of STREAM."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Self

import msgpack

from .counters import WRAP
from .errors import ConfigError, StreamError, UnsupportedError
from .identity import ID_BYTES
from .motion.frame import KEYPOINTS
from .motion.profiles import POSES, Profile, find_profile, has_gaze, tables_version
from .packet import Flags, Kind, Packet
from .sound.opus import FRAME_MS, SAMPLE_RATE
from .untrusted import unpack

__all__ = [
    "MAX_CONSENT",
    "MAX_HEADER",
    "MAX_SIZE",
    "MIN_SIZE",
    "VERSION",
    "AudioParameters",
    "StreamHeader",
    "is_consent",
]

VERSION = 1
MAX_HEADER = 1024
"""Largest STREAM payload in bytes."""
MIN_SIZE, MAX_SIZE = 64, 1024
"""Width and height of the coded picture in pixels."""
MAX_CONSENT = 200
"""Bytes of UTF-8 in a consent."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MAX_CONTAINERS, _MAX_ENTRIES = 64, 64  # far more than today's: later headers may have more keys
_FIRST_TABLES = 1  # of streams that name none
_NO_TABLES = 0  # of profiles that have none
_MAX_TERM = 10**6  # of a fraction: NTSC's 30000/1001 and milliseconds are far below


def is_consent(text: str) -> bool:
    """Whether a text can stand for a consent: one line that is not blank, of printable characters
    and at most `MAX_CONSENT` bytes.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return False
    return bool(text.strip()) and text.isprintable() and size <= MAX_CONSENT


@dataclass(frozen=True, slots=True)
class AudioParameters:
    """The sound of a stream.

    Attributes:
        codec: "opus".
        sample_rate: Hz of the sound that was coded.
        channels: 1.
        frame_ms: length of one Opus packet, one of `opus.FRAME_MS`. The pts of AUDIO packets
            counts in this unit.
        bitrate: target in bits a second; for information.

    Raises:
        ConfigError: a value out of range.
    """

    codec: str = "opus"
    sample_rate: int = SAMPLE_RATE
    channels: int = 1
    frame_ms: int = 40
    bitrate: int = 10000

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.codec):
            raise ConfigError(f"{self.codec!r} is not a name of an audio codec")
        if not 8000 <= self.sample_rate <= 48000 or not 1 <= self.channels <= 2:
            raise ConfigError(
                f"sound of {self.sample_rate} Hz and {self.channels} channels; "
                "8000 to 48000 Hz and one or two channels can be described"
            )
        if self.frame_ms not in FRAME_MS:
            raise ConfigError(f"Opus packets last {FRAME_MS} ms, not {self.frame_ms}")
        if not 500 <= self.bitrate <= 512000:
            raise ConfigError(f"Opus takes 500 to 512000 bit/s, not {self.bitrate}")

    @property
    def time_base(self) -> Fraction:
        """Seconds of one tick of the pts of AUDIO packets."""
        return Fraction(self.frame_ms, 1000)


@dataclass(frozen=True, slots=True)
class StreamHeader:
    """Parameters of a stream; sent first, and again before each keyframe from which one can join.

    Attributes:
        model: name of the generator, for example "avfr-s".
        weights_sha256: 32 bytes, hash of the weights that the generator must use.
        width: pixels of the coded picture.
        height: pixels of the coded picture.
        fps: nominal frames a second.
        time_base: seconds of one tick of KEYFRAME and MOTION pts: 1/fps where the rate is
            constant, so that pts counts frames; 1/1000 where it varies.
        keypoints: 10.
        profile: how motion is coded, see `motion/profiles.py`.
        tables: version of the tables of profile `entropy` or `pose`; by default the one that this
            build writes. 0 with profiles that have none.
        audio: parameters of the sound; None in a stream without sound.
        synthetic: whether the pictures that the receiver shows are generated.
        identity: `ID_BYTES` bytes, id of the identity (`identity.py`) that belongs to the
            stream, or None.
        session: number that the sender chose at random when the stream began, 1 to 2^32 - 1, so
            that a receiver can tell a sender that began anew from packets that are late. 0: none
            was chosen, as in a file.
        portrait: what is shown is a portrait that moves as the sender does. "" if it is the
            sender's own; else who agreed to it and when (`is_consent`), and no receiver of
            facewire's shows it without the badge. None: the pictures are the camera's.
        performed: nobody was before a camera. The face in a photograph is moved by the sound, and
            its head and lids move by themselves. No receiver of facewire's shows it without the
            badge.
        version: of the wire format.

    Raises:
        ConfigError: a value out of range.
        UnsupportedError: a version, profile or number of keypoints that this build lacks.
    """

    model: str
    weights_sha256: bytes
    width: int = 256
    height: int = 256
    fps: Fraction = Fraction(25)
    time_base: Fraction = Fraction(1, 25)
    keypoints: int = KEYPOINTS
    profile: str = Profile.FP16
    audio: AudioParameters | None = None
    synthetic: bool = True
    tables: int | None = None
    version: int = VERSION
    identity: bytes | None = None
    session: int = 0
    portrait: str | None = None
    performed: bool = False

    def __post_init__(self) -> None:
        if self.version != VERSION:
            raise UnsupportedError(
                f"the stream has version {self.version}, this build reads {VERSION}; "
                "a newer facewire may read it"
            )
        find_profile(self.profile)
        if self.tables is None:
            object.__setattr__(self, "tables", tables_version(self.profile) or _NO_TABLES)
        if self.keypoints != KEYPOINTS:
            raise UnsupportedError(
                f"the stream has {self.keypoints} keypoints, this build reads {KEYPOINTS}"
            )
        if not _NAME.fullmatch(self.model):
            raise ConfigError(f"{self.model!r} is not a name of a model")
        if len(self.weights_sha256) != 32:
            raise ConfigError(f"a SHA-256 has 32 bytes, not {len(self.weights_sha256)}")
        if self.identity is not None and len(self.identity) != ID_BYTES:
            raise ConfigError(f"an identity's id has {ID_BYTES} bytes, not {len(self.identity)}")
        if self.portrait and not is_consent(self.portrait):
            raise ConfigError(f"a consent is one line of at most {MAX_CONSENT} bytes")
        if not 0 <= self.session < 1 << 32:
            raise ConfigError(f"a session number has 32 bits, not {self.session}")
        if not all(MIN_SIZE <= n <= MAX_SIZE and n % 2 == 0 for n in (self.width, self.height)):
            raise ConfigError(
                f"a picture of {self.width}x{self.height}; even sizes from {MIN_SIZE} to "
                f"{MAX_SIZE} pixels can be coded"
            )
        if not 0 < self.fps <= 1000 or not 0 < self.time_base <= 10:
            raise ConfigError(
                f"{self.fps} frames/s in ticks of {self.time_base} s; a stream has up to 1000 "
                "frames/s and ticks of up to 10 s"
            )
        terms = (*self.fps.as_integer_ratio(), *self.time_base.as_integer_ratio())
        if max(terms) > _MAX_TERM:
            raise ConfigError(
                f"{self.fps} frames/s or ticks of {self.time_base} s have a numerator or "
                f"denominator above {_MAX_TERM}"
            )

    @property
    def gaze(self) -> bool:
        """Whether it is sent where the eyes look."""
        return has_gaze(self.profile, self.tables)

    @property
    def keeps_badge(self) -> bool:
        """Whether what is shown must never be taken for a recording, so that the badge stays."""
        return bool(self.portrait) or self.performed

    @property
    def mouth_rests(self) -> bool:
        """Whether nothing moves the mouth: the profile sends none, and the stream has no sound."""
        return self.profile in POSES and self.audio is None

    def to_payload(self) -> bytes:
        """A msgpack map, whose keys docs/wire-format.md describes."""
        fields: dict[str, Any] = {
            "version": self.version,
            "model": self.model,
            "sha256": self.weights_sha256,
            "size": [self.width, self.height],
            "fps": list(self.fps.as_integer_ratio()),
            "tick": list(self.time_base.as_integer_ratio()),
            "k": self.keypoints,
            "profile": str(self.profile),
            "synthetic": self.synthetic,
        }
        if tables_version(self.profile) is not None:
            fields["tables"] = self.tables
        if self.audio is not None:
            fields["audio"] = {
                "codec": self.audio.codec,
                "rate": self.audio.sample_rate,
                "channels": self.audio.channels,
                "ms": self.audio.frame_ms,
                "bps": self.audio.bitrate,
            }
        if self.identity is not None:
            fields["identity"] = self.identity
        if self.session:
            fields["session"] = self.session
        if self.portrait is not None:
            fields["portrait"] = self.portrait
        if self.performed:
            fields["performed"] = True
        return bytes(msgpack.packb(fields))

    def to_packet(self, sequence: int, pts: int = 0) -> Packet:
        """The STREAM packet; `sequence` and `pts` are taken modulo 65536."""
        flags = Flags.SYNTHETIC if self.synthetic else Flags.NONE
        payload = self.to_payload()
        return Packet(Kind.STREAM, flags, 0, sequence % WRAP, pts % WRAP, payload)

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """Inverse of `to_payload`. Unknown keys are ignored.

        Raises:
            UnsupportedError: a version, profile or number of keypoints that this build lacks.
            StreamError: it is not such a map, or has values out of range.
        """
        if len(payload) > MAX_HEADER:
            raise StreamError(
                f"a stream header of {len(payload)} bytes; at most {MAX_HEADER} are allowed"
            )
        fields = unpack(payload, containers=_MAX_CONTAINERS, entries=_MAX_ENTRIES)
        header = _Fields(fields, "stream header")
        version = header.take("version", int)
        if version != VERSION:  # checked first, since a later version may have other fields
            raise UnsupportedError(
                f"the stream has version {version}, this build reads {VERSION}; "
                "a newer facewire may read it"
            )
        width, height = header.pair("size")
        audio = header.fields.get("audio")
        named = "identity" in header.fields
        try:
            return cls(
                model=header.take("model", str),
                weights_sha256=header.take("sha256", bytes),
                width=width,
                height=height,
                fps=_fraction(header.pair("fps")),
                time_base=_fraction(header.pair("tick")),
                keypoints=header.take("k", int),
                profile=header.take("profile", str),
                audio=None if audio is None else _parse_audio(audio),
                synthetic=header.take("synthetic", bool),
                tables=_tables(header),
                identity=header.take("identity", bytes) if named else None,
                session=header.take("session", int) if "session" in header.fields else 0,
                portrait=header.take("portrait", str) if "portrait" in header.fields else None,
                performed="performed" in header.fields and header.take("performed", bool),
            )
        except ConfigError as error:
            raise StreamError(f"the stream header has a value out of range: {error}") from error


class _Fields:
    """A map from a stranger. Values are checked as they are taken out."""

    def __init__(self, fields: object, name: str) -> None:
        if not isinstance(fields, dict):
            raise StreamError(f"the {name} is not a map")
        self.fields: dict[object, Any] = fields
        self._name = name

    def take(self, key: str, kind: type) -> Any:
        value = self.fields.get(key)
        if type(value) is not kind:  # bool is an int to isinstance
            raise StreamError(f"the {self._name} lacks {key!r} of type {kind.__name__}")
        return value

    def pair(self, key: str) -> tuple[int, int]:
        value = self.take(key, list)
        if len(value) != 2 or not all(type(n) is int for n in value):
            raise StreamError(f"the {self._name}'s {key!r} is not a pair of integers")
        return value[0], value[1]


def _tables(header: _Fields) -> int:
    if "tables" in header.fields:
        return int(header.take("tables", int))
    coded = header.fields.get("profile") in (Profile.ENTROPY, Profile.POSE)
    return _FIRST_TABLES if coded else _NO_TABLES


def _parse_audio(fields: object) -> AudioParameters:
    audio = _Fields(fields, "stream header's sound")
    return AudioParameters(
        codec=audio.take("codec", str),
        sample_rate=audio.take("rate", int),
        channels=audio.take("channels", int),
        frame_ms=audio.take("ms", int),
        bitrate=audio.take("bps", int),
    )


def _fraction(pair: tuple[int, int]) -> Fraction:
    if pair[1] <= 0:
        raise StreamError(f"the stream header has a fraction {pair[0]}/{pair[1]}")
    return Fraction(*pair)
