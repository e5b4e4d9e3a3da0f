"""`facewire call`: a call between two people."""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..codec.errors import ConfigError, DeviceError
from . import names
from .call_question import check_question, may_start
from .call_session import load, make_session, own_picture, stand_in_for
from .call_settings import check_extra, line_settings
from .encode import add_portrait
from .rendezvous import port

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..call.conversation import Conversation, Parts
    from ..call.line.line_thread import LineSettings, LineThread
    from ..call.window import Window

    _Sayer = Callable[[str], None]

__all__ = ["add_parser", "run"]

_EPILOG = """\
examples:
  facewire call                                      starts a call and prints its link
  facewire call 'http://10.0.0.2:40123/ROOM#SECRET'  joins the call of this link; keep the quotes
  facewire call --server https://call.example:8443   starts a call that others can join through
                                                     this server, also from another network
  facewire call --copy-paste                         needs no server: you exchange two codes by any
                                                     messenger
  facewire call --in talk.mp4 --out seen.mp4 LINK    uses files in place of camera and window

You see your own picture first, and nothing is sent before you agree (with --out, which opens no
window, the terminal asks). The link lets in one guest and works for ten minutes. Whoever has it can
join, so send it to one person only. Then read the four words in the window to each other: if both
of you see the same ones, nobody is listening in between.

With --portrait PHOTO, the other side sees this picture of yourself in place of the camera's, and it
moves as you do. Another person's picture needs --portrait-consent (facewire encode --help tells
more). With --speak PHOTO no camera is opened: the mouth in the picture follows your voice, and its
head and lids move by themselves (facewire speak --help tells more). Both windows say that it is
synthetic.

The link without --server works only within your own network. docs/calling.md tells how to call
somebody in another one.

keys in the window: m mutes the microphone, c switches the camera off, h hides your own picture, and
f fills the screen; each does the reverse when it is pressed again. p lets a photograph (your
portrait, or else your last picture) speak in the camera's place, and p again ends that. + and -
let your side send more or fewer kbit/s, ? shows or hides these keys, and q leaves.

environment: FACEWIRE_TURN_USER and FACEWIRE_TURN_PASSWORD hold the name and the password for a
TURN server
"""
_MOVIES = (".mp4", ".m4v", ".mov", ".mkv")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe `facewire call`."""
    parser = subparsers.add_parser(
        "call",
        help="call somebody, with a camera and a microphone",
        description="Call somebody. Without LINK, this starts a call and prints a link to it.\n"
        "With LINK, this joins the call of the person who sent you the link.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "link", metavar="LINK", nargs="?", help="the link of a call to join, in quotes"
    )
    names.add_force(parser)
    parser.add_argument(
        "--yes",
        action="store_true",
        help="start without asking: camera and microphone are sent as soon as somebody joins",
    )
    parser.add_argument("--quiet", action="store_true", help="print only the link and errors")
    _add_meeting(parser.add_argument_group("meeting"))
    _add_media(parser.add_argument_group("picture and sound"))
    portrait = parser.add_argument_group("portrait")
    add_portrait(portrait)
    portrait.add_argument(
        "--speak",
        type=Path,
        metavar="PHOTO",
        help="open no camera, but show this picture of yourself, moved by your voice",
    )
    _add_files(parser.add_argument_group("files"))


def _add_meeting(meet: argparse._ArgumentGroup) -> None:
    meet.add_argument("--server", metavar="URL", help="let both meet at this rendezvous server")
    meet.add_argument(
        "--host",
        metavar="NAME",
        help="put this name or address of your machine into the link (default: its "
        "address in your own network)",
    )
    meet.add_argument(
        "--port",
        type=port,
        default=0,
        help="where this machine waits for the guest, without --server (default: any free port)",
    )
    meet.add_argument(
        "--copy-paste",
        action="store_true",
        help="use no server, but exchange two codes with the other person (LINK is then the code "
        "that you were sent)",
    )
    meet.add_argument(
        "--ice-server",
        metavar="URL",
        action="append",
        default=[],
        help="stun:HOST or turn:HOST, for networks behind routers; at most one of each "
        "(default: none)",
    )


def _add_media(media: argparse._ArgumentGroup) -> None:
    media.add_argument(
        "--kbps",
        type=float,
        default=16.0,
        help="send at most so many kbit/s, 6 to 64, all headers counted (default: 16)",
    )
    media.add_argument(
        "--network",
        default="s",
        metavar="NAME",
        help="the neural network that shows you on the other side: s, or xs for slow computers "
        "(default: s)",
    )
    media.add_argument(
        "--base",
        action="store_true",
        help="where the line carries enough (from about 50 kbit/s on), also send a coarse ordinary "
        "video of your face, which the other side combines with the animated pictures",
    )
    media.add_argument(
        "--identity", metavar="ME.fwid", help="a file with what `facewire enroll` learned of you"
    )
    media.add_argument("--camera", default="0", help="its number or path, or `none` (default: 0)")
    card = "its number or a part of its name, or `none` (default: the system's)"
    media.add_argument("--microphone", help=card)
    media.add_argument("--loudspeaker", help=card)
    media.add_argument("--list-devices", action="store_true", help="list all of these and exit")


def _add_files(files: argparse._ArgumentGroup) -> None:
    files.add_argument(
        "--in",
        dest="source",
        metavar="FILE",
        help="send this video in place of camera and microphone",
    )
    files.add_argument("--loop", action="store_true", help="begin the video again at its end")
    files.add_argument(
        "--out",
        metavar="FILE.mp4",
        help="write what you see and hear to this file, and open no window; whether to start is "
        "then asked on the terminal, unless you give --in or --yes",
    )
    files.add_argument(
        "--record",
        metavar="FILE.fwire",
        help="write the stream that was received, for `facewire decode`",
    )
    files.add_argument(
        "--stats", metavar="FILE.jsonl", help="write figures about the call, one line a second"
    )


def run(args: argparse.Namespace) -> int:
    """Call, until somebody leaves."""
    if args.list_devices:
        return _list_devices()
    settings = line_settings(args)
    _check_files(args)
    check_question(args)
    check_extra()
    say = _quiet if args.quiet else _say
    from ..call.conversation import Conversation

    with contextlib.ExitStack() as stack:
        parts = _parts(args, settings, stack, say)
        if not may_start(args, parts, say):
            return 0
        say("connecting" if not settings.maker else "making a room")
        parts.line.start()
        _announce(parts.line, settings, say)
        conversation = Conversation(parts)
        try:
            why = conversation.run()
        finally:
            _summary(parts, conversation, say)
        say(f"the call is over: {why.value}" if why.value != "left" else "the call is over")
    return 0


def _check_files(args: argparse.Namespace) -> None:
    """Refuse files before anything is opened."""
    inputs = [Path(args.source)] if args.source else []
    for name, endings in (
        (args.out, _MOVIES),
        (args.record, (".fwire",)),
        (args.stats, (".jsonl",)),
    ):
        if name is not None:
            if name == names.STANDARD:
                raise ConfigError("a call writes files, not standard output")
            names.check_output(name, force=args.force, endings=endings, inputs=inputs)
    if args.loop and not args.source:
        raise ConfigError("--loop goes with --in")


# -- the parts of a call


def _parts(
    args: argparse.Namespace,
    settings: LineSettings,
    stack: contextlib.ExitStack,
    say: _Sayer,
) -> Parts:
    """Everything that a conversation is made of; closed with the stack, the last one first."""
    from ..call.abilities import Abilities
    from ..call.conversation import SYNTHETIC, Parts
    from ..call.devices.files import FileSink, FileSource
    from ..call.devices.photograph import Photograph
    from ..call.line.line_thread import LineThread
    from ..call.recording import FigureLog, Recording
    from ..call.signing import PublicKey, SigningKey

    with names.readable(args.source) if args.source else contextlib.nullcontext() as source:
        film = FileSource(source, loop=args.loop) if source is not None else None
    sink = FileSink(Path(args.out), overwrite=args.force) if args.out else None
    window = _window(stack) if sink is None else None
    say("loading the networks")
    session = make_session(args, time.monotonic())
    stack.callback(session.close)
    if args.portrait is not None:
        say(f"the other side sees {args.portrait.name}, moved as you move, and not the camera")
    if args.speak is not None:
        say(f"no camera is opened: the other side sees {args.speak.name}, moved by your voice")
    key = SigningKey()
    own = Abilities.here(args.network, key.public)

    def check(data: bytes, ends: bytes) -> None:
        other = Abilities.parse(data)
        own.fit(other)
        session.bind(key, PublicKey(other.key), ends)
        session.allow_base(other.base)
        if other.sends and other.sends != own.sends:
            load(session, other.sends.partition(":")[0])

    line = LineThread(
        settings,
        abilities=bytes(own),
        check=check,
        on_code=_code_printer(settings, say),
    )
    stack.callback(line.close)
    parts = Parts(session, line, eye=film, ear=film, mouth=sink, screen=window, say=say)
    parts.kbps = args.kbps
    parts.own = own_picture(session)
    if parts.own is not None:
        parts.own_note = "your portrait" if args.speak is None else SYNTHETIC
    if film is not None:
        stack.callback(film.close)
    if sink is not None:
        parts.film = sink.show
        stack.callback(sink.close)
    if film is None and args.speak is not None and parts.own is not None:
        parts.eye = Photograph(parts.own)
    elif film is None and args.speak is None and args.camera != "none":
        from ..call.devices.camera import Camera

        camera = Camera(int(args.camera) if args.camera.isdecimal() else args.camera)
        stack.callback(camera.close)
        parts.eye = camera
        parts.stand_in = stand_in_for(session)
        if parts.stand_in is not None:
            stack.callback(parts.stand_in.close)
    _sound(args, parts, stack, say)
    if args.record:
        parts.recording = Recording(Path(args.record), overwrite=args.force)
        stack.callback(parts.recording.close)
    if args.stats:
        parts.figures = FigureLog(Path(args.stats), overwrite=args.force)
        stack.callback(parts.figures.close)
    return parts


def _window(stack: contextlib.ExitStack) -> Window:
    from ..call.window import Window

    window = Window()
    stack.callback(window.close)
    return window


def _sound(
    args: argparse.Namespace, parts: Parts, stack: contextlib.ExitStack, say: _Sayer
) -> None:
    """Microphone and loudspeaker, where no files take their place."""
    wants_ear = parts.ear is None and args.microphone != "none"
    wants_mouth = parts.mouth is None and args.loudspeaker != "none"
    if not wants_ear and not wants_mouth:
        return
    from ..call.devices.cards import SoundCards
    from ..call.devices.echo import open_canceller

    try:
        cards = SoundCards(
            _card(args.microphone), _card(args.loudspeaker), hears=wants_ear, plays=wants_mouth
        )
    except DeviceError as error:
        say(str(error))
        missing = {"microphone": wants_ear, "loudspeaker": wants_mouth}
        parts.stopped |= {kind: str(error) for kind, wanted in missing.items() if wanted}
        return
    stack.callback(cards.close)
    parts.ear = cards if wants_ear else parts.ear
    parts.mouth = cards if wants_mouth else parts.mouth
    if wants_ear and wants_mouth:
        parts.echo = open_canceller()
        if parts.echo is None:
            say(
                "use headphones: without them the other side hears itself "
                "(in a clone of facewire, pip install '.[echo]' cancels the echo)"
            )


def _card(name: str | None) -> int | str | None:
    """The number or the name of a card; None for the system's. Whether one is wanted at all is not
    said here.
    """
    return int(name) if name is not None and name.isdecimal() else name


# -- what is said


def _announce(line: LineThread, settings: LineSettings, say: _Sayer) -> None:
    """Print the link alone on a line, or wait for the code that comes back."""
    if settings.codes and settings.maker:
        # Ctrl-C and the end of the call need not wait for this thread.
        reader = threading.Thread(target=lambda: line.give_code(sys.stdin.readline()), daemon=True)
        reader.start()
    elif settings.maker and line.link is not None:
        say("send this link to one person; it works once and for ten minutes:")
        print(line.link, flush=True)


def _code_printer(settings: LineSettings, say: _Sayer) -> _Sayer:
    def show(code: str) -> None:
        if settings.maker:
            say("send this code to the other side, then paste the code that comes back:")
        else:
            say("send this code back:")
        print(code, flush=True)

    return show


def _summary(parts: Parts, conversation: Conversation, say: _Sayer) -> None:
    """Figures of the whole call."""
    totals, statistics = parts.line.totals(), parts.session.statistics
    seconds = conversation.seconds
    if conversation.connected_after is None or seconds <= 0:
        return
    out, into = (8 * count / seconds / 1000 for count in (totals.sent_bytes, totals.received_bytes))
    first = conversation.first_picture_after
    seen = "no picture came" if first is None else f"first picture after {first:.1f} s"
    say(
        f"connected after {conversation.connected_after:.1f} s, {seen}; "
        f"{seconds:.0f} s; sent {out:.1f} kbit/s, received {into:.1f}, with all headers; "
        f"{statistics.shown} pictures shown"
    )


def _list_devices() -> int:
    """Cameras, microphones and loudspeakers; what cannot be listed gets a sentence."""
    from ..call.devices.camera import list_cameras
    from ..call.devices.card_list import list_cards

    print("cameras:")
    print("\n".join(f"  {line}" for line in list_cameras()) or "  none that the system names")
    print("sound:")
    try:
        print("\n".join(f"  {line}" for line in list_cards()) or "  none")
    except DeviceError as error:
        print(f"  {error}")
    return 0


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _quiet(sentence: str) -> None:
    """Says nothing."""
