"""Decodes a `.fwire` file to a video file."""
