"""`facewire speak`: a photograph and a sound file become a talking head."""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ..codec.whole_file import whole_file
from . import names
from .encode import positive
from .kinds import must_be_video

if TYPE_CHECKING:
    from ..sender.config import EncoderConfig
    from ..sender.files import EncodeReport
    from ..sender.performing.voice import Voice
    from ..sender.photo import Portrait

__all__ = ["add_parser", "run"]

_EPILOG = """\
examples:
  facewire speak me.jpg hello.wav hello.mp4               a video that any player shows
  facewire speak me.jpg hello.wav hello.fwire             a stream, for `facewire decode`
  facewire speak me.jpg hello.m4a hello.fwire --kbps 14   14 kbit/s, everything included
  facewire speak me.jpg hello.wav hello.fwire --profile pose
                                                          12 bits a frame or so, no mouth: the
                                                          receiver moves it with the sound
  facewire speak me.jpg hello.wav other.mp4 --seed 2      other movements, other blinks
  facewire speak her.jpg hello.wav hello.mp4 --consent "Ada Lovelace, 2026-11-29"
                                                          somebody else's face

PHOTO shows one face from the front, with lips closed and eyes open, and has 256 pixels or more.
(The option --portrait takes the same photographs; facewire encode --help tells more of it.) VOICE
is any sound file, or a video, of which only the sound is taken. One voice without music is best.
Where nobody speaks, the mouth is as in the photograph.

A small network guesses from the sound how the mouth moves. It is right now and then, not always
(docs/speak.md has the figures). The head moves a little, and the lids blink about as often as those
of people who talk; the same --seed gives the same movements.

Nobody is before a camera, so facewire cannot see whose photograph it is. Without --consent you say
that it is your own. Somebody else's face needs that person's consent: who agreed, and when. It is
written into OUT. In any case OUT says that it is synthetic, and carries an "AI" badge that no
receiver of facewire's leaves out.

OUT ends in .fwire, or in .mp4, .m4v, .mov or .mkv. It appears only when it is complete, and a file
that exists is replaced only with --force.
"""
_FILE_KEYFRAME, _VIDEO_KEYFRAME = 3000, 20_000  # bytes of a picture, where no rate is set
_FILE_SOUND, _VIDEO_SOUND = 10.0, 32.0  # kbit/s


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe `facewire speak`."""
    parser = subparsers.add_parser(
        "speak",
        help="make a photograph speak what is in a sound file",
        description="Turn a photograph of a face and a sound file into a talking head, marked as\n"
        "synthetic.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("photo", metavar="PHOTO", help="a photograph of a face")
    parser.add_argument("voice", metavar="VOICE", help="a sound file, or a video with sound")
    parser.add_argument(
        "output", metavar="OUT.mp4|OUT.fwire", help="a video, or a stream for `facewire decode`"
    )
    names.add_force(parser)
    parser.add_argument(
        "--consent",
        "--portrait-consent",
        metavar="NAME, DATE",
        help="say that the photograph shows somebody else, who agreed: their name, and when they "
        "agreed. It is written into OUT",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="another number gives other movements of head and lids (default: %(default)s)",
    )
    _add_bits(parser.add_argument_group("bits"))
    parser.add_argument("--quiet", action="store_true", help="show no progress and no summary")


def _add_bits(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--kbps",
        type=positive,
        metavar="X",
        help="total rate in kbit/s, with everything included (default: no fixed rate; whatever is "
        "worth its bits is sent)",
    )
    group.add_argument(
        "--profile",
        choices=("entropy", "pose"),
        default="entropy",
        help="how motion is sent: entropy includes the mouth; pose leaves it to the receiver, "
        "which moves it with the sound (default: %(default)s)",
    )
    group.add_argument(
        "--audio-kbps",
        type=positive,
        metavar="X",
        help=f"rate of the sound in kbit/s (default: {_FILE_SOUND:g} in a stream, "
        f"{_VIDEO_SOUND:g} if a video is made of the stream)",
    )
    group.add_argument(
        "--audio-track",
        type=int,
        metavar="N",
        help="take the Nth sound track, counted from 1 (default: the first that is not silent)",
    )
    group.add_argument(
        "--weights",
        type=Path,
        metavar="DIR",
        help="use the trained network in this folder instead of the one that facewire brings",
    )


def run(args: argparse.Namespace) -> int:
    """Make one file."""
    from ..receiver.files.writer import FORMATS
    from ..sender.performing.voice import Voice
    from ..sender.photo import read_portrait

    with ExitStack() as stack:
        photo, sound = (stack.enter_context(names.readable(n)) for n in (args.photo, args.voice))
        endings = (".fwire", *FORMATS)
        names.check_output(args.output, force=args.force, endings=endings, inputs=[photo, sound])
        video = Path(args.output).suffix.lower() in FORMATS
        must_be_video(sound, args.voice)
        portrait = read_portrait(photo, args.consent)
        config = _config(args, portrait, video=video)
        voice = Voice(sound, portrait, args.audio_track)
        if video:
            report = _video(voice, config, args)
        elif args.output == names.STANDARD:
            report = _stream(voice, config, args, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        else:
            file = stack.enter_context(whole_file(args.output, overwrite=args.force))
            report = _stream(voice, config, args, file)
    if not args.quiet:
        print(_summary(report, args, video=video), file=sys.stderr)
    return 0


def _config(args: argparse.Namespace, portrait: Portrait, *, video: bool) -> EncoderConfig:
    from ..sender.config import EncoderConfig

    sound = _VIDEO_SOUND if video else _FILE_SOUND
    return EncoderConfig(
        profile=args.profile,
        kbps=args.kbps,
        audio_kbps=sound if args.audio_kbps is None else args.audio_kbps,
        keyframe_bytes=_VIDEO_KEYFRAME if video else _FILE_KEYFRAME,
        model=str(args.weights or "s"),
        portrait=portrait,
        driver="sound",
        seed=args.seed,
    )


def _stream(
    voice: Voice, config: EncoderConfig, args: argparse.Namespace, file: BinaryIO
) -> EncodeReport:
    """Write the stream."""
    from ..receiver.talking.mouth import MouthPredictor
    from ..sender.files import encode_to
    from .stage import Stage

    title = f"moving {Path(args.photo).name}"
    with Stage(title, "frame", quiet=args.quiet, loading="loading the networks") as stage:
        return encode_to(voice, file, config, stage.show, mouths=MouthPredictor(lookahead_ms=100))


def _video(voice: Voice, config: EncoderConfig, args: argparse.Namespace) -> EncodeReport:
    """Write the stream beside, and decode it as any other."""
    from ..receiver.files.player import decode_file
    from .stage import Stage

    with tempfile.TemporaryDirectory(prefix="facewire-") as folder:
        stream = Path(folder) / "speak.fwire"
        with stream.open("xb") as file:
            report = _stream(voice, config, args, file)
        with Stage("drawing the face", "frame", quiet=args.quiet) as stage:
            decode_file(stream, Path(args.output), progress=stage.show, overwrite=args.force)
    return report


def _summary(report: EncodeReport, args: argparse.Namespace, *, video: bool) -> str:
    name = "standard output" if args.output == names.STANDARD else args.output
    rate = "" if video else f", {report.kbps:.1f} kbit/s"
    whose = f"with consent: {args.consent}" if args.consent else "your own, as you say"
    return (
        f"{name}: {report.frames} frames, {report.duration_s:.1f} s{rate}; marked as synthetic, "
        f"with a badge that stays; the face is {whose}"
    )
