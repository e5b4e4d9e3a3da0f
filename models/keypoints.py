"""Keypoint sources: see `landmarks.MeshKeypoints` for the closed form."""

from .landmarks import MeshKeypoints

__all__ = ["MeshKeypoints"]
