"""Profile `entropy` over a link that loses packets, with and without answers of the receiver.

    python benchmarks/loss.py CLIP.mp4 [CLIP.mp4 …]        square clips of a head, 256x256

An `Encoder` as in a call, with a rate and without sound, sends to a `Decoder` over a link that
loses packets by a seeded generator: independently, or in bursts with a mean length of 4 and the
same share. Answers take 100 ms and can be lost too. They are requests (`wants_refresh`,
`wants_keyframe`), or requests and acknowledgements of each decoded frame and of the references that
the receiver has. What is sent with the first frames always arrives, since a call begins only then.
A second decoder gets every packet of the same stream and shows what there is without loss.
"""

from __future__ import annotations

import argparse
import math
import random
from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from facewire.codec.motion.frame import MotionFrame
from facewire.codec.packet import Packet
from facewire.models.face.landmarks import PointRebuilder
from facewire.models.training.evaluate import face_box
from facewire.models.weights import load_card
from facewire.receiver.config import DecoderConfig
from facewire.receiver.decoder import Decoder
from facewire.receiver.generators.load import load_generator
from facewire.receiver.generators.protocol import Generator
from facewire.sender.config import EncoderConfig
from facewire.sender.encoder import Encoder
from facewire.sender.tracking.capture import Capture
from facewire.sender.tracking.tracker import Face, Tracker

Picture = npt.NDArray[np.uint8]
BACK_S = 0.1
BURST = 4
BEGUN = 3  # frames; their motion comes in one packet
WINDOW = 2  # packets that wait for a missing one
ANSWERS = ("none", "requests", "acknowledgements")
LOSSES = ((0.0, 1), (0.01, 1), (0.05, 1), (0.2, 1), (0.2, BURST))
EVERY = 10  # of so many frames one is rendered


class Clip:
    """Frames, and what the tracker found in them; it runs only once."""

    def __init__(self, path: Path, frames: int) -> None:
        with Capture(path) as capture:
            self.fps = capture.info.timing.fps
            pairs = zip(range(frames), capture.frames(), strict=False)
            self.frames = [frame for _, (frame, _) in pairs]
        with Tracker() as tracker:
            self.faces = [tracker.track(f, 40 * i) for i, f in enumerate(self.frames)]


class Known:
    """A `FaceTracker` that returns what was found before."""

    def __init__(self, clip: Clip) -> None:
        self._faces = iter(clip.faces)

    def track(self, frame: Picture, time_ms: int | None = None) -> list[Face]:
        return next(self._faces, [])

    def close(self) -> None:
        pass


class Link:
    """Decides for each packet whether it arrives, by the Gilbert model."""

    def __init__(self, loss: float, burst: int, seed: int) -> None:
        self._random = random.Random(seed)
        self._ends = 1 / burst if burst > 1 else 1 - loss
        self._begins = loss * self._ends / (1 - loss)
        self._bad = False

    def arrives(self) -> bool:
        chance = 1 - self._ends if self._bad else self._begins
        self._bad = self._random.random() < chance
        return not self._bad


@dataclass(frozen=True)
class Shown:
    """What a picture would be rendered from; `source` is what `Generator.set_source` got."""

    source: tuple[Picture, MotionFrame, npt.NDArray[np.float32]]
    motion: MotionFrame

    def same(self, other: Shown) -> bool:
        motion = np.array_equal(self.motion.to_array(), other.motion.to_array())
        return motion and np.array_equal(self.source[0], other.source[0])


class Recorder:
    """A generator that renders nothing: a picture holds the number of what was asked for."""

    def __init__(self, rebuilder: PointRebuilder) -> None:
        self.asked: list[Shown] = []
        self._rebuild = rebuilder.rebuild

    def set_source(self, *source: Any) -> Any:
        return source

    def points(self, source: Any, motion: MotionFrame) -> Any:
        return self._rebuild(source[1].to_array(), source[2], motion.to_array())

    def render(self, source: Any, motion: MotionFrame, mel: object) -> Any:
        self.asked.append(Shown(source, motion))
        return np.array(len(self.asked) - 1)


class Receiving:
    """A decoder, and what it showed, by frame number."""

    def __init__(self, fps: float, rebuilder: PointRebuilder) -> None:
        self._fps = fps
        self._recorder = Recorder(rebuilder)
        self.decoder = Decoder(DecoderConfig(reorder_window=WINDOW), self._recorder)
        self.shown: dict[int, Shown] = {}

    def take(self, packets: list[Packet]) -> list[int]:
        """Numbers of the frames that these packets complete, without those that are made up."""
        outputs = [output for packet in packets for output in self.decoder.decode(packet)]
        return self._see(outputs)

    def end(self) -> None:
        self._see(self.decoder.flush())

    def _see(self, outputs: list[Any]) -> list[int]:
        for output in outputs:
            self.shown[round(output.pts * self._fps)] = self._recorder.asked[int(output.frame)]
        return [round(output.pts * self._fps) for output in outputs if not output.concealed]

    def at(self, number: int) -> Shown:
        """What the screen shows when a frame is due."""
        return self.shown[max(n for n in self.shown if n <= number)]


@dataclass
class Call:
    """Result of a call.

    Attributes:
        lossy: the receiver.
        whole: a receiver that got every packet.
        kbps: rate that was sent, with packet headers but without those of the network.
    """

    lossy: Receiving
    whole: Receiving
    kbps: float


Answer = str | tuple[list[int], tuple[int, ...]]
"""A wish, or the frames decoded and the references that are there."""


def call(
    clip: Clip, loss: float, burst: int, answers: str, seed: int, config: EncoderConfig
) -> Call:
    """Send a clip over the link."""
    forward, back = Link(loss, burst, seed), Link(loss, burst, seed + 1000)
    rebuilder = PointRebuilder(load_card(config.model).face_table())
    lossy, whole, size = Receiving(clip.fps, rebuilder), Receiving(clip.fps, rebuilder), 0
    delay = math.ceil(BACK_S * clip.fps)
    coming: dict[int, list[Answer]] = defaultdict(list)
    asked = -delay
    with Encoder(config, fps=clip.fps, tracker=Known(clip)) as encoder:
        act = {"refresh": encoder.request_refresh, "keyframe": encoder.request_keyframe}
        for index, frame in enumerate(clip.frames):
            for answer in coming.pop(index, []):
                if isinstance(answer, str):
                    act[answer]()
                else:
                    for number in answer[0]:
                        encoder.acknowledge(number, answer[1])
            packets = encoder.encode(frame)
            size += sum(len(bytes(packet)) for packet in packets)
            whole.take(packets)
            decoded = lossy.take([p for p in packets if index < BEGUN or forward.arrives()])
            replies: list[Answer] = []
            if decoded and answers == "acknowledgements":
                replies = [(decoded, lossy.decoder.references)]
            wants = lossy.decoder.statistics
            if answers != "none" and index - asked >= delay:  # once a round trip
                wanted = {"refresh": wants.wants_refresh, "keyframe": wants.wants_keyframe}
                replies += [name for name, wish in wanted.items() if wish]
                asked = index if any(wanted.values()) else asked
            coming[index + delay] += [reply for reply in replies if back.arrives()]
        rest = encoder.flush()
        size += sum(len(bytes(packet)) for packet in rest)
        whole.take(rest)
        lossy.take([packet for packet in rest if forward.arrives()])
    lossy.end()
    whole.end()
    return Call(lossy, whole, size / 125 * float(clip.fps) / len(clip.frames))


Found = dict[str, list[float]]


def measure(found: Found, made: Call, count: int) -> None:
    """Measure everything that needs no picture."""
    lossy, whole = made.lossy, made.whole
    found["kbit/s"].append(made.kbps)
    found["shown, %"].append(100 * len(lossy.shown) / count)
    found["made up, %"].append(100 * lossy.decoder.statistics.concealed / count)
    good = [n in lossy.shown and lossy.shown[n].same(whole.shown[n]) for n in range(count)]
    found["not as without loss, %"].append(100 - 100 * float(np.mean(good)))
    runs = [len(list(run)) for right, run in groupby(good) if not right]
    found["frames to recover"] += runs
    found["at most"].append(max(runs, default=0))
    for n in range(count):
        off = lossy.at(n).motion.value - whole.shown[n].motion.value
        found["keypoints off, px"].append(128 * float(np.linalg.norm(off, axis=-1).mean()))


def compare(found: Found, made: Call, clip: Clip, generator: Generator) -> None:
    """PSNR of the face compared with the input, as received and without loss."""
    sources: dict[int, Any] = {}

    def psnr(shown: Shown, number: int) -> float:
        if id(shown.source) not in sources:
            sources[id(shown.source)] = generator.set_source(*shown.source)
        picture = generator.render(sources[id(shown.source)], shown.motion, None)
        truth, face = clip.frames[number], clip.faces[number][0].landmarks / 128 - 1
        x0, y0, x1, y1 = face_box(face, len(truth))
        error = picture[y0:y1, x0:x1].astype(np.float64) - truth[y0:y1, x0:x1]
        return 10 * math.log10(255**2 / max(float((error**2).mean()), 0.1))

    for number in range(0, len(clip.frames), EVERY):
        if clip.faces[number]:
            shown, ideal = made.lossy.at(number), made.whole.shown[number]
            best = psnr(ideal, number)
            found["face, dB"].append(best if shown.same(ideal) else psnr(shown, number))
            found["without loss, dB"].append(best)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", type=Path, nargs="+", metavar="CLIP.mp4")
    parser.add_argument("--network", default="s", metavar="SIZE|DIR")
    parser.add_argument("--frames", type=int, default=250, help="of each clip")
    parser.add_argument("--seeds", type=int, default=2, help="runs; the first is rendered")
    parser.add_argument("--kbps", type=float, default=12.0)
    parser.add_argument("--keyframe-interval", type=float, metavar="S")
    args = parser.parse_args()
    clips = [Clip(path, args.frames) for path in args.clips]
    config = EncoderConfig(
        model=args.network,
        audio_kbps=None,
        crop=False,
        kbps=args.kbps,
        keyframe_interval=args.keyframe_interval or "auto",
    )
    generator = load_generator(load_card(args.network), threads=1)
    for place, (loss, burst) in enumerate(LOSSES):
        for answers in ANSWERS:
            found: Found = defaultdict(list)
            for clip in clips:
                for seed in range(args.seeds if loss else 1):
                    made = call(clip, loss, burst, answers, seed, config)
                    measure(found, made, len(clip.frames))
                    if not seed:
                        compare(found, made, clip, generator)
            row = {name: np.mean(values) if values else 0.0 for name, values in found.items()}
            if not place and answers == ANSWERS[0]:
                print("| lost | answers | " + " | ".join(row) + " |\n|" + "---|" * (2 + len(row)))
            name = f"{100 * loss:g} %" + (" in bursts" if burst > 1 else "")
            values = " | ".join(f"{v:.2f}" for v in row.values())
            print(f"| {name} | {answers} | {values} |", flush=True)


if __name__ == "__main__":
    main()
