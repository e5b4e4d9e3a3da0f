"""`atomic_file`: a file appears under its name only when it is whole."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["atomic_file"]


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A binary file that gets its name only when it is complete.

    It is written beside `path` under a hidden name and renamed at the end of the `with` block.
    Any exception in the block, a full disk and Ctrl-C included, removes it; what was at `path`
    before is then still there.
    """
    final = Path(path)
    partial = final.with_name(f".{final.name}.{secrets.token_hex(4)}.part")
    try:
        with partial.open("xb") as file:
            yield file
        partial.replace(final)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
