"""What hostile or unlucky packets can make a decoder do is bounded, and counted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from facewire.codec.errors import UnsupportedError, WeightsError
from facewire.codec.file.container import Reader, Writer
from facewire.codec.identity_packets import introduce
from facewire.codec.motion.profiles import motion_writer
from facewire.codec.packet import Flags, Kind, Packet
from facewire.codec.stream import StreamHeader
from facewire.receiver.config import DecoderConfig
from facewire.receiver.decoder import Decoder
from facewire.receiver.files.player import decode_file
from facewire.receiver.outputs import PictureOutput, SoundOutput
from facewire.receiver.talking.speech import TheirMouth

from .test_identity import Opened, opened, person, stream

__all__ = ["opened"]  # a fixture
GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*.fwire"))
DECODE_RAISES = (UnsupportedError, WeightsError)


def bundle(synthetic: Any, make_motion: Any, frames: int) -> list[Packet]:
    """STREAM, keyframe, and one MOTION packet that holds all the frames."""
    silent = synthetic(frames=1, sound=False)
    header = replace(silent.header(), profile="entropy", tables=None)
    key = silent.keyframe(0, 0)
    payload = motion_writer("entropy").encode([key.motion] * frames, 0, 0, key.motion)
    motion = Packet(Kind.MOTION, Flags.SYNTHETIC | Flags.INTRA, 0, 0, 0, payload)
    packets = [header.to_packet(0), *key.to_packets(0), motion]
    return [replace(packet, sequence=number) for number, packet in enumerate(packets)]


@pytest.mark.parametrize(("limit", "shown"), [(1, 1), (32, 32), (100, 64)])
def test_renders_of_one_call_are_bounded_and_the_newest_shown(
    limit: int, shown: int, synthetic: Any, generator: Any, make_motion: Any
) -> None:
    *begin, motion = bundle(synthetic, make_motion, 64)
    assert len(motion.payload) < 64
    decoder = Decoder(DecoderConfig(max_renders=limit), generator)
    for packet in begin:
        decoder.decode(packet)
    outputs = decoder.decode(motion)
    assert [o.pts for o in outputs] == [Fraction(n, 25) for n in range(64 - shown, 64)]
    assert len(generator.motions) == shown
    assert decoder.statistics.skipped == 64 - shown
    assert decoder.statistics.frames == shown


def test_a_long_gap_is_bounded_too(synthetic: Any, generator: Any) -> None:
    packets = synthetic(frames=200, sound=False, keyframe_every=1000).packets()
    decoder = Decoder(DecoderConfig(max_renders=32), generator)
    for packet in packets[:10]:
        decoder.decode(packet)
    before = len(generator.motions)
    decoder.decode(packets[-1])
    outputs = decoder.flush()
    assert len(generator.motions) - before <= 32
    assert outputs[-1].pts == Fraction(199, 25)
    assert decoder.statistics.skipped > 100


def test_a_late_copy_of_the_old_stream_changes_nothing(synthetic: Any, generator: Any) -> None:
    old = synthetic(frames=50, sound=False).packets()
    new = synthetic(frames=50, sound=False, fps=Fraction(30)).packets()
    new = [replace(packet, sequence=packet.sequence + len(old)) for packet in new]
    decoder = Decoder(generator=generator)
    outputs = [o for packet in old + new[:30] for o in decoder.decode(packet)]
    outputs += decoder.decode(old[0])
    outputs += [o for packet in new[30:] for o in decoder.decode(packet)] + decoder.flush()
    assert len(outputs) == 100
    assert (decoder.statistics.streams, decoder.statistics.ignored_streams) == (2, 1)


def test_streams_that_alternate_are_followed_once_a_second(synthetic: Any, generator: Any) -> None:
    headers = [synthetic(sound=False, fps=Fraction(25 + n)).header() for n in range(500)]
    decoder = Decoder(generator=generator)
    for number, header in enumerate(headers):
        decoder.decode(header.to_packet(number))
    assert decoder.statistics.streams == 2
    assert decoder.statistics.ignored_streams == 498


def networks(synthetic: Any, count: int) -> list[Packet]:
    """A second of each of several streams, which name different weights."""
    packets: list[Packet] = []
    for number in range(count):
        sha256 = bytes([number]) * 32
        packets += synthetic(frames=30, sound=False, sha256=sha256).packets()
    return [replace(packet, sequence=number) for number, packet in enumerate(packets)]


def test_packets_cause_a_few_loads_only(synthetic: Any, opened: Opened) -> None:
    decoder = Decoder()
    refusals = []
    for packet in networks(synthetic, 10):
        try:
            decoder.decode(packet)
        except WeightsError as error:
            refusals.append(str(error))
    assert len(opened.people) == 4
    assert refusals
    assert all("Decoder.prepare" in text for text in refusals)
    assert decoder.statistics.wants_prepare
    decoder.reset()  # the application's own act
    decoder.decode(networks(synthetic, 1)[0])
    assert len(opened.people) == 5


def test_after_prepare_packets_cause_no_loads(synthetic: Any, opened: Opened) -> None:
    first, second = networks(synthetic, 1), networks(synthetic, 2)
    decoder = Decoder()
    with pytest.raises(WeightsError):
        decoder.prepare("of-nobody")
    decoder.prepare("avfr-s")
    assert len(opened.people) == 1
    with pytest.raises(WeightsError, match="prepare"):
        decoder.decode(first[0])
    assert decoder.header is None
    decoder.prepare()  # what the packets asked for
    assert len(opened.people) == 2
    shown = [o for packet in first for o in decoder.decode(packet)]
    assert len(shown) == 30
    assert not decoder.statistics.wants_prepare
    with pytest.raises(WeightsError, match="prepare"):
        decoder.decode(second[len(first)])
    assert decoder.statistics.wants_prepare
    assert decoder.header == StreamHeader.from_payload(first[0].payload)
    decoder.prepare()
    decoder.decode(second[len(first)])
    assert decoder.statistics.streams == 2
    assert len(opened.people) == 3


def test_an_identity_waits_for_prepare(synthetic: Any, opened: Opened) -> None:
    me = person()
    packets = stream(synthetic, me)
    decoder = Decoder()
    decoder.prepare()
    with pytest.raises(WeightsError):  # the made-up stream has other weights than those shipped
        decoder.decode(packets[0])
    decoder.prepare()
    for packet in packets[:-20]:
        decoder.decode(packet)
    assert opened.people == [None, None]
    assert decoder.statistics.wants_prepare
    assert decoder.statistics.wants_identity
    decoder.prepare()
    assert opened.people == [None, None, me]
    assert not opened.generators[2].motions
    for packet in packets[-20:]:
        decoder.decode(packet)
    assert opened.generators[2].motions
    assert not decoder.statistics.wants_prepare
    assert not decoder.statistics.wants_identity


def test_an_identity_is_hashed_once_and_not_for_each_packet(
    synthetic: Any, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = person()
    packets = stream(synthetic, me)
    introduction = introduce(me, 0)
    hashed = 0
    real = hashlib.sha256

    def counting(data: bytes = b"") -> Any:
        nonlocal hashed
        hashed += len(data)
        return real(data)

    monkeypatch.setattr(TheirMouth, "predictor", lambda _: None)
    decoder = Decoder()
    decoder.decode(packets[0])  # loads the networks, whose hashes are not the matter here
    monkeypatch.setattr("facewire.codec.identity.hashlib.sha256", counting)
    for number in range(20):
        for packet in packets:
            decoder.decode(replace(packet, sequence=(packet.sequence + number) % 65536))
        for packet in introduction:
            decoder.decode(packet)
    assert hashed <= 3 * len(me.body)


def test_two_joins_a_year_apart_make_a_short_file(
    tmp_path: Path, synthetic: Any, generator: Any
) -> None:
    year = 25 * 86_400 * 365
    packets: list[Packet] = []
    for start in (0, year, 3 * year):
        packets += synthetic(frames=30, first_pts=start).packets()
    source = tmp_path / "a.fwire"
    with source.open("wb") as file:
        writer = Writer(file)
        for number, packet in enumerate(packets):
            writer.write(replace(packet, sequence=number))
        writer.close()
    report = decode_file(source, tmp_path / "a.mp4", generator=generator)
    assert report.joints == 2
    assert report.frames >= 85
    assert 3.4 < report.seconds < 4.5  # three times 1.2 s, and lost sound that Opus made up
    with av.open(str(tmp_path / "a.mp4")) as container:
        seconds = [float(stream.duration * stream.time_base) for stream in container.streams]
    assert all(3.4 < each < 4.5 for each in seconds)
    assert (tmp_path / "a.mp4").stat().st_size < 1_000_000


def mutated(data: list[bytes], rng: np.random.Generator) -> Iterator[bytes]:
    """The packets of a stream: damaged, cut, doubled, lost, of another kind, and out of order."""
    order = np.arange(len(data)) + rng.uniform(0, rng.choice([0, 3, 30]), len(data))
    for index in np.argsort(order):
        packet = bytearray(data[index])
        what = rng.integers(12)
        if what == 0:
            packet[int(rng.integers(len(packet)))] = int(rng.integers(256))
        elif what == 1:
            packet[0] = int(rng.integers(9))
        elif what == 2:
            del packet[int(rng.integers(len(packet))) :]
        elif what == 3:
            packet[2:6] = rng.bytes(4)
        elif what == 4:
            packet += rng.bytes(int(rng.integers(64)))
        elif what == 5:
            packet[6:] = rng.bytes(len(packet) - 6)
        elif what == 6:
            place = int(rng.integers(6, 24))
            packet[place : place + 4] = rng.bytes(4)
        elif what == 7:
            continue
        elif what == 8:
            yield bytes(packet)
        yield bytes(packet)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_mutated_streams_raise_what_is_documented(
    path: Path, synthetic: Any, generator: Any
) -> None:
    """Hundreds of seeds over every golden stream."""
    with path.open("rb") as file:
        data = [bytes(packet) for packet in Reader(file)][:60]
    generator.keep = False
    rng = np.random.default_rng(len(data))
    for _ in range(300):
        decoder = Decoder(generator=generator)
        for packet in mutated(data, rng):
            try:
                outputs = decoder.decode(packet)
            except DECODE_RAISES:
                continue
            assert sum(isinstance(o, PictureOutput) for o in outputs) <= 32 + 250
            assert decoder.waiting < 600
        check(decoder.flush())


def check(outputs: list[Any]) -> None:
    for output in outputs:
        if isinstance(output, SoundOutput):
            assert np.isfinite(output.pcm).all()
        else:
            assert output.frame.dtype == np.uint8


def test_random_packets_of_every_kind(synthetic: Any, generator: Any) -> None:
    rng = np.random.default_rng(0)
    begin = synthetic(frames=5).packets()
    make: Callable[[], Packet] = lambda: Packet(  # noqa: E731
        list(Kind)[rng.integers(len(Kind))],
        Flags(int(rng.integers(4))),
        int(rng.integers(16)),
        int(rng.integers(65536)),
        int(rng.integers(65536)),
        rng.bytes(int(rng.integers(80))),
    )
    for _ in range(20):
        decoder = Decoder(generator=generator)
        for packet in begin:
            decoder.decode(packet)
        for _ in range(300):
            try:
                decoder.decode(make())
            except DECODE_RAISES:
                continue
        check(decoder.flush())
