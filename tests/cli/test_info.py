from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from facewire.cli.main import main
from facewire.cli.runtime_facts import table
from facewire.codec.file.container import Reader, Writer
from facewire.codec.keyframe import KeyframeAssembler
from facewire.codec.packet import Kind, Packet
from facewire.codec.stream import StreamHeader

from .conftest import packets, write

KEYS = [
    "frames", "fps", "width", "height", "duration_s", "profile", "model", "bits", "bpp", "kbps",
    "motion_bits_per_frame", "keyframes", "damaged_packets",
]  # fmt: skip
PARTS = ["keyframe", "motion", "audio", "residual", "container", "total"]


def test_json_is_exactly_that_of_the_design(
    stream: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", str(stream), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert list(facts) == [*KEYS, "references"]
    assert [list(facts[key]) for key in ("bits", "bpp", "kbps")] == [PARTS] * 3
    assert facts["motion_bits_per_frame"] == {"mean": 960.0, "p95": 960.0, "max": 960.0}
    assert (facts["frames"], facts["fps"], facts["width"], facts["height"]) == (50, 25, 256, 256)
    assert (facts["duration_s"], facts["profile"], facts["model"]) == (2.0, "fp16", "avfr-s")
    assert (facts["keyframes"], facts["damaged_packets"]) == (1, 0)
    bits = facts["bits"]
    assert bits["motion"] == 50 * 960
    assert bits["audio"] > 0
    assert bits["total"] == sum(bits[part] for part in PARTS[:-1]) == 8 * stream.stat().st_size
    assert facts["bpp"]["motion"] == pytest.approx(960 / 65536)
    assert facts["kbps"]["motion"] == pytest.approx(24.0)


def test_references_are_told(stream: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(stream), "--json"]) == 0
    (known,) = json.loads(capsys.readouterr().out)["references"]
    size = known.pop("bytes")
    told = {"time_s": 0.0, "id": 0, "codec": "av1", "base": None, "join": True, "frames": 50}
    assert known == told
    assert main(["info", str(stream)]) == 0
    assert f"{size}      50  av1, join here" in capsys.readouterr().out


def test_references_that_stand_on_others(capsys: pytest.CaptureFixture[str]) -> None:
    golden = Path(__file__).parents[1] / "golden" / "v1-entropy-av1-references.fwire"
    assert main(["info", str(golden), "--json"]) == 0
    references = json.loads(capsys.readouterr().out)["references"]
    assert {known["codec"] for known in references} >= {"av1", "av1_after"}
    assert all((known["base"] is None) == known["join"] for known in references)
    assert main(["info", str(golden)]) == 0
    later = next(known for known in references if known["codec"] == "av1_after")
    assert f"  after {later['base']}\n" in capsys.readouterr().out


def test_a_gaze_is_told(stream: Path, capsys: pytest.CaptureFixture[str]) -> None:
    golden = Path(__file__).parents[1] / "golden" / "v1-entropy3-av1-gaze.fwire"
    assert main(["info", str(golden), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["gaze"] is True
    assert (facts["frames"], facts["damaged_packets"]) == (20, 0)
    assert main(["info", str(golden)]) == 0
    assert "gaze: sent with the motion of each frame" in capsys.readouterr().out
    assert main(["info", str(stream)]) == 0
    assert "gaze" not in capsys.readouterr().out


def test_a_base_layer_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    golden = Path(__file__).parents[1] / "golden" / "v1-entropy2-av1-base.fwire"
    assert main(["info", str(golden), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["base"] == {"frames": 18, "chains": 2, "crf": [25, 25]}
    assert facts["bits"]["residual"] > 0
    assert facts["damaged_packets"] == 0
    assert main(["info", str(golden)]) == 0
    assert "base layer: 18 frames in 2 chains, CRF 25" in capsys.readouterr().out


def test_a_portrait_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    golden = Path(__file__).parents[1] / "golden" / "v1-entropy2-av1-portrait.fwire"
    assert main(["info", str(golden), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["portrait"] == {"consent": "Zoë Golden, 2026-11-29"}
    assert main(["info", str(golden)]) == 0
    text = capsys.readouterr().out
    assert "portrait: moved by another person's face, with consent: Zoë Golden, 2026-11-29" in text


def test_a_performed_face_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    golden = Path(__file__).parents[1] / "golden" / "v1-entropy2-av1-performed.fwire"
    assert main(["info", str(golden), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["performed"] is True
    assert main(["info", str(golden)]) == 0
    assert "performed: nobody was before a camera" in capsys.readouterr().out


def test_a_mouth_that_nothing_moves_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Profile `pose` without sound; of other streams nothing is said."""
    first, *rest = packets(3, sound=False)
    pose = replace(StreamHeader.from_payload(first.payload), profile="pose-fp16")
    rests = write(tmp_path / "rests.fwire", [pose.to_packet(first.sequence), *rest])
    for profile in ("pose-av1-opus", "entropy2-av1"):
        golden = Path(__file__).parents[1] / "golden" / f"v1-{profile}.fwire"
        assert main(["info", str(golden)]) == 0
        assert "mouth" not in capsys.readouterr().out
    assert main(["info", str(rests), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mouth_rests"] is True
    assert main(["info", str(rests)]) == 0
    assert "mouth: rests as in the keyframe; it is not sent" in capsys.readouterr().out


def test_without_sound_audio_is_0(silent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["info", str(silent), "--json"])
    facts = json.loads(capsys.readouterr().out)
    assert facts["bits"]["audio"] == facts["kbps"]["audio"] == facts["bpp"]["audio"] == 0


def test_duration_of_a_variable_rate(slow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["info", str(slow), "--json"])
    facts = json.loads(capsys.readouterr().out)
    assert facts["duration_s"] == pytest.approx(5.4)


def test_table_for_people(stream: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(stream)]) == 0
    text = capsys.readouterr().out
    assert "50 frames of 256x256, 25 fps, 2.00 s; 1 keyframe;" in text
    assert "mean 960.0 bits a frame" in text
    assert all(part in text for part in PARTS)


def test_damage_is_counted(stream: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray(stream.read_bytes())
    data[len(data) // 2] ^= 0x40
    stream.write_bytes(data)
    assert main(["info", str(stream), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["damaged_packets"] == 1
    assert facts["bits"]["total"] == 8 * len(data)


def _golden(name: str, tmp_path: Path, order: Callable[[list[Packet]], list[Packet]]) -> Path:
    """A golden stream whose packets are put into another order, or left out."""
    golden = Path(__file__).parents[1] / "golden" / f"{name}.fwire"
    path = tmp_path / "changed.fwire"
    return write(path, order(_read(golden)))


def _read(path: Path) -> list[Packet]:
    with path.open("rb") as file:
        return list(Reader(file))


def _facts(path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["info", str(path), "--json"]) == 0
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    return facts


def test_motion_that_comes_before_its_keyframe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a recording of a call: its pictures come when some motion has come already."""

    def late(found: list[Packet]) -> list[Packet]:
        pictures = [packet for packet in found if packet.kind == Kind.KEYFRAME]
        others = [packet for packet in found if packet.kind != Kind.KEYFRAME]
        return [*others[:6], *pictures, *others[6:]]

    name = "v1-entropy3-av1-gaze"
    plain = _facts(_golden(name, tmp_path, lambda found: found), capsys)
    facts = _facts(_golden(name, tmp_path, late), capsys)
    for key in ("frames", "damaged_packets", "duration_s", "motion_bits_per_frame"):
        assert facts[key] == plain[key]
    assert "lost_motion" not in facts
    assert [one["frames"] for one in facts["references"]] == [
        one["frames"] for one in plain["references"]
    ]


@pytest.mark.parametrize("lost", [Kind.KEYFRAME, Kind.MOTION])
def test_motion_whose_reference_never_came(
    lost: Kind, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is lost, not damaged; without the keyframe all of it, else what follows the lost one."""

    def leave_out(found: list[Packet]) -> list[Packet]:
        kinds = [packet.kind for packet in found]
        first = kinds.index(lost)
        return [
            packet
            for number, packet in enumerate(found)
            if number != first and (lost == Kind.MOTION or packet.kind != lost)
        ]

    path = _golden("v1-entropy3-av1-gaze", tmp_path, leave_out)
    facts = _facts(path, capsys)
    assert facts["damaged_packets"] == 0
    count = sum(packet.kind == Kind.MOTION for packet in _read(path))
    assert 0 < facts["lost_motion"] <= count
    assert lost == Kind.MOTION or facts["lost_motion"] == count
    assert main(["info", str(path)]) == 0
    assert (
        "of motion refer to a picture or motion that is not in the file" in capsys.readouterr().out
    )


@pytest.mark.parametrize("command", ["info", "decode"])
def test_tables_of_another_version(
    command: str, tmp_path: Path, generator: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path, video = tmp_path / "x.fwire", tmp_path / "x.mp4"
    with path.open("wb") as file:
        writer = Writer(file)
        writer.write(StreamHeader("avfr-s", bytes(32), profile="entropy", tables=99).to_packet(0))
        writer.close()
    assert main([command, str(path), *([str(video)] if command == "decode" else [])]) == 1
    text = capsys.readouterr().err
    assert "tables of version 99" in text
    assert text.replace("loading the network\n", "").count("\n") == 1
    assert not video.exists()


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"ftypisom" * 50])
def test_what_is_no_stream(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.fwire"
    path.write_bytes(content)
    assert main(["info", str(path)]) == 1
    text = capsys.readouterr().err
    assert str(path) in text
    assert text.count("\n") == 1


def test_cut_at_every_byte(silent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = silent.read_bytes()
    codes = []
    for length in range(0, len(data), 41):
        silent.write_bytes(data[:length])
        codes.append(main(["info", str(silent), "--json"]))
        assert "unexpected" not in capsys.readouterr().err
    assert set(codes) == {0, 1}
    assert codes == sorted(codes, reverse=True)  # once the header is there, it works


def test_a_long_pause_in_a_fine_time_base_counts_whole(
    slow: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """16 bits of milliseconds wrap after 65 s; the keyframe after a pause has the whole time."""
    packets = list(Reader(slow.open("rb")))
    keys = [packet for packet in packets if packet.kind is Kind.KEYFRAME]
    assembler = KeyframeAssembler()
    keyframe = next(k for p in keys if (k := assembler.push(p)) is not None)
    motion = next(packet for packet in packets if packet.kind is Kind.MOTION)
    late = 200_000
    path = tmp_path / "pause.fwire"
    with path.open("wb") as file:
        writer = Writer(file)
        for packet in packets:
            writer.write(packet)
        for packet in replace(keyframe, pts=late).to_packets(1000):
            writer.write(packet)
        writer.write(replace(motion, pts=late % 65536, sequence=1100))
        writer.close()
    assert main(["info", str(path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["duration_s"] == pytest.approx(200, abs=0.5)


def test_the_runtime_needs_no_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--runtime", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert list(facts) == [
        "processor", "cores", "capabilities", "backends", "gpu", "model", "precisions", "chosen",
        "self_test_s",
    ]  # fmt: skip
    assert facts["model"] == "avfr-s"
    assert list(facts["precisions"]) == ["bf16", "int8", "float32"]
    assert facts["precisions"]["float32"]["ms"] > 0
    assert facts["precisions"]["float32"]["difference"] == 0
    assert 0 < facts["precisions"]["int8"]["difference"] < 1
    assert facts["self_test_s"] > 0
    assert "missing" not in facts["precisions"][facts["chosen"]]
    text = table(facts)
    assert text.count("<- chosen") == 1
    assert facts["processor"] in text
    missing = facts | {"precisions": facts["precisions"] | {"int8": {"missing": "no graph"}}}
    assert "not available: no graph" in table(missing)


@pytest.mark.parametrize("arguments", [["--runtime", "a.fwire"], ["--json"]])
def test_a_file_or_the_runtime(arguments: list[str]) -> None:
    assert main(["info", *arguments]) == 2


def test_the_runtime_of_unknown_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--runtime", "--weights", "gigantic"]) == 1
    assert "no network 'gigantic'" in capsys.readouterr().err


def test_a_pipe(stream: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fifo = stream.with_name("pipe")
    os.mkfifo(fifo)
    writer = threading.Thread(target=lambda: fifo.write_bytes(stream.read_bytes()), daemon=True)
    writer.start()
    assert main(["info", str(fifo), "--json"]) == 0
    writer.join(10)
    piped = capsys.readouterr().out
    assert main(["info", str(stream), "--json"]) == 0
    assert piped == capsys.readouterr().out


def test_two_joins_a_year_apart_are_no_year(tmp_path: Path, capsys: Any) -> None:
    """A jump of more than an hour is left out: nobody waited for it."""
    first = packets(20, sound=False)
    assembler = KeyframeAssembler()
    pieces = [assembler.push(packet) for packet in first if packet.kind == Kind.KEYFRAME]
    keyframe = next(each for each in pieces if each is not None)
    year = 25 * 3600 * 24 * 365
    second = [first[0], *replace(keyframe, id=1, pts=year).to_packets(0)]
    second += [
        replace(packet, reference=1, pts=(year + packet.pts) % 65_536)
        for packet in first
        if packet.kind == Kind.MOTION
    ]
    stream = [replace(packet, sequence=n) for n, packet in enumerate([*first, *second])]
    assert main(["info", str(write(tmp_path / "year.fwire", stream)), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["frames"] == 40
    assert facts["duration_s"] == pytest.approx(1.6)
    assert [each["time_s"] for each in facts["references"]] == [0, 0.8]
