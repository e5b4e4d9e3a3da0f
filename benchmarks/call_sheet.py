"""A call of two programs, recorded, as a sheet of pictures.

    python -m benchmarks.call_sheet docs/call-recorded.jpg

Two `facewire call` run in network namespaces, with the demo's clip in place of both cameras, at 16
kbit/s over a simulated line of 50 ms. The sheet shows what the recording of the one that joined
(`--record`) holds, every two seconds, with the rate of that second and the age of its sound. The
face is generated from one public-domain portrait (`facewire demo`). Linux, as root.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from facewire import Decoder, PictureOutput
from facewire.call.simulated import LineConditions
from facewire.cli.demo.clip import make_demo_clip
from facewire.codec.file.container import Reader
from tests.call.real_network import ETHERNET, call

DELAY_S = 0.05
EVERY_S = 2.0
COLUMNS = 5
CAPTION = 28  # pixels

Frame = npt.NDArray[np.uint8]


def hold(folder: Path, seconds: float) -> tuple[list[PictureOutput], list[list[dict[str, Any]]]]:
    """Hold a call; the pictures of the recording of the one that joined, and the figures of both,
    his own last.
    """
    clip = make_demo_clip(folder / "clip.mp4")
    line = LineConditions(delay_s=DELAY_S, overhead=-ETHERNET)
    words = ["--in", str(clip), "--loop", "--kbps", "16"]
    with call(line, folder, words) as (programs, _):
        time.sleep(seconds)
    with Decoder() as decoder, (folder / "two.fwire").open("rb") as file:
        outputs = [output for packet in Reader(file) for output in decoder.decode(packet)]
        outputs += decoder.flush()
    pictures = [output for output in outputs if isinstance(output, PictureOutput)]
    return pictures, [program.rows() for program in programs]


def sheet(pictures: list[PictureOutput], rows: list[list[dict[str, Any]]]) -> Frame:
    """The pictures in full rows of `COLUMNS`, each with its caption: uint8 RGB `[H, W, 3]`."""
    peer, own = (min(row["time"] - row["call"]["own_s"] for row in side) for side in rows)
    cells = []
    for before, row in pairwise(rows[1]):
        shown, heard = row["call"]["picture_s"], row["call"]["sound_s"]
        due = (len(cells) + 1) * EVERY_S
        if shown is None or heard is None or row["seconds"] < due:
            continue
        nearest = min(pictures, key=lambda one: abs(float(one.pts) - shown))
        passed = row["seconds"] - before["seconds"]
        kbps = 8 * (row["line"]["received_bytes"] - before["line"]["received_bytes"]) / 1000
        age = row["call"]["own_s"] + own - peer - heard - DELAY_S
        caption = f"{row['seconds']:.0f} s: {kbps / passed:.1f} kbit/s, sound {1000 * age:.0f} ms"
        cells.append(_cell(nearest.frame, caption))
    whole = len(cells) - len(cells) % COLUMNS
    return np.vstack([np.hstack(cells[at : at + COLUMNS]) for at in range(0, whole, COLUMNS)])


def _cell(frame: Frame, caption: str) -> Frame:
    """A picture with its caption below."""
    cell = np.full((frame.shape[0] + CAPTION, frame.shape[1] + 8, 3), 255, np.uint8)
    cell[: frame.shape[0], 4:-4] = frame
    place = (8, frame.shape[0] + 18)
    cv2.putText(cell, caption, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return cell


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, help="a .jpg or .png file")
    parser.add_argument("--seconds", type=float, default=22.0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        picture = sheet(*hold(Path(folder), args.seconds))
    cv2.imwrite(str(args.out), picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main()
