"""SyncNet maps a face and its sound to vectors, which are alike where both belong together.

Chung & Zisserman, "Out of time: automated lip sync in the wild", ACCV workshops 2016. Two towers
map 0.2 s of the face (5 frames) and of the sound (20 MFCC steps) to 1024 numbers each. The layers
are those of the public weights `syncnet_v2.model`, found in the folder `FACEWIRE_WEIGHTS`; nothing
downloads them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.fft
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...codec.errors import WeightsError
from ...codec.sound.opus import SAMPLE_RATE
from ..third_party import find_asset
from .tensors import Frame

__all__ = ["CEPSTRA", "FRAMES", "STEPS", "SyncNet", "face_crop", "load_syncnet", "mfcc"]

FRAMES, STEPS, CEPSTRA = 5, 20, 13
"""Frames and MFCC steps of a window, and numbers of a step."""
_SIDE = 224
_WINDOW, _HOP, _FFT, _FILTERS = 400, 160, 512, 26


class SyncNet(nn.Module):
    """Both towers; module names as in the public weights (`netcnnaud.0.weight` and so on)."""

    def __init__(self) -> None:
        super().__init__()
        self.netcnnaud = nn.Sequential(
            *_block(nn.Conv2d(1, 64, 3, padding=1)),
            nn.MaxPool2d(1, 1),
            *_block(nn.Conv2d(64, 192, 3, padding=1)),
            nn.MaxPool2d(3, (1, 2)),
            *_block(nn.Conv2d(192, 384, 3, padding=1)),
            *_block(nn.Conv2d(384, 256, 3, padding=1)),
            *_block(nn.Conv2d(256, 256, 3, padding=1)),
            nn.MaxPool2d(3, 2),
            *_block(nn.Conv2d(256, 512, (5, 4))),
        )
        self.netcnnlip = nn.Sequential(
            *_block(nn.Conv3d(3, 96, (FRAMES, 7, 7), (1, 2, 2))),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_block(nn.Conv3d(96, 256, (1, 5, 5), (1, 2, 2), (0, 1, 1))),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            *_block(nn.Conv3d(256, 256, (1, 3, 3), 1, (0, 1, 1))),
            *_block(nn.Conv3d(256, 256, (1, 3, 3), 1, (0, 1, 1))),
            *_block(nn.Conv3d(256, 256, (1, 3, 3), 1, (0, 1, 1))),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_block(nn.Conv3d(256, 512, (1, 6, 6))),
        )
        self.netfcaud = _head()
        self.netfclip = _head()

    def sound(self, windows: Tensor) -> Tensor:
        """MFCC `[B, 1, 13, 20]` → `[B, 1024]`."""
        return torch.as_tensor(self.netfcaud(self.netcnnaud(windows).flatten(1)))

    def face(self, windows: Tensor) -> Tensor:
        """Frames `[B, 3, 5, 224, 224]`, BGR on [0, 255] → `[B, 1024]`."""
        return torch.as_tensor(self.netfclip(self.netcnnlip(windows).flatten(1)))


def _block(convolution: nn.Conv2d | nn.Conv3d) -> list[nn.Module]:
    flat = isinstance(convolution, nn.Conv2d)
    channels = convolution.out_channels
    return [convolution, nn.BatchNorm2d(channels) if flat else nn.BatchNorm3d(channels), nn.ReLU()]


def _head() -> nn.Sequential:
    return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 1024))


def load_syncnet(path: Path | None = None) -> SyncNet:
    """The network with its public weights, ready to use.

    Args:
        path: a state dict; by default `syncnet_v2.model` in the folder `FACEWIRE_WEIGHTS`.

    Raises:
        WeightsError: no such file, or other weights.
    """
    path = path or find_asset("syncnet_v2.model")
    network = SyncNet()
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # a file of another kind makes the unpickler raise anything
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise WeightsError(f"{path} does not hold SyncNet's weights: {reason}") from error
    return network.eval().requires_grad_(False)


def mfcc(pcm: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Mel-frequency cepstra as SyncNet was trained with: `[n]` on [-1, 1] → `[13, steps]`.

    Those of the package `python_speech_features` with its defaults: 16-bit samples, pre-emphasis
    0.97, 25 ms rectangular windows each 10 ms, 26 mel filters, lifter 22, and the logarithm of
    the energy in place of the first.
    """
    signal = np.rint(np.clip(pcm.astype(np.float64), -1, 1) * 32767)
    signal[1:] -= 0.97 * signal[:-1]
    steps = 1 + max(0, -(-(len(signal) - _WINDOW) // _HOP))
    padded = np.zeros((steps - 1) * _HOP + _WINDOW)
    padded[: len(signal)] = signal
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    power = np.abs(np.fft.rfft(windows, _FFT)) ** 2 / _FFT
    tiny = np.finfo(float).eps
    energy, bands = power.sum(1), power @ _mel_filters().T
    bands, energy = np.where(bands == 0, tiny, bands), np.where(energy == 0, tiny, energy)
    lifter = 1 + 11 * np.sin(np.pi * np.arange(CEPSTRA) / 22)
    cepstra = scipy.fft.dct(np.log(bands), norm="ortho")[:, :CEPSTRA] * lifter
    cepstra[:, 0] = np.log(energy)
    return np.asarray(cepstra.T, np.float32)


def _mel_filters() -> npt.NDArray[np.float64]:
    """26 triangles on whole FFT bins, `[26, 257]`."""
    mel = np.linspace(0, 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700), _FILTERS + 2)
    edges = np.floor((_FFT + 1) * 700 * (10 ** (mel / 2595) - 1) / SAMPLE_RATE)[:, None]
    bins = np.arange(_FFT // 2 + 1)
    rise = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(0.0, np.minimum(rise, fall)))


def face_crop(frame: Frame, landmarks: npt.NDArray[np.float32]) -> Tensor:
    """The face as SyncNet wants it: float32 BGR `[3, 224, 224]` on [0, 255].

    A square 1.4 times the larger side of the face's box, reaching further down than up, grey
    (110) where it leaves the picture. The box is that of MediaPipe's mesh; the public pipeline's
    detector draws it a little larger and smooths it over 13 frames.
    """
    low, high = landmarks[:468].min(0), landmarks[:468].max(0)
    half = float((high - low).max()) / 2
    x, y = ((low + high) / 2).tolist()
    height, width = frame.shape[:2]
    # Pixel edges of the square on the picture's [-1, 1], sampled at the crop's pixel centres.
    places = (torch.arange(_SIDE) + 0.5) / _SIDE * 2 - 1
    across = (x + 1.4 * half * places) * (2 / width) - 1
    down = (y + (0.4 + 1.4 * places) * half) * (2 / height) - 1
    grid = torch.stack([across.expand(_SIDE, -1), down[:, None].expand(-1, _SIDE)], -1)
    picture = torch.from_numpy(np.ascontiguousarray(frame[..., ::-1])).permute(2, 0, 1).float()
    crop = functional.grid_sample((picture - 110)[None], grid[None], align_corners=False)
    return crop[0] + 110
