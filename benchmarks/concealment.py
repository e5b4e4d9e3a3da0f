"""How well the mouth goes on where motion is lost and the sound is there, without rendering.

    python -m benchmarks.concealment --data VIDEOS [--tracked CACHE] [--people people.csv]
                                     [--heard MS …] [--learned S] [--gap S …]
    python -m benchmarks.concealment --call --data VIDEOS [--tracked CACHE] [--gap S …]

VIDEOS shows one talking person each; --people names those that show the same person, which then
follow one another as the shots of one talk. Landmarks that `facewire train` prepared of them are
taken from --tracked. The sound goes through Opus at 10 kbit/s, and is heard as far after each frame
as --heard says: 100 ms in files and where a call makes up a frame itself, 0 ms where a call cannot
decode the motion that comes. The keyframe is the first frame of each video.

Motion is removed at several places, for 0.3 to 3 s or as --gap says. There the mouth moves as
`Speech` says, which the receiver uses. With learning it learns from all the frames that came, as in
the receiver. With --learned, only what comes after so many seconds of a person is measured. Means
over the people:

- `r`: correlation of the mouth's opening with the truth within the gaps. A mouth that is held
  has 0.
- `error`: mean distance of the 40 points of the mouth, in distances of the outer eye corners.

With --call, each video is one side of a call at 24 kbit/s over a line of 80 ms that loses nothing
else (`tests/call/sides.py`). All is coded, sent, received and played as in a call; only the tracker
reads what was tracked before, and nothing is painted. After the first two seconds, all MOTION
packets are taken out of the datagrams that leave during a gap; the sound in the same datagrams
arrives. What is measured are the landmarks of the pictures that are shown and were made up, as the
receiver rebuilds them from the motion that its network gets. `shown` is how many of the frames
without motion were shown at all. The error of the pictures whose motion came stands beside them.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.mouth import Clip, read_clip
from facewire.call.config import CallConfig
from facewire.codec.motion.frame import MotionFrame
from facewire.models.face.fronting import FrontCoordinates
from facewire.models.face.head import HeadCoordinates, mouth_opening
from facewire.models.face.landmarks import PointRebuilder
from facewire.models.mel import SAMPLE_RATE
from facewire.models.training.prepare import find_clips, people_of
from facewire.models.weights import load_card
from facewire.receiver.talking.mouth import MouthPredictor
from facewire.receiver.talking.speech import LastSeen, Speech
from facewire.sender.tracking.tracker import Face
from tests.call.sides import SIZE, Call

Array = np.ndarray
LENGTHS_S = (0.3, 0.6, 1.0, 2.0, 3.0)
PHASES = 3
FIRST_S, BETWEEN_S = 0.3, 1.0  # motion that comes before the first gap and between two, at least
CALL_FIRST_S = 2.0  # the same in a call, which has to begin first
CALL_KBPS = 24
AT_ONCE_S = 0.03  # a frame of the clip that is farther away in time shows something else


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
        flat, head = HeadCoordinates(key), FrontCoordinates(key)
        mouths = flat.mouth(clip.points)
        lost = _lost(clip, length_s, phase)
        made: list[Array] = []
        last = LastSeen(clip.points[0], start)
        for n, at in enumerate(clip.seconds):
            seconds = start + at
            sound.heard = round((seconds + heard_ms / 1000) * SAMPLE_RATE)
            if lost[n]:
                mouth = speech.mouth_after(key, last, seconds)
                made.append(flat.mouth(head.placed(last.points, mouth)))
                if n + 1 == len(lost) or not lost[n + 1]:
                    first = n + 1 - len(made)
                    yield Gap(mouths[first : n + 1], np.stack(made), mouths[first - 1])
                    made = []
                continue
            last = LastSeen(clip.points[n], seconds)
            if learn and speech.learns(seconds):
                speech.saw(key, clip.points[n], seconds)


def _lost(clip: Clip, length_s: float, phase: int, first_s: float = FIRST_S) -> Array:
    """Which frames are lost; only whole gaps."""
    lost = np.zeros(len(clip.seconds), bool)
    period = length_s + BETWEEN_S
    begin = first_s + period * phase / PHASES
    if clip.seconds[-1] < begin + length_s:  # a short clip has one gap
        begin = first_s + max(clip.seconds[-1] - first_s - length_s, 0) * phase / PHASES
    while begin + length_s <= clip.seconds[-1] + 0.04:
        lost |= (clip.seconds >= begin) & (clip.seconds < begin + length_s - 1e-6)
        begin += period
    return lost


class Filmed:
    """A `FaceTracker` that knows the landmarks of a clip."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip

    def track(self, frame: Array, time_ms: int | None = None) -> list[Face]:
        n = at(self._clip, (time_ms or 0) / 1000)
        return [] if n is None else [Face((self._clip.landmarks[n] + 1) * np.float32(SIZE / 2))]

    def close(self) -> None:
        pass


class Unpainted:
    """A `Generator` that shows the keyframe, and notes the landmarks of what it was to paint."""

    def __init__(self) -> None:
        self.painted: dict[int, Array] = {}  # by the `id` of each picture that still exists
        self._rebuild = PointRebuilder(load_card().face_table()).rebuild

    def set_source(self, rgb: Array, motion: MotionFrame, points: Array) -> object:
        return rgb, motion.to_array(), points

    def points(self, source: tuple[Array, Array, Array], motion: MotionFrame) -> Array:
        return self._rebuild(source[1], source[2], motion.to_array())

    def render(self, source: tuple[Array, Array, Array], motion: MotionFrame, _: object) -> Array:
        picture = source[0][:]
        self.painted[id(picture)] = self.points(source, motion)
        return picture


@dataclass(frozen=True)
class Called:
    """What came of a call: its gaps, how many frames should have been made up, and the errors of
    the mouths of the frames that came.
    """

    gaps: list[Gap]
    missing: int
    came: list[float]


def called(clip: Clip, length_s: float) -> Called:
    """A call in which the motion of one side is lost again and again."""
    made: list[Unpainted] = []

    def generator() -> Unpainted:
        made.append(Unpainted())
        return made[-1]

    config = CallConfig(kbps=CALL_KBPS)
    config = replace(config, decoder=replace(config.decoder, badge=False))
    call = Call(
        load_card().folder,
        config,
        face=lambda: Filmed(clip),
        generator=generator,  # type: ignore[arg-type]
    )
    call.a.speech = clip.voice
    call.b.filming = call.b.talking = False
    lost = _lost(clip, length_s, 0, CALL_FIRST_S)

    def losing() -> bool:
        n = at(clip, call.world.now)
        return n is not None and bool(lost[n])

    call.lose_motion(losing)
    call.run(float(clip.seconds[-1]) + 0.5)
    return _compared(clip, call, made[1].painted)


def _compared(clip: Clip, call: Call, painted: dict[int, Array]) -> Called:
    head = HeadCoordinates(clip.points[0])
    found, true, drawn = Called([], 0, []), [], []
    last: tuple[float, Array] | None = None
    for shown in call.b.shown:
        n = at(clip, shown.taken)
        if n is None:
            continue
        mouth, truth = head.mouth(painted[id(shown.picture)]), head.mouth(clip.points[n])
        if shown.made_up:
            true.append(truth)
            drawn.append(mouth)
            continue
        if true and last is not None:
            found.gaps.append(Gap(np.stack(true), np.stack(drawn), last[1]))
            missing = round((shown.taken - last[0]) * float(call.a.config.fps)) - 1
            found = replace(found, missing=found.missing + missing)
        found.came.append(float(np.linalg.norm(mouth - truth, axis=-1).mean()))
        true, drawn, last = [], [], (shown.taken, mouth)
    return found


def at(clip: Clip, seconds: float) -> int | None:
    """The number of the clip's frame at a time; None where no frame shows the face."""
    n = int(np.abs(clip.seconds - seconds).argmin())
    return n if abs(clip.seconds[n] - seconds) < AT_ONCE_S else None


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
    parser.add_argument("--gap", type=float, nargs="+", default=LENGTHS_S, metavar="S")
    parser.add_argument("--call", action="store_true", help="in a simulated call")
    args = parser.parse_args()
    talks = read_talks(args.data, args.tracked, args.people)
    print(f"{len(talks)} people, {sum(len(c.points) for t in talks for c in t.clips)} frames")
    if args.call:
        in_calls([clip for talk in talks for clip in talk.clips], args.gap)
        return
    print(
        "| heard, ms | gap, s | gaps | r | r, learned | error, held | moved on | learned |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    for ms in args.heard:
        for length in args.gap:
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


def in_calls(clips: Sequence[Clip], lengths: Sequence[float]) -> None:
    """Print the table of calls."""
    print(
        "| gap, s | gaps | shown, % | r | error, held | made up | frames that came |\n"
        "|---|---|---|---|---|---|---|"
    )
    for length in lengths:
        rows, count = [], 0
        for clip in clips:
            one = called(clip, length)
            if not one.gaps:
                continue
            count += len(one.gaps)
            r, error, held = figures(one.gaps)
            shown = 100 * sum(len(gap.made) for gap in one.gaps) / one.missing
            rows.append([shown, r, held, error, float(np.mean(one.came))])
            print(
                f"{clip.name}, {length:g} s: r {r:.3f}, error {error:.4f}, held {held:.4f}",
                file=sys.stderr,
                flush=True,
            )
        shown, r, held, error, came = np.mean(rows, 0)
        print(
            f"| {length:g} | {count} | {shown:.0f} | {r:.3f} | {held:.4f} | {error:.4f} "
            f"| {came:.4f} |",
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
