from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from facewire.codec.errors import EvaluationError
from facewire.eval.cache import StreamStore
from facewire.eval.clips import Clip
from facewire.eval.codecs.base import Codec, Encoded, Knob
from facewire.eval.codecs.search import Match
from facewire.eval.files import digest

from .makers import clip_of, moving_frames


class Toy(Codec):
    """Writes as many bytes as its setting says."""

    name = "toy"
    knob = Knob("bytes", 1, 100, 1, start=10, slope=0.1)
    suffix = ".toy"

    def __init__(self, version: str = "1") -> None:
        self.version = version
        self.calls = 0

    def versions(self) -> dict[str, str]:
        return {"toy": self.version}

    def encode(self, clip: Clip, setting: float, out: Path, scratch: Path) -> Encoded:
        self.calls += 1
        out.write_bytes(bytes(round(setting)))
        if setting == 13:
            raise EvaluationError("thirteen")
        bits = {"inter": 8 * round(setting)}
        return Encoded(out, bits, setting, f"toy {out.name}", 0.5, ("a note",))

    def decode(
        self, clip: Clip, encoded: Encoded, scratch: Path
    ) -> Iterator[npt.NDArray[np.uint8]]:
        yield from ()

    def write_source(self, clip: Clip, folder: Path) -> Path:
        return folder


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    return clip_of(tmp_path / "clip", moving_frames(2, 64))


@pytest.fixture
def store(tmp_path: Path, clip: Clip) -> StreamStore:
    return StreamStore(tmp_path / "cache", clip, Toy())


def test_a_stream_is_kept_with_all_that_is_known_of_it(
    store: StreamStore, tmp_path: Path, clip: Clip
) -> None:
    made = [store.encode(setting, tmp_path) for setting in (7, 0.25 + 30)]
    assert made[0].path.read_bytes() == bytes(7)
    assert made[0].command == "toy out.toy"
    assert made[0].notes == ("a note",)
    again = StreamStore(tmp_path / "cache", clip, Toy())
    assert sorted(again.known(), key=lambda e: e.setting) == made
    assert len(list(store.folder.iterdir())) == 4, "drafts are left"


def test_nothing_is_left_of_an_encoding_that_failed(store: StreamStore, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="thirteen"):
        store.encode(13, tmp_path)
    assert list(store.folder.iterdir()) == []
    assert store.known() == []


def test_a_stream_is_known_only_when_it_is_whole(
    store: StreamStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between any two steps: neither half a stream nor half a note counts."""
    replace = Path.replace
    for name in (".toy", ".json"):

        def stop(self: Path, target: Path, name: str = name) -> Path:
            if self.suffix == name:
                raise KeyboardInterrupt
            return replace(self, target)

        monkeypatch.setattr(Path, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            store.encode(7, tmp_path)
        monkeypatch.setattr(Path, "replace", replace)
        known = store.known()
        assert known == []
    assert store.encode(7, tmp_path) in store.known()


@pytest.mark.parametrize(
    "harm",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"3",
        b"\xff\xfe",
        b'{"path": "7.toy"}',
        b'{"path": 3, "bits": {}, "setting": 7, "command": "", "cpu_seconds": 1, "notes": []}',
        b'{"path": "gone", "bits": {}, "setting": 7, "command": "", "cpu_seconds": 1, "notes": []}',
        b'{"path": "7.toy", "bits": [], "setting": 7, '
        b'"command": "", "cpu_seconds": 1, "notes": []}',
        b'{"path": "7.toy", "bits": {"a": "b"}, "setting": 7, "command": "", "cpu_seconds": 1, '
        b'"notes": []}',
        b'{"path": "7.toy", "bits": {}, "setting": "x", '
        b'"command": "", "cpu_seconds": 1, "notes": []}',
        b'{"path": "7.toy", "bits": {}, "setting": NaN, '
        b'"command": "", "cpu_seconds": 1, "notes": []}',
    ],
)
def test_a_damaged_note_is_as_none(store: StreamStore, tmp_path: Path, harm: bytes) -> None:
    good = store.encode(9, tmp_path)
    bad = store.encode(7, tmp_path)
    bad.path.with_name("7.toy.json").write_bytes(harm)
    assert store.known() == [good]
    assert store.encode(7, tmp_path) == bad
    assert len(store.known()) == 2


def test_a_cut_note_is_as_none_wherever_it_was_cut(store: StreamStore, tmp_path: Path) -> None:
    encoded = store.encode(7, tmp_path)
    note = encoded.path.with_name("7.toy.json")
    whole = note.read_bytes()
    for length in range(len(whole)):
        note.write_bytes(whole[:length])
        assert store.known() == []
    note.write_bytes(whole)
    assert store.known() == [encoded]


def test_a_note_without_its_stream_is_as_none(store: StreamStore, tmp_path: Path) -> None:
    store.encode(7, tmp_path).path.unlink()
    assert store.known() == []


def test_another_version_another_clip_another_folder(
    store: StreamStore, tmp_path: Path, clip: Clip
) -> None:
    store.encode(7, tmp_path)
    root = tmp_path / "cache"
    other = clip_of(tmp_path / "other", moving_frames(2, 64), key="1b")
    renamed = Toy()
    renamed.name = "toy2"
    stores = [
        StreamStore(root, clip, Toy("2")),
        StreamStore(root, other, Toy()),
        StreamStore(root, clip, renamed),
    ]
    assert len({s.folder for s in (store, *stores)}) == 4
    assert all(s.known() == [] for s in stores)


def test_forgetting(store: StreamStore, tmp_path: Path) -> None:
    store.encode(7, tmp_path)
    store.clear()
    assert store.known() == []
    assert store.encode(7, tmp_path).path.is_file()


def test_a_relative_cache_is_where_it_was_named(
    tmp_path: Path, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Encoders run in a folder of their own: what they write to must not be relative to it."""
    monkeypatch.chdir(tmp_path)
    store = StreamStore(Path("run/cache"), clip, Toy())
    assert store.folder.is_absolute()
    encoded = store.encode(7, tmp_path)
    assert encoded.path.is_relative_to(tmp_path / "run" / "cache")


def test_digests_tell_values_and_their_borders_apart() -> None:
    values = [["a", "b"], ["ab"], ["a", "b", ""], ["a, b"], [], [""]]
    assert len({digest(parts) for parts in values}) == len(values)
    assert digest([1, "x"]) == digest(["1", "x"])
    assert len(digest([])) == 32


def test_a_settled_target_is_not_searched_again(store: StreamStore, tmp_path: Path) -> None:
    """Also one that was not reached: a search that ran out of tries would go on otherwise."""
    encoded = store.encode(20, tmp_path)
    searches: list[int] = []

    def search() -> Match:
        searches.append(1)
        return Match(encoded, False, "its floor")

    assert store.match(100.0, search) == store.match(100.0, search)
    assert len(searches) == 1
    assert store.match(200.0, search).note == "its floor"
    assert len(searches) == 2
    encoded.path.unlink()  # the stream is gone: what was settled is void
    store.match(100.0, search)
    assert len(searches) == 3
    assert len(store.known()) == 0
