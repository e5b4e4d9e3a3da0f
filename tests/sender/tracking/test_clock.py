"""One clock: files that are glued, cut, moved and overlapped."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from facewire.sender.tracking.capture import SAMPLE_RATE, Capture
from facewire.sender.tracking.clock import Clock, Stamps

from ..conftest import write_video
from .recordings import AAC, X264, assert_in_sync, ffmpeg, join, moved, pcm_of, record

NO_B = (*X264, "-bf", "0", *AAC)
WEBM = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus")


def seconds(capture: Capture) -> float:
    return len(pcm_of(capture)) / SAMPLE_RATE


@pytest.mark.parametrize("words", [(), NO_B])
def test_glued_transport_streams(tmp_path: Path, words: tuple[str, ...]) -> None:
    parts = [record(tmp_path / f"{n}.ts", 3, *words, start=3 * n) for n in range(2)]
    capture = Capture(join(tmp_path / "both.ts", *parts))
    times = [time for _, time in capture.frames()]
    assert times == [Fraction(n, 25) for n in range(150)]
    assert capture.info.timing.constant
    assert seconds(capture) == pytest.approx(6, abs=0.05)
    assert_in_sync(capture, 11)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.webm", (*WEBM, "-f", "webm", "-live", "1")),
        ("a.mpg", ("-c:v", "mpeg2video", "-q:v", "2", "-c:a", "mp2")),
        ("a.ts", ()),
    ],
)
def test_three_glued_of_other_kinds(tmp_path: Path, name: str, words: tuple[str, ...]) -> None:
    part = record(tmp_path / name, 2, *words)
    capture = Capture(join(tmp_path / f"all{part.suffix}", part, part, part))
    assert len(list(capture.frames())) == 150
    assert seconds(capture) == pytest.approx(6, abs=0.15)
    assert_in_sync(capture, 10)


@pytest.mark.parametrize("words", [(), NO_B])
@pytest.mark.parametrize("overlap", [0.04, 0.08, 0.5])
def test_overlapping_transport_streams(
    tmp_path: Path, words: tuple[str, ...], overlap: float
) -> None:
    start = 3 - overlap
    first = record(tmp_path / "a.ts", 3, *words)
    second = record(
        tmp_path / "b.ts", 3, *(words or (*X264, *AAC)), "-output_ts_offset", start, start=start
    )
    capture = Capture(join(tmp_path / "both.ts", first, second))
    times = [time for _, time in capture.frames()]
    assert 147 <= len(times) <= 150
    assert times == sorted(set(times))
    assert_in_sync(capture, 10)


def test_recordings_that_begin_anew_and_show_the_same_twice(tmp_path: Path) -> None:
    """Their stamps do not tell that 80 ms are in both: all frames of both come, in sync."""
    first = record(tmp_path / "a.ts", 3.08)
    second = record(tmp_path / "b.ts", 3, start=3)
    capture = Capture(join(tmp_path / "both.ts", first, second))
    times = [time for _, time in capture.frames()]
    assert times == [Fraction(n, 25) for n in range(77 + 75)]
    assert seconds(capture) == pytest.approx(6.08, abs=0.05)
    assert_in_sync(capture, 11)


LIVE = (*WEBM, "-f", "webm", "-live", "1")
PIECES = (*X264, *AAC, "-movflags", "frag_keyframe+empty_moov")  # FFmpeg reads the first one twice
OGG = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libvorbis")
ASF = ("-c:v", "msmpeg4", "-q:v", "2", "-c:a", "wmav2")


@pytest.mark.parametrize(
    ("name", "first", "second", "read"),
    [
        ("a.webm", LIVE, WEBM, 1),
        ("a.webm", WEBM, LIVE, 2),
        ("a.webm", WEBM, WEBM, 2),
        ("a.mp4", (*X264, *AAC), (*X264, *AAC), 1),
        ("a.mp4", (*X264, *AAC, "-movflags", "+faststart"), (*X264, *AAC), 1),
        ("a.mp4", PIECES, PIECES, 1),
        ("a.flv", (*X264, *AAC), (*X264, *AAC), 1),
        ("a.ogg", OGG, OGG, 1),
        ("a.wmv", ASF, ASF, 1),
        ("a.ts", (), (), 2),
    ],
)
def test_a_second_recording_that_is_not_read_is_said(
    tmp_path: Path,
    name: str,
    first: tuple[str, ...],
    second: tuple[str, ...],
    read: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    parts = [
        record(tmp_path / f"{number}{name}", 1, *words)
        for number, words in enumerate((first, second))
    ]
    for part in parts:
        assert len(list(Capture(part).frames())) == 25
    assert not caplog.messages
    capture = Capture(join(tmp_path / name, *parts))
    assert len(list(capture.frames())) == 25 * read
    size = parts[1].stat().st_size
    said = f"a second recording begins {size} bytes before its end"
    assert (said in caplog.text) == (read == 1)


@pytest.mark.parametrize("container", ["mkv", "mp4", "ts"])
@pytest.mark.parametrize("by", [3600, 40])
@pytest.mark.parametrize("what", [("audio",), ("video",)])
def test_one_stream_that_jumps_alone(
    tmp_path: Path, container: str, by: float, what: tuple[str, ...]
) -> None:
    source = record(tmp_path / "a.mp4", 4, *NO_B)
    capture = Capture(moved(source, tmp_path / f"b.{container}", what, 2, by))
    assert len(list(capture.frames())) == 100
    assert float(capture.info.timing.duration_s) == pytest.approx(4, abs=0.1)
    assert seconds(capture) == pytest.approx(4, abs=0.1)
    assert_in_sync(capture, 7)


def test_the_end_of_the_sound_moved_by_an_hour(tmp_path: Path) -> None:
    source = record(tmp_path / "a.mp4", 4, *NO_B)
    capture = Capture(moved(source, tmp_path / "b.mkv", ("audio",), 3.9, 3600))
    assert seconds(capture) == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize(("container", "pause"), [("mkv", 40), ("mp4", 40), ("ts", 0)])
def test_a_pause_of_both_is_kept_where_stamps_mean_it(
    tmp_path: Path, container: str, pause: float
) -> None:
    source = record(tmp_path / "a.mp4", 4, *NO_B)
    file = moved(source, tmp_path / f"b.{container}", ("audio", "video"), 2, 40)
    capture = Capture(file)
    times = [float(time) for _, time in capture.frames()]
    assert len(times) == 100
    assert times[-1] == pytest.approx(3.96 + pause, abs=0.05)
    assert_in_sync(capture, 7)
    # A stream's 16-bit stamps can say the pause.
    timing = capture.info.timing
    assert max(np.diff([timing.ticks(Fraction(time)) for time in times])) < 1 << 15


def test_a_year_is_no_pause(tmp_path: Path) -> None:
    source = record(tmp_path / "a.mp4", 4, *NO_B)
    file = moved(source, tmp_path / "b.mkv", ("audio", "video"), 2, 31_536_000)
    assert [time for _, time in Capture(file).frames()][-1] == Fraction(99, 25)


def test_stamps_that_begin_anywhere(tmp_path: Path) -> None:
    """Below zero, where Matroska has none, and before the wrap of 33 bits."""
    source = record(tmp_path / "a.mp4", 4)
    for name, words in (
        ("neg.mkv", ("-output_ts_offset", -1.5, "-avoid_negative_ts", "disabled")),
        ("wrap.ts", ("-output_ts_offset", 95_441)),
    ):
        ffmpeg("-i", source, "-c", "copy", *words, tmp_path / name)
        capture = Capture(tmp_path / name)
        assert len(list(capture.frames())) == 100
        assert seconds(capture) == pytest.approx(4, abs=0.1)
        assert_in_sync(capture, 7)


@pytest.mark.parametrize(
    ("before", "offset"),
    [((1,), 95_441.5), ((50,), 95_443.3), ((50, 95_441), 95_440), ((95_441, 50_000), 95_441.5)],
)
def test_stamps_that_wrap_in_a_later_recording(
    tmp_path: Path, before: tuple[float, ...], offset: float
) -> None:
    parts = [
        record(
            tmp_path / f"{n}.ts",
            3,
            *(*X264, *AAC, "-output_ts_offset", at, "-muxdelay", 0, "-muxpreload", 0),
            start=3 * n,
        )
        for n, at in enumerate((*before, offset))
    ]
    capture = Capture(join(tmp_path / "all.ts", *parts))
    times = [time for _, time in capture.frames()]
    assert times == [Fraction(n, 25) for n in range(75 * len(parts))]
    assert seconds(capture) == pytest.approx(3 * len(parts), abs=0.1)
    assert_in_sync(capture, 6 * len(parts) - 1)


def test_an_edit_list_is_followed(tmp_path: Path) -> None:
    source = record(tmp_path / "a.mp4", 4, *X264, "-g", "250", *AAC)
    ffmpeg("-ss", "1.3", "-i", source, "-c", "copy", tmp_path / "b.mp4")
    capture = Capture(tmp_path / "b.mp4")
    assert len(list(capture.frames())) in (67, 68)
    assert_in_sync(capture, 4)


def test_the_same_stamp_again_and_again(tmp_path: Path) -> None:
    """Stamps that say nothing: the frames are spread evenly, none is lost."""
    path = write_video(tmp_path / "coarse.mkv", pts=[n // 2 for n in range(50)])
    capture = Capture(path)
    times = [time for _, time in capture.frames()]
    assert len(times) == 50
    assert times == sorted(set(times))


def stamps(*, picture: bool, times: list[float], orders: range, step: float) -> Stamps:
    made = Stamps(picture=picture)
    for order, time in zip(orders, times, strict=True):
        made.add(order, time, time, step)
    return made


def test_a_real_gap_is_kept_where_the_other_stream_goes_on() -> None:
    """A screen that stands still for 40 s while somebody speaks."""
    times = [n * 0.5 for n in range(4)] + [42 + n * 0.5 for n in range(4)]
    places = [int(2 * time) * 2 for time in times]
    pictures = Stamps(picture=True)
    for place, time in zip(places, times, strict=True):
        pictures.add(place, time, time, 0.5)
    sound = stamps(
        picture=False, times=[n * 0.5 for n in range(90)], orders=range(1, 181, 2), step=0.5
    )
    clock = Clock([pictures, sound], breaks=True)
    assert {clock.offset(0, n)[0] for n in range(8)} == {0}
    assert {clock.offset(1, n)[0] for n in range(90)} == {0}


def test_sound_that_leaps_and_comes_back() -> None:
    pictures = stamps(
        picture=True, times=[n * 0.1 for n in range(100)], orders=range(0, 200, 2), step=0.1
    )
    times = [n * 0.1 + (3600 if 30 <= n < 60 else 0) for n in range(100)]
    sound = stamps(picture=False, times=times, orders=range(1, 201, 2), step=0.1)
    clock = Clock([pictures, sound], breaks=False)
    assert {round(clock.offset(0, n)[0]) for n in range(100)} == {0}
    mended = [times[n] + clock.offset(1, n)[0] for n in range(100)]
    assert mended == pytest.approx([n * 0.1 for n in range(100)], abs=1e-6)
