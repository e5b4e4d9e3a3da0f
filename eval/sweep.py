"""The sweep: clips x codecs x targets, cached, in parallel, resumable.

First every clip is prepared and its truth measured; then each pair of clip and codec is one task:
find the streams that match the targets, decode them, measure them. A task's results are kept as
soon as they are there, so that an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import functools
import itertools
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..codec.errors import ConfigError, FacewireError
from ..codec.sound.opus import OpusEncoder
from ..codec.whole_file import whole_path
from ..sender.config import EncoderConfig
from .cache import StreamStore
from .clips import Clip, Frame, find_videos, prepare_clip
from .codecs.base import Codec, Encoded, Shown
from .codecs.facewire import AUDIO_KBPS
from .codecs.portrait import Cast
from .codecs.registry import make_codecs
from .codecs.search import match_bits
from .files import cpu_seconds, digest
from .measure import Figures, PersonShown, measure
from .suite import Suite
from .truth import Truth, measure_truth

__all__ = [
    "ClipRow",
    "SweepConfig",
    "SweepOutcome",
    "codecs_of",
    "frame_of",
    "run_sweep",
    "truth_of",
]


@dataclass(frozen=True)
class SweepConfig:
    """What is compared, and how.

    Attributes:
        data: folder of videos, or one video.
        targets: bits a pixel of the picture, which is everything but the sound.
        codecs: names, see `codecs.registry`.
        cache: folder of everything that can be used again; with Ray, one that all machines see.
        codec_files: TOML files with external codecs.
        weights: a trained network for facewire in place of the shipped one.
        seconds: of each video, at most; None: all of it.
        size: side of the crops in pixels.
        every: pictures are compared on each n-th frame.
        vgg_every: those of the costly networks on each n-th frame.
        threads: CPU threads of a task.
        fresh: forget the streams and figures of earlier runs.
        jobs: number of tasks that run at once, for the record.
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
    jobs: int = 1

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
        target_bpp: bits a pixel that the picture was allowed.
        clip: the clip.
        reached: whether the bits are within 1 % of the target.
        note: why not.
        encoded: the stream.
        audio_bits: bits of the sound that goes with it.
        figures: what was measured, without the features: those of all clips would fill memory.
        measured: the file that has the features too, for `Figures.load`.
        person: footage of the person that is shown; the clip itself, but for a portrait.
    """

    codec: str
    target_bpp: float
    clip: Clip
    reached: bool
    note: str
    encoded: Encoded
    audio_bits: int
    figures: Figures
    measured: Path
    person: Clip

    @property
    def pixels(self) -> int:
        """Pixels of all frames."""
        return self.clip.frames * self.clip.width * self.clip.height

    def bits(self) -> dict[str, int]:
        """Bits by part, with `video` (all but the sound) and `total`."""
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
        skipped: clip, or `clip · codec`, and why it was skipped.
        left_out: metric, and why it was left out.
        interrupted: whether Ctrl-C came.
        load: how many processes wanted a core at the start, over 1, 5 and 15 minutes; empty where
            the system does not tell.
    """

    clips: dict[str, Clip] = field(default_factory=dict)
    rows: list[ClipRow] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False
    load: tuple[float, ...] = ()


Progress = Callable[[str, int, int], None]
"""Called with the name of the stage, tasks done, and tasks in all."""
Runner = Callable[[Callable[..., object], list[tuple[object, ...]]], Iterator[tuple[int, object]]]
"""Runs a function on many arguments; yields index and result, or the error, in any order."""


def run_sweep(config: SweepConfig, runner: Runner, progress: Progress) -> SweepOutcome:
    """Do it all; what fails is named in the outcome, and the rest goes on.

    Args:
        config: what is compared.
        runner: see `runners`.
        progress: see `Progress`.

    Raises:
        ConfigError: there is nothing that could be compared.
    """
    videos = find_videos(config.data)
    names = [codec.name for codec in codecs_of(config)]
    outcome = SweepOutcome(load=os.getloadavg() if hasattr(os, "getloadavg") else ())
    try:
        jobs: list[tuple[object, ...]] = [(config, video) for video in videos]
        for index, result in _watched(runner, prepare, jobs, progress):
            if isinstance(result, tuple):
                outcome.clips[videos[index].name], left_out = result
                outcome.left_out |= left_out
            else:
                outcome.skipped[videos[index].name] = _sentence(result)
        pairs = list(itertools.product(outcome.clips.values(), names))
        jobs = [(config, clip, name) for clip, name in pairs]
        for index, result in _watched(runner, compare, jobs, progress):
            clip, name = pairs[index]
            if isinstance(result, list):
                outcome.rows += result
            else:
                outcome.skipped[f"{clip.name} · {name}"] = _sentence(result)
    except KeyboardInterrupt:
        outcome.interrupted = True
    outcome.rows.sort(key=lambda row: (names.index(row.codec), row.target_bpp, row.clip.name))
    outcome.clips = dict(sorted(outcome.clips.items()))
    return outcome


def _watched(
    runner: Runner,
    task: Callable[..., object],
    jobs: list[tuple[object, ...]],
    progress: Progress,
) -> Iterator[tuple[int, object]]:
    progress(task.__name__, 0, len(jobs))
    for done, found in enumerate(runner(task, jobs)):
        yield found
        progress(task.__name__, done + 1, len(jobs))


def _sentence(error: object) -> str:
    if isinstance(error, FacewireError):
        return str(error)
    return f"unexpected {type(error).__name__}: {error}"


def codecs_of(config: SweepConfig) -> list[Codec]:
    """The codecs of a run."""
    return make_codecs(
        config.codecs,
        tables=config.codec_files,
        weights=config.weights,
        cast=Cast(config.data, config.seconds),
    )


@functools.cache
def _suite(every: int, vgg_every: int, threads: int) -> Suite:
    """Networks are loaded once a process."""
    return Suite(every=every, vgg_every=vgg_every, threads=threads)


def _suite_of(config: SweepConfig) -> Suite:
    return _suite(config.every, config.vgg_every, config.threads)


def prepare(config: SweepConfig, video: Path) -> tuple[Clip, dict[str, str]]:
    """Task of the first round: crop a video, measure its truth, code its sound.

    Returns:
        The clip, and which metrics are left out and why.
    """
    clip = prepare_clip(video, config.cache / "clips", size=config.size, seconds=config.seconds)
    truth_of(config, clip)
    _audio_bits(clip)
    return clip, dict(_suite_of(config).missing)


def truth_of(config: SweepConfig, clip: Clip) -> Truth:
    """What is true of a clip; measured where it is not known yet."""
    suite = _suite_of(config)
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
        bits = 8 * sum(map(len, [*opus.encode(sound), *opus.flush()]))
    with whole_path(path, overwrite=True) as draft:
        draft.write_text(json.dumps({"bits": bits, "kbps": AUDIO_KBPS}))
    return bits


def compare(config: SweepConfig, clip: Clip, name: str) -> list[ClipRow]:
    """Task of the second round: one clip by one codec at all targets."""
    codec = next(codec for codec in codecs_of(config) if codec.name == name)
    store = StreamStore(config.cache, clip, codec)
    if config.fresh:
        store.clear()
    rows = []
    shown = codec.person(clip)
    with tempfile.TemporaryDirectory(prefix="codec-eval-") as folder:
        scratch = Path(folder)
        encode = functools.partial(store.encode, scratch=scratch)
        for target in sorted(config.targets):
            bits = target * clip.frames * clip.width * clip.height
            search = functools.partial(match_bits, encode, codec.knob, bits, clip.seconds)
            match = store.match(bits, lambda search=search: search(store.known()))  # type: ignore[misc]
            measured = _measured(config, clip, codec, match.encoded, scratch, shown)
            figures = Figures.load(measured)
            rows.append(
                ClipRow(
                    *(codec.name, target, clip, match.reached, match.note, match.encoded),
                    audio_bits=_audio_bits(clip),
                    figures=replace(figures, features=figures.features[:0]),
                    measured=measured,
                    person=clip if shown is None else shown.clip,
                )
            )
    return rows


def _measured(
    config: SweepConfig,
    clip: Clip,
    codec: Codec,
    encoded: Encoded,
    scratch: Path,
    shown: Shown | None,
) -> Path:
    """File with a stream's figures, made where it is not there."""
    suite, stream = _suite_of(config), encoded.path.read_bytes()
    name = digest([clip.key, codec.identity(), encoded.setting, stream.hex(), suite.identity])
    path = config.cache / "figures" / f"{name}.npz"
    if path.is_file() and not config.fresh:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    clock = _Clock(codec.decode(clip, encoded, scratch))
    portrait = None if shown is None else _portrait(config, shown)
    figures = measure(clip, truth_of(config, clip), clock, suite, portrait)
    with whole_path(path, overwrite=True) as draft:
        replace(figures, decode_seconds=clock.seconds).save(draft)
    return path


def _portrait(config: SweepConfig, shown: Shown) -> PersonShown:
    """The face in a portrait."""
    face = truth_of(config, shown.clip).faces[shown.frame]
    return PersonShown(np.array(shown.clip.rgb()[shown.frame]), face)


class _Clock:
    """An iterator that knows how much CPU time its items took."""

    def __init__(self, items: Iterator[Frame]) -> None:
        self._items, self.seconds = items, 0.0

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        began = cpu_seconds()
        try:
            return next(self._items)
        finally:
            self.seconds += cpu_seconds() - began


def frame_of(
    config: SweepConfig, clip: Clip, codec_name: str, encoded: Encoded, index: int
) -> Frame:
    """One decoded frame, uint8 RGB `[H, W, 3]`, for a picture in the report."""
    codec = next(codec for codec in codecs_of(config) if codec.name == codec_name)
    with tempfile.TemporaryDirectory(prefix="codec-eval-") as folder:
        frames = codec.decode(clip, encoded, Path(folder))
        return next(itertools.islice(frames, index, None))
