"""LIGHT packets in any order, lost, late and hostile, and the light that frames get."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest

from facewire.codec.light import NEUTRAL, Light, LightGroup
from facewire.codec.packet import Flags, Kind, Packet
from facewire.receiver.config import DecoderConfig
from facewire.receiver.decoder import Decoder
from facewire.receiver.outputs import PictureOutput
from facewire.receiver.statistics import Statistics
from facewire.receiver.tracks.light import LightTrack
from facewire.receiver.tracks.references import ReferencePool

from ..conftest import SIZE, FakeGenerator, Synthetic, motion

DARK, HALF, BRIGHT = Light(0, 0), Light(0.5, 10), Light(1.5, -20)
KEY = replace(Synthetic().keyframe(0, 100), id=2)


@dataclass
class Receiving:
    track: LightTrack
    statistics: Statistics

    def push(self, pts: int, *lights: Light, stride: int = 1, newest: int | None = None) -> None:
        group = LightGroup(KEY.id, pts % 65536, stride, lights)
        self.track.push(group.to_packet(), newest)

    def at(self, *ticks: int) -> list[Light | None]:
        return [self.track.at(KEY, each) for each in ticks]


@pytest.fixture
def receiving() -> Receiving:
    statistics = Statistics()
    pool = ReferencePool(FakeGenerator(), 6, (SIZE, SIZE))
    pool.add(KEY)
    return Receiving(LightTrack(Synthetic().header(), statistics, pool), statistics)


def test_each_frame_has_its_light(receiving: Receiving) -> None:
    receiving.push(110, HALF, DARK, NEUTRAL, BRIGHT)
    assert receiving.at(109, 110, 111, 112, 113) == [None, HALF, DARK, None, BRIGHT]
    assert receiving.statistics == Statistics()


def test_light_between_two_entries_changes_linearly(receiving: Receiving) -> None:
    receiving.push(110, NEUTRAL, Light(0, 100), stride=4)
    assert receiving.at(111, 113) == [Light(0.75, 25), Light(0.25, 75)]


def test_an_entry_holds_for_a_second(receiving: Receiving) -> None:
    receiving.push(110, HALF)
    assert receiving.at(110, 122, 135, 136) == [HALF, HALF, HALF, None]
    receiving.push(136, DARK)  # too late to say what was between
    assert receiving.at(135, 136) == [HALF, DARK]


def test_any_order_twice_and_lost(receiving: Receiving) -> None:
    for pts in (114, 110, 110, 116):
        receiving.push(pts, HALF, DARK)
    assert receiving.at(110, 111, 114, 115, 117) == [HALF, DARK, HALF, DARK, DARK]
    (between,) = receiving.at(113)
    assert between is not None
    assert between.gain == pytest.approx(1 / 3)


def test_times_wrap(receiving: Receiving) -> None:
    receiving.push(65534, HALF, DARK, HALF, DARK, newest=65500)
    assert receiving.at(65534, 65535, 65536, 65537) == [HALF, DARK, HALF, DARK]


def test_another_keyframe_has_its_own_light(receiving: Receiving) -> None:
    receiving.push(110, HALF)
    assert receiving.track.at(replace(KEY, id=3), 110) is None
    assert receiving.track.at(replace(KEY, pts=101), 110) is None  # its id is used again
    receiving.track.push(LightGroup(9, 110, 1, (DARK,)).to_packet(), None)
    assert receiving.statistics.missing_reference == 1


def test_damage_is_counted_and_restart_forgets(receiving: Receiving) -> None:
    receiving.track.push(Packet(Kind.LIGHT, Flags.INTRA, KEY.id, 0, 110, b"\0@"), None)
    assert receiving.statistics.damaged == 1
    receiving.push(110, HALF)
    receiving.track.restart()
    assert receiving.at(110) == [None]


def test_what_is_kept_is_bounded(receiving: Receiving) -> None:
    for pts in range(100, 20_000, 64):
        receiving.push(pts, *[HALF] * 64, newest=pts)
    entries = [entry for kept in receiving.track._known.values() for entry in kept]
    assert len(entries) <= 256
    assert receiving.at(pts) == [HALF]


def test_a_decoder_shows_the_light() -> None:
    """In the pictures that it belongs to, and in no other; a lost packet harms no motion."""
    stream = Synthetic()
    packets = [*stream.keyframe(0, 0).to_packets(0)]
    packets.insert(0, stream.header().to_packet(0))
    for n in range(6):
        if n in (2, 3):
            packets.append(LightGroup(0, n, 1, (DARK if n == 2 else HALF,)).to_packet())
        if n == 4:
            packets.append(LightGroup(0, n, 1, (NEUTRAL,)).to_packet())
        data = motion(n).to_fp16()
        packets.append(Packet(Kind.MOTION, Flags.SYNTHETIC | Flags.INTRA, 0, 0, n, data))
    packets = [replace(packet, sequence=n) for n, packet in enumerate(packets)]

    def shades(sent: list[Packet]) -> list[float]:
        with Decoder(DecoderConfig(badge=False), FakeGenerator()) as decoder:
            outputs = [o for packet in sent for o in decoder.decode(packet)] + decoder.flush()
        found = {o.pts: float(o.frame.mean()) for o in outputs if isinstance(o, PictureOutput)}
        return [found[Fraction(n, 25)] for n in range(6)]

    plain = shades([packet for packet in packets if packet.kind != Kind.LIGHT])
    lit = shades(packets)
    changes = np.array(lit) / plain
    assert changes[[0, 1, 4, 5]] == pytest.approx(1)
    assert lit[2] == 0
    assert lit[3] == pytest.approx(0.5 * plain[3] + 10, abs=1)
