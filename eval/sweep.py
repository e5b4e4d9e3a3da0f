"""The sweep: clips x codecs x targets, cached, in parallel, resumable.

First every clip is prepared and its truth measured; then each pair of clip and codec is one task:
find the streams that match the targets, decode them, measure them. A task's results are kept as
soon as they are there, so that an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import functools
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..codec.errors import ConfigError, FacewireError
from ..codec.sound.opus import OpusEncoder
from ..codec.whole_file import whole_file, whole_path
from ..sender.config import EncoderConfig
from .cache import StreamStore, digest
from .clips import Clip, find_videos, prepare_clip
from .codecs.base import Codec, Encoded
from .codecs.facewire import AUDIO_KBPS
from .codecs.registry import make_codecs
from .codecs.search import Match, match_bits
from .measure import Figures, Suite, Truth, measure, measure_truth

__all__ = ["ClipRow", "SweepConfig", "SweepOutcome", "frame_of", "run_sweep", "truth_of"]

Frame = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class SweepConfig:
    """What is compared, and how.

    Attributes:
        data: folder of videos, or one video.
        targets: bits a pixel of the picture, everything but the sound.
        codecs: names, see `codecs.registry`.
        cache: folder of everything that can be reused; with Ray, one that all machines see.
        codec_files: TOML files with external codecs.
        weights: a trained network for facewire in place of the shipped.
        seconds: of each video, at most; None: all of it.
        size: side of the crops.
        every: pictures are compared on each n-th frame.
        vgg_every: those of the costly networks on each n-th.
        threads: CPU threads of a task.
        fresh: forget the streams and figures of earlier runs.
    """

    data: Path
    targets: tuple[float, ...]
    codecs: tuple[str, ...]
    cache: Path
    codec_files: tuple[Path, ...] = ()
    weights: Path | None = None
    seconds: float | None = None
    size: int = 256
    every: int = 5
    vgg_every: int = 25
    threads: int = 1
    fresh: bool = False

    def __post_init__(self) -> None:
        if not self.targets:
            raise ConfigError("give at least one --bpp")
        for target in self.targets:
            if not (math.isfinite(target) and 1e-5 <= target <= 24):
                raise ConfigError(f"{target:g} bits a pixel is not a rate from 0.00001 to 24")
        if self.every < 1 or self.vgg_every < 1:
            raise ConfigError("pictures are compared on each 1st, 2nd, … frame")
        if self.seconds is not None and not self.seconds > 0:
            raise ConfigError("a clip takes more than 0 seconds")


@dataclass(frozen=True)
class ClipRow:
    """One clip by one codec at one target.

    Attributes:
        codec: its name.
        target_bpp: what was wanted of the picture.
        clip: name of the video.
        frames: of the clip.
        pixels: of a frame.
        seconds: of the clip.
        reached: the bits are within 1 % of the target.
        note: why not.
        encoded: the stream.
        audio_bits: of the sound that goes with it.
        decode_seconds: on one thread.
        figures: what was measured, without the features: those of all clips would fill memory.
        measured: the file that has the features too, `measure.Figures.load`.
    """

    codec: str
    target_bpp: float
    clip: str
    frames: int
    pixels: int
    seconds: float
    reached: bool
    note: str
    encoded: Encoded
    audio_bits: int
    decode_seconds: float
    figures: Figures
    measured: Path

    def bits(self) -> dict[str, int]:
        """By part, with `video` (all but the sound) and `total`."""
        parts = dict.fromkeys(("keyframe", "motion", "inter", "residual", "container"), 0)
        parts |= self.encoded.bits
        video = sum(parts.values())
        return {**parts, "audio": self.audio_bits, "video": video, "total": video + self.audio_bits}


@dataclass
class SweepOutcome:
    """All that a run gave.

    Attributes:
        clips: prepared clips by name.
        rows: what was measured.
        skipped: clip, or `clip · codec`, and why.
        left_out: metric and why.
        interrupted: Ctrl-C came.
    """

    clips: dict[str, Clip] = field(default_factory=dict)
    rows: list[ClipRow] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False


@dataclass(frozen=True)
class Prepared:
    """A clip that is ready, with what its metrics lack."""

    clip: Clip
    left_out: dict[str, str]


Progress = Callable[[str, int, int], None]
"""Called with what is going on, tasks done, and tasks in all."""
Runner = Callable[[Callable[..., object], list[tuple[object, ...]]], Iterator[tuple[int, object]]]
"""Runs a function on many arguments; yields index and result, or the error, in any order."""


def run_sweep(config: SweepConfig, runner: Runner, progress: Progress) -> SweepOutcome:
    """Do it all; what fails is named in the outcome, and the rest goes on.

    Args:
        config: what is compared.
        runner: see `runners`.
        progress: see `Progress`.

    Raises:
        ConfigError: nothing that could be compared.
    """
    videos = find_videos(config.data)
    names = [codec.name for codec in _codecs(config)]
    outcome = SweepOutcome()
    try:
        jobs: list[tuple[object, ...]] = [(config, video) for video in videos]
        progress("prepare", 0, len(jobs))
        for done, (index, result) in enumerate(runner(prepare, jobs)):
            name = videos[index].name
            if isinstance(result, Prepared):
                outcome.clips[name] = result.clip
                outcome.left_out |= result.left_out
            else:
                outcome.skipped[name] = _sentence(result)
            progress("prepare", done + 1, len(jobs))
        pairs = [(clip, name) for clip in outcome.clips.values() for name in names]
        jobs = [(config, clip, name) for clip, name in pairs]
        progress("compare", 0, len(jobs))
        for done, (index, result) in enumerate(runner(compare, jobs)):
            clip, name = pairs[index]
            if isinstance(result, list):
                outcome.rows += result
            else:
                outcome.skipped[f"{clip.name} · {name}"] = _sentence(result)
            progress("compare", done + 1, len(jobs))
    except KeyboardInterrupt:
        outcome.interrupted = True
    order = {name: i for i, name in enumerate(names)}
    outcome.rows.sort(key=lambda row: (order[row.codec], row.target_bpp, row.clip))
    outcome.clips = dict(sorted(outcome.clips.items()))
    return outcome


def _sentence(error: object) -> str:
    if isinstance(error, FacewireError):
        return str(error)
    return f"unexpected {type(error).__name__}: {error}"


def _codecs(config: SweepConfig) -> list[Codec]:
    return make_codecs(config.codecs, tables=config.codec_files, weights=config.weights)


@functools.cache
def _suite(every: int, vgg_every: int, threads: int) -> Suite:
    """Networks are loaded once a process."""
    return Suite(every=every, vgg_every=vgg_every, threads=threads)


def _suite_of(config: SweepConfig) -> Suite:
    return _suite(config.every, config.vgg_every, config.threads)


def prepare(config: SweepConfig, video: Path) -> Prepared:
    """Task of the first round: crop a video, measure its truth, code its sound."""
    clips = config.cache / "clips"
    clip = prepare_clip(video, clips, size=config.size, seconds=config.seconds)
    suite = _suite_of(config)
    _truth(clip, suite)
    _audio_bits(clip)
    return Prepared(clip, dict(suite.missing))


def _truth(clip: Clip, suite: Suite) -> Truth:
    path = clip.folder / f"truth-{digest([suite.identity])}.npz"
    if path.is_file():
        return Truth.load(path)
    truth = measure_truth(clip, suite)
    with whole_path(path, overwrite=True) as draft:
        truth.save(draft)
    return truth


def _audio_bits(clip: Clip) -> int:
    """Bits of the sound's Opus packets; the same for every codec."""
    packet_ms = EncoderConfig(audio_kbps=AUDIO_KBPS).sound_together(live=False)
    path = clip.folder / f"audio-{packet_ms}.json"
    if path.is_file():
        return int(json.loads(path.read_text())["bits"])
    sound, bits = clip.pcm(), 0
    if len(sound):
        opus = OpusEncoder(round(AUDIO_KBPS * 1000), packet_ms)
        packets = [*opus.encode(sound), *opus.flush()]
        bits = 8 * sum(map(len, packets))
    with whole_file(path, overwrite=True) as file:
        file.write(json.dumps({"bits": bits, "kbps": AUDIO_KBPS}).encode())
    return bits


def compare(config: SweepConfig, clip: Clip, name: str) -> list[ClipRow]:
    """Task of the second round: one clip by one codec at all targets."""
    codec = next(codec for codec in _codecs(config) if codec.name == name)
    store = StreamStore(config.cache, clip, codec)
    if config.fresh:
        store.clear()
    suite = _suite_of(config)
    rows = []
    with tempfile.TemporaryDirectory(prefix="codec-eval-") as folder:
        scratch = Path(folder)
        for target in sorted(config.targets):
            bits = target * clip.frames * clip.width * clip.height
            match = store.match(bits, functools.partial(_search, store, bits, scratch))
            measured, decoding = _measured(config, clip, codec, match.encoded, suite, scratch)
            figures = Figures.load(measured)
            rows.append(
                ClipRow(
                    codec.name,
                    target,
                    clip.name,
                    clip.frames,
                    clip.width * clip.height,
                    clip.seconds,
                    match.reached,
                    match.note,
                    match.encoded,
                    _audio_bits(clip),
                    decoding,
                    replace(figures, features=figures.features[:0]),
                    measured,
                )
            )
    return rows


def _search(store: StreamStore, bits: float, scratch: Path) -> Match:
    encode = functools.partial(store.encode, scratch=scratch)
    return match_bits(encode, store.codec.knob, bits, store.clip.seconds, store.known())


def _measured(
    config: SweepConfig, clip: Clip, codec: Codec, encoded: Encoded, suite: Suite, scratch: Path
) -> tuple[Path, float]:
    """File with a stream's figures, made where it is not there, and the seconds of decoding."""
    stream = encoded.path.read_bytes()
    name = digest([clip.key, codec.identity(), encoded.setting, stream.hex(), suite.identity])
    folder = config.cache / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    path, note = folder / f"{name}.npz", folder / f"{name}.json"
    if path.is_file() and note.is_file() and not config.fresh:
        return path, float(json.loads(note.read_text())["decode_seconds"])
    clock = _Clock(codec.decode(clip, encoded, scratch))
    figures = measure(clip, _truth(clip, suite), clock, suite)
    with whole_path(path, overwrite=True) as draft:
        figures.save(draft)
    with whole_file(note, overwrite=True) as file:
        file.write(json.dumps({"decode_seconds": clock.seconds}).encode())
    return path, clock.seconds


class _Clock:
    """An iterator that knows how long its items took."""

    def __init__(self, items: Iterator[Frame]) -> None:
        self._items, self.seconds = items, 0.0

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        began = time.perf_counter()
        try:
            return next(self._items)
        finally:
            self.seconds += time.perf_counter() - began


def frame_of(
    config: SweepConfig, clip: Clip, codec_name: str, encoded: Encoded, index: int
) -> Frame:
    """One decoded frame, uint8 RGB `[H, W, 3]`, for a picture in the report."""
    codec = next(codec for codec in _codecs(config) if codec.name == codec_name)
    with tempfile.TemporaryDirectory(prefix="codec-eval-") as folder:
        frames = codec.decode(clip, encoded, Path(folder))
        return next(frame for number, frame in enumerate(frames) if number == index)


def truth_of(config: SweepConfig, clip: Clip) -> Truth:
    """What `prepare` measured of a clip."""
    return _truth(clip, _suite_of(config))
