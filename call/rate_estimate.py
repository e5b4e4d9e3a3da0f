"""`LineEstimate`: estimates how many kbit/s the line carries, from which datagrams arrived when.

It follows Google Congestion Control (draft-ietf-rmcat-gcc-02): the delay tells whether a queue
grows. While none grows, the rate is raised by a factor; when one does, it is cut below what
arrives. It differs from that draft where a call of 6 to 64 kbit/s is unlike one of megabits:

- There are only 8 to 25 datagrams a second, too few for a slope over groups of packets. The queue's
  delay itself is used, as in NADA (RFC 8698, section 4.2): the one-way delay less the least one of
  the last 30 seconds. That also limits the error by clocks that drift apart.
- A datagram takes long on a thin line merely because it is large: 300 bytes are 240 ms at
  10 kbit/s. So the delay that counts is reduced by the time that the datagram's own bytes take
  at the estimated rate.
- Loss does not cut the rate as long as no queue grows, unless more than a quarter is lost: such
  lines are often radio lines, and a steady rate with repair sounds better than a falling one.
- The number of bytes on their way is limited, as in SCReAM (RFC 8298, section 4.1.2): when the line
  suddenly carries a sixth of what it did, no report says so in time, because reports fail to come.
- When the rate is cut, it goes further below what arrives, the longer the queue is, so that the
  queue is gone after about a second. It then returns to a little less than what arrived.
- When reports come but name nothing that arrived, the line has nearly stopped, or a burst was lost.
  A quarter of the rate is kept. If what arrives next was not delayed by a queue, the whole rate is
  back at once.
- A queue that was there from the beginning is in the least delay too. It shows in round trips of
  which none is short; what is too long in them counts as a queue.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["MAX_KBPS", "MIN_KBPS", "LineEstimate"]

MIN_KBPS, MAX_KBPS = 6.0, 64.0
_START_KBPS = 14.0
_BASE_S = 30.0  # the least delay of so long is that of an empty queue
_WINDOW_S = 1.0  # over which the rate that arrives is measured
_QUEUE_S = 0.06  # a queue that counts as one
_FULL_S = 0.25  # a queue at which the rate is cut at once, however short the sign
_SIGNS = 3  # reports in a row that must show a queue
_BELOW = 0.85  # of what arrives, after a queue
_DRAIN_S = 1.5  # a queue is to be gone after so long
_CUT_APART_S = 0.3  # between two cuts
_STARVING = 0.25  # of the rate remains while nothing arrives
_GROWTH, _START_GROWTH = 1.1, 1.6  # a second
_HOLD_S = 1.0  # after a cut, before the rate is raised again
_AHEAD = 1.6  # the estimate is at most so many times what arrives
_MUCH_LOST = 0.25
_OUTAGE_S = 0.8  # of datagrams that were all lost
_SLACK_S = 0.018  # more than the usual time until a report, what reports waver by apart
_MOST_MISSED = 256  # datagrams that are remembered in case that they arrive after all
_SILENT_S = 1.0  # without a report: the line stands still
_LEAST_ROOM = 600  # bytes that may always be on their way: two datagrams
_SOME_LOST = 0.03  # loss from which a missing report is no sign of a full line
_FORGOTTEN_S = 2.0  # after so long, what no report mentions is no longer on its way
_LOST_S = 0.5  # beyond the usual time: the same, where there is no queue
_LONG_TRIP_S, _TRIPS = 0.8, 3
"""If so many round trips in a row take longer than this, and for `_BASE_S` none was shorter, the
rest is a queue that was there from the beginning: no delay was that of an empty one.
"""
_USUAL_S = 0.4  # until a report, before one came
_BETWEEN_S = 0.12  # between two reports, before two came


@dataclass(frozen=True, slots=True)
class _Arrival:
    sent: float
    arrived: float
    size: int


class LineEstimate:
    """Estimates what the line from here to the peer carries.

    Args:
        ceiling: kbit/s that are never exceeded.
        start: kbit/s to begin with.

    Attributes:
        kbps: the estimate, `MIN_KBPS` to the ceiling.
        queue_s: the delay in the line's queue, according to the last report.
        loss: which part of the datagrams was lost lately.
        starting: true until the line has shown its limit for the first time.
    """

    def __init__(self, ceiling: float = MAX_KBPS, start: float = _START_KBPS) -> None:
        self._ceiling = min(max(ceiling, MIN_KBPS), MAX_KBPS)
        self.kbps = min(max(start, MIN_KBPS), self._ceiling)
        self.queue_s = 0.0
        self.loss = 0.0
        self.starting = True
        self._delays: deque[tuple[float, float]] = deque()  # sent, delay; rising in both
        self._lately: deque[tuple[float, int]] = deque()  # arrived, size
        self._signs = 0
        self._last: float | None = None
        self._decided: float | None = None  # when a report came that named something new
        self._cut = float("-inf")
        self._held: float | None = None  # kbit/s to go on with once the queue is gone
        self._before: float | None = None  # kbit/s before nothing arrived any more
        self._flying: dict[int, tuple[float, int]] = {}
        self._in_flight = 0
        self._missed: dict[int, tuple[float, int]] = {}  # no longer counted, but may still arrive
        self._waits: deque[tuple[float, float]] = deque()
        self._trips: deque[float] = deque(maxlen=_TRIPS)
        self._short_trip: float | None = None  # when a round trip was short last
        self._usual = _USUAL_S
        self._between = _BETWEEN_S  # seconds from one report to the next, smoothed
        self._uneven = 0.0  # by how much that differs from one time to another, smoothed

    def stalled(self, now: float) -> bool:
        """Whether nothing has arrived lately, so that the estimate is a guess."""
        return self._is_silent(now) or self._before is not None

    def _is_silent(self, now: float) -> bool:
        return self._last is not None and now - self._last > _SILENT_S

    def set_ceiling(self, kbps: float) -> None:
        """Set another highest rate, from now on."""
        self._ceiling = min(max(kbps, MIN_KBPS), MAX_KBPS)
        self.kbps = min(self.kbps, self._ceiling)

    def restart(self) -> None:
        """Forget what was learned, because the network has changed."""
        self.__init__(self._ceiling, min(self.kbps, _START_KBPS))  # type: ignore[misc]

    def sent(self, number: int, size: int, now: float) -> None:
        """Note that a datagram leaves.

        Args:
            number: counts datagrams, without wrapping.
            size: bytes, the network's own included.
            now: seconds of this side's clock.
        """
        self._flying[number] = (now, size)
        self._in_flight += size
        self._forget(now)

    def _forget(self, now: float) -> None:
        """Count datagrams that no report has mentioned for long as no longer on their way. If there
        was no queue when something arrived last, they were lost, and that is known sooner.
        """
        late = self._usual + self._between + 3 * self._uneven
        sooner = _LOST_S if self.loss <= _SOME_LOST else _LOST_S / 2
        after = _FORGOTTEN_S if self.queue_s > _QUEUE_S else late + sooner
        while self._flying and next(iter(self._flying.values()))[0] < now - after:
            self._miss(next(iter(self._flying)))

    def _miss(self, number: int) -> None:
        """Note that a datagram is no longer on its way."""
        found = self._flying[number]
        self._landed(number)
        self._missed[number] = found
        while len(self._missed) > _MOST_MISSED:
            del self._missed[next(iter(self._missed))]

    def room(self, now: float) -> float:
        """How many bytes may be sent now without more on their way than such a line can hold."""
        self._forget(now)
        late = self._between * (2 if self.loss > _SOME_LOST else 1) + 3 * self._uneven
        usual = max(self._usual - 2 * self._hidden_s, 0.0)
        may_fly = self.kbps * 125 * (usual + late + _SLACK_S)
        least = _LEAST_ROOM if self.queue_s <= _FULL_S else _LEAST_ROOM / 2
        return max(may_fly, least) - self._in_flight

    def report(self, arrivals: Sequence[tuple[int, float | None]], now: float) -> None:
        """Take a report of the peer.

        Args:
            arrivals: number and time of arrival (seconds of the peer's clock, None where it did
                not arrive) of datagrams, in rising order. Those that are not on their way, since
                they were never sent or are reported twice, are left aside.
            now: seconds of this side's clock.
        """
        if self._is_silent(now) and self.queue_s <= _QUEUE_S:  # the line is whole again
            for number in list(self._flying):
                self._miss(number)
        sent = {n: self._flying.get(n) or self._missed.get(n) for n, _ in arrivals}
        known = [(n, time, *found) for n, time in arrivals if (found := sent[n]) is not None]
        came = [_Arrival(at, time, size) for _, time, at, size in known if time is not None]
        if known:
            self._count_wait(now - known[-1][2], now)
            self._count_loss([(at, time is None) for _, time, at, _ in known])
        for number, *_ in known:
            self._landed(number)
        self._count_report(now)
        if came:
            self._measure(came)
            passed = 0.0 if self._decided is None else min(max(now - self._decided, 0.0), 1.0)
            self._decided = now
            self._decide(now, passed)
        elif self._before is None and self._is_starving(now):
            self._before = self.kbps
            self._cut_to(self.kbps * _STARVING, now)
        elif known and self.loss > _MUCH_LOST and now - self._cut >= _HOLD_S:
            self._cut_to(self.kbps * 0.7, now)

    def round_trip(self, seconds: float, now: float) -> None:
        """Take a new measurement of how long it takes there and back."""
        self._trips.append(seconds)
        if seconds <= _LONG_TRIP_S:
            self._short_trip = now
        elif self._short_trip is not None and now - self._short_trip > _BASE_S:
            self._short_trip = None

    @property
    def _hidden_s(self) -> float:
        """The delay of a queue that was there from the beginning, and so is in every delay."""
        if len(self._trips) < _TRIPS or self._short_trip is not None:
            return 0.0
        return max(min(self._trips) - _LONG_TRIP_S, 0.0) / 2

    def _count_wait(self, waited: float, now: float) -> None:
        """Count how long ago the newest datagram of a report was sent."""
        self._waits.append((now, waited))
        while self._waits[0][0] < now - _BASE_S:
            self._waits.popleft()
        self._usual = min(wait for _, wait in self._waits)

    def _count_report(self, now: float) -> None:
        """Measure how far apart reports come, and how unevenly."""
        elapsed = 0.0 if self._last is None else min(max(now - self._last, 0.0), 1.0)
        if elapsed:  # one that is very late, as on a line that is suddenly full, counts for little
            apart = min(elapsed, 2 * self._between)
            self._uneven += (abs(apart - self._between) - self._uneven) * 0.1
            self._between += (apart - self._between) * 0.1
        self._last = now

    def _count_loss(self, known: Sequence[tuple[float, bool]]) -> None:
        """Count when datagrams were sent and whether they were lost. If all are lost for a long
        time, that is an outage, which says nothing about the line before and after it.
        """
        counted: list[bool] = []
        for lost, run in itertools.groupby(known, key=lambda one: one[1]):
            times = [sent for sent, _ in run]
            if not lost or times[-1] - times[0] < _OUTAGE_S:
                counted += [lost] * len(times)
        if counted:
            share = sum(counted) / len(counted)
            self.loss += (share - self.loss) * min(len(counted) / 40, 1.0)

    def _is_starving(self, now: float) -> bool:
        """Whether nothing arrives that should have arrived long ago: then the line has nearly
        stopped. If datagrams are lost all the time, this says nothing.
        """
        if not self._flying or now - self._cut < _CUT_APART_S or self.loss > _SOME_LOST:
            return False
        oldest = next(iter(self._flying.values()))[0]
        return now - oldest > self._usual + self._between + _FULL_S

    def _landed(self, number: int) -> None:
        if number in self._flying:
            self._in_flight -= self._flying.pop(number)[1]
        else:
            self._missed.pop(number, None)

    def _measure(self, came: Sequence[_Arrival]) -> None:
        """The queue's delay, and the bytes that arrived in the last second."""
        queue = float("inf")
        for each in came:
            own = each.size * 8 / (self.kbps * 1000)
            delay = each.arrived - each.sent
            while self._delays and self._delays[-1][1] >= delay:
                self._delays.pop()
            self._delays.append((each.sent, delay))
            while self._delays[0][0] < each.sent - _BASE_S:
                self._delays.popleft()
            queue = min(queue, max(delay - self._delays[0][1] - own, 0.0))
            self._lately.append((each.arrived, each.size))
        self.queue_s = max(queue, self._hidden_s)
        newest = max(arrived for arrived, _ in self._lately)
        while self._lately and self._lately[0][0] < newest - _WINDOW_S:
            self._lately.popleft()

    @property
    def arriving_kbps(self) -> float:
        """What arrived over the last second."""
        if len(self._lately) < 2:
            return self.kbps
        span = max(self._lately[-1][0] - self._lately[0][0], 0.2)
        # The first one's bytes came before the span began.
        return sum(size for _, size in list(self._lately)[1:]) * 8 / 1000 / span

    def _decide(self, now: float, elapsed: float) -> None:
        """Lower the rate if the line is too full or loses much; else let it grow."""
        before, self._before = self._before, None
        if before is not None and self.queue_s <= _QUEUE_S:  # it was an outage, and is over
            self.kbps = min(max(self.kbps, before), self._ceiling)
        self._signs = self._signs + 1 if self.queue_s > _QUEUE_S else 0
        if self.queue_s > _FULL_S or self._signs >= _SIGNS:
            if now - self._cut >= _CUT_APART_S:
                self._drain(now)
            return
        if self.loss > _MUCH_LOST:
            if now - self._cut >= _HOLD_S:
                self._cut_to(self.kbps * (1 - 0.5 * self.loss), now)
            return
        if self._signs:
            return
        if self._held is not None:  # the queue is gone, and the line carries what it carried
            self.kbps = min(max(self.kbps, self._held), self._ceiling)
            self._held = None
        if now - self._cut >= _HOLD_S:
            self._grow(elapsed)

    def _drain(self, now: float) -> None:
        """Send less than the line carries, until its queue is gone."""
        drain = max(1 - self.queue_s / _DRAIN_S, 0.5)
        carried = min(self.kbps, self.arriving_kbps) * _BELOW
        if self.queue_s <= _FULL_S:  # less may have been sent than the line carries
            carried = max(carried, self.kbps * _BELOW * _BELOW)
        self._held = carried
        self._cut_to(carried * drain, now)

    def _grow(self, elapsed: float) -> None:
        """Try more, after `elapsed` seconds without a sign that the line is full."""
        growth = _START_GROWTH if self.starting else _GROWTH
        # What is not sent proves nothing: the estimate runs ahead of it only so far.
        bound = max(self.arriving_kbps * _AHEAD, MIN_KBPS)
        if self.kbps < bound:
            carried = self.arriving_kbps * _BELOW  # without a queue
            self.kbps = min(max(self.kbps * growth**elapsed, carried), bound, self._ceiling)

    def _cut_to(self, kbps: float, now: float) -> None:
        self.kbps = min(max(kbps, MIN_KBPS), self._ceiling)
        self.starting = False
        self._cut = now
        self._signs = 0
