from __future__ import annotations

import json
import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from facewire.cli.demo.clip import make_demo_clip
from facewire.codec.errors import ConfigError, FacewireError, MediaError, NoFaceError
from facewire.eval import clips
from facewire.eval.clips import Clip, clip_key, find_videos, prepare_clip
from facewire.sender.tracking.capture import Capture

from .makers import ScriptedTracker, moving_frames

Frame = npt.NDArray[np.uint8]
HEAD = (90.0, 80.0, 170.0, 190.0)  # of 256: the whole of such a square is taken


def write_video(
    path: Path,
    frames: Sequence[Frame],
    *,
    rate: int = 25,
    sound: npt.NDArray[np.int16] | None = None,
) -> Path:
    """Lossless RGB, with sound at 16 kHz."""
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "bgr0"
        audio = None
        if sound is not None:
            audio = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for index, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="bgr0")
            frame.pts, frame.time_base = index, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio is not None and sound is not None:
            for at in range(0, len(sound), 640):
                block = av.AudioFrame.from_ndarray(sound[None, at : at + 640], "s16", "mono")
                block.sample_rate, block.pts, block.time_base = 16_000, at, Fraction(1, 16_000)
                container.mux(audio.encode(block))
            container.mux(audio.encode(None))
    return path


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float, float, float] | None]:
    """Boxes that the tracker will find, frame by frame; for a whole video each time."""
    boxes: list[tuple[float, float, float, float] | None] = [HEAD]

    def make(*, still: bool = False) -> ScriptedTracker:
        return ScriptedTracker(None) if still else ScriptedTracker(*boxes)

    monkeypatch.setattr(clips, "Tracker", make)
    return boxes


def forbid_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise AssertionError(f"{path} is decoded again")

    monkeypatch.setattr(clips, "Capture", refuse)


def holds(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Frame]:
    """The demo's face at a place in a 16:9 picture, and the frames of that face."""
    folder = tmp_path_factory.mktemp("wide")
    faces = np.stack([f for f, _ in Capture(make_demo_clip(folder / "d.mp4", 0.2)).frames()])
    frames = np.full((len(faces), 360, 640, 3), 60, np.uint8)
    frames[:, 60:316, 300:556] = faces
    return write_video(folder / "wide.mkv", list(frames)), faces


def test_a_face_in_a_wide_video_is_cropped(wide: tuple[Path, Frame], tmp_path: Path) -> None:
    video, faces = wide
    clip = prepare_clip(video, tmp_path)
    assert (clip.name, clip.width, clip.height) == ("wide.mkv", 256, 256)
    assert clip.frames == len(faces)
    assert clip.fps == 25
    assert clip.seconds == pytest.approx(len(faces) / 25)
    frames = clip.rgb()
    assert frames.shape == (len(faces), 256, 256, 3)
    assert frames.dtype == np.uint8
    assert isinstance(frames, np.memmap)
    assert not frames.flags.writeable
    middle = frames[0, 100:180, 90:170].astype(int).std()
    assert middle > 15, "the middle of the crop is no face"
    assert (np.abs(frames[0].astype(int) - 60).max(-1) > 20).mean() > 0.3
    assert len(clip.pcm()) == 0


def test_a_head_crop_keeps_its_pixels(tmp_path: Path, script: list[object]) -> None:
    frames = moving_frames(5, 256)
    clip = prepare_clip(write_video(tmp_path / "head.mkv", list(frames)), tmp_path / "clips")
    assert np.array_equal(clip.rgb(), frames)


def test_the_second_call_finds_the_first(
    tmp_path: Path, script: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    video = write_video(tmp_path / "a.mkv", list(moving_frames(4, 256)))
    done: list[int] = []
    first = prepare_clip(video, tmp_path / "clips", progress=done.append)
    assert done == [1, 2, 3, 4]
    forbid_decoding(monkeypatch)
    assert prepare_clip(video, tmp_path / "clips") == first
    assert Clip.load(first.folder) == first
    assert holds(tmp_path / "clips") == [first.key[:24]]


def test_the_key_is_of_the_content_and_of_the_settings(
    tmp_path: Path, script: list[object]
) -> None:
    video = write_video(tmp_path / "a.mkv", list(moving_frames(3, 256)))
    copy = tmp_path / "copy.mkv"
    copy.write_bytes(video.read_bytes())
    key = clip_key(video, 256, None)
    assert key == clip_key(copy, 256, None)
    assert len(key) == 64
    assert len({key, clip_key(video, 128, None), clip_key(video, 256, 1.0)}) == 3
    copy.write_bytes(video.read_bytes() + b"\0")
    assert clip_key(copy, 256, None) != key


def test_a_copy_under_another_name_keeps_its_own_name(
    tmp_path: Path, script: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    video = write_video(tmp_path / "a.mkv", list(moving_frames(3, 256)))
    first = prepare_clip(video, tmp_path / "clips")
    forbid_decoding(monkeypatch)
    other = prepare_clip(video.rename(tmp_path / "b.mkv"), tmp_path / "clips")
    assert (first.name, other.name) == ("a.mkv", "b.mkv")
    assert first.folder == other.folder


@pytest.mark.parametrize("harm", ["no frames", "cut frames", "no sound", "bad json", "other json"])
def test_what_is_damaged_in_the_cache_is_made_again(
    tmp_path: Path, script: list[object], harm: str
) -> None:
    video = write_video(tmp_path / "a.mkv", list(moving_frames(3, 256)))
    clip = prepare_clip(video, tmp_path / "clips")
    good = np.array(clip.rgb())
    folder = clip.folder
    if harm == "no frames":
        (folder / "frames.rgb").unlink()
    elif harm == "cut frames":
        with (folder / "frames.rgb").open("r+b") as file:
            file.truncate(1000)
    elif harm == "no sound":
        (folder / "sound.npy").unlink()
    elif harm == "bad json":
        (folder / "clip.json").write_text('{"name": "a.m')
    else:
        (folder / "clip.json").write_text(json.dumps({"name": "a.mkv"}))
    again = prepare_clip(video, tmp_path / "clips")
    assert again == clip
    assert np.array_equal(again.rgb(), good)
    assert holds(tmp_path / "clips") == [clip.key[:24]]


def test_a_draft_of_a_run_that_was_killed_does_no_harm(
    tmp_path: Path, script: list[object]
) -> None:
    video = write_video(tmp_path / "a.mkv", list(moving_frames(3, 256)))
    half = tmp_path / "clips" / clip_key(video, 256, None)[:24]
    half.mkdir(parents=True)
    (half / "frames.rgb").write_bytes(b"half")
    clip = prepare_clip(video, tmp_path / "clips")
    assert holds(clip.folder) == ["clip.json", "frames.rgb", "sound.npy"]


def test_only_so_many_seconds(tmp_path: Path, script: list[object]) -> None:
    sound = np.zeros(10 * 640, np.int16)
    video = write_video(tmp_path / "a.mkv", list(moving_frames(10, 256)), sound=sound)
    clip = prepare_clip(video, tmp_path / "clips", seconds=0.16)
    assert clip.frames == 4
    assert len(clip.pcm()) == 4 * 640
    assert prepare_clip(video, tmp_path / "clips", seconds=0.001).frames == 2


def test_another_size(tmp_path: Path, script: list[object]) -> None:
    frames = moving_frames(3, 256)
    clip = prepare_clip(write_video(tmp_path / "a.mkv", list(frames)), tmp_path / "clips", size=128)
    assert clip.rgb().shape == (3, 128, 128, 3)
    small = frames[0].reshape(128, 2, 128, 2, 3).mean((1, 3))
    assert np.abs(clip.rgb()[0] - small).max() < 2


def test_sound_begins_with_the_first_frame_that_has_a_face(
    tmp_path: Path, script: list[tuple[float, float, float, float] | None]
) -> None:
    """Three frames without a face go, and their sound with them; later ones keep the crop."""
    script[:] = [None, None, None, HEAD, HEAD, None, HEAD]
    sound = np.zeros(12 * 640, np.int16)
    sound[3 * 640 : 3 * 640 + 80] = 20_000  # a click with frame 3
    frames = moving_frames(10, 256)
    clip = prepare_clip(
        write_video(tmp_path / "a.mkv", list(frames), sound=sound), tmp_path / "clips"
    )
    assert clip.frames == 7
    assert np.array_equal(clip.rgb(), frames[3:])
    pcm = clip.pcm()
    assert pcm.dtype == np.float32
    assert len(pcm) == 7 * 640  # no more sound than picture
    assert pcm[:60].min() > 0.3
    assert np.abs(pcm[200:]).max() < 0.05


def test_of_a_long_sound_only_what_is_used_is_read(
    tmp_path: Path, script: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    video = write_video(
        tmp_path / "a.mkv", list(moving_frames(3, 256)), sound=np.zeros(500 * 640, np.int16)
    )
    read = 0
    sound = Capture.sound

    def counted(self: Capture) -> object:
        nonlocal read
        for piece in sound(self):
            read += len(piece)
            yield piece

    monkeypatch.setattr(Capture, "sound", counted)
    assert len(prepare_clip(video, tmp_path / "clips").pcm()) == 3 * 640
    assert read < 20 * 640


@pytest.mark.parametrize("count", [1, 4])
def test_a_video_with_too_few_frames(
    tmp_path: Path, script: list[tuple[float, float, float, float] | None], count: int
) -> None:
    """One frame in all; or only the last of four has a face."""
    script[:] = [*[None] * (count - 1), HEAD]
    video = write_video(tmp_path / "short.mkv", list(moving_frames(count, 256)))
    with pytest.raises(MediaError, match=r"short\.mkv has 1 usable frames; two are needed"):
        prepare_clip(video, tmp_path / "clips")
    assert holds(tmp_path / "clips") == []


def test_a_video_without_a_face(tmp_path: Path) -> None:
    """With the real tracker."""
    video = write_video(tmp_path / "wall.mkv", list(moving_frames(3, 256)))
    with pytest.raises(NoFaceError, match="no face"):
        prepare_clip(video, tmp_path / "clips")
    assert holds(tmp_path / "clips") == []


class Stop(BaseException):
    """As Ctrl-C."""


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), Stop()])
def test_whatever_happens_no_draft_is_left(
    tmp_path: Path, script: list[object], error: BaseException
) -> None:
    video = write_video(tmp_path / "a.mkv", list(moving_frames(3, 256)))

    def fail(done: int) -> None:
        if done == 2:
            raise error

    with pytest.raises(type(error)):
        prepare_clip(video, tmp_path / "clips", progress=fail)
    assert holds(tmp_path / "clips") == []
    assert prepare_clip(video, tmp_path / "clips").frames == 3


def test_another_task_may_be_first(tmp_path: Path, script: list[object]) -> None:
    """Two copies of a video, or two runs with one cache: neither breaks the other's clip."""
    video = write_video(tmp_path / "a.mkv", list(moving_frames(3, 256)))
    others: list[Clip] = []

    def meanwhile(done: int) -> None:
        if done == 1 and not others:
            pid = os.getpid
            try:
                os.getpid = lambda: pid() + 1
                others.append(prepare_clip(video, tmp_path / "clips"))
            finally:
                os.getpid = pid

    clip = prepare_clip(video, tmp_path / "clips", progress=meanwhile)
    assert others == [clip]
    assert clip.rgb().shape == (3, 256, 256, 3)
    assert holds(tmp_path / "clips") == [clip.key[:24]]


def test_broken_files_among_good_ones(tmp_path: Path, script: list[object]) -> None:
    data = tmp_path / "data"
    data.mkdir()
    good = write_video(data / "b.mkv", list(moving_frames(3, 256)))
    (data / "a.mp4").write_bytes(b"no video at all")
    (data / "c.mkv").write_bytes(good.read_bytes()[:200])
    (data / "empty.mp4").touch()
    (data / "notes.txt").write_text("not a video by its name")
    (data / "folder.mp4").mkdir()
    videos = find_videos(data)
    assert [v.name for v in videos] == ["a.mp4", "b.mkv", "c.mkv", "empty.mp4"]
    prepared: list[str] = []
    refused: dict[str, str] = {}
    for video in videos:
        try:
            prepared.append(prepare_clip(video, tmp_path / "clips").name)
        except FacewireError as error:
            refused[video.name] = str(error)
    assert prepared == ["b.mkv"]
    assert list(refused) == ["a.mp4", "c.mkv", "empty.mp4"]
    assert all(name in sentence for name, sentence in refused.items())
    assert len(holds(tmp_path / "clips")) == 1


def test_where_videos_are_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder or video"):
        find_videos(tmp_path / "nothing")
    with pytest.raises(ConfigError, match="holds no video"):
        find_videos(tmp_path)
    one = tmp_path / "one.MP4"
    one.touch()
    assert find_videos(tmp_path) == [one]
    assert find_videos(one) == [one]
