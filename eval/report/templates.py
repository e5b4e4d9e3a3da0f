"""The report's templates, by Jinja2: whatever is put into them is escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..results.schema import Row

__all__ = ["CSS", "macro", "render"]

_FOLDER = Path(__file__).parent
_TEMPLATES = Environment(
    loader=FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters["bpp"] = lambda target: f"{target:g} bpp"
_TEMPLATES.filters["label"] = lambda metric, results: results.metric(metric).label


def _speed(row: Row | None, what: str) -> str:
    """Frames a second of `encode` or `decode`, three digits; a dash where they are not known."""
    fps = None if row is None else row.encode_fps if what == "encode" else row.decode_fps
    return "–" if fps is None else f"{fps:.3g}" if fps < 100 else f"{fps:.0f}"


_TEMPLATES.filters["speed"] = _speed
CSS = (_FOLDER / "page.css").read_text(encoding="utf-8")


def render(template: str, values: dict[str, Any]) -> str:
    """A whole template with its values."""
    return _TEMPLATES.get_template(template).render(values)


def macro(template: str, name: str, *values: object) -> Markup:
    """What one macro of a template makes of its values."""
    return Markup(getattr(_TEMPLATES.get_template(template).module, name)(*values))
