from __future__ import annotations

import threading
import tracemalloc
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from facewire.cli.main import main
from facewire.codec.errors import ConfigError, NoFaceError, NotAVideoError, OutputExistsError
from facewire.codec.file.container import Reader
from facewire.codec.identity import Identity
from facewire.codec.packet import Kind, Packet
from facewire.codec.sound.opus import OpusDecoder
from facewire.codec.stream import StreamHeader
from facewire.models.weights import load_card
from facewire.receiver.files.writer import VideoWriter
from facewire.sender import files
from facewire.sender.config import EncoderConfig
from facewire.sender.encoder import Encoder
from facewire.sender.files import EncodeReport, encode_file, encode_packets
from facewire.sender.observed import ObservedFrame
from facewire.sender.tracking.capture import Capture

from .conftest import CLIP_FRAMES, FakeTracker, Frame, write_video


def read(path: Path) -> list[Packet]:
    with path.open("rb") as file:
        return list(Reader(file))


def of(packets: list[Packet], kind: Kind) -> list[Packet]:
    return [packet for packet in packets if packet.kind == kind]


@pytest.mark.parametrize("ahead", ["auto", 0.0, 1.0])
def test_tracking_beside_coding_changes_no_packet(clip: Path, card: Path, ahead: Any) -> None:
    config = EncoderConfig(model=str(card), kbps=20.0, audio_kbps=0, plan_ahead_s=ahead)

    def begun(capture: Capture) -> Encoder:
        return Encoder(config, fps=25, duration_s=capture.info.timing.duration_s, sound=False)

    threads: set[int] = set()
    with Capture(clip) as capture, begun(capture) as encoder:
        track = encoder.track

        def noted(frame: Frame, pts: int) -> Frame | ObservedFrame:
            threads.add(threading.get_ident())
            return track(frame, pts)

        encoder.track = noted  # type: ignore[method-assign]
        beside = list(encode_packets(capture, encoder))
    with Capture(clip) as capture, begun(capture) as encoder:
        each = [encoder.encode(frame, None, n) for n, (frame, _) in enumerate(capture.frames())]
        alone = [packet for packets in each for packet in packets] + encoder.flush()
    assert threads
    assert threading.get_ident() not in threads
    # STREAM has a number that is chosen at random in streams that are not planned.
    assert [p for p in beside if p.kind != Kind.STREAM] == [
        p for p in alone if p.kind != Kind.STREAM
    ]


def test_a_real_clip(clip: Path, card: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    target = tmp_path / "out.fwire"
    report = encode_file(
        clip,
        target,
        EncoderConfig(model=str(card), profile="fp16"),
        lambda done, of: seen.append((done, of)),
    )
    packets = read(target)
    moving = of(packets, Kind.MOTION)
    assert report.frames == len(moving) == CLIP_FRAMES
    assert [p.pts for p in moving] == list(range(CLIP_FRAMES))
    assert {len(p.payload) * 8 for p in moving} == {960}
    assert report.repeated == 0
    assert len({p.payload for p in moving}) > 0.9 * CLIP_FRAMES
    assert 25 <= len(of(packets, Kind.AUDIO)) <= 26  # of 120 ms; AAC comes in pieces of 64 ms
    assert report.bits["total"] == target.stat().st_size * 8
    assert report.bits["motion"] == 960 * CLIP_FRAMES
    assert seen == [(k + 1, CLIP_FRAMES) for k in range(CLIP_FRAMES)]
    header = StreamHeader.from_payload(packets[0].payload)
    assert (header.fps, header.time_base) == (25, Fraction(1, 25))


def test_sound_comes_out_in_time(clip: Path, card: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.fwire"
    encode_file(clip, target, EncoderConfig(model=str(card), audio_kbps=32))
    decoder = OpusDecoder()
    got = np.concatenate([decoder.decode(p.payload) for p in of(read(target), Kind.AUDIO)])
    was = np.concatenate(list(Capture(clip).sound()))[: len(got)]
    got = got[: len(was)]
    spectrum = np.fft.rfft(got, 2 * len(got)) * np.fft.rfft(was, 2 * len(was)).conj()
    lag = int(np.argmax(np.fft.irfft(spectrum)))
    assert min(lag, abs(lag - 2 * len(got))) <= 32  # 2 ms


@pytest.fixture(scope="module")
def usual(
    clip: Path, card: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[EncodeReport, list[Packet]]:
    """The clip with the usual settings, coded once for several tests."""
    target = tmp_path_factory.mktemp("usual") / "out.fwire"
    report = encode_file(clip, target, EncoderConfig(model=str(card)))
    return report, read(target)


def test_sound_is_ahead_of_its_frame(usual: tuple[EncodeReport, list[Packet]]) -> None:
    heard = 0
    for packet in usual[1]:
        heard += packet.kind == Kind.AUDIO
        if packet.kind == Kind.MOTION and packet.pts < 60:
            assert heard * 0.12 >= packet.pts / 25 + 0.1


@pytest.mark.parametrize(("profile", "kbps"), [("fp16", 48.0), ("entropy", 20.0), ("entropy", 40)])
def test_a_rate_is_kept(clip: Path, card: Path, tmp_path: Path, profile: str, kbps: float) -> None:
    config = EncoderConfig(model=str(card), profile=profile, kbps=kbps)
    report = encode_file(clip, tmp_path / "o.fwire", config)
    assert report.kbps == pytest.approx(kbps, rel=0.02)
    assert (report.warnings, report.asked_kbps) == ((), kbps)


def test_a_rate_holds_for_what_is_sent_where_the_end_is_lost(
    clip: Path, card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Capture.frames
    monkeypatch.setattr(Capture, "frames", lambda self: islice(whole(self), 40))
    config = EncoderConfig(model=str(card), kbps=30, audio_kbps=0)
    report = encode_file(clip, tmp_path / "o.fwire", config)
    assert (report.frames, report.duration_s) == (40, 1.6)
    assert report.kbps == pytest.approx(30, rel=0.02)
    assert report.warnings == ()


def test_no_rate_that_was_asked_for_needs_no_word(usual: tuple[EncodeReport, list[Packet]]) -> None:
    assert (usual[0].warnings, usual[0].asked_kbps) == ((), None)


def test_an_identity_is_no_part_of_a_rate_that_is_missed(
    clip: Path, card: Path, tmp_path: Path
) -> None:
    delta = np.random.default_rng(0).normal(0, 1, (300, 20)).astype(np.float32)
    identity = Identity.pack("avfr-s", load_card(card).sha256, {"generator.head.weight": delta})
    config = EncoderConfig(model=str(card), kbps=20, identity=identity)
    report = encode_file(clip, tmp_path / "o.fwire", config)
    assert report.kbps > 25
    assert report.warnings == ()


@pytest.mark.parametrize(
    ("settings", "why"),
    [({"kbps": 3000.0}, "cannot use more"), ({"bpp": 1.5}, "cannot use more")],
)
def test_a_rate_that_is_missed_is_said(
    clip: Path,
    card: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    settings: dict[str, float],
    why: str,
) -> None:
    config = EncoderConfig(model=str(card), references=1, **settings)  # type: ignore[arg-type]
    said = list[int]()  # warnings before each frame
    with caplog.at_level("WARNING", logger="facewire"):
        report = encode_file(
            clip, tmp_path / "o.fwire", config, lambda *_: said.append(len(caplog.messages))
        )
    assert said[0] == 1
    assert "cannot be used up" in caplog.messages[0]
    assert report.asked_kbps is not None
    assert report.kbps < 0.98 * report.asked_kbps
    (warning,) = report.warnings
    assert why in warning
    assert f"{report.kbps:.1f}" in warning
    assert f"{report.asked_kbps:.1f}" in warning
    assert warning in caplog.messages


def test_the_command_says_it_too(
    clip: Path, card: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["encode", str(clip), str(tmp_path / "o.fwire"), "--weights", str(card)]
    assert main([*command, "--kbps", "3000", "--references", "1"]) == 0
    assert "(3000 kbit/s were asked for)" in capsys.readouterr().err
    assert main([*command, "--kbps", "20", "--force"]) == 0
    assert "asked for" not in capsys.readouterr().err


def test_no_face_is_told_after_all_the_sound(card: Path, tmp_path: Path) -> None:
    source = write_video(tmp_path / "no.mkv", pts=range(25), sound=(0, 1))
    packets = list[Packet]()
    config = EncoderConfig(model=str(card))
    with (
        Capture(source) as capture,
        Encoder(config, duration_s=Fraction(1), tracker=FakeTracker([[]])) as encoder,
        pytest.raises(NoFaceError),
    ):
        packets.extend(encode_packets(capture, encoder))
    assert len(of(packets, Kind.AUDIO)) == 9  # of 120 ms


def test_too_low_a_rate_leaves_no_file(clip: Path, card: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least"):
        encode_file(clip, tmp_path / "o.fwire", EncoderConfig(model=str(card), bpp=0.004))
    assert list(tmp_path.iterdir()) == []


def test_face_in_a_large_portrait_picture(frames: list[Frame], card: Path, tmp_path: Path) -> None:
    """A person away from the middle of a tall picture: cropped steadily, all frames there."""
    source = tmp_path / "tall.mp4"
    with VideoWriter(source, (900, 600), Fraction(30), Fraction(1, 30), sound=False) as writer:
        for index, frame in enumerate(frames[:25]):
            canvas = np.full((900, 600, 3), (70, 90, 110), np.uint8)
            canvas[80:336, 300:556] = frame
            writer.picture(canvas, Fraction(index, 30))
    target = tmp_path / "tall.fwire"
    report = encode_file(source, target, EncoderConfig(model=str(card)))
    assert (report.frames, report.repeated, report.keyframes) == (25, 0, 1)
    header = StreamHeader.from_payload(read(target)[0].payload)
    assert header.fps == 30
    assert header.audio is None


def test_a_face_that_comes_late_leaves_and_comes_back(
    frames: list[Frame], card: Path, tmp_path: Path
) -> None:
    source, target = tmp_path / "gone.mp4", tmp_path / "gone.fwire"
    empty = np.full((256, 256, 3), (70, 90, 110), np.uint8)
    shown = [empty] * 8 + frames[:10] + [empty] * 8 + frames[10:20]
    with VideoWriter(source, (256, 256), Fraction(25), Fraction(1, 25), sound=False) as writer:
        for index, frame in enumerate(shown):
            writer.picture(frame, Fraction(index, 25))
    report = encode_file(source, target, EncoderConfig(model=str(card), profile="fp16"))
    assert report.frames == len(shown)
    assert 14 <= report.repeated <= 20
    moving = of(read(target), Kind.MOTION)
    assert [p.pts for p in moving] == list(range(len(shown)))
    assert moving[0].payload == moving[8].payload
    assert moving[17].payload == moving[20].payload != moving[-1].payload


def test_variable_rate(clip: Path, frames: list[Frame], card: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "vfr.mp4", tmp_path / "vfr.fwire"
    times = [0, 40, 50, 130, 500, 533]
    tick = Fraction(1, 1000)
    with VideoWriter(source, (256, 256), Fraction(25), tick, sound=False) as writer:
        for at, frame in zip(times, frames, strict=False):
            writer.picture(frame, at * tick)
    encode_file(source, target, EncoderConfig(model=str(card), bundle=1))
    packets = read(target)
    assert StreamHeader.from_payload(packets[0].payload).time_base == tick
    assert [p.pts for p in of(packets, Kind.MOTION)] == times


@pytest.mark.parametrize("size", [(1, 1), (320, 240), (3840, 2160)])
def test_no_face(card: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    source = write_video(tmp_path / "no.avi", size=size, pts=range(2), codec="mjpeg",
                         pixels="yuvj444p")  # fmt: skip
    target = tmp_path / "no.fwire"
    with pytest.raises(NoFaceError):
        encode_file(source, target, EncoderConfig(model=str(card)))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["no.avi"]


def test_output_is_input(clip: Path, card: Path) -> None:
    before = clip.read_bytes()
    with pytest.raises(ConfigError, match="input itself"):
        encode_file(clip, clip, EncoderConfig(model=str(card)))
    assert clip.read_bytes() == before


def test_not_a_video(card: Path, tmp_path: Path) -> None:
    with pytest.raises(NotAVideoError):
        encode_file(tmp_path / "none.mp4", tmp_path / "o.fwire", EncoderConfig(model=str(card)))


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_interrupted_the_old_file_stays(
    clip: Path, card: Path, tmp_path: Path, error: type[BaseException]
) -> None:
    target = tmp_path / "o.fwire"
    target.write_bytes(b"old")

    def stop(done: int, expected: int) -> None:
        if done == 10:
            raise error

    with pytest.raises(OutputExistsError):
        encode_file(clip, target, EncoderConfig(model=str(card)))
    with pytest.raises(error):
        encode_file(clip, target, EncoderConfig(model=str(card)), stop, overwrite=True)
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["o.fwire"]


def test_memory_does_not_grow_with_the_clip(
    card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Up to 100 frames wait between two threads; how many there are at most is chance.
    monkeypatch.setattr(files, "_TRACKED", 4)

    def peak(count: int) -> int:
        source = tmp_path / f"{count}.mkv"
        write_video(source, size=(128, 128), pts=range(count), sound=(0, count / 25))
        tracker = FakeTracker([[(30.0, 30.0, 100.0, 110.0)]])
        capture = Capture(source)
        encoder = Encoder(
            EncoderConfig(model=str(card), plan_ahead_s=2),
            duration_s=capture.info.timing.duration_s,
            tracker=tracker,
        )
        tracemalloc.start()
        for _ in encode_packets(capture, encoder):
            pass
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(20)
    assert peak(300) < peak(200) + 500_000  # 100 frames more would be 5 MB


def test_video_without_stamps_plays_at_its_rate(card: Path, tmp_path: Path) -> None:
    path = tmp_path / "raw.h264"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30))
        stream.width = stream.height = 64
        for _ in range(12):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    times = [pts for _, pts in Capture(path).frames()]
    assert len(times) == 12
    assert times == sorted(set(times))
