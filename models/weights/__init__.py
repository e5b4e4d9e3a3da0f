"""Shipped networks and where they lie; identities on top of them."""

from .identity import changed_tensors, check_identity
from .store import Card, find_card, load_card, shipped

__all__ = ["Card", "changed_tensors", "check_identity", "find_card", "load_card", "shipped"]
