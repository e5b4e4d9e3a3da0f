"""Profile `entropy` from the encoder to the decoder: bundles, losses, acknowledgements."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facewire.codec.errors import ConfigError
from facewire.codec.motion.profiles import MotionSettings
from facewire.codec.packet import Flags, Kind, Packet
from facewire.receiver.config import DecoderConfig
from facewire.receiver.decoder import Decoder
from facewire.sender.config import EncoderConfig
from facewire.sender.encoder import Encoder

from .receiver.conftest import FakeGenerator
from .sender.conftest import Box, FakeTracker

BLANK = np.full((256, 256, 3), 90, np.uint8)
FRAMES = 60


def boxes() -> list[list[Box]]:
    """A face that sways."""
    shift = 12 * np.sin(np.arange(FRAMES) / 6)
    return [[(60 + float(s), 60, 180 + float(s), 200)] for s in shift]


def send(weights: Path, **settings: Any) -> tuple[Encoder, list[Packet]]:
    duration, fps = settings.pop("duration_s", None), settings.pop("fps", 25)
    config = EncoderConfig(model=str(weights), profile="entropy", audio_kbps=None, **settings)
    encoder = Encoder(config, tracker=FakeTracker(boxes()), fps=fps, duration_s=duration)
    packets = [p for _ in range(FRAMES) for p in encoder.encode(BLANK)]
    return encoder, packets + encoder.flush()


def receive(packets: list[Packet]) -> tuple[Decoder, FakeGenerator, list[Any]]:
    generator = FakeGenerator()
    decoder = Decoder(DecoderConfig(), generator)
    outputs = [o for p in packets for o in decoder.decode(Packet.parse(bytes(p)))]
    return decoder, generator, outputs + decoder.flush()


@pytest.mark.parametrize("bundle", [1, 7, 25, 64, "auto"])
def test_every_frame_arrives_however_it_is_bundled(card: Path, bundle: Any) -> None:
    duration = Fraction(FRAMES, 25) if bundle == "auto" else None
    encoder, packets = send(card, bundle=bundle, duration_s=duration)
    decoder, generator, outputs = receive(packets)
    assert [o.pts * 25 for o in outputs] == list(range(FRAMES))
    assert encoder.statistics.frames == FRAMES
    assert not any(o.concealed for o in outputs)
    count = {"auto": 25}.get(bundle, bundle)
    assert sum(p.kind == Kind.MOTION for p in packets) == -(-FRAMES // count)
    sway = [float(m.value[0, 0]) for m in generator.motions]
    assert max(sway) - min(sway) > 0.1
    assert decoder.statistics.damaged == decoder.statistics.missing_reference == 0


def test_long_packets_of_a_slow_video_are_no_wild_jumps(card: Path) -> None:
    """Packets 5.4 s apart: more than a time stamp may jump without being doubted."""
    _, packets = send(card, bundle=27, fps=5)
    decoder, _, outputs = receive(packets)
    assert [o.pts * 5 for o in outputs] == list(range(FRAMES))
    assert not any(o.concealed for o in outputs)
    assert decoder.statistics.late == 0


def test_the_bits_are_a_fraction_of_fp16s(card: Path) -> None:
    _, packets = send(card, bundle=25)
    motion = [p for p in packets if p.kind == Kind.MOTION]
    assert 8 * sum(len(p.payload) for p in motion) / FRAMES < 60


def test_a_finer_step_follows_closer(card: Path) -> None:
    found = []
    for step in (1, 9):
        _, packets = send(card, motion=MotionSettings(step=step))
        _, generator, _ = receive(packets)
        found.append(np.stack([m.value for m in generator.motions]))
    _, exact = send(card, motion=MotionSettings(step=0, dead_zone=0.5))
    _, generator, _ = receive(exact)
    truth = np.stack([m.value for m in generator.motions])
    assert np.abs(found[0] - truth).mean() < np.abs(found[1] - truth).mean()


def test_a_lost_packet_is_concealed_until_the_refresh(card: Path) -> None:
    _, packets = send(card, refresh_interval=0.4)
    motion = [p for p in packets if p.kind == Kind.MOTION]
    lost = motion[13]
    decoder, _, outputs = receive([p for p in packets if p is not lost])
    assert [o.pts * 25 for o in outputs] == list(range(FRAMES))
    concealed = [int(o.pts * 25) for o in outputs if o.concealed]
    assert concealed == list(range(13, 20))  # intra at 0, 10, 20, …
    assert decoder.statistics.missing_reference == 6
    assert not decoder.statistics.wants_refresh  # it came


def test_a_decoder_that_misses_a_frame_asks_and_is_answered(card: Path) -> None:
    config = EncoderConfig(
        model=str(card), profile="entropy", audio_kbps=None, refresh_interval=1000
    )
    encoder = Encoder(config, tracker=FakeTracker(boxes()))
    decoder = Decoder(DecoderConfig(reorder_window=0), FakeGenerator())
    concealed = []
    for index in range(FRAMES):
        for packet in encoder.encode(BLANK):
            if index == 20 and packet.kind == Kind.MOTION:
                continue
            concealed += [int(o.pts * 25) for o in decoder.decode(packet) if o.concealed]
        if decoder.statistics.wants_refresh:
            encoder.request_refresh()
    assert concealed == [20, 21]
    assert decoder.statistics.missing_reference == 1


def test_with_acknowledgements_a_loss_breaks_nothing_after_it(card: Path) -> None:
    config = EncoderConfig(
        model=str(card), profile="entropy", audio_kbps=None, refresh_interval=1000
    )
    encoder = Encoder(config, tracker=FakeTracker(boxes()))
    decoder = Decoder(DecoderConfig(reorder_window=0), FakeGenerator())
    rng = np.random.default_rng(5)
    lost = 0
    for index in range(FRAMES):
        for packet in encoder.encode(BLANK):
            if packet.kind == Kind.MOTION and index > 3 and rng.random() < 0.2:
                lost += 1
                continue
            for output in decoder.decode(packet):
                if not output.concealed:
                    encoder.acknowledge(int(output.pts * 25))
    assert lost > 5
    assert decoder.statistics.missing_reference == 0
    assert decoder.statistics.concealed <= lost


@pytest.mark.parametrize("never", [-1, FRAMES, 65_536, 10**30, -(10**30)])
def test_frames_never_sent_cannot_be_acknowledged(card: Path, never: int) -> None:
    """Not one acknowledgement of them changes a byte of what is sent."""
    config = EncoderConfig(model=str(card), profile="entropy", audio_kbps=None)
    plain, lied_to = (
        Encoder(config, tracker=FakeTracker(boxes()), session=lambda: 7) for _ in range(2)
    )
    assert not lied_to.acknowledge(never)
    assert not lied_to.acknowledge(0)  # not yet
    for _ in range(20):
        assert plain.encode(BLANK) == lied_to.encode(BLANK)
        assert not lied_to.acknowledge(never)
    assert lied_to.acknowledge(19)
    lied_to.reset()
    assert not lied_to.acknowledge(19)


def test_flags_say_what_stands_alone(card: Path) -> None:
    _, packets = send(card, refresh_interval=0.4, bundle=5)
    motion = [p for p in packets if p.kind == Kind.MOTION]
    intra = [p.pts for p in motion if Flags.INTRA in p.flags]
    assert intra == [0, 10, 20, 30, 40, 50]


def test_bundles_that_do_not_fit_are_refused(card: Path) -> None:
    for settings in ({"bundle": 0}, {"bundle": 65}, {"refresh_interval": 0}):
        with pytest.raises(ConfigError):
            EncoderConfig(model=str(card), profile="entropy", **settings)
