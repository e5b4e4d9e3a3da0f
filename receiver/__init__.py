"""The receiving side: packets in, pictures and sound out. It needs neither torch nor mediapipe."""
