"""`Stage`: shows how far one stage of a command is."""

from __future__ import annotations

import sys
from typing import NoReturn, Self

from tqdm import tqdm

__all__ = ["Stage"]


class Stage:
    """One stage of a command, shown on stderr; a context manager.

    A terminal shows a bar. A log file gets one line when the stage begins, and another when work
    on the first item begins if that takes loading first.

    Args:
        text: what is being done, for example `encoding talk.mp4`.
        unit: what is counted.
        quiet: show nothing.
        loading: what has to be loaded before the first item; "" if nothing.
    """

    def __init__(self, text: str, unit: str, *, quiet: bool = False, loading: str = "") -> None:
        self._text, self._loading = text, loading
        self._lines = not quiet and not sys.stderr.isatty()
        # tqdm's bar is disabled rather than left out, so that both kinds are driven alike.
        self._bar: tqdm[NoReturn] = tqdm(
            desc=loading or text, unit=unit, disable=quiet or self._lines, dynamic_ncols=True
        )
        self._say(loading or text)

    def show(self, done: int, total: int | None, note: str = "") -> None:
        """Show how many items are done, of how many (None if unknown), and a remark."""
        if self._loading and done:
            self._loading = ""
            self._bar.set_description(self._text, refresh=False)
            self._say(self._text)
        self._bar.total = total
        if note:
            self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(done - self._bar.n)

    def write(self, line: str) -> None:
        """Print a line on stderr, above the bar if there is one."""
        tqdm.write(line, file=sys.stderr)

    def _say(self, line: str) -> None:
        if self._lines:
            print(line, file=sys.stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
