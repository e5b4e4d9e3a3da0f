"""`python -m facewire` is the command `facewire`."""

import sys

from .cli.main import main

if __name__ == "__main__":
    sys.exit(main())
