"""Single values of a JSON object, checked one by one: each fault names its place in the file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..codec.errors import ConfigError

__all__ = [
    "a_count",
    "a_flag",
    "a_number",
    "a_rate",
    "a_text",
    "an_object",
    "check_names",
    "entries",
    "figures",
    "finite",
    "lines",
    "needed",
    "number_or_none",
    "numbers",
    "or_null",
    "pair",
    "plain_json",
    "texts",
]

Json = dict[str, Any]


def finite(values: Mapping[str, float]) -> dict[str, float]:
    """Numbers that JSON knows; NaN and infinity are left out."""
    return {name: float(number) for name, number in values.items() if math.isfinite(number)}


def or_null(number: float | None) -> float | None:
    """A number, or None for what JSON does not know."""
    return float(number) if number is not None and math.isfinite(number) else None


def check_names(values: Iterable[str], keys: frozenset[str]) -> None:
    """Refuse metrics that would overwrite a row's own keys."""
    clash = sorted(keys.intersection(values))
    if clash:
        raise ConfigError(f"a metric cannot be called {clash[0]!r}: results.json has that key")


def plain_json(value: object) -> Any:
    """Anything as JSON takes it: paths and fractions as text, NaN as null."""
    if isinstance(value, Mapping):
        return {str(key): plain_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain_json(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return or_null(value)
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def needed(found: Json, key: str, where: str) -> Any:
    """A value that must be there."""
    if key not in found:
        raise ConfigError(f"{where} lacks {key!r}")
    return found[key]


def an_object(data: object, where: str) -> Json:
    """A JSON object."""
    if not isinstance(data, dict):
        raise ConfigError(f"{where} is not a JSON object")
    return data


def entries(data: object, where: str) -> list[tuple[str, object]]:
    """Entries of a list, each with its place."""
    if not isinstance(data, list):
        raise ConfigError(f"{where} is not a list")
    return [(f"{where}[{i}]", entry) for i, entry in enumerate(data)]


def is_number(value: object) -> bool:
    """A finite number; true and false are none."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of hundreds of digits
        return False


def a_number(value: Any, where: str) -> float:
    """A finite number."""
    if not is_number(value):
        raise ConfigError(f"{where} is not a number")
    return float(value)


def a_rate(found: Json, where: str) -> float:
    """The target of a row: above 0."""
    rate = a_number(needed(found, "target_bpp", where), f"{where}.target_bpp")
    if rate <= 0:
        raise ConfigError(f"{where}.target_bpp is not above 0")
    return rate


def a_count(found: Json, key: str, where: str) -> int:
    """A whole number from 0 up."""
    value = needed(found, key, where)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ConfigError(f"{where}.{key} is not a whole number from 0 up")
    return value


def a_flag(found: Json, key: str, where: str) -> bool:
    """True or false."""
    value = needed(found, key, where)
    if not isinstance(value, bool):
        raise ConfigError(f"{where}.{key} is neither true nor false")
    return value


def number_or_none(found: Json, key: str, where: str) -> float | None:
    """A finite number, or None where it is null or not there."""
    value = found.get(key)
    return None if value is None else a_number(value, f"{where}.{key}")


def a_text(found: Json, key: str, where: str, default: str | None = None) -> str:
    """Text; without a default it must be there."""
    value = needed(found, key, where) if default is None else found.get(key, default)
    if not isinstance(value, str):
        raise ConfigError(f"{where}.{key} is not text")
    return value


def texts(data: object, where: str) -> dict[str, str]:
    """Texts by name."""
    found = an_object(data, where)
    return {key: a_text(found, key, where) for key in found}


def lines(data: object, where: str) -> tuple[str, ...]:
    """A list of texts."""
    if not isinstance(data, list) or not all(isinstance(line, str) for line in data):
        raise ConfigError(f"{where} is not a list of texts")
    return tuple(data)


def numbers(data: object, where: str) -> dict[str, float]:
    """Numbers by name; null stands for one that is not known and is left out."""
    found = an_object(data, where)
    return {
        key: a_number(value, f"{where}.{key}") for key, value in found.items() if value is not None
    }


def figures(found: Json, keys: frozenset[str]) -> dict[str, float]:
    """Every number that is not one of the row's own keys is a metric."""
    return {
        name: float(value) for name, value in found.items() if name not in keys and is_number(value)
    }


def pair(data: Any, where: str) -> tuple[float, float]:
    """Two numbers."""
    if not isinstance(data, list) or len(data) != 2:
        raise ConfigError(f"{where} is not a pair of numbers")
    return a_number(data[0], where), a_number(data[1], where)
