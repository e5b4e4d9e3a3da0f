"""`stand_back`: lets a thread of a call run behind those that carry sound."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

__all__ = ["stand_back"]

_NICE = 5  # such a thread gets a third of the time of another that wants the same core


def stand_back() -> None:
    """Lower the priority of the thread that calls this, so that sound does not wait for pictures
    where the computer is busy. Threads that it starts later have the same priority. Linux only;
    elsewhere a priority belongs to a whole program, and nothing is done.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # the system may forbid it
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
