from __future__ import annotations

import numpy as np

from facewire.models.avfr.priors import PriorMaker
from facewire.models.face.tessellation import draw_mesh, mesh_edges
from facewire.sender.tracking.tracker import Face, Tracker

from ..sender.conftest import Frame


def tracked(frame: Frame) -> Face:
    with Tracker() as tracker:
        return tracker.track(frame)[0]


def test_edges_are_each_there_once() -> None:
    edges = mesh_edges()
    assert len(edges) > 1200
    assert (edges[:, 0] < edges[:, 1]).all()
    assert len({tuple(e) for e in edges.tolist()}) == len(edges)
    assert edges.max() < 478


def test_mesh_lies_on_the_face(frames: list[Frame]) -> None:
    face = tracked(frames[0])
    mesh = draw_mesh(face.landmarks / 128 - 1, 256, 256)
    assert mesh.dtype == np.float32
    assert 0 <= mesh.min() <= mesh.max() <= 1
    rows, columns = np.nonzero(mesh > 0.5)
    x0, y0, x1, y1 = face.box
    assert abs(columns.min() - x0) < 2
    assert abs(columns.max() - x1) < 2
    assert abs(rows.min() - y0) < 2
    assert abs(rows.max() - y1) < 2
    moved = draw_mesh(face.landmarks / 128 - 1 + [0.05, 0], 256, 256)
    assert np.abs(moved - mesh).max() > 0.5


def test_wild_landmarks_draw_no_error() -> None:
    assert draw_mesh(np.full((478, 2), 1e9, np.float32), 64, 64).shape == (64, 64)


def test_priors_of_a_face_and_of_none(frames: list[Frame]) -> None:
    face = tracked(frames[0])
    maker = PriorMaker()
    with_face = maker.make(frames[0], face.landmarks / 128 - 1)
    without = maker.make(frames[0], None)
    assert with_face.person.shape == (256, 256)
    assert with_face.person[130:150, 110:150].min() > 0.8  # the face
    assert with_face.person[10:120, 235:].max() < 0.3  # the wall
    assert with_face.mesh.max() == 1
    assert without.mesh.max() == 0
    stack = with_face.stack(frames[0])
    assert stack.shape == (5, 256, 256)
    assert stack.dtype == np.float32
    assert stack.max() <= 1
