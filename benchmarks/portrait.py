"""Cross-identity figures of portraits over a few pairs, and a sheet to look at.

    python -m benchmarks.portrait --data CLIPS [--pairs 12] [--seconds 2] [--out FOLDER]

The pairs are those of `codec-eval --codecs facewire-portrait` over the same folder, and it gives
more figures (FID, sound); this takes minutes where that takes an hour. CLIPS are head crops, one
person each. Of each clip the first seconds are encoded as one stretch with a portrait of 4000
bytes; every fifth frame is rendered, as a receiver would, and measured against the driver's frame
and against the portrait. Each pair is written to FOLDER/pairs.jsonl when it is done, and pairs that
are there are not done again.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from facewire.codec.errors import MediaError
from facewire.eval.codecs.portrait import Cast
from facewire.eval.metrics import faces
from facewire.eval.metrics.base import Mean, Pair
from facewire.models.face.observation import Observation
from facewire.models.judges.identity import DlibEmbedder
from facewire.models.third_party import find_asset
from facewire.receiver.config import DecoderConfig
from facewire.receiver.decoder import Decoder
from facewire.receiver.tracks.pictures import DuePicture
from facewire.sender.config import EncoderConfig
from facewire.sender.encoder import Encoder
from facewire.sender.photo import Portrait
from facewire.sender.reenactment.head import HeadFinder
from facewire.sender.reenactment.sitter import Sitter
from facewire.sender.tracking.capture import Capture
from facewire.sender.tracking.tracker import Tracker

Frame = npt.NDArray[np.uint8]

_EVERY = 5
_EMBEDDED = 3  # decoded frames of a pair whose identity is measured
_SHOWN = 4  # frames of a pair in the sheet
_SIDE = 128
_FPS = 25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--out", type=Path, default=Path("out/portrait"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    log = args.out / "pairs.jsonl"
    done = {}
    if log.exists():
        rows = (json.loads(line) for line in log.read_text().splitlines())
        done = {row["driver"]: row for row in rows}
    videos = Cast(args.data).videos()
    pairs = [*itertools.pairwise(videos), (videos[-1], videos[0])][: args.pairs]
    for driver, other in pairs:
        if driver.stem not in done:
            done[driver.stem] = row = measure(driver, other, args.seconds, args.out)
            with log.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(json.dumps(row), flush=True)
    strips = [cv2.imread(str(args.out / f"{driver.stem}.png")) for driver, _ in pairs]
    cv2.imwrite(str(args.out / "sheet.png"), np.concatenate(strips))
    print(table([done[driver.stem] for driver, _ in pairs]))


def measure(driver: Path, other: Path, seconds: float, out: Path) -> dict[str, object]:
    """The figures of one pair; its strip is written beside them."""
    frames = read(driver, round(seconds * _FPS))
    portrait, seen = first_portrait(other)
    shown = decoded(frames, portrait)
    each = {
        "pose": Mean(faces.pose_error),
        "mouth_opening": Mean(faces.opening_error, "mouth"),
        "eye_opening": Mean(faces.opening_error, "eyes"),
        "blink": Mean(faces.blink_error),
    }
    mouth, eyes = faces.OpeningCorrelation("mouth"), faces.OpeningCorrelation("eyes")
    embed = embedder()
    own = embed(portrait, (seen.landmarks + 1) * np.float32(128))
    found: list[npt.NDArray[np.float32]] = []
    strangers: list[npt.NDArray[np.float32]] = []
    often = max(1, len(shown) // _EMBEDDED)
    for place, (index, frame) in enumerate(shown):
        truth = frames[index]
        his, hers = (next(iter(tracker().track(picture)), None) for picture in (truth, frame))
        pair = Pair(index, truth, frame, his, hers)
        for metric in (*each.values(), mouth, eyes):
            metric.update(pair)
        if place % often == 0 and hers is not None:
            found.append(embed(frame, hers.landmarks))
        if place == 0 and his is not None:
            strangers.append(embed(truth, his.landmarks))
    some = [shown[n] for n in np.linspace(0, len(shown) - 1, _SHOWN).astype(int)]
    strip = [portrait, *itertools.chain(*((frames[index], frame) for index, frame in some))]
    small = [cv2.resize(one, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA) for one in strip]
    cv2.imwrite(str(out / f"{driver.stem}.png"), np.concatenate(small, 1)[..., ::-1])
    values = {name: metric.compute() for name, metric in each.items()}
    values |= {"mouth_correlation": mouth.compute(), "eye_correlation": eyes.compute()}
    values["identity"] = apart(found, own)
    values["driver_to_portrait"] = apart(strangers, own)
    values["found"] = len(found)
    return {"driver": driver.stem, "portrait": other.stem, "frames": len(shown)} | {
        name: round(float(value), 4) for name, value in values.items()
    }


def read(video: Path, most: int) -> list[Frame]:
    """The first frames."""
    with Capture(video) as capture:
        return [frame for frame, _ in itertools.islice(capture.frames(), most)]


def first_portrait(video: Path) -> tuple[Frame, Observation]:
    """The first frame that can be a portrait, as `codec-eval` chooses it, and its face."""
    heads = HeadFinder.load(find_asset("face_landmarker.task"))
    for frame in read(video, 10 * _FPS)[:: round(0.4 * _FPS)]:
        try:
            sitter = Sitter.find(Portrait(frame), tracker, heads, 256)
        except MediaError:
            continue
        return frame, sitter.view.seen
    raise MediaError(f"no frame of {video.name} can be a portrait")


def decoded(frames: Sequence[Frame], portrait: Frame) -> list[tuple[int, Frame]]:
    """Every fifth frame as a receiver shows it, and its number."""
    config = EncoderConfig(
        portrait=Portrait(portrait, "a measurement"),
        crop=False,
        audio_kbps=None,
        references=1,
        keyframe_bytes=4000,
    )
    length = Fraction(len(frames), _FPS)
    shown: list[tuple[int, Frame]] = []
    with Encoder(config, fps=_FPS, duration_s=length, tracker=Tracker()) as encoder:
        packets = [packet for frame in frames for packet in encoder.encode(frame)]
        packets += encoder.flush()
    receiver = decoder()
    receiver.reset()
    due = [one for packet in packets for one in receiver.take(packet)]
    for one in [*due, *receiver.take_rest()]:
        index = round(one.pts * _FPS)
        if isinstance(one, DuePicture) and one.rendering and index % _EVERY == 0:
            shown.append((index, one.rendering.picture()))
    return shown


@functools.cache
def decoder() -> Decoder:
    """One for all pairs: its network is loaded once."""
    return Decoder(DecoderConfig(threads=1, max_renders=100_000))


@functools.cache
def tracker() -> Tracker:
    """For pictures that do not follow each other."""
    return Tracker(details=True, still=True)


@functools.cache
def embedder() -> DlibEmbedder:
    """dlib's network, loaded once."""
    return DlibEmbedder()


def apart(embeddings: Sequence[npt.NDArray[np.float32]], own: npt.NDArray[np.float32]) -> float:
    """Mean distance of embeddings to one."""
    if not embeddings:
        return float("nan")
    return float(np.mean([np.linalg.norm(one - own) for one in embeddings]))


def table(rows: Sequence[dict[str, object]]) -> str:
    """All pairs and their mean, as Markdown."""
    names = [name for name in rows[0] if name not in ("driver", "portrait", "frames", "found")]
    lines = ["| pair | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for row in rows:
        cells = " | ".join(f"{row[name]:.3f}" for name in names)
        lines.append(f"| {row['driver']} moves {row['portrait']} | {cells} |")
    means = [np.nanmean([float(str(row[name])) for row in rows]) for name in names]
    lines.append("| mean | " + " | ".join(f"{mean:.3f}" for mean in means) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
