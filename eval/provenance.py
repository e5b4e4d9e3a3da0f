"""Where results come from: machine, load, versions, git commit, hashes of clips and weights."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .files import file_sha256
from .sweep import SweepConfig, SweepOutcome, codecs_of

__all__ = ["commit", "environment", "inputs"]

_PACKAGES = ("facewire", "torch", "torchmetrics", "openvino", "av", "numpy")


def environment(load: tuple[float, ...] = ()) -> dict[str, object]:
    """Machine and versions.

    Args:
        load: load average of the machine when the run began.
    """
    found: dict[str, object] = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "load_average": list(load),
        "commit": commit(),
    }
    for package in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def commit(file: Path = Path(__file__)) -> str:
    """Git commit of facewire, with `-dirty` where files differ from it; its version without git.

    Args:
        file: a file of facewire; a commit counts only where git knows the file.
    """
    file = file.resolve()
    git = ["git", "-C", str(file.parent)]
    try:
        for command in (["ls-files", "--error-unmatch", file.name], _DESCRIBE):
            done = subprocess.run(
                [*git, *command], capture_output=True, text=True, check=True, timeout=60
            )
    except (OSError, subprocess.SubprocessError):
        with contextlib.suppress(PackageNotFoundError):
            return f"version {version('facewire')}"
        return "unknown"
    return done.stdout.strip()


_DESCRIBE = ["describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]


def inputs(config: SweepConfig, outcome: SweepOutcome) -> dict[str, dict[str, str]]:
    """Hex SHA-256 of each clip's video and of the networks of the codecs, by name.

    A video that cannot be read any more is left out: its figures are there all the same.
    """
    folder = config.data if config.data.is_dir() else config.data.parent
    clips: dict[str, str] = {}
    for name in outcome.clips:
        with contextlib.suppress(OSError):
            clips[name] = file_sha256(folder / name)
    weights = {
        name: sha256 for codec in codecs_of(config) for name, sha256 in codec.weights().items()
    }
    return {"clips_sha256": clips, "weights_sha256": weights}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
