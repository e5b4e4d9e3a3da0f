"""The search for a quality that fits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewire.codec.errors import ConfigError, MediaError
from facewire.codec.picture.fitting import fit_picture
from facewire.codec.picture.level_search import best_level
from facewire.codec.picture.steps import Steps, finish
from facewire.codec.picture.still import Anchor, decode_picture, encode_picture

from ..makers import make_picture, psnr

BEST = 248


def searched(sizes: list[int], limit: int, guess: int) -> tuple[int, bytes, int]:
    """Run a search over levels of given sizes; return level, data and the number of codings."""
    tried = []

    def code(step: int) -> bytes:
        tried.append(step)
        return bytes(sizes[step])

    step, data = finish(best_level(code, 0.0142 * np.arange(len(sizes)), limit, guess))
    assert len(set(tried)) == len(tried)
    assert len(data) == sizes[step]
    return step, data, len(tried)


def straight(slope: float, smallest: float = 100) -> list[int]:
    return [round(smallest * math.exp(slope * step)) for step in range(BEST + 1)]


@given(st.floats(0.004, 0.04), st.integers(20, 30_000), st.integers(-500, 500))
def test_nothing_clearly_better_fits(slope: float, limit: int, guess: int) -> None:
    sizes = straight(slope)
    step, data, tries = searched(sizes, limit, guess)
    fitting = [size for size in sizes if size <= limit]
    if not fitting:
        assert step == 0
    else:
        assert 0.985 * max(fitting) <= len(data) <= limit
    assert tries <= 12


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=60), st.integers(1, 5000))
def test_sizes_in_any_order_come_to_an_end(sizes: list[int], limit: int) -> None:
    """Codecs are not always monotone."""
    _, data, tries = searched(sizes, limit, len(sizes) // 2)
    assert tries <= len(sizes)
    if sizes[0] <= limit:
        assert len(data) <= limit


def test_few_codings_where_the_guess_is_fair() -> None:
    for limit in (700, 1500, 3000):
        assert searched(straight(0.0142), limit, 130)[2] <= 3
        assert searched(straight(0.018), limit, 130)[2] <= 6


def test_the_search_rests_after_each_coding() -> None:
    rgb = make_picture(128)
    steps: Steps[object] = fit_picture(rgb, 900)
    rests = sum(1 for _ in steps)
    assert 2 <= rests <= 8
    assert finish(fit_picture(rgb, 900)) == encode_picture(rgb, max_bytes=900)


def test_an_anchor_coding_by_coding() -> None:
    rgb = make_picture(128)
    picture = encode_picture(rgb, max_bytes=900)
    anchor = finish(Anchor.of(rgb, picture))
    assert anchor.quality(0) == Anchor(rgb, picture).quality(0)
    assert abs(anchor.quality(0) - anchor.crf) < 1
    assert anchor.quality(40) == anchor.quality(0) + 10
    assert (anchor.quality(1000), anchor.quality(-1000)) == (63, 1)
    with pytest.raises(ConfigError, match="not what SVT-AV1 makes"):
        finish(Anchor.of(make_picture(64), picture))


@pytest.mark.parametrize("middle", [20.0, 45.0, 60.0])
def test_a_still_for_a_middle_fits_and_is_as_fine(middle: float) -> None:
    rgb = make_picture(128)
    plain = finish(fit_picture(rgb, 900))
    picture = finish(fit_picture(rgb, 900, middle=middle))
    assert len(picture.data) <= 900
    assert psnr(rgb, decode_picture(picture)) > psnr(rgb, decode_picture(plain)) - 0.5
    anchor = finish(Anchor.of(rgb, picture, middle))
    assert anchor.crf != finish(Anchor.of(rgb, plain)).crf
    assert anchor.crf + anchor.still / 4 == pytest.approx(picture.quality, abs=1)


def test_a_library_without_quarters(monkeypatch: pytest.MonkeyPatch) -> None:
    from facewire.codec.picture import fitting

    real = fitting.encode

    def whole(coder, frames, quality, offset=0, *, still=0):  # type: ignore[no-untyped-def]
        if quality % 1:
            raise MediaError("crf is whole")
        return real(coder, frames, quality, offset, still=still)

    rgb = make_picture(128)
    monkeypatch.setattr(fitting, "encode", whole)
    picture = encode_picture(rgb, max_bytes=900)
    assert len(picture.data) <= 900
    assert picture.data == encode_picture(rgb, quality=picture.quality).data


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_no_room_gives_the_smallest_picture(limit: int) -> None:
    picture = finish(fit_picture(make_picture(64), limit, smallest=True))
    assert decode_picture(picture).shape == (64, 64, 3)
