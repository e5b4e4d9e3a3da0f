from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import facewire
from facewire.cli.demo.clip import make_demo_clip
from facewire.codec.errors import ConfigError, EvaluationError
from facewire.codec.file.container import Reader
from facewire.codec.file.records import record_overhead
from facewire.codec.packet import Kind
from facewire.codec.picture.colour import rgb_to_yuv420
from facewire.codec.sound.opus import OpusEncoder
from facewire.codec.stream import StreamHeader
from facewire.eval.clips import Clip
from facewire.eval.codecs import command, ffmpeg
from facewire.eval.codecs.base import PARTS, Codec, Encoded
from facewire.eval.codecs.command import planes_to_rgb, run_program, write_frames
from facewire.eval.codecs.facewire import AUDIO_KBPS, FacewireCodec
from facewire.eval.codecs.ffmpeg import CLASSIC, FfmpegCodec
from facewire.eval.codecs.frozen import Frozen
from facewire.eval.codecs.half import HalfSize
from facewire.eval.codecs.registry import DEFAULT_CODECS, codec_names, make_codecs
from facewire.sender.tracking.capture import Capture
from tests.codec.picture.able import codes_chains
from tests.sounds import one_voice

from .makers import Frame, clip_of, moving_frames, psnr

FRAMES, SIZE = 10, 64
GOOD: dict[str, float] = {
    "vvenc": 150_000,
    "vvenc-psnr": 150_000,
    "vvenc-ld": 28,
    "svtav1": 30,
    "x265": 25,
    "vp9": 200_000,
    "x264": 20,
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return clip_of(tmp_path_factory.mktemp("clip"), moving_frames(FRAMES, SIZE))


def run(codec: Codec, clip: Clip, folder: Path, setting: float) -> Encoded:
    return codec.encode(clip, setting, folder / f"out{codec.suffix}", folder)


@pytest.mark.parametrize("name", CLASSIC)
def test_a_classic_codec_gives_its_frames_back(name: str, clip: Clip, tmp_path: Path) -> None:
    codec = FfmpegCodec(name)
    assert codec.name == name
    encoded = run(codec, clip, tmp_path, GOOD[name])
    decoded = list(codec.decode(clip, encoded, tmp_path))
    assert len(decoded) == FRAMES
    assert all(frame.shape == (SIZE, SIZE, 3) and frame.dtype == np.uint8 for frame in decoded)
    for true, frame in zip(clip.rgb(), decoded, strict=True):
        assert psnr(true, frame) > 25
    order = [psnr(frame, clip.rgb()[0]) for frame in decoded]
    assert order[0] == max(order), "frames came back in another order"
    assert set(encoded.bits) <= set(PARTS)
    assert encoded.bits["keyframe"] > 0
    assert encoded.bits["inter"] > 0
    size = encoded.path.stat().st_size
    framing = 32 + 12 * FRAMES if encoded.path.suffix == ".ivf" else 0
    assert encoded.total == 8 * (size - framing)
    assert encoded.cpu_seconds > 0
    assert f"out{codec.suffix}" in encoded.command
    assert str(tmp_path) not in encoded.command
    assert encoded.setting == GOOD[name]


@pytest.mark.parametrize("name", CLASSIC)
def test_the_knob_turns_the_bits_as_it_says(name: str, clip: Clip, tmp_path: Path) -> None:
    codec = FfmpegCodec(name)
    knob = codec.knob
    assert knob.low <= GOOD[name] <= knob.high
    one, other = GOOD[name], GOOD[name] / 4 if knob.slope is None else GOOD[name] + 15
    first, second = (run(codec, clip, tmp_path, setting).total for setting in (one, other))
    assert second < 0.8 * first


@pytest.mark.parametrize("name", [*CLASSIC, "frozen"])
def test_a_codec_runs_at_both_ends_of_its_knob(name: str, tmp_path: Path) -> None:
    """A search goes there; an error would cost the clip all its targets."""
    clip = clip_of(tmp_path / "c", moving_frames(3, SIZE))
    (codec,) = make_codecs([name])
    bits = [run(codec, clip, tmp_path, end).total for end in (codec.knob.low, codec.knob.high)]
    assert (bits[0] < bits[1]) == (codec.knob.slope is None or codec.knob.slope > 0)


@pytest.mark.parametrize(
    ("codec", "setting"), [(FfmpegCodec("x264"), 0), (FfmpegCodec("x265"), 0)], ids=["x264", "x265"]
)
def test_colours_survive_a_codec_that_loses_nothing(
    codec: Codec, setting: float, tmp_path: Path
) -> None:
    """Full range, the project's matrix, and no scaler of FFmpeg's in between."""
    patches = np.array(
        [[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [90, 140, 200]],
        np.uint8,
    )
    frame = np.zeros((SIZE, 96, 3), np.uint8)
    for index, patch in enumerate(patches):
        frame[:, 16 * index : 16 * index + 16] = patch
    clip = clip_of(tmp_path / "c", np.stack([frame] * 4))
    for got in codec.decode(clip, run(codec, clip, tmp_path, setting), tmp_path):
        middle = got[SIZE // 2, 8::16].astype(int)
        assert np.abs(middle - patches).max() <= 2


def test_planes_round_trip(clip: Clip, tmp_path: Path) -> None:
    path = write_frames(clip, tmp_path)
    size = SIZE * SIZE * 3
    data = path.read_bytes()
    assert len(data) == FRAMES * size
    for index, true in enumerate(clip.rgb()):
        got = planes_to_rgb(data[index * size : (index + 1) * size], SIZE, SIZE)
        assert np.abs(got[1:-1, 1:-1].astype(int) - true[1:-1, 1:-1]).max() <= 2
        again = rgb_to_yuv420(got, 10)[0].astype(int)
        assert np.abs(again - rgb_to_yuv420(np.asarray(true), 10)[0]).max() <= 6  # of 1023


def test_planes_are_written_once_a_folder(clip: Clip, tmp_path: Path) -> None:
    path = write_frames(clip, tmp_path)
    path.write_bytes(b"mine")
    assert write_frames(clip, tmp_path).read_bytes() == b"mine"
    assert not list(tmp_path.glob("*.draft"))


def test_a_picture_that_is_not_square(tmp_path: Path) -> None:
    """Width and height are not mixed up."""
    frames = moving_frames(4, 96)[:, :64]
    clip = clip_of(tmp_path / "c", frames)
    codec = FfmpegCodec("x264")
    decoded = list(codec.decode(clip, run(codec, clip, tmp_path, 15), tmp_path))
    assert [f.shape for f in decoded] == [(64, 96, 3)] * 4
    assert psnr(decoded[0], frames[0]) > 30


def test_the_stream_may_have_a_relative_path(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FFmpeg runs in the scratch folder; a path is the caller's all the same."""
    monkeypatch.chdir(tmp_path)
    Path("scratch").mkdir()
    codec = FfmpegCodec("x264")
    encoded = codec.encode(clip, 30, Path("here.264"), Path("scratch"))
    assert (tmp_path / "here.264").is_file()
    assert "out.264" in encoded.command
    assert len(list(codec.decode(clip, encoded, Path("scratch")))) == FRAMES


def test_a_network_with_gaze_names_its_tables(gaze_network: Path) -> None:
    """So that streams without gaze, of earlier figures, are not used for it."""
    codecs = [
        FacewireCodec("facewire", p, n) for p in ("entropy", "fp16") for n in ("l", gaze_network)
    ]
    found = [codec.versions().get("motion", "").split(",")[0] for codec in codecs]
    assert found == ["tables 2", "tables 3", "", ""]


def test_identities_follow_the_options() -> None:
    changed = replace(CLASSIC["x264"], options="-preset veryslow -crf {:.1f}")
    codecs: list[Codec] = [
        *make_codecs([*CLASSIC, *(f"{name}-half" for name in CLASSIC)]),
        FfmpegCodec("x264", changed),
        HalfSize(FfmpegCodec("x264", changed)),
        Frozen(),
        FacewireCodec("facewire", "fp16", "s"),
        FacewireCodec("facewire", "fp16", "s", live=True),
    ]
    identities = [codec.identity() for codec in codecs]
    assert len(set(identities)) == len(identities)
    assert identities == [codec.identity() for codec in codecs]


# --- FFmpeg that is not there, or fails ---------------------------------------------------------


@pytest.fixture
def fake_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An FFmpeg of our own: it claims to have x264, and does what is appended to it."""
    program = tmp_path / "ffmpeg"
    program.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        "  *-encoders*) echo ' V....D libx264  H.264 '; exit 0;;\n"
        "  *-version*) echo 'ffmpeg version 0.0-fake Copyright (c) nobody'; exit 0;;\n"
        "esac\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(ffmpeg, "_candidates", lambda: [str(program)])
    ffmpeg.find_ffmpeg.cache_clear()
    ffmpeg._ask.cache_clear()
    yield program
    ffmpeg.find_ffmpeg.cache_clear()
    ffmpeg._ask.cache_clear()


def append(program: Path, script: str) -> None:
    with program.open("a") as file:
        file.write(script)


def test_an_encoder_that_is_nowhere_names_the_command_that_helps(fake_ffmpeg: Path) -> None:
    assert FfmpegCodec("x264").versions() == {"ffmpeg": "0.0-fake"}
    with pytest.raises(EvaluationError, match=r"no FFmpeg with libvvenc .*pip install 'imageio-"):
        FfmpegCodec("vvenc").versions()


def test_without_any_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffmpeg, "_candidates", list)
    ffmpeg.find_ffmpeg.cache_clear()
    with pytest.raises(EvaluationError, match="on PATH"):
        FfmpegCodec("x265").versions()
    ffmpeg.find_ffmpeg.cache_clear()


def test_the_next_ffmpeg_is_asked_where_the_first_does_not_run(
    fake_ffmpeg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = str(tmp_path / "nothing")
    monkeypatch.setattr(ffmpeg, "_candidates", lambda: [dead, str(fake_ffmpeg)])
    assert ffmpeg.find_ffmpeg("libx264") == str(fake_ffmpeg)


def test_the_last_words_of_a_failing_encoder(fake_ffmpeg: Path, clip: Clip, tmp_path: Path) -> None:
    append(fake_ffmpeg, "seq 1 5 >&2; echo 'No space left on device' >&2; exit 187\n")
    with pytest.raises(EvaluationError, match=r"x264 failed with exit code 187.*No space left"):
        run(FfmpegCodec("x264"), clip, tmp_path, 30)


def test_an_encoder_that_writes_rubbish(fake_ffmpeg: Path, clip: Clip, tmp_path: Path) -> None:
    append(fake_ffmpeg, f"echo rubbish > {tmp_path}/out.264\n")
    with pytest.raises(EvaluationError, match="x264 wrote no stream that can be read"):
        run(FfmpegCodec("x264"), clip, tmp_path, 30)


def test_an_encoder_that_writes_nothing(fake_ffmpeg: Path, clip: Clip, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="x264 ended well and wrote no stream"):
        run(FfmpegCodec("x264"), clip, tmp_path, 30)


def decoded_by(program: Path, script: str, clip: Clip, folder: Path) -> list[object]:
    """What a decoder gives that runs the script; `$out` is the file that it is to write."""
    append(program, f"for out; do :; done\n{script}")
    encoded = Encoded(folder / "out.264", {}, 30, "", 0.0)
    return list(FfmpegCodec("x264").decode(clip, encoded, folder))


def test_a_decoder_that_dies_says_why(fake_ffmpeg: Path, clip: Clip, tmp_path: Path) -> None:
    script = f"head -c {SIZE * SIZE * 3} /dev/zero > $out; echo 'Cannot decode this' >&2; exit 69\n"
    with pytest.raises(EvaluationError, match="exit code 69 and said: Cannot decode this"):
        decoded_by(fake_ffmpeg, script, clip, tmp_path)
    assert not list(tmp_path.glob("*.decoded"))


def test_a_decoder_that_is_killed(fake_ffmpeg: Path, clip: Clip, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="exit code -9"):
        decoded_by(fake_ffmpeg, "kill -9 $$\n", clip, tmp_path)


def test_a_decoder_that_ends_within_a_frame(fake_ffmpeg: Path, clip: Clip, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=f"wrote 100 bytes, not {FRAMES} frames"):
        decoded_by(fake_ffmpeg, "head -c 100 /dev/zero > $out\n", clip, tmp_path)


def test_a_cut_stream_gives_fewer_frames_or_an_error(clip: Clip, tmp_path: Path) -> None:
    """Never a hang, never a frame of another size; the measurement counts the frames."""
    codec = FfmpegCodec("x264")
    encoded = run(codec, clip, tmp_path, 20)
    data = encoded.path.read_bytes()
    for share in (0.0, 0.1, 0.6):
        encoded.path.write_bytes(data[: int(share * len(data))])
        frames: list[Frame] = []
        with contextlib.suppress(EvaluationError):
            frames += codec.decode(clip, encoded, tmp_path)
        assert len(frames) < FRAMES
        assert all(frame.shape == (SIZE, SIZE, 3) for frame in frames)


def test_a_stream_that_is_gone_says_so(clip: Clip, tmp_path: Path) -> None:
    encoded = Encoded(tmp_path / "gone.264", {}, 30, "", 0.0)
    with pytest.raises(EvaluationError, match=r"gone\.264"):
        list(FfmpegCodec("x264").decode(clip, encoded, tmp_path))


def test_programs_that_do_not_run(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="toy: no program 'no-such-program'"):
        run_program(["no-such-program"], "toy")
    plain = tmp_path / "plain"
    plain.write_text("x")
    with pytest.raises(EvaluationError, match=r"toy: .*denied"):
        run_program([str(plain)], "toy")
    with pytest.raises(EvaluationError, match="said: nothing"):
        run_program(["false"], "toy")


def test_a_program_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_TIMEOUT_S", 0.05)
    with pytest.raises(EvaluationError, match="timed out"):
        run_program(["tail", "-f", "/dev/null"], "toy")


# --- half size ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x264", "vvenc"])
def test_half_size_codes_small_frames_and_gives_large_ones(
    name: str, clip: Clip, tmp_path: Path
) -> None:
    (codec,) = make_codecs([f"{name}-half"])
    assert codec.name == f"{name}-half"
    encoded = run(codec, clip, tmp_path, GOOD[name])
    assert "32x32" in encoded.command
    assert "half/frames.yuv" in encoded.command
    decoded = list(codec.decode(clip, encoded, tmp_path))
    assert [frame.shape for frame in decoded] == [(SIZE, SIZE, 3)] * FRAMES
    assert all(psnr(true, frame) > 25 for true, frame in zip(clip.rgb(), decoded, strict=True))
    if name == "x264":
        whole = run(FfmpegCodec(name), clip, tmp_path, GOOD[name])
        assert encoded.total < 0.6 * whole.total


# --- commands that can be repeated ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["x264", "vp9", "x264-half", "frozen", "facewire"])
def test_the_printed_command_makes_the_stream_again(
    name: str, talking: Clip, tmp_path: Path
) -> None:
    (codec,) = make_codecs([name])
    setting = {"frozen": 3000.0, "facewire": 60_000.0, "vp9": 60_000.0}.get(name, 33.0)
    encoded = run(codec, talking, tmp_path, setting)
    folder = tmp_path / "again"
    folder.mkdir()
    codec.write_source(talking, folder)
    program = ffmpeg._candidates()[0]
    line = encoded.command.replace("ffmpeg -hide", f"{program} -hide")
    line = line.replace("python -c", f"{sys.executable} -c")
    line = line.replace("facewire encode", f"{sys.executable} -m facewire.cli.main encode")
    here = {**os.environ, "PYTHONPATH": str(Path(facewire.__file__).parents[1])}
    done = subprocess.run(
        line, shell=True, cwd=folder, check=False, capture_output=True, text=True, env=here
    )
    assert done.returncode == 0, done.stderr
    found = [folder / f"out{codec.suffix}", encoded.path]
    if name == "facewire":  # the same packets; a file's sound lies a little further ahead
        first, second = (sorted(_payloads(path)) for path in found)
        assert first == second
    else:
        assert found[0].read_bytes() == found[1].read_bytes()


def test_a_call_names_its_clip_and_its_rate(talking: Clip, tmp_path: Path) -> None:
    (codec,) = make_codecs(["facewire-call"])
    encoded = run(codec, talking, tmp_path, 12_000.0)
    words = shlex.split(encoded.command)
    assert words[:5] == ["codec-eval", "--codecs", "facewire-call", "--data", talking.name]
    bpp = float(words[words.index("--bpp") + 1])
    assert bpp * 256 * 256 * float(talking.fps) == pytest.approx(12_000, rel=1e-4)
    assert encoded.path.stat().st_size > 1000
    assert encoded.bits.pop("residual") == 0
    assert set(encoded.bits) == {"keyframe", "motion", "container"}
    assert all(encoded.bits.values())


@codes_chains
def test_a_base_layer_takes_its_part_of_a_high_rate(talking: Clip, tmp_path: Path) -> None:
    (codec,) = make_codecs(["facewire-base"])
    rate = 100_000.0
    encoded = run(codec, talking, tmp_path, rate)
    assert encoded.bits["residual"] > 0.05 * encoded.total
    assert encoded.total < 1.3 * rate * talking.seconds
    decoded = list(codec.decode(talking, encoded, tmp_path))
    assert len(decoded) == talking.frames


def _payloads(path: Path) -> list[tuple[int, bytes]]:
    with path.open("rb") as file:
        return [(int(packet.kind), packet.payload) for packet in Reader(file)]


# --- facewire and its floor -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """A third of a second of the demo's face, with sound."""
    folder = tmp_path_factory.mktemp("talk")
    capture = Capture(make_demo_clip(folder / "demo.mp4", 0.32))
    frames = np.stack([frame for frame, _ in capture.frames()])
    sound = np.concatenate(list(capture.sound()))[: len(frames) * 640]
    return clip_of(folder / "clip", frames, sound)


@pytest.mark.parametrize("heard", [True, False], ids=["sound", "mute"])
def test_facewire_counts_every_byte_of_its_file(talking: Clip, tmp_path: Path, heard: bool) -> None:
    clip = talking
    if not heard:
        clip = clip_of(tmp_path / "mute", np.asarray(talking.rgb()))
    codec = FacewireCodec("facewire", "fp16", "s")
    encoded = run(codec, clip, tmp_path, 100_000)
    with encoded.path.open("rb") as file:
        packets = list(Reader(file))
    sound = [bytes(p) for p in packets if p.kind is Kind.AUDIO]
    assert bool(sound) == heard
    carried = sum(len(data) + record_overhead(len(data)) for data in sound)
    assert encoded.total + 8 * carried == 8 * encoded.path.stat().st_size
    assert encoded.bits["motion"] == 960 * clip.frames
    assert encoded.total / clip.seconds == pytest.approx(100_000, rel=0.02)
    assert encoded.setting == 100_000
    if heard:
        opus = OpusEncoder(round(1000 * AUDIO_KBPS), 120)
        alone = [*opus.encode(clip.pcm()), *opus.flush()]
        payloads = [p.payload for p in packets if p.kind is Kind.AUDIO]
        assert payloads == alone, "every codec is charged with the same sound"
    decoded = list(codec.decode(clip, encoded, tmp_path))
    assert [frame.shape for frame in decoded] == [(256, 256, 3)] * clip.frames
    assert psnr(decoded[0], clip.rgb()[0]) > 20


@pytest.mark.parametrize("live", [False, True], ids=["planned", "live"])
def test_facewire_below_its_floor_gives_its_floor(
    talking: Clip, tmp_path: Path, live: bool
) -> None:
    codec = FacewireCodec("facewire", "entropy", "s", live=live)
    least = run(codec, talking, tmp_path, 100).total
    assert 8 * 1000 < least < 8 * 4000
    assert run(codec, talking, tmp_path, 200_000).total > least


def test_a_pose_alone_is_its_cheapest_stream(talking: Clip, tmp_path: Path) -> None:
    """`facewire-pose` below its own floor: a mouth that is moved by the sound."""
    (codec,) = make_codecs(["facewire-pose"])
    rgb, sound = np.asarray(talking.rgb()), one_voice(2)[-16_000:][: 640 * talking.frames]
    speaking = clip_of(tmp_path / "speaking", rgb, sound)
    encoded = run(codec, speaking, tmp_path, 100)
    assert "--profile pose" in encoded.command
    with encoded.path.open("rb") as file:
        header = StreamHeader.from_payload(next(iter(Reader(file))).payload)
    assert header.profile == "pose"
    assert 0 < encoded.bits["motion"] < 40 * talking.frames
    whole = run(FacewireCodec("facewire", "entropy", "s"), talking, tmp_path, 100)
    assert encoded.bits["motion"] < 0.75 * whole.bits["motion"]
    decoded = list(codec.decode(speaking, encoded, tmp_path))
    assert [frame.shape for frame in decoded] == [(256, 256, 3)] * talking.frames
    assert psnr(decoded[0], rgb[0]) > 20
    again = list(codec.decode(talking, run(codec, talking, tmp_path, 100), tmp_path))
    assert not talking.pcm().any()
    moved = np.abs(again[-1].astype(int) - decoded[-1]).mean((1, 2))
    assert moved[150:220].mean() > 2 * moved[:100].mean()  # what the sound moves is the mouth


def test_facewire_takes_the_clip_whole(talking: Clip, tmp_path: Path) -> None:
    """The clip is the crop already: a face that fills little of it is not cropped again."""
    small = np.full((1, 256, 256, 3), 90, np.uint8).repeat(2, 0)
    small[:, 64:192, 64:192] = talking.rgb()[:2, ::2, ::2]
    clip = clip_of(tmp_path / "small", small)
    codec = FacewireCodec("facewire", "fp16", "s")
    decoded = list(codec.decode(clip, run(codec, clip, tmp_path, 500_000), tmp_path))
    assert np.abs(decoded[0][:40].astype(int) - 90).mean() < 12
    assert psnr(decoded[0], small[0]) > 20


def test_frozen_holds_the_first_frame(talking: Clip, tmp_path: Path) -> None:
    codec = Frozen()
    encoded = run(codec, talking, tmp_path, 4000)
    assert encoded.total == 8 * encoded.path.stat().st_size
    assert 3800 < encoded.total / 8 <= 4000
    decoded = list(codec.decode(talking, encoded, tmp_path))
    assert len(decoded) == talking.frames
    assert all(frame is decoded[0] for frame in decoded)
    assert psnr(decoded[0], talking.rgb()[0]) > 28
    assert run(codec, talking, tmp_path, 1000).total < encoded.total
    least = run(codec, talking, tmp_path, 1)  # fewer bytes than it has: the smallest there is
    assert 8 < least.total < 8 * 1000


def test_an_encoded_clip_goes_through_json(tmp_path: Path) -> None:
    encoded = Encoded(tmp_path / "a.264", {"keyframe": 8}, 0.1 + 0.2, "x", 1.5, ("a", "b"))
    assert Encoded.from_json(encoded.to_json(), tmp_path) == encoded
    assert str(tmp_path) not in encoded.to_json()


# --- names ----------------------------------------------------------------------------------------


def test_all_names_make_a_codec_of_that_name() -> None:
    names = codec_names()
    assert [codec.name for codec in make_codecs(names)] == names
    assert set(DEFAULT_CODECS) <= set(names)
    assert [c.name for c in make_codecs(["x264", "frozen", "x264"])] == ["x264", "frozen"]


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(ConfigError, match=r"no codec 'h267'; known are facewire, .*--codec-file"):
        make_codecs(["h267"])


@pytest.mark.skipif(shutil.which("true") is None, reason="no POSIX tools")
def test_external_codecs_join(tmp_path: Path) -> None:
    table = tmp_path / "mine.toml"
    lines = (
        '[codec.{}]\nencode = "true {{input}} {{stream}}"\ndecode = "true {{stream}} {{output}}"'
    )
    table.write_text("\n".join(lines.format(name) for name in ("one", "two")))
    made = make_codecs(["x264"], tables=[table])
    assert [codec.name for codec in made] == ["x264", "one", "two"]
    made = make_codecs(["two", "x264"], tables=[table])
    assert [codec.name for codec in made] == ["two", "x264"]
    table.write_text(lines.format("x264"))
    with pytest.raises(ConfigError, match="x264 is the name of a codec that is built in"):
        make_codecs(["x264"], tables=[table])


def test_knobs_make_sense() -> None:
    for codec in make_codecs(codec_names()):
        knob = codec.knob
        assert knob.low < knob.high
        assert knob.slope is None or knob.low <= knob.start <= knob.high
        assert codec.about
        assert codec.suffix.startswith(".")
        if isinstance(codec, FfmpegCodec):
            assert codec.options(knob.low) != codec.options(knob.high)
