"""Detector and regions by themselves."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from facewire.sender.tracking.cutter import Cutter
from facewire.sender.tracking.detector import anchors, merge
from facewire.sender.tracking.landmarker import region_of
from facewire.sender.tracking.region import Region

sizes = st.floats(1, 1000)
regions = st.builds(Region, sizes, sizes, sizes, sizes, st.floats(-math.pi, math.pi))


def test_anchors_cover_the_picture_evenly() -> None:
    table = anchors()
    assert table.shape == (896, 2)
    np.testing.assert_allclose(table.mean(0), 0.5, atol=1e-6)
    assert table[0].tolist() == [1 / 32, 1 / 32]  # the first place of the grid of 16 by 16
    assert table[-1].tolist() == [15 / 16, 15 / 16]  # the last one of the grid of 8 by 8


def test_boxes_of_one_face_become_their_weighted_mean() -> None:
    boxes = np.array(
        [[0.5, 0.5, 0.2, 0.2, 0.4], [0.52, 0.5, 0.2, 0.2, 0.5], [0.1, 0.1, 0.1, 0.1, 0.0]],
        np.float32,
    )
    first, second = merge(boxes, np.array([0.9, 0.6, 0.7], np.float32))
    np.testing.assert_allclose(first, [0.508, 0.5, 0.2, 0.2, 0.44], atol=1e-6)
    np.testing.assert_allclose(second, boxes[2])


def test_no_boxes_no_faces_and_boxes_without_area_are_left_out() -> None:
    assert merge(np.zeros((0, 16), np.float32), np.zeros(0, np.float32)) == []
    assert merge(np.zeros((3, 16), np.float32), np.ones(3, np.float32)) == []


@given(regions, regions)
def test_overlap_is_a_share(one: Region, other: Region) -> None:
    assert 0 <= one.overlap(other) <= 1 + 1e-9
    assert math.isclose(one.overlap(one), 1)
    assert math.isclose(one.overlap(other), other.overlap(one), abs_tol=1e-12)


@given(sizes, sizes, sizes, st.floats(-math.pi, math.pi))
def test_a_mesh_gives_back_the_region_that_it_fills(
    x: float, y: float, side: float, angle: float
) -> None:
    unit = np.zeros((478, 3), np.float32)
    unit[33], unit[263] = (0.25, 0.5, 0), (0.75, 0.5, 0)
    unit[:33:2], unit[1:33:2] = (0, 0.5, 0), (1, 0.5, 0)
    unit[34:260:2], unit[35:260:2] = (0.5, 0, 0), (0.5, 1, 0)
    unit[260:263] = unit[264:] = (0.5, 0.5, 0)
    found = region_of(Region(x, y, side, side, angle).to_frame(unit))
    assert math.isclose(found.x, x, abs_tol=0.02 * side + 1e-2)
    assert math.isclose(found.y, y, abs_tol=0.02 * side + 1e-2)
    assert abs(math.remainder(found.angle - angle, 2 * math.pi)) < 1e-2
    assert 0.7 * side <= found.width / 1.5 <= 1.01 * side


def test_a_region_is_cut_where_its_points_lie() -> None:
    """A ramp of two colours tells of each pixel where it was sampled."""
    y, x = np.mgrid[0:200, 0:200]
    ramp = np.stack([x, y, np.zeros_like(x)], -1).astype(np.uint8)
    region = Region(100, 90, 80, 60, 0.6)
    picture = Cutter(32, repeat_edge=True).cut(ramp, region)
    u, v = 8, 20
    sampled = region.from_square() @ (u / 32, v / 32, 1)
    np.testing.assert_allclose(picture[v, u, :2], sampled, atol=0.6)


def test_outside_the_frame_lies_its_edge_or_black() -> None:
    frame = np.full((20, 20, 3), 200, np.uint8)
    region = Region(0, 0, 40, 40)
    assert Cutter(16, repeat_edge=True).cut(frame, region).min() == 200
    assert Cutter(16, repeat_edge=False).cut(frame, region)[0, 0].max() == 0
