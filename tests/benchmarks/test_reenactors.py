"""The papers' tables, with networks that are tiny and untrained."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from benchmarks import decoupling, geometry, reenactors
from benchmarks.puppets import SIDE, V2, Drawer, Landmarks, Signals, as_received, whole_angles
from facewire.cli.demo.face import AnimatedFace, Pose, load_portrait
from facewire.codec.errors import WeightsError
from facewire.eval.measure import Figures
from facewire.eval.metrics.faces import openings
from facewire.models.apb2face.features import MFCC, STEPS, HeadAngles
from facewire.models.apb2face.generator_store import save_generator
from facewire.models.apb2face.landmarks import COUNT, select_106
from facewire.models.apb2face.network import GeometryPredictor
from facewire.models.apb2face.paper_evaluate import landmark_figures
from facewire.models.apb2face.paper_frames import paper_frames
from facewire.models.apb2face.received import head_of, mesh_of
from facewire.models.apb2face.reenactor import FaceReenactor, ReenactorConfig
from facewire.models.apb2face.reenactor_train import drawn
from facewire.models.apb2face.shots import Shot
from facewire.models.apb2face.store import load_paper, save_paper
from facewire.models.apb2face_v2.network import Apb2FaceV2, ReenactorV2Config
from facewire.models.apb2face_v2.train import driven
from facewire.models.face.canonical import load_canonical
from facewire.models.face.mesh import select_points
from facewire.models.face.table import FaceTable
from facewire.models.judges.inception import FEATURES
from facewire.models.third_party import find_asset
from facewire.models.training.cache import write_clip
from facewire.sender.tracking.tracker import Tracker
from tests.models.apb2face.conftest import made_talk
from tests.models.conftest import made_clip

FRAMES = 40


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders `one/a`, `many` and `geometry`."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    one = ReenactorConfig(size=32, channels=4, blocks=1)
    many = ReenactorV2Config(size=32, channels=4, blocks=1, hidden=4)
    face, head = FaceTable.blank(), head_of(load_canonical(find_asset("face_landmarker.task")))
    save_generator(FaceReenactor(one, face), one.to_dict(), face, folder / "one" / "a")
    save_generator(Apb2FaceV2(many, face, head), many.to_dict(), face, folder / "many")
    save_paper(GeometryPredictor(), folder / "geometry")
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    for n in range(5):
        write_clip(folder, made_clip(f"clip{n}", "a", FRAMES))
    return folder


@pytest.fixture(scope="module")
def shot() -> Shot:
    return Shot(made_clip("clip9", "a", FRAMES), 7)


def test_people_are_measured_where_nothing_was_learned_from(cache: Path) -> None:
    person = reenactors.people_of(cache, 5)["a"]
    assert person.reference.clip.name == "clip0"
    assert [shot.clip.name for shot in person.shots] == ["clip4"] * 5
    assert [shot.position for shot in person.shots] == [0, 5, 10, 14, 19]


def test_a_shots_landmarks_are_drawn_as_they_were_learned(weights: Path, shot: Shot) -> None:
    drawer = Drawer(weights / "one" / "a")
    wanted = drawn([shot], 32)["drawing"].numpy()
    seen = []
    network = drawer._graph
    drawer._graph = lambda inputs: (seen.append(inputs["drawing"]), network(inputs))[1]
    picture = drawer.again(shot)
    np.testing.assert_array_equal(seen[0], wanted)
    assert picture.shape == (SIDE, SIDE, 3)
    assert picture.dtype == np.uint8
    assert drawer.made == 1
    assert drawer.seconds > 0


def test_pupils_lie_where_a_receiver_draws_them(shot: Shot) -> None:
    marks = shot.clip.landmarks[shot.frame]
    found = as_received(select_106(marks))
    np.testing.assert_array_equal(found, select_106(mesh_of(select_points(marks))))
    assert not np.array_equal(found, select_106(marks))


def test_v2_is_moved_as_in_its_training(weights: Path, shot: Shot) -> None:
    puppet = V2(weights / "many", shot)
    angles = HeadAngles(head_of(load_canonical(find_asset("face_landmarker.task"))))
    wanted = driven([shot], [shot], angles, 32)
    found = puppet.signals(shot)
    for name in ("sound", "pose", "blink"):
        value = wanted[name][0].numpy().reshape(getattr(found, name).shape)
        np.testing.assert_allclose(getattr(found, name), value, atol=1e-6)
    still = puppet.make(found)
    turned = puppet.make(Signals(found.sound, found.pose + 1, found.blink))
    assert np.abs(still.astype(int) - turned).max() > 0
    card = ReenactorV2Config(size=32, channels=4, blocks=1, hidden=4)
    network = Apb2FaceV2(card, FaceTable.blank())
    assert puppet.millions == pytest.approx(sum(p.numel() for p in network.parameters()) / 1e6)


def test_apb2face_is_its_predictor_and_its_drawer(weights: Path, shot: Shot) -> None:
    drawer = Drawer(weights / "one" / "a")
    puppet = Landmarks(drawer, weights / "geometry")
    signals = puppet.signals(shot)
    assert signals.sound.shape == (STEPS, MFCC)
    inputs = (signals.sound[None], signals.pose, signals.blink)
    with torch.no_grad():
        wanted = load_paper(weights / "geometry")(*(torch.from_numpy(v[None]) for v in inputs))
    found = puppet.landmarks(signals)
    np.testing.assert_allclose(found, wanted[0].numpy(), atol=1e-6)
    np.testing.assert_array_equal(puppet.make(signals), drawer.draw(as_received(found)))
    assert puppet.made == 1
    assert drawer.made == 2


@pytest.fixture(scope="module")
def person() -> AnimatedFace:
    return AnimatedFace(load_portrait())


def test_true_pictures_have_no_error(person: AnimatedFace) -> None:
    portraits = [person.draw(Pose(mouth=mouth), SIDE) for mouth in (0.0, 0.2, 0.4, 0.6)]
    nobody = np.zeros_like(portraits[0])
    with Tracker(details=True, still=True) as tracker:
        judge = reenactors.Judge(portraits, tracker)
        same = judge.measure(portraits)
        none = judge.measure([nobody] * 4)
        half = judge.measure([*portraits[:2], nobody, nobody])
    assert same.pop("ssim") == pytest.approx(1, abs=1e-5)
    assert same.pop("mouth") == pytest.approx(1)
    assert same == {"dr": 100, "ale": 0, "ape": 0, "abe": 0}
    assert none["dr"] == 0
    assert np.isnan(none["ale"])
    assert none["ssim"] < 0.5
    assert half["dr"] == 50
    assert half["ale"] == 0


def made_features(shift: float) -> np.ndarray:
    features = np.zeros((6, FEATURES), np.float32)
    features[:, :2] = np.random.default_rng(0).normal(0, 1, (6, 2))
    features[:, 3] = shift
    return features


def test_fid_of_the_same_pictures_is_0_and_of_shifted_ones_the_square() -> None:
    truth = Figures({}, {"frames": 6}, made_features(0))
    same = reenactors.row_of(truth, Figures({"ssim": 1.0}, {"frames": 6}, made_features(0), 3.0))
    assert same["fid"] == pytest.approx(0, abs=1e-6)
    assert (same["ssim"], same["frames/s"]) == (1, 2)
    far = reenactors.row_of(truth, Figures({}, {"frames": 6}, made_features(3)))
    assert far["fid"] == pytest.approx(9)
    assert far["kid"] > same["kid"]
    assert "frames/s" not in far


def test_the_tables(tmp_path: Path) -> None:
    for name, ssim, shift in (("a", 0.5, 0.0), ("b", 0.75, 2.0)):
        Figures({}, {"frames": 6}, made_features(0)).save(tmp_path / f"{name}.truth.npz")
        values = {"ssim": ssim, "dr": 100.0, "millions": 2.0, "steps": 7.0}
        made = Figures(values, {"frames": 6}, made_features(shift), 3.0)
        made.save(tmp_path / f"{name}.apb2face-drawn.npz")
    lines = reenactors.tables(tmp_path).splitlines()
    a, b, mean, together = (
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in lines
        if line.startswith(("| a |", "| b |", "| mean |", "| apb2face, drawn |"))
    )
    assert a[:3] == ["a", "6", "0.500"]
    assert abs(float(a[3])) == 0
    assert b[:4] == ["b", "6", "0.750", "4.0"]
    assert mean[:4] == ["mean", "12", "0.625", "2.0"]
    assert together[:3] == ["apb2face, drawn", "12", "0.625"]
    assert together[-4:] == ["2.00", "2.00", "7", ""]
    assert mean[6] == ""  # nothing measured ALE


def stand_in(frames: Sequence[np.ndarray]) -> np.ndarray:
    """In place of Inception, whose file a machine may lack: coarse pictures."""
    small = [cv2.resize(frame, (26, 26)).reshape(-1) for frame in frames]
    return np.pad(np.array(small, np.float32) / 255, ((0, 0), (0, FEATURES - 26 * 26 * 3)))


def test_a_person_is_measured_in_all_ways(cache: Path, weights: Path, tmp_path: Path) -> None:
    person = reenactors.people_of(cache, 4)["a"]
    args = Namespace(
        one=weights / "one", many=weights / "many", geometry=weights / "geometry", out=tmp_path
    )
    ways = reenactors.ways_of(person, args)
    assert tuple(ways) == reenactors.WAYS
    drawn_first = {name: ways[name] for name in reenactors.WAYS[:2]}
    reenactors.measure_person(person, drawn_first, tmp_path, stand_in)
    first = (tmp_path / "a.apb2face-drawn.npz").read_bytes()
    reenactors.measure_person(person, ways, tmp_path, stand_in)  # what is there is not done again
    assert (tmp_path / "a.apb2face-drawn.npz").read_bytes() == first
    sheet = cv2.imread(str(tmp_path / "a.png"))
    assert sheet.shape == (5 * 160, 4 * 160, 3)
    table = reenactors.tables(tmp_path)
    assert all(f"| {way} | 4 |" in table for way in reenactors.WAYS)


def made_signals(seed: int) -> Signals:
    rng = np.random.default_rng(seed)
    values = (rng.normal(0, 0.2, shape).astype(np.float32) for shape in ((STEPS, MFCC), 3, 2))
    return Signals(*values)


def test_in_each_row_one_signal_changes() -> None:
    known = [made_signals(seed) for seed in range(20)]
    spoken = [made_signals(seed) for seed in range(20, 20 + decoupling.CELLS)]
    rows = decoupling.decoupled(known, spoken, np.linspace(0, 1, decoupling.CELLS))
    assert [row.name for row in rows] == ["yaw", "pitch", "roll", "eyes", "sound"]
    for at, row in enumerate(rows):
        values = np.stack([np.concatenate([s.pose, s.blink]) for s in row.signals])
        changed = np.ptp(values, axis=0) > 0
        assert list(changed) == [at == 0, at == 1, at == 2, at == 3, at == 3]
        same_sound = all(s.sound is row.signals[0].sound for s in row.signals)
        assert same_sound == (row.name != "sound")
    poses = np.stack([s.pose for s in known])
    low, high = np.percentile(poses[:, 1], (5, 95))
    turned = [s.pose[1] for s in rows[1].signals]
    np.testing.assert_allclose(turned, np.linspace(low, high, decoupling.CELLS), atol=1e-6)
    np.testing.assert_allclose(rows[1].values, np.degrees(turned), atol=1e-4)
    assert rows[0].signals[0].pose[1] == pytest.approx(np.median(poses[:, 1]))


def test_moments_are_in_the_order_of_the_true_mouth(cache: Path) -> None:
    shots, wide = decoupling.ever_wider(reenactors.people_of(cache, 100)["a"].shots)
    assert len(shots) == decoupling.CELLS
    assert (np.diff(wide) >= 0).all()
    assert wide[0] < wide[-1]
    true = openings(shots[2].clip.landmarks[shots[2].frame], "mouth")[0]
    assert wide[2] == pytest.approx(true, rel=1e-6)


def test_ranges_of_a_drawn_head(person: AnimatedFace) -> None:
    rows = {
        "yaw": [Pose(yaw=-12), Pose(yaw=12)],
        "roll": [Pose(roll=-10), Pose(roll=10)],
        "mouth": [Pose(mouth=0.0), Pose(mouth=0.8)],
    }
    with Tracker(still=True) as tracker:
        found = {
            name: decoupling.ranges([person.draw(p, SIDE) for p in poses], tracker, whole_angles())
            for name, poses in rows.items()
        }
        nobody = [np.zeros((SIDE, SIDE, 3), np.uint8)] * 3
        none = decoupling.ranges(nobody, tracker, whole_angles())
    assert found["yaw"][:3].argmax() == 0
    assert found["roll"][2] == pytest.approx(20, abs=4)  # an affine fit, of a face less wide
    assert found["roll"][:2].max() < 5
    assert found["mouth"][4] > 0.2
    assert found["mouth"][:3].max() < 5
    assert np.isnan(none).all()


def test_a_sheet_has_its_rows() -> None:
    spoken = [made_signals(seed) for seed in range(decoupling.CELLS)]
    rows = decoupling.decoupled(spoken, spoken, np.linspace(0, 1, decoupling.CELLS))
    pictures = [[np.full((SIDE, SIDE, 3), 40 * n, np.uint8)] * decoupling.CELLS for n in range(5)]
    sheet = decoupling.draw(rows, pictures)
    assert sheet.shape[1] == decoupling.CELLS * decoupling.CELL
    assert list(sheet[60 :: len(sheet) // 5, 5, 0]) == [0, 40, 80, 120, 160]


def test_the_error_of_a_predictor() -> None:
    true = torch.zeros(2, COUNT, 2)
    made = true.clone()
    made[..., 0], made[..., 1] = 3 / 128, 4 / 128
    made[:, -20:] *= 2
    found = landmark_figures(made, true)
    assert found["mouth_px"] == pytest.approx(10)
    assert found["landmarks_px"] == pytest.approx(5 * 86 / 106 + 10 * 20 / 106)
    assert found["l1_px"] == pytest.approx(3.5 * 86 / 106 + 7 * 20 / 106)
    assert set(landmark_figures(true, true).values()) == {0.0}


def test_a_mean_face_and_predictors_side_by_side(weights: Path) -> None:
    talks = [made_talk(f"{name}{n}", name) for name in "ab" for n in range(2)]
    people = geometry.by_person(talks)
    assert {name: len(own) for name, own in people.items()} == {"a": 2, "b": 2}
    ways = {"mean face": geometry.mean_face(people["a"]),
            "judged": geometry.network(weights / "geometry")}  # fmt: skip
    rows = {
        name: geometry.figures(ways, paper_frames(own, whole_angles()))
        for name, own in people.items()
    }
    still, _, untrained, _ = rows["a"]
    assert still < 1 < untrained  # made-up heads do not move, and another's is far away
    assert rows["b"][0] > 10
    last = geometry.table({"a": [1.0, 2.0], "b": [3.0, 2.0]}, ["x"]).splitlines()[-1]
    assert last == "| mean | 2.000 ± 1.000 | 2.000 ± 0.000 |"


def test_another_network_is_no_predictor_of_the_paper(weights: Path) -> None:
    with pytest.raises(WeightsError, match="geometry predictor"):
        load_paper(weights / "many")
