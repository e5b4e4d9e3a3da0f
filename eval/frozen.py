"""A stream against its own frozen keyframe: what does the motion buy?

    python -m facewire.eval.frozen clips/ --out table.json

Each clip is encoded and decoded through the real packets. The first frame, repeated, is the
honest floor: a codec that does not beat it in the face transmits nothing of use. It is taken as
transmitted, so that both pay the same bits for it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from ..codec.container import Reader
from ..codec.errors import FacewireError, StreamError
from ..codec.keyframe import KeyframeAssembler, decode_picture
from ..codec.packet import Kind
from ..receiver import Decoder, DecoderConfig
from ..sender.capture import Capture
from ..sender.config import EncoderConfig
from ..sender.files import encode_file
from ..sender.tracker import Face, Tracker
from .metrics.base import MeanMetric, Metric, Pair
from .metrics.faces import LandmarkDistance, OpeningCorrelation, OpeningError, face_box

__all__ = ["ClipTable", "decoded_frames", "main", "measure_clip"]

Frame = npt.NDArray[np.uint8]
Distance = Callable[[Frame, Frame], float]


class ClipTable:
    """All metrics of one kind of picture (decoded, or frozen)."""

    def __init__(self, distances: dict[str, Distance]) -> None:
        self.distances = {"psnr": _psnr} | {f"lpips_{n}": d for n, d in distances.items()}
        self.means = {
            prefix + name: MeanMetric() for prefix in ("", "face_") for name in self.distances
        }
        self.lmd = {part: LandmarkDistance(part) for part in LandmarkDistance.PARTS}
        self.opening = {part: OpeningError(part) for part in ("mouth", "eyes")}
        self.mouth = OpeningCorrelation("mouth")
        self.lost = 0

    def update(self, pair: Pair, pictures: bool) -> None:
        """One pair of frames; pictures are compared only where asked for."""
        if pictures:
            for prefix, box in (("", "whole"), ("face_", "face")):
                cut = pair.cut(box)
                if cut is None:
                    continue
                for name, distance in self.distances.items():
                    self.means[prefix + name].add(distance(*cut))
        self.lost += pair.face is None
        metrics: list[Metric] = [*self.lmd.values(), *self.opening.values(), self.mouth]
        for metric in metrics:
            metric.update(pair)

    def compute(self) -> dict[str, float]:
        """Name → value."""
        result = {name: mean.compute() for name, mean in self.means.items()}
        result |= {f"lmd_{part}": metric.compute() for part, metric in self.lmd.items()}
        result |= {f"opening_{part}": metric.compute() for part, metric in self.opening.items()}
        result["mouth_correlation"] = self.mouth.compute()
        result["frames_without_face"] = float(self.lost)
        return result


def _psnr(truth: Frame, frame: Frame) -> float:
    error = float(((truth.astype(np.float64) - frame) ** 2).mean())
    return min(60.0, 10 * float(np.log10(255**2 / max(error, 1e-12))))


def _pair(index: int, truth: Frame, frame: Frame, truth_face: Face, face: Face | None) -> Pair:
    boxes = {
        "whole": (0, 0, truth.shape[1], truth.shape[0]),
        "face": face_box(truth_face.landmarks, truth.shape),
    }
    return Pair(index, truth, frame, truth_face, face, boxes)


def first_keyframe(stream: Path) -> Frame:
    """The picture that the sender paid for, as the receiver has it."""
    assembler = KeyframeAssembler()
    with stream.open("rb") as file:
        for packet in Reader(file):
            keyframe = assembler.push(packet) if packet.kind is Kind.KEYFRAME else None
            if keyframe is not None:
                return decode_picture(keyframe.picture)
    raise StreamError(f"{stream.name} has no keyframe")


def decoded_frames(stream: Path, config: DecoderConfig | None = None) -> Iterator[Frame]:
    """Frames of a `.fwire`, without badge."""
    decoder = Decoder(config)
    with stream.open("rb") as file:
        for packet in Reader(file):
            yield from (o.frame for o in decoder.decode(packet) if o.frame is not None)
    yield from (o.frame for o in decoder.flush() if o.frame is not None)


def measure_clip(
    clip: Path,
    distances: dict[str, Distance],
    *,
    every: int = 5,
    encoder: EncoderConfig | None = None,
    decoder: DecoderConfig | None = None,
) -> dict[str, dict[str, float]]:
    """Encode, decode and compare one clip of head crops.

    Args:
        clip: square video; other shapes would be cropped and could not be compared.
        distances: perceptual distances between frames, by name.
        every: pictures are compared on each n-th frame, landmarks on all.

    Returns:
        `{"facewire": {metric: value}, "frozen": {…}}`.
    """
    tables = {"facewire": ClipTable(distances), "frozen": ClipTable(distances)}
    with tempfile.TemporaryDirectory() as folder:
        stream = Path(folder) / "clip.fwire"
        encode_file(clip, stream, encoder or EncoderConfig())
        still = first_keyframe(stream)
        with Tracker() as seen, Tracker() as made, Tracker() as held:
            frozen = held.track(still)
            pairs = zip(Capture(clip).frames(), decoded_frames(stream, decoder), strict=True)
            for index, ((truth, _), frame) in enumerate(pairs):
                faces = seen.track(truth)
                if not faces or index == 0:
                    continue
                found = made.track(frame)
                pictures = index % every == 0
                first = _pair(index, truth, frame, faces[0], found[0] if found else None)
                tables["facewire"].update(first, pictures)
                second = _pair(index, truth, still, faces[0], frozen[0] if frozen else None)
                tables["frozen"].update(second, pictures)
    return {name: table.compute() for name, table in tables.items()}


def _distances() -> dict[str, Distance]:
    import torch

    from ..models.avfr.perceptual import Lpips

    def distance(network: Lpips) -> Distance:
        def of(first: Frame, second: Frame) -> float:
            pair = torch.from_numpy(np.stack([first, second])).permute(0, 3, 1, 2).float() / 255
            with torch.inference_mode():
                return float(network(pair[:1], pair[1:]))

        return of

    return {"alex": distance(Lpips("alex").eval()), "vgg": distance(Lpips("vgg").eval())}


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m facewire.eval.frozen", description=__doc__)
    parser.add_argument("clips", type=Path, help="folder of square head-crop videos")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--every", type=int, default=5, help="compare pictures each N frames")
    parser.add_argument("--weights", type=Path, help="a trained network in place of the shipped")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: all)")
    args = parser.parse_args(argv)
    distances = _distances()
    encoder = EncoderConfig(model=str(args.weights or "s"))
    decoder = DecoderConfig(weights=args.weights, threads=args.threads)
    results: dict[str, dict[str, dict[str, float]]] = {}
    failed = False
    for clip in tqdm(sorted(args.clips.glob("*.mp4")), unit="clip"):
        try:
            results[clip.name] = measure_clip(
                clip, distances, every=args.every, encoder=encoder, decoder=decoder
            )
        except FacewireError as error:
            failed = True
            print(f"{clip.name}: {error}", file=sys.stderr)
    if not results:
        print(f"no clip in {args.clips} could be measured", file=sys.stderr)
        return 1
    names = list(next(iter(results.values()))["frozen"])
    mean = {
        kind: {n: float(np.nanmean([r[kind][n] for r in results.values()])) for n in names}
        for kind in ("facewire", "frozen")
    }
    print(f"| mean of {len(results)} clips | facewire | frozen keyframe |\n|---|---|---|")
    for name in names:
        print(f"| {name} | {mean['facewire'][name]:.4g} | {mean['frozen'][name]:.4g} |")
    if args.out:
        args.out.write_text(json.dumps({"mean": mean, "clips": results}, indent=1))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
