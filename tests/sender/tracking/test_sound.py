"""Which sound, and how many channels become one."""

from __future__ import annotations

import logging
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from facewire.codec.errors import ConfigError
from facewire.sender.tracking.capture import SAMPLE_RATE, Capture
from facewire.sender.tracking.mixing import Mixer, channels, weights

from .recordings import ffmpeg, pcm_of

TONE = "0.9*sin(880*2*PI*t)"


def with_sound(path: Path, *tracks: str, layout: str = "", seconds: int = 2) -> Path:
    """A video with sound tracks, each given as FFmpeg's expressions of its channels."""
    inputs: list[object] = ["-f", "lavfi", "-i", f"color=c=gray:s=64x64:r=25:d={seconds}"]
    for track in tracks:
        named = f":c={layout}" if layout else ""
        inputs += ["-f", "lavfi", "-i", f"aevalsrc='{track}':s=48000:d={seconds}{named}"]
    maps = [word for n in range(len(tracks) + 1) for word in ("-map", n)]
    ffmpeg(*inputs, *maps, "-c:v", "ffv1", "-c:a", "pcm_f32le", path)
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


def mixed(
    *sound: np.ndarray, frame: int = 1024, layout: str = "stereo", rate: int = 48_000
) -> tuple[np.ndarray, Mixer]:
    """Channels, float32 `[n]` each, mixed in frames of so many samples."""
    mixer, pcm, parts = Mixer(), np.stack(sound).astype(np.float32), []
    for start in range(0, pcm.shape[1], frame):
        piece = np.ascontiguousarray(pcm[:, start : start + frame])
        made = av.AudioFrame.from_ndarray(piece, format="fltp", layout=layout)
        made.sample_rate, made.pts, made.time_base = rate, start, Fraction(1, rate)
        parts += list(mixer.push(made))
    parts += list(mixer.flush())
    assert [part.time for part in parts] == [
        Fraction(n, rate) for n in range(0, pcm.shape[1], frame)
    ]
    return np.concatenate([part.pcm for part in parts]), mixer


def tone(seconds: float, hertz: float = 440, rate: int = 48_000) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def between(seconds: float, start: float, end: float, rate: int = 48_000) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return (time >= start) & (time < end)


@pytest.mark.parametrize("frame", [480, 1024, 65_536])
@pytest.mark.parametrize(("start", "end"), [(0, 6), (3, 6), (3, 4), (2.5, 3)])
def test_channels_that_cancel_for_a_while(frame: int, start: float, end: float) -> None:
    """All of the tone but 40 ms is there, and nothing clicks where one mix becomes another."""
    left = tone(6)
    out, mixer = mixed(left, np.where(between(6, start, end), -left, left), frame=frame)
    assert (np.abs(out - left) > 0.02).sum() < 0.04 * 48_000
    assert np.abs(np.diff(out)).max() < 1.1 * np.abs(np.diff(left)).max()
    assert mixer.cancelled is not None
    assert float(mixer.cancelled) == pytest.approx(start, abs=0.1)


def test_a_weak_first_channel_and_constants_do_not_hide_what_cancels() -> None:
    left, turned = tone(4), between(4, 2, 4)
    out, _ = mixed(0.6 * left + 0.1, np.where(turned, -0.9 * left, 0.6 * left) + 0.1)
    assert np.abs(np.diff(out)).max() < 1.1 * np.abs(np.diff(0.9 * left)).max()
    late = out[3 * 48_000 :]
    assert np.ptp(late) == pytest.approx(0.9, abs=0.02)


def test_the_bass_channel_is_never_the_one_that_is_taken() -> None:
    left, quiet = tone(3), np.zeros(3 * 48_000)
    out, mixer = mixed(left, -left, quiet, 1.9 * tone(3, 60), quiet, quiet, layout="5.1")
    assert mixer.cancelled is not None
    assert out == pytest.approx(left, abs=0.01)


@pytest.mark.parametrize("kind", ["equal", "apart", "beating", "one", "hiss between words"])
def test_channels_that_do_not_cancel_are_mixed_as_they_are(kind: str) -> None:
    noise = np.random.default_rng(3).normal(size=(2, 4 * 48_000)) * 0.1
    left = tone(4)
    right = {
        "equal": left,
        "apart": noise[0],
        "beating": tone(4, 441),  # against the left for a moment in every second
        "one": np.zeros(len(left)),
        "hiss between words": np.where(between(4, 1, 2), 0.01 * noise[1], left),
    }[kind]
    out, mixer = mixed(left, right)
    assert mixer.cancelled is None
    assert out == pytest.approx((left + right) / 2, abs=1e-5)


def test_channels_that_come_and_go() -> None:
    """A track whose number of channels changes keeps all of its sound."""
    mixer, out = Mixer(), []
    for layout, count in (("stereo", 2), ("mono", 1), ("5.1", 6), ("stereo", 2)):
        pcm = np.tile(np.asarray(tone(0.3), np.float32), (count, 1))
        if layout == "stereo":
            pcm[1] *= -1
        made = av.AudioFrame.from_ndarray(pcm, format="fltp", layout=layout)
        made.sample_rate = 48_000
        out += list(mixer.push(made))
    out += list(mixer.flush())
    assert len(out) == 4
    for part in out:
        assert np.abs(part.pcm).max() == pytest.approx(0.5, abs=0.01)


def test_what_cancels_late_in_a_file_is_said_and_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = "if(gt(t,5),-1,1)*0.9*sin(880*2*PI*t)"
    path = with_sound(tmp_path / "a.mkv", f"{TONE}|{other}", layout="stereo", seconds=8)
    capture = Capture(path)
    assert not caplog.messages
    pcm = pcm_of(capture)
    assert len(pcm) == 8 * SAMPLE_RATE
    assert np.abs(pcm[6 * SAMPLE_RATE : 7 * SAMPLE_RATE]).max() == pytest.approx(0.9, abs=0.02)
    assert "from 5.0 s on, the channels of its sound cancel each other out" in caplog.text


@pytest.mark.parametrize("format_", ["u8", "s16", "s16p", "s32", "s32p", "flt", "fltp", "dblp"])
def test_every_sample_format_has_one_full_scale(format_: str) -> None:
    frame = av.AudioFrame(format=format_, layout="stereo", samples=64)
    kind = frame.to_ndarray().dtype
    half = {"u": 192, "i": 2 ** (8 * kind.itemsize - 2), "f": 0.5}[kind.kind]
    array = np.full_like(frame.to_ndarray(), half)
    frame = av.AudioFrame.from_ndarray(array, format=format_, layout="stereo")
    assert channels(frame) == pytest.approx(np.full((2, 64), 0.5), abs=1e-6)


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
