"""The public names and the errors do not change."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import facewire.codec
from facewire.codec import errors

MODULES = [
    found.name for found in pkgutil.walk_packages(facewire.codec.__path__, "facewire.codec.")
]


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_exists(name: str) -> None:
    module = importlib.import_module(name)
    names: list[str] = getattr(module, "__all__", [])
    assert len(set(names)) == len(names)
    assert all(hasattr(module, each) for each in names)
    assert names or hasattr(module, "__path__"), "a module says what it offers"


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.MediaError, ValueError),
        (errors.StreamError, ValueError),
        (errors.TruncatedError, EOFError),
        (errors.MotionError, ValueError),
        (errors.ConfigError, ValueError),
        (errors.WeightsError, RuntimeError),
        (errors.MissingExtraError, ImportError),
    ],
)
def test_each_error_is_the_builtin_that_fits(
    error: type[Exception], builtin: type[Exception]
) -> None:
    assert issubclass(error, builtin)
    assert issubclass(error, errors.FacewireError)


def test_a_missing_extra_names_it() -> None:
    sentence = str(errors.MissingExtraError("tracking faces", "encode"))
    assert "'.[encode]'" in sentence  # from a clone: facewire is on no package index yet
    assert "'facewire[encode]'" in sentence
