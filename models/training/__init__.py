"""Training: clips are prepared into a cache, and networks learn from it."""
