"""`Owner`: is the person before the camera the one in the portrait?

dlib's face network tells (`models/judges/identity.py`), where it is installed: distances of its
embeddings below 0.6 are of one person, and it is right in 99 of 100 pairs of photographs. It can be
deceived, and it does not say that somebody agreed to anything.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ...codec.errors import ConsentError, FacewireError
from ...models.face.observation import Observation

__all__ = ["Embed", "Owner", "load_embedder"]

Array = npt.NDArray[np.float32]
Embed = Callable[[npt.NDArray[np.uint8], Array], Array]
"""Takes a picture uint8 `[H, W, 3]` and its mesh `[478, 2]` in pixels to float32 `[128]`."""

_SAME = 0.6
_LOOKS, _APART_S = 5, 0.4  # how often is looked before it is another person, and seconds between
_HINT = (
    'if they agreed to it, say who and when: --portrait-consent "NAME, DATE" '
    "(Portrait.consent); it travels with the stream, and the badge then cannot be taken off"
)


class Owner:
    """Compares the faces of a stream with the portrait, until it is sure.

    Args:
        portrait: the portrait's crop and landmarks.
        embed: of `load_embedder`.
        name: of the portrait, for sentences.

    Attributes:
        known: it is the portrait's person.
        refused: another person is before the camera.
    """

    def __init__(self, portrait: Observation, embed: Embed, name: str) -> None:
        self._embed, self._name = embed, name
        self._portrait = _embedding(embed, portrait)
        self.reset()

    def reset(self) -> None:
        """Somebody new may be there."""
        self.known = self.refused = False
        self._looks = 0
        self._looked = -_APART_S

    def admits(self, seen: Observation) -> bool:
        """Whether the portrait may be moved as this face does. The first looks may be unlucky: it
        is refused for good after five.
        """
        if self.known or self.refused or abs(seen.seconds - self._looked) < _APART_S:
            return self.known
        self._looked = seen.seconds
        distance = float(np.linalg.norm(_embedding(self._embed, seen) - self._portrait))
        self.known = distance < _SAME
        self._looks += 1
        self.refused = not self.known and self._looks >= _LOOKS
        return self.known

    def refusal(self) -> ConsentError:
        """Why a whole stream is refused."""
        return ConsentError(
            f"{self._name} does not seem to show the person before the camera; {_HINT}"
        )


def load_embedder() -> Embed:
    """dlib's network.

    Raises:
        ConsentError: it is not here, so that nothing can be compared.
    """
    from ...models.judges.identity import DlibEmbedder

    try:
        return DlibEmbedder()
    except FacewireError as error:
        raise ConsentError(
            f"whether the portrait shows the person before the camera cannot be checked here "
            f"({error}). Say whose it is, yourself included, and since when they agree: "
            '--portrait-consent "NAME, DATE"'
        ) from error


def _embedding(embed: Embed, seen: Observation) -> Array:
    side = len(seen.picture)
    return embed(seen.picture, (seen.landmarks + 1) * np.float32(side / 2))
