from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facewire.codec.errors import ConfigError
from facewire.models.avfr import Avfr, AvfrConfig
from facewire.models.face import FaceTable
from facewire.sender import Encoder, EncoderConfig
from facewire.sender.detector import DetectorSource
from facewire.sender.keypoints import Observation
from facewire.sender.priors import PriorMaker

NETWORK = AvfrConfig(detector_base=4, detector_max=16, detector_levels=3, motion_base=4)


@pytest.mark.parametrize("structural", [True, False])
def test_the_detector_gives_motion(tmp_path: Path, structural: bool) -> None:
    network = NETWORK.with_changes(keypoint_mode="detector", structural_prior=structural)
    Avfr(network).save_pretrained(tmp_path)
    source = DetectorSource(tmp_path)
    seen = Observation(
        np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8),
        FaceTable.blank().mean * np.float32(0.4),
    )
    motion = source.motion(seen)
    assert source.keyframe(seen) == motion
    np.testing.assert_allclose(motion.jacobian, np.eye(2)[None].repeat(10, 0), atol=1e-2)
    assert np.abs(motion.value).max() < 1


def test_an_encoder_uses_the_detector_of_its_network(tmp_path: Path) -> None:
    Avfr(NETWORK.with_changes(keypoint_mode="detector")).save_pretrained(tmp_path)
    encoder = Encoder(EncoderConfig(model=str(tmp_path)), fps=25, tracker=object())
    assert isinstance(encoder._keypoints, DetectorSource)


def test_a_network_of_the_mesh_has_no_detector(tmp_path: Path) -> None:
    Avfr(NETWORK).save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="no keypoint detector"):
        DetectorSource(tmp_path)


def test_training_and_sending_draw_the_same_priors() -> None:
    marks = FaceTable.blank().mean * np.float32(0.4)
    picture = np.zeros((256, 256, 3), np.uint8)
    from facewire.models.tessellation import draw_mesh

    priors = PriorMaker().make(picture, marks)
    np.testing.assert_array_equal(priors.mesh, draw_mesh(marks, 256, 256))
