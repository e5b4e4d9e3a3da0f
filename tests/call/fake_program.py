"""`facewire` as a program, with the small session of `fake_party.py` in place of the real one.

It writes the file that `FACEWIRE_TEST_BEGUN` names as soon as it runs: Ctrl-C before that is
Python's own affair.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from facewire.cli.program import program


def run() -> int:
    begun = os.environ.get("FACEWIRE_TEST_BEGUN")
    if begun:
        Path(begun).touch()
    import facewire.cli.call as command
    from facewire.cli.main import main

    from .fake_party import make

    command.make_session = make
    return main()


if __name__ == "__main__":
    sys.exit(program("facewire", run))
