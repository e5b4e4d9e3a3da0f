"""Shipped networks and where they lie."""

from .store import Card, find_card, load_card, shipped

__all__ = ["Card", "find_card", "load_card", "shipped"]
