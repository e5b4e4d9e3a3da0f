"""Metrics of decoded faces: each a class with `update(pair)` and `compute()`."""
