"""The media of `facewire call`: makes the session, and what can take the camera's place in it."""

from __future__ import annotations

import argparse
import secrets
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from .encode import portrait_of

if TYPE_CHECKING:
    from ..call.devices.ports import Frame
    from ..call.party import Party
    from ..call.stand_in import StandIn
    from ..sender.encoder import Encoder

__all__ = ["load", "make_session", "own_picture", "stand_in_for"]

_OVERHEAD = 43  # bytes of IPv4, UDP, RTP and SRTP, less what RTP says of a datagram's head


def make_session(args: argparse.Namespace, now: float) -> Party:
    """The call's media, with its networks loaded. Tests put a small one in its place."""
    from ..call.config import CallConfig
    from ..call.session import CallSession
    from ..call.workers import CallWorkers
    from ..codec.identity import read_identity
    from ..sender.config import EncoderConfig

    identity = read_identity(args.identity) if args.identity else None
    config = CallConfig(
        kbps=args.kbps,
        overhead_bytes=_OVERHEAD,
        reliable=True,
        encoder=EncoderConfig(
            model=args.network,
            identity=identity,
            portrait=portrait_of(args),
            driver="camera" if args.speak is None else "sound",
            base="calls" if args.base else False,
            seed=secrets.randbits(32),
        ),
    )
    session = CallSession(config, now=now)
    try:
        session.outgoing.encoder.prepare()
        session.incoming.decoder.prepare(args.network)  # as a guess: the other side says which
    except BaseException:
        session.close()
        raise
    return CallWorkers(session)


def own_picture(session: Party) -> Frame | None:
    """What the other side is shown in place of the camera's pictures, if there is such a thing."""
    from ..call.workers import CallWorkers

    return session.session.outgoing.encoder.shown if isinstance(session, CallWorkers) else None


def load(session: Party, network: str) -> None:
    """Load the network that the other side sends for, while the two connect."""
    from ..call.workers import CallWorkers

    if isinstance(session, CallWorkers):
        decoder = session.session.incoming.decoder
        threading.Thread(target=decoder.prepare, args=(network,), daemon=True).start()


def stand_in_for(session: Party) -> StandIn | None:
    """What lets a photograph speak in the camera's place; None where something does already."""
    from ..call.session import speaking_mouths
    from ..call.stand_in import StandIn
    from ..call.workers import CallWorkers
    from ..sender.encoder import Encoder
    from ..sender.photo import Portrait

    if not isinstance(session, CallWorkers):
        return None
    config = session.session.config
    if config.encoder.driver == "sound":
        return None

    own = config.encoder.portrait

    def make(picture: Frame) -> Encoder:
        portrait = own or Portrait(picture, name="your last picture")
        settings = replace(config.encoder, portrait=portrait, driver="sound", base=False)
        mouths = speaking_mouths()
        encoder = Encoder(settings, fps=config.fps, sound=config.sound, mouths=mouths)
        try:
            encoder.prepare()
        except BaseException:
            encoder.close()
            raise
        return encoder

    return StandIn(session, make, own.picture if own is not None else None)
