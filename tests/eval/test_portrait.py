"""Cross-identity: who moves whom, and what is measured of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facewire.codec.errors import EvaluationError
from facewire.eval.codecs.portrait import Cast, PortraitCodec
from facewire.eval.codecs.registry import make_codecs
from facewire.eval.measure import PersonShown, _Metrics
from facewire.eval.metrics.base import Pair
from facewire.eval.metrics.identity import PortraitDistance
from facewire.eval.truth import Truth
from facewire.sender.tracking.tracker import Face

from .makers import Frame, clip_of, moving_frames

FACE = Face(np.zeros((478, 2), np.float32))


def picture(value: int) -> Frame:
    return np.full((4, 4, 3), value, np.uint8)


def embed(frame: Frame, landmarks: object) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.array([frame[0, 0, 0] / 100, 0], np.float32)


def test_the_distance_to_the_portrait() -> None:
    metric = PortraitDistance(embed, embed(picture(50), None))
    metric.update(Pair(0, picture(0), picture(80), FACE, FACE))
    metric.update(Pair(5, picture(0), picture(40), None, FACE))
    metric.update(Pair(9, picture(0), picture(0), FACE, None))
    assert metric.compute() == pytest.approx(0.2)


def test_everybody_moves_one_other_and_always_the_same(tmp_path: Path) -> None:
    for name in "abcdefgh":
        (tmp_path / f"{name}.mp4").touch()
    (tmp_path / "notes.txt").touch()
    videos = Cast(tmp_path).videos()
    assert sorted(path.stem for path in videos) == list("abcdefgh")
    assert [path.stem for path in videos] != list("abcdefgh")
    assert Cast(tmp_path).videos() == videos
    assert Cast(tmp_path / "a.mp4").videos() == []


def test_somebody_else_is_needed(tmp_path: Path) -> None:
    (codec,) = make_codecs(["facewire-portrait"])
    assert isinstance(codec, PortraitCodec)
    clip = clip_of(tmp_path / "c", moving_frames(3, 64))
    with pytest.raises(EvaluationError, match="wants a folder of videos"):
        codec.person(clip)
    (tmp_path / "made.mp4").touch()
    (codec,) = make_codecs(["facewire-portrait"], cast=Cast(tmp_path))
    with pytest.raises(EvaluationError, match="wants a folder of videos"):
        codec.person(clip)


def test_other_pairs_are_another_codec(tmp_path: Path) -> None:
    identities = set()
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.mp4").touch()
        (codec,) = make_codecs(["facewire-portrait"], cast=Cast(tmp_path))
        identities.add(codec.identity())
    assert len(identities) == 3


class _Suite:
    """Has no network but one that tells faces apart."""

    alex = vgg = dists = inception = syncnet = None
    every = vgg_every = 1

    def __init__(self) -> None:
        self.embed = embed


def test_only_what_a_portrait_shares_with_its_driver_is_measured(tmp_path: Path) -> None:
    frames = moving_frames(4, 64)
    clip = clip_of(tmp_path / "c", frames)
    rng = np.random.default_rng(0)
    truth = Truth([None] * 4, np.zeros((0, 2048), np.float32))
    shown = PersonShown(picture(50), FACE)
    metrics = _Metrics(clip, truth, _Suite(), shown)  # type: ignore[arg-type]
    for index in range(4):
        points = rng.uniform(0, 64, (478, 2)).astype(np.float32)
        face = Face(points, pose=np.eye(4, dtype=np.float32))
        metrics.update(Pair(index, frames[index], picture(80), face, replace(face)))
    values = metrics.compute()
    assert values["portrait_identity"] == pytest.approx(0.3)
    assert values["pose_error"] == pytest.approx(0)
    assert values["mouth_correlation"] == pytest.approx(1)
    assert not {"psnr", "lpips", "lmd", "aed", "identity_cosine"} & set(values)
