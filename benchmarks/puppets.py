"""`Puppet`: a reenactor that is moved by sound, head pose and blinks, as both papers have it.

APB2Face is a predictor and one network a person (equations 3 and 5 of the paper); APB2FaceV2 is one
network for several people. Each takes its signals from prepared clips as its training did. Graphs
run in OpenVINO on one thread in float32, and count the time of the processor that they take.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt
import openvino as ov
import torch
from safetensors import safe_open

from facewire.models.apb2face.drawing import draw_landmarks
from facewire.models.apb2face.features import HeadAngles, mfcc, mfcc_window
from facewire.models.apb2face.landmarks import TABLE, blinks, select_106
from facewire.models.apb2face.network import GeometryPredictor
from facewire.models.apb2face.received import head_of, mesh_of
from facewire.models.apb2face.shots import Shot
from facewire.models.apb2face.store import load_paper
from facewire.models.apb2face_v2.export import reenactor_graphs
from facewire.models.apb2face_v2.inputs import blink_of, pose_of, sound_of
from facewire.models.face.canonical import load_canonical
from facewire.models.face.mesh import LANDMARKS, select_points
from facewire.models.mel import SAMPLE_RATE, mel_window
from facewire.models.third_party import find_asset
from facewire.models.weights import Card, load_card
from facewire.receiver.generators.protocol import from_picture, to_picture

__all__ = ["SIDE", "V2", "Drawer", "Landmarks", "Puppet", "Signals", "as_received", "whole_angles"]

SIDE = 256
"""Pictures are measured at the papers' size, whatever a network's own is."""
_SETTINGS = {
    "PERFORMANCE_HINT": "LATENCY",
    "INFERENCE_PRECISION_HINT": "f32",
    "INFERENCE_NUM_THREADS": 1,
}

Array = npt.NDArray[np.float32]
Frame = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Signals:
    """What moves a face.

    Attributes:
        sound: MFCC around the moment, float32 `[64, 60]`.
        pose: yaw, pitch and roll in radians, float32 `[3]`.
        blink: height over width of the right and the left eye, float32 `[2]`.
    """

    sound: Array
    pose: Array
    blink: Array


class Puppet(Protocol):
    """One person, moved by signals.

    Attributes:
        seconds: of the processor that its pictures took.
        made: how many pictures that were.
        millions: of parameters.
    """

    seconds: float
    made: int
    millions: float

    def signals(self, shot: Shot) -> Signals:
        """What moves the face to a picture of a prepared clip."""

    def make(self, signals: Signals) -> Frame:
        """The picture, uint8 RGB `[256, 256, 3]`."""


def whole_angles() -> HeadAngles:
    """Head pose of all 478 landmarks, as the predictor of APB2Face learned it."""
    return HeadAngles(load_canonical(find_asset("face_landmarker.task")))


class Drawer:
    """APB2Face's second half: a person drawn from landmarks.

    Args:
        weights: folder of the person's network.
    """

    def __init__(self, weights: Path) -> None:
        card = load_card(weights)
        self._graph = _graphs(card)["frame"]
        self._size = int(card.config["size"])
        self.seconds, self.made, self.millions = 0.0, 0, _millions(card)

    def draw(self, marks: Array) -> Frame:
        """The picture of 106 landmarks, float32 `[106, 2]` on [-1, 1]."""
        started = time.process_time()
        drawing = draw_landmarks(marks, self._size)[None, None]
        picture = to_picture(self._graph({"drawing": drawing})[0][0])
        self.seconds += time.process_time() - started
        self.made += 1
        return _at_side(picture)

    def again(self, shot: Shot) -> Frame:
        """The picture of a shot's own landmarks, as a receiver would know them."""
        return self.draw(as_received(select_106(shot.clip.landmarks[shot.frame])))


class Landmarks:
    """APB2Face, whole: signals to landmarks, and these to pictures.

    Args:
        drawer: of the person.
        predictor: folder of the paper's geometry predictor.
    """

    def __init__(self, drawer: Drawer, predictor: Path) -> None:
        self._drawer, self._network = drawer, load_paper(predictor)
        self._angles = whole_angles()
        self.seconds, self.made = 0.0, 0
        self.millions = drawer.millions + _count(self._network) / 1e6

    def signals(self, shot: Shot) -> Signals:
        """See `Puppet.signals`."""
        marks = shot.clip.landmarks[shot.frame]
        return Signals(
            mfcc_window(mfcc(shot.clip.mel), _sample(shot)),
            self._angles.angles(marks),
            blinks(marks),
        )

    def landmarks(self, signals: Signals) -> Array:
        """What the predictor says, float32 `[106, 2]` on [-1, 1]."""
        inputs = (signals.sound[None], signals.pose, signals.blink)
        with torch.inference_mode():
            made = self._network(*(torch.from_numpy(value[None]) for value in inputs))
        return np.asarray(made[0].numpy())

    def make(self, signals: Signals) -> Frame:
        """See `Puppet.make`."""
        started, drawn = time.process_time(), self._drawer.seconds
        marks = self.landmarks(signals)
        predicted = time.process_time() - started
        picture = self._drawer.draw(as_received(marks))
        self.seconds += predicted + self._drawer.seconds - drawn
        self.made += 1
        return picture


class V2:
    """APB2FaceV2: a reference face, and signals.

    Args:
        weights: folder of the network.
        reference: a picture of the person.
    """

    def __init__(self, weights: Path, reference: Shot) -> None:
        card = load_card(weights)
        graphs = _graphs(card)
        size = int(card.config["size"])
        picture = from_picture(reference.picture(size), size)
        self._features = graphs["source"]({"picture": picture})[0].copy()
        self._graph = graphs["frame"]
        self._angles = HeadAngles(head_of(load_canonical(find_asset("face_landmarker.task"))))
        self.seconds, self.made, self.millions = 0.0, 0, _millions(card)

    def signals(self, shot: Shot) -> Signals:
        """See `Puppet.signals`."""
        points = select_points(shot.clip.landmarks[shot.frame])
        sound = sound_of(mel_window(shot.clip.mel, _sample(shot)))
        return Signals(sound[0], pose_of(self._angles, points), blink_of(points))

    def make(self, signals: Signals) -> Frame:
        """See `Puppet.make`; the reference is encoded once, as a receiver does it."""
        started = time.process_time()
        inputs = {
            "features": self._features,
            "sound": signals.sound[None, None],
            "pose": signals.pose[None],
            "blink": signals.blink[None],
        }
        picture = to_picture(self._graph(inputs)[0][0])
        self.seconds += time.process_time() - started
        self.made += 1
        return _at_side(picture)


def as_received(marks: Array) -> Array:
    """The 106 landmarks `[106, 2]` with pupils in the middle of the eyes.

    A receiver that has no gaze draws them there, and so the networks have learned them.
    """
    mesh = np.zeros((LANDMARKS, 2), np.float32)
    mesh[list(TABLE)] = marks
    return select_106(mesh_of(select_points(mesh)))


def _sample(shot: Shot) -> int:
    return round(shot.frame * SAMPLE_RATE / shot.clip.fps)


def _at_side(picture: Frame) -> Frame:
    if len(picture) == SIDE:
        return picture
    return np.asarray(cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.uint8)


def _graphs(card: Card) -> dict[str, ov.CompiledModel]:
    core = ov.Core()
    graphs = reenactor_graphs(card).items()
    return {name: core.compile_model(graph, "CPU", _SETTINGS) for name, graph in graphs}


def _count(network: GeometryPredictor) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _millions(card: Card) -> float:
    """Parameters of a network in millions; the tables beside it are none."""
    with safe_open(card.weights, framework="np") as file:
        sizes = {name: np.prod(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    learned = (int(n) for name, n in sizes.items() if not name.startswith(("face.", "head_")))
    return sum(learned) / 1e6
