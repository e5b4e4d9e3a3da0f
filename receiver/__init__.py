"""The receiving side: packets to pictures and sound. No torch, no mediapipe needed."""

from .decoder import Decoder
from .output import DecoderConfig, Output, Statistics
from .player import DecodeReport, decode_file, file_config

__all__ = [
    "DecodeReport",
    "Decoder",
    "DecoderConfig",
    "Output",
    "Statistics",
    "decode_file",
    "file_config",
]
