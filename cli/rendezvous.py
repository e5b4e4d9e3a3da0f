"""`facewire rendezvous`: the server where two sides of a call find each other."""

from __future__ import annotations

import argparse
import asyncio
import sys

from ..codec.errors import ConfigError

__all__ = ["add_parser", "run"]

_EPILOG = """\
examples:
  facewire rendezvous --port 8443 --certificate cert.pem --key key.pem
                                                       serves https
  facewire rendezvous --port 8080 --behind-proxy       serves http to a proxy that adds TLS
  facewire call --server https://call.example:8443     starts a call through this server

Each call meets in a room of the server. For each room, the server passes on two sealed messages and
then forgets them. It cannot read them, keeps nothing on disk, and writes no address anywhere.
Pictures and sound do not go through it. http://HOST:PORT/health says how many rooms there are.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe `facewire rendezvous`."""
    parser = subparsers.add_parser(
        "rendezvous",
        help="run a server where the two sides of a call find each other",
        description="Run a server where the two sides of a call find each other.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--host", default="0.0.0.0", help="address to listen on (default: all of this machine)"
    )
    parser.add_argument(
        "--port",
        type=port,
        default=8443,
        help="port to listen on (default: 8443); 0 takes any free one",
    )
    parser.add_argument(
        "--certificate", metavar="PEM", help="file with the certificate chain, for https"
    )
    parser.add_argument("--key", metavar="PEM", help="file with the private key of the certificate")
    parser.add_argument(
        "--behind-proxy",
        action="store_true",
        help="take the last address in the header X-Forwarded-For for that of the caller, when "
        "requests are limited; use it only behind a proxy that writes this header",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    from ..call.meeting.rendezvous import Rendezvous, tls

    if (args.certificate is None) != (args.key is None):
        raise ConfigError("--certificate and --key belong together")
    context = tls(args.certificate, args.key) if args.certificate else None

    async def serve() -> None:
        server = Rendezvous(args.host, args.port, context=context, behind_proxy=args.behind_proxy)
        async with server:
            scheme = "https" if context else "http"
            print(f"rendezvous on {scheme}://{args.host}:{server.port}", file=sys.stderr)
            await asyncio.Event().wait()

    asyncio.run(serve())
    return 0


def port(text: str) -> int:
    """A port number, for argparse."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port: 0 to 65535")
    return int(text)
