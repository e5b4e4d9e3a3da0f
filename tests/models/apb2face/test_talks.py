from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facewire.codec.errors import TrainingError
from facewire.models.apb2face.talks import Talk, read_talks

from .conftest import FRAMES, made_talk, write_talk


def test_talks_are_read_from_any_cache(tmp_path: Path, talks: list[Talk]) -> None:
    for talk in talks:
        write_talk(tmp_path, talk)
    found = read_talks(tmp_path)
    assert [(t.name, t.identity) for t in found] == [(t.name, t.identity) for t in talks]
    np.testing.assert_array_equal(found[0].landmarks, talks[0].landmarks)


def test_frames_that_were_not_seen_are_filled_in(tmp_path: Path) -> None:
    talk = made_talk("a", "a")
    talk.landmarks[:] = np.arange(FRAMES)[:, None, None]
    path = write_talk(tmp_path, talk)
    values = dict(np.load(path))
    values["faces"][1::2] = 0
    values["landmarks"][1::2] = 1e6
    np.savez(path, **values)
    found = read_talks(tmp_path)[0].landmarks
    np.testing.assert_allclose(found[:, 0, 0], np.arange(FRAMES - 1))


def test_a_talk_ends_where_the_face_is_long_away(tmp_path: Path) -> None:
    path = write_talk(tmp_path, made_talk("a", "a"))
    values = dict(np.load(path))
    values["faces"][30:40] = 0
    np.savez(path, **values)
    assert len(read_talks(tmp_path)[0].landmarks) == 30


def test_other_rates_become_25_frames_a_second(tmp_path: Path) -> None:
    talk = made_talk("a", "a", frames=100)
    talk.landmarks[:] = (np.arange(100) / 50)[:, None, None]  # the time in seconds
    write_talk(tmp_path, talk, fps=50.0)
    found = read_talks(tmp_path)[0].landmarks
    np.testing.assert_allclose(found[:, 0, 0], np.arange(50) / 25, atol=1e-6)


def test_talks_without_sound_are_left_out(tmp_path: Path) -> None:
    talk = made_talk("a", "a")
    write_talk(tmp_path, Talk("a", "a", talk.landmarks, np.full_like(talk.mel, -1)))
    write_talk(tmp_path, Talk("b", "b", talk.landmarks, talk.mel[:0]))
    with pytest.raises(TrainingError, match="no prepared clips with sound"):
        read_talks(tmp_path)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK")
    with pytest.raises(TrainingError, match=r"a\.npz is damaged"):
        read_talks(tmp_path)
