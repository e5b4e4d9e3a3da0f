"""`BatchGenerator`: many callers share one GPU, and one step renders a frame for each.

The device keeps the keyframes of each caller in a slot. What changes with every frame is small
(keypoints, landmarks, sound). So a step is one copy to the device, one run of the network on the
whole batch, and one copy of the finished pictures back. In bf16 only convolutions and matrix
products have half precision; geometry is exact (`models.avfr.geometry.exact`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ...codec.errors import ConfigError
from ...codec.motion.frame import MotionFrame
from ...models.avfr.model import Avfr, numbers_to_motion
from ...models.face.gaze import with_irises
from ...models.face.landmarks import PointRebuilder
from ...models.mel import MEL_BANDS, MEL_STEPS
from .protocol import Array, Frame, Source, from_picture, mel_or_silence

if TYPE_CHECKING:
    from ...models.weights import Card

__all__ = ["BatchGenerator", "Request"]


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """The next frame of one caller: the arguments of `Generator.render`."""

    source: Source
    motion: MotionFrame
    mel: Array | None


class BatchGenerator:
    """Renders one frame for each of up to `callers` callers at once. It is not thread-safe.

    Args:
        card: a card of `models.weights`.
        callers: number of slots. A step costs the same however many of them are used.
        device: where the network runs; None means the GPU if there is one, else the CPU.
        bf16: whether to use bf16; None means yes on a GPU that has it.
        graph: record the step as a CUDA graph (on a GPU only), which replaces hundreds of launches
            by one.
        changes: tensors, by name, that replace the stored ones for all callers.

    Raises:
        ConfigError: there are no callers, or the device does not have bf16 or graphs.
        WeightsError: the weights are missing or damaged.
    """

    def __init__(
        self,
        card: Card,
        callers: int,
        *,
        device: torch.device | None = None,
        bf16: bool | None = None,
        graph: bool = False,
        changes: Mapping[str, Array] | None = None,
    ) -> None:
        if callers < 1:
            raise ConfigError(f"a batch must serve 1 caller or more, not {callers}")
        self._device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
        on_gpu = self._device.type == "cuda"
        has_bf16 = on_gpu and torch.cuda.is_bf16_supported()
        self._bf16 = has_bf16 if bf16 is None else bf16
        if self._bf16 and not has_bf16:
            raise ConfigError("the torch backend runs in bf16 on a GPU that has it, not here")
        if graph and not on_gpu:
            raise ConfigError("a CUDA graph needs a GPU; there is none here")
        model = Avfr.from_pretrained(card.folder)
        changed = {name: torch.from_numpy(value) for name, value in (changes or {}).items()}
        model.load_state_dict(changed, strict=False)
        self._generator = model.generator.to(self._device).requires_grad_(False).eval()
        for module in self._generator.modules():
            if self._bf16 and isinstance(module, nn.Conv2d | nn.Linear):
                module.to(torch.bfloat16)  # once; autocast would do it again for every frame
            if isinstance(module, nn.Conv2d):
                module.weight.data = module.weight.contiguous(memory_format=torch.channels_last)
        self._rebuild = PointRebuilder(model.face).rebuild
        self._size, self._gaze = model.config.size, model.config.gaze
        self._points = model.config.points
        self._slots: list[Source | None] = [None] * callers
        self._still, self._moving = self._buffers(callers)
        self._step = self._recorded() if graph else self._frames

    def set_source(self, rgb: Frame, motion: MotionFrame, points: Array) -> Source:
        """See `Generator.set_source`. The result occupies memory of the device while it exists."""
        points = np.ascontiguousarray(points, np.float32)
        numbers = motion.to_array()
        with torch.inference_mode():
            picture = torch.from_numpy(from_picture(rgb, self._size)).to(self._device)
            at = torch.from_numpy(self._drawn(points, motion.gaze)[None]).to(self._device)
            still = [picture, torch.from_numpy(numbers[None]).to(self._device), at]
            return Source(numbers, points, [*still, *self._encode(picture, at)])

    def points(self, source: Source, motion: MotionFrame) -> Array:
        """See `Generator.points`."""
        return self._rebuild(source.numbers, source.points, motion.to_array())

    def render(self, requests: Sequence[Request | None]) -> list[Frame | None]:
        """Make one frame for each caller who wants one.

        Args:
            requests: one for each caller, or None if nothing is due for it. A caller may change
                the source at any time, and must keep its place in the list, which is its slot.

        Returns:
            uint8 RGB `[256, 256, 3]` or None, in the same places.

        Raises:
            ConfigError: more requests than slots.
        """
        if len(requests) > len(self._slots):
            raise ConfigError(f"{len(requests)} requests, but {len(self._slots)} callers")
        due = [(slot, wanted) for slot, wanted in enumerate(requests) if wanted is not None]
        if not due:
            return [None] * len(requests)
        with torch.inference_mode():
            for slot, wanted in due:
                self._place(slot, wanted.source)
            for buffer, values in zip(self._moving, self._motions(due), strict=True):
                buffer.copy_(torch.from_numpy(values))
            pictures = self._step().cpu().numpy()
        rendered: list[Frame | None] = [None] * len(requests)
        for slot, _ in due:
            rendered[slot] = pictures[slot].copy()  # so that a frame does not keep the whole batch
        return rendered

    def _motions(self, due: Sequence[tuple[int, Request]]) -> list[Array]:
        """Numbers, landmarks and sound of all slots; zeros for those that are not due."""
        moving = [np.zeros(tuple(buffer.shape), np.float32) for buffer in self._moving]
        slots = [slot for slot, _ in due]
        numbers = np.stack([wanted.motion.to_array() for _, wanted in due])
        still = np.stack([wanted.source.numbers for _, wanted in due])
        points = np.stack([wanted.source.points for _, wanted in due])
        moving[0][slots] = numbers
        gaze = np.stack([wanted.motion.gaze for _, wanted in due])
        moving[1][slots] = self._drawn(self._rebuild(still, points, numbers), gaze)
        moving[2][slots] = np.concatenate([mel_or_silence(wanted.mel) for _, wanted in due])
        return moving

    def _drawn(self, points: Array, gaze: Array) -> Array:
        """What the network takes of faces: their landmarks, and irises if it shows the gaze."""
        return with_irises(points, gaze) if self._gaze else points

    def _place(self, slot: int, source: Source) -> None:
        """Copy a keyframe into a slot, unless it is there already."""
        if self._slots[slot] is source:
            return
        for buffer, value in zip(self._still, source.features, strict=True):
            buffer[slot : slot + 1].copy_(value)
        self._slots[slot] = source

    def _buffers(self, callers: int) -> tuple[list[Tensor], list[Tensor]]:
        """Memory for keyframes (picture, numbers, points, features) and motion (numbers, points,
        sound).
        """
        with torch.inference_mode():
            picture = torch.zeros(1, 3, self._size, self._size, device=self._device)
            points = torch.zeros(1, self._points, 2, device=self._device)
            numbers = torch.zeros(1, 10, 6, device=self._device)
            mel = torch.zeros(1, 1, MEL_BANDS, MEL_STEPS, device=self._device)
            features = self._encode(picture, points)

            def slots(example: Tensor) -> Tensor:
                many = example.new_zeros(callers, *example.shape[1:])
                lies = torch.channels_last if many.ndim == 4 else torch.contiguous_format
                return many.contiguous(memory_format=lies)

            still = [slots(value) for value in (picture, numbers, points, *features)]
            return still, [slots(value) for value in (numbers, points, mel)]

    def _encode(self, picture: Tensor, points: Tensor) -> list[Tensor]:
        with self._mixed():
            features: list[Tensor] = self._generator.encode_source(picture, points)
            return features

    def _frames(self) -> Tensor:
        """Run the network on all slots: uint8 `[callers, H, W, 3]` on the device."""
        picture, numbers, points, *features = self._still
        moving, landmarks, mel = self._moving
        with self._mixed():
            made = self._generator(
                picture,
                features,
                numbers_to_motion(numbers, points),
                numbers_to_motion(moving, landmarks),
                mel,
            )
        image: Tensor = made["image"].float().clamp(0, 1) * 255 + 0.5
        return image.byte().permute(0, 2, 3, 1).contiguous()

    def _mixed(self) -> torch.autocast:
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16)

    def _recorded(self) -> Callable[[], Tensor]:
        """The step as a CUDA graph, which reads and writes the same memory each time."""
        with torch.inference_mode():
            # In runs before the recording, libraries choose their kernels and allocate memory.
            beside = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
            beside.wait_stream(torch.cuda.current_stream(self._device))
            with torch.cuda.stream(beside):
                for _ in range(3):
                    self._frames()
            torch.cuda.current_stream(self._device).wait_stream(beside)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                pictures = self._frames()

        def replay() -> Tensor:
            graph.replay()
            return pictures

        return replay
