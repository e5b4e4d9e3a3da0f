"""AVFR-GAN: audio-visual face reenactment (WACV 2023), in torch.

`Avfr` is loaded when it is first used: the person mask in this package needs no torch.
"""

from typing import TYPE_CHECKING, Any

from .config import SIZES, AvfrConfig

if TYPE_CHECKING:
    from .model import Avfr

__all__ = ["SIZES", "Avfr", "AvfrConfig"]


def __getattr__(name: str) -> Any:
    if name != "Avfr":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .model import Avfr

    return Avfr
