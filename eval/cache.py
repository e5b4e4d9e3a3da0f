"""What was encoded and measured before, found by content: nothing is done twice, nothing is lost.

    cache/clips/CLIP/       frames, sound and what is true of them        (eval.clips, eval.truth)
    cache/streams/CLIP/CODEC/SETTING.json and its stream, and which one a target settled on
    cache/figures/HASH.npz  of a clip, a decoded stream and a way of measuring

Names are hashes of everything that the content depends on. Files appear whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..codec.whole_file import whole_path
from .clips import Clip
from .codecs.base import Codec, Encoded
from .codecs.search import Match
from .files import digest

__all__ = ["StreamStore"]


class StreamStore:
    """All streams of one clip by one codec.

    Args:
        root: the cache.
        clip: the clip.
        codec: the codec.
    """

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
                encoded = Encoded.from_json(about.read_bytes(), self.folder)
            except (OSError, ValueError):
                continue
            if encoded.path.is_file():
                found.append(encoded)
        return found

    def encode(self, setting: float, scratch: Path) -> Encoded:
        """Code with a setting and keep the stream."""
        path = self.folder / f"{setting:.6g}{self.codec.suffix}"
        with whole_path(path, overwrite=True) as draft:
            made = self.codec.encode(self.clip, setting, draft, scratch)
        command = made.command.replace(path.name, f"out{path.suffix}")
        encoded = replace(made, path=path, command=command)
        with whole_path(path.with_name(f"{path.name}.json"), overwrite=True) as draft:
            draft.write_text(encoded.to_json())
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
        with whole_path(path, overwrite=True) as draft:
            draft.write_text(json.dumps([found.encoded.path.name, found.reached, found.note]))
        return found

    def clear(self) -> None:
        """Forget all of it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
