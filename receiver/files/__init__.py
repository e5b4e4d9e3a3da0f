"""A `.fwire` file in, a video file out."""
