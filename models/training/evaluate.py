"""Figures of a network on held-out clips, beside those of the frozen keyframe."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from ..avfr.model import Avfr, numbers_to_motion
from ..avfr.perceptual import Lpips
from ..face.gaze import gaze_of, with_irises
from ..face.keypoints import MeshKeypoints
from ..face.landmarks import PointRebuilder
from ..face.mesh import LEFT_EYE, MOUTH, RIGHT_EYE, select_points
from ..face.tessellation import draw_mesh
from ..mel import SAMPLE_RATE, mel_window
from .cache import CachedClip

__all__ = [
    "Figures",
    "animate_clip",
    "boxes_of",
    "evaluate",
    "face_box",
    "generator_inputs",
    "score",
    "shown",
]

_LEAST_SIDE = 64  # AlexNet's features need some pixels

Frames = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]


def face_box(landmarks: npt.NDArray[np.float32], side: int) -> Box:
    """Bounding box of landmarks in pixels, as x0, y0, x1, y1, inside the picture."""
    low = np.clip((landmarks.min(0) + 1) / 2 * side, 0, side - 16).astype(int)
    high = np.clip((landmarks.max(0) + 1) / 2 * side, low + 16, side).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def shown(clip: CachedClip, position: int, side: int) -> Frames:
    """A kept picture at a network's size, uint8 `[side, side, 3]`."""
    picture = np.asarray(clip.frames[position])
    if len(picture) == side:
        return picture
    way = cv2.INTER_AREA if len(picture) > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (side, side), interpolation=way), np.uint8)


def to_tensor(frames: Frames) -> Tensor:
    """uint8 `[N, H, W, 3]` → float `[N, 3, H, W]` on [0, 1]."""
    return torch.tensor(frames).permute(0, 3, 1, 2).float() / 255


class _Numbers:
    """The 60 numbers of the frames of a clip, as a sender makes them for this network."""

    def __init__(self, model: Avfr, clip: CachedClip, device: torch.device) -> None:
        self._model, self._clip, self._device = model, clip, device
        self._mesh = MeshKeypoints(model.face)

    def of(self, position: int) -> npt.NDArray[np.float32]:
        """Numbers of a kept frame, float32 `[10, 6]`; the first frame asked for is the keyframe."""
        detector = self._model.detector
        landmarks = self._clip.landmarks[self._clip.kept[position]]
        if detector is None:
            return self._mesh.motion(landmarks).to_array()
        picture = to_tensor(shown(self._clip, position, self._model.config.size)[None])
        if detector.inputs == 5:
            side = picture.shape[-1]
            mesh = torch.from_numpy(draw_mesh(landmarks, side, side))[None, None]
            mask = torch.tensor(self._clip.mask[self._clip.kept[position]])[None, None].float()
            mask = F.interpolate(mask / 255, size=(side, side), mode="bilinear")
            picture = torch.cat([picture, mesh, mask], 1)
        value, jacobian = detector(picture.to(self._device))
        numbers = torch.cat([value, jacobian.flatten(2)], -1)[0]
        return np.asarray(numbers.cpu().numpy(), np.float32)


Motion = dict[str, Tensor]
Inputs = tuple[Tensor, list[Tensor], Motion, Motion, Tensor]


@torch.no_grad()
def generator_inputs(
    model: Avfr, clip: CachedClip, positions: Sequence[int], device: torch.device
) -> Iterator[Inputs]:
    """Inputs of the generator that animate a clip's first usable frame to the given ones.

    Yields:
        For each position, the arguments of `Generator.forward`, with batch 1.
    """
    first = int(clip.usable[0])
    numbers = _Numbers(model, clip, device)
    source = numbers.of(first)
    points = select_points(clip.landmarks[clip.kept[first]])
    rebuilder = PointRebuilder(model.face)

    def motion(values: npt.NDArray[np.float32], at: npt.NDArray[np.float32], who: int) -> Motion:
        if model.config.gaze:
            at = with_irises(at, gaze_of(clip.landmarks[clip.kept[who]]))
        return numbers_to_motion(
            torch.tensor(values)[None].to(device), torch.tensor(at)[None].to(device)
        )

    picture = to_tensor(shown(clip, first, model.config.size)[None]).to(device)
    still = motion(source, points, first)
    features = model.generator.encode_source(picture, still["points"])
    for position in positions:
        driving = numbers.of(position)
        moved = rebuilder.rebuild(source, points, driving)
        frame = int(clip.kept[position])
        mel = mel_window(clip.mel, round(frame * SAMPLE_RATE / clip.fps))
        sound = torch.from_numpy(mel)[None, None].to(device)
        yield picture, features, still, motion(driving, moved, position), sound


@torch.no_grad()
def animate_clip(
    model: Avfr, clip: CachedClip, positions: Sequence[int], device: torch.device
) -> tuple[Frames, npt.NDArray[np.float32]]:
    """Animate the clip's first usable frame to the given kept frames.

    Returns:
        Pictures of the network's size, uint8 `[N, H, W, 3]`, and flows, float32 `[N, h, w, 2]`,
        which give the place in the source that each pixel shows.
    """
    frames, flows = [], []
    for inputs in generator_inputs(model, clip, positions, device):
        made = model.generator(*inputs)
        image = made["image"].float().clamp(0, 1)[0].permute(1, 2, 0).mul(255).round()
        frames.append(image.byte().cpu().numpy())
        flows.append(made["flow"][0].float().cpu().numpy())
    return np.stack(frames), np.stack(flows)


def _box_of(landmarks: npt.NDArray[np.float32], side: int, margin: float) -> Box:
    """Bounding box of some landmarks with a margin, in pixels of a picture of `side`."""
    spread = margin * np.ptp(landmarks, axis=0)
    return face_box(np.stack([landmarks.min(0) - spread, landmarks.max(0) + spread]), side)


def boxes_of(landmarks: npt.NDArray[np.float32], side: int) -> dict[str, list[Box]]:
    """Places of face, mouth and eyes in a picture; landmarks `[478, 2]` on [-1, 1]."""
    return {
        "face": [face_box(landmarks, side)],
        "mouth": [_box_of(landmarks[list(MOUTH)], side, 0.2)],
        "eyes": [_box_of(landmarks[list(eye)], side, 0.3) for eye in (RIGHT_EYE, LEFT_EYE)],
    }


def _psnr(frame: Frames, truth: Frames, boxes: Sequence[Box]) -> float:
    errors = [
        (frame[y0:y1, x0:x1].astype(np.float64) - truth[y0:y1, x0:x1]) ** 2
        for x0, y0, x1, y1 in boxes
    ]
    return float(10 * np.log10(255**2 / max(float(np.mean([e.mean() for e in errors])), 0.1)))


class Figures:
    """Mean PSNR of face, mouth and eyes, and mean LPIPS (AlexNet) of picture and face."""

    def __init__(self, device: torch.device | None = None) -> None:
        self._lpips = Lpips("alex").to(device or torch.device("cpu"))
        self._device = device
        self._found: dict[str, list[float]] = defaultdict(list)

    @torch.no_grad()
    def add(self, frame: Frames, truth: Frames, landmarks: npt.NDArray[np.float32]) -> None:
        """Add a frame and the true one, both uint8 `[H, W, 3]`, with the true landmarks."""
        boxes = boxes_of(landmarks, len(truth))
        x0, y0, x1, y1 = boxes["face"][0]
        pair = to_tensor(np.stack([frame, truth])).to(self._device)
        box = pair[..., y0:y1, x0:x1]
        if min(box.shape[-2:]) < _LEAST_SIDE:
            box = F.interpolate(box, size=(_LEAST_SIDE, _LEAST_SIDE), mode="bilinear")
        for part, places in boxes.items():
            self._found[f"{part}_psnr"].append(_psnr(frame, truth, places))
        self._found["lpips"].append(float(self._lpips(pair[:1], pair[1:])))
        self._found["face_lpips"].append(float(self._lpips(box[:1], box[1:])))

    def means(self) -> dict[str, float]:
        """Means over all frames that were added."""
        return {name: float(np.mean(values)) for name, values in self._found.items()}


def score(figures: Figures, clip: CachedClip, positions: Sequence[int], made: Frames) -> None:
    """Add pictures `[N, H, W, 3]` made for the given kept frames of a clip."""
    for frame, position in zip(made, positions, strict=True):
        truth = shown(clip, int(position), len(frame))
        figures.add(frame, truth, clip.landmarks[clip.kept[position]])


@torch.no_grad()
def evaluate(
    model: Avfr, clips: Sequence[CachedClip], *, frames_per_clip: int = 6
) -> dict[str, float]:
    """Mean `Figures` of the network, as `net_…`, and of the frozen keyframe, as `frozen_…`."""
    device = next(model.generator.parameters()).device
    network, keyframe = Figures(device), Figures(device)
    for clip in clips:
        usable = clip.usable
        if len(usable) < 2:
            continue
        places = np.linspace(1, len(usable) - 1, frames_per_clip).astype(int)
        chosen = [int(i) for i in usable[places]]
        made, _ = animate_clip(model, clip, chosen, device)
        score(network, clip, chosen, made)
        frozen = shown(clip, int(usable[0]), made.shape[1])
        score(keyframe, clip, chosen, np.broadcast_to(frozen, made.shape))
    both = {"net": network.means(), "frozen": keyframe.means()}
    return {f"{who}_{name}": value for who, means in both.items() for name, value in means.items()}
