"""Person adaptation of a tiny network in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facewire.codec.errors import ConfigError, TrainingError, WeightsError
from facewire.models.avfr import Avfr, AvfrConfig
from facewire.models.training import enroll as module
from facewire.models.training.cache import CachedClip
from facewire.models.training.config import LossWeights
from facewire.models.training.enroll import (
    EnrollConfig,
    Enrolled,
    as_received,
    enroll,
    is_better,
    part,
)
from facewire.models.weights import Card, changed_tensors, load_card
from facewire.models.weights.identity import DECODER

from .conftest import made_clip

QUICK = EnrollConfig(
    steps=20, batch=1, drivings=1, learning_rate=1e-2, evaluate_every=10, minutes=1000, threads=1,
    losses=LossWeights(perceptual=0, face=0, warped=0),
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def few_frames() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_MEASURED", 6)
        yield


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Card:
    from .conftest import TINY

    return save(tmp_path_factory.mktemp("network"), TINY)


def save(folder: Path, network: AvfrConfig) -> Card:
    torch.manual_seed(0)
    model = Avfr(network)
    with torch.no_grad():
        for value in model.parameters():
            if not value.any():
                value.normal_(0, 0.01)
    model.save_pretrained(folder)
    return load_card(folder)


def footage(frames: int = 60, fps: float = 5.0, seed: int = 0) -> CachedClip:
    """12 s of somebody whose picture stands still, whatever the mesh does."""
    line = np.linspace(0, 6, 64)
    waves = np.stack([np.sin(line[:, None] * (i + 1) + line * (seed + 1)) for i in range(3)], -1)
    picture = (127 + 100 * waves).astype(np.uint8)
    clip = made_clip("me", "me", frames)
    pictures = np.repeat(picture[None], len(clip.kept), 0)
    return replace(clip, fps=fps, frames=pictures, landmarks=clip.landmarks * np.float32(1.4))


@pytest.fixture(scope="module")
def enrolled(card: Card) -> Enrolled:
    return enroll(card, [footage()], QUICK)


def test_held_out_footage_gets_better(card: Card, enrolled: Enrolled) -> None:
    assert enrolled.after["net_face_lpips"] < enrolled.before["net_face_lpips"]
    assert enrolled.steps == QUICK.steps
    identity = enrolled.identity
    assert (identity.model, identity.weights_sha256) == (card.name, card.sha256)
    assert identity.file_bytes < 300_000
    assert all(name.startswith(DECODER) for name in identity.changes)
    assert any(change.levels.any() for change in identity.changes.values())


def test_the_figures_are_those_of_what_a_receiver_runs(card: Card, enrolled: Enrolled) -> None:
    model = Avfr.from_pretrained(card.folder)
    changes = changed_tensors(card, enrolled.identity)
    model.load_state_dict({n: torch.from_numpy(v) for n, v in changes.items()}, strict=False)
    run = module._Enrolment(card, [footage()], QUICK)
    found = run.figures({name: dict(model.named_parameters())[name] for name in run.learned})
    assert found == pytest.approx(enrolled.after, rel=1e-4)


def test_a_network_that_shows_the_gaze_learns_a_person_too(tmp_path: Path) -> None:
    from .conftest import TINY

    found = enroll(save(tmp_path, TINY.with_changes(gaze=True)), [footage()], QUICK)
    assert found.after["net_face_lpips"] < found.before["net_face_lpips"]


def test_the_same_seed_gives_the_same_identity(card: Card) -> None:
    short = replace(QUICK, steps=15)
    one, two = (enroll(card, [footage()], short).identity for _ in range(2))
    assert one == two


def test_the_end_and_its_keyframe_are_held_out(card: Card) -> None:
    clip = footage()
    cut = round(len(clip.kept) * 0.8)
    far, near = module._held_out([clip], [cut])
    assert list(far.kept) == [clip.kept[0], *clip.kept[cut:]]
    assert list(near.kept) == list(clip.kept[cut:])
    run = module._Enrolment(card, [clip], QUICK)
    learned = {n for piece in run.train for n in piece.kept}
    assert learned == set(clip.kept[1:cut])
    many = list(module._held_out([clip] * 30, [cut] * 30))
    assert 6 <= len(many) <= 12


def test_a_keyframe_is_coded_and_the_rest_left() -> None:
    clip = footage()
    noise = np.random.default_rng(0).integers(0, 256, clip.frames.shape).astype(np.uint8)
    clip = replace(clip, frames=noise)
    received = as_received(part(clip, 3, 9))
    assert not np.array_equal(received.frames[0], clip.frames[3])
    np.testing.assert_array_equal(received.frames[1:], clip.frames[4:9])


def test_large_networks_learn_the_end_of_the_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    from .conftest import TINY

    model = Avfr(TINY)
    everything = {n for n, _ in model.named_parameters() if n.startswith(DECODER)}
    assert set(module._learned(model)) == everything
    monkeypatch.setattr(module, "_MOST_WEIGHTS", 9000)
    some = module._learned(model)
    assert {"generator.head.weight", "generator.fuse.1.weight"} <= set(some)
    assert "generator.enter.weight" not in some
    assert sum(value.numel() for value in some.values()) <= 9000


BEFORE = {"net_face_lpips": 0.1, "net_lpips": 0.2, "net_face_psnr": 30.0}


def test_what_does_not_help_is_refused(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "evaluate", lambda *_, **__: dict(BEFORE))
    settings = replace(QUICK, evaluate_every=1, patience=2)
    with pytest.raises(
        TrainingError, match=r"face PSNR 30\.00 before and 30\.00 after.*nothing is"
    ):
        enroll(card, [footage()], settings)


@pytest.mark.parametrize(
    ("changes", "good"),
    [
        ({"net_face_lpips": 0.09}, True),
        ({"net_face_lpips": 0.09, "net_face_psnr": 29.92}, True),
        ({"net_face_lpips": 0.05, "net_face_psnr": 29.88}, False),
        ({"net_face_lpips": 0.05, "net_lpips": 0.201}, False),
        ({"net_face_lpips": 0.1, "net_face_psnr": 33.0}, False),
        ({"net_face_lpips": 0.101, "net_lpips": 0.1, "net_face_psnr": 33.0}, False),
    ],
)
def test_a_sharper_face_may_not_be_a_wrong_one(changes: dict[str, float], good: bool) -> None:
    assert is_better(BEFORE | changes, BEFORE) == good


def test_a_step_that_lost_the_true_face_is_not_kept(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second measurement has the smallest LPIPS, and is not the one that is kept."""
    run = module._Enrolment(card, [footage()], replace(QUICK, steps=3, evaluate_every=1))
    measured = [
        BEFORE | {"net_face_lpips": 0.08},
        BEFORE | {"net_face_lpips": 0.05, "net_face_psnr": 29.5},
        BEFORE | {"net_face_lpips": 0.07, "net_lpips": 0.3},
    ]
    seen = []

    def figures(values: dict[str, torch.Tensor]) -> dict[str, float]:
        seen.append({name: value.clone() for name, value in values.items()})
        return measured[len(seen) - 1]

    monkeypatch.setattr(run, "figures", figures)
    best = run.learn(BEFORE, None)
    assert len(seen) == 3
    assert all(torch.equal(best[name], value) for name, value in seen[0].items())
    assert not all(torch.equal(best[name], value) for name, value in seen[1].items())


def test_a_loss_that_is_no_number_keeps_what_was_best(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = module._Enrolment(card, [footage()], replace(QUICK, evaluate_every=8))
    losses, steps = run.objective.losses, 0

    def breaking(*values: Any, **more: Any) -> Any:
        nonlocal steps
        steps += 1
        terms, result = losses(*values, **more)
        return {"pixel": terms["pixel"] * (float("nan") if steps > 10 else 1)}, result

    monkeypatch.setattr(run.objective, "losses", breaking)
    result = run.run(None, None)
    assert result.steps == 10
    assert result.after["net_face_lpips"] < result.before["net_face_lpips"]


def test_footage_that_cannot_be_used(card: Card) -> None:
    with pytest.raises(TrainingError, match=r"9\.8 s with a face are too little"):
        enroll(card, [footage(49)], QUICK)
    clip = footage()
    faces = clip.faces.copy()
    faces[-12:] = 0
    with pytest.raises(TrainingError, match="last part"):
        enroll(card, [replace(clip, faces=faces, fps=4.0)], QUICK)


def test_a_graph_of_other_weights_is_noticed_at_once(tmp_path: Path, card: Card) -> None:
    import zipfile

    for path in card.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with zipfile.ZipFile(tmp_path / "runtime.zip", "w") as archive:
        archive.writestr("frame.xml", "")
        archive.writestr("frame.bin", "")
    with pytest.raises(WeightsError, match="facewire export"):
        enroll(load_card(tmp_path), [footage()], QUICK)


@pytest.mark.parametrize(
    "changes",
    [{"steps": 0}, {"learning_rate": 1}, {"held_out": 0.9}, {"minutes": 0}, {"ema": 1.0}],
)
def test_settings_that_make_no_sense(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        EnrollConfig(**changes)
