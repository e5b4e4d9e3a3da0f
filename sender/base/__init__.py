"""The base layer: of stretches of video that are planned as a whole, and of calls."""
