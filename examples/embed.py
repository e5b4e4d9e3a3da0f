"""facewire inside an application: a call to oneself, without camera or network.

    python examples/embed.py talk.mp4        # any video with a face; `facewire demo` makes one

Replace `frames_and_sound` by your camera and microphone, `Network` by your transport, and `show`
and `play` by your window and loudspeaker. Nothing here waits or starts a thread.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence

import av
import numpy as np
import numpy.typing as npt

from facewire import (
    Decoder,
    DecoderConfig,
    Encoder,
    EncoderConfig,
    FacewireError,
    PictureOutput,
    SoundOutput,
)

Picture = npt.NDArray[np.uint8]
Sound = npt.NDArray[np.float32]
SOUND_HZ = 16_000
"""What `Encoder.encode` takes and `SoundOutput.pcm` holds, in mono."""


def frames_and_sound(path: str) -> Iterator[tuple[Picture, Sound]]:
    """A camera and a microphone: RGB frames, each with its mono sound at 16 kHz."""
    with av.open(path) as video, av.open(path) as audio:
        rate = float(video.streams.video[0].average_rate or 25)
        heard = np.zeros(0, np.float32)
        resampler = av.AudioResampler(format="flt", layout="mono", rate=SOUND_HZ)
        sounds = audio.decode(audio=0) if audio.streams.audio else iter(())
        for index, frame in enumerate(video.decode(video=0)):
            start, end = (round(n * SOUND_HZ / rate) for n in (index, index + 1))
            while len(heard) < end - start and (piece := next(sounds, None)) is not None:
                for part in resampler.resample(piece):
                    heard = np.append(heard, part.to_ndarray().reshape(-1).astype(np.float32))
            sound, heard = heard[: end - start], heard[end - start :]
            yield frame.to_ndarray(format="rgb24").astype(np.uint8), sound


class Network:
    """A network that sometimes loses, doubles and reorders datagrams."""

    def __init__(self, seed: int = 1, loss: float = 0.03) -> None:
        self._random = random.Random(seed)
        self._loss = loss
        self._held: list[bytes] = []
        self.bytes = 0

    def send(self, datagram: bytes) -> list[bytes]:
        """Send a datagram; returns those that arrive now."""
        self.bytes += len(datagram)
        if self._random.random() < self._loss:
            return []
        self._held += [datagram] * (2 if self._random.random() < 0.02 else 1)
        if self._random.random() < 0.05:
            return []  # the next datagram overtakes this one
        arrived, self._held = self._held[::-1], []
        return arrived


def show(frame: Picture) -> None:
    """Your window. Tell viewers that the face is generated, as `DecoderConfig(badge=True)` does."""


def play(pcm: Sound) -> None:
    """Your loudspeaker: float32 mono, 16 kHz."""


def main() -> int:
    """Send a video to ourselves, and print what arrived."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    decoder = Decoder(DecoderConfig(lookahead_ms=40, badge=True))
    network = Network()
    frames = 0
    try:
        with Encoder(EncoderConfig(kbps=24)) as encoder:  # frees the face tracker at the end
            for frame, sound in frames_and_sound(sys.argv[1]):
                frames += 1
                now = frames / 25  # in a call: time.monotonic(), for the encoder too
                for packet in encoder.encode(frame, sound):
                    for datagram in network.send(bytes(packet)):
                        present(decoder.decode(datagram, now))
                # In a call, this answer travels back over the network.
                answer = decoder.feedback(now)
                if answer:
                    encoder.feed(answer)
            for packet in encoder.flush():
                present(decoder.decode(bytes(packet), now))
        present(decoder.flush())
    except FacewireError as error:
        print(f"embed: {error}", file=sys.stderr)
        return 1
    counts = decoder.statistics
    print(
        f"{frames} frames sent, {counts.frames} shown ({counts.concealed} made up); "
        f"{network.bytes * 8 / max(frames, 1):.0f} bits a frame, {counts.lost} packets lost; "
        f"the receiver adds {decoder.delay_ms:.0f} ms"
    )
    return 0


def present(outputs: Sequence[PictureOutput | SoundOutput]) -> None:
    """Show pictures and play sound; a real player does it at the times `output.pts`."""
    for output in outputs:
        if isinstance(output, PictureOutput):
            show(output.frame)
        else:
            play(output.pcm)


if __name__ == "__main__":
    sys.exit(main())
