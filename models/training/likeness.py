"""`Likeness`: how far a made face is from the true one, by a network that tells people apart."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...codec.errors import TrainingError
from ..avfr.geometry import exact, grid, similarity_map
from ..face.gaze import EYE_CORNERS
from ..face.mesh import POINTS

__all__ = ["Likeness"]

_SIDE = 112
# Where ArcFace (arXiv 1801.07698) and its successors have eyes, nose and corners of the mouth, in
# pixels of a picture of 112.
_TEMPLATE = ((38.29, 51.70), (73.53, 51.50), (56.03, 71.74), (41.55, 92.37), (70.73, 92.20))
_NOSE, _MOUTH = POINTS.index(4), (POINTS.index(61), POINTS.index(291))


class Likeness(nn.Module):
    """Measures how far two faces are apart: 1 minus the cosine of their embeddings, on [0, 2].

    Args:
        path: a face recognition network as TorchScript. It maps upright faces, float32
            `[B, 3, 112, 112]` on [0, 1] with eyes, nose and mouth where ArcFace has them, to
            embeddings `[B, N]`. dlib's, which measures the identity of results (`aed`), should not
            be used here: a figure that was trained for says little.

    Raises:
        TrainingError: the file is not such a network.
    """

    template: Tensor

    def __init__(self, path: Path) -> None:
        super().__init__()
        try:
            network = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
            self.network = network.eval()
            with torch.no_grad():
                shape = tuple(self.network(torch.rand(2, 3, _SIDE, _SIDE)).shape)
        except (OSError, RuntimeError, ValueError, AttributeError) as error:
            raise TrainingError(
                f"{path} is not a face recognition network in TorchScript for pictures "
                f"[B, 3, {_SIDE}, {_SIDE}] ({type(error).__name__})"
            ) from error
        if len(shape) != 2 or shape[0] != 2:
            raise TrainingError(
                f"{path} gives {list(shape)} for two faces, where embeddings [2, N] are needed"
            )
        for parameter in self.network.parameters():
            parameter.requires_grad_(False)
        template = torch.tensor(_TEMPLATE) * 2 / _SIDE - 1
        self.register_buffer("template", template[None], persistent=False)

    def forward(self, made: Tensor, truth: Tensor, points: Tensor) -> Tensor:
        """Distances `[B]` of pictures `[B, 3, H, W]` on [0, 1]. `points` `[B, P, 2]` on [-1, 1] are
        the landmarks of the true faces, and serve for both pictures.
        """
        places = self._upright(points)
        with exact(made):
            embeddings = [self._embed(picture.float(), places) for picture in (made, truth)]
        return 1 - F.cosine_similarity(embeddings[0], embeddings[1])

    def _upright(self, points: Tensor) -> Tensor:
        """Where each pixel of the upright faces lies in their pictures: `[B, 112, 112, 2]`."""
        eyes = [points[:, list(corners)].mean(1) for corners in EYE_CORNERS]
        five = [*eyes, points[:, _NOSE], *(points[:, at] for at in _MOUTH)]
        found = torch.stack(five, 1)
        maps = similarity_map(found, self.template.expand_as(found))[:, 0]
        z = grid(_SIDE, points)
        return (z @ maps[:, None, :, :2].transpose(-1, -2)) + maps[:, None, None, :, 2]

    def _embed(self, picture: Tensor, places: Tensor) -> Tensor:
        # Pictures are larger than 112 pixels, so what is taken from them is blurred a little first.
        picture = F.avg_pool2d(picture, 2) if picture.shape[-1] >= 2 * _SIDE else picture
        face = F.grid_sample(picture, places, padding_mode="border", align_corners=False)
        embedding: Tensor = self.network(face.clamp(0, 1))
        return embedding
