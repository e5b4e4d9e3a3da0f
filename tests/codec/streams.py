"""A `.fwire` file of three keyframes with motion, and where its records end."""

from __future__ import annotations

import io

from facewire.codec.file.container import HEAD_BYTES, Reader, Writer
from facewire.codec.file.records import pack_record
from facewire.codec.packet import Flags, Kind, Packet
from facewire.codec.stream import StreamHeader

from .makers import make_keyframe, make_motion

HEADER = StreamHeader("avfr-s", bytes(32))


def make_packets(keyframes: int = 3, motion: int = 5, size: int = 1500) -> list[Packet]:
    packets: list[Packet] = []
    for index in range(keyframes):
        packets.append(HEADER.to_packet(len(packets)))
        keyframe = make_keyframe(index % 16, index * motion, size)
        packets += keyframe.to_packets(len(packets))
        for frame in range(motion):
            pts, payload = index * motion + frame, make_motion(frame).to_fp16()
            sequence = len(packets) % 65536
            packets.append(
                Packet(Kind.MOTION, Flags.SYNTHETIC, index % 16, sequence, pts % 65536, payload)
            )
    return packets


def make_file(packets: list[Packet]) -> bytes:
    file = io.BytesIO()
    writer = Writer(file)
    for packet in packets:
        writer.write(packet)
    writer.close()
    assert writer.bytes_written == len(file.getvalue())
    return file.getvalue()


PACKETS = make_packets()
FILE = make_file(PACKETS)
ENDS = [HEAD_BYTES]
for _packet in PACKETS:
    ENDS.append(ENDS[-1] + len(pack_record(bytes(_packet))))


def read(data: bytes) -> tuple[list[Packet], Reader]:
    reader = Reader(io.BytesIO(data))
    return list(reader), reader
