"""APB2Face and APB2FaceV2 as generators: on both runtimes, and in the decoder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facewire.codec.errors import ConfigError, UnsupportedError, WeightsError
from facewire.codec.motion.frame import MotionFrame
from facewire.codec.stream import StreamHeader
from facewire.models.apb2face.generator_store import save_generator
from facewire.models.apb2face.reenactor import FaceReenactor, ReenactorConfig
from facewire.models.apb2face_v2.export import export_reenactor
from facewire.models.apb2face_v2.network import Apb2FaceV2, ReenactorV2Config
from facewire.models.face.mesh import POINTS
from facewire.models.face.table import FaceTable
from facewire.models.weights import Card, load_card
from facewire.receiver.config import DecoderConfig
from facewire.receiver.generators.live import LiveGenerator
from facewire.receiver.generators.load import load_generator, open_generator
from facewire.receiver.generators.networks import header_for
from facewire.receiver.generators.reenactors import PersonReenactor, SoundReenactor
from tests.models.apb2face_v2.test_train import made_head

SIZE = 64  # the smallest that a stream may have


@dataclass(frozen=True)
class Seen:
    """A keyframe, and a frame that differs from it."""

    picture: np.ndarray
    still: MotionFrame
    moved: MotionFrame
    points: np.ndarray


@pytest.fixture(scope="module")
def seen() -> Seen:
    rng = np.random.default_rng(0)
    eye = np.broadcast_to(np.eye(2, dtype=np.float32), (10, 2, 2))
    value = rng.uniform(-0.4, 0.4, (10, 2)).astype(np.float32)
    turned = eye + rng.uniform(-0.3, 0.3, (10, 2, 2)).astype(np.float32)
    return Seen(
        rng.integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8),
        MotionFrame(value, eye),
        MotionFrame(value + np.float32(0.15), turned),
        rng.uniform(-0.6, 0.6, (len(POINTS), 2)).astype(np.float32),
    )


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Card:
    torch.manual_seed(0)
    config = ReenactorConfig(size=SIZE, channels=4, blocks=1)
    return stored(FaceReenactor(config, FaceTable.blank()), tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Card:
    torch.manual_seed(0)
    config = ReenactorV2Config(size=SIZE, channels=4, blocks=2, hidden=4)
    network = Apb2FaceV2(config, FaceTable.blank(), made_head())
    for inject in network.reenactor.injections:
        torch.nn.init.normal_(inject.parameters_of[-1].weight, std=3.0)
    return stored(network, tmp_path_factory.mktemp("many"))


def stored(network: Any, folder: Path) -> Card:
    save_generator(network, network.config.to_dict(), network.face, folder)
    card = load_card(folder)
    assert export_reenactor(card) < 1e-3
    return card


def sound(loud: float) -> np.ndarray:
    return (loud * np.random.default_rng(1).normal(0, 1, (80, 20))).astype(np.float32)


@pytest.mark.parametrize("name", ["one", "many"])
def test_both_runtimes_make_the_same(name: str, seen: Seen, request: pytest.FixtureRequest) -> None:
    card = request.getfixturevalue(name)
    pictures = []
    for backend in ("torch", "openvino"):
        generator = load_generator(card, backend, 1, "float32")  # type: ignore[arg-type]
        source = generator.set_source(seen.picture, seen.still, seen.points)
        np.testing.assert_allclose(generator.points(source, seen.still), seen.points, atol=1e-5)
        made = generator.render(source, seen.moved, sound(0.3))
        assert made.shape == (SIZE, SIZE, 3)
        assert made.dtype == np.uint8
        pictures.append(made.astype(int))
    assert np.abs(pictures[0] - pictures[1]).max() <= 1
    assert pictures[0].std() > 1


def test_what_moves_a_person(one: Card, seen: Seen) -> None:
    """The motion does; the keyframe's picture and the sound do not."""
    generator = load_generator(one, "torch", 1)
    assert isinstance(generator, PersonReenactor)
    source = generator.set_source(seen.picture, seen.still, seen.points)
    still = generator.render(source, seen.still, None)
    assert (generator.render(source, seen.moved, None) != still).any()
    np.testing.assert_array_equal(generator.render(source, seen.still, sound(0.5)), still)
    other = generator.set_source(255 - seen.picture, seen.still, seen.points)
    np.testing.assert_array_equal(generator.render(other, seen.still, None), still)


def test_what_moves_anybody(many: Card, seen: Seen) -> None:
    """Motion, sound and the keyframe's picture all do."""
    generator = load_generator(many, "torch", 1)
    assert isinstance(generator, SoundReenactor)
    source = generator.set_source(seen.picture, seen.still, seen.points)
    still = generator.render(source, seen.still, sound(0.5))
    assert (generator.render(source, seen.moved, sound(0.5)) != still).any()
    silent = generator.render(source, seen.still, None)
    assert (silent != still).any()
    np.testing.assert_array_equal(generator.render(source, seen.still, sound(0) - 1), silent)
    other = generator.set_source(255 - seen.picture, seen.still, seen.points)
    assert (generator.render(other, seen.still, sound(0.5)) != still).any()


@pytest.mark.parametrize("name", ["one", "many"])
def test_a_stream_names_it(name: str, request: pytest.FixtureRequest) -> None:
    card = request.getfixturevalue(name)
    header = header_for(card.folder)
    assert header.model == {"one": "apb2face", "many": "apb2face-v2"}[name]
    kind = {"one": PersonReenactor, "many": SoundReenactor}[name]
    config = DecoderConfig(weights=card.folder, threads=1)
    assert isinstance(open_generator(header, config), kind)
    live = open_generator(header, DecoderConfig(weights=card.folder, threads=1, live=True))
    assert isinstance(live, LiveGenerator)
    with pytest.raises(WeightsError, match="which facewire does not bring"):
        open_generator(header, DecoderConfig())


def test_another_family_is_still_refused() -> None:
    with pytest.raises(UnsupportedError, match="apb2face and apb2face-v2"):
        open_generator(StreamHeader("apb2face-v3", bytes(32)), DecoderConfig())


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"backend": "torch", "parallel": 2}, "one picture at a time"),
        ({"backend": "torch", "precision": "bf16"}, "runs in float32"),
        ({"backend": "openvino", "precision": "int8"}, "no such graph"),
        ({"backend": "other"}, "`openvino` or `torch`"),
        ({"changes": {"encoder.1.weight": np.zeros(1, np.float32)}}, "takes no identity"),
    ],
)
def test_what_it_does_not_offer(one: Card, more: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_generator(one, **more)


def test_a_picture_of_another_size_is_refused(one: Card, many: Card, seen: Seen) -> None:
    for card in (one, many):
        generator = load_generator(card, "torch", 1)
        with pytest.raises(ConfigError, match="pictures are uint8"):
            generator.set_source(seen.picture[1:], seen.still, seen.points)


def test_several_threads_may_render(one: Card, seen: Seen) -> None:
    generator = load_generator(one, "openvino", parallel=2)
    source = generator.set_source(seen.picture, seen.still, seen.points)
    assert generator.render(source, seen.moved, None).shape == (SIZE, SIZE, 3)
