"""Packets back into their order and onto the clock of the stream."""
