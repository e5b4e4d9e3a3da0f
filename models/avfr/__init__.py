"""AVFR-GAN: audio-visual face reenactment (WACV 2023), in torch."""

from .config import SIZES, AvfrConfig
from .model import Avfr

__all__ = ["SIZES", "Avfr", "AvfrConfig"]
