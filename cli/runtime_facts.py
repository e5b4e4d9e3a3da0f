"""`facewire info --runtime`: how fast this machine runs a network, and in which precision."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..receiver.generators.precision import Trial

__all__ = ["describe", "table"]


def describe(network: str) -> dict[str, Any]:
    """Run a few frames in each precision; returns what `facewire info --runtime --json` prints.

    Args:
        network: a size that facewire brings, or a folder of weights.

    Raises:
        WeightsError: the network does not exist, or was not exported.
    """
    from ..models.cores import cores
    from ..models.weights import load_card
    from ..receiver.generators import precision

    card = load_card(network)
    reasons = {name: precision.missing(card, name) for name in precision.PRECISIONS}
    test = precision.self_test(card, again=True)
    return {
        "processor": _processor(),
        "cores": cores(),
        "capabilities": precision.capabilities(),
        "backends": {name: _version(name) for name in ("openvino", "torch")},
        "gpu": _gpu(),
        "model": card.name,
        "precisions": {
            name: {"missing": reason} if reason else _trial(test.trials[name])
            for name, reason in reasons.items()
        },
        "chosen": test.choice(),
        "self_test_s": round(test.seconds, 2),
    }


def _trial(trial: Trial) -> dict[str, float]:
    return {
        "ms": round(1000 * trial.seconds, 2),
        "fps": round(1 / trial.seconds, 1),
        "difference": round(trial.difference, 3),
    }


def table(facts: dict[str, Any]) -> str:
    """The same facts as text."""
    backends = [f"{name} {version or '-'}" for name, version in facts["backends"].items()]
    lines = [
        f"{facts['processor']}, {facts['cores']} core{'s' * (facts['cores'] != 1)}; "
        f"multiplies in {', '.join(facts['capabilities'])}",
        f"backends: {', '.join(backends)}; GPU for torch: {facts['gpu'] or 'none'}",
        f"{facts['model']} on openvino, all cores:",
    ]
    for name, found in facts["precisions"].items():
        mark = "  <- chosen" if name == facts["chosen"] else ""
        if "missing" in found:
            lines.append(f"  {name:<9}not available: {found['missing']}")
        else:
            lines.append(
                f"  {name:<9}{found['ms']:>8.2f} ms{found['fps']:>8.1f} frames/s, "
                f"{found['difference']:.2f} of 255 levels from float32{mark}"
            )
    lines.append(f"the test took {facts['self_test_s']:.1f} s: its result is kept for later starts")
    return "\n".join(lines)


def _processor() -> str:
    import openvino as ov

    return str(ov.Core().get_property("CPU", "FULL_DEVICE_NAME")).strip()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _gpu() -> str | None:
    """Name of the GPU that the torch backend would use."""
    try:
        import torch
    except ImportError:
        return None
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None
