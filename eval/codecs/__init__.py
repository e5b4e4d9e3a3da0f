"""Codecs that can be compared; see `base.Codec`."""
