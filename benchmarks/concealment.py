"""How well the mouth goes on where motion is lost and the sound is there, without rendering.

    python -m benchmarks.concealment --data VIDEOS [--tracked CACHE] [--people people.csv]
                                     [--heard MS …] [--learned S]

VIDEOS shows one talking person each; --people names those that show the same person, which then
follow one another as the shots of one talk. Landmarks that `facewire train` prepared of them are
taken from --tracked. The sound goes through Opus at 10 kbit/s, and is heard as far after each frame
as --heard says: 100 ms in files and where a call makes up a frame itself, 0 ms where a call cannot
decode the motion that comes. The keyframe is the first frame of each video.

Motion is removed for 0.3 to 3 s at several places. There the mouth moves as `Speech` says, which
the receiver uses. With learning it learns from all the frames that came, as in the receiver. With
--learned, only what comes after so many seconds of a person is measured. Means over the people:

- `r`: correlation of the mouth's opening with the truth within the gaps. A mouth that is held
  has 0.
- `error`: mean distance of the 40 points of the mouth, in distances of the outer eye corners.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.mouth import Clip, read_clip
from facewire.models.face.head import HeadCoordinates, mouth_opening
from facewire.models.mel import SAMPLE_RATE
from facewire.models.training.prepare import find_clips, people_of
from facewire.receiver.talking.mouth import MouthPredictor
from facewire.receiver.talking.speech import LastSeen, Speech

Array = np.ndarray
LENGTHS_S = (0.3, 0.6, 1.0, 2.0, 3.0)
PHASES = 3
FIRST_S, BETWEEN_S = 0.3, 1.0  # motion that comes before the first gap and between two, at least


@dataclass
class Talk:
    """The clips of one person, one after the other, and when each of them begins."""

    clips: list[Clip]

    def __post_init__(self) -> None:
        lengths = [len(clip.pcm) for clip in self.clips]
        self.starts = np.cumsum([0, *lengths])[:-1] / SAMPLE_RATE
        self.pcm = np.concatenate([clip.pcm for clip in self.clips])


class Heard:
    """The sound of a talk up to a sample; see `SoundTrack.since`."""

    def __init__(self, pcm: Array) -> None:
        self.pcm, self.heard = pcm, 0

    def since(self, sample: int) -> tuple[Array, int]:
        return self.pcm[sample : max(self.heard, sample)], sample


@dataclass(frozen=True)
class Gap:
    """A gap's true mouths and those made up, `[n, 40, 2]`, and the mouth before it, `[40, 2]`."""

    true: Array
    made: Array
    held: Array


def gaps(talk: Talk, length_s: float, phase: int, heard_ms: int, *, learn: bool) -> Iterator[Gap]:
    """Go through a talk, and fill its gaps; `phase` shifts them."""
    sound = Heard(talk.pcm)
    speech = Speech(MouthPredictor(), sound)
    for clip, start in zip(talk.clips, talk.starts, strict=True):
        key = clip.points[0]
        mouths = HeadCoordinates(key).mouth(clip.points)
        lost = _lost(clip, length_s, phase)
        made: list[Array] = []
        last = LastSeen(clip.points[0], start)
        for n, at in enumerate(clip.seconds):
            seconds = start + at
            sound.heard = round((seconds + heard_ms / 1000) * SAMPLE_RATE)
            if lost[n]:
                made.append(speech.mouth_after(key, last, seconds))
                if n + 1 == len(lost) or not lost[n + 1]:
                    first = n + 1 - len(made)
                    yield Gap(mouths[first : n + 1], np.stack(made), mouths[first - 1])
                    made = []
                continue
            last = LastSeen(clip.points[n], seconds)
            if learn and speech.learns(seconds):
                speech.saw(key, clip.points[n], seconds)


def _lost(clip: Clip, length_s: float, phase: int) -> Array:
    """Which frames are lost; only whole gaps."""
    lost = np.zeros(len(clip.seconds), bool)
    period = length_s + BETWEEN_S
    begin = FIRST_S + period * phase / PHASES
    if clip.seconds[-1] < begin + length_s:  # a short clip has one gap
        begin = FIRST_S + max(clip.seconds[-1] - FIRST_S - length_s, 0) * phase / PHASES
    while begin + length_s <= clip.seconds[-1] + 0.04:
        lost |= (clip.seconds >= begin) & (clip.seconds < begin + length_s - 1e-6)
        begin += period
    return lost


def figures(found: Sequence[Gap]) -> tuple[float, float, float]:
    """Correlation of the opening within gaps, and the errors: made up, and held."""
    both = made_up = true_up = 0.0
    for gap in found:
        made, true = (x - x.mean() for x in map(mouth_opening, (gap.made, gap.true)))
        both, made_up, true_up = both + made @ true, made_up + made @ made, true_up + true @ true
    errors = [
        np.concatenate([np.linalg.norm(m - g.true, axis=-1).mean(-1) for m, g in pairs]).mean()
        for pairs in ([(g.made, g) for g in found], [(g.held, g) for g in found])
    ]
    return float(both / max(np.sqrt(made_up * true_up), 1e-12)), float(errors[0]), float(errors[1])


def read_talks(folder: Path, tracked: Path | None, people: Path | None) -> list[Talk]:
    """The talks of all people."""
    paths = find_clips(folder)
    by_person: dict[str, list[Clip]] = defaultdict(list)
    for path, person in people_of(paths, folder, people).items():
        clip = read_clip(path, tracked, 24)
        if clip is not None:
            by_person[person].append(clip)
    return [Talk(clips) for clips in by_person.values()]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, metavar="VIDEOS")
    parser.add_argument("--tracked", type=Path, metavar="CACHE")
    parser.add_argument("--people", type=Path, metavar="CSV")
    parser.add_argument("--heard", type=int, nargs="*", default=[100, 0], metavar="MS")
    parser.add_argument("--learned", type=float, default=0.0, metavar="S")
    args = parser.parse_args()
    talks = read_talks(args.data, args.tracked, args.people)
    print(f"{len(talks)} people, {sum(len(c.points) for t in talks for c in t.clips)} frames")
    print(
        "| heard, ms | gap, s | gaps | r | r, learned | error, held | moved on | learned |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    for ms in args.heard:
        for length in LENGTHS_S:
            rows, count = [], 0
            for talk in talks:
                found: dict[bool, list[Gap]] = {False: [], True: []}
                for learn in (False, True):
                    for phase in range(PHASES):
                        found[learn] += _after(talk, args.learned, length, phase, ms, learn=learn)
                if found[True]:
                    count += len(found[True])
                    rows.append([*figures(found[False]), *figures(found[True])])
            if rows:
                r, error, held, r_learned, learned, _ = np.mean(rows, 0)
                print(
                    f"| {ms} | {length:g} | {count} | {r:.3f} | {r_learned:.3f} | {held:.4f} "
                    f"| {error:.4f} | {learned:.4f} |",
                    flush=True,
                )


def _after(
    talk: Talk, learned_s: float, length_s: float, phase: int, ms: int, *, learn: bool
) -> list[Gap]:
    """The gaps of the clips that begin after so many seconds of a talk."""
    counts = [int(np.diff(_lost(c, length_s, phase).astype(int), append=0).clip(max=0).sum() * -1)
              for c in talk.clips]  # fmt: skip
    early = sum(n for n, start in zip(counts, talk.starts, strict=True) if start < learned_s)
    if early == sum(counts):
        return []
    return [*gaps(talk, length_s, phase, ms, learn=learn)][early if learned_s else 0 :]


if __name__ == "__main__":
    main()
