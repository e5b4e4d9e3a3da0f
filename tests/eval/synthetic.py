"""Results as six codecs at four rates might give them, with all that reports must show."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facewire.eval.results.schema import ClipFigures, FrameSet, MetricInfo, Results, Row
from facewire.eval.statistics.intervals import mean, mean_intervals

Floats = npt.NDArray[np.float64]
TARGETS = (0.003, 0.005, 0.014, 0.03)
PIXELS, FPS, FRAMES = 256 * 256, 25, 250
CLIPS = tuple(f"v{i:04d}.mp4" for i in range(1, 16))

METRICS = {
    "fid": MetricInfo("FID", "", False, "Fréchet Inception distance"),
    "lpips": MetricInfo("LPIPS", "", False, "Learned perceptual distance"),
    "dists": MetricInfo("DISTS", "", False, "Structure and texture"),
    "psnr": MetricInfo("PSNR", "dB", True, "Peak signal to noise"),
    "ssim": MetricInfo("SSIM", "", True, "Structure"),
    "face_lpips": MetricInfo("LPIPS, face", "", False, "In the face's box"),
    "lmd_mouth": MetricInfo("LMD, mouth", "px", False, "Distance of the mouth's landmarks"),
    "identity_cosine": MetricInfo("Identity", "", True, "Cosine of two embeddings"),
    "lip_sync_correlation": MetricInfo("Mouth and sound", "", None, "No way is better"),
}
# at 0.01 bits a pixel, and change for each doubling of the rate
CODECS: dict[str, dict[str, tuple[float, float]]] = {
    "facewire": {"lpips": (0.115, -0.008), "psnr": (24.2, 0.6), "dists": (0.09, -0.005)},
    "frozen": {"lpips": (0.272, -0.004), "psnr": (17.5, 0.2), "dists": (0.2, -0.003)},
    "vvenc": {"lpips": (0.150, -0.045), "psnr": (28.9, 1.9), "dists": (0.16, -0.03)},
    "vvenc-ld": {"lpips": (0.190, -0.045), "psnr": (27.6, 1.8), "dists": (0.18, -0.03)},
    "svtav1": {"lpips": (0.158, -0.043), "psnr": (28.3, 1.8), "dists": (0.165, -0.03)},
    "x265": {"lpips": (0.265, -0.055), "psnr": (25.6, 1.7), "dists": (0.24, -0.03)},
}
FLOORS = {"vvenc": 0.0033, "vvenc-ld": 0.0045, "svtav1": 0.0037, "x265": 0.0065}


def make_results(
    name: str = "val, avfr-s",
    *,
    clips: tuple[str, ...] = CLIPS,
    targets: tuple[float, ...] = TARGETS,
    codecs: tuple[str, ...] = tuple(CODECS),
    frames: tuple[FrameSet, ...] = (),
    seed: int = 0,
) -> Results:
    """Results with seeded noise; clips differ more from each other than codecs do."""
    random = np.random.default_rng(seed)
    hard = random.normal(0, 1, len(clips))
    results: dict[str, tuple[Row, ...]] = {}
    by_clip: dict[str, tuple[ClipFigures, ...]] = {}
    for codec in codecs:
        rows, entries = [], []
        for target in targets:
            rate = max(target, FLOORS.get(codec, 0.0))
            own = _figures(codec, rate, hard, random)
            bpp = _bits(codec, rate)
            reached = rate <= 1.01 * target
            table = np.stack(list(own.values()), axis=1)
            values = {key: mean(column) for key, column in own.items()}
            values["fid"] = 900 * values["lpips"] ** 1.6 + 4
            ends = zip(own, mean_intervals(table), strict=True)
            rows.append(
                Row(
                    target,
                    reached,
                    len(clips),
                    FRAMES * len(clips),
                    bpp,
                    {kind: number * PIXELS * FPS / 1000 for kind, number in bpp.items()},
                    values,
                    {key: pair for key, pair in ends if pair},
                    {"frames": FRAMES * len(clips), "inception": 50 * len(clips)},
                    {"facewire": 41.0, "frozen": 900.0}.get(codec, 3 + 60 * rate),
                    {"facewire": 38.0, "frozen": 2400.0}.get(codec, 640 - 4000 * rate),
                    f"{codec} --bits {target} -i 'a b.yuv' -o out",
                    {codec: "1.2.3"},
                    () if reached else (f"its lowest rate is {rate:g} bits a pixel",),
                )
            )
            entries += [
                ClipFigures(target, clip, reached, bpp, {key: float(own[key][i]) for key in own})
                for i, clip in enumerate(clips)
            ]
        results[codec], by_clip[codec] = tuple(rows), tuple(entries)
    return Results(
        name,
        "Fifteen unseen clips, 256x256, ten seconds each",
        {"python": "3.11.9", "processor": "Some CPU"},
        {"anchor": "vvenc-ld", "command": "codec-eval --bpp 0.003", "size": 256},
        METRICS,
        results,
        by_clip,
        {"sync_c": "SyncNet's weights are not here"},
        {"broken.mp4": "nothing in the file decodes as video"},
        frames,
    )


def _figures(
    codec: str, rate: float, hard: Floats, random: np.random.Generator
) -> dict[str, Floats]:
    doublings = np.log2(rate / 0.01)

    def noise(scale: float) -> Floats:
        return random.normal(0, scale, len(hard))

    base = {key: start + step * doublings for key, (start, step) in CODECS[codec].items()}
    lpips = np.clip(base["lpips"] * (1 + 0.18 * hard) + noise(0.006), 0.01, 1)
    return {
        "lpips": lpips,
        "dists": np.clip(base["dists"] * (1 + 0.12 * hard) + noise(0.005), 0.01, 1),
        "psnr": base["psnr"] - 1.6 * hard + noise(0.3),
        "ssim": np.clip(0.95 - lpips, 0, 1),
        "face_lpips": 0.7 * lpips,
        "lmd_mouth": 0.6 + 9 * lpips**1.5,
        "identity_cosine": 1 - 0.4 * lpips,
        "lip_sync_correlation": 0.5 + noise(0.05),
    }


def _bits(codec: str, rate: float) -> dict[str, float]:
    sound = 10_000 / (PIXELS * FPS)
    if codec == "facewire":
        motion = min(0.0012, 0.5 * rate)
        parts = {"motion": motion, "container": 0.0002, "keyframe": rate - motion - 0.0002}
    elif codec == "frozen":
        parts = {"keyframe": rate}
    else:
        parts = {"keyframe": 0.3 * rate, "inter": 0.69 * rate, "container": 0.01 * rate}
    return {**parts, "audio": sound, "video": rate, "total": rate + sound}
