from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from facewire.codec.control import Control, Wants
from facewire.codec.errors import ConfigError, FacewireError, UnsupportedError, WeightsError
from facewire.codec.packet import Kind, Packet
from facewire.codec.stream import AudioParameters
from facewire.receiver.config import DecoderConfig
from facewire.receiver.decoder import Decoder
from facewire.receiver.outputs import Output, PictureOutput, SoundOutput


def run(decoder: Decoder, packets: list[Packet]) -> list[Output]:
    outputs = [output for packet in packets for output in decoder.decode(packet)]
    return outputs + decoder.flush()


def pictures(outputs: list[Output]) -> list[Output]:
    return [output for output in outputs if isinstance(output, PictureOutput)]


def sound(outputs: list[Output]) -> np.ndarray[Any, np.dtype[np.float32]]:
    pieces = [output.pcm for output in outputs if isinstance(output, SoundOutput)]
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


def shown(output: Output) -> int:
    assert isinstance(output, PictureOutput)
    return int(output.frame[0, 0, 0])


def test_whole_stream_gives_every_frame_and_all_sound(synthetic: Any, generator: Any) -> None:
    decoder = Decoder(generator=generator)
    outputs = run(decoder, synthetic(frames=50).packets())
    frames = pictures(outputs)
    assert [output.pts for output in frames] == [Fraction(n, 25) for n in range(50)]
    assert [shown(output) for output in frames] == list(range(50))
    assert not any(output.concealed for output in outputs)
    assert all(isinstance(o, PictureOutput | SoundOutput) for o in outputs)
    assert len(sound(outputs)) == 50 * 640
    starts = [o.pts for o in outputs if isinstance(o, SoundOutput)]
    assert starts == [Fraction(n, 25) for n in range(50)]
    counts = decoder.statistics
    assert (counts.frames, counts.keyframes, counts.concealed, counts.damaged) == (50, 2, 0, 0)
    assert (counts.late, counts.duplicates, counts.lost, counts.missing_reference) == (0, 0, 0, 0)
    assert not counts.wants_keyframe


def test_source_features_once_a_keyframe(synthetic: Any, generator: Any) -> None:
    run(Decoder(generator=generator), synthetic(frames=40, keyframe_every=20).packets())
    assert generator.sources == 2


def test_keyframe_sent_again_costs_nothing(synthetic: Any, generator: Any) -> None:
    stream = synthetic(frames=10)
    packets = stream.packets()
    keyframe = [p for p in packets if p.kind == Kind.KEYFRAME]
    again = [replace(p, sequence=(len(packets) + n)) for n, p in enumerate(keyframe)]
    run(Decoder(generator=generator), packets + again)
    assert generator.sources == 1


def test_frame_waits_for_its_sound(synthetic: Any, generator: Any) -> None:
    decoder = Decoder(generator=generator)
    heard = 0
    for packet in synthetic(frames=50).packets():
        for output in decoder.decode(packet):
            if isinstance(output, SoundOutput):
                heard += len(output.pcm)
            else:
                assert heard >= (output.pts + Fraction(100, 1000)) * 16000
    assert 0 < decoder.waiting <= 6
    assert len(decoder.flush()) >= 2


def test_without_sound_nothing_waits(synthetic: Any, generator: Any) -> None:
    decoder = Decoder(generator=generator)
    for packet in synthetic(frames=20, sound=False).packets():
        outputs = decoder.decode(packet)
        assert len(outputs) == (packet.kind == Kind.MOTION)
    assert decoder.flush() == []
    assert generator.mels == [None] * 20
    assert decoder.delay_ms == 0


def test_mel_is_that_of_the_whole_sound(synthetic: Any, generator: Any) -> None:
    from facewire.models.mel import log_mel, mel_window

    config = DecoderConfig(lookahead_ms=100)
    outputs = run(Decoder(config, generator), synthetic(frames=60).packets())
    steps = log_mel(sound(outputs))
    for index, mel in enumerate(generator.mels):
        np.testing.assert_allclose(mel, mel_window(steps, index * 640, 100), atol=1e-5)


@pytest.mark.parametrize("lookahead", [0, 40, 100])
def test_delay_follows_the_lookahead(lookahead: int, synthetic: Any, generator: Any) -> None:
    decoder = Decoder(DecoderConfig(lookahead_ms=lookahead), generator)
    assert decoder.delay_ms == pytest.approx(lookahead + 7.5 + 40 + 6.5)
    stream = synthetic(frames=30)
    lag = 0.0
    newest = Fraction(0)
    for packet in stream.packets():
        if packet.kind == Kind.MOTION:
            newest = Fraction(packet.pts, 25)
        for output in decoder.decode(packet):
            if isinstance(output, PictureOutput):
                lag = max(lag, float(newest - output.pts) * 1000)
    assert lag <= decoder.delay_ms
    assert lag >= lookahead


def test_sound_that_never_comes_does_not_stop_the_pictures(synthetic: Any, generator: Any) -> None:
    packets = [p for p in synthetic(frames=100).packets() if p.kind != Kind.AUDIO]
    decoder = Decoder(DecoderConfig(max_wait_ms=400), generator)
    before_flush = [o for p in packets for o in decoder.decode(p)]
    assert 80 <= len(pictures(before_flush)) < 100
    assert len(pictures(before_flush + decoder.flush())) >= 100


def test_unknown_reference_shows_the_last_picture(synthetic: Any, generator: Any) -> None:
    packets = synthetic(frames=30, sound=False, keyframe_every=10).packets()
    second = {p.reference for p in packets if p.kind == Kind.KEYFRAME}
    assert second == {0, 1, 2}
    packets = [p for p in packets if not (p.kind == Kind.KEYFRAME and p.reference == 1)]
    decoder = Decoder(generator=generator)
    frames = pictures(run(decoder, packets))
    times = [output.pts for output in frames]
    assert times == sorted(set(times))
    assert len(frames) >= 30
    held = [o for o in frames if Fraction(10, 25) <= o.pts < Fraction(20, 25)]
    assert all(o.concealed and o.wants_keyframe and shown(o) == 9 for o in held)
    assert decoder.statistics.missing_reference == 10
    assert not decoder.statistics.wants_keyframe  # the third keyframe came
    assert not any(o.wants_keyframe for o in frames if o not in held)
    assert not frames[-1].concealed


def test_a_stream_whose_references_never_arrive(synthetic: Any, generator: Any) -> None:
    decoder = Decoder(generator=generator)
    for packet in synthetic(frames=400, sound=False, keyframe_every=400).packets():
        lost = packet.kind == Kind.MOTION and packet.pts >= 10
        outputs = decoder.decode(replace(packet, reference=5) if lost else packet)
        assert decoder.waiting == 0
        assert len(outputs) == (packet.kind == Kind.MOTION)
        assert all(o.concealed == o.wants_keyframe == lost for o in outputs)
        assert all(shown(o) == min(packet.pts, 9) for o in outputs)
    assert len(generator.motions) == 10
    assert decoder.statistics.missing_reference == 390


def test_missing_reference_asks_for_a_keyframe(synthetic: Any, generator: Any) -> None:
    packets = synthetic(frames=5, sound=False).packets()
    decoder = Decoder(generator=generator)
    run(decoder, [p for p in packets if p.kind != Kind.KEYFRAME])
    assert decoder.statistics.wants_keyframe
    assert decoder.statistics.frames == 0


def test_pool_keeps_the_four_used_last(synthetic: Any, generator: Any) -> None:
    packets = synthetic(frames=12, sound=False, keyframe_every=2).packets()
    last = next(p for p in reversed(packets) if p.kind == Kind.MOTION)
    decoder = Decoder(DecoderConfig(references=4), generator)
    run(decoder, packets)
    for step, (reference, known) in enumerate(((5, True), (2, True), (1, False))):
        missing = decoder.statistics.missing_reference
        run(decoder, [replace(last, reference=reference, sequence=100 + step, pts=15 + step)])
        assert (decoder.statistics.missing_reference == missing) == known


def test_damaged_motion_is_concealed(synthetic: Any, generator: Any) -> None:
    nan = np.full(60, np.nan, "<f2").tobytes()
    packets = [
        replace(p, payload=nan) if p.kind == Kind.MOTION and p.pts in (7, 8) else p
        for p in synthetic(frames=20, sound=False).packets()
    ]
    decoder = Decoder(generator=generator)
    frames = pictures(run(decoder, packets))
    assert [o.pts * 25 for o in frames] == list(range(20))
    assert [int(o.pts * 25) for o in frames if o.concealed] == [7, 8]
    assert decoder.statistics.damaged == 2
    assert all(np.isfinite(m.to_array()).all() for m in generator.motions)


def test_lost_motion_is_interpolated(synthetic: Any, generator: Any) -> None:
    packets = [
        p
        for p in synthetic(frames=20, sound=False).packets()
        if not (p.kind == Kind.MOTION and 5 <= p.pts <= 7)
    ]
    decoder = Decoder(generator=generator)
    frames = pictures(run(decoder, packets))
    assert [o.pts * 25 for o in frames] == list(range(20))
    assert [int(o.pts * 25) for o in frames if o.concealed] == [5, 6, 7]
    assert [shown(o) for o in frames] == list(range(20))
    assert decoder.statistics.lost == 3


def test_pause_of_the_sender_is_not_filled(synthetic: Any, generator: Any) -> None:
    pts = [0, 40, 80, 400, 440, 1200, 1240]
    packets = synthetic(pts=pts, time_base=Fraction(1, 1000)).packets()
    frames = pictures(run(Decoder(generator=generator), packets))
    assert [int(o.pts * 1000) for o in frames] == pts
    assert not any(o.concealed for o in frames)


def test_lost_opus_packet_is_made_up_in_place(synthetic: Any, generator: Any) -> None:
    packets = synthetic(frames=30).packets()
    audio = [p for p in packets if p.kind == Kind.AUDIO]
    packets.remove(audio[10])
    packets[packets.index(audio[20])] = replace(audio[20], payload=b"\xff\xff")
    decoder = Decoder(generator=generator)
    outputs = run(decoder, packets)
    pieces = [o for o in outputs if isinstance(o, SoundOutput)]
    assert [o.pts for o in pieces] == [Fraction(n, 25) for n in range(30)]
    assert [n for n, o in enumerate(pieces) if o.concealed] == [10, 20]
    assert all(len(o.pcm) == 640 for o in pieces)
    assert decoder.statistics.concealed_audio == 2
    assert decoder.statistics.damaged == 1


def test_long_opus_packets_are_waited_for_and_made_up(synthetic: Any, generator: Any) -> None:
    packets = synthetic(frames=75, sound_ms=120).packets()
    decoder = Decoder(generator=generator)
    outputs = run(decoder, packets)
    assert decoder.delay_ms == pytest.approx(100 + 7.5 + 120 + 6.5)
    assert len(pictures(outputs)) == 75
    assert not any(o.concealed for o in outputs)
    audio = [p for p in packets if p.kind == Kind.AUDIO]
    assert len(audio) == 25
    gone = [audio[n] for n in (4, *range(10, 20))]
    outputs = run(Decoder(generator=generator), [p for p in packets if p not in gone])
    pieces = [o for o in outputs if isinstance(o, SoundOutput)]
    there = [n for n in range(25) if n not in range(14, 20)]  # 400 ms are made up, then silence
    assert [o.pts for o in pieces] == [Fraction(3 * n, 25) for n in there]
    assert [n for n, o in zip(there, pieces, strict=True) if o.concealed] == [4, 10, 11, 12, 13]
    assert all(len(o.pcm) == 1920 for o in pieces)


@pytest.mark.parametrize("shift", [1, 3, 8])
def test_reordering_within_the_window_changes_nothing(
    shift: int, synthetic: Any, generator: Any
) -> None:
    packets = synthetic(frames=40).packets()
    rng = np.random.default_rng(shift)
    keys = np.arange(len(packets)) + rng.uniform(0, shift, len(packets))
    keys[0] = -1  # the first packet sets the start
    mixed = [packets[i] for i in np.argsort(keys)]
    decoder = Decoder(generator=generator)
    frames = pictures(run(decoder, mixed))
    assert [shown(o) for o in frames] == list(range(40))
    assert decoder.statistics.concealed == 0


def test_duplicates_are_dropped(synthetic: Any, generator: Any) -> None:
    packets = synthetic(frames=20).packets()
    decoder = Decoder(generator=generator)
    frames = pictures(run(decoder, [p for packet in packets for p in (packet, packet)]))
    assert [shown(o) for o in frames] == list(range(20))
    assert decoder.statistics.duplicates == len(packets)
    assert generator.sources == 1


def test_late_packet_is_counted_and_dropped(synthetic: Any, generator: Any) -> None:
    packets = synthetic(frames=40, sound=False).packets()
    late = next(p for p in packets if p.kind == Kind.MOTION and p.pts == 5)
    packets.remove(late)
    packets.insert(30, late)
    decoder = Decoder(generator=generator)
    frames = pictures(run(decoder, packets))
    assert [o.pts * 25 for o in frames] == list(range(40))
    assert decoder.statistics.late == 1
    assert decoder.statistics.concealed == 1


def test_joins_in_the_middle(synthetic: Any, generator: Any) -> None:
    packets = synthetic(frames=60, keyframe_every=20, first_pts=70_000).packets()
    second = [n for n, p in enumerate(packets) if p.kind == Kind.STREAM][1]
    decoder = Decoder(generator=generator)
    outputs = run(decoder, packets[second:])
    frames = pictures(outputs)
    assert [o.pts for o in frames] == [Fraction(70_020 + n, 25) for n in range(40)]
    first_sound = next(o for o in outputs if isinstance(o, SoundOutput))
    assert first_sound.pts in (Fraction(70_019, 25), Fraction(70_020, 25))
    assert decoder.statistics.concealed == 0


def test_packets_before_the_first_stream_are_harmless(synthetic: Any, generator: Any) -> None:
    packets = synthetic(frames=40, keyframe_every=20).packets()
    decoder = Decoder(generator=generator)
    frames = pictures(run(decoder, packets[8:]))
    assert [o.pts * 25 for o in frames] == list(range(20, 40))


def test_keyframe_before_its_stream_packet_is_kept(synthetic: Any, generator: Any) -> None:
    packets = synthetic(frames=10, sound=False).packets()
    first = next(n for n, p in enumerate(packets) if p.kind == Kind.MOTION)
    mixed = [*packets[1:first], packets[0], *packets[first:]]
    frames = pictures(run(Decoder(generator=generator), mixed))
    assert len(frames) == 10


def test_counters_wrap(synthetic: Any, generator: Any) -> None:
    packets = synthetic(frames=60, keyframe_every=20, first_pts=65_500).packets()
    turned = [replace(p, sequence=(p.sequence + 65_500) % 65_536) for p in packets]
    decoder = Decoder(generator=generator)
    frames = pictures(run(decoder, turned))
    assert [o.pts * 25 for o in frames] == list(range(65_500, 65_560))
    assert decoder.statistics.lost == 0


def test_reset_takes_another_stream(synthetic: Any, generator: Any) -> None:
    decoder = Decoder(generator=generator)
    for packet in synthetic(frames=20).packets():
        decoder.decode(packet)
    decoder.reset()
    assert decoder.header is None
    assert decoder.waiting == 0
    frames = pictures(run(decoder, synthetic(frames=10, fps=Fraction(30)).packets()))
    assert [o.pts for o in frames] == [Fraction(n, 30) for n in range(10)]


def test_new_stream_header_ends_the_old_stream(synthetic: Any, generator: Any) -> None:
    first = synthetic(frames=20).packets()
    second = synthetic(frames=10, fps=Fraction(30)).packets()
    frames = pictures(run(Decoder(generator=generator), first + second))
    assert len(frames) == 30
    assert frames[-1].pts == Fraction(9, 30)


def test_more_may_follow_a_flush(synthetic: Any, generator: Any) -> None:
    packets = synthetic(frames=30).packets()
    decoder = Decoder(generator=generator)
    frames = pictures(run(decoder, packets[:30]) + run(decoder, packets[30:]))
    assert [shown(o) for o in frames] == list(range(30))


def test_unknown_model_and_wrong_hash_are_refused(synthetic: Any) -> None:
    with pytest.raises(UnsupportedError, match="model 'dream-1'"):
        Decoder().decode(synthetic(model="dream-1").header().to_packet(0))
    with pytest.raises(WeightsError):
        Decoder().decode(synthetic(sha256=b"x" * 32).header().to_packet(0))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"audio": AudioParameters(channels=2)}, "mono Opus"),
        ({"profile": "entropy", "tables": 99}, "tables of version 99"),
        ({"profile": "entropy", "tables": -1}, "tables of version -1"),
    ],
)
def test_refused_stream_leaves_the_old_one(
    change: dict[str, Any], words: str, synthetic: Any, generator: Any
) -> None:
    packets = synthetic(frames=20, sound=False).packets()
    decoder = Decoder(generator=generator)
    frames = [o for p in packets[:12] for o in decoder.decode(p)]
    bad = replace(synthetic(sound=False).header(), **change)
    for _ in range(2):  # it comes again with every keyframe
        with pytest.raises(UnsupportedError, match=words):
            decoder.decode(bad.to_packet(12))
    frames += run(decoder, packets[12:])
    assert len(frames) == 20


def test_badge_is_off_in_the_library_and_on_when_asked(synthetic: Any, generator: Any) -> None:
    packets = synthetic(frames=2, sound=False).packets()
    plain = pictures(run(Decoder(generator=generator), packets))[0].frame
    marked = pictures(run(Decoder(DecoderConfig(badge=True), generator), packets))[0].frame
    assert plain is not None
    assert marked is not None
    changed = np.argwhere((plain != marked).any(2))
    assert len(changed)
    assert changed.min(0)[0] > 230
    assert changed.min(0)[1] > 220


@pytest.mark.parametrize(
    ("portrait", "performed", "marked"),
    [(None, False, False), ("", False, False), ("Ada, today", False, True), ("", True, True)],
)
def test_the_badge_stays_on_somebody_elses_portrait_and_where_nobody_was_filmed(
    portrait: str | None, performed: bool, marked: bool, synthetic: Any, generator: Any
) -> None:
    stream = synthetic(frames=2, sound=False)
    packets = stream.packets()
    shows = replace(stream.header(), portrait=portrait, performed=performed)
    changed = [
        shows.to_packet(packet.sequence) if packet.kind == Kind.STREAM else packet
        for packet in packets
    ]
    config = DecoderConfig(badge=False)
    plain, shown = (
        pictures(run(Decoder(config, generator), stream))[0].frame for stream in (packets, changed)
    )
    assert plain is not None
    assert shown is not None
    assert bool((plain != shown).any()) == marked


def test_settings_out_of_range() -> None:
    settings: list[dict[str, Any]]
    settings = [{"lookahead_ms": -1}, {"references": 0}, {"backend": "abacus"}, {"precision": "f4"}]
    for setting in settings:
        with pytest.raises(ConfigError, match=next(iter(setting))):
            DecoderConfig(**setting)


@pytest.mark.parametrize("seed", range(12))
def test_abuse(seed: int, synthetic: Any, generator: Any) -> None:
    """Loss, doubling, reordering and flipped bits at once: only typed errors, sane outputs."""
    rng = np.random.default_rng(seed)
    packets = synthetic(frames=80, keyframe_every=8, sound=bool(seed % 3)).packets()
    keys = np.arange(len(packets)) + rng.uniform(0, 1 + seed, len(packets))
    decoder = Decoder(generator=generator)
    outputs: list[Output] = []
    for index in np.argsort(keys):
        data = bytearray(bytes(packets[index]))
        if rng.random() < 0.1:
            continue
        if rng.random() < 0.1:
            for _ in range(int(rng.integers(1, 4))):
                data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
        if rng.random() < 0.05:
            data = data[: int(rng.integers(len(data)))]
        for _ in range(1 + (rng.random() < 0.1)):
            try:
                outputs += decoder.decode(Packet.parse(bytes(data)))
            except FacewireError:
                continue
        assert decoder.waiting < 100
    outputs += decoder.flush()
    frames = pictures(outputs)
    assert decoder.statistics.frames == len(frames) > 10
    assert all(o.frame.shape == (256, 256, 3) for o in frames)
    assert all(np.isfinite(o.pcm).all() for o in outputs if isinstance(o, SoundOutput))


def test_late_join_after_everything_was_damaged(synthetic: Any, generator: Any) -> None:
    rng = np.random.default_rng(5)
    packets = synthetic(frames=60, keyframe_every=20, sound=False).packets()
    third = [n for n, p in enumerate(packets) if p.kind == Kind.STREAM][2]
    decoder = Decoder(generator=generator)
    frames: list[Output] = []
    for packet in packets[:third]:
        noise = rng.bytes(len(packet.payload))
        try:
            frames += decoder.decode(replace(packet, payload=noise))
        except FacewireError:
            continue
    frames += run(decoder, packets[third:])
    good = [o for o in frames if not o.concealed]
    assert [o.pts * 25 for o in good] == list(range(40, 60))


def test_reports_to_the_sender_do_not_disturb_the_order(synthetic: Any, generator: Any) -> None:
    """CONTROL packets have numbers of their own: they are no packets of the stream."""
    packets = synthetic(frames=30).packets()
    report = Control(wants=Wants.KEYFRAME)
    mixed = [each for n, p in enumerate(packets) for each in (report.to_packet(40_000 + n), p)]
    plain, disturbed = Decoder(generator=generator), Decoder(generator=generator)
    assert len(run(plain, packets)) == len(run(disturbed, mixed))
    assert plain.statistics == disturbed.statistics
