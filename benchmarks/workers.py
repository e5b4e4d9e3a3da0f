"""Two sides of a call in one process, with the real networks and in real time: what waits for what.

    python -m benchmarks.workers                       the demo's clip, network s, 20 seconds
    python -m benchmarks.workers --network xs --kbps 24 --seconds 60
    python -m benchmarks.workers --in talk.mp4         another clip

An application calls `see`, `hear`, `receive`, `sound` and `picture` from its event loop or from the
callback of a sound card, so none of them may take long. The table gives how long each call took.
Both sides share the processor and Python's lock, which a real call does not.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from facewire.call.config import CallConfig
from facewire.call.session import CallSession
from facewire.call.workers import CallWorkers
from facewire.cli.demo.clip import make_demo_clip
from facewire.sender.config import EncoderConfig
from facewire.sender.tracking.capture import Capture

T = TypeVar("T")
RATE, BLOCK = 16_000, 320


class Device:
    """Camera, microphone, loudspeaker and window of one side, in two threads of their own."""

    def __init__(
        self,
        workers: CallWorkers,
        frames: Sequence[npt.NDArray[np.uint8]],
        voice: npt.NDArray[np.float32],
    ) -> None:
        self.workers = workers
        self.took: dict[str, list[float]] = {}
        self._frames, self._voice = frames, voice
        self.ended = threading.Event()
        self.threads = [
            threading.Thread(target=self._every, args=(period, act), daemon=True)
            for period, act in ((1 / 25, self._film), (BLOCK / RATE, self._talk))
        ]

    def timed(self, name: str, call: Callable[[], T]) -> T:
        """Call something and note how long it took."""
        began = time.perf_counter()
        result = call()
        self.took.setdefault(name, []).append(time.perf_counter() - began)
        return result

    def _every(self, period: float, act: Callable[[int], None]) -> None:
        began, turn = time.monotonic(), 0
        while not self.ended.is_set():
            act(turn)
            turn += 1
            self.ended.wait(max(began + turn * period - time.monotonic(), 0))

    def _film(self, turn: int) -> None:
        frame = self._frames[turn % len(self._frames)]
        self.timed("see", lambda: self.workers.see(frame, time.monotonic()))
        self.timed("picture", lambda: self.workers.picture(time.monotonic()))

    def _talk(self, turn: int) -> None:
        at = turn * BLOCK % (len(self._voice) - BLOCK)
        pcm = self._voice[at : at + BLOCK]
        self.timed("hear", lambda: self.workers.hear(pcm, time.monotonic()))
        self.timed("sound", lambda: self.workers.sound(BLOCK, time.monotonic()))

    def receive(self, datagram: bytes) -> None:
        """A datagram of the peer."""
        self.timed("receive", lambda: self.workers.receive(datagram, time.monotonic()))


def to(other: Device) -> Callable[[Sequence[bytes]], None]:
    """A line without delay to the other side."""

    def transmit(datagrams: Sequence[bytes]) -> None:
        for datagram in datagrams:
            other.receive(datagram)

    return transmit


def main() -> None:
    """Run it and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--in", dest="clip", type=Path, help="a clip with a face and sound")
    parser.add_argument("--network", default="s")
    parser.add_argument("--kbps", type=float, default=24.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = args.clip
        if clip is None:
            clip = Path(folder) / "talk.mp4"
            make_demo_clip(clip, seconds=8)
        capture = Capture(clip)
        frames = [frame for frame, _ in capture.frames()]
        voice = np.concatenate([*capture.sound()])
    config = CallConfig(kbps=args.kbps, encoder=EncoderConfig(model=args.network))
    sides = []
    for _ in range(2):
        session = CallSession(config, now=time.monotonic())
        session.outgoing.encoder.prepare()
        session.incoming.decoder.prepare(args.network)
        sides.append(Device(CallWorkers(session), frames, voice))
    cpu = time.process_time()
    for one, other in (sides, sides[::-1]):
        one.workers.start(to(other))
    for side in sides:
        for thread in side.threads:
            thread.start()
    time.sleep(args.seconds)
    cpu = time.process_time() - cpu
    for side in sides:
        side.ended.set()
        for thread in side.threads:
            thread.join()
        side.workers.close()
    print("| call | p50 | p99 | longest |\n| --- | --- | --- | --- |")
    for name in sides[0].took:
        took = 1000 * np.array(sides[0].took[name] + sides[1].took[name])
        p50, p99 = np.percentile(took, (50, 99))
        print(f"| {name} | {p50:.2f} ms | {p99:.2f} ms | {took.max():.1f} ms |")
    for side in sides:
        done = side.workers.session.statistics
        print(
            f"{done.shown / args.seconds:.1f} pictures a second ({done.skipped} skipped, "
            f"{done.left_out} of the camera dropped), sound made up "
            f"{done.sound_made_up_s:.2f} s, held back {done.held_back}, smallest network in use: "
            f"{side.workers.light}, failure: {side.workers.failure}"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"CPU of both sides {cpu / args.seconds:.2f} cores; peak memory {peak:.0f} MB")


if __name__ == "__main__":
    main()
