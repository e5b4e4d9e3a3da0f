from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewire.codec.errors import ConfigError, MediaError, StreamError, TruncatedError
from facewire.codec.sound.opus import FRAME_MS, MAX_OPUS, OpusDecoder, OpusEncoder, packet_samples

Array = npt.NDArray[np.float32]


def through(pcm: Array, bitrate: int = 16000, frame_ms: int = 40) -> Array:
    encoder, decoder = OpusEncoder(bitrate, frame_ms), OpusDecoder()
    packets = encoder.encode(pcm) + encoder.flush()
    return np.concatenate([decoder.decode(packet) for packet in packets])


def lag(late: Array, early: Array) -> int:
    """By how many samples `late` lags behind, from the peak of the cross-correlation."""
    return int(np.argmax(np.correlate(late, early, "full"))) - len(early) + 1


@pytest.fixture(scope="module")
def speech() -> Array:
    """Two seconds: a voice-like buzz with a gliding pitch, in syllables."""
    time = np.arange(2 * 16000) / 16000
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 1.3 * time)) / 16000
    buzz = np.sum([np.sin(n * phase) / n for n in range(1, 25)], axis=0)
    return np.asarray(0.15 * buzz * (0.5 + 0.5 * np.sin(8 * np.pi * time)), np.float32)


@pytest.mark.parametrize("frame_ms", [10, 20, 40, 60])
@pytest.mark.parametrize("bitrate", [8000, 16000, 64000])
def test_decoded_sound_is_aligned(bitrate: int, frame_ms: int) -> None:
    time = np.arange(16000) / 16000
    chirp = 0.5 * np.sin(2 * np.pi * (200 + 1000 * time) * time) * (time > 0.3)
    decoded = through(chirp.astype(np.float32), bitrate, frame_ms)
    assert abs(lag(decoded, chirp.astype(np.float32))) <= OpusDecoder.delay + 2


@pytest.mark.parametrize("frame_ms", FRAME_MS)
def test_packets_of_any_length_line_up_and_fit(speech: Array, frame_ms: int) -> None:
    packets = (encoder := OpusEncoder(10000, frame_ms)).encode(speech) + encoder.flush()
    assert {packet_samples(packet) for packet in packets} == {16 * frame_ms}
    assert len(packets) == -(-2000 // frame_ms)
    decoder = OpusDecoder()
    decoded = np.concatenate([decoder.decode(packet) for packet in packets])
    assert abs(lag(decoded, speech)) <= OpusDecoder.delay + 2
    assert len(decoder.decode(None)) == 16 * frame_ms


def test_a_click_stays_where_it_was() -> None:
    sound = np.zeros(16000, np.float32)
    for at in (3000, 8017, 12345):
        sound[at] = 0.9
    decoded = through(sound, 64000)
    for at in (3000, 8017, 12345):
        peak = at - 100 + int(np.argmax(np.abs(decoded[at - 100 : at + 100])))
        assert abs(peak - at - OpusDecoder.delay) <= 2


def spectrum(sound: Array) -> npt.NDArray[np.float64]:
    windows = np.lib.stride_tricks.sliding_window_view(sound, 400)[::160]
    return np.abs(np.fft.rfft(windows * np.hanning(400)))


def test_quality(speech: Array) -> None:
    """Compares spectra, since Opus cuts the lowest frequencies, which shifts phases."""
    delay = OpusDecoder.delay
    decoded = spectrum(through(speech, 16000)[delay : delay + 31000])
    original = spectrum(speech[:31000])
    assert np.mean((decoded - original) ** 2) < 0.02 * np.mean(original**2)
    shifted = spectrum(speech[800:31800])  # the bound is one that sound out of sync misses
    assert np.mean((decoded - shifted) ** 2) > 0.05 * np.mean(original**2)


@pytest.mark.parametrize("samples", [0, 1, 103, 104, 105, 639, 640, 641, 744, 745, 6400, 6401])
def test_flush_gives_the_tail(samples: int) -> None:
    encoder = OpusEncoder(10000)
    packets = encoder.encode(np.full(samples, 0.1, np.float32)) + encoder.flush()
    assert len(packets) == -(-samples // 640)
    assert sum(packet_samples(packet) for packet in packets) == 640 * len(packets)


def test_the_very_last_sound_is_there() -> None:
    sound = np.zeros(6400, np.float32)
    sound[-400:] = 0.5 * np.sin(0.4 * np.arange(400))
    tail = through(sound, 32000)[-400:]
    assert float(np.abs(tail[100:-20]).mean()) > 0.1


@settings(max_examples=20)
@given(st.lists(st.integers(0, 2000), max_size=12))
def test_any_pieces_give_the_same_packets(lengths: list[int]) -> None:
    sound = np.random.default_rng(3).uniform(-0.5, 0.5, sum(lengths)).astype(np.float32)
    encoder = OpusEncoder(12000)
    at, packets = 0, []
    for length in lengths:
        packets += encoder.encode(sound[at : at + length])
        at += length
    packets += encoder.flush()
    assert packets == encoder.encode(sound) + encoder.flush()  # flushed: as new


@pytest.mark.parametrize(("bitrate", "most"), [(6000, 300), (10000, 480), (16000, 800)])
def test_rate(speech: Array, bitrate: int, most: int) -> None:
    encoder = OpusEncoder(bitrate)
    packets = encoder.encode(speech)
    assert 8 * sum(map(len, packets)) / len(packets) < most


def test_lost_packets_are_concealed_and_fade_out(speech: Array) -> None:
    packets = OpusEncoder(16000).encode(speech)
    decoder = OpusDecoder()
    for packet in packets[:9]:
        decoder.decode(packet)
    made = [decoder.decode(None) for _ in range(6)]
    assert [len(piece) for piece in made] == [640] * 6
    energy = [float(np.mean(piece**2)) for piece in made]
    assert energy[0] > 1e-4  # goes on
    assert energy[-1] < 1e-6  # and fades out
    assert len(decoder.decode(packets[15])) == 640


def test_a_loss_does_not_shift_later_sound(speech: Array) -> None:
    packets = OpusEncoder(16000).encode(speech)
    decoder, damaged = OpusDecoder(), OpusDecoder()
    whole = np.concatenate([decoder.decode(packet) for packet in packets])
    holes = np.concatenate(
        [damaged.decode(None if n in (7, 8, 20) else packet) for n, packet in enumerate(packets)]
    )
    assert len(holes) == len(whole)
    assert np.abs(holes[-6400:] - whole[-6400:]).mean() < 0.02
    assert lag(holes[16000:], whole[16000:]) == 0


def test_a_loss_before_anything_came() -> None:
    assert len(OpusDecoder().decode(None)) == 0


def test_reset(speech: Array) -> None:
    packets = OpusEncoder(16000).encode(speech)
    decoder = OpusDecoder()
    first = [decoder.decode(packet) for packet in packets]
    decoder.reset()
    again = [decoder.decode(packet) for packet in packets]
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))


def test_silence_stays_silent_and_loud_is_clipped() -> None:
    assert np.abs(through(np.zeros(6400, np.float32))).max() < 1e-3
    loud = through(np.full(6400, 50, np.float32))
    assert np.isfinite(loud).all()
    assert np.abs(loud).max() <= 1.5


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite(bad: float) -> None:
    sound = np.zeros(100, np.float32)
    sound[50] = bad
    with pytest.raises(MediaError, match="finite"):
        OpusEncoder(10000).encode(sound)


def test_stereo_is_refused() -> None:
    with pytest.raises(MediaError, match="mono"):
        OpusEncoder(10000).encode(np.zeros((2, 100), np.float32))


@pytest.mark.parametrize(
    ("bitrate", "frame_ms", "rate"),
    [(499, 40, 16000), (600000, 40, 16000), (10000, 41, 16000), (10000, 40, 44100)],
)
def test_settings(bitrate: int, frame_ms: int, rate: int) -> None:
    with pytest.raises(ConfigError):
        OpusEncoder(bitrate, frame_ms, rate)


def test_data_that_is_not_an_opus_packet() -> None:
    decoder = OpusDecoder()
    with pytest.raises(TruncatedError, match="empty"):
        decoder.decode(b"")
    with pytest.raises(TruncatedError, match="count"):
        decoder.decode(b"\x03")
    with pytest.raises(StreamError):
        decoder.decode(b"\x53\x00")
    with pytest.raises(StreamError):
        decoder.decode(bytes([80]) + bytes(MAX_OPUS + 300))


@settings(max_examples=150)
@given(st.binary(max_size=100))
def test_any_bytes_are_sound_or_a_stream_error(data: bytes) -> None:
    decoder = OpusDecoder()
    try:
        sound = decoder.decode(data)
    except StreamError:
        return
    assert len(sound) <= 1920
    assert np.isfinite(sound).all()


def test_cut_at_every_byte_and_still_usable(speech: Array) -> None:
    packets = OpusEncoder(16000).encode(speech)
    decoder = OpusDecoder()
    for length in range(len(packets[5])):
        try:
            decoder.decode(packets[5][:length])
        except StreamError:
            continue
    assert len(decoder.decode(packets[6])) == 640
