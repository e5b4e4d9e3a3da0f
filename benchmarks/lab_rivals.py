"""The camera of a call by aiortc's own VP8 and H.264, over the line of `benchmarks.lab`.

    python -m benchmarks.lab_rivals --clip talk.mp4 [--seconds 8]

One program sends the clip, in real time and without sound, and another receives it. Bits are those
that the relay carries one way, all headers counted; LPIPS is that of the frames that came, against
those of the same time. aiortc never codes at less than 250 kbit/s (VP8) or 500 (H.264); the other
rows take that floor away. Beside it stands `facewire-call` of `codec-eval`, whose bits have all
headers too. Linux, as root.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import av
import numpy as np

_LEAST = {"VP8": 250, "H264": 500}


def main() -> None:
    """Measure all, or be one of the two programs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--role", choices=("send", "receive"), help=argparse.SUPPRESS)
    parser.add_argument("--codec", help=argparse.SUPPRESS)
    parser.add_argument("--kbps", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role:
        _set_rate(options.codec, options.kbps)
        asyncio.run((_send if options.role == "send" else _receive)(options))
        return
    print("| codec | asked, kbit/s | carried, kbit/s | frames/s | LPIPS (Alex) |")
    print("|---" * 5 + "|")
    for codec, least in _LEAST.items():
        for kbps in (least, 64, 24):
            with tempfile.TemporaryDirectory() as folder:
                print(_row(options, codec, kbps, Path(folder)), flush=True)


def _row(options: argparse.Namespace, codec: str, kbps: int, folder: Path) -> str:
    from tests.call.real_network import IP, Relay, network

    from .lab import line

    own = ["-m", "benchmarks.lab_rivals", "--clip", str(options.clip), "--codec", codec]
    own += ["--kbps", str(kbps), "--seconds", str(options.seconds), "--folder", str(folder)]
    programs = []
    with network() as (one, two, middle):
        relay = Relay(middle, line())
        try:
            for space, role in ((one, "send"), (two, "receive")):
                words = [IP, "netns", "exec", space, sys.executable, *own, "--role", role]
                programs.append(subprocess.Popen(words))
            while not (folder / "begun").exists():
                if any(program.poll() for program in programs):
                    raise SystemExit("a program failed")
                time.sleep(0.02)
            before, began = relay.carried[0], time.monotonic()
            programs[1].wait(60 + options.seconds)
            carried, passed = relay.carried[0] - before, time.monotonic() - began
        finally:
            for program in programs:
                program.kill()
                program.wait()
            relay.close()
    found = np.load(folder / "seen.npz")
    return (
        f"| {codec} | {kbps} | {8 * carried / passed / 1000:.0f} "
        f"| {len(found['frames']) / passed:.1f} | {_lpips(options.clip, found):.3f} |"
    )


def _lpips(clip: Path, found: Any) -> float:
    """Of every fifth frame, at the shift of time that fits best."""
    import torch

    from facewire.models.judges.perceptual import load_lpips
    from facewire.models.judges.tensors import to_tensor

    with av.open(str(clip)) as container:
        film = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
        fps = float(container.streams.video[0].average_rate)
    frames, index = found["frames"][::5], np.round(found["seconds"][::5] * fps).astype(int)
    small = film[:, ::8, ::8].astype(np.float32)

    def off(shift: int) -> float:
        there = (index + shift) % len(film)
        return float(np.abs(small[there] - frames[:, ::8, ::8]).mean())

    shift = min(range(len(film)), key=off)
    truth = film[(index + shift) % len(film)]
    judge = load_lpips("alex")
    with torch.no_grad():
        return float(judge(to_tensor(*truth), to_tensor(*frames)).mean())


# --- the two programs -------------------------------------------------------------------------


def _set_rate(codec: str, kbps: int) -> None:
    from aiortc.codecs import h264, vpx

    module: Any = {"VP8": vpx, "H264": h264}[codec]
    module.MIN_BITRATE = module.DEFAULT_BITRATE = module.MAX_BITRATE = 1000 * kbps


async def _told(path: Path) -> Any:
    from aiortc import RTCSessionDescription

    while not path.exists():
        await asyncio.sleep(0.02)
    return RTCSessionDescription(**json.loads(path.read_text()))


def _tell(path: Path, description: Any) -> None:
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps({"sdp": description.sdp, "type": description.type}))
    draft.rename(path)


def _peer() -> Any:
    from aiortc import RTCConfiguration, RTCPeerConnection

    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


async def _send(options: argparse.Namespace) -> None:
    from aiortc import RTCRtpSender
    from aiortc.contrib.media import MediaPlayer

    peer = _peer()
    player = MediaPlayer(str(options.clip), loop=True)
    peer.addTrack(player.video)
    kinds = [
        codec
        for codec in RTCRtpSender.getCapabilities("video").codecs
        if codec.name == options.codec
    ]
    peer.getTransceivers()[0].setCodecPreferences(kinds)
    await peer.setLocalDescription(await peer.createOffer())
    _tell(options.folder / "offer", peer.localDescription)
    await peer.setRemoteDescription(await _told(options.folder / "answer"))
    await asyncio.sleep(300)


async def _receive(options: argparse.Namespace) -> None:
    peer = _peer()
    tracks: list[Any] = []
    peer.on("track", tracks.append)
    await peer.setRemoteDescription(await _told(options.folder / "offer"))
    await peer.setLocalDescription(await peer.createAnswer())
    _tell(options.folder / "answer", peer.localDescription)
    frames, seconds = [], []
    first = await tracks[0].recv()
    (options.folder / "begun").touch()
    ends = time.monotonic() + options.seconds
    while time.monotonic() < ends:
        frame = await tracks[0].recv()
        frames.append(frame.to_ndarray(format="rgb24"))
        seconds.append(float((frame.pts - first.pts) * frame.time_base))
    np.savez(options.folder / "seen.npz", frames=np.stack(frames), seconds=np.array(seconds))
    await peer.close()


if __name__ == "__main__":
    main()
