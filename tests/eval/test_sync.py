from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from facewire.codec.errors import WeightsError
from facewire.eval.metrics.base import Pair
from facewire.eval.metrics.sync import MouthAudioCorrelation, lagged_correlation, voice_level
from facewire.eval.metrics.syncnet import MAX_OFFSET, SyncScore
from facewire.models.judges.syncnet import SyncNet, face_crop, load_syncnet, mfcc
from facewire.sender.tracking.tracker import Face

BLANK = np.zeros((64, 64, 3), np.uint8)
FPS = Fraction(25)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def mouth(opening: float) -> Face:
    marks = np.random.default_rng(0).uniform(10, 50, (478, 2)).astype(np.float32)
    marks[[13, 14, 78, 308]] = [(30, 30), (30, 30 + 20 * opening), (20, 33), (40, 33)]
    return Face(marks)


def voice(level: npt.NDArray[np.float64], fps: Fraction = FPS) -> npt.NDArray[np.float32]:
    """A 700 Hz tone whose logarithmic level at each frame is given."""
    at = np.arange(len(level) * 16000 // fps) / 16000
    loud = np.interp(at, np.arange(len(level)) / float(fps), level)
    return (10 ** (loud * 2 - 3) * np.sin(2 * np.pi * 700 * at)).astype(np.float32)


def speech(frames: int) -> npt.NDArray[np.float64]:
    noise = np.random.default_rng(4).normal(size=frames + 8)
    smooth = np.convolve(noise, np.hanning(9), "valid")
    return np.asarray((smooth - smooth.min()) / np.ptp(smooth))


def test_level_follows_the_voice_and_ends_with_the_sound() -> None:
    level = speech(100)
    found = voice_level(voice(level), FPS, 110)
    assert found.shape == (110,)
    assert np.corrcoef(found[:100], level)[0, 1] > 0.95
    assert np.isnan(found[102:]).all()
    hum = np.sin(2 * np.pi * 60 * np.arange(64000) / 16000).astype(np.float32)
    assert voice_level(hum, FPS, 100).mean() < voice_level(voice(level), FPS, 100).mean()


def test_lagged_correlation_against_shifted_arrays() -> None:
    rng = np.random.default_rng(0)
    first = rng.normal(size=60)
    second = np.roll(first, -3)  # second[t] = first[t + 3]
    assert lagged_correlation(first, second, 3) == pytest.approx(1)
    assert lagged_correlation(second, first, -3) == pytest.approx(1)
    assert abs(lagged_correlation(first, second, -3)) < 0.5
    first[5] = np.nan
    expected = np.corrcoef(np.delete(first, 5), np.delete(second, 5))[0, 1]
    assert lagged_correlation(first, second, 0) == pytest.approx(expected)
    assert math.isnan(lagged_correlation(first[:9], second[:9], 0))
    assert math.isnan(lagged_correlation(first, second * 0, 0))


@pytest.mark.parametrize("lag", [0, 3, -4])
def test_the_true_mouth_chooses_the_lag(lag: int) -> None:
    level = speech(120)
    sound = voice(level)
    metric = MouthAudioCorrelation(sound, FPS)
    late = MouthAudioCorrelation(sound, FPS)
    for index in range(120):
        truth = mouth(float(level[np.clip(index - lag, 0, 119)]))
        metric.update(Pair(index, BLANK, BLANK, truth, truth))
        stale = mouth(float(level[np.clip(index - lag - 12, 0, 119)]))
        late.update(Pair(index, BLANK, BLANK, truth, stale))
    assert metric.compute() == metric.reference() > 0.9
    assert late.reference() == metric.reference()
    assert late.compute() < 0.5


def test_mouths_and_sounds_without_movement_have_no_figure() -> None:
    level = speech(60)
    cases = (
        MouthAudioCorrelation(voice(level), FPS),
        MouthAudioCorrelation(np.zeros(0, np.float32), FPS),
        MouthAudioCorrelation(np.zeros(60 * 640, np.float32), FPS),
    )
    for metric in cases:
        assert math.isnan(metric.compute())
        for index in range(60):
            truth = mouth(float(level[index]))
            metric.update(Pair(index, BLANK, BLANK, truth, mouth(0.2)))
        assert math.isnan(metric.compute())
    assert cases[0].reference() > 0.9
    assert math.isnan(cases[1].reference())
    assert math.isnan(cases[2].reference())


def test_frames_without_face_are_unknown_and_others_keep_their_time() -> None:
    level = speech(100)
    metric = MouthAudioCorrelation(voice(level), FPS)
    for index in range(100):
        if index in range(40, 50):
            continue
        face = None if index % 7 == 0 else mouth(float(level[index]))
        metric.update(Pair(index, BLANK, BLANK, face, face))
    assert metric.compute() > 0.95


def test_cepstra_are_those_of_python_speech_features() -> None:
    t = np.arange(1600) / 16000
    tone = 0.5 * np.sin(2 * np.pi * 440 * t) + 0.1 * np.sin(2 * np.pi * 2300 * t * (1 + t))
    found = mfcc(tone.astype(np.float32))
    assert found.shape == (13, 9)
    # python_speech_features 0.6: mfcc(int16 samples, 16000), steps 4 and 8
    fourth = [21.284, 8.0565, -12.0153, 12.3063, -27.0966, -64.3285, -10.136, -0.4569]
    fourth += [-33.6662, 12.9571, 43.1714, -0.001, 2.7849]
    last = [21.1169, 10.6263, -9.7578, 20.2322, -27.7399, -55.7678, 0.3087, -9.0153]
    last += [-27.9138, 27.1209, 29.7004, -4.4985, 15.5373]
    assert found[:, 4] == pytest.approx(fourth, abs=2e-4)
    assert found[:, 8] == pytest.approx(last, abs=2e-4)
    assert np.isfinite(mfcc(np.zeros(1600, np.float32))).all()


@pytest.fixture(scope="module")
def network() -> SyncNet:
    torch.manual_seed(0)
    return SyncNet().eval()


def test_shapes_of_both_towers(network: SyncNet) -> None:
    with torch.inference_mode():
        assert network.netcnnlip(torch.zeros(1, 3, 5, 224, 224)).shape == (1, 512, 1, 1, 1)
        assert network.netcnnaud(torch.zeros(2, 1, 13, 20)).shape == (2, 512, 1, 1)
        assert network.face(torch.zeros(1, 3, 5, 224, 224)).shape == (1, 1024)
        assert network.sound(torch.zeros(2, 1, 13, 20)).shape == (2, 1024)


# Names and shapes in the public `syncnet_v2.model`: place in its tower, weight's shape.
PUBLIC: dict[str, dict[int, tuple[int, ...]]] = {
    "netcnnaud": {
        0: (64, 1, 3, 3),
        4: (192, 64, 3, 3),
        8: (384, 192, 3, 3),
        11: (256, 384, 3, 3),
        14: (256, 256, 3, 3),
        18: (512, 256, 5, 4),
    },
    "netcnnlip": {
        0: (96, 3, 5, 7, 7),
        4: (256, 96, 1, 5, 5),
        8: (256, 256, 1, 3, 3),
        11: (256, 256, 1, 3, 3),
        14: (256, 256, 1, 3, 3),
        18: (512, 256, 1, 6, 6),
    },
    "netfcaud": {0: (512, 512), 3: (1024, 512)},
    "netfclip": {0: (512, 512), 3: (1024, 512)},
}


def public_state() -> OrderedDict[str, Tensor]:
    """A state dict as old torch wrote it: batch norms without their counters."""
    rng = torch.Generator().manual_seed(1)
    state: OrderedDict[str, Tensor] = OrderedDict()
    for tower, layers in PUBLIC.items():
        for place, shape in layers.items():
            state[f"{tower}.{place}.weight"] = torch.randn(shape, generator=rng) * 0.02
            state[f"{tower}.{place}.bias"] = torch.randn(shape[0], generator=rng)
            if shape[0] != 1024:
                for name in ("weight", "bias", "running_mean", "running_var"):
                    state[f"{tower}.{place + 1}.{name}"] = torch.rand(shape[0], generator=rng)
    return state


def test_public_weights_go_in_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = public_state()
    torch.save(state, tmp_path / "syncnet_v2.model", _use_new_zipfile_serialization=False)
    monkeypatch.setenv("FACEWIRE_WEIGHTS", str(tmp_path))
    network = load_syncnet()
    assert not network.training
    loaded = network.state_dict()
    assert {n for n in loaded if not n.endswith("num_batches_tracked")} == set(state)
    for name, value in state.items():
        assert torch.equal(loaded[name], value)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (eval, ("1/0",))


def test_other_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "syncnet_v2.model"
    for content in (Evil(), {"netcnnaud.0.weight": torch.zeros(2)}, [1, 2]):
        torch.save(content, path)
        with pytest.raises(WeightsError, match="SyncNet"):
            load_syncnet(path)
    for data in (b"", b"junk", path.read_bytes()[:50]):
        path.write_bytes(data)
        with pytest.raises(WeightsError, match="SyncNet"):
            load_syncnet(path)
    monkeypatch.setenv("FACEWIRE_WEIGHTS", str(tmp_path / "nowhere"))
    with pytest.raises(WeightsError, match="syncnet_v2"):
        load_syncnet()


def test_crop_is_a_square_lower_than_the_face() -> None:
    frame = np.zeros((100, 100, 3), np.uint8)
    frame[:, :, 0] = np.arange(100)  # red counts columns, green rows
    frame[:, :, 1] = np.arange(100)[:, None]
    marks = np.zeros((478, 2), np.float32)
    marks[0], marks[1], marks[2:] = (40, 30), (60, 70), (50, 50)  # half of the larger side: 20
    crop = face_crop(frame, marks)
    assert crop.shape == (3, 224, 224)
    # x from 50 - 28 to 50 + 28, y from 50 - 20 to 50 + 36; the value of a pixel is its centre - 0.5
    assert crop[2, 100, [0, -1]].numpy() == pytest.approx([21.625, 77.375], abs=1e-3)
    assert crop[1, [0, -1], 100].numpy() == pytest.approx([29.625, 85.375], abs=1e-3)
    assert float(crop[0].abs().max()) < 1e-3
    outside = face_crop(frame, marks + 500)
    assert float((outside - 110).abs().max()) < 1e-3


class Known(SyncNet):
    """Towers that give the first numbers of what they see: a crop's mean, a window's energy."""

    def __init__(self, table: Tensor) -> None:
        torch.nn.Module.__init__(self)
        self._table = table
        self.faces = 0

    def sound(self, windows: Tensor) -> Tensor:
        return self._table[: len(windows)]

    def face(self, windows: Tensor) -> Tensor:
        self.faces += 1
        return self._table[windows[:, 0, 0, 112, 112].round().long()]


def grey(index: int) -> npt.NDArray[np.uint8]:
    return np.full((64, 64, 3), index, np.uint8)


def run(score: SyncScore, frames: int, shift: int, missing: int | None = None) -> None:
    for index in range(frames):
        face = None if index == missing else mouth(0.3)
        score.update(Pair(index, grey(index + shift), grey(index + shift), face, face))


@pytest.mark.parametrize("shift", [0, 4])
def test_confidence_distance_and_offset_of_known_embeddings(shift: int) -> None:
    table = torch.randn(64, 1024, generator=torch.Generator().manual_seed(2))
    sound = np.zeros(45 * 640, np.float32)  # 40 windows
    network = Known(table)
    score = SyncScore(network, sound)
    run(score, 50, shift)
    assert network.faces == 40
    # The same by loops: sound of windows outside is zero, distances averaged over windows.
    distance = np.zeros(2 * MAX_OFFSET + 1)
    for window in range(40):
        for column, offset in enumerate(range(-MAX_OFFSET, MAX_OFFSET + 1)):
            other = window + offset
            heard = table[other] if 0 <= other < 40 else torch.zeros(1024)
            distance[column] += float((table[window + shift] - heard).norm()) / 40
    assert score.distance() == pytest.approx(distance.min(), abs=1e-3)
    assert score.compute() == pytest.approx(np.median(distance) - distance.min(), rel=1e-4)
    assert score.offset() == shift


def test_windows_without_a_face_and_passed_over_ones_are_left_out() -> None:
    table = torch.randn(64, 1024, generator=torch.Generator().manual_seed(2))
    sound = np.zeros(45 * 640, np.float32)
    network = Known(table)
    score = SyncScore(network, sound)
    run(score, 45, 0, missing=20)
    assert network.faces == 40 - 5
    sparse = Known(table)
    run(SyncScore(sparse, sound, every=4), 45, 0)
    assert sparse.faces == 10


@pytest.mark.parametrize("fps", [Fraction(30), Fraction(25, 2), Fraction(60000, 1001)])
def test_frames_are_taken_at_25_a_second(fps: Fraction) -> None:
    network = Known(torch.zeros(128, 1024))
    seconds = 2
    run(SyncScore(network, np.zeros(seconds * 16000, np.float32), fps), int(seconds * fps), 0)
    assert abs(network.faces - (seconds * 25 - 5)) <= 1


def test_no_sound_no_score() -> None:
    score = SyncScore(Known(torch.zeros(64, 1024)), np.zeros(1000, np.float32))
    run(score, 10, 0)
    assert math.isnan(score.compute())
    assert math.isnan(score.distance())
    assert score.offset() is None


def test_the_real_towers_run_in_a_stream(network: SyncNet) -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, 8 * 640).astype(np.float32)
    score = SyncScore(network, sound)
    run(score, 8, 0)
    assert score.distance() > 0
    assert score.compute() >= 0
