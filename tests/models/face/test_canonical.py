"""The canonical face of the task file, and hostile bytes in its place."""

from __future__ import annotations

import contextlib
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewire.codec.errors import WeightsError
from facewire.models.avfr.selfie_model import split_model
from facewire.models.face.canonical import load_canonical, read_canonical
from facewire.models.third_party import find_asset


def test_the_face_is_symmetric_and_in_centimetres() -> None:
    face = load_canonical(find_asset("face_landmarker.task"))
    assert face.points.shape == (468, 3)
    assert face.triangles.shape == (898, 3)
    assert 12 < np.ptp(face.points[:, 0]) < 18
    assert abs(face.points[33, 0] + face.points[263, 0]) < 0.01  # outer corners of the eyes
    assert (face.weights > 0).sum() == 33


@given(st.binary(max_size=200))
def test_bytes_that_are_no_face_are_refused(data: bytes) -> None:
    with pytest.raises(WeightsError):
        read_canonical(data)


@given(st.integers(0, 19_000))
def test_a_face_cut_short_is_refused_or_read(length: int) -> None:
    with zipfile.ZipFile(find_asset("face_landmarker.task")) as task:
        data = task.read("geometry_pipeline_metadata_landmarks.binarypb")
    with contextlib.suppress(WeightsError):
        face = read_canonical(data[:length])
        assert face.points.shape == (468, 3)
        assert face.triangles.max() < 468


@given(st.integers(0, 400), st.integers(0, 255), st.integers(0, 60_000))
def test_a_damaged_mask_network_is_refused_or_split(at: int, value: int, length: int) -> None:
    data = bytearray(find_asset("selfie_segmentation.tflite").read_bytes())
    data[at] = value
    for damaged in (bytes(data), bytes(data[:length])):
        with contextlib.suppress(WeightsError):
            split_model(damaged)
