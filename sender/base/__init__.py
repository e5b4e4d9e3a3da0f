"""The base layer: of stretches that are planned, and of calls."""
