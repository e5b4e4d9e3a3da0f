from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewire.codec.errors import ConfigError, FacewireError, StreamError, UnsupportedError
from facewire.codec.motion.entropy import (
    MAX_FRAMES,
    MissingReferenceError,
    MotionDecoder,
    MotionEncoder,
    ticks_in,
)
from facewire.codec.motion.frame import MotionFrame
from facewire.codec.motion.tables import (
    GAZE_TABLES_VERSION,
    TABLES_VERSION,
    load_tables,
    step_size,
)


def talk(frames: int, seed: int = 0, size: float = 0.02) -> list[MotionFrame]:
    """Motion along the components of the tables. The first frame is the keyframe's."""
    rng = np.random.default_rng(seed)
    back = load_tables().back
    eye = np.tile([0, 0, 1, 0, 0, 1], 10)
    place = rng.uniform(-0.4, 0.4, 60) * np.tile([1, 1, 0, 0, 0, 0], 10) + eye
    walk = np.cumsum(rng.normal(0, 40 * size, (frames, len(back))), 0)
    walk[0] = 0
    numbers = place + walk @ back
    return [MotionFrame.from_array(n.reshape(10, 6).astype(np.float32)) for n in numbers]


def pixels_off(a: MotionFrame, b: MotionFrame) -> float:
    return float(np.abs(a.value - b.value).max()) * 128


@pytest.mark.parametrize("step", [0, 5, 10, 15])
def test_decoded_motion_is_within_a_step(step: int) -> None:
    frames = talk(60)
    encoder, decoder = MotionEncoder(step), MotionDecoder()
    for pts, frame in enumerate(frames):
        payload = encoder.encode([frame], pts, 3, frames[0], reference=pts - 1 if pts else None)
        [(ticks, found)] = decoder.decode(payload, pts, 3, frames[0])
        assert ticks == 0
        # Orthonormal components, each off by at most the dead zone.
        assert pixels_off(frame, found) < 0.61 * step_size(step) * np.sqrt(48)
    assert len(payload) < 40


def test_finer_steps_cost_more_and_err_less() -> None:
    frames = talk(50)
    sizes, errors = [], []
    for step in (2, 6, 10):
        encoder, decoder = MotionEncoder(step), MotionDecoder()
        payload = encoder.encode(frames, 0, 0, frames[0])
        found = decoder.decode(payload, 0, 0, frames[0])
        sizes.append(len(payload))
        errors.append(np.mean([pixels_off(f, g) for f, (_, g) in zip(frames, found, strict=True)]))
    assert sizes == sorted(sizes, reverse=True)
    assert errors == sorted(errors)


@given(st.integers(1, MAX_FRAMES), st.integers(1, 255), st.integers(0, 1 << 20), st.integers(0, 99))
@settings(max_examples=25)
def test_bundles_hold_frames_and_times(count: int, stride: int, pts: int, seed: int) -> None:
    frames = talk(count + 1, seed)
    encoder, decoder = MotionEncoder(5), MotionDecoder()
    payload = encoder.encode(frames[1:], pts, 1, frames[0], stride=stride)
    assert ticks_in(payload) == [i * stride for i in range(count)]
    found = decoder.decode(payload, pts % 65536, 1, frames[0])
    assert [ticks for ticks, _ in found] == [i * stride for i in range(count)]


def test_a_still_face_costs_next_to_nothing_after_the_first_frame() -> None:
    frame = talk(2)[1]
    payload = MotionEncoder(5).encode([frame] * 50, 0, 0, frame)
    assert 8 * len(payload) / 50 < 8


def test_small_tremor_is_not_followed() -> None:
    rng = np.random.default_rng(0)
    still = talk(1)[0]
    shaken = [
        MotionFrame.from_array(still.to_array() + rng.normal(0, 4e-4, (10, 6)).astype(np.float32))
        for _ in range(30)
    ]
    found = MotionDecoder().decode(MotionEncoder(6).encode(shaken, 0, 0, still), 0, 0, still)
    assert all(np.array_equal(f.to_array(), found[0][1].to_array()) for _, f in found)


def test_frames_whose_reference_never_came_are_named_and_later_frames_recover() -> None:
    frames = talk(12)
    encoder, decoder = MotionEncoder(5), MotionDecoder()
    first = encoder.encode([frames[1]], 1, 0, frames[0])
    encoder.encode([frames[2]], 2, 0, frames[0], reference=1)  # is lost
    after = encoder.encode(frames[3:6], 3, 0, frames[0], stride=2, reference=2)
    acknowledged = encoder.encode([frames[6]], 10, 0, frames[0], reference=1)
    decoder.decode(first, 1, 0, frames[0])
    with pytest.raises(MissingReferenceError, match="1 ticks earlier") as caught:
        decoder.decode(after, 3, 0, frames[0])
    assert caught.value.ticks == [0, 2, 4]
    [(_, found)] = decoder.decode(acknowledged, 10, 0, frames[0])
    assert pixels_off(found, frames[6]) < 4


def test_frames_of_another_keyframe_or_step_are_never_references() -> None:
    frames = talk(4)
    encoder = MotionEncoder(5)
    encoder.encode([frames[1]], 1, 0, frames[0])
    elsewhere = encoder.encode([frames[2]], 2, 1, frames[0], reference=1)
    assert elsewhere[0] & 7 == 0
    encoder.step = 7
    assert encoder.encode([frames[2]], 2, 0, frames[0], reference=1)[0] & 7 == 0


def test_far_references_take_two_bytes() -> None:
    frames = talk(3)
    encoder, decoder = MotionEncoder(5), MotionDecoder()
    decoder.decode(encoder.encode([frames[1]], 100, 0, frames[0]), 100, 0, frames[0])
    far = encoder.encode([frames[2]], 1000, 0, frames[0], reference=100)
    assert far[0] & 7 == 2
    assert int.from_bytes(far[1:3], "little") == 900
    assert len(decoder.decode(far, 1000, 0, frames[0])) == 1


def test_the_same_integers_on_both_sides() -> None:
    """Nothing drifts in long streams: the decoder has exactly the encoder's integers."""
    frames = talk(400, size=0.3)
    encoder, decoder = MotionEncoder(9), MotionDecoder()
    for pts in range(1, 400):
        payload = encoder.encode([frames[pts]], pts, 0, frames[0], reference=pts - 1)
        [(_, values)] = decoder.decode_integers(payload, pts, 0)
        wanted = encoder._memory.get(0, pts)
        assert wanted is not None
        assert values == wanted.values


@given(st.binary(max_size=60))
def test_any_bytes_are_motion_or_a_typed_error(payload: bytes) -> None:
    try:
        found = MotionDecoder().decode(payload, 0, 0, talk(1)[0])
    except FacewireError:
        return
    assert all(np.isfinite(frame.to_array()).all() for _, frame in found)


@pytest.mark.parametrize("cut", [0, 1, 2, 3])
def test_a_head_that_is_cut_off(cut: int) -> None:
    frames = talk(5)
    encoder = MotionEncoder(5)
    encoder.encode([frames[1]], 1, 0, frames[0])
    payload = encoder.encode(frames[2:4], 2, 0, frames[0], reference=1)
    with pytest.raises(StreamError):
        MotionDecoder().decode(payload[:cut], 2, 0, frames[0])


@pytest.mark.parametrize("head", [b"\x53", b"\x57\0\0", b"\x51\0", b"\x58\x40\x01", b"\x58\x01\0"])
def test_heads_with_values_out_of_range(head: bytes) -> None:
    with pytest.raises(StreamError):
        MotionDecoder().decode(head + b"abc", 0, 0, talk(1)[0])


def test_settings_out_of_range_and_unknown_tables() -> None:
    with pytest.raises(ConfigError):
        MotionEncoder(16)
    with pytest.raises(ConfigError):
        MotionEncoder(5, dead_zone=0.2)
    with pytest.raises(ConfigError):
        MotionEncoder(5).encode([], 0, 0, talk(1)[0])
    for version in (0, 99):
        with pytest.raises(UnsupportedError, match=f"version {version}"):
            load_tables(version)


def test_the_first_tables_stay_as_they_were() -> None:
    """Streams with tables of version 1 must decode as before."""
    tables = load_tables(1)
    product = tables.back.astype(np.float64) @ tables.forward.astype(np.float64).T
    assert np.allclose(product, np.eye(tables.components), atol=1e-5)
    frames = talk(20)
    encoder, decoder = MotionEncoder(3, tables=tables), MotionDecoder(tables)
    payload = encoder.encode(frames, 0, 0, frames[0])
    found = decoder.decode(payload, 0, 0, frames[0])
    assert max(pixels_off(a, b) for a, (_, b) in zip(frames, found, strict=True)) < 5
    assert load_tables(2).components == tables.components


def test_an_error_harms_alike_in_each_component() -> None:
    """The transform weighs numbers by their effect on the picture, so it is not a rotation."""
    tables = load_tables()
    product = tables.back.astype(np.float64) @ tables.forward.astype(np.float64).T
    assert np.allclose(product, np.eye(tables.components), atol=1e-4)
    lengths = np.linalg.norm(tables.back, axis=1)
    assert lengths.max() / lengths.min() > 3


def looking(frames: int, seed: int = 0) -> list[MotionFrame]:
    """The same motion, of a face whose eyes look about."""
    rng = np.random.default_rng(seed)
    gaze = np.clip(np.cumsum(rng.normal(0, 0.1, (frames, 2)), 0), -1, 1).astype(np.float32)
    return [replace(frame, gaze=g) for frame, g in zip(talk(frames, seed), gaze, strict=True)]


def test_the_tables_with_gaze_are_those_without_it_and_two_components() -> None:
    plain, gaze = load_tables(TABLES_VERSION), load_tables(GAZE_TABLES_VERSION)
    count = plain.components
    assert gaze.components == count + 2
    assert gaze.difference[:count] == plain.difference
    assert gaze.intra[:count] == plain.intra
    for name in ("forward", "back"):
        one, other = getattr(plain, name), getattr(gaze, name)
        assert np.array_equal(other[:count, :60], one)
        assert not other[:count, 60:].any()
        assert not other[count:, :60].any()
    product = gaze.back.astype(np.float64) @ gaze.forward.astype(np.float64).T
    assert np.allclose(product, np.eye(count + 2), atol=1e-4)


@pytest.mark.parametrize("step", [0, 3, 10])
def test_a_gaze_arrives_within_a_step(step: int) -> None:
    tables = load_tables(GAZE_TABLES_VERSION)
    encoder, decoder = MotionEncoder(step, tables=tables), MotionDecoder(tables)
    frames = looking(60)
    unit = step_size(step) * float(tables.back[-1, -1])
    for pts, frame in enumerate(frames):
        reference = pts - 1 if pts % 20 else None
        payload = encoder.encode([frame], pts, 3, frames[0], reference=reference)
        [(_, found)] = decoder.decode(payload, pts, 3, frames[0])
        assert np.abs(found.gaze - frame.gaze).max() <= 0.61 * unit
    assert np.abs(found.gaze - frames[0].gaze).max() > unit


def test_eyes_that_do_not_move_cost_next_to_nothing() -> None:
    frames = talk(50)
    still = [replace(frame, gaze=np.array([0.5, -0.2], np.float32)) for frame in frames]
    plain = MotionEncoder(3).encode(frames, 0, 0, frames[0])
    tables = load_tables(GAZE_TABLES_VERSION)
    payload = MotionEncoder(3, tables=tables).encode(still, 0, 0, still[0])
    assert 8 * (len(payload) - len(plain)) / len(frames) < 1.5
    found = MotionDecoder(tables).decode(payload, 0, 0, still[0])
    assert np.abs(np.array([frame.gaze for _, frame in found]) - still[0].gaze).max() < 1e-6
    before = MotionDecoder().decode(plain, 0, 0, frames[0])
    for (_, one), (_, other) in zip(found, before, strict=True):
        assert np.allclose(one.value, other.value, atol=1e-5)


def test_without_gaze_in_the_tables_eyes_look_as_in_the_keyframe() -> None:
    frames = looking(5)
    payload = MotionEncoder(3).encode(frames, 0, 0, frames[0])
    for _, found in MotionDecoder().decode(payload, 0, 0, frames[0]):
        assert np.array_equal(found.gaze, frames[0].gaze)


def test_a_gaze_that_would_leave_the_eyes_is_held() -> None:
    tables = load_tables(GAZE_TABLES_VERSION)
    (key,) = talk(1)
    aside = replace(key, gaze=np.array([1, -1], np.float32))
    payload = MotionEncoder(0, tables=tables).encode([aside], 0, 0, key)
    other = replace(key, gaze=np.array([0.9, -0.9], np.float32))
    [(_, found)] = MotionDecoder(tables).decode(payload, 0, 0, other)
    assert found.gaze.tolist() == [1, -1]
