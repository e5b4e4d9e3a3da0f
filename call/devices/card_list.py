"""Which sound cards there are: `list_cards` for people, `CardList` while other cards are in use.

PortAudio makes its list of cards when it starts, and never again. A process that has cards open
cannot renew the list without closing them, so `CardList` asks another process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ...codec.errors import DeviceError, MissingExtraError

__all__ = ["CardList", "Named", "list_cards", "named", "portaudio"]

_KINDS = (("microphone", "input"), ("loudspeaker", "output"))
_LONGEST_S = 8.0
_LOOK = "import json, sounddevice; print(json.dumps(list(sounddevice.query_devices())))"


class Named(NamedTuple):
    """A sound card.

    Attributes:
        kind: "microphone" or "loudspeaker"; a card that is both stands twice in a list.
        name: as the system calls it.
    """

    kind: str
    name: str


def portaudio() -> Any:
    """Import the module `sounddevice`.

    Raises:
        MissingExtraError: it is not installed.
        DeviceError: PortAudio, which it needs, is not installed.
    """
    try:
        import sounddevice
    except ImportError as error:
        raise MissingExtraError("sound in a call", "call") from error
    except OSError as error:
        raise DeviceError(
            "there is no sound without the library PortAudio: install libportaudio2 (Debian, "
            "Ubuntu), or portaudio (Fedora, Arch, Homebrew)"
        ) from error
    return sounddevice


def named(devices: Iterable[Mapping[str, Any]]) -> frozenset[Named]:
    """The cards among the devices that `sounddevice.query_devices` lists."""
    return frozenset(
        Named(kind, str(device["name"])) for device in devices for kind in _kinds(device)
    )


def list_cards(module: Any = None) -> list[str]:
    """Names of microphones and loudspeakers, one in a line. Raises what `portaudio` raises."""
    sd = module or portaudio()
    return [
        f"{number}: {device['name']} ({', '.join(kinds)})"
        for number, device in enumerate(sd.query_devices())
        if (kinds := _kinds(device))
    ]


class CardList:
    """Asks a second process which cards there are.

    Args:
        command: prints the devices as JSON; tests give one of their own. The default is Python with
            `sounddevice`. A program that is frozen into one file has no such Python; there it is
            None, and nothing is known.
    """

    def __init__(self, command: list[str] | None = None) -> None:
        frozen = getattr(sys, "frozen", False)
        self._command = command or (None if frozen else [sys.executable, "-P", "-c", _LOOK])

    def look(self) -> frozenset[Named] | None:
        """The cards that are there now; None if that cannot be found out. It takes about 0.1 s of
        CPU time, and waits for 8 s at most.
        """
        if self._command is None:
            return None
        try:
            run = subprocess.run(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=_LONGEST_S,
                check=True,
            )
            return named(json.loads(run.stdout))
        except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
            return None


def _kinds(device: Mapping[str, Any]) -> list[str]:
    return [kind for kind, key in _KINDS if device[f"max_{key}_channels"] > 0]
