"""What a call shows while motion is missing and the sound arrives, as a sheet of pictures.

    python -m benchmarks.concealment_sheet CLIP sheet.png [--begin 2] [--gap 1]

CLIP shows one talking person; it is one side of a simulated call at 24 kbit/s, over a line of 80 ms
that loses nothing else (`tests/call/sides.py`). Camera, tracker and network are real, and time is
virtual, so that a slow machine draws the same. During the gap all MOTION packets are taken out of
the datagrams that leave; the sound in the same datagrams arrives.

The rows are the clip itself (original), a receiver that has no mouth predictor and therefore shows
its last picture on (held), and the receiver as it is (concealed). The columns are moments before,
in and after the gap. Each cell holds the newest picture of at most this time that was on the screen
`LATEST_S` later. Its caption says from which time the picture is, counted from the beginning of the
gap, with `*` where it was made up, and how far the mouth is open in it (`openings` of
`eval/metrics/faces.py`; a tracker finds the mouth, and writes `-` where it finds none).
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import numpy.typing as npt

from facewire.call.config import CallConfig
from facewire.eval.metrics.faces import openings
from facewire.models.weights import load_card
from facewire.receiver.talking.speech import TheirMouth
from facewire.sender.tracking.capture import Capture
from facewire.sender.tracking.tracker import Tracker
from tests.call.sides import RATE, SIZE, Call, Shown

Frame = npt.NDArray[np.uint8]
KBPS, FPS = 24, 25
LATEST_S = 0.4
AFTER_S = 0.6  # how much is shown after the gap
SIDE = 176  # pixels of a cell
CAPTION, MARGIN = 16, 76  # pixels below each cell, and beside each row


def moments(gap_s: float, columns: int) -> list[float]:
    """The times of the columns, counted from the beginning of the gap: one before it, the others
    at equal distances up to `AFTER_S` after it.
    """
    return [-0.04, *(float(t) for t in np.linspace(0.04, gap_s + AFTER_S, columns - 1))]


def at(shown: Sequence[Shown], moment: float) -> Shown | None:
    """What stands for a moment; None where no picture was on the screen yet."""
    seen = [one for one in shown if one.taken <= moment + 0.021 and one.at <= moment + LATEST_S]
    return max(seen, key=lambda one: (one.taken, one.at), default=None)


def called(
    film: Sequence[Frame], voice: npt.NDArray[np.float32], begin: float, gap_s: float
) -> list[Shown]:
    """The pictures that the other side of a call saw."""
    config = CallConfig(kbps=KBPS)
    config = replace(config, decoder=replace(config.decoder, badge=False))
    call = Call(load_card().folder, config, film=film)
    call.a.speech = np.pad(voice, (round(RATE / FPS), 0))  # the camera's first frame is as late
    call.b.filming = call.b.talking = False
    call.lose_motion(lambda: begin <= call.world.now < begin + gap_s)
    call.run(begin + gap_s + AFTER_S + LATEST_S)
    return call.b.shown


def paced(frames: Iterable[tuple[Frame, float]]) -> list[Frame]:
    """25 pictures a second of 256x256 pixels: the first frame nearest to each time; where a slow
    clip has none there, its next one.
    """
    film: list[Frame] = []
    for frame, seconds in frames:
        small = cv2.resize(frame, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.uint8)
        film += [small] * (round(seconds * FPS) + 1 - len(film))
    return film


def sheet(rows: dict[str, list[tuple[Frame, str] | None]]) -> Frame:
    """Named rows of pictures with captions: uint8 RGB `[H, W, 3]`."""
    return np.vstack(
        [np.hstack([_named(name), *(_cell(one) for one in row)]) for name, row in rows.items()]
    )


def _named(name: str) -> Frame:
    beside = np.full((SIDE + CAPTION, MARGIN, 3), 255, np.uint8)
    return _written(beside, name, (2, SIDE // 2))


def _cell(one: tuple[Frame, str] | None) -> Frame:
    cell = np.full((SIDE + CAPTION, SIDE + 4, 3), 255, np.uint8)
    if one is None:
        return _written(cell, "no picture yet", (4, SIDE // 2))
    cell[:SIDE, 2:-2] = cv2.resize(one[0], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return _written(cell, one[1], (4, SIDE + 12))


def _written(picture: Frame, words: str, place: tuple[int, int]) -> Frame:
    cv2.putText(picture, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return picture


def opening(picture: Frame) -> str:
    """How far the mouth is open, as a caption says it."""
    with Tracker(details=True) as tracker:
        faces = tracker.track(np.ascontiguousarray(picture), 0)
    return f"{float(openings(faces[0].landmarks, 'mouth')[0]):.2f}" if faces else "-"


def compared(clip: Path, begin: float, gap_s: float, columns: int) -> Frame:
    """The sheet of one clip."""
    with Capture(clip) as capture:
        film = paced((frame, float(seconds)) for frame, seconds in capture.frames())
    with Capture(clip) as capture:
        voice = np.concatenate(list(capture.sound()))
    times = moments(gap_s, columns)
    rows: dict[str, list[tuple[Frame, str] | None]] = {"original": []}
    for moment in times:
        frame = film[min(max(round((begin + moment) * FPS) - 1, 0), len(film) - 1)]
        rows["original"].append((frame, f"{moment:+.2f} s  mouth {opening(frame)}"))
    no_mouth = mock.patch.object(TheirMouth, "predictor", return_value=None)
    for name, how in (("held", no_mouth), ("concealed", contextlib.nullcontext())):
        with how:
            shown = called(film, voice, begin, gap_s)
        rows[name] = []
        for moment in times:
            one = at(shown, begin + moment)
            if one is not None:
                made_up = "*" if one.made_up else ""
                words = f"{one.taken - begin:+.2f} s{made_up}  mouth {opening(one.picture)}"
            rows[name].append(None if one is None else (one.picture, words))
    return sheet(rows)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", type=Path, help="a video of one talking person")
    parser.add_argument("out", type=Path, help="a .png or .jpg file")
    parser.add_argument("--begin", type=float, default=2.0, metavar="S", help="of the gap")
    parser.add_argument("--gap", type=float, default=1.0, metavar="S", help="how long it is")
    parser.add_argument("--columns", type=int, default=10, metavar="N")
    args = parser.parse_args()
    picture = compared(args.clip, args.begin, args.gap, args.columns)
    cv2.imwrite(str(args.out), picture[:, :, ::-1])


if __name__ == "__main__":
    main()
