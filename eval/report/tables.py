"""What the report's tables show, as values; `tables.html` holds the HTML."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..results.schema import BITS, BdRow, FrameSet, Results, Row
from ..statistics.comparison import (
    FEWEST_FID_FRAMES,
    Verdict,
    bd_rates,
    biased_by_few_frames,
    compare,
    kept_to_rate,
    leads,
)
from . import words
from .drawing import decimals, shown

__all__ = ["table_values"]

_MAIN = ("lpips", "fid", "dists", "psnr", "ssim", "face_lpips", "lmd_mouth", "identity_cosine")
_ANCHORS = ("vvenc-ld", "vvenc", "x265", "svtav1")
_KINDS = {
    "keyframe": "keyframe",
    "motion": "motion",
    "inter": "predicted frames",
    "residual": "residual",
    "container": "headers",
    "audio": "sound",
}
_MAX_PICTURE = 4 << 20  # bytes of a picture that is put into the page
_TYPES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp"}


def table_values(
    results: Results, several: Sequence[Results], folder: Path | None
) -> dict[str, Any]:
    """Everything that `tables.html` asks for by name.

    Args:
        results: all runs laid over each other.
        several: the runs.
        folder: folder that the paths in `Results.frames` are relative to; None: no pictures.
    """
    of = functools.partial
    verdict = functools.cache(of(compare, results))
    lead_rows = leads(results, results.codecs[0]) if results.codecs else {}
    return {
        "rows_at": of(_rows_at, results),
        "metrics_of": of(_metrics_of, results),
        "main_metrics": _main_metrics,
        "digits_at": _digits_at,
        "digits_of": lambda verdict: decimals([each.value for each in verdict.order]),
        "shown": shown,
        "compare": verdict,
        "standing": lambda metric, target, codec: _standing(verdict(metric, target), codec),
        "kept_to_rate": kept_to_rate,
        "few_frames": biased_by_few_frames,
        "fewest_fid_frames": FEWEST_FID_FRAMES,
        "looked_at": _looked_at,
        "bits_by_kind": of(_bits_by_kind, results),
        "bd_rows": results.bd_rate or _computed(results),
        "lead_rows": lead_rows,
        "led_codecs": [c for c in results.codecs if any(c in row for row in lead_rows.values())],
        "lead_words": words.lead_words,
        "settings": lambda one: json.dumps(
            {"config": one.config, "environment": one.environment},
            indent=2,
            ensure_ascii=False,
            default=str,
        ),
        "frame_strips": of(_frame_strips, results, folder),
    }


def _rows_at(results: Results, target: float) -> list[tuple[str, Row]]:
    return [(codec, row) for codec in results.codecs if (row := results.row(codec, target))]


def _metrics_of(results: Results, rows: Sequence[tuple[str, Row]]) -> list[str]:
    return results.in_order({name for _, row in rows for name in row.values})


def _main_metrics(rows: Sequence[tuple[str, Row]]) -> list[str]:
    """The main metrics that some row has; a FID that is biased by few frames comes last."""
    found = [name for name in _MAIN if any(name in row.values for _, row in rows)]
    return sorted(found, key=lambda name: any(biased_by_few_frames(name, row) for _, row in rows))


def _digits_at(name: str, rows: Sequence[tuple[str, Row]]) -> int:
    return decimals([row.values[name] for _, row in rows if name in row.values])


def _looked_at(rows: Sequence[tuple[str, Row]]) -> int | None:
    """The fewest frames that a FID was taken of; None without FID."""
    looked = [row.counts.get("inception", row.frames) for _, row in rows if "fid" in row.values]
    return min(looked, default=None)


def _standing(verdict: Verdict | None, codec: str) -> str:
    """CSS class of a codec's figure: the best, not clearly behind it, or neither."""
    if verdict is None or len(verdict.order) < 2:
        return ""
    if codec == verdict.order[0].codec:
        return "best"
    return "near" if codec in verdict.unclear else ""


def _bits_by_kind(results: Results, target: float) -> dict[str, Any]:
    """Stacked bars of the bits by kind, in kbit/s where that is known for all codecs."""
    rows = _rows_at(results, target)
    in_kbps = all(row.kbps.get("total") for _, row in rows)
    parts = [(codec, row.kbps if in_kbps else row.bpp) for codec, row in rows]
    most = max((sum(rates.get(kind, 0) for kind in BITS) for _, rates in parts), default=0)
    bars = [
        {
            "codec": codec,
            "pieces": [
                (kind, _KINDS[kind], rates[kind], 100 * rates[kind] / most)
                for kind in BITS
                if rates.get(kind, 0) > 0
            ],
            "video": sum(rates.get(kind, 0) for kind in BITS if kind != "audio"),
            "sound": rates.get("audio", 0),
        }
        for codec, rates in parts
        if most
    ]
    kinds = [kind for kind in BITS if any(rates.get(kind, 0) > 0 for _, rates in parts)]
    unit = "kbit/s" if in_kbps else "bpp"
    return {"unit": unit, "kinds": [(kind, _KINDS[kind]) for kind in kinds], "bars": bars}


def _computed(results: Results) -> tuple[BdRow, ...]:
    """BD-rates of results that hold none."""
    wanted = str(results.config.get("anchor", ""))
    anchor = next((name for name in (wanted, *_ANCHORS) if name in results.results), "")
    return bd_rates(results, anchor or next(iter(results.codecs), ""))


# --- pictures -----------------------------------------------------------------------------------


def _frame_strips(
    results: Results, folder: Path | None, target: float
) -> str | list[tuple[FrameSet, list[tuple[str, str, str]]]]:
    """Pictures beside each other: name, data URI and caption of each; or why there are none."""
    sets = [entry for entry in results.frames if entry.target_bpp == target]
    strips = []
    for entry in sets:
        names = ["truth", *(codec for codec in results.codecs if codec in entry.images)]
        uris = {name: _data_uri(folder, entry.images.get(name, "")) for name in names}
        if any(uris.values()):
            strips.append(
                (entry, [(name, uri, _caption(results, entry, name)) for name, uri in uris.items()])
            )
    if strips:
        return strips
    return "their files are not beside the results" if sets else "they were not kept"


def _caption(results: Results, entry: FrameSet, codec: str) -> str:
    """LPIPS of the whole clip, and its rate."""
    for row in results.clips.get(codec, ()):
        if row.clip == entry.clip and row.target_bpp == entry.target_bpp:
            lpips, rate = row.values.get("lpips"), row.bpp.get("video")
            text = "" if lpips is None else f"LPIPS {shown(lpips, decimals([lpips]))}, "
            return text + (f"{rate:.3g} bpp" if rate else "")
    return ""


def _data_uri(folder: Path | None, name: str) -> str:
    """A picture inside the page; empty where it is not there, or not a picture in `folder`."""
    if folder is None or not name:
        return ""
    try:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()) or path.stat().st_size > _MAX_PICTURE:
            return ""
        data = path.read_bytes()
    except (OSError, ValueError):  # ValueError: a null character in the name
        return ""
    kind = next((kind for magic, kind in _TYPES.items() if data.startswith(magic)), None)
    return f"data:{kind};base64,{base64.b64encode(data).decode()}" if kind else ""
