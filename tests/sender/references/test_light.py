"""How the light of a frame is measured against a reference."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from facewire.codec.light import NEUTRAL, Light, LightGroup
from facewire.codec.packet import Packet
from facewire.sender.appearance import Appearance
from facewire.sender.motion.light import LightMeter
from facewire.sender.references.light import measure_light
from facewire.sender.references.shown_losses import shown_losses

Picture = npt.NDArray[np.uint8]
POINTS = np.random.default_rng(1).uniform(-0.4, 0.4, (146, 2)).astype(np.float32)


def scene(seed: int = 0) -> Picture:
    """Smooth spots of all levels."""
    noise = np.random.default_rng(seed).normal(0, 1, (12, 12, 3)).astype(np.float32)
    smooth = cv2.resize(noise, (256, 256), interpolation=cv2.INTER_CUBIC)
    return np.asarray((110 + 45 * smooth).clip(0, 255), np.uint8)


def look(picture: Picture) -> Appearance:
    return Appearance.of_picture(picture, POINTS)


def changed(picture: Picture, gain: float, offset: float = 0) -> Picture:
    return np.asarray((picture * float(gain) + offset).clip(0, 255), np.uint8)


def measured(reference: Picture, *frames: Picture) -> list[tuple[float, float]]:
    stack = Appearance.stack([look(frame) for frame in frames])
    gains, offsets = measure_light(look(reference), stack)
    return [(float(g), float(o)) for g, o in zip(gains, offsets, strict=True)]


def barred(picture: Picture) -> Picture:
    out = picture.copy()
    out[208:240, 8:248] = 235
    return out


@pytest.mark.parametrize(
    ("gain", "offset"),
    [(0.9, 0), (0.5, 0), (0.2, 0), (0, 0), (0.5, 127), (0, 250), (1.2, 0), (1, -30), (0.8, 15)],
)
@pytest.mark.parametrize("bar", [False, True])
def test_a_fade_is_measured_whatever_else_changes(gain: float, offset: float, bar: bool) -> None:
    picture = scene()
    frame = changed(picture, gain, offset)
    ((found_gain, found_offset),) = measured(picture, barred(frame) if bar else frame)
    right = picture * float(gain) + offset
    got = picture * found_gain + found_offset
    assert np.abs(right.clip(0, 255) - got.clip(0, 255)).mean() < 3.5


def test_what_is_no_light() -> None:
    picture = scene()
    noisy = picture + np.random.default_rng(2).normal(0, 6, picture.shape)
    frames = [
        picture,
        barred(picture),
        np.asarray(noisy.clip(0, 255), np.uint8),
        np.roll(picture, 8, axis=1),
        scene(7),
        changed(picture, 1.03),
    ]
    assert measured(picture, *frames) == [(1, 0)] * len(frames)


def test_a_dull_picture_of_something_else_is_no_light() -> None:
    """A grey picture is nearer to it than the reference is, but that does not make it a fade."""
    noise = np.random.default_rng(1).integers(0, 255, (96, 192, 3), np.uint8)
    wide = cv2.resize(noise, (512, 256), interpolation=cv2.INTER_CUBIC)
    views = [np.ascontiguousarray(wide[:, left : left + 256]) for left in range(40, 216, 5)]
    for reference in views[::8]:
        assert measured(reference, *views) == [(1, 0)] * len(views)


def test_a_dark_reference_is_not_made_more_than_twice_as_bright() -> None:
    picture = scene()
    ((gain, _),) = measured(changed(picture, 0.2), picture)
    assert gain <= 2
    dark, plain = look(changed(picture, 0.2)), look(picture)
    there = shown_losses(plain, Appearance.stack([dark]))[0]
    back = shown_losses(dark, Appearance.stack([plain]))[0]
    assert there < 0.05 < back


class Sent:
    """A meter, and what a receiver learns of it."""

    def __init__(self) -> None:
        self.meter = LightMeter()
        self.meter.begin(4)
        self.packets: list[Packet] = []
        self.reference = look(scene())

    def push(self, pts: int, frame: Picture | None) -> None:
        self.meter.push(self.reference, None if frame is None else look(frame), pts)
        self.packets += self.meter.packets(None)

    @property
    def lights(self) -> list[tuple[int, Light]]:
        groups = [LightGroup.from_packet(packet) for packet in self.packets]
        return [
            (group.pts + n * group.stride, light)
            for group in groups
            for n, light in enumerate(group.lights)
        ]


def test_nothing_is_sent_while_nothing_changes_and_its_end_is_said_once() -> None:
    sent = Sent()
    gains = [1.0] * 5 + [0.8, 0.6, 0.6, 0.8] + [1.0] * 5
    for pts, gain in enumerate(gains):
        sent.push(pts, changed(scene(), gain))
    assert [pts for pts, _ in sent.lights] == [5, 6, 7, 8, 9]
    assert [light.gain for _, light in sent.lights] == pytest.approx(
        [0.8, 0.6, 0.6, 0.8, 1], abs=0.03
    )
    assert sent.lights[-1][1] == NEUTRAL


def test_a_slow_end_of_a_fade_does_not_jump_and_noise_does_not_flicker() -> None:
    sent = Sent()
    rng = np.random.default_rng(5)
    for pts, gain in enumerate([*np.linspace(0.8, 1, 41), *[1.0] * 5]):
        sent.push(pts, changed(scene(), gain))
    means = np.array([light.gain * 110 + light.offset for _, light in sent.lights])
    assert np.abs(np.diff(means)).max() < 4
    still = Sent()
    for pts in range(30):
        noisy = changed(scene(), 0.7) + rng.normal(0, 3, (256, 256, 3))
        still.push(pts, np.asarray(noisy.clip(0, 255), np.uint8))
    assert len({light for _, light in still.lights}) <= 3


def test_a_frame_of_which_nothing_is_known_has_the_light_before() -> None:
    sent = Sent()
    sent.push(0, changed(scene(), 0.5))
    sent.push(1, None)
    assert sent.lights[0][1] == sent.lights[1][1] != NEUTRAL


def test_frames_at_odd_times_and_far_apart() -> None:
    meter = LightMeter()
    meter.begin(0)
    times = [0, 40, 80, 121, 1000, 2000, 2040]
    for pts in times:
        meter.push(look(scene()), look(changed(scene(), 0.5)), pts)
    groups = [LightGroup.from_packet(packet) for packet in meter.packets(2040)]
    found = [g.pts + n * g.stride for g in groups for n in range(len(g.lights))]
    assert found == times[:-1]
    assert meter.packets(None)[0].pts == 2040
