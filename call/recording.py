"""Files that are written during a call: the received stream (`Recording`) and figures
(`FigureLog`).
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import deque
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from ..codec.errors import FacewireError
from ..codec.file.container import Writer
from ..codec.packet import Kind
from ..codec.whole_file import whole_file
from .line.line import Totals
from .pack import Datagram
from .session import CallStatistics

__all__ = ["FigureLog", "Recording"]

_REMEMBERED = 512  # packets; copies of one come within a second


class Recording:
    """Writes the other side's packets to a `.fwire` file, as they came.

    It leaves out the copies that a sender adds against loss, and reports.

    Args:
        path: see `whole_file`.
        overwrite: replace the file if it exists.

    Attributes:
        packets: how many were written.

    Raises:
        OutputExistsError, OutputError, OSError: as `whole_file`.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self._stack = ExitStack()
        self._writer = Writer(self._stack.enter_context(whole_file(path, overwrite=overwrite)))
        self._seen: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED)
        self.packets = 0

    def take(self, data: bytes) -> None:
        """Take a datagram that came; one that cannot be read is left out."""
        try:
            datagram = Datagram.parse(data)
        except FacewireError:
            return
        for packet in datagram.packets:
            mark = (datagram.session, packet.sequence)
            if packet.kind != Kind.CONTROL and mark not in self._seen:
                self._seen.append(mark)
                self._writer.write(packet)
                self.packets += 1

    def close(self) -> None:
        """Finish the file. It may be called twice."""
        self._writer.close()
        self._stack.close()


class FigureLog:
    """Writes a line of JSON each second.

    Args:
        path: see `whole_file`.
        overwrite: replace the file if it exists.

    Raises:
        OutputExistsError, OutputError, OSError: as `whole_file`.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self._stack = ExitStack()
        self._file = self._stack.enter_context(whole_file(path, overwrite=overwrite))

    def write(self, seconds: float, state: str, totals: Totals, call: CallStatistics) -> None:
        """Add a line. It also holds the time of day, the CPU seconds of this program, and its
        memory (the MB in use, or the most so far if the system does not tell).

        Args:
            seconds: since the call began.
            state: of the line.
            totals: of the line, counted where packets enter and leave this machine.
            call: of the session.
        """
        line = {
            "time": round(time.time(), 3),
            "seconds": round(seconds, 3),
            "state": state,
            "cpu_s": round(time.process_time(), 3),
            "memory_mb": round(_memory_mb(), 1),
            "line": asdict(totals),
            "call": asdict(call),
        }
        self._file.write(json.dumps(line).encode() + b"\n")

    def close(self) -> None:
        """Finish the file. It may be called twice."""
        self._stack.close()


def _memory_mb() -> float:
    """Memory that this program uses."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS counts bytes
