"""Held-out figures while training: face box against the frozen keyframe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from ..avfr.model import Avfr, numbers_to_motion
from ..avfr.perceptual import Lpips
from ..keypoints import MeshKeypoints
from ..landmarks import PointRebuilder
from ..mel import SAMPLE_RATE, mel_window
from ..mesh import select_points
from ..tessellation import draw_mesh
from .cache import CachedClip

__all__ = ["animate_clip", "evaluate", "face_box", "generator_inputs"]

Frames = npt.NDArray[np.uint8]


def face_box(landmarks: npt.NDArray[np.float32], side: int) -> tuple[int, int, int, int]:
    """Bounding box of the mesh in pixels, x0, y0, x1, y1, inside the picture."""
    low = np.clip((landmarks.min(0) + 1) / 2 * side, 0, side - 16).astype(int)
    high = np.clip((landmarks.max(0) + 1) / 2 * side, low + 16, side).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def to_tensor(frames: Frames) -> Tensor:
    """uint8 `[N, H, W, 3]` → float `[N, 3, H, W]` on [0, 1]."""
    return torch.tensor(frames).permute(0, 3, 1, 2).float() / 255


class _Numbers:
    """The 60 numbers of a clip's frames, as the sender would make them for this network."""

    def __init__(self, model: Avfr, clip: CachedClip, device: torch.device) -> None:
        self._model, self._clip, self._device = model, clip, device
        self._mesh = MeshKeypoints(model.face)

    def of(self, position: int) -> npt.NDArray[np.float32]:
        """Float32 `[10, 6]` of a kept frame; the first one asked for is the keyframe."""
        detector = self._model.detector
        landmarks = self._clip.landmarks[self._clip.kept[position]]
        if detector is None:
            return self._mesh.motion(landmarks).to_array()
        picture = to_tensor(self._clip.frames[position : position + 1])
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
    """What the generator is given to animate the clip's first usable frame to the given ones.

    Yields:
        For each position, the arguments of `Generator.forward`, batch 1.
    """
    first = int(clip.usable[0])
    numbers = _Numbers(model, clip, device)
    source = numbers.of(first)
    points = select_points(clip.landmarks[clip.kept[first]])
    rebuilder = PointRebuilder(model.face)

    def motion(values: npt.NDArray[np.float32], at: npt.NDArray[np.float32]) -> Motion:
        return numbers_to_motion(
            torch.tensor(values)[None].to(device), torch.tensor(at)[None].to(device)
        )

    picture = to_tensor(clip.frames[first : first + 1]).to(device)
    still = motion(source, points)
    features = model.generator.encode_source(picture, still["points"])
    for position in positions:
        driving = numbers.of(position)
        moved = rebuilder.rebuild(source, points, driving)
        frame = int(clip.kept[position])
        mel = mel_window(clip.mel, round(frame * SAMPLE_RATE / clip.fps))
        sound = torch.from_numpy(mel)[None, None].to(device)
        yield picture, features, still, motion(driving, moved), sound


@torch.no_grad()
def animate_clip(
    model: Avfr, clip: CachedClip, positions: Sequence[int], device: torch.device
) -> tuple[Frames, npt.NDArray[np.float32]]:
    """Animate the clip's first usable frame to the given kept frames.

    Returns:
        Pictures, uint8 `[N, H, W, 3]`, and flows, float32 `[N, h, w, 2]`: where in the source
        each pixel comes from.
    """
    frames, flows = [], []
    for inputs in generator_inputs(model, clip, positions, device):
        made = model.generator(*inputs)
        image = made["image"].float().clamp(0, 1)[0].permute(1, 2, 0).mul(255).round()
        frames.append(image.byte().cpu().numpy())
        flows.append(made["flow"][0].float().cpu().numpy())
    return np.stack(frames), np.stack(flows)


@torch.no_grad()
def evaluate(
    model: Avfr, clips: Sequence[CachedClip], *, frames_per_clip: int = 6
) -> dict[str, float]:
    """Mean face-box PSNR (dB) and LPIPS-Alex of the network and of the frozen keyframe."""
    device = next(model.generator.parameters()).device
    lpips = Lpips("alex").to(device)
    sums: dict[str, list[float]] = {}
    for clip in clips:
        usable = clip.usable
        if len(usable) < 2:
            continue
        chosen = usable[np.linspace(1, len(usable) - 1, frames_per_clip).astype(int)]
        made, _ = animate_clip(model, clip, [int(i) for i in chosen], device)
        frozen = np.repeat(clip.frames[usable[0]][None], len(chosen), 0)
        for index, position in enumerate(chosen):
            x0, y0, x1, y1 = face_box(clip.landmarks[clip.kept[position]], made.shape[1])
            truth = np.asarray(clip.frames[position])
            for name, frame in (("net", made[index]), ("frozen", frozen[index])):
                error = frame[y0:y1, x0:x1].astype(np.float64) - truth[y0:y1, x0:x1]
                psnr = 10 * np.log10(255**2 / max(float((error**2).mean()), 0.1))
                pair = to_tensor(np.stack([frame, truth])).to(device)
                box = pair[..., y0:y1, x0:x1]
                sums.setdefault(f"{name}_face_psnr", []).append(psnr)
                sums.setdefault(f"{name}_lpips", []).append(float(lpips(pair[:1], pair[1:])))
                sums.setdefault(f"{name}_face_lpips", []).append(float(lpips(box[:1], box[1:])))
    return {name: float(np.mean(values)) for name, values in sums.items()}
