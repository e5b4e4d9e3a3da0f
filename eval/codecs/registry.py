"""Names of codecs, as `--codecs` takes them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ...codec.errors import ConfigError
from ...codec.motion.profiles import POSES, Profile
from ...models.weights import shipped
from .base import Codec
from .call import CallCodec
from .command import CommandCodec
from .external import read_codecs
from .facewire import FacewireCodec
from .ffmpeg import CLASSIC, FfmpegCodec
from .frozen import Frozen
from .half import HALF, HalfSize
from .portrait import Cast, PortraitCodec

__all__ = ["DEFAULT_CODECS", "codec_names", "make_codecs"]

BASE = "-base"
"""Ends the name of a codec that adds a base layer."""
DEFAULT_CODECS = ("facewire", "frozen", "vvenc", "vvenc-half", "vvenc-ld", "svtav1", "x265")


def codec_names() -> list[str]:
    """All names that need no TOML file."""
    return list(_built_in(None, None))


def make_codecs(
    names: Sequence[str],
    *,
    tables: Sequence[Path] = (),
    weights: Path | None = None,
    cast: Cast | None = None,
) -> list[Codec]:
    """Codecs by name, in this order, each once.

    Args:
        names: of `codec_names`, or of the TOML files, also with `-half` behind them.
        tables: TOML files with external codecs; where `names` has none of theirs, all are taken.
        weights: a trained network for every facewire codec, in place of the shipped one.
        cast: whom `facewire-portrait` shows.

    Raises:
        ConfigError: an unknown name.
    """
    external = {codec.name: codec for table in tables for codec in read_codecs(table)}
    built_in = _built_in(weights, cast)
    if taken := set(built_in) & set(external):
        raise ConfigError(f"{sorted(taken)[0]} is the name of a codec that is built in")
    wanted = list(dict.fromkeys(names))
    wanted += [] if {name.removesuffix(HALF) for name in wanted} & set(external) else list(external)
    return [_make(name, built_in, external) for name in wanted]


def _make(
    name: str, built_in: dict[str, Callable[[], Codec]], external: Mapping[str, CommandCodec]
) -> Codec:
    if name in external:
        return external[name]
    if name in built_in:
        return built_in[name]()
    if (small := name.removesuffix(HALF)) in external:
        return HalfSize(external[small])
    raise ConfigError(
        f"no codec {name!r}; known are {', '.join([*built_in, *external])}, and any command-line "
        "codec through --codec-file"
    )


def _built_in(weights: Path | None, cast: Cast | None) -> dict[str, Callable[[], Codec]]:
    """`facewire` is the default, `facewire-live` coded as in a call, `facewire-call` a whole
    call, each also with a base layer (`-base`); `facewire-portrait` shows the portrait of another
    person; then each profile, each size, and each pair of both; then the floor and the classic
    codecs, each also at half size.
    """
    profiles = [str(Profile.ENTROPY), str(Profile.FP16)]
    sizes = [str(weights)] if weights else shipped()
    default = sizes[0] if weights or "s" not in sizes else "s"
    wanted = {"facewire": (profiles[0], default), "facewire-live": (profiles[0], default)}
    wanted |= {f"facewire-{profile}": (profile, default) for profile in (*profiles, *POSES)}
    for size in [] if weights else sizes:
        wanted[f"facewire-{size}"] = (profiles[0], size)
        wanted |= {f"facewire-{profile}-{size}": (profile, size) for profile in profiles}
    made: dict[str, Callable[[], Codec]] = {
        name: functools.partial(FacewireCodec, name, *about, live=name == "facewire-live")
        for name, about in wanted.items()
    }
    made["facewire-call"] = functools.partial(CallCodec, "facewire-call", *wanted["facewire-live"])
    for name, about in list(wanted.items())[:2]:
        made[name + BASE] = functools.partial(
            FacewireCodec, name + BASE, *about, live=name == "facewire-live", base=True
        )
    made["facewire-call-base"] = functools.partial(
        CallCodec, "facewire-call-base", *wanted["facewire-live"], base=True
    )
    made["facewire-portrait"] = functools.partial(
        PortraitCodec, "facewire-portrait", *wanted["facewire"], cast
    )
    made["frozen"] = Frozen
    made |= {name: functools.partial(FfmpegCodec, name) for name in CLASSIC}
    return made | {name + HALF: functools.partial(_half, name) for name in CLASSIC}


def _half(name: str) -> Codec:
    return HalfSize(FfmpegCodec(name))
