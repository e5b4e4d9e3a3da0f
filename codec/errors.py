"""Errors: they have one root, and each is also the builtin error that fits it.

    FacewireError
    ├── MediaError (ValueError)            a video, picture or sound that cannot be used
    │   ├── NotAVideoError                 nothing in the file decodes as video
    │   └── NoFaceError                    no face in the whole input
    ├── StreamError (ValueError)           bytes that are not a well-formed facewire stream
    │   ├── TruncatedError (EOFError)      the data stops in the middle of something
    │   ├── DamagedError                   a checksum does not match
    │   └── UnsupportedError               a version, model, profile or codec unknown here
    ├── MotionError (ValueError)           keypoints that are not finite or of the wrong shape
    ├── ConfigError (ValueError)           a setting that makes no sense
    ├── ConsentError (PermissionError)     somebody else's face, without a word that they agreed
    ├── OutputError (OSError)              a place where no file can be written
    │   └── OutputExistsError (FileExistsError)   the file exists and was not to be replaced
    ├── WeightsError (RuntimeError)        weights missing, of another model, or with another hash
    ├── CallError (ConnectionError)        a call that cannot begin or go on
    │   ├── LinkError (ValueError)         a link or code that is not one, or was cut
    │   ├── RoomError                      a room that cannot be entered, or whose time is over
    │   │   └── UsedRoomError              somebody else came first
    │   ├── RendezvousError                a server that is down or does not keep the protocol
    │   ├── SealError                      a message that was not sealed with this link's secret
    │   └── PeerError                      the other side runs something that does not fit
    ├── DeviceError (OSError)              a camera, microphone, loudspeaker or screen that fails
    ├── MissingExtraError (ImportError)    an optional dependency is not installed
    ├── EvaluationError (RuntimeError)     a codec or a measurement that failed to run
    └── TrainingError (RuntimeError)       training data or a checkpoint that cannot be used

The command lines turn any of these into one sentence on stderr and exit code 1.
"""

from __future__ import annotations

__all__ = [
    "CallError",
    "ConfigError",
    "ConsentError",
    "DamagedError",
    "DeviceError",
    "EvaluationError",
    "FacewireError",
    "LinkError",
    "MediaError",
    "MissingExtraError",
    "MotionError",
    "NoFaceError",
    "NotAVideoError",
    "OutputError",
    "OutputExistsError",
    "PeerError",
    "RateError",
    "RendezvousError",
    "RoomError",
    "SealError",
    "StreamError",
    "TrainingError",
    "TruncatedError",
    "UnsupportedError",
    "UsedRoomError",
    "WeightsError",
]


class FacewireError(Exception):
    """Root of every error that facewire raises on purpose."""


class MediaError(FacewireError, ValueError):
    """A video, picture or sound that cannot be used."""


class NotAVideoError(MediaError):
    """Nothing in the file decodes as video."""


class NoFaceError(MediaError):
    """No face was found in the whole input."""


class StreamError(FacewireError, ValueError):
    """Bytes that are not a well-formed facewire stream."""


class TruncatedError(StreamError, EOFError):
    """The data stops in the middle of something."""


class DamagedError(StreamError):
    """A checksum does not match."""


class UnsupportedError(StreamError):
    """A version, model, profile or codec that this build does not know."""


class MotionError(FacewireError, ValueError):
    """Keypoints that are not finite, out of range, or of the wrong shape."""


class ConfigError(FacewireError, ValueError):
    """A setting that is out of range or does not fit another one."""


class RateError(ConfigError):
    """A rate that is lower than the stream needs.

    Attributes:
        least_kbps: the lowest rate that is possible, of everything together, in 1000 bits a second.
    """

    def __init__(self, message: str, least_kbps: float) -> None:
        super().__init__(message)
        self.least_kbps = least_kbps

    def __reduce__(self) -> tuple[type[RateError], tuple[str, float]]:
        return RateError, (str(self), self.least_kbps)


class ConsentError(FacewireError, PermissionError):
    """Somebody else's face is to be shown, and nothing says that they agreed."""


class OutputError(FacewireError, OSError):
    """A place where no file can be written: a folder, a socket, a folder that does not exist."""


class OutputExistsError(OutputError, FileExistsError):
    """The file exists, and the caller did not ask for it to be replaced."""


class WeightsError(FacewireError, RuntimeError):
    """Weights that are missing, of another model, or whose hash differs."""


class EvaluationError(FacewireError, RuntimeError):
    """A codec under test, or a measurement, that failed to run."""


class TrainingError(FacewireError, RuntimeError):
    """Training data or a checkpoint that cannot be used."""


class CallError(FacewireError, ConnectionError):
    """A call that cannot begin or cannot go on."""


class LinkError(CallError, ValueError):
    """A link or a code that is not one, or of which a part is missing."""


class RoomError(CallError):
    """A room that cannot be entered, or whose time is over."""


class UsedRoomError(RoomError):
    """A room that somebody has opened or entered before."""


class RendezvousError(CallError):
    """A server that cannot be reached, or that does not keep the protocol."""


class SealError(CallError):
    """A message that was not sealed with this link's secret, or that belongs to another room."""


class PeerError(CallError):
    """The other side runs a version, a network or a profile that does not fit this side."""


class DeviceError(FacewireError, OSError):
    """A camera, microphone, loudspeaker or screen that is missing, busy or was unplugged."""


class MissingExtraError(FacewireError, ImportError):
    """An optional dependency is not installed; the message says how to get it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs an optional part. In a clone of facewire: pip install '.[{extra}]'. "
            f"Where facewire is on a package index: pip install 'facewire[{extra}]'"
        )
        self._parts = (feature, extra)

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        """Lets it be pickled: an error may come from another process."""
        return type(self), self._parts
