"""Pictures that are coded after another one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewire.cli.demo.face import AnimatedFace, Pose, load_portrait
from facewire.codec.errors import ConfigError, FacewireError, MediaError, StreamError
from facewire.codec.picture import fitting
from facewire.codec.picture.after import around
from facewire.codec.picture.coders import CODERS, encode, to_frame
from facewire.codec.picture.fitting import fit_picture
from facewire.codec.picture.steps import finish
from facewire.codec.picture.still import (
    Anchor,
    CodedPicture,
    StillCodec,
    decode_picture,
    encode_picture,
)

from ..makers import make_picture, psnr

Frame = npt.NDArray[np.uint8]
LIMIT = 900


def make_scene(shift: int, side: int = 128) -> Frame:
    """A window of a textured picture, shifted."""
    rough = np.random.default_rng(3).integers(-40, 40, (40, 40, 1)).repeat(4, 0).repeat(4, 1)
    whole = np.clip(make_picture(160) + rough, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(whole[shift : shift + side, shift : shift + side])


FIRST, LATER = make_scene(0), make_scene(7)
ANCHOR = Anchor(FIRST, encode_picture(FIRST, max_bytes=LIMIT))
AFTER = encode_picture(LATER, max_bytes=LIMIT, after=ANCHOR)


def test_round_trip() -> None:
    assert AFTER.codec is StillCodec.AV1_AFTER
    assert len(AFTER.data) <= LIMIT
    decoded = decode_picture(AFTER, ANCHOR.picture)
    assert decoded.shape == LATER.shape
    assert decoded.dtype == np.uint8
    alone = decode_picture(encode_picture(LATER, max_bytes=LIMIT))
    assert psnr(LATER, decoded) > psnr(LATER, alone) + 0.5


def test_each_picture_depends_on_the_anchor_only() -> None:
    """Decoding other pictures in between changes nothing."""
    other = encode_picture(make_scene(20), max_bytes=LIMIT, after=ANCHOR)
    before = decode_picture(AFTER, ANCHOR.picture)
    decode_picture(other, ANCHOR.picture)
    assert np.array_equal(decode_picture(AFTER, ANCHOR.picture), before)


@given(st.integers(4, 252), st.one_of(st.none(), st.integers(1, 63)))
def test_a_still_keeps_its_own_quality_around_any_middle(quarters: int, middle: int | None) -> None:
    crf, still = around(quarters / 4, middle)
    assert 1 <= crf <= 63
    assert crf + still / 4 == quarters / 4
    assert Anchor.BEST <= still <= Anchor.WORST
    if middle is None or abs(middle - quarters / 4) <= 15.75:
        assert crf == (quarters / 4 if middle is None else middle)


def test_after_a_fine_still_pictures_may_be_far_coarser() -> None:
    """At most 63 steps of the quantiser lie between a picture and its anchor's own CRF."""
    fine = encode_picture(FIRST, max_bytes=4 * LIMIT)
    plain = Anchor(FIRST, fine)
    later = to_frame(LATER, CODERS[StillCodec.AV1].pixels)
    picture = finish(fit_picture(FIRST, 4 * LIMIT, middle=plain.crf + 16))
    anchor = Anchor(FIRST, picture, middle=plain.crf + 16)
    data = anchor.code(later, Anchor.WORST)
    assert len(data) < 0.8 * len(plain.code(later, Anchor.WORST))
    assert anchor.quality(Anchor.WORST) > plain.quality(Anchor.WORST) + 8
    shown = decode_picture(
        CodedPicture(StillCodec.AV1_AFTER, anchor.quality(Anchor.WORST), data), picture
    )
    assert psnr(LATER, shown) > 20


def test_the_same_bytes_each_time() -> None:
    again = Anchor(FIRST, encode_picture(FIRST, max_bytes=LIMIT))
    assert again.picture == ANCHOR.picture
    assert encode_picture(LATER, max_bytes=LIMIT, after=again) == AFTER


@pytest.mark.parametrize("max_bytes", [60, 250, 2000])
def test_the_limit_is_kept(max_bytes: int) -> None:
    picture = encode_picture(LATER, max_bytes=max_bytes, after=ANCHOR)
    assert len(picture.data) <= max_bytes
    assert decode_picture(picture, ANCHOR.picture).shape == LATER.shape


def test_nothing_fits() -> None:
    with pytest.raises(ConfigError, match="does not fit 9 bytes"):
        encode_picture(LATER, max_bytes=9, after=ANCHOR)
    least = encode_picture(LATER, max_bytes=9, after=ANCHOR, smallest=True)
    assert least == encode_picture(LATER, quality=63)


def test_a_still_where_it_is_better() -> None:
    """An anchor of coarsely coded noise does not help."""
    noise = np.random.default_rng(1).integers(0, 256, FIRST.shape, np.uint8)
    anchor = Anchor(noise, encode_picture(noise, quality=63))
    picture = encode_picture(FIRST, max_bytes=20000, after=anchor)
    assert picture == encode_picture(FIRST, max_bytes=20000)
    assert picture.codec is StillCodec.AV1


def test_anchors_of_every_quarter() -> None:
    """The quarter of the CRF, which `CodedPicture.quality` does not hold, is found."""
    coder = CODERS[StillCodec.AV1]
    later = to_frame(LATER, coder.pixels)
    stills = [
        CodedPicture(
            StillCodec.AV1, 40, encode(coder, [to_frame(FIRST, coder.pixels)], 40 - quarter)
        )
        for quarter in (0.0, 0.25, 0.5, 0.75)
    ]
    for picture in [*stills, encode_picture(FIRST, quality=1)]:
        data = Anchor(FIRST, picture).code(later, 0)
        shown = decode_picture(CodedPicture(StillCodec.AV1_AFTER, 40, data), picture)
        assert psnr(shown, LATER) > 28
    assert len({picture.data for picture in stills}) == 4


def test_pictures_that_cannot_be_anchors() -> None:
    with pytest.raises(ConfigError, match="WEBP"):
        Anchor(FIRST, encode_picture(FIRST, codec=StillCodec.WEBP))
    with pytest.raises(ConfigError, match="AV1_AFTER"):
        Anchor(LATER, AFTER)
    with pytest.raises(ConfigError, match="not what SVT-AV1 makes"):
        Anchor(LATER, ANCHOR.picture)
    with pytest.raises(MediaError):
        Anchor(FIRST[:63], ANCHOR.picture)


def test_settings_that_contradict() -> None:
    for wrong in (
        {"after": ANCHOR},
        {"after": ANCHOR, "quality": 30},
        {"after": ANCHOR, "max_bytes": 900, "codec": StillCodec.WEBP},
        {"codec": StillCodec.AV1_AFTER, "max_bytes": 900},
    ):
        with pytest.raises(ConfigError, match="after another"):
            encode_picture(LATER, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="size"):
        encode_picture(make_picture(64), max_bytes=900, after=ANCHOR)


def test_without_its_anchor() -> None:
    webp = encode_picture(FIRST, codec=StillCodec.WEBP)
    for anchor in (None, AFTER, webp):
        with pytest.raises(StreamError, match="coded after another"):
            decode_picture(AFTER, anchor)


@pytest.mark.parametrize("other", [make_scene(30), make_picture(64), make_picture(256)])
def test_after_another_picture(other: Frame) -> None:
    """The result may be a wrong picture, but it is one, and of the anchor's size."""
    anchor = encode_picture(other, max_bytes=LIMIT)
    try:
        decoded = decode_picture(AFTER, anchor)
    except StreamError:
        return
    assert decoded.shape == other.shape


def test_a_still_needs_no_anchor() -> None:
    alone = decode_picture(ANCHOR.picture)
    assert np.array_equal(decode_picture(ANCHOR.picture, ANCHOR.picture), alone)


def test_a_sequence_of_its_own_is_refused() -> None:
    """A new sequence could change the size, and would not depend on the anchor."""
    whole = encode_picture(make_picture(256), quality=50).data
    with pytest.raises(StreamError, match="sequence of its own"):
        decode_picture(CodedPicture(StillCodec.AV1_AFTER, 0, whole), ANCHOR.picture)
    for data in (AFTER.data * 2, AFTER.data * 50, bytes(20)):
        with pytest.raises(StreamError, match="exactly one frame"):
            decode_picture(CodedPicture(StillCodec.AV1_AFTER, 0, data), ANCHOR.picture)


def test_cut_at_every_byte() -> None:
    for length in range(1, len(AFTER.data), 7):
        cut = CodedPicture(StillCodec.AV1_AFTER, 0, AFTER.data[:length])
        with pytest.raises(StreamError):
            decode_picture(cut, ANCHOR.picture)


@pytest.mark.parametrize("head", [8, 1 << 16])
@settings(max_examples=150)
@given(seed=st.integers(0, 1 << 32))
def test_damaged_bytes_are_a_picture_or_an_error(head: int, seed: int) -> None:
    """The first bytes are the frame's header, where damage has most effects."""
    random = np.random.default_rng(seed)
    data = bytearray(AFTER.data)
    for _ in range(int(random.integers(1, 6))):
        data[int(random.integers(min(head, len(data))))] = int(random.integers(256))
    try:
        decoded = decode_picture(CodedPicture(StillCodec.AV1_AFTER, 0, bytes(data)), ANCHOR.picture)
    except FacewireError:
        return
    assert decoded.shape == LATER.shape


def test_codings_of_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an anchor, fewer than four times as many frames are coded as for the still alone."""
    counts: list[int] = []

    def count(coder, frames, *rest, still=0):  # type: ignore[no-untyped-def]
        counts.append(len(frames))
        return encode(coder, frames, *rest, still=still)

    monkeypatch.setattr(fitting, "encode", count)
    monkeypatch.setattr("facewire.codec.picture.after.encode", count)
    encode_picture(LATER, max_bytes=LIMIT)
    alone = sum(counts)
    counts.clear()
    encode_picture(LATER, max_bytes=LIMIT, after=ANCHOR)
    assert sum(counts) < 4 * alone


def test_a_moving_face_takes_fewer_bytes() -> None:
    """The demo's portrait with its head turned looks better than a still, in 2/3 of its bytes."""
    pytest.importorskip("cv2")  # CI runs these tests in the smallest installation too
    pytest.importorskip("matplotlib")
    face = AnimatedFace(load_portrait())
    first = face.draw(Pose(), 256)
    anchor = Anchor(first, encode_picture(first, max_bytes=1500))
    for pose in (Pose(yaw=12, pitch=3, mouth=0.6), Pose(yaw=-9, roll=4, blink=1)):
        rgb = face.draw(pose, 256)
        alone = decode_picture(encode_picture(rgb, max_bytes=1500))
        picture = encode_picture(rgb, max_bytes=1000, after=anchor)
        assert picture.codec is StillCodec.AV1_AFTER
        assert psnr(rgb, decode_picture(picture, anchor.picture)) > psnr(rgb, alone)
