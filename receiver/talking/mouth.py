"""`MouthPredictor`: how a mouth moves, from the sound that the receiver hears.

It stands beside the generators, below `tracks`: concealment and the profile `pose` use it from
there. It needs numpy and OpenVINO, no torch.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from ...codec.errors import ConfigError
from ...codec.identity import MouthHabits
from ...models.apb2face.person import GUESSED, PersonFit
from ...models.apb2face.sound import LOOKAHEADS, PAST, Level, first_step, sound_window
from ...models.face.head import MOUTH_POINTS
from ...models.mel import HOP, MEL_BANDS, SAMPLE_RATE, log_mel
from ...models.weights import geometry_card
from ..generators.compiled import compiled
from ..generators.protocol import Array

if TYPE_CHECKING:
    from ...models.weights import Card

__all__ = ["KEPT_S", "MouthPredictor"]

KEPT_S = 4.0
"""Sound is remembered for so long, so a movement can be asked for up to 3 s later."""
_KEPT = round(KEPT_S * SAMPLE_RATE / HOP)
_REACH = 120  # samples after a step's own that its window of 25 ms covers
_log = logging.getLogger(__name__)
_OUTPUTS = ("movement", "state")
_KNOWN = 250.0  # frames that the average mouth of a known person counts for
_LONGEST_GAP_S = 10.0  # after a larger jump of the clock, the sound begins anew


class MouthPredictor:
    """Hears the sound of one stream and tells how the mouth moves with it.

    Give it all sound as it is decoded (`hear`), and ask for the movement of each frame
    (`movement`). It uses the sound from 0.6 s before a frame to `lookahead_ms` after it, or as much
    of it as was heard: the network has an output for each look-ahead. Where sound is missing, it
    hears silence.

    A movement is that of the mouth's 40 contour points (`MOUTH`), in head coordinates
    (`models.face.head`), so in distances of the outer eye corners, relative to the mouth that the
    person has on average while talking. Two uses:

    - **A mouth that moves on** from where it was last seen, at time `t0`:
      `last + movement(t) - movement(t0)`.
    - **A mouth that was never seen moving**: `average(keyframe's mouth) + movement(t)`.

    Where motion arrives beside the sound, `learn` makes the movements those of the person.

    Args:
        card: of the network; None for the one that facewire brings.
        lookahead_ms: 0, 40 or 100, at most. A value between counts as the next lower one.

    Attributes:
        card: of the network.

    Raises:
        ConfigError: a negative look-ahead.
        WeightsError: the network or its exported graph is missing or damaged.
    """

    def __init__(self, card: Card | None = None, *, lookahead_ms: int = 100) -> None:
        if lookahead_ms < 0:
            raise ConfigError(f"a look-ahead is 0 ms or more, not {lookahead_ms}")
        self.card = card = card or geometry_card()
        self._output = max(n for n, ms in enumerate(LOOKAHEADS) if ms <= lookahead_ms)
        settings = {
            "NUM_STREAMS": 0,  # in the caller's thread
            "INFERENCE_NUM_THREADS": 1,
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self._request = compiled(card, "mouth", settings).create_infer_request()
        tables = card.tensors("level", "neutral_mean", "neutral_map", "basis")
        self._usual, self._channels = tables["level"], int(card.config["channels"])
        self._neutral_mean, self._neutral_map = tables["neutral_mean"], tables["neutral_map"]
        self._basis = tables["basis"]
        self._habits: MouthHabits | None = None
        self.reset()

    def reset(self) -> None:
        """Another stream: forget all that was heard and learned."""
        self._level = Level(self._usual)
        self.forget()
        self._begin(0)

    def forget(self) -> None:
        """Another person: forget what was learned."""
        self._person = [PersonFit(self._channels) for _ in range(self._output + 1)]

    def know(self, habits: MouthHabits | None) -> None:
        """Begin with what is known of the person, and forget what was learned. `reset` and `forget`
        leave it as it is.

        Args:
            habits: of that person (`facewire enroll`). None, or those of another predictor: nothing
                is known.
        """
        if habits is not None:
            shape = (len(LOOKAHEADS), self._channels, len(self._basis))
            if habits.sha256 != self.card.sha256 or habits.fit.shape != shape:
                _log.info("what is known of the person's mouth is for another predictor")
                habits = None
        self._habits = habits
        self.forget()

    def _begin(self, step: int) -> None:
        self._first = step  # step at which what is kept begins
        self._pcm = np.zeros(0, np.float32)
        self._steps = np.zeros((0, MEL_BANDS), np.float32)  # those that later sound cannot change

    @property
    def lookahead_ms(self) -> int:
        """How much sound after a frame is used at most."""
        return LOOKAHEADS[self._output]

    def hear(self, pcm: Array, seconds: float) -> None:
        """Take a piece of sound.

        Pieces come in order. One that lies before the end of what was heard replaces it, and a gap
        is silence.

        Args:
            pcm: float32 `[n]`, mono, 16 kHz, on [-1, 1].
            seconds: time of its first sample in the stream, on the clock of the frames.

        Raises:
            ConfigError: not such sound.
        """
        if pcm.ndim != 1 or not np.isfinite(pcm).all():
            raise ConfigError(f"sound is finite float32 [n], not {pcm.dtype} {list(pcm.shape)}")
        at = round(seconds * SAMPLE_RATE)
        end = self._first * HOP + len(self._pcm)
        jump = abs(at - end) > _LONGEST_GAP_S * SAMPLE_RATE or at < self._first * HOP
        if jump or not len(self._pcm):
            self._begin(at // HOP)
            end = self._first * HOP
        kept = self._pcm[: max(0, at - self._first * HOP)]
        gap = np.zeros(max(0, at - end), np.float32)
        self._pcm = np.concatenate([kept, gap, pcm.astype(np.float32)])
        self._steps = self._steps[: max(0, len(kept) - _REACH) // HOP]
        self._extend()
        old = max(0, len(self._steps) - _KEPT)
        self._first += old
        self._pcm, self._steps = self._pcm[old * HOP :], self._steps[old:]

    def _extend(self) -> None:
        """Compute the steps that are complete now."""
        known = len(self._steps)
        done = max(0, len(self._pcm) - _REACH) // HOP
        if done > known:
            before = min(known, 1)  # the window of a step reaches into the step before it
            new = log_mel(self._pcm[(known - before) * HOP :])[before : before + done - known]
            self._level.update(new)
            self._steps = np.concatenate([self._steps, new])

    def movement(self, seconds: float) -> Array:
        """How the mouth is moved at a time.

        Args:
            seconds: time of a frame in the stream, not more than about 3 s before the newest sound.

        Returns:
            float32 `[40, 2]`: offsets from the person's average mouth in head coordinates. All 0
            before any sound came.
        """
        heard = self._hear_frame(seconds)
        if heard is None:
            return np.zeros((MOUTH_POINTS, 2), np.float32)
        movements, states = heard
        output = self._known(seconds)
        moved = movements[output] + self._person[output].correction(states[output])
        return np.asarray(moved, np.float32)

    def learn(self, mouth: Array, seconds: float, weight: float = 1.0) -> None:
        """Take a mouth as it was at a time, so that later movements become this person's.

        A correction of the network's movement is fitted in closed form (`PersonFit`), for each
        look-ahead. Call it for frames that arrive, once the sound up to `lookahead_ms` after them
        was heard. It counts from the first second on, and is worth the more, the more of the person
        has been seen. It is forgotten with `reset`.

        Args:
            mouth: in head coordinates, float32 `[40, 2]`.
            seconds: time of the frame, not more than about 3 s before the newest sound.
            weight: how many frames it stands for, at 25 frames a second.

        Raises:
            ConfigError: not such a mouth.
        """
        if mouth.shape != (MOUTH_POINTS, 2) or not np.isfinite(mouth).all():
            raise ConfigError(f"a mouth is finite float32 [40, 2], not {list(mouth.shape)}")
        heard = self._hear_frame(seconds)
        if heard is not None:
            for fit, movement, state in zip(self._person, *heard, strict=True):
                fit.update(state, mouth, movement, weight)

    def average(self, mouth: Array) -> Array:
        """The person's average mouth: what was learned, and at first what is known of the person,
        or else `neutral` of one mouth.

        Args:
            mouth: the keyframe's mouth in head coordinates, float32 `[40, 2]`.

        Returns:
            float32 `[40, 2]`.
        """
        fit = self._person[-1]
        if self._habits is not None:
            return fit.average(self._habits.average, _KNOWN)
        return fit.average(self.neutral(mouth), GUESSED)

    def _hear_frame(self, seconds: float) -> tuple[Array, Array] | None:
        """Movements, with what is known of the person, and states of the network for a frame, one
        for each look-ahead up to `lookahead_ms`; None if no sound has come yet.
        """
        if not len(self._steps):
            return None
        window = sound_window(self._steps, first_step(seconds) - self._first)
        sound = {"sound": (window - self._level.value)[None]}
        # Memory is shared both ways: the input outlives the call, and the outputs are copied here.
        result = self._request.infer(sound, share_inputs=True, share_outputs=True)
        movements, states = (np.array(result[name][0, : self._output + 1]) for name in _OUTPUTS)
        if self._habits is not None:
            fit, centre = (
                table[: len(states)] for table in (self._habits.fit, self._habits.centre)
            )
            known = np.einsum("lc,lck->lk", states - centre, fit) @ self._basis
            movements += known.reshape(movements.shape)
        return movements, states

    def _known(self, seconds: float) -> int:
        """The output of the longest look-ahead whose sound was heard; the first one if none was."""
        heard = self._first + len(self._steps) - first_step(seconds) - PAST
        ahead = (
            n
            for n in range(self._output + 1)
            if LOOKAHEADS[n] * SAMPLE_RATE // (1000 * HOP) <= heard
        )
        return max(ahead, default=0)

    def neutral(self, mouth: Array) -> Array:
        """The average mouth of a person while talking, guessed from one picture.

        Args:
            mouth: the keyframe's mouth in head coordinates, float32 `[40, 2]`.

        Returns:
            float32 `[40, 2]`.
        """
        flat = mouth.reshape(-1) - self._neutral_mean
        return (self._neutral_map @ flat + self._neutral_mean).reshape(MOUTH_POINTS, 2)
