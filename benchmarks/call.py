"""A call over a simulated network: the goals of docs/call.md, measured in virtual time.

    python -m benchmarks.call                       all cases but the eight hours, as a table
    python -m benchmarks.call --case loss --seed 3  one of them
    python -m benchmarks.call --case hours --hours 8
    python -m benchmarks.call --plot FOLDER         three lives of a call as pictures (PNG)

Both sides send a face that sways and a synthetic voice, 25 pictures a second. The networks are
none: a tracker that knows where the face is, and a generator that paints nothing new. All else is
real: keyframes in AV1, motion, Opus, the reports, the estimate of the line, playing on time. Delays
are those beyond the network's 80 ms one way; bytes include 50 for each datagram.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np

from facewire.call.config import CallConfig
from facewire.call.simulated import Clock, LineConditions, SimulatedLine
from facewire.codec.control import State
from tests.call.sides import DELAY, Call, Shown, Side, percentile
from tests.conftest import blank_network

mpl.use("agg")
import matplotlib.pyplot as plt


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    case: str
    goal: str
    measured: str


def beyond(side: Side, start: float, end: float) -> tuple[float, float, float]:
    """95th percentiles in ms: sound and picture beyond the network, lips apart."""
    sound = [age - DELAY for at, age in side.heard if start <= at < end]
    shown = [one.at - one.taken - DELAY for one in side.frames(start, end) if not one.made_up]
    lips = [abs(ahead) for at, ahead in side.lips if start <= at < end]
    return tuple(1000 * percentile(values, 95) for values in (sound, shown, lips))  # type: ignore[return-value]


def seen(side: Side, start: float, end: float) -> str:
    """Part of the frames that were shown, part of those made up, the longest still."""
    frames = side.frames(start, end)
    count = 25 * (end - start)
    made_up = sum(one.made_up for one in frames)
    return (
        f"{100 * len(frames) / count:.1f} % shown, {100 * made_up / max(len(frames), 1):.1f} % "
        f"made up, longest still {1000 * side.longest_still(start, end):.0f} ms"
    )


def quiet(card: Path, seed: int) -> Iterator[Row]:
    """No loss, no bottleneck."""
    for kbps, goal in ((16, 260), (24, 180), (40, 120), (64, 120)):
        call = Call(card, CallConfig(kbps=kbps), seed=seed)
        call.run(60)
        b, a = call.b, call.a
        windows = [a.kbps(t, t + 5) / kbps for t in np.arange(0, 55, 0.5)]
        sound, shown, lips = beyond(b, 10, 60)
        first = b.shown[0].at - b.first_arrival if b.shown else float("inf")
        yield Row(
            f"{kbps} kbit/s, no loss",
            f"rate +5 % over 5 s; first picture 400 ms; sound and picture {goal} ms; lips 40 ms",
            f"{100 * min(windows):.0f} to {100 * max(windows):.0f} % of the rate; first picture "
            f"{1000 * first:.0f} ms; sound {sound:.0f}, picture {shown:.0f} ms; lips {lips:.0f} ms",
        )


def loss(card: Path, seed: int) -> Iterator[Row]:
    """Ten per cent at random."""
    for kbps in (16, 24, 40):
        settings = LineConditions(loss=0.1)
        call = Call(card, CallConfig(kbps=kbps), settings, LineConditions(loss=0.1), seed=seed)
        call.run(60)
        made_up = call.b.session.statistics.sound_made_up_s / 60
        yield Row(
            f"{kbps} kbit/s, 10 % random loss",
            ">= 99 % shown, <= 10 % made up, no second still, sound made up <= 1 %",
            f"{seen(call.b, 10, 60)}; sound made up {100 * made_up:.1f} %",
        )


def bursts(card: Path, seed: int) -> Iterator[Row]:
    """Twenty per cent in bursts of three, from 20 to 40 s."""
    settings = LineConditions()
    call = Call(card, CallConfig(kbps=24), settings, seed=seed)
    call.run(20)
    settings.loss, settings.burst = 0.2, 3.0
    call.run(20)
    settings.loss = 0.0
    call.run(10)
    after = call.b.frames(41, 44)
    yield Row(
        "24 kbit/s, 20 % loss in bursts of 3 for 20 s",
        "no frozen second; whole within 1 s of its end",
        f"{seen(call.b, 20, 40)}; from 1 to 4 s after it: {seen(call.b, 41, 44)}, "
        f"{sum(one.made_up for one in after)} made up",
    )


def falls(card: Path, seed: int) -> Iterator[Row]:
    """A line of 64 kbit/s that falls to 10 and rises to 32."""
    settings = LineConditions(kbps=64)
    call = Call(card, CallConfig(kbps=64), settings, seed=seed)
    queue: list[tuple[float, float]] = []
    watch(call, call.there, queue)
    call.run(30)
    settings.kbps = 10
    call.run(30)
    settings.kbps = 32
    call.run(30)
    longest = 1000 * max(wait for at, wait in queue if 32 <= at < 60)
    used = [
        100 * call.a.kbps(*span) / of
        for span, of in (((20, 30), 64), ((40, 60), 10), ((70, 90), 32))
    ]
    yield Row(
        "a line of 64, from 30 s on 10, from 60 s on 32 kbit/s",
        "queue under 300 ms after 2 s; >= 80 % used after 10 s",
        f"longest queue from 2 s after the fall {longest:.0f} ms; used "
        + ", ".join(f"{part:.0f} %" for part in used)
        + f"; longest still while at 10: {1000 * call.b.longest_still(35, 60):.0f} ms",
    )


def breaks(card: Path, seed: int) -> Iterator[Row]:
    """Outage, restart, mute, camera off."""
    goal = "as if nothing had been, within 1 s"
    settings, back = LineConditions(), LineConditions()
    call = Call(card, CallConfig(kbps=24), settings, back, seed=seed)
    call.run(20)
    settings.dead = back.dead = True
    call.run(10)
    settings.dead = back.dead = False
    call.run(10)
    yield Row("10 s without the network", goal, f"from 1 s after it: {after(call.b, 31, 40)}")
    call.a.begin()
    call.run(10)
    yield Row("the sender begins anew", goal, f"from 1 s after it: {after(call.b, 41, 50)}")
    call.b.begin()
    call.run(10)
    yield Row("the receiver begins anew", goal, f"from 1 s after it: {after(call.b, 51, 60)}")
    call.a.filming = False
    call.a.session.state = State.CAMERA_OFF
    call.run(30)
    call.a.filming = True
    call.a.session.state = State.PRESENT
    call.run(10)
    yield Row("camera off for 30 s", goal, f"from 1 s after it: {after(call.b, 91, 100)}")


def mute(card: Path, seed: int) -> Iterator[Row]:
    """Twenty-two minutes without sound."""
    call = Call(card, CallConfig(kbps=24), seed=seed)
    call.run(10)
    call.a.talking = False
    call.a.session.state = State.MUTED
    call.run(22 * 60)
    call.a.talking = True
    call.a.session.state = State.PRESENT
    start = 22 * 60 + 10.0
    call.run(10)
    yield Row(
        "22 minutes of mute",
        "as if nothing had been, within 1 s",
        f"while muted: {seen(call.b, 100, start)}; from 1 s after it: "
        f"{after(call.b, start + 1, start + 10)}",
    )


def slow(card: Path, seed: int) -> Iterator[Row]:
    """A receiver that needs 60 ms for a picture."""
    call = Call(card, CallConfig(kbps=24), seed=seed, screen_s=0.06)
    call.run(60)
    _, shown, lips = beyond(call.b, 10, 60)
    yield Row(
        "a receiver that needs 60 ms a picture",
        ">= 12 pictures a second, delay bounded",
        f"{len(call.b.frames(10, 60)) / 50:.1f} a second, {shown:.0f} ms, lips {lips:.0f} ms",
    )


def hours(card: Path, seed: int, count: float = 8.0) -> Iterator[Row]:
    """Hours with drifting clocks and some loss. Five pictures a second, and fifty looks a second at
    what is to leave, bound the work. Each half hour says on standard error how it was.
    """
    clocks = Clock(100.0, ppm=150), Clock(5000.0, ppm=-150)
    config = CallConfig(kbps=16, fps=5)
    lines = LineConditions(loss=0.02), LineConditions(loss=0.02)
    call = Call(card, config, *lines, clocks, seed=seed, send_s=0.02)
    call.run(60)
    early = beyond(call.b, 20, 60)
    call.run(540)
    memory, apart, still = [resident_mb()], [(0.0, 0.0)], 0.0
    for part in range(2, round(6 * count) + 1):
        for side in (call.a, call.b):
            for rows in (side.shown, side.heard, side.lips, side.sent):
                del rows[:-1]  # type: ignore[attr-defined]
        before, sent = call.world.now, call.there.sent_bytes
        call.run(600)
        now = call.world.now
        memory.append(resident_mb())
        apart.append(farthest([*call.a.shown[1:], *call.b.shown[1:]]))
        still = max(still, *(side.longest_still(before, now) for side in (call.a, call.b)))
        if part % 3 == 0:
            sound, shown, _ = beyond(call.b, before, now)
            print(
                f"{part / 6:.1f} hours: {memory[-1]:.1f} MB; in the last ten minutes "
                f"{(call.there.sent_bytes - sent) / 75000:.2f} kbit/s, sound {sound:.0f} ms, "
                f"picture {shown:.0f} ms, {len(call.b.frames(before, now)) / 30:.1f} % shown, "
                f"{sum(one.made_up for one in call.b.frames(before, now))} made up, apart from the "
                f"sound {1000 * apart[-1][0]:.0f} ms at most, those made up "
                f"{1000 * apart[-1][1]:.0f} ms; {time.process_time():.0f} CPU s",
                file=sys.stderr,
                flush=True,
            )
    late = beyond(call.b, call.world.now - 60, call.world.now)
    yield Row(
        f"{count:g} hours, 300 ppm of drift, 2 % loss",
        "memory flat (5 %), delay as after a minute, sound never out by more than 40 ms",
        f"memory {memory[0]:.0f} MB after 10 minutes, then {min(memory):.0f} to {max(memory):.0f}, "
        f"at the end {memory[-1]:.0f}; sound {early[0]:.0f} and {late[0]:.0f} ms, picture "
        f"{early[1]:.0f} and {late[1]:.0f} ms; when a picture appears, it is apart from the sound "
        f"by {1000 * max(one for one, _ in apart):.0f} ms at most, one made up by "
        f"{1000 * max(one for _, one in apart):.0f} ms; longest still {1000 * still:.0f} ms",
    )


def farthest(shown: list[Shown]) -> tuple[float, float]:
    """How far pictures were from their sound at most, in seconds: those that came, and those that
    were made up.
    """
    far = [[abs(s.ahead) for s in shown if s.ahead is not None and s.made_up == m] for m in (0, 1)]
    return max(far[0], default=0.0), max(far[1], default=0.0)


def resident_mb() -> float:
    """Memory of this process now, in MB of 1,000,000 bytes (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def after(side: Side, start: float, end: float) -> str:
    """How pictures and sound are in a time that should be as any other."""
    sound, _, _ = beyond(side, start, end)
    return f"{seen(side, start, end)}, sound {sound:.0f} ms"


def watch(call: Call, line: SimulatedLine, queue: list[tuple[float, float]]) -> None:
    """Note how long a line's queue is, ten times a second."""

    def once() -> None:
        queue.append((call.world.now, line.backlog_s))
        call.world.at(call.world.now + 0.1, once)

    once()


def lives(card: Path, seed: int, folder: Path) -> None:
    """Three lives of a call as pictures: rate, line, queue, delay and pictures made up."""
    for name in ("falls", "bursts", "outage"):
        settings = LineConditions(kbps=64 if name == "falls" else None)
        call = Call(card, CallConfig(kbps=64 if name == "falls" else 24), settings, seed=seed)
        queue: list[tuple[float, float]] = []
        watch(call, call.there, queue)
        estimate: list[tuple[float, float]] = []

        def note(call: Call = call, estimate: list[tuple[float, float]] = estimate) -> None:
            estimate.append((call.world.now, call.a.session.outgoing.line.kbps))
            call.world.at(call.world.now + 0.25, note)

        note()
        call.run(20)
        if name == "falls":
            settings.kbps = 10
        elif name == "bursts":
            settings.loss, settings.burst = 0.2, 3.0
        else:
            settings.dead = True
        call.run(20 if name != "outage" else 10)
        settings.loss, settings.dead = 0.0, False
        settings.kbps = 32 if name == "falls" else None
        call.run(20)
        _draw(name, call, queue, estimate, folder / f"call-{name}.png")


def _draw(
    name: str,
    call: Call,
    queue: list[tuple[float, float]],
    estimate: list[tuple[float, float]],
    path: Path,
) -> None:
    end = call.world.now
    figure, axes = plt.subplots(3, 1, sharex=True, figsize=(8, 6), layout="constrained")
    times = np.arange(0.5, end - 0.5, 0.25)
    axes[0].plot(times, [call.a.kbps(t - 0.5, t + 0.5) for t in times], label="sent, over 1 s")
    axes[0].plot(*zip(*estimate, strict=True), label="estimate of the line", lw=1)
    axes[0].set_ylabel("kbit/s")
    axes[1].plot(*zip(*((t, 1000 * w) for t, w in queue), strict=True), label="queue of the line")
    ages = [(at, 1000 * age) for at, age in call.b.heard]
    axes[1].plot(*zip(*ages, strict=True), label="mouth to ear", lw=1)
    axes[1].plot(
        [one.at for one in call.b.shown],
        [1000 * (one.at - one.taken) for one in call.b.shown],
        ".",
        ms=1.5,
        label="camera to screen",
    )
    axes[1].set_ylabel("ms")
    axes[1].set_ylim(0, 2000)
    frames = [call.b.frames(t - 0.5, t + 0.5) for t in times]
    axes[2].plot(times, [len(one) for one in frames], label="pictures seen a second")
    axes[2].plot(times, [sum(f.made_up for f in one) for one in frames], label="made up", lw=1)
    axes[2].set_xlabel("seconds")
    for axis in axes:
        axis.legend(loc="upper right", fontsize=8)
        axis.grid(alpha=0.3)
    figure.suptitle(name)
    figure.savefig(path, dpi=112.5)
    plt.close(figure)


CASES: dict[str, Callable[..., Iterator[Row]]] = {
    "quiet": quiet,
    "loss": loss,
    "bursts": bursts,
    "falls": falls,
    "breaks": breaks,
    "mute": mute,
    "slow": slow,
    "hours": hours,
}


def main() -> None:
    """Run the cases that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--case", action="append", choices=CASES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        card = blank_network(Path(folder))
        if options.plot is not None:
            options.plot.mkdir(parents=True, exist_ok=True)
            lives(card, options.seed, options.plot)
            return
        print("| case | goal | measured |\n|---|---|---|")
        for name in options.case or [name for name in CASES if name != "hours"]:
            began = time.process_time()
            more = (options.hours,) if name == "hours" else ()
            for row in CASES[name](card, options.seed, *more):
                print(f"| {row.case} | {row.goal} | {row.measured} |", flush=True)
            print(f"{name}: {time.process_time() - began:.0f} CPU s", file=sys.stderr)


if __name__ == "__main__":
    main()
