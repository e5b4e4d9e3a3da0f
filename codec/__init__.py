"""facewire.codec: the wire format. Packets, keyframes, sound, files; no network, no torch.

The names below are the public ones; each is documented where it is defined.
"""

from .audio import OpusDecoder, OpusEncoder
from .bits import BitCount
from .clock import Unwrapper
from .container import IndexEntry, Reader, Writer, atomic_file
from .identity import Identity, TensorChange, read_identity, write_identity
from .introduction import IdentityAssembler, introduce
from .keyframe import Keyframe, KeyframeAssembler
from .motion import MotionFrame
from .motion_code import MissingReferenceError
from .packet import Flags, Kind, Packet
from .profiles import MotionSettings, Profile, motion_reader, motion_ticks, motion_writer
from .still import Anchor, Picture, StillCodec, decode_picture, encode_picture
from .stream import AudioParameters, StreamHeader

__all__ = [
    "Anchor",
    "AudioParameters",
    "BitCount",
    "Flags",
    "Identity",
    "IdentityAssembler",
    "IndexEntry",
    "Keyframe",
    "KeyframeAssembler",
    "Kind",
    "MissingReferenceError",
    "MotionFrame",
    "MotionSettings",
    "OpusDecoder",
    "OpusEncoder",
    "Packet",
    "Picture",
    "Profile",
    "Reader",
    "StillCodec",
    "StreamHeader",
    "TensorChange",
    "Unwrapper",
    "Writer",
    "atomic_file",
    "decode_picture",
    "encode_picture",
    "introduce",
    "motion_reader",
    "motion_ticks",
    "motion_writer",
    "read_identity",
    "write_identity",
]
