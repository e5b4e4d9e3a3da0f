"""facewire: video calls over almost no bandwidth.

An application needs only the names below. Each of them is loaded when it is first used, so that
`import facewire` costs next to nothing and receiving loads neither torch nor mediapipe.

    >>> from facewire import Decoder, PictureOutput
    >>> with Decoder() as decoder:
    ...     for output in decoder.decode(datagram):
    ...         if isinstance(output, PictureOutput):
    ...             show(output.frame)
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .codec.errors import FacewireError
    from .codec.packet import Packet
    from .receiver.config import DecoderConfig
    from .receiver.decoder import Decoder
    from .receiver.files.player import decode_file
    from .receiver.outputs import PictureOutput, SoundOutput
    from .sender.config import EncoderConfig
    from .sender.encoder import Encoder
    from .sender.files import encode_file
    from .sender.photo import Portrait, read_portrait

__all__ = [
    "Decoder",
    "DecoderConfig",
    "Encoder",
    "EncoderConfig",
    "FacewireError",
    "Packet",
    "PictureOutput",
    "Portrait",
    "SoundOutput",
    "__version__",
    "decode_file",
    "encode_file",
    "read_portrait",
]

__version__ = "0.1.0"

_HOMES = {
    "Decoder": "receiver.decoder",
    "DecoderConfig": "receiver.config",
    "Encoder": "sender.encoder",
    "EncoderConfig": "sender.config",
    "FacewireError": "codec.errors",
    "Packet": "codec.packet",
    "PictureOutput": "receiver.outputs",
    "Portrait": "sender.photo",
    "SoundOutput": "receiver.outputs",
    "decode_file": "receiver.files.player",
    "encode_file": "sender.files",
    "read_portrait": "sender.photo",
}

# OpenVINO reports each import to Google Analytics unless its telemetry package cannot be imported,
# and so does NNCF. facewire films faces: in its processes nothing reports to anybody.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


def _load_opencv_before_pyav() -> None:
    """On Linux, PyAV brings a libxcb of its own, and OpenCV's windows (by Qt) hang for ever if that
    is loaded before they are (PyAV's issue 1050). So an OpenCV that has windows is loaded first.
    The headless one has none, and is left alone: importing it takes time.
    """
    if not sys.platform.startswith("linux") or {"av", "cv2"} & set(sys.modules):
        return
    found = importlib.util.find_spec("cv2")
    if found is not None and found.origin and Path(found.origin).with_name("qt").is_dir():
        importlib.import_module("cv2")


_load_opencv_before_pyav()

# In a checkout the other folders lie beside this one; so Python finds them there too.
if not Path(__file__).with_name("codec").exists():
    __path__.append(str(Path(__file__).resolve().parents[1]))


def __getattr__(name: str) -> Any:
    """Load a name when it is first asked for (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
