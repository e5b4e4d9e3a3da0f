"""Which sound, and how many channels become one."""

from __future__ import annotations

import logging
from pathlib import Path

import av
import numpy as np
import pytest

from facewire.codec.errors import ConfigError
from facewire.sender.tracking.capture import SAMPLE_RATE, Capture
from facewire.sender.tracking.mixing import mono, weights

from .recordings import ffmpeg, pcm_of

TONE = "0.9*sin(880*2*PI*t)"


def with_sound(path: Path, *tracks: str, layout: str = "", codec: str = "pcm_f32le") -> Path:
    """A video of 2 s with sound tracks, each given as FFmpeg's expressions of its channels."""
    inputs: list[object] = ["-f", "lavfi", "-i", "color=c=gray:s=64x64:r=25:d=2"]
    for track in tracks:
        named = f":c={layout}" if layout else ""
        inputs += ["-f", "lavfi", "-i", f"aevalsrc='{track}':s=48000:d=2{named}"]
    maps = [word for n in range(len(tracks) + 1) for word in ("-map", n)]
    ffmpeg(*inputs, *maps, "-c:v", "ffv1", "-c:a", codec, path)
    return path


def level(pcm: np.ndarray) -> float:
    """Largest magnitude in the middle, where filters have settled."""
    return float(np.abs(pcm[SAMPLE_RATE // 2 : 3 * SAMPLE_RATE // 2]).max())


@pytest.mark.parametrize(
    ("layout", "count"),
    [("mono", 1), ("stereo", 2), ("quad", 4), ("4.0", 4), ("7.1", 8), ("", 10)],
)
def test_equal_channels_keep_their_level(tmp_path: Path, layout: str, count: int) -> None:
    capture = Capture(with_sound(tmp_path / "a.mkv", "|".join([TONE] * count), layout=layout))
    pcm = pcm_of(capture)
    assert len(pcm) == 2 * SAMPLE_RATE
    assert level(pcm) == pytest.approx(0.9, abs=0.02)
    assert not (np.abs(pcm) >= 1).any()


def test_full_scale_of_5_1_does_not_clip(tmp_path: Path) -> None:
    channels = "|".join(["sin(880*2*PI*t)"] * 6)
    pcm = pcm_of(Capture(with_sound(tmp_path / "a.mkv", channels, layout="5.1")))
    assert level(pcm) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("count", range(1, 17))
def test_weights_sum_to_one(count: int) -> None:
    names = ["FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR", *(f"AMBI{n}" for n in range(8))]
    for some in (names[:count], names[16 - count :], ["LFE"] * count):
        assert weights(some).sum() == pytest.approx(1)
        assert (weights(some) >= 0).all()


@pytest.mark.parametrize("other", ["-0.9*sin(880*2*PI*t)", "-0.8*sin(880*2*PI*t)"])
def test_opposite_channels_do_not_cancel(
    tmp_path: Path, other: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = with_sound(tmp_path / "a.mkv", f"{TONE}|{other}", layout="stereo")
    assert level(pcm_of(Capture(path))) == pytest.approx(0.9, abs=0.02)
    assert "cancel each other out" in caplog.text


@pytest.mark.parametrize("format_", ["u8", "s16", "s16p", "s32", "s32p", "flt", "fltp", "dblp"])
def test_every_sample_format_has_one_full_scale(format_: str) -> None:
    frame = av.AudioFrame(format=format_, layout="stereo", samples=64)
    kind = frame.to_ndarray().dtype
    half = {"u": 192, "i": 2 ** (8 * kind.itemsize - 2), "f": 0.5}[kind.kind]
    array = np.full_like(frame.to_ndarray(), half)
    frame = av.AudioFrame.from_ndarray(array, format=format_, layout="stereo")
    assert mono(frame) == pytest.approx(np.full(64, 0.5), abs=1e-6)


def test_the_first_track_that_is_not_silent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As OBS records: the desktop on the first track, the microphone on the second."""
    path = with_sound(tmp_path / "a.mkv", "0", "0.5*sin(880*2*PI*t)", "0.2*sin(880*2*PI*t)")
    assert level(pcm_of(Capture(path))) == pytest.approx(0.5, abs=0.02)
    assert "track 2 is sent" in caplog.text
    assert level(pcm_of(Capture(path, audio_track=3))) == pytest.approx(0.2, abs=0.02)
    assert "silent from beginning" not in caplog.text
    assert level(pcm_of(Capture(path, audio_track=1))) == 0
    assert "silent from beginning to end" in caplog.text


@pytest.mark.parametrize("number", [0, -1, 2])
def test_a_track_that_is_not_there(tmp_path: Path, number: int) -> None:
    path = with_sound(tmp_path / "a.mkv", TONE)
    with pytest.raises(ConfigError, match="1 sound track: there is no track"):
        Capture(path, audio_track=number)
    with pytest.raises(ConfigError, match="no sound"):
        Capture(with_sound(tmp_path / "b.mkv"), audio_track=1)


def test_silence_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = with_sound(tmp_path / "a.mkv", "0", "0")
    with caplog.at_level(logging.WARNING):
        assert not pcm_of(Capture(path)).any()
    assert "silent from beginning to end" in caplog.text


def test_a_track_with_a_click_or_a_constant_alone_is_silent(tmp_path: Path) -> None:
    for number, silent in enumerate(("0.5*lt(t,0.002)", "0.05")):
        path = with_sound(tmp_path / f"{number}.mkv", silent, TONE)
        assert level(pcm_of(Capture(path))) > 0.5


@pytest.mark.parametrize(("late", "said"), [(0.2, ""), (1, "1.0 s of it"), (20, "2.0 s of it")])
def test_sound_before_the_pictures_is_left_out_and_that_is_said(
    tmp_path: Path, late: float, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = with_sound(tmp_path / "a.mkv", TONE)
    path = tmp_path / "late.mkv"
    ffmpeg(
        "-itsoffset",
        late,
        "-i",
        source,
        "-i",
        source,
        "-map",
        "0:v",
        "-map",
        "1:a",
        "-c",
        "copy",
        path,
    )
    pcm = pcm_of(Capture(path))
    assert len(pcm) / SAMPLE_RATE == pytest.approx(max(0, 2 - late), abs=0.02)
    assert said in caplog.text
    assert bool(caplog.messages) == bool(said)
    assert "silent" not in caplog.text
