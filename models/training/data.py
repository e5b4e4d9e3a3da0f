"""Samples for training: a source picture and several driving frames of the same person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from ...codec.errors import TrainingError
from ...codec.picture.still import decode_picture, encode_picture
from ..face.gaze import gaze_of, with_irises
from ..face.keypoints import MeshKeypoints
from ..face.landmarks import PointRebuilder
from ..face.mesh import mirror_map, openings, select_points
from ..face.table import FaceTable
from ..face.tessellation import draw_mesh
from ..mel import MEL_STEPS, SAMPLE_RATE, SILENCE, mel_window
from .cache import CachedClip

__all__ = ["Augmentation", "Pairs", "collate"]

# How much the openings of eyes and mouth vary in speech.
_SPREAD = np.array([0.08, 0.15], np.float32)

Array = npt.NDArray[np.float32]
Sample = dict[str, npt.NDArray[Any]]
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Augmentation:
    """How samples are varied; source and driving frames change alike, as with a still camera.

    Attributes:
        mirror: probability of a left-right flip.
        scale: largest change of size; 0.1 is a zoom of 0.9 to 1.1.
        shift: largest move, as a part of half the picture's side.
        colour: largest change of the gain of a channel.
        gamma: largest change of the exponent.
        deaf: probability that the sound is left out, since calls without sound must work too.
        live: probability that the sound after the frame is cut off at a random time, as in calls.
        expressive: probability that a driving frame is the one of four whose eyes and mouth differ
            most from the source's; blinks are rare in random frames.
        coded: probability that the source is coded and decoded as a keyframe is, at a quality
            drawn from `qualities`; a receiver never has a clean one.
        qualities: best and worst CRF of AV1.
        gaze_noise: largest error of the gaze of driving frames, as rounding for the wire makes it.
        blind: probability that no gaze is known, as in streams that carry none.
        successive: probability that the second driving frame is the next one after the first,
            where the clip has a picture of it.
        within_s: driving frames are at most so many seconds from the source; 0 for no limit.
    """

    mirror: float = 0.5
    scale: float = 0.12
    shift: float = 0.08
    colour: float = 0.08
    gamma: float = 0.15
    deaf: float = 0.15
    live: float = 0.3
    expressive: float = 0.5
    coded: float = 0.75
    qualities: tuple[int, int] = (20, 50)
    within_s: float = 0.0
    gaze_noise: float = 0.025
    blind: float = 0.1
    successive: float = 0.5


class Pairs(IterableDataset[Sample]):
    """Endless seeded samples from prepared clips; see `sample` for what each holds."""

    def __init__(
        self,
        clips: list[CachedClip],
        table: FaceTable,
        *,
        drivings: int = 3,
        size: int = 256,
        augmentation: Augmentation | None = None,
        person_cap_s: float = 60.0,
        person_least_s: float = 0.0,
        seed: int = 0,
        structural: bool = False,
        gaze: bool = False,
    ) -> None:
        super().__init__()
        self.clips = [clip for clip in clips if len(clip.usable) > 1]
        if not self.clips:
            raise TrainingError("no clip has two frames with a face: nothing to learn from")
        self.table, self.drivings, self.size, self.seed = table, drivings, size, seed
        self.augmentation = augmentation
        self.structural, self.gaze = structural, gaze
        self.rebuilder = PointRebuilder(table)
        self.mirror = mirror_map()
        self.weights = _person_weights(self.clips, person_least_s, person_cap_s)

    def __iter__(self) -> Iterator[Sample]:
        worker = get_worker_info()
        rng = np.random.default_rng((self.seed, worker.id if worker else 0))
        while True:
            yield self.sample(self.clips[rng.choice(len(self.clips), p=self.weights)], rng)

    def sample(self, clip: CachedClip, rng: np.random.Generator) -> Sample:
        """Draw one sample of a clip; arrays of driving frames begin with an axis of `drivings`."""
        usable = clip.usable
        first, *rest = self._choose(clip, usable, rng)
        change = _Change.draw(self.augmentation, rng)
        keypoints = MeshKeypoints(self.table)
        frame, landmarks = self._frame(clip, int(first), change)
        frame = self._coded(frame, rng)
        source = keypoints.keyframe(landmarks).to_array()
        points = select_points(landmarks)
        out: dict[str, list[npt.NDArray[Any]]] = defaultdict(list)
        seen: list[Array] = []
        ahead = self._look_ahead(rng)
        for position in rest:
            picture, marks = self._frame(clip, int(position), change)
            out["picture"].append(picture)
            seen.append(marks)
            out["driving"].append(keypoints.motion(marks).to_array())
            out["true_points"].append(select_points(marks))
            out["mel"].append(_mel(clip, int(clip.kept[position]), ahead)[None])
            if self.structural:
                out["prior"].append(self._prior(clip, int(position), change))
        sample = {name: np.stack(values) for name, values in out.items()}
        shape = (self.drivings, *source.shape)
        sample["points"] = self.rebuilder.rebuild(
            np.broadcast_to(source, shape),
            np.broadcast_to(points, (self.drivings, *points.shape)),
            sample["driving"],
        )
        sample["follows"] = np.array(
            self.drivings > 1
            and int(rest[1]) == int(rest[0]) + 1
            and clip.kept[rest[1]] == clip.kept[rest[0]] + 1
        )
        if self.gaze:
            gazes = gaze_of(np.stack(seen))
            sample["true_points"] = with_irises(sample["true_points"], gazes)
            told, own = self._rounded(gazes, rng), gaze_of(landmarks)
            if self.augmentation is not None and rng.random() < self.augmentation.blind:
                told, own = np.zeros_like(told), np.zeros_like(own)
            sample["points"] = with_irises(sample["points"], told)
            points = with_irises(points, own)
        sample |= {"source_picture": frame, "source": source, "source_points": points}
        if self.structural:
            sample["source_prior"] = self._prior(clip, int(first), change)
        return sample

    def _rounded(self, gazes: Array, rng: np.random.Generator) -> Array:
        noise = self.augmentation.gaze_noise if self.augmentation else 0.0
        return np.asarray(gazes + rng.uniform(-noise, noise, gazes.shape), np.float32)

    def _choose(
        self, clip: CachedClip, usable: npt.NDArray[np.int64], rng: np.random.Generator
    ) -> list[int]:
        """Positions of the source and of the driving frames."""
        first = int(rng.choice(usable))
        chosen = [first]
        if self.augmentation is not None and self.augmentation.within_s > 0:
            away = np.abs(clip.kept[usable] - clip.kept[first])
            usable = usable[away <= self.augmentation.within_s * clip.fps]
        for _ in range(self.drivings):
            few = self.augmentation is None or rng.random() >= self.augmentation.expressive
            candidates = rng.choice(usable, size=1 if few else 4)
            if not few:
                frames = clip.landmarks[clip.kept[np.append(candidates, first)]]
                states = openings(frames)
                score = (np.abs(states[:-1] - states[-1]) / _SPREAD).sum(-1)
                candidates = candidates[score.argmax()][None]
            chosen.append(int(candidates[0]))
        if self.drivings > 1 and self.augmentation is not None:
            after = chosen[1] + 1
            if rng.random() < self.augmentation.successive and after in usable:
                chosen[2] = after
        return chosen

    def _frame(self, clip: CachedClip, position: int, change: _Change) -> tuple[Picture, Array]:
        picture = np.asarray(clip.frames[position])
        landmarks = clip.landmarks[clip.kept[position]]
        picture = change.picture(picture, self.size)
        landmarks = change.points(landmarks)
        if change.mirror:
            landmarks = landmarks[self.mirror]
        return picture, landmarks

    def _coded(self, picture: Picture, rng: np.random.Generator) -> Picture:
        """The source as a receiver has it, coded and decoded: uint8 `[3, H, W]`."""
        a = self.augmentation
        if a is None or rng.random() >= a.coded:
            return picture
        quality = int(rng.integers(a.qualities[0], a.qualities[1] + 1))
        rgb = np.ascontiguousarray(picture.transpose(1, 2, 0))
        seen = decode_picture(encode_picture(rgb, quality=quality))
        return np.ascontiguousarray(seen.transpose(2, 0, 1))

    def _prior(self, clip: CachedClip, position: int, change: _Change) -> Array:
        """Mesh and person mask, float32 `[2, size, size]`, as `models.avfr.priors` makes them."""
        mask = change.plain(clip.mask[clip.kept[position]], clip.mask.shape[-1])
        mask = np.asarray(cv2.resize(mask, (self.size, self.size)), np.uint8)
        person = mask.astype(np.float32) / np.float32(255)
        # The mirrored landmarks keep their names here, since the drawing has to fit the picture.
        landmarks = change.points(clip.landmarks[clip.kept[position]])
        return np.stack([draw_mesh(landmarks, self.size, self.size), person])

    def _look_ahead(self, rng: np.random.Generator) -> int | None:
        """Milliseconds of sound after the frame that are known, or None where none is known."""
        if self.augmentation is not None:
            if rng.random() < self.augmentation.deaf:
                return None
            if rng.random() < self.augmentation.live:
                return 10 * int(rng.integers(0, 10))
        return 100


def _mel(clip: CachedClip, frame: int, ahead: int | None) -> Array:
    if ahead is None:
        return np.full((80, MEL_STEPS), SILENCE, np.float32)
    return mel_window(clip.mel, round(frame * SAMPLE_RATE / clip.fps), ahead)


@dataclass(frozen=True)
class _Change:
    """An augmentation, drawn at random."""

    mirror: bool = False
    zoom: float = 1.0
    move: tuple[float, float] = (0.0, 0.0)
    table: npt.NDArray[np.uint8] | None = None

    @classmethod
    def draw(cls, augmentation: Augmentation | None, rng: np.random.Generator) -> _Change:
        if augmentation is None:
            return cls()
        a = augmentation
        level = np.linspace(0, 1, 256)[:, None] ** (1 + rng.uniform(-a.gamma, a.gamma))
        gain = 1 + rng.uniform(-a.colour, a.colour, 3)
        table = np.clip(255 * level * gain, 0, 255).round().astype(np.uint8)
        shift = rng.uniform(-a.shift, a.shift, 2)
        return cls(
            bool(rng.random() < a.mirror),
            1 + rng.uniform(-a.scale, a.scale),
            (float(shift[0]), float(shift[1])),
            table,
        )

    def plain(self, picture: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
        """Mirror, zoom and move a picture, without changing its colours."""
        side = picture.shape[0]
        if self.mirror:
            picture = picture[:, ::-1]
        if self.zoom == 1.0 and self.move == (0.0, 0.0) and side == size:
            return picture
        # In coordinates on [-1, 1]: x' = zoom x + move.
        scale = self.zoom * size / side
        x, y = ((1 - self.zoom + m) * size / 2 - 0.5 + 0.5 * scale for m in self.move)
        matrix = np.array([[scale, 0, x], [0, scale, y]])
        warped = cv2.warpAffine(
            np.ascontiguousarray(picture),
            matrix,
            (size, size),
            flags=cv2.INTER_AREA if scale < 0.6 else cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(warped, np.uint8)

    def picture(self, picture: npt.NDArray[np.uint8], size: int) -> Picture:
        """Change geometry and colours: uint8 `[H, W, 3]` → uint8 `[3, size, size]`."""
        picture = self.plain(picture, size)
        if self.table is not None:
            picture = np.stack([self.table[picture[..., c], c] for c in range(3)])
        else:
            picture = picture.transpose(2, 0, 1)
        return np.ascontiguousarray(picture)

    def points(self, landmarks: Array) -> Array:
        x = landmarks * np.array([-1 if self.mirror else 1, 1], np.float32)
        return np.asarray(x * self.zoom + np.array(self.move), np.float32)


def _person_weights(
    clips: list[CachedClip], least_s: float, cap_s: float
) -> npt.NDArray[np.float64]:
    """Probability of each clip: its seconds, scaled so that each person lies within the bounds."""
    seconds = np.array([len(clip.landmarks) / clip.fps for clip in clips])
    total: dict[str, float] = defaultdict(float)
    for clip, length in zip(clips, seconds, strict=True):
        total[clip.identity] += length
    weight = np.array(
        [
            length * min(max(total[clip.identity], least_s), cap_s) / total[clip.identity]
            for clip, length in zip(clips, seconds, strict=True)
        ]
    )
    return np.asarray(weight / weight.sum())


def collate(samples: list[Sample]) -> dict[str, Tensor]:
    """Stack samples to a batch; pictures stay uint8 until they are on the device."""
    return {
        name: torch.from_numpy(np.stack([sample[name] for sample in samples]))
        for name in samples[0]
    }
