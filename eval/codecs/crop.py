"""The clip as a video file that loses nothing, for the commands that read a video."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from ...codec.sound.opus import SAMPLE_RATE
from ...codec.whole_file import whole_path
from ..clips import Clip

__all__ = ["write_crop"]


def write_crop(clip: Clip, folder: Path) -> Path:
    """Write `crop.mkv`: the clip's raw frames (FFV1, RGB) and its sound (PCM), once a folder."""
    path = folder / "crop.mkv"
    if path.exists():
        return path
    with whole_path(path, overwrite=True) as draft, av.open(str(draft), "w") as file:
        video = file.add_stream("ffv1", rate=clip.fps)
        video.width, video.height, video.pix_fmt = clip.width, clip.height, "bgr0"
        pcm = clip.pcm()
        audio = file.add_stream("pcm_f32le", rate=SAMPLE_RATE, layout="mono") if len(pcm) else None
        for rgb in clip.rgb():
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
            file.mux(video.encode(picture.reformat(format="bgr0")))
        file.mux(video.encode(None))
        if audio is not None:
            sound = av.AudioFrame.from_ndarray(pcm[None], format="flt", layout="mono")
            sound.sample_rate = SAMPLE_RATE
            file.mux(audio.encode(sound))
            file.mux(audio.encode(None))
    return path
