from __future__ import annotations

import errno
import gc
import io
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from facewire.codec.errors import (
    ConfigError,
    FacewireError,
    MediaError,
    OutputError,
    OutputExistsError,
    StreamError,
)
from facewire.codec.file.container import Reader, Writer
from facewire.codec.packet import Kind
from facewire.receiver.decoder import Decoder
from facewire.receiver.files.player import decode_file, file_config
from facewire.receiver.files.side_by_side import InputFrames
from facewire.receiver.files.writer import SYNTHETIC, VideoWriter
from facewire.receiver.outputs import PictureOutput


def read(path: Path) -> tuple[list[Fraction], list[npt.NDArray[np.uint8]]]:
    times, frames = [], []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            assert frame.pts is not None
            assert frame.time_base is not None
            times.append(frame.pts * frame.time_base)
            frames.append(frame.to_ndarray(format="rgb24").astype(np.uint8))
    return times, frames


def hear(path: Path) -> npt.NDArray[np.float32]:
    """Sound on the file's clock: samples before 0 (the coder's priming) cut off."""
    with av.open(str(path)) as container:
        pieces = []
        for frame in container.decode(audio=0):
            assert frame.pts is not None
            pieces.append(frame.to_ndarray()[0][max(0, -frame.pts) :])
    return np.concatenate(pieces)


def seconds(stream: Any) -> float:
    return float(stream.duration * stream.time_base)


def make_video(path: Path, frames: int, size: tuple[int, int] = (120, 160)) -> Path:
    with VideoWriter(path, size, Fraction(25), Fraction(1, 25), sound=False) as writer:
        for index in range(frames):
            picture = np.full((*size, 3), 5 * index, np.uint8)
            writer.picture(picture, Fraction(index, 25))
    return path


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_frames_duration_and_sound_of_the_stream(
    tmp_path: Path, synthetic: Any, generator: Any
) -> None:
    source = synthetic(frames=60).write(tmp_path / "a.fwire")
    seen: list[tuple[int, int | None]] = []
    report = decode_file(
        source,
        tmp_path / "a.mp4",
        generator=generator,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert (report.frames, report.damaged, report.truncated) == (60, 0, False)
    assert seen[-1][1] == 60
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    with av.open(str(tmp_path / "a.mp4")) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert seconds(video) == pytest.approx(60 / 25, abs=1e-3)
        assert seconds(sound) == pytest.approx(60 / 25, abs=0.04)
        assert video.codec_context.name == "h264"
        assert sound.codec_context.name == "aac"
        assert container.metadata["comment"] == SYNTHETIC
    times, frames = read(tmp_path / "a.mp4")
    assert times == [Fraction(n, 25) for n in range(60)]
    assert abs(int(frames[30][10, 10].mean()) - 30) <= 3


def test_the_filling_of_the_last_sound_packet_is_left_out(
    tmp_path: Path, synthetic: Any, generator: Any
) -> None:
    source = synthetic(frames=31, sound_ms=120).write(tmp_path / "a.fwire")  # 1.24 of 1.32 s
    decode_file(source, tmp_path / "a.mp4", generator=generator)
    with av.open(str(tmp_path / "a.mp4")) as container:
        heard = sum(frame.samples for frame in container.decode(audio=0))
    assert 0 <= heard / 16_000 - 1.24 <= 0.065  # AAC comes in pieces of 64 ms


def test_sound_is_in_sync(tmp_path: Path, synthetic: Any, generator: Any, make_speech: Any) -> None:
    source = synthetic(frames=100).write(tmp_path / "a.fwire")
    decode_file(source, tmp_path / "a.mp4", generator=generator)
    expected = make_speech(4.0)
    got = hear(tmp_path / "a.mp4")[: len(expected)]
    middle = expected[16_000:48_000]
    lags = range(-800, 801)
    scores = [float(got[16_000 + lag : 48_000 + lag] @ middle) for lag in lags]
    assert abs(lags[int(np.argmax(scores))]) <= 16  # a millisecond


def test_variable_frame_rate_keeps_its_times(
    tmp_path: Path, synthetic: Any, generator: Any
) -> None:
    pts = [0, 33, 71, 180, 950, 990, 1031, 9000, 9040]
    stream = synthetic(pts=pts, time_base=Fraction(1, 1000))
    source = stream.write(tmp_path / "a.fwire")
    decode_file(source, tmp_path / "a.mp4", generator=generator)
    times, _ = read(tmp_path / "a.mp4")
    assert [round(float(t) * 1000) for t in times] == pts
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert seconds(container.streams.video[0]) == pytest.approx(9.08, abs=1e-3)


def test_badge_by_default_and_not_when_asked(
    tmp_path: Path, synthetic: Any, generator: Any
) -> None:
    source = synthetic(frames=5, sound=False).write(tmp_path / "a.fwire")
    decode_file(source, tmp_path / "marked.mp4", generator=generator)
    config = file_config(badge=False)
    decode_file(source, tmp_path / "plain.mp4", generator=generator, config=config)
    marked, plain = (read(tmp_path / n)[1][2].astype(int) for n in ("marked.mp4", "plain.mp4"))
    difference = np.abs(marked - plain).max(2)
    assert difference[240:, 230:].max() > 60
    assert difference[:224].max() < 20
    with av.open(str(tmp_path / "plain.mp4")) as container:
        assert container.metadata["comment"] == SYNTHETIC
        assert not container.streams.audio


@pytest.mark.parametrize(
    ("portrait", "performed", "says"),
    [
        ("", False, "its owner's own face"),
        ("Ada, today", False, "another person's face. Consent: Ada, today"),
        ("", True, "Nobody was before a camera"),
        ("Ada, today", True, "shows another person. Consent: Ada, today"),
    ],
)
def test_the_comment_tells_of_a_portrait(
    tmp_path: Path, synthetic: Any, generator: Any, portrait: str, performed: bool, says: str
) -> None:
    stream = synthetic(frames=3, sound=False)
    shows = replace(stream.header(), portrait=portrait, performed=performed)
    with (tmp_path / "a.fwire").open("wb") as file:
        writer = Writer(file)
        for packet in stream.packets():
            stream_packet = packet.kind == Kind.STREAM
            writer.write(shows.to_packet(packet.sequence) if stream_packet else packet)
        writer.close()
    config = file_config(badge=False)
    decode_file(tmp_path / "a.fwire", tmp_path / "a.mkv", generator=generator, config=config)
    with av.open(str(tmp_path / "a.mkv")) as container:
        comment = {key.lower(): value for key, value in container.metadata.items()}["comment"]
    assert comment.startswith(SYNTHETIC)
    assert says in comment


def timed(frames: int, *, size: tuple[int, int] = (120, 160)) -> Iterator[tuple[Any, Fraction]]:
    for index in range(frames):
        yield np.full((*size, 3), 5 * index, np.uint8), Fraction(index, 25)


def test_side_by_side_matches_times(tmp_path: Path, synthetic: Any, generator: Any) -> None:
    source = synthetic(frames=40, sound=False).write(tmp_path / "a.fwire")
    decode_file(source, tmp_path / "b.mp4", generator=generator, side_by_side=timed(40))
    times, frames = read(tmp_path / "b.mp4")
    assert len(times) == 40
    assert frames[0].shape == (256, 342 + 256, 3)
    for index in (0, 7, 25, 39):
        left, right = frames[index][128, 100].mean(), frames[index][10, 400].mean()
        assert abs(left - 5 * index) <= 4
        assert abs(right - index) <= 4


def test_input_frames_stay_after_the_end_and_skip_forward() -> None:
    frames = InputFrames(timed(10), 64, Fraction(1, 50))
    assert frames.at(Fraction(0)).shape == (64, 86, 3)
    assert abs(frames.at(Fraction(6, 25)).mean() - 30) < 4
    assert abs(frames.at(Fraction(99)).mean() - 45) < 4


def test_frames_of_another_size_keep_their_proportions_on_the_canvas() -> None:
    """A recording whose size changes midway: a square stays a square, bars fill the rest."""
    shapes = [(120, 160), (240, 320), (160, 120), (50, 400)]
    frames = ((np.full((*s, 3), 200, np.uint8), Fraction(n)) for n, s in enumerate(shapes))
    shown = InputFrames(frames, 120, Fraction(0))
    for time, (down, across) in enumerate([(120, 160), (120, 160), (120, 90), (20, 160)]):
        picture = shown.at(Fraction(time))
        assert picture.shape == (120, 160, 3)
        assert (picture[:, 80, 0] > 100).sum() == down
        assert (picture[60, :, 0] > 100).sum() == across


def test_nothing_to_show_beside() -> None:
    with pytest.raises(MediaError, match="no frame"):
        InputFrames(iter([]), 64, Fraction(0))


def test_damage_is_counted_and_the_rest_decoded(
    tmp_path: Path, synthetic: Any, generator: Any
) -> None:
    source = synthetic(frames=60, keyframe_every=100).write(tmp_path / "a.fwire")
    data = bytearray(source.read_bytes())
    for place in (0.5, 0.7):
        data[int(len(data) * place)] ^= 0xFF
    source.write_bytes(data)
    report = decode_file(source, tmp_path / "a.mp4", generator=generator)
    assert report.damaged >= 1
    assert report.frames == 60
    assert 1 <= report.statistics.concealed + report.statistics.concealed_audio <= 4
    assert [t * 25 for t in read(tmp_path / "a.mp4")[0]] == list(range(60))


def test_cut_file_plays_up_to_the_cut(tmp_path: Path, synthetic: Any, generator: Any) -> None:
    source = synthetic(frames=50).write(tmp_path / "a.fwire")
    data = source.read_bytes()
    frames = []
    for share in (0.4, 0.7, 0.95):
        source.write_bytes(data[: int(len(data) * share)])
        report = decode_file(source, tmp_path / "a.mp4", generator=generator, overwrite=True)
        assert report.truncated
        frames.append(report.frames)
    assert 0 < frames[0] < frames[1] < frames[2] <= 50


def _play(data: bytes, generator: Any) -> int:
    decoder = Decoder(generator=generator)
    outputs = [o for packet in Reader(io.BytesIO(data)) for o in decoder.decode(packet)]
    outputs += decoder.flush()
    return sum(isinstance(output, PictureOutput) for output in outputs)


@pytest.mark.slow
def test_cut_at_every_byte(tmp_path: Path, synthetic: Any, generator: Any) -> None:
    data = synthetic(frames=3).write(tmp_path / "a.fwire").read_bytes()
    shown = []
    for length in range(0, len(data), 3):
        try:
            shown.append(_play(data[:length], generator))
        except StreamError:
            assert length < 12
    assert shown == sorted(shown)
    assert (shown[0], shown[-1]) == (0, 3)


@pytest.mark.slow
def test_every_byte_of_the_beginning_damaged(
    tmp_path: Path, synthetic: Any, generator: Any
) -> None:
    data = synthetic(frames=3, keyframe_every=2).write(tmp_path / "a.fwire").read_bytes()
    for place in range(200):
        broken = bytearray(data)
        broken[place] ^= 0xFF
        try:
            assert 0 <= _play(bytes(broken), generator) <= 3
        except FacewireError:
            assert place < 12  # the file's own head; a damaged packet is only skipped


def test_recording_joined_late_begins_at_zero(
    tmp_path: Path, synthetic: Any, generator: Any
) -> None:
    packets = synthetic(frames=60, keyframe_every=20, first_pts=5000).packets()
    second = [n for n, p in enumerate(packets) if p.kind == Kind.STREAM][1]
    with (tmp_path / "a.fwire").open("wb") as file:
        writer = Writer(file)
        for packet in packets[second:]:
            writer.write(packet)
        writer.close()
    report = decode_file(tmp_path / "a.fwire", tmp_path / "a.mp4", generator=generator)
    assert report.frames == 40
    times = [int(t * 25) for t in read(tmp_path / "a.mp4")[0]]
    # An Opus packet that was sent late comes first: the file begins with it.
    assert times[0] <= 1
    assert times == list(range(times[0], times[0] + 40))
    assert len(hear(tmp_path / "a.mp4")) / 16000 == pytest.approx(40 / 25, abs=0.11)


def test_sound_long_before_the_first_picture_is_kept(
    tmp_path: Path, synthetic: Any, generator: Any
) -> None:
    """A sender that sees no face for long sends its sound meanwhile."""
    packets = synthetic(frames=400, keyframe_every=1000).packets()
    sound = [p for p in packets if p.kind == Kind.AUDIO]
    others = [p for p in packets if p.kind not in (Kind.AUDIO, Kind.STREAM)]
    header = [p for p in packets if p.kind == Kind.STREAM]
    with (tmp_path / "a.fwire").open("wb") as file:
        writer = Writer(file)
        for number, packet in enumerate([*header, *sound, *others]):
            writer.write(replace(packet, sequence=number))
        writer.close()
    report = decode_file(tmp_path / "a.fwire", tmp_path / "a.mp4", generator=generator)
    assert report.frames == 400
    assert len(hear(tmp_path / "a.mp4")) >= 400 * 640
    assert read(tmp_path / "a.mp4")[0][0] == 0


def test_streams_whose_pictures_come_faster_than_the_ticks_of_the_file(
    tmp_path: Path, synthetic: Any, generator: Any
) -> None:
    """A header may promise that. And a stream may follow another one of longer ticks."""
    wide = {"time_base": Fraction(1, 10), "sound": False}
    streams = [
        synthetic(frames=9, fps=Fraction(1000), pts=[700 * n for n in range(9)], **wide),
        synthetic(frames=40, fps=Fraction(60)),
        synthetic(frames=30, fps=Fraction(1000, 41), time_base=Fraction(1, 1000)),
    ]
    packets = [packet for each in streams for packet in each.packets()]
    with (tmp_path / "a.fwire").open("wb") as file:
        writer = Writer(file)
        for number, packet in enumerate(packets):
            writer.write(replace(packet, sequence=number))
        writer.close()
    report = decode_file(tmp_path / "a.fwire", tmp_path / "a.mp4", generator=generator)
    times, _ = read(tmp_path / "a.mp4")
    assert times == sorted(set(times))
    assert len(times) == report.frames > 5


def test_nothing_to_decode(tmp_path: Path, synthetic: Any, generator: Any) -> None:
    target = tmp_path / "a.mp4"
    stream = synthetic(frames=5)
    for name, kinds, sentence in (
        ("empty", (), "no stream header"),
        ("header", (Kind.STREAM,), "no picture"),
        ("sound", (Kind.STREAM, Kind.AUDIO), "no picture"),
        ("motion", (Kind.STREAM, Kind.MOTION), "no picture"),
    ):
        source = tmp_path / f"{name}.fwire"
        with source.open("wb") as file:
            writer = Writer(file)
            for packet in stream.packets():
                if packet.kind in kinds:
                    writer.write(packet)
            writer.close()
        with pytest.raises(StreamError, match=sentence):
            decode_file(source, target, generator=generator)
    source.write_bytes(b"")
    with pytest.raises(StreamError):
        decode_file(source, target, generator=generator)
    assert not target.exists()
    assert not [name for name in leftovers(tmp_path) if name.endswith(".part")]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "disk full")])
def test_nothing_under_the_final_name_after_a_failure(
    error: BaseException, tmp_path: Path, synthetic: Any, generator: Any
) -> None:
    source = synthetic(frames=40).write(tmp_path / "a.fwire")

    def fail(done: int, total: int | None) -> None:
        if done > 10:
            raise error

    with pytest.raises(type(error)):
        decode_file(source, tmp_path / "a.mp4", generator=generator, progress=fail)
    assert leftovers(tmp_path) == ["a.fwire"]
    (tmp_path / "a.mp4").write_bytes(b"older")
    with pytest.raises(OutputExistsError):
        decode_file(source, tmp_path / "a.mp4", generator=generator)
    with pytest.raises(type(error)):
        decode_file(source, tmp_path / "a.mp4", generator=generator, progress=fail, overwrite=True)
    assert (tmp_path / "a.mp4").read_bytes() == b"older"


def _write_noise(target: Path, rng: np.random.Generator) -> None:
    with VideoWriter(target, (64, 64), Fraction(25), Fraction(1, 25), sound=True) as writer:
        failures: list[OSError] = []
        for index in range(60):
            try:
                writer.picture(rng.integers(0, 255, (64, 64, 3), np.uint8), Fraction(index, 25))
                writer.sound(np.zeros(640, np.float32), Fraction(index, 25))
            except OSError as error:  # a caller that goes on gets the same again, and no crash
                failures.append(error)
        assert len(failures) > 2
        assert len({id(error) for error in failures}) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_an_os_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.mp4"
    real = av.open

    def full(name: str, *args: Any, **kwargs: Any) -> Any:
        Path(name).symlink_to("/dev/full")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(av, "open", full)
    rng = np.random.default_rng(0)
    with pytest.raises(OSError):
        _write_noise(target, rng)
    assert leftovers(tmp_path) == []


def test_what_ffmpeg_refuses_is_a_sentence_about_the_users_file(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"

    def backwards() -> None:
        with VideoWriter(target, (64, 64), Fraction(25), Fraction(1, 25), sound=False) as writer:
            for index in range(60):
                writer.picture(np.zeros((64, 64, 3), np.uint8), Fraction(60 - index, 25))

    with pytest.raises(MediaError, match=r"a\.mp4 cannot be written") as caught:
        backwards()
    assert ".facewire" not in str(caught.value)
    assert leftovers(tmp_path) == []


def test_targets_that_cannot_be(tmp_path: Path, synthetic: Any, generator: Any) -> None:
    source = synthetic(frames=2, sound=False).write(tmp_path / "a.fwire")
    with pytest.raises(ConfigError, match="is an input"):
        decode_file(source, source, generator=generator)
    with pytest.raises(ConfigError, match="must end in"):
        decode_file(source, tmp_path / "a.avi", generator=generator)
    with pytest.raises(OutputError, match="does not exist"):
        decode_file(source, tmp_path / "nowhere" / "a.mp4", generator=generator)
    with pytest.raises(FileNotFoundError):
        decode_file(tmp_path / "none.fwire", tmp_path / "a.mp4", generator=generator)


@pytest.mark.parametrize("suffix", [".mkv", ".mov", ".m4v"])
def test_other_containers(suffix: str, tmp_path: Path, synthetic: Any, generator: Any) -> None:
    source = synthetic(frames=10).write(tmp_path / "a.fwire")
    target = tmp_path / f"a{suffix}"
    decode_file(source, target, generator=generator)
    times, _ = read(target)
    assert [round(float(t) * 1000) for t in times] == [40 * n for n in range(10)]


@pytest.mark.slow
def test_memory_is_constant_in_the_length(synthetic: Any, generator: Any) -> None:
    """What a decoder holds after 900 frames it holds after 2000."""
    generator.keep = False
    packets = synthetic(frames=100, keyframe_every=100).packets()
    decoder = Decoder(generator=generator)
    sizes = []
    tracemalloc.start()
    try:
        for lap in range(20):
            for number, packet in enumerate(packets):
                if lap and packet.kind in (Kind.STREAM, Kind.KEYFRAME):
                    packet = replace(packet, kind=Kind.CONTROL)
                sequence = (lap * len(packets) + number) % 65_536
                decoder.decode(replace(packet, sequence=sequence, pts=packet.pts + 100 * lap))
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
            assert decoder.waiting < 20
    finally:
        tracemalloc.stop()
    assert decoder.statistics.frames > 1990
    assert sizes[-1] < sizes[8] + 20_000
