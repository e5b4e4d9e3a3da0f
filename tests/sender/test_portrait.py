"""Portraits through the whole encoder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from facewire.codec.errors import ConfigError, ConsentError
from facewire.codec.keyframe import Keyframe, KeyframeAssembler
from facewire.codec.motion.frame import MotionFrame
from facewire.codec.packet import Kind, Packet
from facewire.codec.picture.still import decode_picture
from facewire.codec.stream import StreamHeader
from facewire.models.face.shape import unpack_shape
from facewire.models.face.table import FaceTable
from facewire.sender.config import EncoderConfig
from facewire.sender.encoder import Encoder
from facewire.sender.photo import Portrait

from .conftest import Frame

CONSENT = "Grace Hopper, 1985"


def portrait_of(frame: Frame, consent: str | None = CONSENT) -> Portrait:
    """The face of a frame in other colours, so that pictures are told apart."""
    return Portrait(np.ascontiguousarray(frame[..., [2, 0, 1]] // 2 + 100), consent, "her.png")


def make(portrait: Portrait, **settings: Any) -> Encoder:
    settings = {"audio_kbps": None, "crop": False} | settings
    live = settings.get("plan_ahead_s") == 0
    config = EncoderConfig(portrait=portrait, **settings)
    return Encoder(config, fps=25, duration_s=None if live else 1, session=lambda: 7)


def encode(encoder: Encoder, frames: list[Frame]) -> list[Packet]:
    with encoder:
        packets = [packet for frame in frames for packet in encoder.encode(frame)]
        return packets + encoder.flush()


def keyframes(packets: list[Packet]) -> list[Keyframe]:
    assembler = KeyframeAssembler()
    found = (assembler.push(p) for p in packets if p.kind == Kind.KEYFRAME)
    return [keyframe for keyframe in found if keyframe is not None]


def header(packets: list[Packet]) -> StreamHeader:
    return StreamHeader.from_payload(packets[0].payload)


@pytest.mark.parametrize("plan_ahead_s", [0, "auto"])
@pytest.mark.parametrize("rate", [{}, {"kbps": 12.0}])
def test_every_picture_that_is_sent_is_the_portrait(
    frames: list[Frame], plan_ahead_s: Any, rate: Any
) -> None:
    portrait = portrait_of(frames[0])
    packets = encode(make(portrait, plan_ahead_s=plan_ahead_s, **rate), frames[10:60])
    assert header(packets).portrait == CONSENT
    sent = keyframes(packets)
    assert sent
    first = decode_picture(sent[0].picture)
    assert np.abs(first.astype(int) - portrait.picture).mean() < 12
    assert np.abs(first.astype(int) - frames[10]).mean() > 25
    assert sum(p.kind == Kind.MOTION for p in packets) >= 1
    for later in sent[1:]:  # better pictures of the same
        assert later.motion.to_fp16() == sent[0].motion.to_fp16()
        assert later.base == sent[0].id


def test_a_portrait_that_is_the_first_frame_moves_as_the_frames_do(frames: list[Frame]) -> None:
    """As close as the trackers of stills and of videos are to each other."""
    plain = EncoderConfig(
        profile="fp16", audio_kbps=None, crop=False, references=1, smoothing=0, kbps=None
    )
    encoder = Encoder(plain, fps=25, duration_s=1)
    own = encode(encoder, frames[:25])
    with_portrait = encode(
        make(Portrait(frames[0], CONSENT), profile="fp16", references=1, smoothing=0),
        frames[:25],
    )
    moves = [
        np.stack([MotionFrame.from_fp16(p.payload).value for p in packets if p.kind == Kind.MOTION])
        for packets in (own, with_portrait)
    ]
    assert moves[0].shape == moves[1].shape
    assert np.abs(moves[0] - moves[1]).max() < 0.05
    assert np.ptp(moves[0], axis=0).max() > 0.1


def test_landmarks_are_the_portrait_s(frames: list[Frame]) -> None:
    packets = encode(make(portrait_of(frames[0])), frames[30:40])
    other = encode(make(portrait_of(frames[0])), frames[40:50])
    one, two = (unpack_shape(keyframes(found)[0].shape) for found in (packets, other))
    assert one == pytest.approx(two)


def test_one_s_own_portrait_is_compared(
    frames: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    def embed(picture: Frame, landmarks: Any) -> Any:
        return np.array([float(picture.mean() > 120), 0], np.float32)

    monkeypatch.setattr("facewire.sender.sight.load_embedder", lambda: embed)
    dark = [frame // 4 for frame in frames[:20]]
    with pytest.raises(ConsentError, match=r"her\.png does not seem"):
        encode(make(portrait_of(frames[0], None)), dark)
    own = Portrait(frames[0] // 4)
    packets = encode(make(own), dark)
    assert header(packets).portrait == ""


def test_somebody_who_is_away_leaves_the_portrait_still(frames: list[Frame]) -> None:
    away = [np.full_like(frames[0], 90)] * 10
    packets = encode(make(portrait_of(frames[0]), plan_ahead_s=0), [*frames[:10], *away])
    for keyframe in keyframes(packets):
        shown = decode_picture(keyframe.picture) if keyframe.base is None else None
        assert shown is None or np.abs(shown.astype(int) - 90).mean() > 20


def test_a_new_stream_begins_with_the_same_portrait(frames: list[Frame]) -> None:
    with make(portrait_of(frames[0]), plan_ahead_s=0) as encoder:
        first = encoder.encode(frames[0])
        encoder.reset()
        again = encoder.encode(frames[0])
    assert [bytes(packet) for packet in first] == [bytes(packet) for packet in again]


def test_what_does_not_go_with_a_portrait(frames: list[Frame], tmp_path: Path) -> None:
    portrait = portrait_of(frames[0])
    with pytest.raises(ConfigError, match="base layer"):
        EncoderConfig(portrait=portrait, base=True)
    table = FaceTable.blank()
    tensors = {f"face.{name}": getattr(table, name) for name in FaceTable.NAMES}
    about = json.dumps({"name": "s", "keypoint_mode": "unsupervised"})
    save_file(tensors, tmp_path / "model.safetensors", {"config": about})
    with pytest.raises(ConfigError, match="finds its own"):
        make(portrait, model=str(tmp_path))


def test_a_call_with_a_clock_and_a_thread_that_looks(frames: list[Frame]) -> None:
    portrait = portrait_of(frames[0])
    packets: list[Packet] = []
    with make(portrait, plan_ahead_s=0, kbps=16.0) as encoder:
        packets += encoder.encode(now=5.0)
        for number, frame in enumerate(frames[:30]):
            now = 5.0 + 0.04 * (number + 1)
            seen = encoder.look(frame, now)
            assert seen is not None
            assert seen.view is not None
            assert np.array_equal(seen.view.seen.picture, portrait.picture)
            packets += encoder.encode(frame=seen, now=now)
    assert header(packets).portrait == CONSENT
    first = decode_picture(keyframes(packets)[0].picture)
    assert np.abs(first.astype(int) - portrait.picture).mean() < 20
    assert any(packet.kind == Kind.MOTION for packet in packets)
