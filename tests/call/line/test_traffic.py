"""Counting what goes over the line, and limiting what comes."""

from __future__ import annotations

from facewire.call.line.traffic import Allowance, Traffic


def test_headers_are_counted() -> None:
    traffic = Traffic()
    traffic.send(100, "10.0.0.1")
    traffic.send(100, "2001:db8::1")
    assert (traffic.sent, traffic.sent_bytes) == (2, 128 + 148)
    traffic.receive(100, "10.0.0.1")
    assert (traffic.received, traffic.received_bytes) == (1, 128)


def test_an_allowance() -> None:
    allowance = Allowance(1000.0, 100.0)
    assert allowance.take(1000, 50.0)
    assert not allowance.has(1, 50.0)
    assert allowance.has(100, 51.0)
    assert allowance.has(100, 51.0)  # none were taken
    assert allowance.take(100, 51.0)
    assert not allowance.take(101, 52.0)
    assert allowance.take(100, 52.0)
    assert not allowance.take(1001, 1000.0)


def test_an_allowance_bounds_what_comes() -> None:
    """A burst is taken, 10 Mbit/s are not, and a call's rate is taken again soon after."""
    allowance = Allowance(512_000.0, 125_000.0)
    taken = sum(allowance.take(1200, n / 1000) for n in range(10_000))
    assert 512_000 + 9 * 120_000 < 1200 * taken < 512_000 + 10 * 125_000
    assert all(allowance.take(200, 11 + n / 16) for n in range(100))
