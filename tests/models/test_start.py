"""Networks that begin with the weights of others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from facewire.codec.errors import ConfigError
from facewire.models.avfr import Avfr, AvfrConfig
from facewire.models.face.mesh import IRISES
from facewire.models.face.table import FaceTable
from facewire.models.training.evaluate import animate_clip
from facewire.models.training.start import begin_from

from .conftest import made_clip


@pytest.fixture
def source(tiny: AvfrConfig) -> Avfr:
    """Every weight has an effect, as after training."""
    torch.manual_seed(1)
    model = Avfr(tiny, FaceTable.blank())
    with torch.no_grad():
        for value in model.parameters():
            if not value.any():
                value.normal_(0, 0.05)
    return model.eval()


def test_new_blocks_change_no_picture(source: Avfr) -> None:
    larger = source.config.with_changes(blocks=(2, 2, 3))
    model = begin_from(source, larger)
    assert model.config == larger
    assert model.face is source.face
    clip, device = made_clip("a", "a", 6), torch.device("cpu")
    made, before = (animate_clip(net, clip, [1, 2], device)[0] for net in (model, source))
    np.testing.assert_array_equal(made, before)


def test_the_start_is_copied_and_new_blocks_are_seeded(source: Avfr) -> None:
    larger = source.config.with_changes(blocks=(0, 1, 2))
    one, two, three = (begin_from(source, larger, seed).state_dict() for seed in (0, 0, 1))
    new = [name for name in one if not torch.equal(one[name], three[name])]
    assert new
    assert all(name.startswith("generator.") and "blocks." in name for name in new)
    assert all(torch.equal(one[name], two[name]) for name in one)
    for name, value in source.state_dict().items():
        assert torch.equal(one[name], value)
        assert not value.numel() or one[name].data_ptr() != value.data_ptr()


def test_gaze_may_be_added(source: Avfr) -> None:
    """Where nobody's eyes move, irises change no picture; where they do, the flow follows."""
    model = begin_from(source, source.config.with_changes(gaze=True))
    clip, device = made_clip("a", "a", 6), torch.device("cpu")
    steady = clip.landmarks.copy()
    for frame in steady:  # both irises in the middle of their eyes
        for iris, corners in zip(IRISES, ((33, 133), (362, 263)), strict=True):
            frame[iris] = frame[list(corners)].mean(0)
    still = replace(clip, landmarks=steady)
    made, before = (animate_clip(net, still, [1, 2], device)[0] for net in (model, source))
    eyes_apart = np.abs(made.astype(int) - before)
    assert eyes_apart.max() <= 3  # the irises' share in the flow around the eyes
    looking = steady.copy()
    looking[3:, list(IRISES)] += np.float32(0.05)
    made, flows = animate_clip(model, replace(clip, landmarks=looking), [1, 2], device)
    _, unmoved = animate_clip(model, still, [1, 2], device)
    assert np.abs(flows - unmoved).max() > 1e-4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"channels": (8, 12, 24)}, r"generator\.\S+ of \d.* x .*, the new network of \d"),
        ({"blocks": (0, 0, 1)}, r"has generator\.blocks\.1\.0\..*, which the new network lacks"),
        ({"audio_prior": False}, r"audio.*more do not fit"),
        ({"keypoint_mode": "detector"}, r"has no detector\."),
    ],
)
def test_tensors_that_do_not_fit_are_named(
    source: Avfr, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        begin_from(source, source.config.with_changes(**changes))
