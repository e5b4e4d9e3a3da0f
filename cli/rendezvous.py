"""`facewire rendezvous`: the server where two sides of a call find each other."""

from __future__ import annotations

import argparse
import asyncio
import sys

from ..codec.errors import ConfigError

__all__ = ["add_parser", "run"]

_EPILOG = """\
examples:
  facewire rendezvous --port 8080 --behind-proxy               a proxy before it adds TLS
  facewire rendezvous --port 8443 --certificate cert.pem --key key.pem
  facewire call --server https://call.example:8443             makes a room there

It relays two sealed messages for each call and forgets them. It keeps nothing on disk, and writes
no address anywhere. http://HOST:PORT/health says how many rooms there are.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe `facewire rendezvous`."""
    parser = subparsers.add_parser(
        "rendezvous",
        help="the server where two sides of a call find each other",
        description="Relay the sealed offer and answer of calls.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on (default: all)")
    parser.add_argument("--port", type=port, default=8443, help="default: 8443; 0 takes a free one")
    parser.add_argument("--certificate", metavar="PEM", help="certificate chain, for https")
    parser.add_argument("--key", metavar="PEM", help="private key of the certificate")
    parser.add_argument(
        "--behind-proxy",
        action="store_true",
        help="limits count for the last address in X-Forwarded-For: only behind a proxy that "
        "writes it",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    from ..call.rendezvous import Rendezvous, tls

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
