"""Ten seconds of a call in virtual time with the real tracker and the real generator."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from facewire.call.config import CallConfig
from facewire.call.simulated import LineConditions
from facewire.sender.config import EncoderConfig

from .sides import Call

Frame = npt.NDArray[np.uint8]


def psnr(one: Frame, other: Frame) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


@pytest.mark.slow
def test_ten_seconds_with_the_real_networks(card: Path, frames: list[Frame]) -> None:
    config = CallConfig(kbps=24, fps=Fraction(10), encoder=EncoderConfig(model="xs", crop=False))
    lossy = LineConditions(loss=0.03)
    call = Call(card, config, lossy, lossy, film=frames[::3])
    call.run(10)
    for side in (call.a, call.b):
        shown = side.frames(2, 10)
        assert len(shown) > 0.9 * 80
        assert side.longest_still(2, 10) < 0.5
        assert side.peer is not None
        filmed = dict(side.peer.filmed)
        there = [one for one in shown if not one.made_up]
        taken = [min(filmed, key=lambda at: abs(at - one.taken)) for one in there]
        right = [psnr(one.picture, filmed[at]) for one, at in zip(there, taken, strict=True)]
        # Half a second too early, the same pictures fit worse: they follow the face.
        wrong = [
            psnr(one.picture, filmed[at]) for one, at in zip(there[5:], taken[:-5], strict=True)
        ]
        assert min(right) > 15  # 16.7 and more was seen; the film moves three times as fast as life
        assert np.mean(right) > np.mean(wrong) + 1
        assert call.a.kbps(4, 9) < 24 * 1.05
