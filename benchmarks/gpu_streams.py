"""How many callers a GPU serves: milliseconds a step, and streams at 25 fps, by batch size.

    python benchmarks/gpu_streams.py                     size s, bf16, CUDA graph, batches 1 to 64
    python benchmarks/gpu_streams.py --weights l --json  another size, as JSON

A step renders one frame for each caller, from keypoints and sound in memory to pictures in memory,
with landmarks and the copies to and from the GPU. The number of streams is the batch size times the
number of steps that fit into 40 ms, one after another, at the p95 of a step, so that few frames are
late.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

import numpy as np

from facewire.codec.errors import FacewireError
from facewire.codec.motion.frame import MotionFrame
from facewire.models.face.mesh import POINTS
from facewire.models.weights import load_card

FPS = 25


def main(argv: list[str] | None = None) -> int:
    """Measure and print; returns exit code 1 if there is no GPU."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", metavar="SIZE|DIR", default="s")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64])
    parser.add_argument("--steps", type=int, default=200, help="timed, a batch size")
    parser.add_argument("--float32", action="store_true", help="no bf16")
    parser.add_argument("--no-graph", action="store_true", help="no CUDA graph")
    parser.add_argument("--cpu", action="store_true", help="on the CPU, to try the script")
    parser.add_argument("--json", action="store_true", help="for machines: one JSON object")
    args = parser.parse_args(argv)
    try:
        import torch
    except ImportError:
        print("gpu_streams: needs torch: pip install '.[torch]'", file=sys.stderr)
        return 1
    if not args.cpu and not torch.cuda.is_available():
        print("gpu_streams: torch finds no GPU here; --cpu tries the script", file=sys.stderr)
        return 1
    device = torch.device("cpu" if args.cpu else "cuda")
    settings = {
        "device": "cpu" if args.cpu else torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "model": load_card(args.weights).name,
        "bf16": not (args.float32 or args.cpu),
        "graph": not (args.no_graph or args.cpu),
    }
    try:
        rows = [measure(args, device, settings, batch) for batch in args.batches]
    except FacewireError as error:
        print(f"gpu_streams: {error}", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps(settings | {"batches": rows}, indent=2))
        return 0
    print(", ".join(f"{name} {value}" for name, value in settings.items()))
    print(f"{'callers':>8}{'p50 ms':>10}{'p95 ms':>10}{'frames/s':>11}{'streams':>9}")
    for row in rows:
        print(
            f"{row['callers']:>8}{row['p50_ms']:>10.2f}{row['p95_ms']:>10.2f}"
            f"{row['fps']:>11.0f}{row['streams']:>9}"
        )
    return 0


def measure(args: Any, device: Any, settings: dict[str, Any], callers: int) -> dict[str, Any]:
    """Measure one batch size."""
    from facewire.receiver.generators.batch import BatchGenerator, Request

    batch = BatchGenerator(
        load_card(args.weights),
        callers,
        device=device,
        bf16=settings["bf16"],
        graph=settings["graph"],
    )
    rng = np.random.default_rng(0)
    eye = np.broadcast_to(np.eye(2, dtype=np.float32), (10, 2, 2))
    size = int(load_card(args.weights).config["size"])
    sources, motions = [], []
    for _ in range(callers):
        value = rng.uniform(-0.4, 0.4, (10, 2)).astype(np.float32)
        points = rng.uniform(-0.5, 0.5, (len(POINTS), 2)).astype(np.float32)
        picture = rng.integers(0, 256, (size, size, 3), np.uint8)
        sources.append(batch.set_source(picture, MotionFrame(value, eye), points))
        motions.append(MotionFrame(value + np.float32(0.02), eye))
    mel = np.zeros((80, 20), np.float32)
    requests = [Request(*pair, mel) for pair in zip(sources, motions, strict=True)]
    warm = max(1, args.steps // 10)
    spent = []
    for _ in range(warm + args.steps):
        start = time.perf_counter()
        batch.render(requests)  # ends with the pictures in the CPU's memory: nothing is pending
        spent.append(time.perf_counter() - start)
    p50, p95 = np.percentile(spent[warm:], [50, 95])
    return {
        "callers": callers,
        "p50_ms": round(1000 * p50, 3),
        "p95_ms": round(1000 * p95, 3),
        "fps": round(callers / p50, 1),
        "streams": callers * int(1 / FPS / p95),
    }


if __name__ == "__main__":
    sys.exit(main())
