"""Pictures of a run's progress: source, driving, output, flow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from ..avfr.model import Avfr
from .cache import CachedClip
from .evaluate import animate_clip

__all__ = ["contact_sheet"]


def contact_sheet(model: Avfr, clips: Sequence[CachedClip], rows: int = 6) -> Image.Image:
    """One row a clip: source, then two driving frames, each with what the network made of it."""
    device = next(model.generator.parameters()).device
    lines = []
    step = max(1, len(clips) // rows)
    for clip in list(clips)[::step][:rows]:
        usable = clip.usable
        if len(usable) < 3:
            continue
        chosen = [int(usable[len(usable) // 2]), int(usable[-1])]
        made = animate_clip(model, clip, chosen, device)
        cells = [np.asarray(clip.frames[usable[0]])]
        for picture, position in zip(made, chosen, strict=True):
            cells += [np.asarray(clip.frames[position]), picture]
        lines.append(np.concatenate(cells, 1))
    if not lines:
        return Image.new("RGB", (256, 256))
    return Image.fromarray(np.concatenate(lines, 0))
