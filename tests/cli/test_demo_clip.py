from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest

from facewire.cli.demo.clip import make_demo_clip, poses
from facewire.cli.demo.face import AnimatedFace, Pose, load_portrait
from facewire.cli.demo.voice import make_voice
from facewire.codec.sound.opus import SAMPLE_RATE
from facewire.sender.tracking.capture import Capture
from facewire.sender.tracking.tracker import Face, Tracker

FRAMES = 100


@dataclass
class Clip:
    path: Path
    faces: list[Face | None]
    still: np.ndarray

    def series(self, measure: object) -> np.ndarray:
        return np.array([measure(face) for face in self.faces if face])  # type: ignore[operator]


def mouth(face: Face) -> float:
    return float(face.landmarks[14, 1] - face.landmarks[13, 1])


def yaw(face: Face) -> float:
    assert face.pose is not None
    return float(np.degrees(np.arctan2(face.pose[0, 2], face.pose[2, 2])))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Four seconds, tracked again."""
    path = make_demo_clip(tmp_path_factory.mktemp("clip") / "demo.mp4", FRAMES / 25)
    frames = [frame for frame, _ in Capture(path).frames()]
    with Tracker(details=True) as tracker:
        found = [tracker.track(frame) for frame in frames]
    edge = np.stack([frame[:, 245:] for frame in frames]).astype(float)
    return Clip(path, [faces[0] if faces else None for faces in found], edge)


def test_the_tracker_finds_the_face(clip: Clip) -> None:
    assert len(clip.faces) == FRAMES
    assert sum(face is not None for face in clip.faces) > 0.95 * FRAMES


def test_the_head_turns(clip: Clip) -> None:
    turns = clip.series(yaw)
    assert turns.max() - turns.min() > 12


def test_the_mouth_opens_and_shuts(clip: Clip) -> None:
    opening = clip.series(mouth)
    assert np.percentile(opening, 20) < 2
    assert opening.max() > 9


def test_the_eyes_blink(clip: Clip) -> None:
    blinks = clip.series(lambda face: min(face.blink))
    assert np.median(blinks) < 0.15
    assert blinks.max() > 0.3


def test_the_background_stands_still(clip: Clip) -> None:
    assert np.abs(clip.still - clip.still[0]).mean() < 2


def test_mouth_and_sound_go_together(clip: Clip) -> None:
    pcm = np.concatenate(list(Capture(clip.path).sound()))
    loud = [np.abs(pcm[k * 640 : k * 640 + 640]).mean() for k in range(FRAMES)]
    kept = [k for k, face in enumerate(clip.faces) if face]
    opening = clip.series(mouth)

    def match(shift: int) -> float:
        at = [k for k in range(len(kept)) if 0 <= kept[k] + shift < FRAMES]
        return float(np.corrcoef(opening[at], [loud[kept[k] + shift] for k in at])[0, 1])

    scores = {shift: match(shift) for shift in range(-4, 5)}
    assert scores[0] > 0.5
    assert abs(max(scores, key=lambda shift: scores[shift])) <= 1


def test_it_is_an_ordinary_file(clip: Clip) -> None:
    with av.open(str(clip.path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert (video.width, video.height, video.average_rate) == (256, 256, 25)


def test_first_frame_is_at_rest() -> None:
    rng = np.random.default_rng(0)
    voice = make_voice(2.0, rng)
    first = poses(voice, 50, 25, rng)[0]
    assert (first.yaw, first.blink, first.mouth) == (0, 0, 0)


def test_the_seed_decides() -> None:
    def make(seed: int) -> tuple[bytes, list[Pose]]:
        rng = np.random.default_rng(seed)
        voice = make_voice(3.0, rng)
        return voice.pcm.tobytes(), poses(voice, 75, 25, rng)

    assert make(4) == make(4)
    assert make(4) != make(5)


def test_voice_is_speech_like() -> None:
    voice = make_voice(6.0, np.random.default_rng(2))
    assert voice.pcm.dtype == np.float32
    assert len(voice.pcm) == len(voice.opening) == 6 * SAMPLE_RATE
    assert 0.2 < np.abs(voice.pcm).max() <= 1
    assert np.abs(voice.pcm[:4000]).max() < 0.01
    assert voice.opening.min() >= 0
    assert voice.opening.max() <= 1
    spectrum = np.abs(np.fft.rfft(voice.pcm)) ** 2
    below = np.searchsorted(np.fft.rfftfreq(len(voice.pcm), 1 / SAMPLE_RATE), 4000)
    assert spectrum[:below].sum() > 0.8 * spectrum.sum()
    # Voiced: the pitch repeats.
    at = int(np.argmax(voice.opening))
    piece = voice.pcm[at - 800 : at + 800].astype(float)
    echo = np.correlate(piece, piece, "full")[len(piece) - 1 :]
    assert echo[60:120].max() > 0.6 * echo[0]


def test_poses_differ_from_rest(clip: Clip) -> None:
    face = AnimatedFace(load_portrait())
    rest = face.draw(Pose(), 128).astype(int)
    assert rest.shape == (128, 128, 3)
    for pose in (Pose(yaw=10), Pose(pitch=6), Pose(roll=5), Pose(blink=1), Pose(mouth=1)):
        assert np.abs(face.draw(pose, 128) - rest).max() > 40
