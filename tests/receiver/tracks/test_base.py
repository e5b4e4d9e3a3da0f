"""BASE packets in any order, lost, late and hostile, and the pictures that come of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from facewire.codec.base_packets import BaseGroup
from facewire.codec.keyframe import Keyframe
from facewire.codec.packet import Packet
from facewire.codec.picture.chain import ChainEncoder
from facewire.codec.picture.coded_picture import StillCodec
from facewire.codec.picture.coders import CODERS
from facewire.codec.picture.still import Anchor, encode_picture
from facewire.receiver.outputs import Frame
from facewire.receiver.statistics import Statistics
from facewire.receiver.tracks.base import BaseTrack
from facewire.receiver.tracks.references import ReferencePool
from tests.codec.picture.able import codes_chains

from ..conftest import SIZE, FakeGenerator, Synthetic, picture

pytestmark = codes_chains


COUNT = 24


def shown(index: int) -> Frame:
    """The picture of a frame, unlike that of any other."""
    return picture(4 * index)


@dataclass
class Coded:
    keyframe: Keyframe
    data: list[bytes]

    def packets(
        self,
        start: int = 0,
        count: int = COUNT,
        *,
        pts: int = 100,
        chain: int = 0,
        every: int = 1,
    ) -> list[Packet]:
        """Frames `start` to `start + count` in one group; frame n at tick `pts + n * every`."""
        data = self.data[start : start + count]
        frames = tuple((every * bool(n), each) for n, each in enumerate(data))
        reference, first = self.keyframe.id, (pts + start * every) % 65536
        return BaseGroup(reference, chain, start + 1, 30, first, frames).to_packets()


@pytest.fixture(scope="module")
def coded() -> Coded:
    still = encode_picture(shown(0), quality=20)
    keyframe = replace(Synthetic().keyframe(0, 100), id=2, picture=still)
    with ChainEncoder(Anchor(shown(0), still), 0) as encoder:
        return Coded(keyframe, [encoder.encode(shown(n + 1)) for n in range(COUNT)])


@dataclass
class Receiving:
    track: BaseTrack
    statistics: Statistics
    pool: ReferencePool

    def push(self, packets: Sequence[Packet], newest: int | None = None) -> None:
        for packet in packets:
            self.track.push(packet, newest)

    def shows(self, ticks: int) -> int | None:
        """Which frame is shown at a time."""
        base = self.track.at(ticks)
        return None if base is None else round(float(base.picture[..., 2].mean()) / 4) - 1


@pytest.fixture
def receiving(coded: Coded) -> Receiving:
    statistics = Statistics()
    pool = ReferencePool(FakeGenerator(), 6, (SIZE, SIZE))
    pool.add(coded.keyframe)
    return Receiving(BaseTrack(Synthetic().header(), statistics, pool), statistics, pool)


def test_each_frame_at_its_time(coded: Coded, receiving: Receiving) -> None:
    receiving.push(coded.packets())
    assert receiving.shows(99) is None
    assert [receiving.shows(100 + n) for n in range(COUNT)] == list(range(COUNT))
    assert [receiving.shows(100 + COUNT + n) for n in range(3)] == [COUNT - 1, None, None]
    assert receiving.track.waiting == 0
    assert receiving.statistics == Statistics()


def test_times_wrap(coded: Coded, receiving: Receiving) -> None:
    receiving.push(coded.packets(pts=65530), newest=65500)
    assert [receiving.shows(65530 + n) for n in range(COUNT)] == list(range(COUNT))


def test_groups_in_any_order(coded: Coded, receiving: Receiving) -> None:
    groups = [coded.packets(start, 6) for start in (18, 0, 12, 6, 0)]
    receiving.push([packet for group in groups for packet in group])
    assert [receiving.shows(100 + n) for n in range(COUNT)] == list(range(COUNT))


def test_frames_that_are_not_shown_are_decoded_all_the_same(
    coded: Coded, receiving: Receiving
) -> None:
    receiving.push(coded.packets())
    assert [receiving.shows(100 + n) for n in (3, 9, 23)] == [3, 9, 23]


def test_a_late_group_lets_the_chain_catch_up(coded: Coded, receiving: Receiving) -> None:
    receiving.push([*coded.packets(0, 6), *coded.packets(9, 6)])
    assert [receiving.shows(100 + n) for n in (5, 6, 7, 10)] == [5, 5, None, None]
    receiving.push(coded.packets(6, 3))
    assert [receiving.shows(100 + n) for n in (11, 12)] == [11, 12]


def test_a_lost_group_ends_the_chain_until_another_begins(
    coded: Coded, receiving: Receiving
) -> None:
    receiving.push([*coded.packets(0, 6), *coded.packets(12, 12)])
    receiving.push(coded.packets(0, 10, pts=140, chain=1))
    assert receiving.shows(105) == 5
    assert [receiving.shows(ticks) for ticks in (112, 115, 131)] == [None] * 3
    assert not receiving.statistics.wants_base  # for 0.8 s it may still come
    assert receiving.shows(132) is None
    assert receiving.statistics.wants_base
    assert [receiving.shows(ticks) for ticks in (140, 145, 149)] == [0, 5, 9]
    assert not receiving.statistics.wants_base


def test_the_old_chain_goes_on_until_the_new_one_is_due(coded: Coded, receiving: Receiving) -> None:
    receiving.push([*coded.packets(0, 10), *coded.packets(0, 5, pts=110, chain=1)])
    assert [receiving.shows(ticks) for ticks in (105, 109, 110)] == [5, 9, 0]


def test_every_second_frame(coded: Coded, receiving: Receiving) -> None:
    receiving.push(coded.packets(every=2))
    assert [receiving.shows(100 + n) for n in range(6)] == [0, 0, 1, 1, 2, 2]


def test_a_chain_without_its_keyframe_is_left_out(coded: Coded, receiving: Receiving) -> None:
    packets = [replace(packet, reference=3) for packet in coded.packets()]
    receiving.push(packets)
    assert receiving.shows(100) is None
    assert receiving.statistics.missing_reference == 1


def test_damage_is_counted_and_ends_the_chain(coded: Coded, receiving: Receiving) -> None:
    broken = replace(coded, data=[coded.data[0], b"\x32\x05hello", *coded.data[2:]])
    receiving.push(broken.packets())
    assert [receiving.shows(ticks) for ticks in (100, 101, 102)] == [0, None, None]
    assert receiving.statistics.damaged == 1
    receiving.push([replace(coded.packets()[0], payload=b"short")])
    assert receiving.statistics.damaged == 2
    receiving.push(coded.packets(pts=103, chain=1))
    assert receiving.shows(103) == 0


def test_what_waits_is_bounded(coded: Coded, receiving: Receiving) -> None:
    for n in range(60):
        frames = ((0, bytes(30_000)), *((1, b"x") for _ in range(40)))
        group = BaseGroup(2, n % 2, 2 + 50 * n, 30, n, frames)
        receiving.push(group.to_packets())
        assert receiving.track.waiting <= 512
    assert receiving.statistics.late > 0


def test_work_for_one_picture_is_bounded(coded: Coded, receiving: Receiving) -> None:
    """Hundreds of frames are due at once: the picture is not held up by all of them."""
    receiving.push(coded.packets())
    calls = 0

    class Counting:
        def __init__(self, still: object) -> None:
            pass

        def decode(self, data: bytes) -> Frame:
            nonlocal calls
            calls += 1
            return shown(1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("facewire.receiver.tracks.base.ChainDecoder", Counting)
        for start in range(COUNT, 20 * COUNT, COUNT):
            many = replace(coded, data=[b"x"] * 1000)
            receiving.push(many.packets(start, COUNT))
        assert receiving.track.at(100_000) is None
        assert calls == 64


def test_after_a_restart_nothing_is_left(coded: Coded, receiving: Receiving) -> None:
    receiving.push(coded.packets())
    receiving.track.restart()
    assert (receiving.shows(100), receiving.track.waiting) == (None, 0)


def test_a_chain_of_another_size_is_not_shown(coded: Coded, receiving: Receiving) -> None:
    header = replace(Synthetic().header(), width=128, height=128)
    track = BaseTrack(header, receiving.statistics, receiving.pool)
    for packet in coded.packets():
        track.push(packet, None)
    assert track.at(100) is None


def test_a_frame_that_changes_its_size_ends_the_chain(coded: Coded, receiving: Receiving) -> None:
    """AV1 can go on in half size, predicted from larger frames."""
    params = CODERS[StillCodec.AV1].options["svtav1-params"]
    halved = f"{params}:resize-mode=4:frame-resz-events=3:frame-resz-denoms=16"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CODERS[StillCodec.AV1].options, "svtav1-params", halved)
        with ChainEncoder(Anchor(shown(0), coded.keyframe.picture), 0) as encoder:
            data = [encoder.encode(shown(n + 1)) for n in range(6)]
    receiving.push(replace(coded, data=data).packets(0, 6))
    assert [receiving.shows(100 + n) for n in range(6)] == [0, 1, None, None, None, None]
    assert receiving.statistics.damaged == 1
    receiving.push(coded.packets(pts=106, chain=1))
    assert receiving.shows(106) == 0


def test_pictures_are_those_of_the_chain(coded: Coded, receiving: Receiving) -> None:
    receiving.push(coded.packets())
    base = receiving.track.at(110)
    assert base is not None
    assert base.ticks == 110
    assert np.abs(base.picture.astype(int) - shown(11)).mean() < 4
