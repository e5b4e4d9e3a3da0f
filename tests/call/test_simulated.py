"""The network in the computer does what it says: else tests over it prove nothing."""

from __future__ import annotations

import pytest

from facewire.call.simulated import Clock, LineConditions, SimulatedLine, World


def over(
    settings: LineConditions, count: int = 4000, every: float = 0.05, size: int = 100
) -> SimulatedLine:
    """A line after `count` datagrams; what arrived is in `line.arrived`."""
    world = World()
    arrived: list[tuple[float, bytes]] = []
    line = SimulatedLine(world, lambda data: arrived.append((world.now, data)), settings, seed=1)
    for number in range(count):
        data = number.to_bytes(4, "little") + bytes(size - 4)
        world.at(number * every, lambda data=data: line.send(data))  # type: ignore[misc]
    world.run(count * every + 100)
    line.arrived = arrived  # type: ignore[attr-defined]
    return line


def arrivals(line: SimulatedLine) -> list[tuple[float, int]]:
    found = line.arrived  # type: ignore[attr-defined]
    return [(time, int.from_bytes(data[:4], "little")) for time, data in found]


@pytest.mark.parametrize(("loss", "burst"), [(0.1, 1.0), (0.2, 3.0)])
def test_loss_and_bursts(loss: float, burst: float) -> None:
    line = over(LineConditions(loss=loss, burst=burst), count=20_000)
    came = {number for _, number in arrivals(line)}
    gone = [number for number in range(20_000) if number not in came]
    assert len(gone) / 20_000 == pytest.approx(loss, rel=0.1)
    runs = sum(1 for number in gone if number - 1 in came or number == 0)
    assert len(gone) / runs == pytest.approx(burst, rel=0.15)
    assert line.lost == len(gone)


def test_a_bottleneck_keeps_its_rate_and_its_queue() -> None:
    settings = LineConditions(kbps=16, queue_s=0.5, overhead=50)
    line = over(settings, count=1000, every=0.05)  # 24 kbit/s into 16
    times = [time for time, _ in arrivals(line)]
    assert len(times) * 150 * 8 / (times[-1] - times[0]) == pytest.approx(16_000, rel=0.02)
    waits = [time - 0.05 * number - 0.08 for time, number in arrivals(line)]
    assert 0.4 < max(waits) < 0.6


def test_order_delay_and_doubles() -> None:
    plain = arrivals(over(LineConditions(jitter_s=0.02), count=500))
    assert [number for _, number in plain] == list(range(500))
    assert all(time >= 0.05 * number + 0.08 for time, number in plain)
    mixed = arrivals(over(LineConditions(reorder=0.1, double=0.1, delay_s=0.01), count=2000))
    assert len(mixed) == pytest.approx(2200, rel=0.05)
    assert [number for _, number in mixed] != sorted(number for _, number in mixed)


def test_a_dead_line_and_clocks_that_drift() -> None:
    assert arrivals(over(LineConditions(dead=True), count=10)) == []
    clock = Clock(start=100.0, ppm=500)
    assert clock.read(1800) - clock.read(0) == pytest.approx(1800.9)
    assert clock.time_of(clock.read(12.5)) == pytest.approx(12.5)


def test_the_same_seed_gives_the_same_network() -> None:
    settings = LineConditions(loss=0.2, burst=2, jitter_s=0.03)
    assert arrivals(over(settings, count=300)) == arrivals(over(settings, count=300))
