"""The order in which modules of tests begin: see `LONGEST` in conftest.py."""

from __future__ import annotations

from pathlib import Path

from .conftest import LONGEST, pytest_collection_modifyitems

ROOT = Path(__file__).resolve().parents[1]


def test_modules_that_take_long_are_there() -> None:
    assert [name for name in LONGEST if not (ROOT / name).is_file()] == []


def test_they_begin_first_and_the_others_keep_their_order() -> None:
    class Item:
        def __init__(self, nodeid: str) -> None:
            self.nodeid = nodeid

    names = ["tests/a.py::one", f"{LONGEST[1]}::two", "tests/b.py::three", f"{LONGEST[0]}::four"]
    items = [Item(name) for name in names]
    pytest_collection_modifyitems(items)  # type: ignore[arg-type]
    assert [item.nodeid.partition("::")[2] for item in items] == ["four", "two", "one", "three"]
