"""The sending side: video and sound in, packets out (extra `[encode]`)."""

from .config import EncoderConfig
from .encoder import Encoder, EncoderStatistics
from .files import EncodeReport, encode_file

__all__ = ["EncodeReport", "Encoder", "EncoderConfig", "EncoderStatistics", "encode_file"]
