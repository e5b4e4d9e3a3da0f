from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from facewire.cli.demo.face import AnimatedFace, Pose, load_portrait
from facewire.codec.errors import MissingExtraError, WeightsError
from facewire.eval.metrics.base import Frame, Pair
from facewire.eval.metrics.identity import IdentityDistance
from facewire.models.judges.identity import DlibEmbedder, Embedding
from facewire.sender.tracking.capture import Capture
from facewire.sender.tracking.tracker import Face, Tracker

FACE = Face(np.zeros((478, 2), np.float32))


def picture(value: int) -> Frame:
    return np.full((4, 4, 3), value, np.uint8)


class Table:
    """An embedder that looks the picture's value up."""

    def __init__(self, rows: dict[int, list[float]]) -> None:
        self._rows = rows
        self.asked: list[int] = []

    def __call__(self, frame: Frame, face: Face) -> Embedding:
        self.asked.append(int(frame[0, 0, 0]))
        return np.array(self._rows[self.asked[-1]], np.float32)


def test_distance_cosine_and_share() -> None:
    metric = IdentityDistance(Table({1: [1, 0], 2: [0.6, 0.8], 3: [0, 2], 4: [0.3, 2.4]}))
    metric.update(Pair(0, picture(1), picture(2), FACE, FACE))
    metric.update(Pair(5, picture(3), picture(4), FACE, FACE))
    metric.update(Pair(6, picture(3), picture(4), FACE, None))
    metric.update(Pair(7, picture(3), picture(4), None, FACE))
    assert metric.compute() == pytest.approx((np.sqrt(0.8) + 0.5) / 2)
    assert metric.cosine() == pytest.approx((0.6 + 2.4 / np.hypot(0.3, 2.4)) / 2)


def test_each_true_frame_is_embedded_once() -> None:
    table = Table({1: [1, 0], 2: [0.6, 0.8]})
    known: dict[int, Embedding] = {}
    for _ in range(2):
        metric = IdentityDistance(table, known)
        metric.update(Pair(3, picture(1), picture(2), FACE, FACE))
        assert metric.compute() == pytest.approx(np.sqrt(0.8))
    assert table.asked == [1, 2, 2]
    assert list(known) == [3]


def test_without_pairs_there_is_no_figure() -> None:
    metric = IdentityDistance(Table({}))
    assert np.isnan([metric.compute(), metric.cosine()]).all()


def test_without_dlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(MissingExtraError, match=r"facewire\[eval\]"):
        DlibEmbedder()


def test_a_file_that_is_no_network(tmp_path: Path) -> None:
    pytest.importorskip("dlib")
    (tmp_path / "junk.dat").write_bytes(b"junk" * 100)
    for name in ("junk.dat", "missing.dat"):
        with pytest.raises(WeightsError, match=name):
            DlibEmbedder(tmp_path / name)


@pytest.fixture(scope="module")
def embed() -> DlibEmbedder:
    try:
        return DlibEmbedder()
    except (MissingExtraError, WeightsError) as error:
        pytest.skip(str(error))


def embeddings(embed: DlibEmbedder, frames: list[Frame]) -> list[Embedding]:
    with Tracker(still=True) as tracker:
        return [embed(frame, tracker.track(frame)[0].landmarks) for frame in frames]


def test_a_person_stays_the_same_person(embed: DlibEmbedder) -> None:
    person = AnimatedFace(load_portrait())
    frames = [person.draw(p, 256) for p in (Pose(), Pose(yaw=10.0), Pose(mouth=0.8))]
    frames.append((frames[0] * 0.7).astype(np.uint8))
    straight, *others = embeddings(embed, frames)
    assert straight.shape == (128,)
    assert straight.dtype == np.float32
    for other in others:
        assert 0.01 < np.linalg.norm(straight - other) < 0.4


def test_a_face_at_the_border_is_embedded_too(embed: DlibEmbedder) -> None:
    frame = AnimatedFace(load_portrait()).draw(Pose(), 128)
    marks = np.random.default_rng(0).uniform(-60, 200, (478, 2)).astype(np.float32)
    assert np.isfinite(embed(frame, marks)).all()
    assert np.isfinite(embed(frame, FACE.landmarks)).all()


def test_people_are_told_apart(embed: DlibEmbedder) -> None:
    folder = os.environ.get("FACEWIRE_TEST_DATA")
    clips = sorted(Path(folder, "val").glob("*.mp4"))[:4] if folder else []
    if len(clips) < 4:
        pytest.skip("FACEWIRE_TEST_DATA names no folder with clips")
    people = []
    for clip in clips:
        frames = itertools.islice((f for f, _ in Capture(clip).frames()), 0, 51, 50)
        people.append(embeddings(embed, list(frames)))
    for first, second in people:
        assert np.linalg.norm(first - second) < 0.6
    apart = [
        np.linalg.norm(a - b)
        for one, other in itertools.combinations(people, 2)
        for a, b in itertools.product(one, other)
    ]
    assert np.mean(np.array(apart) > 0.6) > 0.9
    assert np.mean(apart) > 0.7
