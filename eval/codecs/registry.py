"""Names of codecs, as `--codecs` takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ...codec.errors import ConfigError
from ...codec.motion.profiles import Profile
from ...models.weights import shipped
from .base import Codec
from .external import read_codecs
from .facewire import FacewireCodec
from .frozen import Frozen
from .svtav1 import SvtAv1
from .vp9 import Vp9
from .vvenc import VvencLowDelay, VvencRandomAccess
from .x264 import X264
from .x265 import X265

__all__ = ["CLASSIC", "DEFAULT_CODECS", "codec_names", "make_codecs"]

CLASSIC: dict[str, Callable[[], Codec]] = {
    "vvenc": VvencRandomAccess,
    "vvenc-psnr": lambda: VvencRandomAccess(perceptual=False),
    "vvenc-ld": VvencLowDelay,
    "svtav1": SvtAv1,
    "x265": X265,
    "vp9": Vp9,
    "x264": X264,
}
DEFAULT_CODECS = ("facewire", "frozen", "vvenc", "vvenc-ld", "svtav1", "x265")


def codec_names() -> list[str]:
    """All names that need no TOML file."""
    return [*_facewire(None), "frozen", *CLASSIC]


def make_codecs(
    names: Sequence[str], *, tables: Sequence[Path] = (), weights: Path | None = None
) -> list[Codec]:
    """Codecs by name, in this order, each once.

    Args:
        names: of `codec_names`, or of the TOML files.
        tables: TOML files with external codecs; without their names in `names`, all are taken.
        weights: a trained network for every facewire codec, in place of the shipped.

    Raises:
        ConfigError: an unknown name.
    """
    external = {codec.name: codec for table in tables for codec in read_codecs(table)}
    known = _facewire(weights) | {"frozen": Frozen} | CLASSIC
    if taken := set(known) & set(external):
        raise ConfigError(f"{sorted(taken)[0]} is the name of a codec that is built in")
    wanted = list(dict.fromkeys(names))
    wanted += [] if set(wanted) & set(external) else list(external)
    made: list[Codec] = []
    for name in wanted:
        if name in external:
            made.append(external[name])
        elif name in known:
            made.append(known[name]())
        else:
            raise ConfigError(
                f"no codec {name!r}; known are {', '.join([*known, *external])}, and any "
                "command-line codec through --codec-file"
            )
    return made


def _facewire(weights: Path | None) -> dict[str, Callable[[], Codec]]:
    """`facewire` is the default, `facewire-live` as in a call; then each profile, each size, and
    each pair of both.
    """
    profiles = [str(Profile.ENTROPY), str(Profile.FP16)]
    sizes = [str(weights)] if weights else shipped()
    default = sizes[0] if weights or "s" not in sizes else "s"
    made: dict[str, Callable[[], Codec]] = {}

    def add(name: str, profile: str, size: str) -> None:
        made[name] = lambda: FacewireCodec(name, profile, size)

    add("facewire", profiles[0], default)
    made["facewire-live"] = lambda: FacewireCodec("facewire-live", profiles[0], default, live=True)
    for profile in profiles:
        add(f"facewire-{profile}", profile, default)
    if not weights:
        for size in sizes:
            add(f"facewire-{size}", profiles[0], size)
            for profile in profiles:
                add(f"facewire-{profile}-{size}", profile, size)
    return made
