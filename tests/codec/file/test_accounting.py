from __future__ import annotations

import io
from fractions import Fraction

import pytest

from facewire.codec.file.accounting import PARTS, BitCount
from facewire.codec.file.container import Writer
from facewire.codec.packet import Flags, Kind, Packet
from facewire.codec.stream import StreamHeader

from ..makers import make_keyframe


def motion(size: int = 120) -> Packet:
    return Packet(Kind.MOTION, Flags.NONE, 0, 0, 0, bytes(size))


def test_every_bit_of_a_file_is_counted_once() -> None:
    file, count = io.BytesIO(), BitCount()
    writer = Writer(file)
    sound = Packet(Kind.AUDIO, Flags.NONE, 0, 0, 0, bytes(50))
    keyframe = make_keyframe().to_packets(0)
    for packet in [StreamHeader("avfr-s", bytes(32)).to_packet(0), *keyframe, motion(), sound]:
        writer.write(packet)
        count.add(packet)
    writer.close()
    count.add_container()
    before = count.bits["total"]
    count.fill_to(len(file.getvalue()))
    bits = count.bits
    assert bits["total"] == 8 * len(file.getvalue()) == sum(bits[part] for part in PARTS[:-1])
    assert bits["total"] - before == 8 * (9 + 16 + 12)  # the trailer of one entry
    assert bits["motion"] == 960
    assert bits["audio"] == 400
    assert bits["keyframe"] == 8 * sum(len(packet.payload) for packet in keyframe)
    assert bits["residual"] == 0


def test_without_a_file_there_are_no_records() -> None:
    count = BitCount()
    count.add(motion(), in_file=False)
    assert count.bits["container"] == 48
    count.fill_to(0)  # never takes anything away
    assert count.bits["container"] == 48


def test_keys_are_those_of_the_json() -> None:
    assert list(BitCount().bits) == [
        "keyframe",
        "motion",
        "audio",
        "residual",
        "container",
        "total",
    ]


def test_rates() -> None:
    count = BitCount()
    for _ in range(50):
        count.add(motion())
    assert count.bpp(50, 256, 256)["motion"] == pytest.approx(960 / 65536)
    assert count.kbps(Fraction(2))["motion"] == pytest.approx(24)
    assert count.bpp(0, 256, 256)["total"] == count.kbps(0)["total"] == 0


def test_motion_bits_per_frame() -> None:
    count = BitCount()
    assert count.motion_bits_per_frame() == {"mean": 0, "p95": 0, "max": 0}
    for size in range(1, 101):
        count.add(motion(size))
    assert count.motion_bits_per_frame() == {"mean": 404, "p95": 760, "max": 800}
