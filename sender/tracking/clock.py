"""One clock for the pictures and the sound of a file whose time stamps jump.

Files are glued together, cut, and damaged; their stamps then fall back, repeat or leap by an hour.
As FFmpeg's command line does, a stream is cut into runs where its stamps fall back by more than
0.1 s or leap ahead by more than 10 s, and each run gets an offset:

- If all streams jump at the same place of the file, it was glued there, and all of them get one
  offset: the new part begins where the old one ends, and stays in sync in itself. Only a leap
  ahead of at most five minutes is kept, as a pause, in formats whose stamps do not break by design.
- If one stream jumps while another goes on, the file's order tells what is right: if the new
  stamps agree with the other stream's at that place, the jump is a real gap and is kept; else the
  stream goes on as if it had not jumped.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["Clock", "Stamps"]

_BACK_S = 0.1
_BACK_UNSORTED_S = 1.0  # where stamps are not in the order of the file: pictures change places
_AHEAD_S = 10.0
_PAUSE_S = 300.0  # a longer leap of all streams is never a pause
_GOES_ON_S = 0.5  # sound that lasts so much longer than the pictures goes on without them
_NEAR_S = 2.0  # streams of one glued place jump within so much of their time


@dataclass(slots=True)
class Stamps:
    """The packets of one stream, in the order of the file; all times are in seconds.

    Attributes:
        picture: whether it is the video stream.
        orders: of each packet its place among all packets of the file.
        shown: when it is shown; None where that is not known.
        sent: when it is decoded, which never falls in a healthy file; None where not known.
        lasts: how long it is shown; 0 where that is not known.
    """

    picture: bool
    orders: list[int] = field(default_factory=list)
    shown: list[float | None] = field(default_factory=list)
    sent: list[float | None] = field(default_factory=list)
    lasts: list[float] = field(default_factory=list)

    def add(self, order: int, shown: float | None, sent: float | None, lasts: float) -> None:
        """The next packet."""
        self.orders.append(order)
        self.shown.append(shown)
        self.sent.append(sent)
        self.lasts.append(lasts)


@dataclass(slots=True)
class _Run:
    """Packets of one stream whose stamps go on without a jump.

    Attributes:
        number: of its first packet in the stream.
        places: `(order, time)` of its packets that have a stamp.
        start, end: when its first packet is shown and its last one ends, before the offset.
        before: the run of the same stream before it.
        offset: seconds to be added; None until it is decided.
    """

    stream: int
    picture: bool
    number: int
    before: _Run | None
    places: list[tuple[int, float]] = field(default_factory=list)
    start: float = 0.0
    end: float = 0.0
    offset: float | None = None

    @property
    def goes_on(self) -> float:
        """The offset at which it begins where the run before it ends."""
        if self.before is None or self.before.offset is None:
            return 0.0
        return self.before.end + self.before.offset - self.start

    def at(self, order: int) -> float | None:
        """Its time at a place of the file; None if that lies outside."""
        if not self.places[0][0] < order < self.places[-1][0]:
            return None
        return self.places[bisect.bisect_left(self.places, (order, 0.0)) - 1][1]


class Clock:
    """Offsets of all packets of a file.

    Args:
        streams: their packets.
        breaks: whether stamps of this format may jump by design (MPEG-TS and the like): a leap
            ahead is then no pause.
    """

    def __init__(self, streams: Sequence[Stamps], *, breaks: bool) -> None:
        self._breaks = breaks
        self._runs = [_runs(index, stamps) for index, stamps in enumerate(streams)]
        self._offset = 0.0  # of the part of the file that is being looked at
        for run in sorted((r for runs in self._runs for r in runs), key=lambda r: r.places[0]):
            if run.offset is None:
                self._place(run)

    def offset(self, stream: int, number: int) -> tuple[float, bool]:
        """Seconds to add to the stamps of a packet, and whether a run begins with it.

        Args:
            stream: index among those that were given.
            number: of the packet in its stream, from 0.
        """
        runs = self._runs[stream]
        place = bisect.bisect_right(runs, number, key=lambda run: run.number) - 1
        if place < 0:
            return 0.0, False
        return runs[place].offset or 0.0, place > 0 and runs[place].number == number

    def _place(self, run: _Run) -> None:
        """Decide the offset of a run; of all that begin with it, where the file was glued."""
        order = run.places[0][0]
        others = [other for runs in self._runs for other in runs if other.stream != run.stream]
        begun = [other for other in others if _begins_near(other, order)]
        across = [
            (other.offset or 0.0) + time
            for other in others
            if other not in begun
            and not any(one.before is other for one in begun)
            and (time := other.at(order)) is not None
        ]
        if run.before is None and not across:
            run.offset = self._offset
        elif across:
            agrees = any(abs(run.start + self._offset - time) <= _AHEAD_S for time in across)
            if agrees:
                run.offset = self._offset
            else:
                run.offset = max(across) - run.start if run.before is None else run.goes_on
        else:
            self._glue([run, *(one for one in begun if one.offset is None)])

    def _glue(self, parts: list[_Run]) -> None:
        """Give one offset to the runs that begin at one place of the file."""
        first = next((part for part in parts if part.picture), parts[0])
        leap = self._offset - first.goes_on
        pause = first.picture and not self._breaks and 0 < leap <= _PAUSE_S
        if not pause or self._heard_in(first):
            offsets = [part.goes_on for part in parts]
            # The pictures go on without a gap, unless the sound before is clearly longer.
            longest = max(offsets)
            self._offset = longest if longest > first.goes_on + _BACK_S else first.goes_on
        for part in parts:
            part.offset = self._offset

    def _heard_in(self, run: _Run) -> bool:
        """Whether another stream goes on into the gap before a run, and ends in it: so this
        stream's stamps have leapt, and no time has passed.
        """
        if run.before is None:
            return False
        since = run.before.end + (run.before.offset or 0.0) + _GOES_ON_S
        until = run.start + self._offset - _AHEAD_S
        ends = [runs[-1] for runs in self._runs if runs and runs[-1].stream != run.stream]
        return any(since < last.end + (last.offset or 0.0) < until for last in ends)


def _begins_near(run: _Run, order: int) -> bool:
    """Whether a run begins, after a jump, within two seconds of its time from a place."""
    if run.before is None:
        return False
    first, last = run.places[0], run.before.places[-1]
    if first[0] <= order:
        here = run.at(order)
        return (run.places[-1][1] if here is None else here) - first[1] <= _NEAR_S
    here = run.before.at(order)
    return order > last[0] or (here is not None and last[1] - here <= _NEAR_S)


def _runs(index: int, stamps: Stamps) -> list[_Run]:
    """Cut a stream where its stamps jump."""
    sorted_ = None not in stamps.sent
    keys = stamps.sent if sorted_ else stamps.shown
    back = _BACK_S if sorted_ else _BACK_UNSORTED_S
    usual = _usual_step(keys)
    runs: list[_Run] = []
    last: float | None = None
    ends = 0.0
    for number, key in enumerate(keys):
        if key is None:
            continue
        if last is None or key < last - back or key > ends + _AHEAD_S:
            before = runs[-1] if runs else None
            runs.append(_Run(index, stamps.picture, number, before))
            last = None
        shown = stamps.shown[number]
        shown = key if shown is None else shown
        lasts = stamps.lasts[number]
        if not 0 < lasts <= _AHEAD_S:  # MP4 has no stamps but durations: a leap is one of those
            lasts = usual
        run, until = runs[-1], shown + lasts
        run.start = shown if last is None else min(run.start, shown)
        run.end = until if last is None else max(run.end, until)
        run.places.append((stamps.orders[number], key))
        ends = key + lasts
        last = key if last is None or sorted_ else max(last, key)
    return runs


def _usual_step(keys: Sequence[float | None]) -> float:
    """Median time from one packet to the next."""
    known = sorted(key for key in keys if key is not None)
    steps = sorted(b - a for a, b in itertools.pairwise(known) if b > a)
    return steps[len(steps) // 2] if steps else 0.0
