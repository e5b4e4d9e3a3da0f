"""The clip of `facewire demo`, made from one portrait that speaks, turns its head and blinks."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np

from ...codec.sound.opus import SAMPLE_RATE
from ...receiver.files.writer import VideoWriter
from .face import AnimatedFace, Pose, load_portrait
from .voice import Voice, make_voice

__all__ = ["make_demo_clip", "poses"]


def make_demo_clip(
    path: str | Path,
    seconds: float = 8.0,
    fps: int = 25,
    size: int = 256,
    seed: int = 1,
    *,
    overwrite: bool = False,
) -> Path:
    """Write the clip, in H.264 and AAC.

    Args:
        path: the file to write, ending in .mp4.
        seconds: its length; at least one frame is written.
        fps: frames a second.
        size: side of the square picture in pixels, even.
        seed: of the speech and the movement; the same seed gives the same clip.
        overwrite: replace a file that exists.

    Returns:
        The path.

    Raises:
        OutputExistsError: the file exists, and `overwrite` is false.
        MissingExtraError: OpenCV or matplotlib is not installed.
        WeightsError: the tracker's model is missing.
    """
    path = Path(path)
    frames = max(1, round(seconds * fps))
    rng = np.random.default_rng(seed)
    voice = make_voice(frames / fps, rng)
    face = AnimatedFace(load_portrait())
    rate = Fraction(fps)
    with VideoWriter(path, (size, size), rate, 1 / rate, sound=True, overwrite=overwrite) as writer:
        for index, pose in enumerate(poses(voice, frames, fps, rng)):
            start = index * SAMPLE_RATE // fps
            writer.picture(face.draw(pose, size), index / rate)
            end = (index + 1) * SAMPLE_RATE // fps
            writer.sound(voice.pcm[start:end], Fraction(start, SAMPLE_RATE))
    return path


def poses(voice: Voice, frames: int, fps: int, rng: np.random.Generator) -> list[Pose]:
    """A pose for each frame: at rest in the first one, then with the mouth opened by the voice."""
    blinks = _blink_times(frames / fps, rng)
    result = []
    for index in range(frames):
        time = index / fps
        warm = min(1.0, time / 0.6)
        at = min(round(time * SAMPLE_RATE), len(voice.opening) - 1)
        result.append(
            Pose(
                yaw=warm * (20 * math.sin(1.25 * time) + 6 * math.sin(2.9 * time)),
                pitch=warm * (6 * math.sin(1.7 * time + 0.4) - 2 * math.sin(4.1 * time)),
                roll=warm * 4 * math.sin(1.05 * time + 2),
                blink=max((_blink(time - start) for start in blinks), default=0.0),
                mouth=float(voice.opening[at]),
            )
        )
    return result


def _blink_times(seconds: float, rng: np.random.Generator) -> list[float]:
    times, at = [], 0.7
    while at < seconds:
        times.append(at)
        at += float(rng.uniform(1.1, 2.4))
    return times


def _blink(time: float) -> float:
    """How far the eyes are shut: they close within 80 ms, stay shut for 80 and open within 120."""
    if time < 0.08:
        return max(0.0, time / 0.08)
    return max(0.0, min(1.0, 1 - (time - 0.16) / 0.12))
