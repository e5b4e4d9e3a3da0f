"""`facewire demo`: a clip made from one picture and an artificial voice, then the whole chain."""

from .command import add_parser, run

__all__ = ["add_parser", "run"]
