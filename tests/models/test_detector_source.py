from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facewire.codec.errors import ConfigError
from facewire.models.avfr import Avfr, AvfrConfig
from facewire.models.avfr.detector_source import DetectorSource
from facewire.models.avfr.priors import PriorMaker
from facewire.models.avfr.segmenter import Segmenter
from facewire.models.face.observation import Observation
from facewire.models.face.table import FaceTable
from facewire.models.training.cache import CachedClip
from facewire.models.training.data import Pairs
from facewire.models.training.prepare import _shrink
from facewire.sender.config import EncoderConfig
from facewire.sender.encoder import Encoder
from facewire.sender.tracking.tracker import Tracker

from ..sender.conftest import Frame

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
    motion = source.motion(seen, 0)
    assert source.keyframe(seen, 0) == motion
    source.close()
    np.testing.assert_allclose(motion.jacobian, np.eye(2)[None].repeat(10, 0), atol=1e-2)
    assert np.abs(motion.value).max() < 1


def test_an_encoder_uses_the_detector_of_its_network(tmp_path: Path) -> None:
    Avfr(NETWORK.with_changes(keypoint_mode="detector")).save_pretrained(tmp_path)
    with Encoder(EncoderConfig(model=str(tmp_path)), fps=25, tracker=object()) as encoder:
        assert isinstance(encoder._keypoints, DetectorSource)


def test_a_network_of_the_mesh_has_no_detector(tmp_path: Path) -> None:
    Avfr(NETWORK).save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="no keypoint detector"):
        DetectorSource(tmp_path)


def test_training_and_sending_draw_the_same_priors(frames: list[Frame]) -> None:
    """What the detector learns from is what it is given later."""
    chosen = [frames[0], frames[40]]
    with Tracker() as tracker:
        marks = [tracker.track(frame)[0].landmarks / 128 - 1 for frame in chosen]
    maker, segmenter = PriorMaker(), Segmenter()
    sent = [maker.make(frame, points) for frame, points in zip(chosen, marks, strict=True)]
    clip = CachedClip(
        name="demo",
        identity="x",
        fps=25.0,
        landmarks=np.stack(marks).astype(np.float32),
        mask=np.stack([_shrink(segmenter.segment(frame)) for frame in chosen]),
        mel=np.zeros((8, 80), np.float32),
        faces=np.ones(2, np.uint8),
        kept=np.arange(2),
        frames=np.stack(chosen),
    )
    pairs = Pairs([clip], FaceTable.blank(), drivings=4, size=256, structural=True)
    sample = pairs.sample(clip, np.random.default_rng(0))
    pictures = np.concatenate([sample["source_picture"][None], sample["picture"]])
    trained = np.concatenate([sample["source_prior"][None], sample["prior"]])
    met = set()
    for picture, (drawn, person) in zip(pictures, trained, strict=True):
        which = int(np.abs(picture.transpose(1, 2, 0).astype(int) - chosen[1]).max() == 0)
        met.add(which)
        np.testing.assert_array_equal(drawn, sent[which].mesh)
        # Stored at 64x64: the edge is softer, no more.
        assert np.abs(person - sent[which].person).mean() < 0.02
    assert met == {0, 1}
    assert np.abs(sent[0].mesh - sent[1].mesh).max() > 0.5, "frames that would not tell"
