"""Pictures that show the progress of a run: source, driving frame, output and flow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..avfr.model import Avfr
from .cache import CachedClip
from .evaluate import animate_clip, shown

__all__ = ["contact_sheet", "draw_flow"]


def contact_sheet(model: Avfr, clips: Sequence[CachedClip], rows: int = 6) -> Image.Image:
    """One row for each clip: the source, then driving frame, output and flow for two frames."""
    device = next(model.generator.parameters()).device
    lines = []
    step = max(1, len(clips) // rows)
    for clip in list(clips)[::step][:rows]:
        usable = clip.usable
        if len(usable) < 3:
            continue
        chosen = [int(usable[len(usable) // 2]), int(usable[-1])]
        made, flows = animate_clip(model, clip, chosen, device)
        cells = [shown(clip, int(usable[0]), model.config.size)]
        for picture, flow, position in zip(made, flows, chosen, strict=True):
            cells += [shown(clip, position, len(picture)), picture, draw_flow(flow, len(picture))]
        lines.append(np.concatenate(cells, 1))
    if not lines:
        return Image.new("RGB", (256, 256))
    return Image.fromarray(np.concatenate(lines, 0))


def draw_flow(flow: npt.NDArray[np.float32], side: int) -> npt.NDArray[np.uint8]:
    """Flow `[h, h, 2]` as colours `[side, side, 3]`: the hue is the direction, white stands still.

    A move by a quarter of the picture's side has full colour.
    """
    line = (np.arange(len(flow)) * 2 + 1) / len(flow) - 1
    shift = flow - np.stack(np.meshgrid(line, line), -1)
    angle = np.arctan2(shift[..., 1], shift[..., 0])[..., None]
    strength = np.clip(np.linalg.norm(shift, axis=-1)[..., None] / 0.5, 0, 1)
    hues = 0.5 + 0.5 * np.cos(angle - np.array([0, 2, 4]) * np.pi / 3)
    colours = np.round(255 * (1 - strength * (1 - hues))).astype(np.uint8)
    return np.asarray(Image.fromarray(colours).resize((side, side)), np.uint8)
