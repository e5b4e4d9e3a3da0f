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
from ..sender.tracker import Tracker
from .metrics import LandmarkDistance, Opening, PairDistance, Psnr, face_box

__all__ = ["ClipTable", "decoded_frames", "main", "measure_clip"]

Frame = npt.NDArray[np.uint8]
Distance = Callable[[Frame, Frame], float]


class ClipTable:
    """All metrics of one kind of picture (decoded, or frozen)."""

    def __init__(self, distances: dict[str, Distance]) -> None:
        self.psnr, self.face_psnr = Psnr(), Psnr()
        self.distances = {name: PairDistance(d) for name, d in distances.items()}
        self.face_distances = {name: PairDistance(d) for name, d in distances.items()}
        self.lmd = {part: LandmarkDistance(part) for part in LandmarkDistance.PARTS}
        self.opening = {part: Opening(part) for part in ("mouth", "eyes")}
        self.lost = 0

    def update(
        self,
        truth: Frame,
        frame: Frame,
        marks: npt.NDArray[np.float32],
        found: npt.NDArray[np.float32] | None,
        pictures: bool,
    ) -> None:
        """One frame; `found` are the landmarks tracked in it, None where there was no face."""
        if pictures:
            box = face_box(marks, truth.shape)
            self.psnr.update(truth, frame)
            self.face_psnr.update(truth, frame, box)
            for name in self.distances:
                self.distances[name].update(truth, frame)
                self.face_distances[name].update(truth, frame, box)
        if found is None:
            self.lost += 1
            return
        for distance in self.lmd.values():
            distance.update(marks, found)
        for opening in self.opening.values():
            opening.update(marks, found)

    def compute(self) -> dict[str, float]:
        """Name → value."""
        result = {"psnr": self.psnr.compute(), "face_psnr": self.face_psnr.compute()}
        result |= {f"lpips_{n}": d.compute() for n, d in self.distances.items()}
        result |= {f"face_lpips_{n}": d.compute() for n, d in self.face_distances.items()}
        result |= {f"lmd_{part}": metric.compute() for part, metric in self.lmd.items()}
        result |= {f"opening_{part}": metric.compute() for part, metric in self.opening.items()}
        result["mouth_correlation"] = self.opening["mouth"].correlation()
        result["frames_without_face"] = float(self.lost)
        return result


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
            frozen_marks = frozen[0].landmarks if frozen else None
            pairs = zip(Capture(clip).frames(), decoded_frames(stream, decoder), strict=True)
            for index, ((truth, _), frame) in enumerate(pairs):
                faces = seen.track(truth)
                if not faces or index == 0:
                    continue
                marks = faces[0].landmarks
                found = made.track(frame)
                pictures = index % every == 0
                tables["facewire"].update(
                    truth, frame, marks, found[0].landmarks if found else None, pictures
                )
                tables["frozen"].update(truth, still, marks, frozen_marks, pictures)
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
