"""The networks that facewire brings, where they lie, and identities that change them."""

from .identity import changed_tensors, check_identity
from .store import Card, find_card, fusion_card, geometry_card, has_fusion, load_card, shipped

__all__ = [
    "Card",
    "changed_tensors",
    "check_identity",
    "find_card",
    "fusion_card",
    "geometry_card",
    "has_fusion",
    "load_card",
    "shipped",
]
