"""`facewire info`: what is in a .fwire, and what each part costs."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections import deque
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import names
from .kinds import must_be_stream

if TYPE_CHECKING:
    from ..codec.base_packets import BaseGroup
    from ..codec.keyframe import Keyframe
    from ..codec.motion.frame import MotionFrame
    from ..codec.motion.profiles import MotionReader
    from ..codec.packet import Packet
    from ..codec.stream import StreamHeader

__all__ = ["add_parser", "describe", "run", "table"]

_EPILOG = """\
examples:
  facewire info talk.fwire
  facewire info talk.fwire --json | jq .kbps.total
  facewire info --runtime                      how fast networks run on this machine

The bits add up to the size of the file: payloads by kind (an identity counts as keyframe), and as
"container" everything else (packet headers, checksums, stream headers, index). bpp is
bits / (frames x width x height) of the coded square. Each picture that frames are animated from is
listed with its time, its bytes, and the number of frames that refer to it. IN may be `-` or a pipe.
"""
_SHOWN = 20  # references in the table


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe `facewire info`."""
    parser = subparsers.add_parser(
        "info",
        help="what is in a .fwire, and what each part costs",
        description="Show frames, duration and the bits of every part of a .fwire stream,\n"
        "or what runs the networks on this machine.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("input", metavar="IN.fwire", nargs="?")
    what.add_argument(
        "--runtime",
        action="store_true",
        help="show processor, precisions and frames a second instead",
    )
    parser.add_argument(
        "--weights",
        metavar="SIZE|DIR",
        default="s",
        help="with --runtime: the network to run (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, for programs")


def run(args: argparse.Namespace) -> int:
    """Print what is in a file, or what this machine can do."""
    if args.runtime:
        from . import runtime_facts

        found = runtime_facts.describe(args.weights)
        print(json.dumps(found, indent=2) if args.json else runtime_facts.table(found))
        return 0
    with names.readable(args.input) as path:
        must_be_stream(path, args.input)
        facts = describe(path)
    print(json.dumps(facts, indent=2) if args.json else table(facts))
    return 0


def describe(path: Path) -> dict[str, Any]:
    """Read a `.fwire` file; returns what `facewire info --json` prints.

    Raises:
        StreamError: it is not a `.fwire` file, or has no stream header that can be read.
        OSError: the file cannot be read.
    """
    from ..codec.errors import StreamError
    from ..codec.file.container import Reader

    with path.open("rb") as file:
        reader = Reader(file)
        survey = _Survey()
        for packet in reader:
            survey.add(packet)
    if survey.header is None:
        raise StreamError(f"{path} holds no stream header that can be read")
    survey.bits.fill_to(path.stat().st_size)
    return survey.facts(survey.header, reader.damaged)


_LONGEST_PAUSE = 3600
"""Seconds without a frame that count. A jump of a year is none that somebody waited for."""
_LATE = 8192
"""Ticks: a frame that seems so little before the last one came late, not after a long pause."""
_EARLY = 1000
"""Packets of motion that wait for their keyframe, as a recording of a call begins with some."""


class _Survey:
    """Counts over the packets of a stream, for which no network is needed."""

    def __init__(self) -> None:
        from ..codec.base_packets import BaseAssembler
        from ..codec.file.accounting import BitCount
        from ..codec.identity_packets import IdentityAssembler
        from ..codec.keyframe import KeyframeAssembler
        from ..receiver.files.clock import FileClock

        self.header: StreamHeader | None = None
        self.bits = BitCount()
        self._assembler = KeyframeAssembler()
        self._motion: MotionReader | None = None
        self._keys: dict[int, MotionFrame] = {}
        self._introductions = IdentityAssembler()
        self._identity_bytes = 0
        self._identity_whole = False
        self._references: list[dict[str, Any]] = []
        self._known: dict[int, dict[str, Any]] = {}
        self._groups = BaseAssembler()
        self._base_frames = 0
        self._qualities: dict[tuple[int, int], int] = {}  # of each chain
        self._joinable = False
        self._frames = 0
        self._damaged = 0
        self._early: deque[tuple[Packet, int]] = deque(maxlen=_EARLY)  # before their keyframe
        self._lost = 0  # packets of motion that are predicted from what is not in the file
        self._start: int | None = None
        self._now = 0  # pts of the last frame, not wrapped
        self._clock = FileClock(_LONGEST_PAUSE)

    def add(self, packet: Packet) -> None:
        """Count a packet. Raises `UnsupportedError` if this build cannot read the stream."""
        from ..codec.errors import FacewireError, UnsupportedError
        from ..codec.motion.profiles import motion_reader
        from ..codec.packet import Kind
        from ..codec.stream import StreamHeader

        if packet.kind != Kind.MOTION:
            self.bits.add(packet)
        try:
            if packet.kind == Kind.STREAM:
                self._joinable = True
                header = StreamHeader.from_payload(packet.payload)
                if self.header is None:
                    self._motion = motion_reader(header.profile, header.tables)
                    self.header = header
            elif packet.kind == Kind.BASE:
                self._count_base(self._groups.push(packet))
            elif packet.kind == Kind.IDENTITY:
                self._identity_bytes += len(packet.payload)
                self._identity_whole |= self._introductions.push(packet) is not None
            elif packet.kind == Kind.KEYFRAME:
                self._count_reference(self._assembler.push(packet))
            elif packet.kind == Kind.MOTION:
                self._count_motion(packet)
        except UnsupportedError:
            if self.header is None:
                raise
            self._damaged += 1
        except FacewireError:
            self._damaged += 1

    def _count_base(self, group: BaseGroup | None) -> None:
        """Count a group of the base layer; None: it is not complete yet."""
        if group is not None:
            self._base_frames += len(group.frames)
            self._qualities[group.reference, group.chain] = group.quality

    def _count_reference(self, keyframe: Keyframe | None) -> None:
        """List a keyframe; None: it is not complete yet."""
        if keyframe is None:
            return
        self._keys[keyframe.id] = keyframe.motion
        # Its time is not wrapped: a pause may be longer than 16 bits of ticks.
        if self._start is None:
            self._start = keyframe.pts
        self._now = max(self._now, keyframe.pts)
        known: dict[str, Any] = {
            "time_s": round(float(self._placed(keyframe.pts, Fraction(0))), 3),
            "id": keyframe.id,
            "bytes": len(keyframe.picture.data),
            "codec": keyframe.picture.codec.name.lower(),
            "base": keyframe.base,
            "join": self._joinable,
            "frames": 0,
        }
        self._known[keyframe.id] = known
        self._references.append(known)
        self._joinable = False
        for packet, frames in list(self._early):
            if packet.reference == keyframe.id:
                self._early.remove((packet, frames))
                self._decode(packet, frames)

    def _count_motion(self, packet: Packet) -> None:
        """Count the frames that a packet announces; decode it as soon as its keyframe is here."""
        from ..codec.errors import FacewireError
        from ..codec.motion.profiles import motion_ticks

        ticks = [0]
        if self.header is not None:
            with contextlib.suppress(FacewireError):
                ticks = motion_ticks(self.header.profile, packet.payload)
        if packet.reference in self._keys:
            self._decode(packet, len(ticks))
        else:
            self._lost += len(self._early) == _EARLY  # the oldest gives way
            self._early.append((packet, len(ticks)))
        self.bits.add(packet, frames=len(ticks))
        for after in ticks:
            self._count_frame((packet.pts + after) % 65536)

    def _decode(self, packet: Packet, frames: int) -> None:
        """Decode motion whose keyframe is here, to see whether that can be done."""
        from ..codec.errors import FacewireError
        from ..codec.motion.entropy import MissingReferenceError

        if packet.reference in self._known:
            self._known[packet.reference]["frames"] += frames
        if self._motion is None:
            return
        key = self._keys[packet.reference]
        try:
            self._motion.decode(packet.payload, packet.pts, packet.reference, key)
        except MissingReferenceError:
            self._lost += 1
        except FacewireError:
            self._damaged += 1

    def _count_frame(self, pts: int) -> None:
        self._frames += 1
        if self._start is None:
            self._start = self._now = pts
        ahead = (pts - self._now) % 65536
        if ahead >= 65536 - _LATE:
            return
        self._now += ahead
        self._placed(self._now, Fraction(1) if self.header is None else 1 / self.header.fps)

    def _placed(self, pts: int, duration: Fraction) -> Fraction:
        """Seconds after the first frame at which something is shown that lasts `duration`."""
        if self.header is None:
            return Fraction(0)
        after = (pts - (self._start or 0)) * self.header.time_base
        return self._clock.place(self.header, after, duration)

    def facts(self, header: StreamHeader, damaged_records: int) -> dict[str, Any]:
        """The keys of `facewire info --json`, in this order; `lost_motion`, `gaze`, `base`,
        `identity`, `portrait`, `performed` and `mouth_rests` only if there is one.
        """
        duration = self._clock.end if self._frames else Fraction(0)
        lost = self._lost + len(self._early)
        base: dict[str, Any] = {}
        if self._base_frames:
            crf = self._qualities.values()
            base["base"] = {
                "frames": self._base_frames,
                "chains": len(crf),
                "crf": [min(crf), max(crf)],
            }
        identity: dict[str, Any] = {}
        if header.identity is not None:
            identity["identity"] = {
                "id": header.identity.hex(),
                "bytes": self._identity_bytes,
                "whole": self._identity_whole,
            }
        return {
            "frames": self._frames,
            "fps": round(float(header.fps), 6),
            "width": header.width,
            "height": header.height,
            "duration_s": round(float(duration), 6),
            "profile": str(header.profile),
            "model": header.model,
            "bits": self.bits.bits,
            "bpp": self.bits.bpp(self._frames, header.width, header.height),
            "kbps": self.bits.kbps(duration),
            "motion_bits_per_frame": self.bits.motion_bits_per_frame(),
            "keyframes": len(self._references),
            "damaged_packets": damaged_records + self._damaged,
            "references": self._references,
            **({"lost_motion": lost} if lost else {}),
            **({"gaze": True} if header.gaze else {}),
            **base,
            **identity,
            **({} if header.portrait is None else {"portrait": {"consent": header.portrait}}),
            **({"performed": True} if header.performed else {}),
            **({"mouth_rests": True} if header.mouth_rests else {}),
        }


def _reference_lines(facts: dict[str, Any]) -> list[str]:
    """A line for each picture, or for the first ones if there are many."""
    known = facts["references"]
    if not known:
        return []
    lines = ["", f"{'reference':<10}{'at, s':>9}{'bytes':>8}{'frames':>8}  coded"]
    for each in known[:_SHOWN]:
        coded = f"after {each['base']}" if each["codec"] == "av1_after" else each["codec"]
        joined = ", join here" if each["join"] else ""
        lines.append(
            f"{each['id']:<10}{each['time_s']:>9.2f}{each['bytes']:>8}{each['frames']:>8}  "
            f"{coded}{joined}"
        )
    return lines + ([f"… and {len(known) - _SHOWN} more (--json)"] if len(known) > _SHOWN else [])


def _base_line(facts: dict[str, Any]) -> list[str]:
    base = facts.get("base")
    if base is None:
        return []
    best, worst = base["crf"]
    crf = f"{best}" if best == worst else f"{best} to {worst}"
    return [
        f"base layer: {base['frames']} frames in {base['chains']} chain"
        f"{'s' * (base['chains'] != 1)}, CRF {crf}, counted as residual"
    ]


def _lost_line(facts: dict[str, Any]) -> list[str]:
    lost = facts.get("lost_motion", 0)
    refers = "refers" if lost == 1 else "refer"
    packets = f"{lost} packet{'s' * (lost != 1)} of motion"
    return [f"{packets} {refers} to a picture or motion that is not in the file"] if lost else []


def _gaze_line(facts: dict[str, Any]) -> list[str]:
    return ["gaze: sent with the motion of each frame"] if facts.get("gaze") else []


def _mouth_line(facts: dict[str, Any]) -> list[str]:
    rests = "mouth: rests as in the keyframe; it is not sent, and no sound is there to move it"
    return [rests] if facts.get("mouth_rests") else []


def _identity_line(facts: dict[str, Any]) -> list[str]:
    identity = facts.get("identity")
    if identity is None:
        return []
    inside = f"{identity['bytes']} bytes in the stream, counted as keyframe"
    if not identity["whole"]:
        inside += ", incomplete" if identity["bytes"] else " (it must be given with --identity)"
    return [f"identity {identity['id']}: {inside}"]


def _portrait_line(facts: dict[str, Any]) -> list[str]:
    portrait = facts.get("portrait")
    if facts.get("performed"):
        line = "performed: nobody was before a camera; a photograph moves with the sound"
        consent = "" if portrait is None else portrait["consent"]
        return [f"{line}, and shows another person, with consent: {consent}" if consent else line]
    if portrait is None:
        return []
    if not portrait["consent"]:
        return ["portrait: the sender's own, moved by his face"]
    return [f"portrait: moved by another person's face, with consent: {portrait['consent']}"]


def table(facts: dict[str, Any]) -> str:
    """The same facts as text."""
    motion = facts["motion_bits_per_frame"]
    lines = [
        f"{facts['frames']} frames of {facts['width']}x{facts['height']}, {facts['fps']:g} fps, "
        f"{facts['duration_s']:.2f} s; {facts['keyframes']} keyframe"
        f"{'s' * (facts['keyframes'] != 1)}; model {facts['model']}, profile {facts['profile']}",
        f"motion payload: mean {motion['mean']:.1f} bits a frame, p95 {motion['p95']:.1f}, "
        f"max {motion['max']:.1f}",
        f"damaged packets: {facts['damaged_packets']}",
        *_lost_line(facts),
        *_gaze_line(facts),
        *_mouth_line(facts),
        *_base_line(facts),
        *_identity_line(facts),
        *_portrait_line(facts),
        *_reference_lines(facts),
        "",
        f"{'part':<12}{'bits':>12}{'bpp':>12}{'kbit/s':>12}{'share':>9}",
    ]
    total = facts["bits"]["total"] or 1
    for part, bits in facts["bits"].items():
        lines.append(
            f"{part:<12}{bits:>12,}{facts['bpp'][part]:>12.5f}{facts['kbps'][part]:>12.3f}"
            f"{bits / total:>9.1%}"
        )
    return "\n".join(lines)
