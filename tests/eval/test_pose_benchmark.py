"""How `benchmarks/pose.py` counts: everything but sound, after the first keyframe."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.pose import picture_kbps
from facewire.codec.file.container import Writer, record_overhead
from facewire.codec.packet import HEADER_BYTES, Flags, Kind, Packet


def test_sound_and_the_first_keyframe_do_not_count(tmp_path: Path) -> None:
    kinds = [(Kind.KEYFRAME, 900), (Kind.MOTION, 10), (Kind.AUDIO, 50), (Kind.KEYFRAME, 300)]
    path = tmp_path / "a.fwire"
    with path.open("wb") as file:
        writer = Writer(file)
        for number, (kind, size) in enumerate(kinds):
            writer.write(Packet(kind, Flags(0), 0, number, 0, bytes(size)))
        writer.close()
    counted = [HEADER_BYTES + size for size in (10, 300)]
    counted = [size + record_overhead(size) for size in counted]
    kbps, motion = picture_kbps(path, 2.0)
    assert kbps == pytest.approx(sum(counted) * 8 / 2 / 1000)
    assert motion == 80
