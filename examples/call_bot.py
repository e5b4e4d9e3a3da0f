"""A bot: it answers a call of `facewire call`, shows a video, and keeps what it sees.

    facewire call                                      prints a link
    python examples/call_bot.py LINK talk.mp4 seen.mp4

`LineThread` is the connection (ICE, DTLS and SRTP by aiortc), and `CallWorkers` codes and decodes.
`Conversation` carries pictures and sound between them and two files, which take the place of
camera, microphone, loudspeaker and screen. Whatever has the methods of `call/devices/ports.py` can
take the place of the files.
"""

from __future__ import annotations

import sys
import time
from contextlib import closing
from pathlib import Path

from facewire.call.abilities import Abilities
from facewire.call.config import CallConfig
from facewire.call.conversation import Conversation, Parts
from facewire.call.devices.files import FileSink, FileSource
from facewire.call.line.line_thread import LineSettings, LineThread
from facewire.call.meeting.link import Link
from facewire.call.session import CallSession
from facewire.call.signing import PublicKey, SigningKey
from facewire.call.workers import CallWorkers
from facewire.codec.errors import FacewireError
from facewire.models.weights import shipped


def make_session() -> CallSession:
    """The media of a call, at 16 kbit/s with all headers."""
    return CallSession(CallConfig(overhead_bytes=43, reliable=True), now=time.monotonic())


def answer(link: str, film: Path, seen: Path) -> int:
    """Hold a call until the film ends or the other side leaves; the number of pictures seen."""
    key = SigningKey()
    own = Abilities.here("s", key.public)

    def check(abilities: bytes, ends: bytes) -> None:
        other = Abilities.parse(abilities)
        own.fit(other)  # raises, and so ends the call, if one could not show the other
        workers.bind(key, PublicKey(other.key), ends)

    line = LineThread(LineSettings(link=Link.parse(link)), abilities=bytes(own), check=check)
    with (
        CallWorkers(make_session()) as workers,
        closing(line),
        closing(FileSource(film)) as source,
        closing(FileSink(seen)) as sink,
    ):
        workers.session.prepare()
        for network in shipped():  # whichever the other side sends for
            workers.session.incoming.decoder.prepare(network)
        line.start()
        parts = Parts(workers, line, eye=source, ear=source, mouth=sink, film=sink.show)
        Conversation(parts).run()
        return workers.statistics.shown


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: python examples/call_bot.py LINK FILM.mp4 SEEN.mp4")
    try:
        print(f"{answer(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))} pictures seen")
    except FacewireError as error:
        sys.exit(f"call_bot: {error}")
