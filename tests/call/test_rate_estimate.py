"""The estimate of the line, over the network in the computer: a sender that fills what it may."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from facewire.call.rate_estimate import MAX_KBPS, MIN_KBPS, LineEstimate
from facewire.call.simulated import Clock, LineConditions, SimulatedLine, World


@dataclass
class Run:
    """What a run left behind: (time, estimate, queue in the line) ten times a second."""

    rows: list[tuple[float, float, float]] = field(default_factory=list)
    arrived: list[tuple[float, int]] = field(default_factory=list)

    def kbps(self, start: float, end: float) -> float:
        return (
            sum(8 * size for at, size in self.arrived if start <= at < end) / 1000 / (end - start)
        )

    def estimate(self, time: float) -> float:
        return next(kbps for at, kbps, _ in self.rows if at >= time)

    def queue(self, start: float, end: float) -> float:
        return max(queue for at, _, queue in self.rows if start <= at < end)


def run(
    settings: LineConditions,
    seconds: float,
    change: Callable[[float, LineConditions], None] = lambda time, settings: None,
    *,
    every: float = 0.1,
    ppm: float = 0.0,
    seed: int = 0,
) -> Run:
    """Datagrams every 0.1 s, as large as the estimate allows, and as many reports."""
    world, result = World(), Run()
    estimate = LineEstimate()
    theirs = Clock(start=1e4, ppm=ppm)
    sent = 0
    came: dict[int, float] = {}
    reported = 0

    def deliver(data: bytes) -> None:
        number = int.from_bytes(data[:4], "little")
        came.setdefault(number, theirs.read(world.now))
        result.arrived.append((world.now, len(data) + settings.overhead))

    line = SimulatedLine(world, deliver, settings, seed=seed)

    def send() -> None:
        nonlocal sent
        change(world.now, settings)
        size = max(round(estimate.kbps * 125 * every) - settings.overhead, 30)
        if size + settings.overhead <= estimate.room(world.now):
            estimate.sent(sent, size + settings.overhead, world.now)
            line.send(sent.to_bytes(4, "little") + bytes(size - 4))
            sent += 1
        result.rows.append((world.now, estimate.kbps, line.backlog_s))
        world.at(world.now + every, send)

    def report() -> None:
        nonlocal reported
        newest = max(came, default=-1)
        rows = [(n, came.get(n)) for n in range(reported, newest + 1)]
        reported = max(newest + 1, reported)
        at = world.now + settings.delay_s
        if not settings.dead:
            world.at(at, lambda: estimate.report(rows, world.now))
        world.at(world.now + 0.1, report)

    world.at(0, send)
    world.at(0.1, report)
    world.run(seconds)
    return result


@pytest.mark.parametrize("kbps", [10, 16, 32, 64])
def test_the_line_is_used_and_not_flooded(kbps: float) -> None:
    found = run(LineConditions(kbps=kbps), 60)
    assert found.kbps(20, 60) > 0.8 * min(kbps, MAX_KBPS)
    assert found.queue(20, 60) < 0.4


def test_a_start_neither_floods_a_thin_line_nor_crawls_on_a_fast_one() -> None:
    thin = run(LineConditions(kbps=10), 10)
    assert thin.queue(0, 10) < 1.0
    fast = run(LineConditions(kbps=100), 10)
    assert fast.estimate(5) > 40


def test_a_line_that_falls_and_rises() -> None:
    def change(time: float, settings: LineConditions) -> None:
        settings.kbps = 64 if time < 30 else 10 if time < 60 else 32

    found = run(LineConditions(kbps=64), 90, change)
    assert found.kbps(20, 30) > 0.8 * 64
    assert found.queue(32, 60) < 0.3
    assert found.kbps(40, 60) > 0.8 * 10
    assert found.kbps(70, 90) > 0.8 * 32


@pytest.mark.parametrize(("loss", "burst"), [(0.1, 1.0), (0.2, 3.0)])
def test_loss_without_a_queue_costs_no_rate(loss: float, burst: float) -> None:
    found = run(LineConditions(loss=loss, burst=burst), 40)
    assert found.estimate(39) > 24


def test_a_line_that_drops_without_a_queue_is_left_room() -> None:
    found = run(LineConditions(kbps=12, queue_s=0.15), 40)
    assert found.kbps(20, 40) > 0.7 * 12
    assert found.estimate(39) < 24


def test_jitter_is_not_a_queue() -> None:
    found = run(LineConditions(jitter_s=0.02), 40)
    assert found.estimate(39) > 40


@pytest.mark.parametrize("ppm", [-500, 500])
def test_clocks_that_drift_are_not_a_queue(ppm: float) -> None:
    found = run(LineConditions(kbps=40), 600, ppm=ppm)
    assert found.kbps(300, 600) > 0.75 * 40


def feed(estimate: LineEstimate, number: int, size: int, delay: float) -> None:
    at = 0.1 * number
    estimate.sent(number, size, at)
    estimate.report([(number, at + delay)], at + 0.2)


def test_the_estimate_keeps_to_its_bounds() -> None:
    estimate = LineEstimate(ceiling=20)
    for number in range(200):
        feed(estimate, number, 5000, 0.1)
    assert estimate.kbps == 20
    for number in range(200, 400):
        feed(estimate, number, 5, 0.1 + 0.02 * (number - 200))
    assert estimate.kbps == MIN_KBPS
    estimate.set_ceiling(1)
    assert estimate.kbps == MIN_KBPS


def test_a_report_that_lies_changes_nothing_it_should_not() -> None:
    estimate = LineEstimate()
    estimate.report([], 1e9)
    estimate.report([(n, None) for n in range(100)], -5.0)  # never sent
    estimate.report([(-1, 1e30), (1 << 40, -1e30)], 0.0)
    feed(estimate, 1, 100, 0.1)
    for _ in range(50):
        estimate.report([(1, 0.2)], 0.3)  # reported before
    assert MIN_KBPS <= estimate.kbps <= MAX_KBPS
    assert estimate.loss == 0


def test_what_is_not_sent_proves_nothing() -> None:
    estimate = LineEstimate(start=10)
    for number in range(600):  # 4 kbit/s
        feed(estimate, number, 50, 0.1)
    assert estimate.kbps <= 11


def test_without_reports_little_is_on_its_way() -> None:
    estimate = LineEstimate(start=20)
    sent = 0
    for number in range(100):
        if estimate.room(0.01 * number) >= 100:
            estimate.sent(number, 100, 0.01 * number)
            sent += 100
    assert sent < 20 * 125 * 0.6
    assert estimate.room(10.0) > 1000  # what no report ever mentions is forgotten


def test_a_queue_from_the_beginning_shows_in_the_round_trip() -> None:
    """No delay was ever that of an empty line, so differences of delays say nothing."""
    line = LineEstimate(start=14.0)
    number = 0
    for step in range(80):
        now = 0.1 * step
        line.sent(number, 150, now)
        if step >= 20:
            line.report([(number - 20, now - 0.1)], now)
        number += 1
        if step == 30:
            assert line.queue_s < 0.1
            for _ in range(2):
                line.round_trip(2.1, now)
        if step == 31:
            assert line.queue_s < 0.1  # twice may be an accident
            before = line.room(now)
            line.round_trip(2.1, now)
    assert line.queue_s == pytest.approx((2.1 - 0.8) / 2)
    assert line.kbps == MIN_KBPS
    assert line.room(now) < before - 500
    line.round_trip(0.2, now)
    line.report([(number - 20, now)], now + 0.1)
    assert line.queue_s < 0.1
