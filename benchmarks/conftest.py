"""Prints what benchmarks measured besides times (`extra_info`), above pytest-benchmark's table."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

_KEY = "extra_info"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    benchmark = getattr(item, "funcargs", {}).get("benchmark")
    if call.when == "call" and benchmark is not None and benchmark.extra_info:
        report.user_properties.append((_KEY, dict(benchmark.extra_info)))
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    rows = [
        (report.nodeid.rpartition("::")[2], value)
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == _KEY
    ]
    if rows:
        terminalreporter.section("beside the times")
    for name, facts in rows:
        terminalreporter.line(f"{name}: " + ", ".join(f"{k} {v}" for k, v in facts.items()))
