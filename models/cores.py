"""What this machine has: how many CPU cores this process may use, and whether it knows bf16."""

from __future__ import annotations

import os

__all__ = ["cores", "has_bf16"]


def cores() -> int:
    """CPU cores that this process may use: fewer than the machine has where a container or
    `taskset` says so.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def has_bf16(device: str = "cpu") -> bool:
    """Whether a device computes in bf16, rather than imitating it, which makes training slower.

    Args:
        device: torch's kind of device: `cpu`, `cuda` or another, of which nothing is known.
    """
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return device == "cpu" and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
