"""The public names, and the errors, are a promise."""

from __future__ import annotations

import pytest

import facewire.codec as codec
from facewire.codec import errors


@pytest.mark.parametrize("module", [codec, errors])
def test_all_is_sorted_and_true(module: object) -> None:
    names: list[str] = module.__all__  # type: ignore[attr-defined]
    assert names == sorted(names)
    assert len(set(names)) == len(names)
    assert all(hasattr(module, name) for name in names)


def test_all_is_complete() -> None:
    public = {
        name
        for name, value in vars(codec).items()
        if not name.startswith("_") and (isinstance(value, type) or callable(value))
    }
    assert public == set(codec.__all__)


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
    assert "facewire[encode]" in str(errors.MissingExtraError("tracking faces", "encode"))
