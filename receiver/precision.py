"""Which arithmetic runs a network on this processor: chosen at start by a short self-test.

bf16 and int8 are tried where they can be had, float32 always can. bf16 goes first, since its
picture is float32's within a level; int8 is for processors that do not multiply in bf16. Neither
is taken where it is slower than float32, as where the processor only imitates it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, get_args

import numpy as np

from ..codec.errors import ConfigError
from ..codec.motion import MotionFrame
from ..models.mesh import POINTS
from ..models.weights.graph import GRAPHS_FILE, graph_parts
from .openvino_generator import OpenVinoGenerator
from .output import Precision

if TYPE_CHECKING:
    from ..models.weights import Card

__all__ = ["PRECISIONS", "capabilities", "choose", "frame_times", "missing", "require"]

PRECISIONS: tuple[Precision, ...] = tuple(p for p in get_args(Precision) if p != "auto")
"""What a network can run in, the preferred first."""

_WARM, _TIMED = 2, 6


def capabilities() -> list[str]:
    """What OpenVINO says that the processor multiplies in: `FP32`, `BF16`, `INT8`, …"""
    import openvino as ov

    return [str(name) for name in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")]


def missing(card: Card, precision: Precision) -> str | None:
    """Why a network cannot run in a precision here; None where it can."""
    if precision == "bf16" and "BF16" not in capabilities():
        return "this processor does not multiply in bf16"
    if precision == "int8" and "frame_int8" not in graph_parts(card):
        return (
            f"{card.folder / GRAPHS_FILE} holds no int8 graph: "
            f"`facewire export {card.folder} --calibrate CACHE` adds it"
        )
    return None


def require(card: Card, precision: Precision) -> None:
    """Raise a `ConfigError` with the reason where a precision cannot be had."""
    reason = missing(card, precision)
    if reason:
        raise ConfigError(f"{card.name} cannot run in {precision}: {reason}")


def choose(card: Card, threads: int | None = None) -> Precision:
    """The precision for a network on this machine; tested once a process.

    Raises:
        WeightsError: the exported files are missing or damaged.
    """
    return _chosen(_Network(card.sha256, tuple(graph_parts(card)), threads, card))


@dataclass(frozen=True)
class _Network:
    """What a choice depends on, and the card to make it with."""

    sha256: bytes
    parts: tuple[str, ...]
    threads: int | None
    card: Card = field(compare=False)


@lru_cache(maxsize=64)
def _chosen(network: _Network) -> Precision:
    card = network.card
    wanted: list[Precision] = [p for p in PRECISIONS if missing(card, p) is None]
    if "bf16" in wanted and "int8" in wanted:
        wanted.remove("int8")
    if len(wanted) == 1:
        return wanted[0]
    times = frame_times(card, wanted, network.threads)
    return min(wanted, key=lambda precision: times[precision])


def frame_times(
    card: Card, precisions: Sequence[Precision], threads: int | None = None
) -> dict[Precision, float]:
    """Seconds a frame in each precision: the best of a handful, run in turns.

    Whatever else the machine does then slows them alike, and the best is the least disturbed.
    """
    rng = np.random.default_rng(0)
    size = int(card.config["size"])
    eye = np.broadcast_to(np.eye(2, dtype=np.float32), (10, 2, 2))
    motion = MotionFrame(rng.uniform(-0.4, 0.4, (10, 2)).astype(np.float32), eye)
    points = rng.uniform(-0.5, 0.5, (len(POINTS), 2)).astype(np.float32)
    picture = rng.integers(0, 256, (size, size, 3), np.uint8)
    runs = []
    for precision in precisions:
        generator = OpenVinoGenerator(card, threads, precision)
        runs.append((generator.render, generator.set_source(picture, motion, points)))
    spent = np.empty((_WARM + _TIMED, len(runs)))
    for turn in range(_WARM + _TIMED):
        for index, (render, source) in enumerate(runs):
            start = time.perf_counter()
            render(source, motion, None)
            spent[turn, index] = time.perf_counter() - start
    return dict(zip(precisions, spent[_WARM:].min(0).tolist(), strict=True))
