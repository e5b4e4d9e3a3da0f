"""What was encoded and measured before, found by content: nothing is done twice, nothing is lost.

    cache/clips/CLIP/       frames, sound and what is true of them        (eval.clips, eval.measure)
    cache/streams/CLIP/CODEC/SETTING.json and its stream, and which one a target settled on
    cache/figures/HASH.npz  of a clip, a decoded stream and a way of measuring

Names are hashes of everything that the content depends on. Files appear whole: each is written
under another name first.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from ..codec.whole_file import whole_file, whole_path
from .clips import Clip
from .codecs.base import Codec, Encoded
from .codecs.search import Match

__all__ = ["StreamStore", "digest"]


def digest(parts: Iterable[object]) -> str:
    """Hex SHA-256 of some values, 32 digits."""
    text = json.dumps([str(part) for part in parts])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class StreamStore:
    """All streams of one clip by one codec."""

    def __init__(self, root: Path, clip: Clip, codec: Codec) -> None:
        self.codec, self.clip = codec, clip
        # Absolute: encoders run in a folder of their own.
        name = f"{codec.name}-{digest([codec.identity()])}"
        self.folder = root.absolute() / "streams" / clip.key[:24] / name
        self.folder.mkdir(parents=True, exist_ok=True)

    def known(self) -> list[Encoded]:
        """Streams of earlier runs; what is damaged is as if it were not there."""
        found = []
        for about in sorted(self.folder.glob("[!.]*.json")):
            try:
                encoded = Encoded.from_json(about.read_text(), self.folder)
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue
            if encoded.path.is_file():
                found.append(encoded)
        return found

    def encode(self, setting: float, scratch: Path) -> Encoded:
        """Code with a setting and keep the stream."""
        path = self.folder / f"{setting:.6g}{self.codec.suffix}"
        with whole_path(path, overwrite=True) as draft:
            made = self.codec.encode(self.clip, setting, draft, scratch)
        encoded = Encoded(
            path,
            made.bits,
            made.setting,
            made.command.replace(draft.name, f"out{path.suffix}"),
            made.seconds,
            made.notes,
        )
        about = path.with_name(path.name + ".json")
        with whole_file(about, overwrite=True) as file:
            file.write(encoded.to_json().encode())
        return encoded

    def match(self, target_bits: float, search: Callable[[], Match]) -> Match:
        """The stream of a target as it was settled once, else that of a new search."""
        path = self.folder / f"{target_bits:.6g}.match"
        streams = {encoded.path.name: encoded for encoded in self.known()}
        try:
            name, reached, note = json.loads(path.read_text())
            return Match(streams[name], bool(reached), str(note))
        except (OSError, ValueError, KeyError, TypeError):
            found = search()
        with whole_file(path, overwrite=True) as file:
            note = [found.encoded.path.name, found.reached, found.note]
            file.write(json.dumps(note).encode())
        return found

    def clear(self) -> None:
        """Forget all of it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
