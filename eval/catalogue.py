"""Every metric's name, unit, direction and definition, as reports show them."""

from __future__ import annotations

from .schema import MetricInfo

__all__ = ["METRICS"]

_BOX = {
    "face": "in the bounding box of the true face's mesh",
    "mouth": "in the true mouth's box, a fifth larger on each side, at least 32 pixels",
    "eyes": "in the box of both true eyes, a fifth larger on each side, at least 32 pixels",
}
_LPIPS = "Learned perceptual distance v0.1 (Zhang et al. 2018, arXiv 1801.03924), {}"


def _metrics() -> dict[str, MetricInfo]:
    fid = (
        "Fréchet Inception distance (Heusel et al. 2017) of all frames looked at together, "
        "Inception of 2015-12-05, float64, pictures resized by torch's bilinear filter. Biased "
        "upward by few frames: compare equal numbers only"
    )
    found = {
        "fid": MetricInfo("FID", "", False, fid),
        "kid": MetricInfo(
            "KID",
            "",
            False,
            "Kernel Inception distance (Bińkowski et al. 2018): unbiased squared MMD, cubic kernel",
        ),
        "lpips": MetricInfo("LPIPS", "", False, _LPIPS.format("AlexNet")),
        "lpips_vgg": MetricInfo("LPIPS-VGG", "", False, _LPIPS.format("VGG16")),
        "dists": MetricInfo(
            "DISTS",
            "",
            False,
            "Structure and texture similarity of VGG16's features (Ding et al. 2020)",
        ),
        "psnr": MetricInfo(
            "PSNR", "dB", True, "Of RGB, of each frame, then the mean; at most 60 a frame"
        ),
        "ssim": MetricInfo("SSIM", "", True, "Wang et al. 2004, Gaussian window of 11"),
        "ms_ssim": MetricInfo("MS-SSIM", "", True, "Wang et al. 2003, five scales"),
    }
    for box, where in _BOX.items():
        kinds = ["psnr", "ssim", "lpips"] + (["lpips_vgg", "dists"] if box == "face" else [])
        for kind in kinds:
            base = found[kind]
            name = f"{base.label}, {box}"
            text = f"{base.definition}; {where}"
            found[f"{box}_{kind}"] = MetricInfo(name, base.unit, base.higher_is_better, text)
    return found | _faces()


def _faces() -> dict[str, MetricInfo]:
    tracked = "tracked by MediaPipe in both frames"
    return {
        "lmd": MetricInfo(
            "LMD", "px", False, f"Mean distance of 468 landmarks, {tracked} (Chen et al. 2018)"
        ),
        "lmd_mouth": MetricInfo("LMD, mouth", "px", False, f"Of 40 contour points, {tracked}"),
        "lmd_eyes": MetricInfo("LMD, eyes", "px", False, f"Of 32 contour points, {tracked}"),
        "mouth_opening": MetricInfo(
            "mouth opening error", "", False, "Inner lips' height over width, absolute difference"
        ),
        "mouth_correlation": MetricInfo(
            "mouth correlation", "", True, "Pearson, true with decoded mouth opening over time"
        ),
        "eye_opening": MetricInfo(
            "eye opening error", "", False, "Lids' height over width, absolute difference"
        ),
        "blink_error": MetricInfo(
            "blink error", "", False, "Mean absolute difference of MediaPipe's blink blendshapes"
        ),
        "pose_error": MetricInfo(
            "pose error", "°", False, "Mean absolute difference of yaw, pitch and roll"
        ),
        "aed": MetricInfo(
            "AED",
            "",
            False,
            "Distance of dlib's identity embeddings, true with decoded; 0.6 is its bound between "
            "two people",
        ),
        "identity_cosine": MetricInfo("identity", "", True, "Cosine of the same embeddings"),
        "flicker": MetricInfo(
            "flicker",
            "levels",
            False,
            "Mean absolute difference of decoded and true frame differences, of 255 levels",
        ),
        "jitter": MetricInfo(
            "jitter", "px", False, "Second difference over time of the landmarks' error"
        ),
        "lip_sync_correlation": MetricInfo(
            "mouth with sound",
            "",
            True,
            "Correlation of the decoded mouth opening with the sound's level, at the lag that "
            "fits the true frames best. No SyncNet score",
        ),
        "lip_sync_correlation_truth": MetricInfo(
            "mouth with sound, true frames", "", None, "The same of the true frames"
        ),
        "sync_c": MetricInfo("LSE-C", "", True, "SyncNet's confidence (Chung and Zisserman 2016)"),
        "sync_d": MetricInfo("LSE-D", "", False, "SyncNet's distance"),
        "dr": MetricInfo("DR", "%", True, "APB2Face: share of frames in which a face is found"),
        "ale": MetricInfo(
            "ALE", "px", False, "APB2Face: landmarks' absolute difference in its crop of 256"
        ),
        "ape": MetricInfo("APE", "rad", False, "APB2Face: absolute difference of the head pose"),
        "abe": MetricInfo("ABE", "", False, "APB2Face: eye height over width, absolute difference"),
    }


METRICS = _metrics()
"""In the order in which reports list them."""
