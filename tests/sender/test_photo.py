from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facewire.codec.errors import ConfigError, FacewireError, MediaError
from facewire.sender import photo
from facewire.sender.photo import Portrait, read_portrait

SIZE = (120, 80)  # width, height
LEFT, RIGHT = (200, 30, 60), (40, 90, 220)


def colours() -> Image.Image:
    """A picture whose left and right halves differ."""
    picture = np.empty((SIZE[1], SIZE[0], 3), np.uint8)
    picture[:, : SIZE[0] // 2], picture[:, SIZE[0] // 2 :] = LEFT, RIGHT
    return Image.fromarray(picture)


def check(portrait: Portrait) -> None:
    assert portrait.picture.shape == (SIZE[1], SIZE[0], 3)
    assert np.abs(portrait.picture[40, 20].astype(int) - LEFT).max() <= 6
    assert np.abs(portrait.picture[40, 100].astype(int) - RIGHT).max() <= 6


@pytest.mark.parametrize("name", ["me.jpg", "me.png", "me.webp", "me.tiff", "me.bmp", "me.avif"])
def test_formats(tmp_path: Path, name: str) -> None:
    colours().save(tmp_path / name, quality=95)
    portrait = read_portrait(tmp_path / name, "Ada, today")
    check(portrait)
    assert portrait.name == name
    assert portrait.consent == "Ada, today"


@pytest.mark.parametrize(("orientation", "turns"), [(3, 2), (6, 1), (8, 3)])
def test_exif_says_what_is_up(tmp_path: Path, orientation: int, turns: int) -> None:
    exif = Image.Exif()
    exif[0x112] = orientation
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(np.asarray(colours()), turns)))
    turned.save(tmp_path / "me.jpg", exif=exif, quality=95)
    check(read_portrait(tmp_path / "me.jpg"))


def test_cmyk(tmp_path: Path) -> None:
    colours().convert("CMYK").save(tmp_path / "me.jpg", quality=95)
    check(read_portrait(tmp_path / "me.jpg"))


def test_16_bits(tmp_path: Path) -> None:
    import cv2

    wide = np.asarray(colours()).astype(np.uint16) * 257
    cv2.imwrite(str(tmp_path / "me.png"), wide[..., ::-1])
    check(read_portrait(tmp_path / "me.png"))


def test_grey(tmp_path: Path) -> None:
    colours().convert("L").save(tmp_path / "me.png")
    picture = read_portrait(tmp_path / "me.png").picture
    assert picture.shape == (80, 120, 3)
    assert (picture[..., 0] == picture[..., 2]).all()


@pytest.mark.parametrize("bits", [8, 16])
def test_what_is_transparent_becomes_grey(tmp_path: Path, bits: int) -> None:
    import cv2

    most = 2**bits - 1
    bgra = np.zeros((80, 120, 4), np.uint8 if bits == 8 else np.uint16)
    bgra[:, :60] = (0, 0, most, most)  # opaque red
    cv2.imwrite(str(tmp_path / "me.png"), bgra)
    picture = read_portrait(tmp_path / "me.png").picture
    assert picture[5, 5].tolist() == [255, 0, 0]
    assert picture[5, 100].tolist() == [128, 128, 128]


@pytest.mark.parametrize("size", [(32, 32), (63, 2000)])
def test_too_small(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size).save(tmp_path / "me.png")
    with pytest.raises(MediaError, match=r"me\.png has \d+x\d+ pixels; a portrait needs"):
        read_portrait(tmp_path / "me.png")


def test_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    colours().save(tmp_path / "me.png")
    monkeypatch.setattr(photo, "_MOST_PIXELS", 9000)
    with pytest.raises(MediaError, match="make it smaller"):
        read_portrait(tmp_path / "me.png")
    monkeypatch.setattr(photo, "_MOST_BYTES", 100)
    with pytest.raises(MediaError, match="that is no portrait"):
        read_portrait(tmp_path / "me.png")


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0 cut"])
def test_what_is_no_picture(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "me.jpg").write_bytes(data)
    with pytest.raises(MediaError, match=r"me\.jpg cannot be read as a picture"):
        read_portrait(tmp_path / "me.jpg")


def test_a_cut_picture_is_a_picture_or_an_error(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    colours().save(buffer, "png")
    refused = 0
    for length in range(0, len(buffer.getvalue()), 7):
        (tmp_path / "me.png").write_bytes(buffer.getvalue()[:length])
        try:
            picture = read_portrait(tmp_path / "me.png").picture
        except FacewireError:
            refused += 1
        else:
            assert picture.dtype == np.uint8
            assert picture.shape[2:] == (3,)
    assert refused


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_portrait(tmp_path / "me.png")


@pytest.mark.parametrize("consent", ["", "   ", "two\nlines", "x" * 201, "ä" * 101, "\ud800"])
def test_a_consent_is_one_line(consent: str) -> None:
    with pytest.raises(ConfigError, match="one line"):
        Portrait(np.zeros((64, 64, 3), np.uint8), consent)


def test_an_array_that_is_no_picture() -> None:
    with pytest.raises(ConfigError, match="uint8 RGB"):
        Portrait(np.zeros((64, 64), np.uint8))
    with pytest.raises(ConfigError, match="uint8 RGB"):
        Portrait(np.zeros((64, 64, 3), np.float32))  # type: ignore[arg-type]
