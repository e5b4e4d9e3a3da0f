"""HDR looks like the standard video that it was made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facewire.sender.tracking.capture import Capture
from facewire.sender.tracking.tone_mapping import WIDE, ToneMapper

from .recordings import ffmpeg

_SCENE = "mandelbrot=s=192x128:r=25:end_pts=400,trim=duration=0.2,format=gbrp"
_TAGS = "colorprim=bt2020:transfer={0}:colormatrix=bt2020nc:log-level=error"


def frames(path: Path) -> np.ndarray:
    return np.stack([frame for frame, _ in Capture(path).frames()]).astype(int)


@pytest.mark.parametrize(("transfer", "name"), [("arib-std-b67", "HLG"), ("smpte2084", "PQ")])
@pytest.mark.parametrize("white", ["", ":npl=203"])
def test_within_three_levels(tmp_path: Path, transfer: str, name: str, white: str) -> None:
    sdr, hdr = tmp_path / "sdr.mkv", tmp_path / "hdr.mp4"
    ffmpeg("-f", "lavfi", "-i", _SCENE, "-c:v", "ffv1", sdr)
    to_hdr = f"zscale=min=gbr:rin=full:pin=709:tin=709:p=2020:t={transfer}:m=2020_ncl:r=tv{white}"
    coded = ("-c:v", "libx265", "-crf", 3, "-x265-params", _TAGS.format(transfer))
    ffmpeg("-i", sdr, "-vf", f"{to_hdr},format=yuv444p10le", *coded, hdr)
    capture = Capture(hdr)
    assert capture.info.hdr == name
    assert Capture(sdr).info.hdr is None
    before, after = frames(sdr), frames(hdr)
    assert before.shape == after.shape
    assert abs(after.mean() - before.mean()) <= 3
    assert np.abs(after - before).mean() <= 3


@pytest.mark.parametrize("name", ["HLG", "PQ"])
def test_highlights_are_compressed_and_keep_their_order(name: str) -> None:
    import av

    ramp = np.tile(np.linspace(0, 65535, 256).astype(np.uint16)[None, :, None], (16, 1, 3))
    frame = av.VideoFrame.from_ndarray(ramp, format=WIDE)
    mapped = ToneMapper(name, [ramp]).apply(frame).to_ndarray()[0].astype(int)
    assert np.ptp(mapped, axis=1).max() <= 1  # grey stays grey
    grey = mapped[:, 0]
    assert (np.diff(grey) >= 0).all()
    assert (grey[0], grey[-1]) == (0, 255)
    assert len(set(grey)) > 100
