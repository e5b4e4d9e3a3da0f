from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from facewire.codec.motion.frame import MotionFrame
from facewire.codec.motion.pose import HeadPlace, PoseFrame
from facewire.codec.motion.profiles import MotionSettings, motion_reader
from facewire.sender.motion.stream import MotionStream

SETTINGS = MotionSettings()


def frame(index: int) -> MotionFrame:
    numbers = np.tile(np.array([0, 0, 1, 0, 0, 1], np.float32), (10, 1))
    numbers[:, :2] = 0.01 * index + np.arange(20).reshape(10, 2) / 50
    return MotionFrame.from_array(numbers)


def stream(bundle: int = 1, refresh: int = 1000, profile: str = "entropy") -> MotionStream:
    made = MotionStream(profile, SETTINGS, bundle, Fraction(refresh))
    made.begin(0, frame(0))
    return made


def test_fp16_sends_each_frame_alone() -> None:
    made = stream(bundle=25, profile="fp16")
    payloads = [p for i in range(5) for p in made.push(frame(i), i)]
    assert [p.pts for p in payloads] == list(range(5))
    assert all(p.intra and len(p.data) == 120 for p in payloads)


def test_bundles_fill_and_are_flushed() -> None:
    made = stream(bundle=4)
    payloads = [p for i in range(10) for p in made.push(frame(i), i)] + made.flush()
    assert [p.pts for p in payloads] == [0, 4, 8]
    assert [p.intra for p in payloads] == [True, False, False]
    assert made.flush() == []
    reader = motion_reader("entropy")
    found = [p.pts + t for p in payloads for t, _ in reader.decode(p.data, p.pts, 0, frame(0))]
    assert found == list(range(10))


def test_uneven_time_ends_a_bundle() -> None:
    made = stream(bundle=8)
    times = [0, 40, 80, 130, 180, 230, 1000, 1040]
    payloads = [p for t in times for p in made.push(frame(t), t)] + made.flush()
    assert [p.pts for p in payloads] == [0, 130, 1000]
    reader = motion_reader("entropy")
    found = [p.pts + t for p in payloads for t, _ in reader.decode(p.data, p.pts, 0, frame(0))]
    assert found == times


def test_refresh_comes_at_its_interval_and_on_request() -> None:
    made = stream(refresh=10)
    intra = [p.pts for i in range(25) for p in made.push(frame(i), i) if p.intra]
    assert intra == [0, 10, 20]
    made.refresh()
    assert made.push(frame(25), 25)[0].intra


def test_acknowledged_frames_are_what_motion_stands_on() -> None:
    made, reader = stream(), motion_reader("entropy")
    sent = {}
    for i in range(6):
        [sent[i]] = made.push(frame(i), i)
    assert made.acknowledge(0)
    assert not made.acknowledge(0)  # again
    assert made.acknowledge(2)
    assert not made.acknowledge(2)
    assert not made.acknowledge(1)  # older
    assert not made.acknowledge(77)  # never sent
    for i in range(6, 9):
        [sent[i]] = made.push(frame(i), i)
    for i in (0, 1, 2, 8):  # 3 to 7 are lost, and 8 stands on 2
        [(_, found)] = reader.decode(sent[i].data, i, 0, frame(0))
        np.testing.assert_allclose(found.value, frame(i).value, atol=0.02)


def test_a_new_keyframe_forgets() -> None:
    made = stream()
    made.push(frame(0), 0)
    made.begin(1, frame(3))
    assert not made.acknowledge(0)
    assert made.push(frame(3), 3)[0].intra


def test_memory_is_bounded() -> None:
    made = stream()
    for i in range(500):
        made.push(frame(i % 7), i)
    assert len(made._sent) <= 64
    assert not made.acknowledge(100)
    assert made.acknowledge(499)


@pytest.mark.parametrize("waiting", [1, 3])
def test_nothing_without_a_keyframe(waiting: int) -> None:
    made = MotionStream("entropy", SETTINGS, 8, Fraction(10))
    for i in range(waiting):
        made.push(frame(i), i)
    assert made.flush() == []


def nodding(index: int, much: float) -> PoseFrame:
    """A head that shakes and nods, up to three times a second, by so many radians."""
    time = index / 25
    yaw, pitch, roll = (much * np.sin(rate * time) for rate in (19.0, 13.0, 7.0))
    place = HeadPlace(0.3 * pitch, 0.3 * yaw, 1 + 0.1 * roll)
    return PoseFrame(yaw, pitch, roll, 0.3 + 0.5 * abs(roll), 0.3 + 0.5 * abs(yaw), place)


def test_a_lively_head_is_coded_more_coarsely_until_it_is_calm() -> None:
    """So no second of profile `pose` takes more than 16 bits a frame, and all of it decodes."""
    made = stream(bundle=25, profile="pose")
    frames = [nodding(i, 0.3 if 25 <= i < 75 else 0.002) for i in range(125)]
    payloads = [p for i, one in enumerate(frames) for p in made.push(one, i)]
    assert [p.pts for p in payloads] == [0, 25, 50, 75, 100]
    steps = [p.data[0] >> 4 for p in payloads]
    assert min(steps[1:3]) > SETTINGS.step
    assert steps[0] == steps[3] == steps[4] == SETTINGS.step
    assert [p.intra for p in payloads] == [True, True, True, True, False]
    assert all(8 * len(p.data) <= 16 * 25 for p in payloads)
    reader = motion_reader("pose")
    found = [one for p in payloads for _, one in reader.decode(p.data, p.pts, 0, frame(0))]
    assert len(found) == len(frames)
    off = np.abs([[a.yaw - b.yaw, a.pitch - b.pitch] for a, b in zip(found, frames, strict=True)])
    assert off.max() < np.radians(8)
    assert off[:25].max() < np.radians(1)
    assert off[75:].max() < np.radians(1)


def test_packets_of_a_few_frames_keep_their_step() -> None:
    """As calls send them."""
    made = stream(bundle=3, profile="pose")
    payloads = [p for i in range(30) for p in made.push(nodding(i, 0.3), i)]
    assert {p.data[0] >> 4 for p in payloads} == {SETTINGS.step}
    assert [p.intra for p in payloads] == [True] + 9 * [False]
