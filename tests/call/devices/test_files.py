"""Files in place of devices, with a clock that the tests hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facewire.call.devices.echo import open_canceller
from facewire.call.devices.files import FileSink, FileSource
from facewire.codec.errors import NotAVideoError, OutputExistsError
from facewire.sender.tracking.capture import Capture


def test_a_video_at_the_pace_of_the_clock(clip: Path) -> None:
    source = FileSource(clip)
    times = [100.0 + n * 0.01 for n in range(330)]
    seen, heard = 0, 0
    for now in times:
        seen += source.look(now) is not None
        heard += len(source.listen(now))
        if now < 102.5:
            assert not source.ended
    assert seen == Capture(clip).info.timing.frames
    assert abs(heard - 3.29 * 16000) <= 1  # silence after the end
    assert source.ended
    source.close()


def test_late_calls_skip_pictures_and_keep_sound(clip: Path) -> None:
    source = FileSource(clip)
    source.look(0.0)
    source.listen(0.0)
    taken = source.look(0.41)
    assert taken is not None
    assert taken.at == pytest.approx(0.4)  # that picture of the film is 0.4 s after its start
    assert source.look(0.41) is None
    assert len(source.listen(0.41)) == 6560
    source.look(60.0)  # the program stood still, and so did the film
    assert len(source.listen(60.0)) == pytest.approx(8000, abs=1)
    assert not source.ended
    assert 0 <= source.level <= 1


def test_a_loop(clip: Path) -> None:
    source = FileSource(clip, loop=True)
    seen = sum(source.look(n * 0.02) is not None for n in range(400))  # 8 s of 3
    assert seen > 150
    assert not source.ended


def test_no_video(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("no")
    with pytest.raises(NotAVideoError):
        FileSource(tmp_path / "a.mp4")


def test_a_sink_writes_what_was_shown_when_it_was(tmp_path: Path) -> None:
    path = tmp_path / "seen.mp4"
    sink = FileSink(path)
    rng = np.random.default_rng(0)
    for tick in range(200):
        now = 50 + tick * 0.01
        wanted = sink.wants(now)
        if wanted:
            sink.play((0.1 * np.sin(np.arange(wanted) * 0.2)).astype(np.float32))
        if tick >= 50 and tick % 4 == 0:
            sink.show(rng.integers(0, 255, (65, 64, 3), np.uint8), now)
    sink.show(np.zeros((128, 128, 3), np.uint8), 52.0)  # another size
    sink.close()
    written = Capture(path)
    assert (written.info.width, written.info.height) == (64, 64)
    assert written.info.timing.frames == sink.pictures == 38
    assert written.info.has_sound
    with pytest.raises(OutputExistsError):
        FileSink(path).show(np.zeros((64, 64, 3), np.uint8), 0.0)
    other = FileSink(path, overwrite=True)
    other.show(np.zeros((64, 64, 3), np.uint8), 0.0)
    other.close()
    assert Capture(path).info.timing.frames == 1


def test_a_sink_does_not_catch_up_after_a_long_pause() -> None:
    sink = FileSink(Path("unused.mp4"))
    assert sink.wants(0.0) == 0
    assert sink.wants(0.1) == 1600
    assert sink.wants(60.0) == 320
    sink.close()


def test_echo() -> None:
    """A voice from the loudspeaker that the microphone hears 100 ms later, 3 dB softer."""
    canceller = open_canceller()
    if canceller is None:
        pytest.skip("livekit is not installed")
    rng = np.random.default_rng(0)
    far = rng.standard_normal(16000 * 8).astype(np.float32)
    far *= np.repeat(rng.random(80) > 0.4, 1600) * 0.1
    echo = 0.7 * np.concatenate([np.zeros(1600, np.float32), far])[: len(far)]
    out = []
    for at in range(0, len(far), 320):
        canceller.played(far[at : at + 320])
        out.append(canceller.clean(echo[at : at + 320]))
    cleaned = np.concatenate(out)
    before, after = np.mean(echo[-32000:] ** 2), np.mean(cleaned[-32000:] ** 2)
    assert after < before / 100  # 20 dB
