from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from facewire.cli.demo.face import AnimatedFace, Pose, load_portrait
from facewire.codec.errors import ConfigError, MediaError, WeightsError
from facewire.eval.clips import Clip
from facewire.eval.measure import Figures, boxes_of, measure
from facewire.eval.metrics.base import BOXES, Frame
from facewire.eval.metrics.catalogue import METRICS
from facewire.eval.suite import Suite
from facewire.eval.truth import Truth, measure_truth
from facewire.models import third_party
from facewire.models.judges.inception import FEATURES
from facewire.sender.tracking.tracker import Face

FRAMES, SIDE = 11, 192
NETWORKS = ("fid", "kid", "lpips", "lpips_vgg", "dists", "sync_c", "sync_d")


def make_clip(folder: Path, frames: list[Frame], sound: npt.NDArray[np.float32]) -> Clip:
    folder.mkdir()
    np.stack(frames).tofile(folder / "frames.rgb")
    np.save(folder / "sound.npy", sound)
    height, width = frames[0].shape[:2]
    return Clip("a.mp4", "0" * 64, folder, len(frames), Fraction(25), width, height)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """A head that turns and speaks; the sound swells with the mouth."""
    face = AnimatedFace(load_portrait())
    mouth = 0.5 - 0.5 * np.cos(np.arange(FRAMES))
    frames = [face.draw(Pose(yaw=i, mouth=float(m)), SIDE) for i, m in enumerate(mouth)]
    level = np.interp(np.arange(FRAMES * 640), np.arange(FRAMES) * 640 + 320, mouth)
    noise = np.random.default_rng(0).normal(0, 0.1, len(level))
    sound = (level * noise).astype(np.float32)
    return make_clip(tmp_path_factory.mktemp("clips") / "talk", frames, sound)


@pytest.fixture(scope="module")
def bare() -> Suite:
    """A suite on a machine that is offline and has no networks."""
    with pytest.MonkeyPatch.context() as patch:

        def offline(name: str, *_: object) -> None:
            raise WeightsError(f"{name} is not here")

        patch.delenv("FACEWIRE_WEIGHTS", raising=False)
        patch.setenv("FACEWIRE_CACHE", "/nonexistent")
        patch.setattr(third_party, "_download", offline)
        threads = torch.get_num_threads()
        suite = Suite(every=2, vgg_every=3)
        torch.set_num_threads(threads)
    return suite


@pytest.fixture(scope="module")
def truth(clip: Clip, bare: Suite) -> Truth:
    return measure_truth(clip, bare)


class Difference(nn.Module):
    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return (first - second).abs().mean((1, 2, 3))


class Means:
    """Inception's stand-in: a picture's mean, over and over."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, frames: list[Frame]) -> npt.NDArray[np.float32]:
        self.batches.append(len(frames))
        return np.stack([np.full(FEATURES, frame.mean(), np.float32) for frame in frames])


@pytest.fixture
def full(bare: Suite) -> Iterator[Suite]:
    """The suite with a stand-in for each network."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("alex", "vgg", "dists"):
            patch.setattr(bare, name, Difference())
        patch.setattr(bare, "inception", Means())
        patch.setattr(bare, "embed", lambda frame, _: np.full(128, frame.mean(), np.float32))
        yield bare


def worse(clip: Clip) -> Iterator[Frame]:
    for index, frame in enumerate(clip.rgb()):
        noise = np.random.default_rng(index).normal(0, 10, frame.shape)
        yield np.clip(frame + noise, 0, 255).astype(np.uint8)


def test_offline_the_rest_still_runs(clip: Clip, bare: Suite, truth: Truth) -> None:
    assert set(NETWORKS) <= set(bare.missing)
    assert "fid_inception.pt is not here" in bare.missing["fid"]
    figures = measure(clip, truth, worse(clip), bare)
    assert {"psnr", "face_ssim", "lmd", "flicker", "jitter", "ale"} <= set(figures.values)
    assert not set(figures.values) & set(bare.missing)
    assert figures.features.shape == (0, FEATURES)


def test_every_metric_of_the_catalogue_is_measured(clip: Clip, full: Suite) -> None:
    truth = measure_truth(clip, full)
    figures = measure(clip, truth, worse(clip), full)
    assert set(figures.values) == set(METRICS) - {
        *("fid", "kid", "sync_c", "sync_d"),
        "portrait_identity",
        *(name for name in METRICS if name.startswith(("first_", "later_"))),  # a short clip
    }
    assert all(type(value) is float for value in figures.values.values())
    assert figures.counts == {
        "frames": FRAMES,
        "faces": FRAMES,
        "pictures": 6,
        "vgg": 4,
        "inception": 6,
    }
    assert truth.features.shape == figures.features.shape == (6, FEATURES)
    assert sorted(truth.embeddings) == [0, 3, 6, 9]


def test_equal_frames_have_no_error(clip: Clip, full: Suite) -> None:
    truth = measure_truth(clip, full)
    values = measure(clip, truth, clip.rgb(), full).values
    best = {"psnr": 60, "identity_cosine": 1, "mouth_correlation": 1, "dr": 100}
    best |= {name: 1 for name in METRICS if "ssim" in name}
    best |= {f"{box}_psnr": 60 for box in BOXES[1:]}
    for name, value in values.items():
        if not name.startswith("lip_sync"):
            assert value == pytest.approx(best.get(name, 0), abs=1e-5), name
    assert values["lip_sync_correlation"] == values["lip_sync_correlation_truth"] > 0.5


def test_worse_frames_are_worse_each_way(clip: Clip, full: Suite) -> None:
    truth = measure_truth(clip, full)
    best = measure(clip, truth, clip.rgb(), full).values
    found = measure(clip, truth, worse(clip), full).values
    blind = {"dr", "identity_cosine"}  # faces are still found; the stand-in sees one number
    for name, info in METRICS.items():
        if name in found and name not in blind and not name.startswith("lip_sync"):
            assert (found[name] < best[name]) == info.higher_is_better, name


def test_frames_are_looked_at_as_often_as_asked(clip: Clip, truth: Truth, full: Suite) -> None:
    """An error in a frame that is passed over changes PSNR alone."""
    black = [np.array(frame) for frame in clip.rgb()]
    black[5] = np.zeros_like(black[5])  # 5 is no multiple of 2 or 3
    values = measure(clip, truth, black, full).values
    assert values["psnr"] < 59
    assert values["ssim"] == pytest.approx(1)
    assert values["lpips"] == values["dists"] == 0


def test_a_long_clip_is_measured_in_two_parts(
    clip: Clip, truth: Truth, full: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facewire.eval.measure._FIRST_S", 4 / clip.fps)
    black = [np.array(frame) for frame in clip.rgb()]
    black[6] = np.zeros_like(black[6])
    values = measure(clip, truth, black, full).values
    assert values["first_lpips"] == values["first_face_lpips"] == 0
    assert values["first_psnr"] == pytest.approx(60)
    assert values["later_lpips"] > values["lpips"] > 0
    later = FRAMES - 4
    assert values["later_psnr"] * later + 60 * 4 == pytest.approx(values["psnr"] * FRAMES)


def test_frames_are_not_held(clip: Clip, truth: Truth, full: Suite) -> None:
    alive: list[weakref.ref[Frame]] = []

    def frames() -> Iterator[Frame]:
        for frame in worse(clip):
            assert sum(each() is not None for each in alive) <= 2
            alive.append(weakref.ref(frame))
            yield frame

    measure(clip, truth, frames(), full)
    assert len(alive) == FRAMES


def test_a_decoder_may_use_one_buffer(clip: Clip, truth: Truth, full: Suite) -> None:
    def frames() -> Iterator[Frame]:
        buffer = np.empty((SIDE, SIDE, 3), np.uint8)
        for frame in worse(clip):
            buffer[:] = frame
            yield buffer

    first, second = (measure(clip, truth, made, full) for made in (worse(clip), frames()))
    assert first.values == second.values
    np.testing.assert_array_equal(first.features, second.features)


def test_inception_works_in_batches(clip: Clip, truth: Truth, full: Suite) -> None:
    full.every, before = 1, full.every
    try:
        figures = measure(clip, truth, clip.rgb(), full)
    finally:
        full.every = before
    assert full.inception.batches == [8, 3]  # type: ignore[union-attr]
    np.testing.assert_allclose(figures.features[:, 0], clip.rgb().mean((1, 2, 3)), rtol=1e-5)


@pytest.mark.parametrize("count", [0, FRAMES - 1, FRAMES + 1])
def test_another_number_of_frames(clip: Clip, truth: Truth, bare: Suite, count: int) -> None:
    frames = [np.zeros((SIDE, SIDE, 3), np.uint8)] * count
    with pytest.raises(MediaError, match=f"{FRAMES}"):
        measure(clip, truth, frames, bare)


@pytest.mark.parametrize("shape", [(SIDE, SIDE - 2, 3), (SIDE, SIDE), (SIDE, SIDE, 4)])
def test_another_size_of_frames(
    clip: Clip, truth: Truth, bare: Suite, shape: tuple[int, ...]
) -> None:
    with pytest.raises(MediaError, match="192"):
        measure(clip, truth, [np.zeros(shape, np.uint8)], bare)


def test_the_truth_of_another_clip(clip: Clip, truth: Truth, bare: Suite) -> None:
    with pytest.raises(ConfigError, match=r"a\.mp4"):
        measure(clip, replace(truth, faces=truth.faces[1:]), clip.rgb(), bare)


@pytest.mark.parametrize("wrong", [{"every": 0}, {"vgg_every": -1}, {"threads": 0}])
def test_settings_that_make_no_sense(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        Suite(**wrong)


def test_a_clip_without_face_and_sound(tmp_path: Path, full: Suite) -> None:
    grey = [np.full((SIDE, SIDE, 3), 90 + i, np.uint8) for i in range(3)]
    clip = make_clip(tmp_path / "grey", grey, np.zeros(0, np.float32))
    truth = measure_truth(clip, full)
    assert truth.faces == [None] * 3
    figures = measure(clip, truth, clip.rgb(), full)
    whole = {"psnr", "ssim", "ms_ssim", "lpips", "lpips_vgg", "dists", "flicker"}
    assert set(figures.values) == whole
    assert figures.counts["faces"] == 0


def test_truth_comes_back_from_its_file(clip: Clip, full: Suite, tmp_path: Path) -> None:
    truth = measure_truth(clip, full)
    bare_face = Face(np.ones((478, 2), np.float32))
    truth = replace(truth, faces=[None, *truth.faces[1:-1], bare_face])
    truth.save(tmp_path / "truth.npz")
    found = Truth.load(tmp_path / "truth.npz")
    assert found.faces[0] is None
    assert found.faces[-1] is not None
    assert found.faces[-1].pose is None
    for first, second in zip(truth.faces[1:-1], found.faces[1:-1], strict=True):
        assert first is not None
        assert second is not None
        np.testing.assert_array_equal(first.landmarks, second.landmarks)
        np.testing.assert_array_equal(first.pose, second.pose)  # type: ignore[arg-type]
        assert first.blink == second.blink
    np.testing.assert_array_equal(truth.features, found.features)
    assert list(found.embeddings) == list(truth.embeddings)
    np.testing.assert_array_equal(found.embeddings[3], truth.embeddings[3])


def test_figures_do_not_depend_on_where_the_truth_was(
    clip: Clip, full: Suite, tmp_path: Path
) -> None:
    truth = measure_truth(clip, full)
    truth.save(tmp_path / "truth.npz")
    loaded = Truth.load(tmp_path / "truth.npz")
    first, second = (measure(clip, each, worse(clip), full) for each in (truth, loaded))
    assert first.values == second.values


def test_an_empty_truth_comes_back(tmp_path: Path) -> None:
    Truth([None, None], np.zeros((0, FEATURES), np.float32)).save(tmp_path / "truth.npz")
    found = Truth.load(tmp_path / "truth.npz")
    assert found.faces == [None, None]
    assert found.embeddings == {}
    assert found.features.shape == (0, FEATURES)


def test_figures_come_back_from_their_file(tmp_path: Path) -> None:
    features = np.arange(FEATURES * 2, dtype=np.float32).reshape(2, FEATURES)
    figures = Figures({"psnr": 31.25, "lmd": 0.1}, {"frames": 10}, features, 1.5)
    figures.save(tmp_path / "figures.npz")
    found = Figures.load(tmp_path / "figures.npz")
    assert found.values == figures.values
    assert found.counts == figures.counts
    assert found.decode_seconds == 1.5
    np.testing.assert_array_equal(found.features, features)


def test_identity_names_what_figures_depend_on(bare: Suite) -> None:
    one = bare.identity
    assert "lpips" in one
    before, bare.every = bare.every, 7
    assert bare.identity != one
    bare.every = before
    assert bare.identity == one


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    width=st.integers(16, 300),
    height=st.integers(16, 300),
    spread=st.floats(0, 400),
    centre=st.floats(-200, 500),
)
def test_boxes_lie_inside_and_are_large_enough(
    seed: int, width: int, height: int, spread: float, centre: float
) -> None:
    rng = np.random.default_rng(seed)
    marks = rng.normal(centre, spread, (478, 2)).astype(np.float32)
    boxes = boxes_of(Face(marks), (height, width, 3))
    assert tuple(boxes) == BOXES
    for x0, y0, x1, y1 in boxes.values():
        assert 0 <= x0 <= x1 - min(32, width) < x1 <= width
        assert 0 <= y0 <= y1 - min(32, height) < y1 <= height


def test_boxes_enclose_their_landmarks(truth: Truth) -> None:
    face = truth.faces[0]
    assert face is not None
    boxes = boxes_of(face, (SIDE, SIDE, 3))
    low, high = face.landmarks[:468].min(0), face.landmarks[:468].max(0)
    assert np.abs(np.array(boxes["face"]) - [*low, *high]).max() <= 1
    mouth, eyes = boxes["mouth"], boxes["eyes"]
    assert eyes[3] < mouth[3]
    assert eyes[0] < mouth[0] < mouth[2] < eyes[2]
    assert boxes_of(None, (20, 30, 3)) == {"whole": (0, 0, 30, 20)}
