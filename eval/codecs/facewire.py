"""facewire itself: real packets in a real file, decoded as any receiver would."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...codec.errors import RateError
from ...codec.file.accounting import PARTS, BitCount
from ...codec.file.container import HEAD_BYTES, Reader, Writer, record_overhead
from ...codec.motion.profiles import STATELESS, MotionSettings, tables_version
from ...codec.packet import HEADER_BYTES, Kind, Packet
from ...codec.sound.opus import SAMPLE_RATE, OpusEncoder
from ...models.weights import load_card
from ...models.weights.runtime_graphs import graphs_digest
from ...receiver.config import DecoderConfig, Precision
from ...receiver.decoder import Decoder
from ...receiver.generators.precision import missing
from ...receiver.outputs import PictureOutput
from ...sender.config import EncoderConfig
from ...sender.encoder import Encoder
from ...sender.version import ENCODER_VERSION
from ..clips import Clip, Frame
from ..files import cpu_seconds
from .base import Codec, Encoded, Knob
from .crop import write_crop

__all__ = ["AUDIO_KBPS", "FacewireCodec"]

AUDIO_KBPS = 10.0
"""Sound that goes with every codec."""


class FacewireCodec(Codec):
    """One profile with one network.

    References take what the motion leaves of the rate. The network hears the decoded sound, so
    the stream holds it; its packets are counted on the line of the sound, which is the same for
    every codec.

    Args:
        name: as in `--codecs`.
        profile: of the motion.
        network: a shipped size, or a folder.
        live: coded as in a call: frame by frame, nothing known in advance. Counted are the packets
            with their headers, as a network would carry them, and no file around them.
        base: a base layer may be added.
    """

    suffix = ".fwire"

    def __init__(
        self,
        name: str,
        profile: str,
        network: str | Path,
        *,
        live: bool = False,
        base: bool = False,
    ) -> None:
        self.name = name
        self.profile, self.network, self.live, self.base = profile, str(network), live, base
        self.knob = Knob("kbps without sound", 100, 2_000_000, 1, tries=6)
        how = "frame by frame, as in a call" if live else "ten seconds planned together"
        how += ", with a base layer where it pays" if base else ""
        self.about = f"facewire, profile {profile}, network {load_card(self.network).name}, {how}"

    def versions(self) -> dict[str, str]:
        """The network, what runs it, and how motion and keyframe are coded."""
        card = load_card(self.network)
        motion = {}
        if self.profile not in STATELESS:
            zone = MotionSettings().dead_zone
            tables = tables_version(self.profile, gaze=card.gaze)
            motion["motion"] = f"tables {tables}, step by rate, zone {zone:g}"
        return (
            {card.name: card.sha256.hex()[:16], "profile": self.profile}
            | motion
            | {
                "references": f"{'live' if self.live else 'planned'}, {ENCODER_VERSION}",
                "graphs": graphs_digest(card)[:16],
                "still": "AV1, CRF in quarters",
                "av": version("av"),
            }
        )

    def weights(self) -> dict[str, str]:
        """The network."""
        card = load_card(self.network)
        return {card.name: card.sha256.hex()}

    def write_source(self, clip: Clip, folder: Path) -> Path:
        """The clip as a video."""
        return write_crop(clip, folder)

    def encode(self, clip: Clip, setting: float, out: Path, scratch: Path) -> Encoded:
        """Encode frames and sound, uncropped: the clip is the crop."""
        sound = clip.pcm()
        config = self._encoder(clip, has_sound=len(sound) > 0)
        config = self._rated(clip, config, setting, sound)
        picture, other = BitCount(), BitCount()
        if not self.live:
            picture.add_container(HEAD_BYTES)
        began = cpu_seconds()
        with out.open("wb") as file:
            writer = Writer(file)
            try:
                packets = _packets(clip, config, sound)
            except RateError as error:  # its floor, and the search says that it is
                config = replace(config, kbps=error.least_kbps * 1.001)
                packets = _packets(clip, config, sound)
            for packet in packets:
                writer.write(packet)
                part = other if packet.kind is Kind.AUDIO else picture
                part.add(packet, in_file=not self.live)
            writer.close()
            written = writer.bytes_written
        seconds = cpu_seconds() - began
        if not self.live:
            picture.fill_to(written - other.bits["total"] // 8)
        bits = {part: picture.bits[part] for part in PARTS[:-1] if part != "audio"}
        return Encoded(out, bits, setting, self._command(config), seconds)

    def decode(self, clip: Clip, encoded: Encoded, scratch: Path) -> Iterator[Frame]:
        """Decode with the runtime that a receiver uses."""
        decoder = Decoder(self._decoder(DecoderConfig(max_renders=100_000)))
        with encoded.path.open("rb") as file:
            for packet in Reader(file):
                yield from (o.frame for o in decoder.decode(packet) if isinstance(o, PictureOutput))
        yield from (o.frame for o in decoder.flush() if isinstance(o, PictureOutput))

    def _rated(
        self, clip: Clip, config: EncoderConfig, setting: float, sound: npt.NDArray[np.float32]
    ) -> EncoderConfig:
        """The settings with the knob's; the sound comes on top."""
        return replace(config, kbps=(setting + _sound_bits(sound, config) / clip.seconds) / 1000)

    def _command(self, config: EncoderConfig) -> str:
        """What a person types to get the same stream."""
        command = ["facewire", "encode", "crop.mkv", f"out{self.suffix}", "--no-crop"]
        command += ["--profile", self.profile, "--kbps", f"{config.kbps!r}"]
        command += ["--plan-ahead", "0"] if self.live else []
        command += ["--base"] if self.base else []
        command += ["--weights", self.network] if self.network != "s" else []
        return shlex.join(command)

    def _encoder(self, clip: Clip, *, has_sound: bool) -> EncoderConfig:
        """Settings of the sender, without a rate."""
        return EncoderConfig(
            profile=self.profile,
            model=self.network,
            crop=False,
            size=clip.width,
            audio_kbps=AUDIO_KBPS if has_sound else None,
            plan_ahead_s=0 if self.live else "auto",
            base="calls" if self.base and self.live else self.base,
        )

    def _decoder(self, config: DecoderConfig) -> DecoderConfig:
        """The settings with this network, on one thread, and in a precision that the processor
        decides, not a clock: the same figures each time.
        """
        folder = Path(self.network) if Path(self.network).is_dir() else None
        precision: Precision = "float32" if missing(load_card(self.network), "bf16") else "bf16"
        return replace(config, threads=1, weights=folder, precision=precision)


def _sound_bits(sound: npt.NDArray[np.float32], config: EncoderConfig) -> int:
    """What the sound takes with its headers, in a file with its records too."""
    if not len(sound):
        return 0
    live = config.plan_ahead_s == 0
    opus = OpusEncoder(round(1000 * AUDIO_KBPS), config.sound_together(live=live))
    coded = [HEADER_BYTES + len(data) for data in (*opus.encode(sound), *opus.flush())]
    return 8 * sum(size + (0 if live else record_overhead(size)) for size in coded)


def _packets(clip: Clip, config: EncoderConfig, sound: npt.NDArray[np.float32]) -> Iterator[Packet]:
    """Raises `RateError` at once, not when the first packet is asked for."""
    seconds = clip.frames / Fraction(clip.fps)
    duration = None if config.plan_ahead_s == 0 else seconds
    encoder = Encoder(config, fps=clip.fps, duration_s=duration, sound=len(sound) > 0)
    return _run(encoder, clip, sound)


def _run(encoder: Encoder, clip: Clip, sound: npt.NDArray[np.float32]) -> Iterator[Packet]:
    taken = 0
    with encoder:
        for index, frame in enumerate(clip.rgb()):
            end = round((index + 1) * SAMPLE_RATE / clip.fps) if index + 1 < clip.frames else None
            pcm = sound[taken:end] if len(sound) else None
            taken = end or len(sound)
            yield from encoder.encode(np.asarray(frame), pcm, index)
        yield from encoder.flush()
