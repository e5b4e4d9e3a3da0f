"""The picture of a call in README: the window of one side, nine seconds after the call began.

    python -m benchmarks.call_picture docs/call.jpg

Two sessions send the demo's clip to each other at 16 kbit/s with the network `s`, over a simulated
line without loss, in virtual time, so that a slow machine draws the same. The faces are generated
from one public-domain portrait (`facewire demo`).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from facewire.call.config import CallConfig
from facewire.call.meeting.words import NONCE_BYTES, spoken
from facewire.call.session import CallSession
from facewire.call.signing import PublicKey, SigningKey, ends_of
from facewire.call.simulated import LineConditions, SimulatedLine, World
from facewire.call.window import Figures, View, draw
from facewire.cli.demo.clip import make_demo_clip
from facewire.codec.sound.opus import SAMPLE_RATE
from facewire.sender.tracking.capture import Capture

OVERHEAD = 43  # bytes of IPv4, UDP, RTP and SRTP, as in `facewire call`
STEP_S = 0.02
BLOCK = round(STEP_S * SAMPLE_RATE)  # samples that a loudspeaker takes at once
APART = 140  # steps by which the two sides are apart in the clip, so that they move differently
MAKER, GUEST = bytes(32), bytes(range(32))  # stand for the fingerprints of two certificates


def window(clip: Path, seconds: float) -> npt.NDArray[np.uint8]:
    """The window of the guest after so many seconds: uint8 RGB `[660, 880, 3]`."""
    frames = [frame for frame, _ in Capture(clip).frames()]
    voice = np.concatenate(list(Capture(clip).sound()))
    world = World()
    sides = [CallSession(CallConfig(kbps=16, overhead_bytes=OVERHEAD), now=0.0) for _ in range(2)]
    lines = [
        SimulatedLine(world, taker(world, to), LineConditions(overhead=OVERHEAD))
        for to in sides[::-1]
    ]
    bind(*sides)
    due = None
    sent = [0, 0]
    for step in range(round(seconds / STEP_S)):
        now = step * STEP_S
        world.run(now)
        if step == round((seconds - 1) / STEP_S):
            sent = [line.sent_bytes for line in lines]
        for side, line, place in zip(sides, lines, (step, step + APART), strict=True):
            if step % 2 == 0:  # 25 pictures a second
                side.see(frames[place // 2 % len(frames)], now)
            side.hear(voice[place * BLOCK % len(voice) :][:BLOCK], now)
            for datagram in side.send(now):
                line.send(datagram)
            side.sound(BLOCK, now)
            due = side.choose(now) or due if side is sides[1] else due
    assert due is not None
    shown = sides[1].render(due)
    assert shown is not None
    received, out = (8 * (line.sent_bytes - b) / 1000 for line, b in zip(lines, sent, strict=True))
    statistics = sides[1].statistics
    spoken_now = voice[(step + APART) * BLOCK % len(voice) :][:BLOCK]
    picture = draw(
        View(
            face=shown.frame,
            own=frames[(step + APART) // 2 % len(frames)],
            figures=Figures(out, received, statistics.loss, 1000 * statistics.delay_s),
            level=1 + np.log10(np.sqrt(np.mean(spoken_now**2)) + 1e-3) / 3,  # of 60 dB
            words=spoken(MAKER, GUEST, bytes(NONCE_BYTES), GUEST[:NONCE_BYTES]),
            signed=bool(statistics.proven),
        )
    )
    for side in sides:
        side.close()
    return picture


def taker(world: World, side: CallSession) -> Callable[[bytes], None]:
    """Gives a datagram that arrives to a side."""
    return lambda datagram: side.receive(datagram, world.now)


def bind(maker: CallSession, guest: CallSession) -> None:
    """Let both sides sign what they send, and check what comes."""
    keys = SigningKey(), SigningKey()
    maker.bind(keys[0], PublicKey(keys[1].public), ends_of(MAKER, GUEST))
    guest.bind(keys[1], PublicKey(keys[0].public), ends_of(MAKER, GUEST))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="a .jpg or .png file")
    parser.add_argument("--seconds", type=float, default=9.0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        picture = window(make_demo_clip(Path(folder) / "clip.mp4"), args.seconds)
    cv2.imwrite(str(args.out), picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main()
