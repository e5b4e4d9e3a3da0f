"""A hook of MkDocs: links that MkDocs itself does not see, and nothing fetched from the net.

`mkdocs build --strict` checks the links between the pages. This hook checks the relative links of
README.md and the other Markdown files that readers meet outside of the site, and afterwards that
no built page loads a script, a style, a font or a picture from another machine.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.exceptions import PluginError

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
_REMOTE = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["']?(?:https?:)?//"""
    r"""|<link\b(?=[^>]*\brel=["']?(?:stylesheet|icon|preload|preconnect))[^>]*href=["']?(?:https?:)?//"""
    r"""|@import\s+(?:url\()?["']?(?:https?:)?//"""
    r"""|url\(["']?(?:https?:)?//""",
    re.IGNORECASE,
)


def on_pre_build(config: MkDocsConfig) -> None:
    """Check the relative links of the Markdown files outside of the site."""
    root = Path(config.config_file_path).parent
    files = [root / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    files += sorted(root.glob("models/weights/**/README.md"))
    broken = [
        f"{file.relative_to(root)}: {link}"
        for file in files
        for link in _LINK.findall(_FENCE.sub("", file.read_text(encoding="utf-8")))
        if not _leads_somewhere(file, link)
    ]
    if broken:
        raise PluginError("links that lead nowhere:\n  " + "\n  ".join(broken))


def on_post_build(config: MkDocsConfig) -> None:
    """Check that no page asks another machine for anything."""
    site = Path(config.site_dir)
    pages = [path for path in sorted(site.rglob("*")) if path.suffix in {".html", ".css"}]
    found = [
        f"{page.relative_to(site)}: {match.group(0)}"
        for page in pages
        for match in _REMOTE.finditer(page.read_text(encoding="utf-8"))
    ]
    if found:
        raise PluginError("the site would load from the net:\n  " + "\n  ".join(found))


def _leads_somewhere(file: Path, link: str) -> bool:
    if re.match(r"[a-z]+:", link):
        return True
    path, _, anchor = link.partition("#")
    target = file.parent / path if path else file
    if not target.exists():
        return False
    if not anchor or target.suffix != ".md":
        return True
    text = _FENCE.sub("", target.read_text(encoding="utf-8"))
    return anchor in {_slug(heading) for heading in _HEADING.findall(text)}


def _slug(heading: str) -> str:
    """The anchor of a heading, as GitHub and MkDocs make it."""
    words = re.sub(r"[^\w\s-]", "", heading.replace("`", "")).strip().lower()
    return re.sub(r"\s", "-", words)
