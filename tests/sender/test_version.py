"""A change of the encoder's code is not forgotten: figures of old streams would be taken for new.

After a change, raise `ENCODER_VERSION` if the same input gives another stream now. Then, in either
case, record the code: `python -m tests.sender.test_version`.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from pathlib import Path

import pytest

from facewire.sender.version import ENCODER_VERSION

ROOT = Path(__file__).resolve().parents[2]
RECORD = Path(__file__).with_name("encoder_version.json")
PARTS = (
    "codec/motion",
    "codec/picture",
    "codec/sound",
    "codec/keyframe.py",
    "models/face",
    "sender",
)


def code_digest() -> str:
    """SHA-256 of the encoder's code; comments, docstrings and layout do not count."""
    digest = hashlib.sha256()
    paths = (ROOT / part for part in PARTS)
    files = (file for path in paths for file in ([path] if path.is_file() else path.rglob("*.py")))
    for file in sorted(files):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list):
                node.body = [  # type: ignore[attr-defined]
                    each
                    for each in body
                    if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
                ]
        digest.update(f"{file.relative_to(ROOT).as_posix()}\n{ast.dump(tree)}\n".encode())
    return digest.hexdigest()


def recorded() -> dict[str, object]:
    found: dict[str, object] = json.loads(RECORD.read_text(encoding="utf-8"))
    return found


def test_a_change_of_the_encoder_is_noticed() -> None:
    record = recorded()
    if record["python"] != list(sys.version_info[:2]):
        pytest.skip(f"recorded with Python {record['python']}, which names code differently")
    assert (record["version"], record["code"]) == (ENCODER_VERSION, code_digest()), (
        "the encoder's code has changed: see the docstring of this file"
    )


def test_docstrings_do_not_count_and_code_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sender").mkdir()
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    monkeypatch.setattr(sys.modules[__name__], "PARTS", ("sender",))
    digests = []
    for text in ('"""Doc."""\nA = 1\n', "A = 1  # one\n", "A = 2\n"):
        (tmp_path / "sender" / "a.py").write_text(text)
        digests.append(code_digest())
    assert digests[0] == digests[1] != digests[2]


if __name__ == "__main__":
    python = list(sys.version_info[:2])
    record = {"version": ENCODER_VERSION, "code": code_digest(), "python": python}
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
