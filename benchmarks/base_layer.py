"""Does a base layer help where keypoints and references are at their limit? At equal total bits.

    python benchmarks/base_layer.py --train CACHE --held-out CACHE [--rates 0.01] [--results JSON]

Motion counts as 50 bits a frame, and each reference includes its landmarks and motion. All other
bits go into one of these:

- references: 1 to 8, spread in time. Each frame is animated from the earlier one whose landmarks
  are nearest. They are coded one by one (`codec.picture.still`), or each is predicted from those
  before it (`low_delay`).
- base layer: four references take half of the bits. The other half codes the whole clip in low
  resolution with AV1 in low delay. The generated picture is aligned to it and takes from it what it
  lacks (`fuse`), without training. Size and frame rate are chosen for each rate on `--train`, whose
  clips must keep every frame (`prepare(..., every=1)`).
- base alone: all bits go into the low resolution, which is enlarged. Nothing is generated.

`--results` adds classic codecs at full resolution on the same clips, from a result of `codec-eval`.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from low_delay import WORST_CRF, code_sequence

from facewire.codec.errors import ConfigError
from facewire.codec.motion.frame import MotionFrame
from facewire.codec.picture.still import decode_picture, encode_picture
from facewire.models.face.keypoints import MeshKeypoints
from facewire.models.face.mesh import select_points
from facewire.models.face.shape import pack_shape
from facewire.models.mel import SAMPLE_RATE, mel_window
from facewire.models.training.cache import CachedClip, read_cache
from facewire.models.training.evaluate import Figures
from facewire.models.weights import Card, load_card
from facewire.receiver.generators.load import load_generator
from facewire.receiver.generators.protocol import Generator

RATES = (0.003, 0.005, 0.0075, 0.01, 0.014, 0.02)
STILLS, CHAINS = (1, 4), (2, 3, 4, 6, 8)
MOTION_BITS = 50  # a frame
SIDE_BYTES = 132 + 24  # of a reference: body and headers, before landmarks
CHAIN_OFFSET = 12  # quantiser index of predicted references over the first one's
START = 0.45  # of the spacing of measured frames: none of 11 is one of 2 to 8 references itself
FIGURES = ("psnr", "face_psnr", "mouth_psnr", "eyes_psnr", "lpips", "face_lpips")
Frame = npt.NDArray[np.uint8]
Real = npt.NDArray[np.float32]
Coded = tuple[int, list[Frame]]  # bytes, and what is decoded from them
Row = dict[str, float]


@dataclass(frozen=True)
class Base:
    """How a base layer is coded and used.

    Attributes:
        side: of its pictures, in pixels.
        every: frames from one picture to the next; a correction is used until the next one.
        count: number of references, which are predicted from each other.
        share: part of the bits that the references get.
        noise: corrections that are weaker than so many of 255 levels count little.
        face: whether corrections are used in the face, too.
    """

    side: int
    every: int
    count: int
    share: float
    noise: float = 20.0
    face: bool = True

    def words(self) -> str:
        how = f"base {self.side}x{self.side} every {self.every}, noise {self.noise:g}"
        how += f", {self.count} references with {self.share:.0%}"
        return how if self.face else f"{how}, face as generated"


class Talker:
    """A clip, and everything that was coded of it; nothing is coded twice."""

    def __init__(self, clip: CachedClip, card: Card, generator: Generator, frames: int) -> None:
        self.clip = clip
        self._generator = generator
        self._motion = MeshKeypoints(card.face_table()).motion
        self.usable = clip.usable
        when = (np.arange(frames) + START) / frames
        self.shown = [int(p) for p in self.usable[(when * len(self.usable)).astype(int)]]
        self.points = select_points(clip.landmarks[clip.kept])
        self.still = cache(self._still)
        self.chain = cache(self._chain)
        self.base = cache(self._base)
        self.unfused = lru_cache(20)(partial(unfused, self))

    def picture(self, position: int) -> Frame:
        return np.array(self.clip.frames[position])

    def budget(self, bpp: float, motion: int = MOTION_BITS) -> int:
        """Bytes for the whole clip, without its motion."""
        pixels = self.clip.frames.shape[1] * self.clip.frames.shape[2]
        return int((bpp * pixels - motion) * len(self.clip.faces) / 8)

    def places(self, count: int) -> list[int]:
        """Positions of references, spread in time."""
        return [int(p) for p in self.usable[np.arange(count) * len(self.usable) // count]]

    def side_bytes(self, places: Iterable[int]) -> int:
        return sum(SIDE_BYTES + len(pack_shape(self.points[place])) for place in places)

    def _still(self, position: int, most: int) -> Frame:
        return decode_picture(encode_picture(self.picture(position), max_bytes=most))

    def _chain(self, count: int, crf: int) -> Coded:
        rgb = [self.picture(p) for p in self.places(count)]
        sizes, decoded = code_sequence(rgb, crf, offset=CHAIN_OFFSET)
        return sum(sizes), decoded

    def _base(self, side: int, every: int, crf: int) -> Coded:
        """Those decoded pictures that are measured."""
        sizes, decoded = code_sequence((small(f, side) for f in self.clip.frames[::every]), crf)
        return sum(sizes), [decoded[position // every] for position in self.shown]

    def render(self, places: list[int], pictures: list[Frame], shown: list[int]) -> list[Frame]:
        """Animate each frame from the nearest reference that has been sent by then."""
        made: dict[int, Frame] = {}
        nearest: dict[int, list[int]] = defaultdict(list)
        for frame in shown:
            there = [i for i, place in enumerate(places) if place <= frame] or [0]
            apart = [np.linalg.norm(self.points[places[i]] - self.points[frame]) for i in there]
            nearest[there[int(np.argmin(apart))]].append(frame)
        for which, frames in nearest.items():
            still = self._numbers(places[which])
            source = self._generator.set_source(pictures[which], still, self.points[places[which]])
            for frame in frames:
                when = round(int(self.clip.kept[frame]) * SAMPLE_RATE / self.clip.fps)
                mel = mel_window(self.clip.mel, when)
                made[frame] = self._generator.render(source, self._numbers(frame), mel)
        return [made[frame] for frame in shown]

    def _numbers(self, position: int) -> MotionFrame:
        return self._motion(self.clip.landmarks[self.clip.kept[position]])


def small(rgb: Frame, side: int) -> Frame:
    return np.asarray(cv2.resize(np.array(rgb), (side, side), interpolation=cv2.INTER_AREA))


def large(picture: Real, side: int) -> Real:
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC))


def fuse(made: Frame, lacking: Real, noise: float, where: Real | float = 1.0) -> Frame:
    """Correct a generated picture by the base layer, without training.

    It is reduced to low resolution and moved by the flow from there to the base (DIS, Kroeger et
    al. 2016). Then the remaining difference is added. Small differences count less: they are mostly
    coding errors of the base, and the generated detail is better. `where` `[H, W, 1]` weighs this,
    from 0 for none to 1 for all.
    """
    side, size = len(lacking), len(made)
    base = small(made, side) + lacking
    before, after = (grey(large(x, size)) for x in (small(made, side).astype(np.float32), base))
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(after, before, None)
    flow = flow * where
    y, x = np.mgrid[:size, :size].astype(np.float32)
    place = (x + flow[..., 0], y + flow[..., 1])
    moved = cv2.remap(made, *place, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    rest = base - small(moved, side)
    energy = cv2.GaussianBlur((rest**2).mean(-1), (0, 0), side / 32)[..., None]
    added = large(rest * energy / (energy + noise**2), size)
    return np.clip(np.round(moved + where * added), 0, 255).astype(np.uint8)


def outside_face(points: Real, size: int) -> Real:
    """0 inside the landmarks' hull, 1 outside, softened over some pixels; `[size, size, 1]`."""
    hull = cv2.convexHull(np.round((points + 1) / 2 * size).astype(np.int32))
    mask = cv2.fillConvexPoly(np.ones((size, size), np.float32), hull, 0.0)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), size / 64))[..., None]


def grey(picture: Real) -> Frame:
    return np.asarray(cv2.cvtColor(np.clip(picture, 0, 255).astype(np.uint8), cv2.COLOR_RGB2GRAY))


def best_fit(code: Callable[[int], Coded], most: int) -> Coded | None:
    """Result of the best CRF that needs no more bytes; None if there is none."""
    low, high, found = 1, WORST_CRF, None
    while low <= high:
        middle = (low + high) // 2
        made = code(middle)
        if made[0] <= most:
            found, high = made, middle - 1
        else:
            low = middle + 1
    return found


def by_stills(talker: Talker, bpp: float, count: int) -> list[Frame] | None:
    """References that are coded one by one, with equal shares of the bits."""
    places = talker.places(count)
    most = (talker.budget(bpp) - talker.side_bytes(places)) // count
    try:
        pictures = [talker.still(place, most) for place in places]
    except ConfigError:
        return None
    return talker.render(places, pictures, talker.shown)


def by_chain(talker: Talker, bpp: float, count: int) -> list[Frame] | None:
    """References that are each predicted from those before."""
    places = talker.places(count)
    found = best_fit(partial(talker.chain, count), talker.budget(bpp) - talker.side_bytes(places))
    return talker.render(places, found[1], talker.shown) if found else None


def with_base(talker: Talker, bpp: float, base: Base) -> list[Frame] | None:
    """References and a base layer, or references alone if a base layer does not fit the rate."""
    made = talker.unfused(bpp, base.side, base.every, base.count, base.share)
    if made is None:
        return by_chain(talker, bpp, base.count)
    size = talker.clip.frames.shape[1]
    where = [
        1.0 if base.face else outside_face(talker.points[position], size)
        for position in talker.shown
    ]
    return [fuse(*both, base.noise, at) for both, at in zip(made, where, strict=True)]


def unfused(
    talker: Talker, bpp: float, side: int, every: int, count: int, share: float
) -> list[tuple[Frame, Real]] | None:
    """Generated pictures, and what they lack according to the base layer."""
    places = talker.places(count)
    left = talker.budget(bpp) - talker.side_bytes(places)
    base = best_fit(partial(talker.base, side, every), int((1 - share) * left))
    found = base and best_fit(partial(talker.chain, count), left - base[0])
    if not base or not found:
        return None
    made = talker.render(places, found[1], talker.shown)
    before = [frame // every * every for frame in talker.shown]
    then = made if every == 1 else talker.render(places, found[1], before)
    lacking = [
        there.astype(np.float32) - small(frame, side)
        for there, frame in zip(base[1], then, strict=True)
    ]
    return list(zip(made, lacking, strict=True))


def base_alone(talker: Talker, bpp: float, side: int) -> list[Frame] | None:
    """Put all bits into the low resolution; nothing is generated, so no motion is sent."""
    found = best_fit(partial(talker.base, side, 1), talker.budget(bpp, motion=0))
    if found is None:
        return None
    size = talker.clip.frames.shape[1]
    return [
        np.clip(np.round(large(frame.astype(np.float32), size)), 0, 255).astype(np.uint8)
        for frame in found[1]
    ]


def measure(talkers: list[Talker], way: Callable[[Talker], list[Frame] | None]) -> Row | None:
    """Means over clips and frames; None if a clip does not fit the rate."""
    figures, whole = Figures(), []
    for talker in talkers:
        made = way(talker)
        if made is None:
            return None
        for frame, position in zip(made, talker.shown, strict=True):
            truth = talker.picture(position)
            figures.add(frame, truth, talker.clip.landmarks[talker.clip.kept[position]])
            error = np.mean((frame.astype(np.float64) - truth) ** 2)
            whole.append(10 * np.log10(255**2 / max(float(error), 0.1)))
    return {"psnr": float(np.mean(whole)), **figures.means()}


def choose(talkers: list[Talker], bpp: float) -> Base:
    """The base layer with the least LPIPS of picture and face together."""

    def cost(base: Base) -> float:
        row = measure(talkers, lambda talker: with_base(talker, bpp, base))
        return row["lpips"] + row["face_lpips"] if row else float("inf")

    sizes = ((64, 4), (64, 2), (64, 1), (128, 1))
    return min((Base(*size, 4, 0.5) for size in sizes), key=cost)


def classic(path: Path, names: set[str]) -> Iterable[tuple[float, str, Row]]:
    """Rates, names and figures of the classic codecs in a result of `codec-eval`."""
    for codec, entries in json.loads(path.read_text())["clips"].items():
        groups: dict[float, list[dict[str, float]]] = defaultdict(list)
        for entry in entries:
            if Path(entry["clip"]).stem in names and codec[:8] != "facewire" and codec != "frozen":
                groups[entry["target_bpp"]].append({**entry, "bpp": entry["bpp"]["video"]})
        for group in groups.values():
            row = {key: float(np.mean([e[key] for e in group])) for key in ("bpp", *FIGURES)}
            yield row["bpp"], f"{codec}, 256x256", row


def report(bpp: float, name: str, row: Row | None) -> None:
    cells = [f"{row[key]:.4f}" if "lpips" in key else f"{row[key]:.2f}" for key in FIGURES if row]
    print(f"| {bpp:.4f} | {name} | " + " | ".join(cells or ["–"] * len(FIGURES)) + " |", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", type=Path, required=True, metavar="CACHE")
    parser.add_argument("--held-out", type=Path, required=True, metavar="CACHE")
    parser.add_argument("--network", default="s", metavar="SIZE|DIR")
    parser.add_argument("--rates", type=float, nargs="*", default=RATES, help="bits per pixel")
    parser.add_argument("--clips", type=int, default=9, help="of the held-out ones, spread evenly")
    parser.add_argument("--frames", type=int, default=11, help="measured of each clip")
    parser.add_argument("--results", type=Path, metavar="JSON")
    args = parser.parse_args()
    torch.set_num_threads(1)
    card = load_card(args.network)
    generator = load_generator(card, threads=1, precision="float32")
    train = [Talker(clip, card, generator, 5) for clip in read_cache(args.train)]
    held_out = read_cache(args.held_out)
    spread = np.linspace(0, len(held_out) - 1, min(args.clips, len(held_out))).astype(int)
    talkers = [Talker(held_out[i], card, generator, args.frames) for i in spread]
    print("| bpp | | " + " | ".join(FIGURES) + " |\n|---|---|" + "---|" * len(FIGURES), flush=True)
    for bpp in args.rates:
        for count in STILLS:
            row = measure(talkers, partial(by_stills, bpp=bpp, count=count))
            report(bpp, f"references: {count}", row)
        for count in CHAINS:
            row = measure(talkers, partial(by_chain, bpp=bpp, count=count))
            report(bpp, f"references: {count}, predicted", row)
        base = choose(train, bpp)
        fits = [t.unfused(bpp, base.side, base.every, base.count, base.share) for t in talkers]
        fit = f"fits {sum(made is not None for made in fits)} of {len(fits)} clips"
        for chosen in (base, replace(base, face=False)):
            row = measure(talkers, partial(with_base, bpp=bpp, base=chosen))
            report(bpp, f"{chosen.words()}; {fit}", row)
        for side in (64, 128):
            row = measure(talkers, partial(base_alone, bpp=bpp, side=side))
            report(bpp, f"base alone, {side}x{side}", row)
    if args.results:
        for bpp, name, row in classic(args.results, {talker.clip.name for talker in talkers}):
            report(bpp, name, row)


if __name__ == "__main__":
    main()
