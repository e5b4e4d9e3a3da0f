"""`BlinkNetwork`: how far the eyes are closed, from the landmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from .networks import load_network

__all__ = ["BlinkNetwork"]

Points = npt.NDArray[np.float32]

_RIGHT, _LEFT = 10, 9  # of the 52 blendshapes
# The landmarks that the network takes, in this order.
_TAKEN = """
0 1 4 5 6 7 8 10 13 14 17 21 33 37 39 40 46 52 53 54 55 58 61 63 65 66 67 70 78 80 81 82 84 87 88
91 93 95 103 105 107 109 127 132 133 136 144 145 146 148 149 150 152 153 154 155 157 158 159 160
161 162 163 168 172 173 176 178 181 185 191 195 197 234 246 249 251 263 267 269 270 276 282 283 284
285 288 291 293 295 296 297 300 308 310 311 312 314 317 318 321 323 324 332 334 336 338 356 361 362
365 373 374 375 377 378 379 380 381 382 384 385 386 387 388 389 390 397 398 400 402 405 409 415 454
466 468 469 470 471 472 473 474 475 476 477
"""


class BlinkNetwork:
    """The two blink scores of MediaPipe's 52 blendshapes.

    Args:
        path: `face_landmarker.task`.

    Raises:
        WeightsError: not such a file.
    """

    def __init__(self, path: Path) -> None:
        self._network = load_network(path, "blendshapes")
        self._taken = [int(index) for index in _TAKEN.split()]

    def blink(self, landmarks: Points) -> tuple[float, float]:
        """(right, left), 0 open to 1 closed, of landmarks `[478, 3]` in pixels."""
        self._network.input[0] = landmarks[self._taken, :2]
        (scores,) = self._network.run()
        return float(scores[_RIGHT]), float(scores[_LEFT])
