"""Mirrors, turns, colours."""

from __future__ import annotations

import gc
from pathlib import Path

import av
import numpy as np
import pytest

from facewire.sender.tracking.capture import Capture

from .recordings import X264, ffmpeg

# Four quarters: red green / blue white.
_SCENE = (
    "color=c=red:s=96x64:r=25:d=0.2[a];color=c=lime:s=96x64:r=25:d=0.2[b];"
    "color=c=blue:s=96x64:r=25:d=0.2[c];color=c=white:s=96x64:r=25:d=0.2[d];"
    "[a][b]hstack[t];[c][d]hstack[u];[t][u]vstack"
)


def first(path: Path) -> np.ndarray:
    return next(Capture(path).frames())[0].astype(int)


@pytest.mark.parametrize("container", ["mp4", "mkv"])
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("mirror", [(), ("-display_hflip",), ("-display_vflip",)])
def test_what_a_display_matrix_says(
    tmp_path: Path, container: str, turn: int, mirror: tuple[str, ...]
) -> None:
    """The right picture is what FFmpeg's own command line makes of the file."""
    plain, marked, baked = tmp_path / "p.mp4", tmp_path / f"m.{container}", tmp_path / "b.mp4"
    ffmpeg("-f", "lavfi", "-i", _SCENE, *X264[:-1], "yuv444p", plain)
    flips = list(mirror)
    ffmpeg("-display_rotation", turn, *flips, "-i", plain, "-c", "copy", marked)
    ffmpeg("-i", marked, *X264[:-1], "yuv444p", baked)
    expected, got = first(baked), first(marked)
    assert got.shape == expected.shape == ((128, 192, 3) if turn % 180 == 0 else (192, 128, 3))
    assert np.abs(got - expected).mean() < 3
    info = Capture(marked).info
    assert (info.height, info.width) == got.shape[:2]


@pytest.mark.parametrize(
    ("size", "matrix"),
    [("1280x544", "bt709"), ("1280x720", "bt709"), ("544x1280", "bt709"), ("640x480", "smpte170m"),
     ("720x576", "smpte170m")],
)  # fmt: skip
def test_the_matrix_of_untagged_video(tmp_path: Path, size: str, matrix: str) -> None:
    made = f"color=c=0x30A020:s={size}:r=25:d=0.1,format=gbrp,scale=out_color_matrix={matrix}"
    made += ",format=yuv444p,setparams=colorspace=unknown:color_primaries=unknown:color_trc=unknown"
    ffmpeg("-f", "lavfi", "-i", made, "-c:v", "ffv1", tmp_path / "a.mkv")
    assert np.abs(first(tmp_path / "a.mkv") - [0x30, 0xA0, 0x20]).max() <= 2


def test_interlaced_pictures_have_no_comb_and_others_stay(tmp_path: Path) -> None:
    moving = "color=c=gray:s=320x240:r=50:d=0.4[a];color=c=white:s=60x100:r=50:d=0.4[b];"
    moving += "[a][b]overlay=x='20+600*t':y=70"
    fields, woven, plain = (tmp_path / name for name in ("f.mkv", "w.ts", "p.ts"))
    ffmpeg("-f", "lavfi", "-i", moving, "-c:v", "ffv1", "-pix_fmt", "yuv420p", fields)
    mpeg = ("-c:v", "mpeg2video", "-q:v", "1", "-bf", "0", "-pix_fmt", "yuv420p")
    weave = ("-vf", "interlace=scan=tff:lowpass=off", *mpeg)
    ffmpeg("-i", fields, *weave, "-flags", "+ilme+ildct", woven)
    ffmpeg("-i", fields, *weave, plain)  # the same comb, and nothing says that it is one
    times = [frame.astype(int) for frame, _ in Capture(fields).frames()][::2]

    def off(path: Path) -> float:
        frames = [frame.astype(int) for frame, _ in Capture(path).frames()]
        pairs = list(zip(frames, times, strict=False))[2:]
        return float(np.mean([np.abs(a[60:180] - b[60:180]).mean() for a, b in pairs]))

    assert off(woven) < off(plain) / 2


def alive() -> int:
    """Frames that exist; arrays of other tests may hold some."""
    return sum(type(found) is av.VideoFrame for found in gc.get_objects())


def test_frames_do_not_wait_for_the_garbage_collector(clip: Path) -> None:
    """PyAV ties a frame and its side data to each other, once that was looked at."""
    gc.collect()
    gc.disable()
    try:
        before = alive()
        count = sum(1 for _ in Capture(clip).frames())
        after = alive()
    finally:
        gc.enable()
    assert count > 10
    assert after - before < 6
