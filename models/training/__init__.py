"""Training: clips to a cache, a cache to a network."""
