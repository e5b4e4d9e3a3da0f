"""Hostile bytes for everything that reads bytes from elsewhere.

    make fuzz                                   ten minutes; FACEWIRE_FUZZ_SECONDS says otherwise
    python -m tests.fuzz --seconds 60 motion    one target
    python -m tests.fuzz --repeat motion/1234   one case again, with its traceback

A case is made from its name alone, so a finding can be repeated on any machine. Each target feeds
what the golden streams hold, changed at random, to one reader, and allows only the errors that
the reader's docstring names, a second of CPU time, and 200 MB more than the program takes anyway.
"""
