"""Every metric's label, unit, direction and definition, from `catalogue.toml`."""

from __future__ import annotations

import tomllib
from pathlib import Path

from ..results.schema import MetricInfo

__all__ = ["METRICS"]


def _metrics() -> dict[str, MetricInfo]:
    data = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    boxes: dict[str, list[str]] = {
        name: about.pop("boxes", []) for name, about in data["metric"].items()
    }
    found = {name: MetricInfo(**about) for name, about in data["metric"].items()}
    in_boxes = {
        f"{box}_{name}": MetricInfo(
            f"{found[name].label}, {box}",
            found[name].unit,
            found[name].higher_is_better,
            f"{found[name].definition}; {where}",
        )
        for box, where in data["boxes"].items()
        for name in ("psnr", "ssim", "lpips", "lpips_vgg", "dists")
        if box in boxes[name]
    }
    order = list(found)
    at = order.index("lmd")  # the boxes come behind the whole pictures
    return (
        {name: found[name] for name in order[:at]}
        | in_boxes
        | {name: found[name] for name in order[at:]}
    )


METRICS = _metrics()
"""In the order in which reports list them."""
