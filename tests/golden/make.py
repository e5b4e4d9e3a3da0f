"""Makes the golden streams beside this file.

Published streams must always decode, so this never overwrites an existing stream. A new version of
the format gets new names.

    python -m tests.golden.make

For each stream `NAME.fwire` the file `NAME.json` states what it must decode to. `describe` reads a
stream with the current code, and the test compares the two.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from facewire.codec.base_packets import BaseAssembler, BaseGroup
from facewire.codec.file.accounting import BitCount
from facewire.codec.file.container import Reader, Writer
from facewire.codec.identity import Identity
from facewire.codec.identity_packets import IdentityAssembler, introduce
from facewire.codec.keyframe import Keyframe, KeyframeAssembler
from facewire.codec.light import Light, LightGroup
from facewire.codec.motion.entropy import MotionDecoder, MotionEncoder
from facewire.codec.motion.frame import MotionFrame
from facewire.codec.motion.pose import HeadPlace, PoseDecoder, PoseFrame
from facewire.codec.motion.profiles import POSES, STATELESS, MotionSettings, Profile, motion_writer
from facewire.codec.motion.tables import load_pose_tables, load_tables
from facewire.codec.packet import Flags, Kind, Packet
from facewire.codec.picture.chain import ChainDecoder, ChainEncoder
from facewire.codec.picture.chain_ahead import code_ahead
from facewire.codec.picture.coders import to_frame
from facewire.codec.picture.still import (
    Anchor,
    CodedPicture,
    StillCodec,
    decode_picture,
    encode_picture,
)
from facewire.codec.sound.opus import OpusDecoder, OpusEncoder
from facewire.codec.stream import AudioParameters, StreamHeader
from facewire.models.face.mesh import POINTS
from facewire.models.face.shape import pack_shape, unpack_shape

FOLDER = Path(__file__).parent
SIDE = 256
WEIGHTS = hashlib.sha256(b"golden").digest()


@dataclass(frozen=True)
class Recipe:
    name: str
    codec: StillCodec
    audio: AudioParameters | None = None
    fps: Fraction = Fraction(25)
    tick: Fraction = Fraction(1, 25)
    first_pts: int = 0
    profile: Profile = Profile.FP16
    bundles: tuple[int, ...] = (1,) * 10  # frames of the packets after a keyframe, ten in all
    identity: Identity | None = None
    tables: int = 1  # of the motion
    later: bool = False  # another reference after five frames, standing on the keyframe
    portrait: str | None = None
    performed: bool = False
    base: bool = False  # a chain after each keyframe, in two groups
    ahead: bool = False  # a chain whose parts also hold frames that are shown later
    light: bool = False  # a fade to black, and light that comes and goes


def identity() -> Identity:
    """An identity of four packets, with changes to two tensors that no network has."""
    weight = np.sin(np.arange(4000, dtype=np.float32) ** 2).reshape(16, 250, 1, 1)
    changes = {"generator.golden.weight": weight, "generator.golden.bias": weight[:, 0, 0, 0]}
    return Identity.pack("avfr-s", WEIGHTS, changes)


RECIPES = (
    Recipe("v1-fp16-av1-opus", StillCodec.AV1, AudioParameters(bitrate=12000)),
    Recipe("v1-fp16-av1-ms", StillCodec.AV1, None, Fraction(30000, 1001), Fraction(1, 1000), 65000),
    Recipe("v1-fp16-webp-opus20", StillCodec.WEBP, AudioParameters(frame_ms=20, bitrate=24000)),
    Recipe(
        "v1-entropy-av1-opus",
        StillCodec.AV1,
        AudioParameters(bitrate=12000),
        profile=Profile.ENTROPY,
        bundles=(1, 1, 5, 3),
    ),
    Recipe(
        "v1-entropy-webp-ms",
        StillCodec.WEBP,
        None,
        Fraction(30000, 1001),
        Fraction(1, 1000),
        65000,
        Profile.ENTROPY,
    ),
    Recipe("v1-fp16-av1-identity", StillCodec.AV1, identity=identity()),
    Recipe(
        "v1-entropy-av1-references",
        StillCodec.AV1,
        profile=Profile.ENTROPY,
        bundles=(1, 1, 5, 3),
        later=True,
    ),
    Recipe(
        "v1-entropy2-av1",
        StillCodec.AV1,
        profile=Profile.ENTROPY,
        bundles=(1, 1, 5, 3),
        tables=2,
    ),
    Recipe(
        "v1-entropy2-av1-base",
        StillCodec.AV1,
        profile=Profile.ENTROPY,
        bundles=(1, 1, 5, 3),
        tables=2,
        base=True,
    ),
    Recipe(
        "v1-entropy2-av1-base-ahead",
        StillCodec.AV1,
        profile=Profile.ENTROPY,
        bundles=(1, 1, 5, 3),
        tables=2,
        base=True,
        ahead=True,
    ),
    Recipe(
        "v1-entropy2-av1-light",
        StillCodec.AV1,
        profile=Profile.ENTROPY,
        bundles=(1, 1, 5, 3),
        tables=2,
        light=True,
    ),
    Recipe(
        "v1-entropy2-av1-portrait",
        StillCodec.AV1,
        profile=Profile.ENTROPY,
        bundles=(1, 1, 5, 3),
        tables=2,
        portrait="Zoë Golden, 2026-11-29",
    ),
    Recipe(
        "v1-entropy2-av1-performed",
        StillCodec.AV1,
        AudioParameters(bitrate=12000),
        profile=Profile.ENTROPY,
        bundles=(1, 1, 5, 3),
        tables=2,
        portrait="",
        performed=True,
    ),
    Recipe(
        "v1-pose-av1-opus",
        StillCodec.AV1,
        AudioParameters(bitrate=12000),
        profile=Profile.POSE,
        bundles=(1, 1, 5, 3),
    ),
    Recipe("v1-pose-fp16-av1", StillCodec.AV1, profile=Profile.POSE_FP16),
    Recipe(
        "v1-entropy3-av1-gaze",
        StillCodec.AV1,
        profile=Profile.ENTROPY,
        bundles=(1, 1, 5, 3),
        tables=3,
        later=True,
    ),
)


def motion(index: int) -> MotionFrame:
    """Smooth motion whose numbers are exact in binary16."""
    value = 0.4 * np.sin(0.3 * index + np.arange(20)).reshape(10, 2)
    turn = 0.1 * np.cos(0.2 * index + np.arange(40)).reshape(10, 2, 2) + np.eye(2)
    return MotionFrame.from_fp16(MotionFrame(value, turn).to_fp16())


def gazing(index: int) -> MotionFrame:
    """The same with eyes that look about: to the camera in the first keyframe, down to the left in
    the second. Exact as keyframes carry it.
    """
    steps = np.array([index * 9 % 91, -index * 5 % 47]) * np.array([-1, 1])
    return replace(motion(index), gaze=steps.astype(np.float32) / np.float32(127))


def pose(index: int) -> PoseFrame:
    """A head that turns and moves, with a blink; exact in binary16 but for its place."""
    angles = np.array([0.4, 0.2, 0.1]) * np.sin(0.3 * index + np.arange(3))
    yaw, pitch, roll = (float(angle) for angle in angles.astype("<f2"))
    place = HeadPlace(0.05 * index - 0.5, 0.1, 0.8 + 0.01 * index)
    return PoseFrame(yaw, pitch, roll, 0.0 if index == 4 else 0.25, 0.3125, place)


def picture(index: int) -> npt.NDArray[np.uint8]:
    """An oval with two dark spots on a gradient: not a face, but as smooth as one."""
    y, x = (np.mgrid[:SIDE, :SIDE] - SIDE / 2) / (SIDE / 2)
    oval = 1 / (1 + np.exp(30 * (x**2 / 0.3 + y**2 / 0.5 - 1)))
    spots = np.exp(-((np.abs(x) - 0.2 - 0.01 * index) ** 2 + (y + 0.2) ** 2) / 0.004)
    back, skin = np.array([60, 90, 120]), np.array([215, 165, 140])
    rgb = (back + 40 * y[..., None]) * (1 - oval[..., None]) + skin * oval[..., None]
    dotted = np.clip(rgb * (1 - 0.8 * spots[..., None]), 0, 255)
    return np.asarray(dotted.round(), np.uint8)


def shape(index: int) -> bytes:
    angle = np.linspace(0, 2 * np.pi, len(POINTS))
    points = np.stack([0.5 * np.cos(angle), 0.6 * np.sin(angle + 0.1 * index)], axis=1)
    return pack_shape(points.astype(np.float32))


def light(index: int) -> Light:
    """Darker and darker at first, then a lamp that is switched on."""
    return Light(1 - index / 8, index - 4).rounded() if index < 9 else Light(1.5, -20.0).rounded()


def make(recipe: Recipe) -> Iterator[Packet]:
    """Two keyframes, each followed by ten frames of motion, and the sound of these frames."""
    header = StreamHeader(
        "avfr-s", WEIGHTS, SIDE, SIDE, recipe.fps, recipe.tick,
        profile=recipe.profile, tables=recipe.tables, audio=recipe.audio,
        identity=recipe.identity.id if recipe.identity else None, portrait=recipe.portrait,
        performed=recipe.performed,
    )  # fmt: skip
    writer = motion_writer(recipe.profile)
    if recipe.profile == Profile.ENTROPY:
        used = MotionSettings()
        writer = MotionEncoder(used.step, used.dead_zone, load_tables(recipe.tables))
    moved = gazing if header.gaze else motion
    sent = pose if recipe.profile in POSES else moved
    sequence = 65530  # wraps
    sound: Iterator[bytes] = iter([])
    if recipe.audio:
        time = np.arange(16000 * 4 // 5) / 16000
        buzz = np.sum([np.sin(2 * np.pi * 130 * n * time) / n for n in range(1, 20)], axis=0)
        encoder = OpusEncoder(recipe.audio.bitrate, recipe.audio.frame_ms)
        pcm = (0.2 * buzz * np.sin(8 * time) ** 2).astype(np.float32)
        sound = iter([*encoder.encode(pcm), *encoder.flush()])
    step = max(1, round(1 / (recipe.fps * recipe.tick)))
    heard = 0
    for frame in range(20):
        pts = recipe.first_pts + frame * step
        packets: list[Packet] = []
        identity = frame // 10 + 14
        if frame % 10 == 0:
            still = encode_picture(picture(frame), max_bytes=2500, codec=recipe.codec)
            if recipe.ahead:
                still, *known = look_ahead(frame)
            keyframe = Keyframe(identity, pts, moved(frame), shape(frame), still)
            packets = [header.to_packet(0), *keyframe.to_packets(0)]
            if frame == 0 and recipe.identity is not None:
                packets[1:1] = introduce(recipe.identity, 0, pts)
        if recipe.base and frame % 10 == 0:
            data = known if recipe.ahead else follow(frame, still)
            chain = list(make_chain(frame, data, identity, pts, step))
        if recipe.base and frame % 10 in (0, 6):
            packets += chain[frame % 10 > 0]
        if recipe.later and frame % 10 == 5:
            # Of a moment that has passed, and in small parts.
            anchor = Anchor(picture(frame - 5), still)
            other = encode_picture(picture(frame - 2), max_bytes=900, after=anchor)
            second = Keyframe(identity - 8, pts - 2 * step, moved(frame - 2), b"", other, identity)
            packets += second.to_packets(0, part=300)
        starts = dict(zip(accumulate((0, *recipe.bundles)), recipe.bundles, strict=False))
        if count := starts.get(frame % 10):
            # The last packet stands on the keyframe's frame, as after an acknowledgement.
            back = frame % 10 if frame % 10 + count == 10 else 1
            reference = pts - back * step if frame % 10 else None
            key = moved(frame // 10 * 10)
            if recipe.later and frame % 10 > 5:
                identity, key, reference = second.id, second.motion, None
            if recipe.light:
                lights = [light(frame + n) for n in range(count)]
                packets.append(LightGroup(identity, pts, step, tuple(lights)).to_packet())
            payload = writer.encode(
                [sent(frame + n) for n in range(count)], pts, identity, key,
                stride=step, reference=reference,
            )  # fmt: skip
            intra = recipe.profile in STATELESS or not payload[0] & 7
            flags = Flags.SYNTHETIC | (Flags.INTRA if intra else Flags.NONE)
            packets.append(Packet(Kind.MOTION, flags, identity, 0, pts % 65536, payload))
        for _ in range(40 // recipe.audio.frame_ms if recipe.audio else 0):
            packets.append(Packet(Kind.AUDIO, Flags.INTRA, identity, 0, heard, next(sound)))
            heard += 1
        for packet in packets:
            yield Packet(
                packet.kind, packet.flags, packet.reference, sequence % 65536, packet.pts,
                packet.payload,
            )  # fmt: skip
            sequence += 1


CHAINED = 0, 1, 2, 3, 4, 5, 6, 7, 9


def follow(first: int, still: CodedPicture) -> list[bytes]:
    """The chain of nine frames, coded one after the other."""
    with ChainEncoder(Anchor(picture(first), still), -20) as encoder:
        return [encoder.encode(picture(first + n)) for n in CHAINED]


def look_ahead(first: int) -> tuple[CodedPicture, *tuple[bytes, ...]]:
    """The same, with its still, by an encoder that knows them all."""
    frames = [to_frame(picture(first + n), "yuv420p10le") for n in (0, *CHAINED)]
    still, data = code_ahead(frames, 45)
    return still, *data


def make_chain(
    first: int, data: Sequence[bytes], reference: int, pts: int, step: int
) -> Iterator[list[Packet]]:
    """The base layer of ten frames in two groups; the second has no picture for one of them."""
    for start, end in ((0, 6), (6, 9)):
        shown = CHAINED[start:end]
        afters = (step * n for n in (0, *np.diff(shown).tolist()))
        frames = tuple(zip(afters, data[start:end], strict=True))
        chain = (250 + first) % 256  # the numbers of chains wrap
        group = BaseGroup(reference, chain, start + 1, 25, (pts + start * step) % 65536, frames)
        yield group.to_packets()


def digest(data: bytes | npt.NDArray[Any]) -> str:
    return hashlib.sha256(data if isinstance(data, bytes) else data.tobytes()).hexdigest()


def describe(path: Path) -> dict[str, Any]:
    """What a stream decodes to. Exact except the sound's `rms`, which decoders may round."""
    assembler, decoder, count = KeyframeAssembler(), OpusDecoder(), BitCount()
    headers: list[StreamHeader] = []
    keyframes: list[dict[str, Any]] = []
    stills: dict[int, CodedPicture] = {}
    introductions, identities = IdentityAssembler(), list[Identity]()
    numbers = hashlib.sha256()
    integers: MotionDecoder | PoseDecoder | None = None
    times: list[tuple[int, int, int]] = []
    rms: list[float] = []
    groups, chains = BaseAssembler(), dict[tuple[int, int], ChainDecoder]()
    base: list[dict[str, Any]] = []
    lights: list[dict[str, Any]] = []
    with path.open("rb") as file:
        reader = Reader(file)
        index = [[entry.pts, entry.offset] for entry in reader.index]
        for packet in reader:
            count.add(packet)
            times.append((int(packet.kind), packet.sequence, packet.pts))
            if packet.kind == Kind.STREAM:
                headers.append(StreamHeader.from_payload(packet.payload))
                if headers[-1].profile == Profile.ENTROPY:
                    integers = integers or MotionDecoder(load_tables(headers[-1].tables or 1))
                elif headers[-1].profile == Profile.POSE:
                    integers = integers or PoseDecoder(load_pose_tables(headers[-1].tables or 1))
            elif packet.kind == Kind.KEYFRAME:
                keyframe = assembler.push(packet)
                if keyframe is not None:
                    stills[keyframe.id] = keyframe.picture
                    keyframes.append(describe_keyframe(keyframe, stills))
            elif packet.kind == Kind.BASE:
                group = groups.push(packet)
                if group is not None:
                    base.append(describe_group(group, stills, chains))
            elif packet.kind == Kind.LIGHT:
                lights.append(describe_lights(LightGroup.from_packet(packet)))
            elif packet.kind == Kind.IDENTITY:
                whole = introductions.push(packet)
                identities += [] if whole is None else [whole]
            elif packet.kind == Kind.MOTION and integers is not None:
                found = integers.decode_integers(packet.payload, packet.pts, packet.reference)
                numbers.update(str(found).encode())
            elif packet.kind == Kind.MOTION and headers[-1].profile == Profile.POSE_FP16:
                numbers.update(PoseFrame.from_fp16(packet.payload).to_fp16())
            elif packet.kind == Kind.MOTION:
                numbers.update(MotionFrame.from_fp16(packet.payload).to_array().tobytes())
            elif packet.kind == Kind.AUDIO:
                rms.append(float(np.sqrt(np.mean(decoder.decode(packet.payload) ** 2))))
    return {
        "file": digest(path.read_bytes()),
        "headers": [describe_header(header) for header in headers],
        "index": index,
        "packets": digest(str(times).encode()),
        "keyframes": keyframes,
        "motion": numbers.hexdigest(),
        "motion_packets": reader.motion_packets,
        "rms": [round(value, 4) for value in rms],
        "bits": count.bits,
        **({"base": base} if base else {}),
        **({"lights": lights} if lights else {}),
        **({"identities": [describe_identity(i) for i in identities]} if identities else {}),
    }


def describe_header(header: StreamHeader) -> dict[str, Any]:
    """The header's fields one by one, so that fields of later versions change nothing here."""
    audio = header.audio
    return {
        "model": header.model,
        "weights": header.weights_sha256.hex(),
        "size": [header.width, header.height],
        "fps": str(header.fps),
        "tick": str(header.time_base),
        "profile": header.profile,
        "synthetic": header.synthetic,
        "audio": None if audio is None else [audio.codec, audio.frame_ms, audio.bitrate],
        **({} if header.portrait is None else {"portrait": header.portrait}),
        **({"performed": True} if header.performed else {}),
    }


def describe_identity(identity: Identity) -> dict[str, Any]:
    return {
        "id": identity.id.hex(),
        "model": identity.model,
        "weights": identity.weights_sha256.hex(),
        "changes": {name: digest(change.delta()) for name, change in identity.changes.items()},
    }


def describe_group(
    group: BaseGroup,
    stills: dict[int, CodedPicture],
    chains: dict[tuple[int, int], ChainDecoder],
) -> dict[str, Any]:
    key = (group.reference, group.chain)
    if group.index == 1:
        chains[key] = ChainDecoder(stills[group.reference])
    return {
        "reference": group.reference,
        "chain": group.chain,
        "index": group.index,
        "quality": group.quality,
        "pts": group.pts,
        "times": list(group.times),
        "bytes": [len(data) for _, data in group.frames],
        "rgb": [digest(chains[key].decode(data)) for _, data in group.frames],
    }


def describe_lights(group: LightGroup) -> dict[str, Any]:
    return {
        "reference": group.reference,
        "pts": group.pts,
        "stride": group.stride,
        "lights": [[light.gain, light.offset] for light in group.lights],
        "grey": [light.on(np.full(1, 100, np.uint8)).tolist() for light in group.lights],
    }


def describe_keyframe(keyframe: Keyframe, stills: dict[int, CodedPicture]) -> dict[str, Any]:
    if keyframe.base is None:
        landmarks: dict[str, Any] = {"shape": digest(unpack_shape(keyframe.shape))}
        after = None
    else:
        landmarks, after = {"base": keyframe.base}, stills[keyframe.base]
    return landmarks | {
        "id": keyframe.id,
        "pts": keyframe.pts,
        "codec": keyframe.picture.codec.name,
        "quality": keyframe.picture.quality,
        "bytes": len(keyframe.picture.data),
        "rgb": digest(decode_picture(keyframe.picture, after)),
        "motion": digest(keyframe.motion.to_array()),
        **({"gaze": keyframe.motion.gaze.tolist()} if keyframe.motion.gaze.any() else {}),
    }


def main() -> int:
    for recipe in RECIPES:
        path = FOLDER / f"{recipe.name}.fwire"
        if path.exists():
            print(f"{path.name} is there and stays")
            continue
        with path.open("xb") as file:
            writer = Writer(file)
            for packet in make(recipe):
                writer.write(packet)
            writer.close()
        path.with_suffix(".json").write_text(json.dumps(describe(path), indent=1) + "\n")
        print(f"{path.name}: {path.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
