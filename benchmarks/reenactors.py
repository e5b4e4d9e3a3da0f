"""The tables of APB2Face and APB2FaceV2 again, over held-out footage of the people they learned.

    python -m benchmarks.reenactors --cache CACHE --one V1 --geometry DIR --many V2
                                    [--people id000 id001] [--pictures 60] [--out FOLDER]

CACHE is what `facewire train` prepared. V1 holds a folder of weights for each person, named as the
person is; `--geometry` is the paper's predictor. Of each person, pictures of the last fifth
(`split_shots`) are made, evenly apart, in up to four ways:

- `still`: the first picture that was learned from, all the time. Any network should beat it.
- `apb2face, drawn`: `FaceReenactor` from the picture's own landmarks, as a receiver runs it.
- `apb2face`: the paper's whole system. Sound, pose and blinks become landmarks, these a picture.
- `apb2face-v2`: the first picture that was learned from, moved by sound, pose and blinks.

Clips that the predictor learned from are left out for all of them. Each person's figures of each
way are written to FOLDER when they are there, and what is in FOLDER is not done again. So networks
can be measured one after the other, with the same `--pictures`. `PERSON.png` there is a sheet to
look at: the true pictures, and below them those of each way, in the order above. The tables are
printed over all people in FOLDER:

- SSIM (APB2Face, table 1; Wang et al. 2004): of the whole picture, `eval.metrics.fidelity`.
- FID (table 1; Heusel et al. 2017): true with made pictures. Of so few it is far too high, and can
  only be compared within one table. KID has no such bias (`eval.metrics.distribution`).
- DR (section 5): share of made pictures in which a face is found, each looked at for itself.
- ALE (section 5): mean absolute difference of landmarks' coordinates in the face's crop of 256.
- APE (section 5): mean absolute difference of yaw, pitch and roll, in radians.
- ABE (section 5): mean absolute difference of the eyes' height over width (section 3).
- mouth: correlation of the mouth's opening with the truth, which no table of the papers has.

ALE, APE and ABE compare what the face tracker finds in the true and in the made picture
(`eval.metrics.apb2face`). Pictures are compared at 256x256; those of a smaller network are enlarged
first. APB2FaceV2's tables 1 and 2 compare it with APB2Face in SSIM, DR, FID, parameters and frames
a second: here on one thread of OpenVINO in float32, in time of the processor, the reference face
encoded once.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from facewire.eval.measure import Figures
from facewire.eval.metrics import apb2face, faces
from facewire.eval.metrics.base import Mean, MeanMetric, Metric, Pair
from facewire.eval.metrics.distribution import FrechetDistance, kid
from facewire.eval.metrics.fidelity import ssim
from facewire.models.apb2face.paper_frames import split_by_time
from facewire.models.apb2face.shots import Shot, split_shots, spread
from facewire.models.apb2face.talks import read_talks
from facewire.models.judges.inception import Features, Inception
from facewire.models.training.cache import read_cache
from facewire.sender.tracking.tracker import Face, Tracker

from .puppets import SIDE, V2, Drawer, Landmarks

Frame = npt.NDArray[np.uint8]
Make = Callable[[Shot], Frame]

WAYS = ("still", "apb2face, drawn", "apb2face", "apb2face-v2")
TRUTH = "truth"
COLUMNS = {"ssim": 3, "fid": 1, "kid": 3, "dr": 1, "ale": 2, "ape": 4, "abe": 4, "mouth": 2}
"""Figures of table 1, and their decimals."""
_MORE = {"millions": 2, "frames/s": 2, "steps": 0, "minutes": 0}
_SHOWN = 6  # pictures of a person in the sheet
_CELL = 160
_TOGETHER = 8  # pictures that Inception sees at a time


@dataclass(frozen=True)
class Person:
    """Whose pictures are made.

    Attributes:
        name: of the person.
        reference: the first picture that was learned from.
        shots: held-out pictures, in order of time.
    """

    name: str
    reference: Shot
    shots: list[Shot]


def people_of(cache: Path, count: int) -> dict[str, Person]:
    """People with held-out pictures that no network has seen, at most `count` of each."""
    learned, held_out = split_shots(read_cache(cache))
    first, last = split_by_time(read_talks(cache))
    heard = {talk.name for talk in last} - {talk.name for talk in first}
    found = {}
    for name, shots in held_out.items():
        unseen = [shot for shot in shots if shot.clip.name in heard]
        if unseen:
            found[name] = Person(name, learned[name][0], spread(unseen, count))
    return found


class Judge:
    """Measures made pictures of one person against the true ones.

    Args:
        truths: uint8 `[256, 256, 3]` each.
        tracker: looks at each picture for itself, with details.
    """

    def __init__(self, truths: Sequence[Frame], tracker: Tracker) -> None:
        self._truths, self._tracker = truths, tracker
        self._faces = [self._face(picture) for picture in truths]

    def measure(self, made: Sequence[Frame]) -> dict[str, float]:
        """The figures of `COLUMNS` without FID and KID; what cannot be measured is NaN."""
        metrics: dict[str, Metric] = {
            "ssim": Mean(ssim),
            "dr": Mean(apb2face.detection_rate),
            "ale": Mean(apb2face.landmark_error),
            "ape": Mean(apb2face.pose_error),
            "abe": Mean(faces.opening_error, "eyes"),
            "mouth": faces.OpeningCorrelation("mouth"),
        }
        whole = {"whole": (0, 0, SIDE, SIDE)}
        rows = zip(self._truths, self._faces, made, strict=True)
        for index, (truth, true_face, picture) in enumerate(rows):
            pair = Pair(index, truth, picture, true_face, self._face(picture), dict(whole))
            for metric in metrics.values():
                metric.update(pair)
        return {name: metric.compute() for name, metric in metrics.items()}

    def _face(self, picture: Frame) -> Face | None:
        return next(iter(self._tracker.track(picture)), None)


@dataclass(frozen=True)
class Way:
    """A way to make pictures of one person.

    Attributes:
        make: the picture of a shot.
        runs: what counts time and parameters; None: it takes none.
        weights: folder of the run that trained it.
    """

    make: Make
    runs: Drawer | Landmarks | V2 | None = None
    weights: Path | None = None


def ways_of(person: Person, args: argparse.Namespace) -> dict[str, Way]:
    """The ways of which there are weights, by their names in `WAYS`."""
    still = person.reference.picture(SIDE)
    found = {"still": Way(lambda _: still)}
    if args.one is not None:
        weights = args.one / person.name
        drawer = Drawer(weights)
        found["apb2face, drawn"] = Way(drawer.again, drawer, weights)
        if args.geometry is not None:
            whole = Landmarks(drawer, args.geometry)
            found["apb2face"] = Way(lambda shot: whole.make(whole.signals(shot)), whole, weights)
    if args.many is not None:
        v2 = V2(args.many, person.reference)
        found["apb2face-v2"] = Way(lambda shot: v2.make(v2.signals(shot)), v2, args.many)
    return found


def measure_person(
    person: Person, ways: Mapping[str, Way], out: Path, inception: Inception
) -> None:
    """Make and measure the pictures of a person in all ways that are not in `out` yet."""
    truths = [shot.picture(SIDE) for shot in person.shots]
    if not _path(out, person.name, TRUTH).exists():
        keep(out, person.name, TRUTH, truths, Figures({}, {}, features_of(truths, inception)))
    with Tracker(details=True, still=True) as tracker:
        judge = Judge(truths, tracker)
        for name, way in ways.items():
            if _path(out, person.name, name).exists():
                continue
            made = [way.make(shot) for shot in person.shots]
            values, seconds = judge.measure(made), 0.0
            if way.runs is not None:
                seconds = way.runs.seconds
                values["millions"] = way.runs.millions
            if way.weights is not None:
                values |= trained(way.weights)
            figures = Figures(values, {}, features_of(made, inception), seconds)
            keep(out, person.name, name, made, figures)
    strips = (_path(out, person.name, name).with_suffix(".png") for name in (TRUTH, *WAYS))
    rows = [cv2.imread(str(strip)) for strip in strips if strip.exists()]
    cv2.imwrite(str(out / f"{person.name}.png"), np.concatenate(rows))


def keep(out: Path, person: str, way: str, pictures: Sequence[Frame], figures: Figures) -> None:
    """Write the figures of some pictures, and a strip of some of these."""
    path = _path(out, person, way)
    strip = cv2.cvtColor(strip_of(pictures), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(path.with_suffix(".png")), strip)
    replace(figures, counts={"frames": len(pictures)}).save(path)


def strip_of(pictures: Sequence[Frame]) -> Frame:
    """Some of the pictures side by side, in order of time."""
    some = np.linspace(0, len(pictures) - 1, min(_SHOWN, len(pictures))).round().astype(int)
    cells = [cv2.resize(pictures[n], (_CELL, _CELL), interpolation=cv2.INTER_AREA) for n in some]
    return np.concatenate(cells, 1)


def trained(folder: Path) -> dict[str, float]:
    """Steps and minutes of a run when its weights were written; nothing without a checkpoint."""
    try:
        state = torch.load(folder / "checkpoint.pt", mmap=True, weights_only=True)
    except OSError:
        return {}
    return {"steps": state["step"], "minutes": state["seconds"] / 60}


def features_of(pictures: Sequence[Frame], inception: Inception) -> Features:
    """Inception features, float32 `[n, 2048]`."""
    starts = range(0, len(pictures), _TOGETHER)
    return np.concatenate([inception(pictures[n : n + _TOGETHER]) for n in starts])


def _path(out: Path, person: str, way: str) -> Path:
    return out / f"{person}.{way.replace(', ', '-')}.npz"


def row_of(truth: Figures, made: Figures) -> dict[str, float]:
    """Figures of some pictures, with FID and KID, and frames a second."""
    distance = FrechetDistance()
    distance.update(truth.features, made.features)
    found = made.values | {"fid": distance.compute(), "kid": kid(truth.features, made.features)}
    if made.decode_seconds:
        found["frames/s"] = made.counts["frames"] / made.decode_seconds
    return found


def mean_of(values: Iterable[float]) -> float:
    """The mean of what could be measured; NaN where nothing could."""
    metric = MeanMetric()
    for value in values:
        metric.add(value)
    return metric.compute()


def together(figures: Sequence[Figures]) -> Figures:
    """Figures of several people: means in which each counts the same, and all features."""
    names = figures[0].values
    values = {n: mean_of(f.values.get(n, np.nan) for f in figures) for n in names}
    return Figures(
        values,
        {"frames": sum(f.counts["frames"] for f in figures)},
        np.concatenate([f.features for f in figures]),
        sum(f.decode_seconds for f in figures),
    )


def line(name: str, count: int, figures: Mapping[str, float], columns: Mapping[str, int]) -> str:
    """A row of a Markdown table; what there is no figure of stays empty."""
    known = {n: f"{value:.{columns[n]}f}" for n, value in figures.items() if n in columns}
    cells = [known.get(n, "").replace("nan", "") for n in columns]
    return f"| {name} | {count} | {' | '.join(cells)} |"


def head(name: str, columns: Mapping[str, int]) -> str:
    """The first two lines of a Markdown table."""
    return f"\n| {name} | pictures | {' | '.join(columns)} |\n|---|{'---|' * (len(columns) + 1)}"


def tables(out: Path) -> str:
    """Table 1 of each way, and one of all pictures of each, over all people in a folder."""
    people = sorted(path.name.split(".")[0] for path in out.glob(f"*.{TRUTH}.npz"))
    lines, ends = [], []
    for way in WAYS:
        found = {p: _path(out, p, way) for p in people}
        made = {p: Figures.load(path) for p, path in found.items() if path.exists()}
        if not made:
            continue
        true = {p: Figures.load(_path(out, p, TRUTH)) for p in made}
        rows = {p: row_of(true[p], made[p]) for p in made}
        lines += [f"\n{way}:", head("person", COLUMNS)]
        lines += [line(p, made[p].counts["frames"], rows[p], COLUMNS) for p in made]
        whole, truth = together(list(made.values())), together(list(true.values()))
        mean = {n: mean_of(r.get(n, np.nan) for r in rows.values()) for n in COLUMNS}
        lines.append(line("mean", whole.counts["frames"], mean, COLUMNS))
        ends.append(line(way, whole.counts["frames"], row_of(truth, whole), COLUMNS | _MORE))
    return "\n".join([*lines, "\nAll pictures together:", head("way", COLUMNS | _MORE), *ends])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--one", type=Path, help="a folder of APB2Face weights for each person")
    parser.add_argument("--geometry", type=Path, help="the paper's predictor")
    parser.add_argument("--many", type=Path, help="weights of APB2FaceV2")
    parser.add_argument("--people", nargs="*", help="default: all who are in the cache")
    parser.add_argument("--pictures", type=int, default=60, help="of each person, at most")
    parser.add_argument("--out", type=Path, default=Path("out/reenactors"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    inception = Inception()
    for name, person in people_of(args.cache, args.pictures).items():
        if not args.people or name in args.people:
            measure_person(person, ways_of(person, args), args.out, inception)
            print(f"measured {name}", flush=True)
    print(tables(args.out))


if __name__ == "__main__":
    main()
