"""`Avfr`: detector, generator and face table as one module, which can be saved and loaded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ...codec.errors import WeightsError
from ...codec.whole_file import whole_path
from ..face.landmarks import PointRebuilder
from ..face.table import FaceTable
from ..weights.store import WEIGHTS_FILE, load_card
from .config import AvfrConfig
from .detector import KeypointDetector
from .generator import Generator

__all__ = ["Avfr", "numbers_to_motion"]


def numbers_to_motion(numbers: Tensor, points: Tensor) -> dict[str, Tensor]:
    """Inputs of the generator from the 60 numbers `[B, 10, 6]` and the points `[B, P, 2]`."""
    jacobian = numbers[..., 2:].reshape(*numbers.shape[:-1], 2, 2)
    return {"value": numbers[..., :2], "jacobian": jacobian, "points": points}


class Avfr(nn.Module):
    """All that one file of weights holds."""

    def __init__(self, config: AvfrConfig, face: FaceTable | None = None) -> None:
        super().__init__()
        self.config = config
        self.generator = Generator(config)
        self.detector: KeypointDetector | None = None
        if config.keypoint_mode != "mesh":
            self.detector = KeypointDetector(config)
        self.face = face or FaceTable.blank()

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Animate a batch of `training.data.Pairs`, for training; frames become `[B * D, …]`."""
        drivings = batch["picture"].shape[1]
        picture = batch["source_picture"]
        flat = {k: batch[k].flatten(0, 1) for k in ("picture", "driving", "points", "mel")}
        # A teacher may know fewer points than the network that imitates it.
        source_points = batch["source_points"][:, : self.config.points]
        flat["points"] = flat["points"][:, : self.config.points]
        source_numbers, driving_numbers = batch["source"], flat["driving"]
        extra: dict[str, Tensor] = {}
        if self.detector is not None:
            extra = self._detect(self.detector, batch)
            source_numbers = extra["source"]
            driving_numbers = extra["driving"]
            flat["points"] = self._rebuilt(batch, source_numbers, driving_numbers)
        features = self.generator.encode_source(picture, source_points)
        repeat = [x.repeat_interleave(drivings, 0) for x in features]
        source = numbers_to_motion(source_numbers, source_points)
        source = {name: value.repeat_interleave(drivings, 0) for name, value in source.items()}
        driving = numbers_to_motion(driving_numbers, flat["points"])
        result: dict[str, Tensor] = self.generator(
            picture.repeat_interleave(drivings, 0), repeat, source, driving, flat["mel"]
        )
        detected = {f"detected_{name}": value for name, value in extra.items()}
        return {**result, **detected, "target": flat["picture"]}

    @torch.no_grad()
    def _rebuilt(self, batch: dict[str, Tensor], source: Tensor, driving: Tensor) -> Tensor:
        """Driving landmarks, rebuilt from the detector's numbers as the receiver does it."""
        count = len(driving) // len(source)
        points = PointRebuilder(self.face).rebuild(
            source.repeat_interleave(count, 0).float().cpu().numpy(),
            batch["source_points"].repeat_interleave(count, 0).cpu().numpy(),
            driving.float().cpu().numpy(),
        )
        return torch.from_numpy(points).to(driving.device)

    def _detect(self, detector: KeypointDetector, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        drivings = batch["picture"].shape[1]
        pictures = torch.cat([batch["source_picture"], batch["picture"].flatten(0, 1)])
        if detector.inputs == 5:
            priors = torch.cat([batch["source_prior"], batch["prior"].flatten(0, 1)])
            pictures = torch.cat([pictures, priors], 1)
        value, jacobian = detector(pictures)
        numbers = torch.cat([value, jacobian.flatten(2)], -1)
        count = len(numbers) // (1 + drivings)
        return {
            "source": numbers[:count],
            "driving": numbers[count:],
            "inputs": pictures,
            "value": value,
            "jacobian": jacobian,
        }

    def save_pretrained(self, folder: Path, *, half: bool = True) -> Path:
        """Write `model.safetensors` into a folder, in FP16 if `half`; returns its path."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            name: (value.half() if half and value.is_floating_point() else value).contiguous()
            for name, value in self.state_dict().items()
        }
        for name in FaceTable.NAMES:
            table = torch.from_numpy(np.ascontiguousarray(getattr(self.face, name)))
            state[f"face.{name}"] = table.half() if half and name == "ridge" else table
        path = folder / WEIGHTS_FILE
        with whole_path(path, overwrite=True) as draft:
            save_file(state, draft, metadata={"config": json.dumps(self.config.to_dict())})
        return path

    @classmethod
    def from_pretrained(cls, size_or_folder: str | Path = "s") -> Avfr:
        """Load a size that facewire brings, or a folder, in float32 and ready to run.

        Raises:
            WeightsError: the weights are missing or damaged, or do not fit their configuration.
        """
        card = load_card(size_or_folder)
        try:
            state = load_file(card.weights)
            model = cls(AvfrConfig.from_dict(card.config), card.face_table())
            own = {name: value.float() for name, value in state.items() if name[:5] != "face."}
            model.load_state_dict(own)
        except (RuntimeError, SafetensorError, ValueError) as error:
            raise WeightsError(f"{card.weights} does not fit its configuration: {error}") from error
        return model.eval()
