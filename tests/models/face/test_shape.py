from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewire.codec.errors import StreamError
from facewire.codec.keyframe import MAX_SHAPE
from facewire.models.face.mesh import POINTS
from facewire.models.face.shape import pack_shape, unpack_shape

P = len(POINTS)


@given(st.integers(0, 2**32 - 1), st.floats(0.001, 3.9))
def test_round_trip_is_within_an_eighth_of_a_pixel(seed: int, spread: float) -> None:
    points = np.random.default_rng(seed).uniform(-spread, spread, (P, 2)).astype(np.float32)
    back = unpack_shape(pack_shape(points))
    assert np.abs(back - points).max() <= 1 / 1024 + 1e-6


def test_a_face_costs_about_300_bytes() -> None:
    angle = np.linspace(0, 30, P)
    points = np.stack([np.cos(angle), np.sin(angle)], -1).astype(np.float32) * 0.5
    assert len(pack_shape(points)) < 450


def test_every_truncation_is_an_error() -> None:
    data = pack_shape(np.zeros((P, 2), np.float32))
    for cut in range(len(data)):
        with pytest.raises(StreamError):
            unpack_shape(data[:cut])


@given(st.binary(max_size=400))
def test_noise_never_does_anything_else_than_raise_or_give_points(data: bytes) -> None:
    try:
        points = unpack_shape(data)
    except StreamError:
        return
    assert points.shape == (P, 2)
    assert np.isfinite(points).all()


def test_bombs_and_long_shapes_are_refused() -> None:
    import zlib

    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(bytes(10_000_000)) + packer.flush()
    with pytest.raises(StreamError):
        unpack_shape(bomb[:MAX_SHAPE])
    with pytest.raises(StreamError, match="at most"):
        unpack_shape(bytes(MAX_SHAPE + 1))


@pytest.mark.parametrize("points", [np.zeros((3, 2), np.float32), np.full((P, 2), np.nan)])
def test_what_is_not_a_shape_is_not_packed(points: np.ndarray) -> None:
    with pytest.raises(StreamError):
        pack_shape(points.astype(np.float32))
