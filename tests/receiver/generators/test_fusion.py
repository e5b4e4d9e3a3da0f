"""The fusion network that facewire brings, as a receiver runs it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from facewire.cli.demo.face import AnimatedFace, Pose, load_portrait
from facewire.codec.errors import ConfigError, WeightsError
from facewire.codec.picture.chain import ChainDecoder, ChainEncoder
from facewire.codec.picture.still import Anchor, encode_picture
from facewire.models.face.mesh import POINTS, select_points
from facewire.models.fusion.evaluate import torch_fuse
from facewire.models.fusion.network import Fusion as Network
from facewire.models.fusion.obstacles import Obstacle
from facewire.models.fusion.store import load_fusion, save_fusion
from facewire.models.weights import fusion_card
from facewire.receiver.generators.fusion import Fusion
from facewire.sender.tracking.tracker import Tracker
from tests.codec.picture.able import codes_chains


def picture(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    smooth = rng.uniform(40, 210, (16, 16, 3)).repeat(16, 0).repeat(16, 1)
    return (smooth + rng.normal(0, 6, smooth.shape)).clip(0, 255).astype(np.uint8)


def landmarks(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (len(POINTS), 2)).astype(np.float32)


@pytest.fixture(scope="module")
def fusion() -> Fusion:
    return Fusion(threads=1)


def test_it_does_what_torch_does(fusion: Fusion) -> None:
    torch.set_num_threads(1)
    network = torch_fuse(load_fusion(fusion_card().folder))
    made, base = picture(0), picture(1)
    for age in (0, 5, 200):
        found = fusion.fuse(made, base, landmarks(), age=age)
        expected = network(made, base, landmarks(), age)
        assert found.shape == made.shape
        assert found.dtype == np.uint8
        assert np.abs(found.astype(int) - expected).mean() < 0.5
        assert np.abs(found.astype(int) - made).mean() > 1


def test_without_a_base_the_picture_is_the_generators(fusion: Fusion) -> None:
    made, base = picture(0), picture(1)
    assert np.array_equal(fusion.fuse(made, None, landmarks()), made)
    assert np.array_equal(fusion.fuse(made, base, landmarks(), trust=0.0), made)


def test_trust_leads_from_one_picture_to_the_other(fusion: Fusion) -> None:
    made, base = picture(0), picture(1)
    apart = [
        np.abs(fusion.fuse(made, base, landmarks(), trust=trust).astype(int) - made).mean()
        for trust in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert apart == sorted(apart)
    assert apart[2] == pytest.approx(apart[4] / 2, rel=0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"base": np.zeros((128, 128, 3), np.uint8)}, "this network's pictures"),
        ({"generated": np.zeros((256, 256, 3), np.float32)}, "this network's pictures"),
        ({"points": np.zeros((5, 2), np.float32)}, "landmarks of a frame"),
        ({"age": -1}, "a base is 0 frames old or more"),
        ({"trust": 1.5}, "trusted from 0 to 1"),
        ({"trust": float("nan")}, "trusted from 0 to 1"),
    ],
)
def test_what_does_not_fit_is_named(
    fusion: Fusion, change: dict[str, object], message: str
) -> None:
    given = {"generated": picture(0), "base": picture(1), "points": landmarks()} | change
    with pytest.raises(ConfigError, match=message):
        fusion.fuse(**given)  # type: ignore[arg-type]


def test_weights_without_a_graph_are_named(tmp_path: Path) -> None:
    save_fusion(Network(), tmp_path)
    with pytest.raises(WeightsError, match="is not there"):
        Fusion(fusion_card(tmp_path))


COUNT = 6


@pytest.fixture(scope="module")
def portrait() -> AnimatedFace:
    return AnimatedFace(load_portrait())


@pytest.fixture(scope="module")
def turning(portrait: AnimatedFace) -> list[np.ndarray]:
    """A portrait that turns its head and opens its mouth."""
    poses = (Pose(yaw=3.0 * n, mouth=0.15 * n) for n in range(COUNT))
    return [portrait.draw(pose, 256) for pose in poses]


@pytest.fixture(scope="module")
def points(turning: list[np.ndarray]) -> np.ndarray:
    """The landmarks of its last frame."""
    with Tracker() as tracker:
        found = tracker.track(turning[-1])[0].landmarks
    return np.asarray(select_points(found) / 128 - 1, np.float32)


def coarse(frames: Sequence[np.ndarray]) -> np.ndarray:
    """The last frame as a coarse base layer shows it."""
    still = encode_picture(frames[0], quality=45)
    decoder, shown = ChainDecoder(still), frames[0]
    with ChainEncoder(Anchor(frames[0], still), 40) as encoder:
        for frame in frames[1:]:
            shown = decoder.decode(encoder.encode(frame))
    return shown


def apart(one: np.ndarray, other: np.ndarray, where: np.ndarray | None = None) -> float:
    levels = np.abs(one.astype(int) - other).mean(-1)
    return float(levels.mean() if where is None else levels[where].mean())


@codes_chains
def test_a_right_generated_picture_helps_and_a_wrong_one_hardly_harms(
    fusion: Fusion, portrait: AnimatedFace, turning: list[np.ndarray], points: np.ndarray
) -> None:
    truth, base = turning[-1], coarse(turning)
    alone = apart(base, truth)
    assert apart(fusion.fuse(truth, base, points), truth) < 0.8 * alone
    mirrored = portrait.draw(Pose(yaw=-20, pitch=6, mouth=1), 256)[:, ::-1, [2, 0, 1]]
    another = (0.7 * mirrored + 30).astype(np.uint8)  # of another colour, too
    elsewhere = portrait.draw(Pose(yaw=-12), 256)  # the same face, as it was at another time
    for wrong in (another, elsewhere):
        fused = fusion.fuse(wrong, base, points)
        assert apart(fused, base) < 0.25 * apart(fused, wrong)
        assert apart(fused, truth) < 1.15 * alone


@codes_chains
def test_a_hand_that_the_generator_does_not_know_is_shown(
    fusion: Fusion, turning: list[np.ndarray], points: np.ndarray
) -> None:
    hand = Obstacle.random(np.random.default_rng(4), 256, 0, turning[0])
    frames = [hand.paint(frame, number) for number, frame in enumerate(turning)]
    truth, base, made = frames[-1], coarse(frames), turning[-1]
    covered = np.abs(truth.astype(int) - made).max(-1) > 20
    assert covered.mean() > 0.03
    fused = fusion.fuse(made, base, points)
    assert apart(fused, base, covered) < 0.2 * apart(fused, made, covered)
    assert apart(fused, truth, covered) < 1.15 * apart(base, truth, covered)
