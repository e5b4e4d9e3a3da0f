from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from facewire.codec.errors import UnsupportedError, WeightsError
from facewire.codec.stream import StreamHeader
from facewire.models.weights import load_card
from facewire.receiver.config import DecoderConfig
from facewire.receiver.decoder import Decoder
from facewire.receiver.generators.load import open_generator


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A card without the runtime's files."""
    metadata = {"config": json.dumps({"name": "s", "size": 256})}
    save_file({"x": np.zeros(1, np.float32)}, tmp_path / "model.safetensors", metadata)
    return tmp_path


def test_model_of_another_family() -> None:
    with pytest.raises(UnsupportedError, match="'dream-1'"):
        open_generator(StreamHeader("dream-1", bytes(32)), DecoderConfig())


def test_size_that_is_not_shipped() -> None:
    with pytest.raises(WeightsError, match="avfr-gigantic"):
        open_generator(StreamHeader("avfr-gigantic", bytes(32)), DecoderConfig())


def test_own_weights_must_have_the_hash_of_the_stream(folder: Path) -> None:
    header = StreamHeader("avfr-s", b"\x01" * 32)
    with pytest.raises(WeightsError, match="begins with 010101010101"):
        open_generator(header, DecoderConfig(weights=folder))


def test_pictures_of_another_size(folder: Path) -> None:
    header = StreamHeader("avfr-s", load_card(folder).sha256, width=128, height=128)
    with pytest.raises(UnsupportedError, match="128x128; avfr-s makes 256x256"):
        open_generator(header, DecoderConfig(weights=folder))


def test_missing_runtime_files(folder: Path) -> None:
    header = StreamHeader("avfr-s", load_card(folder).sha256)
    with pytest.raises(WeightsError, match=r"runtime\.zip is not there"):
        open_generator(header, DecoderConfig(weights=folder))


def test_folder_without_weights(tmp_path: Path) -> None:
    decoder = Decoder(DecoderConfig(weights=tmp_path))
    with pytest.raises(WeightsError):
        decoder.decode(StreamHeader("avfr-s", bytes(32)).to_packet(0))
    assert decoder.header is None
