"""What `facewire call` is asked for: how to meet."""

from __future__ import annotations

import argparse
import importlib.util
import os
from typing import TYPE_CHECKING

from ..codec.errors import ConfigError, LinkError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiortc import RTCIceServer

    from ..call.line.line_thread import LineSettings

__all__ = ["check_extra", "line_settings"]


def line_settings(args: argparse.Namespace) -> LineSettings:
    """How to meet. Raises `ConfigError`, `LinkError`."""
    from ..call.line.line_thread import LineSettings
    from ..call.meeting.codes import is_offer
    from ..call.meeting.link import Link, server_address

    if args.server and (args.link or args.copy_paste):
        raise ConfigError("--server makes a room: a link or --copy-paste do not go with it")
    servers = _ice_servers(args.ice_server)
    if args.copy_paste:
        if args.link and not is_offer(args.link):
            raise LinkError("with --copy-paste, LINK is the code that begins with FW1, or nothing")
        return LineSettings(codes=True, code=args.link or "", servers=servers)
    link = Link.parse(args.link) if args.link else None
    server = server_address(args.server) if args.server else None
    return LineSettings(link=link, server=server, host=args.host, port=args.port, servers=servers)


def _ice_servers(urls: Sequence[str]) -> tuple[RTCIceServer, ...]:
    if not urls:
        return ()
    check_extra()
    from ..call.line.transport import ice_server, is_turn

    found = []
    for url in urls:
        user = password = None
        if is_turn(url):
            user = os.environ.get("FACEWIRE_TURN_USER")
            password = os.environ.get("FACEWIRE_TURN_PASSWORD")
            if not user or not password:
                raise ConfigError(
                    "a TURN server wants a name and a password: set FACEWIRE_TURN_USER and "
                    "FACEWIRE_TURN_PASSWORD"
                )
        found.append(ice_server(url, user, password))
    return tuple(found)


def check_extra() -> None:
    """Raise `MissingExtraError` where a part of the extra is not installed."""
    for name in ("aiortc", "aiohttp", "cryptography"):
        if importlib.util.find_spec(name) is None:
            raise MissingExtraError("a call", "call")
