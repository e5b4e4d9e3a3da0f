"""`python -m facewire` is the command `facewire`."""

import sys

from .cli.program import facewire

if __name__ == "__main__":
    sys.exit(facewire())
