"""How soon a call shows what the landmarks do not tell: a bar of text, a fade, a hand.

    python -m benchmarks.live_changes clips/*.mp4 [--kbps 20] [--seconds 6]

Each clip is a square crop of a head. It gets a bar below from 1/5 to 3/5 of its time, or fades to
black and back, or is covered by a hand for as long, and is sent frame by frame. Printed is how many
grey levels what is shown is off, by fifths of the time: in the area of the bar and of the hand, and
of the whole picture where it fades.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from facewire import Decoder, DecoderConfig, Encoder, EncoderConfig, PictureOutput
from facewire.codec.sound.opus import SAMPLE_RATE
from facewire.sender.tracking.capture import Capture

Frame = npt.NDArray[np.uint8]
Area = tuple[slice, slice]
Change = Callable[[Frame, float], Frame]
FPS = 25


def bar(frame: Frame, at: float) -> Frame:
    """A white bar with dark letters."""
    result = frame.copy()
    if 0.2 <= at < 0.6:
        result[BAR] = 235
        letters = result[BAR][8:-8, 20:-20]
        letters[:, np.arange(letters.shape[1]) % 12 < 6] = 40
    return result


def fade(frame: Frame, at: float) -> Frame:
    """To black, and back."""
    light = float(np.interp(at, [0.2, 0.45, 0.55, 0.8], [1.0, 0.0, 0.0, 1.0]))
    return (frame * light).astype(np.uint8)


def hand(frame: Frame, at: float) -> Frame:
    """Something of the colour of skin before mouth and chin."""
    result = frame.copy()
    if 0.2 <= at < 0.6:
        y, x = np.mgrid[: frame.shape[0], : frame.shape[1]] / frame.shape[0]
        inside = ((x - 0.5) / 0.2) ** 2 + ((y - 0.7) / 0.2) ** 2 < 1
        fingers = 20 * np.sin(40 * x) * (y < 0.7)
        skin = np.array([190, 140, 120]) + fingers[..., None]
        result[inside] = skin.clip(0, 255).astype(np.uint8)[inside]
    return result


def plain(frame: Frame, at: float) -> Frame:
    """As it is."""
    return frame


BAR: Area = (slice(208, 240), slice(8, 248))
HAND: Area = (slice(145, 215), slice(90, 166))
WHOLE: Area = (slice(0, 256), slice(0, 256))
CHANGES: dict[str, tuple[Change, Area]] = {
    "bar": (bar, BAR),
    "fade": (fade, WHOLE),
    "hand": (hand, HAND),
    "plain": (plain, WHOLE),
}


def grey(frame: Frame) -> npt.NDArray[np.float64]:
    """Luma, `[H, W]`."""
    return np.asarray(frame @ np.array([0.299, 0.587, 0.114]))


def run(path: Path, name: str, kbps: float, seconds: float) -> tuple[list[float], float, float]:
    """Send a clip with a change.

    Returns:
        The mean absolute difference of luma for each fifth of the time, the rate that it took, and
        the milliseconds of CPU time that a frame took to encode.
    """
    change, area = CHANGES[name]
    sent: list[Frame] = []
    shown: dict[int, Frame] = {}
    encoder = Encoder(EncoderConfig(kbps=kbps, crop=False), fps=FPS)
    size, spent = 0, 0.0
    with encoder, Decoder(DecoderConfig(threads=1)) as decoder:
        encoder.prepare()
        for index, (frame, pcm) in enumerate(_frames(path, round(seconds * FPS))):
            sent.append(change(frame, index / (seconds * FPS)))
            began = time.process_time()
            packets = encoder.encode(sent[-1], pcm)
            spent += time.process_time() - began
            size += sum(len(bytes(packet)) for packet in packets)
            outputs = [output for packet in packets for output in decoder.decode(packet)]
            shown.update(
                (round(o.pts * FPS), o.frame) for o in outputs if isinstance(o, PictureOutput)
            )
        outputs = decoder.flush()
        shown.update((round(o.pts * FPS), o.frame) for o in outputs if isinstance(o, PictureOutput))
    errors = [
        float(np.abs(grey(frame) - grey(shown[n]))[area].mean())
        for n, frame in enumerate(sent)
        if n in shown
    ]
    parts = [float(np.mean(part)) for part in np.array_split(errors, 5)]
    return parts, size * 8 / 1000 / (len(sent) / FPS), 1000 * spent / len(sent)


def _frames(path: Path, most: int) -> Iterator[tuple[Frame, npt.NDArray[np.float32]]]:
    """Frames with their 40 ms of sound."""
    with Capture(path) as capture:
        pieces = list(capture.sound()) or [np.zeros(0, np.float32)]
        sound = np.concatenate([*pieces, np.zeros(most * SAMPLE_RATE // FPS, np.float32)])
        step = SAMPLE_RATE // FPS
        for index, (frame, _) in zip(range(most), capture.frames(), strict=False):
            yield np.asarray(frame), sound[index * step : (index + 1) * step]


def main() -> None:
    """Print a line for each clip and change."""
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--kbps", type=float, default=20.0)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--changes", nargs="+", choices=CHANGES, default=list(CHANGES))
    args = parser.parse_args()
    print("clip      change  grey levels by fifths          kbit/s  ms a frame")
    for path in args.clips:
        for name in args.changes:
            parts, kbps, spent = run(path, name, args.kbps, args.seconds)
            levels = " ".join(f"{part:5.1f}" for part in parts)
            print(f"{path.stem:9} {name:6} {levels}   {kbps:6.1f}  {spent:6.1f}", flush=True)


if __name__ == "__main__":
    main()
