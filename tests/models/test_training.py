from __future__ import annotations

import csv
import multiprocessing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facewire.codec.errors import ConfigError, TrainingError
from facewire.codec.picture.still import CodedPicture, decode_picture, encode_picture
from facewire.models.avfr import Avfr, AvfrConfig
from facewire.models.face.gaze import with_irises
from facewire.models.face.mesh import POINTS
from facewire.models.face.table import FaceTable
from facewire.models.mel import SILENCE
from facewire.models.training import data, loop
from facewire.models.training.cache import CachedClip, read_cache, write_clip
from facewire.models.training.config import LossWeights, TrainConfig
from facewire.models.training.data import Augmentation, Pairs
from facewire.models.training.evaluate import animate_clip
from facewire.models.training.fit_face import fit_face_table
from facewire.models.training.loop import _Run, fit, split_by_person
from facewire.models.training.picture import contact_sheet
from facewire.models.training.step import _flicker

from .conftest import made_clip

NO_FEATURES = LossWeights(perceptual=0, face=0)  # no pretrained files in unit tests
QUICK = TrainConfig(
    steps=3, batch=1, drivings=2, size=64, evaluate_every=10**6, picture_every=10**6,
    checkpoint_every=2, threads=1, losses=NO_FEATURES,
)  # fmt: skip


def train(cache: Path, out: Path, network: AvfrConfig, settings: TrainConfig = QUICK, **kw) -> Avfr:
    clips = read_cache(cache)
    return fit(network, settings, clips, [], out, face=FaceTable.blank(), **kw)


@pytest.mark.parametrize("mode", ["mesh", "detector", "unsupervised"])
def test_a_few_steps_change_the_weights(
    cache: Path, tmp_path: Path, tiny: AvfrConfig, mode: str
) -> None:
    network = tiny.with_changes(keypoint_mode=mode, landmark_prior=mode != "unsupervised")
    torch.manual_seed(0)
    model = train(cache, tmp_path / "run", network)
    again = Avfr.from_pretrained(tmp_path / "run")
    first = dict(model.named_parameters())["generator.enter.weight"]
    torch.manual_seed(0)
    fresh = dict(Avfr(model.config).named_parameters())["generator.enter.weight"]
    assert not torch.equal(first.cpu(), fresh)
    assert again.config.keypoint_mode == mode
    clip = read_cache(cache)[0]
    _, flows = animate_clip(again, clip, [1], torch.device("cpu"))
    assert np.isfinite(flows).all()
    sheet = contact_sheet(again, [clip])
    assert sheet.size == (7 * 64, 64)


def test_the_adversarial_loss_trains_both_sides(
    cache: Path, tmp_path: Path, tiny: AvfrConfig
) -> None:
    settings = replace(QUICK, losses=replace(NO_FEATURES, adversarial=0.1))
    settings = replace(settings, steps=50, minutes=0.03)
    train(cache, tmp_path / "run", tiny, settings)
    state = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    assert state["discriminator"] is not None
    assert state["judge"]["state"]


def test_resume_goes_on_where_it_stopped(cache: Path, tmp_path: Path, tiny: AvfrConfig) -> None:
    out = tmp_path / "run"
    train(cache, out, tiny)
    longer = replace(QUICK, steps=5)
    train(cache, out, tiny, longer, resume=out / "checkpoint.pt")
    assert torch.load(out / "checkpoint.pt", weights_only=True)["step"] == 5


def test_the_rate_falls_with_the_clock_and_resuming_does_not_turn_it_back(
    cache: Path, tmp_path: Path, tiny: AvfrConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("facewire.models.training.loop.time.monotonic", lambda: clock[0])

    def wait(done: int, total: int, note: str) -> None:
        clock[0] += 60
        if done == stop_at:
            raise SystemExit(143)  # SIGTERM

    long = replace(QUICK, steps=10**6, minutes=10, checkpoint_every=10**6, warmup=0)
    stop_at = 4
    with pytest.raises(SystemExit):
        train(cache, tmp_path, tiny, long, progress=wait)
    check = tmp_path / "checkpoint.pt"
    state = torch.load(check, weights_only=True)
    assert (state["step"], state["seconds"]) == (4, 180)
    rates = []
    monkeypatch.setattr(
        torch.optim.Adam,
        "step",
        lambda self, closure=None: rates.append(self.param_groups[0]["lr"]),
    )
    clock[0], stop_at = 5e6, 0  # the time between does not count
    train(cache, tmp_path, tiny, long, resume=check, progress=wait)
    state = torch.load(check, weights_only=True)
    assert state["seconds"] == 600
    assert state["core_seconds"] > 0
    assert rates == sorted(rates, reverse=True)
    at = [(1 + np.cos(np.pi * minute / 10)) / 2 for minute in (3, *range(3, 10))]
    wanted = [4e-4 * (0.05 + 0.95 * share) for share in at]
    assert rates[: len(wanted)] == pytest.approx(wanted, rel=1e-6)
    before = check.read_bytes()
    train(cache, tmp_path, tiny, long, resume=check)  # it is over
    assert torch.load(check, weights_only=True)["step"] == state["step"]
    assert len(before) == check.stat().st_size


def test_a_run_is_saved_every_few_minutes(
    cache: Path, tmp_path: Path, tiny: AvfrConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    saved: list[int] = []
    monkeypatch.setattr("facewire.models.training.loop.time.monotonic", lambda: clock[0])
    save = _Run.save
    monkeypatch.setattr(_Run, "save", lambda self: (saved.append(self.step), save(self)))

    def wait(done: int, total: int, note: str) -> None:
        clock[0] += 240

    settings = replace(QUICK, steps=9, checkpoint_every=10**6)
    train(cache, tmp_path, tiny, settings, progress=wait)
    assert saved == [4, 7, 9]  # ten minutes are over when the fourth and the seventh step end


@pytest.mark.slow
def test_a_killed_run_goes_on(cache: Path, tmp_path: Path, tiny: AvfrConfig) -> None:
    """SIGKILL, twice, in a run that saves after every step."""
    context = multiprocessing.get_context("spawn")
    endless = replace(QUICK, steps=10**6, checkpoint_every=1)
    check, step = tmp_path / "run" / "checkpoint.pt", 0
    for _ in range(2):
        resume = {"resume": check} if check.exists() else {}
        child = context.Process(
            target=train, args=(cache, check.parent, tiny, endless), kwargs=resume
        )
        child.start()
        while child.is_alive() and (not check.exists() or loaded_step(check) < step + 3):
            child.join(0.05)
        child.kill()
        child.join()
        assert child.exitcode == -9
        assert loaded_step(check) >= step + 3
        step = loaded_step(check)
    train(cache, check.parent, tiny, replace(QUICK, steps=step + 2), resume=check)
    assert loaded_step(check) == step + 2
    assert Avfr.from_pretrained(check.parent).config == tiny


def loaded_step(path: Path) -> int:
    return int(torch.load(path, weights_only=True)["step"])


def test_the_same_seed_gives_the_same_network(
    cache: Path, tmp_path: Path, tiny: AvfrConfig
) -> None:
    one, two = (train(cache, tmp_path / name, tiny) for name in ("a", "b"))
    for first, second in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.allclose(first, second, atol=1e-6)


def test_a_checkpoint_of_another_network_is_refused(
    cache: Path, tmp_path: Path, tiny: AvfrConfig
) -> None:
    out = tmp_path / "run"
    train(cache, out, tiny)
    with pytest.raises(TrainingError, match="another network"):
        train(cache, out, tiny.with_changes(channels=(8, 12, 24)), resume=out / "checkpoint.pt")
    (out / "checkpoint.pt").write_bytes(b"nonsense")
    with pytest.raises(TrainingError, match="not a checkpoint"):
        train(cache, out, tiny, resume=out / "checkpoint.pt")


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good(
    cache: Path, tmp_path: Path, tiny: AvfrConfig
) -> None:
    out = tmp_path / "run"
    train(cache, out, tiny)
    before = (out / "model.safetensors").read_bytes()
    broken = Avfr(tiny)
    with torch.no_grad():
        next(broken.generator.parameters()).fill_(float("nan"))
    with pytest.raises(TrainingError, match="no longer a number at step 0"):
        train(cache, out, tiny, start_from=broken)
    assert (out / "model.safetensors").read_bytes() == before


def test_a_gradient_that_is_no_number_leaves_the_weights_alone(
    cache: Path, tmp_path: Path, tiny: AvfrConfig
) -> None:
    model = Avfr(tiny)
    head = model.generator.head.weight
    head.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(TrainingError, match="gradient is no longer a number at step 0"):
        train(cache, tmp_path / "run", tiny, start_from=model)
    assert torch.isfinite(head).all()


def test_a_full_disk_keeps_the_checkpoint_before(
    cache: Path, tmp_path: Path, tiny: AvfrConfig
) -> None:
    resource = pytest.importorskip("resource")  # there is none on Windows
    out = tmp_path / "run"
    train(cache, out, tiny)
    before = {p.name: p.read_bytes() for p in (out / "checkpoint.pt", out / "model.safetensors")}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
        with pytest.raises(TrainingError, match="could not be saved"):
            train(cache, out, tiny, replace(QUICK, steps=5), resume=out / "checkpoint.pt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {name: (out / name).read_bytes() for name in before} == before
    assert not list(out.glob("*draft*"))


@pytest.mark.parametrize("able", [True, False])
def test_imitated_bf16_is_warned_of(
    cache: Path,
    tmp_path: Path,
    tiny: AvfrConfig,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    able: bool,
) -> None:
    monkeypatch.setattr(loop, "has_bf16", lambda _: able)
    train(cache, tmp_path / "run", tiny, replace(QUICK, steps=1, precision="bf16"))
    assert ("--precision 32" in caplog.text) != able


@pytest.mark.parametrize("able", [True, False])
def test_the_processor_chooses_the_precision(
    cache: Path,
    tmp_path: Path,
    tiny: AvfrConfig,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    able: bool,
) -> None:
    monkeypatch.setattr(loop, "has_bf16", lambda _: able)
    mixed: list[bool] = []
    autocast = torch.autocast

    def watched(device: str, *kind: torch.dtype, enabled: bool) -> torch.autocast:
        if kind:  # else it is switched off, as for geometry
            mixed.append(enabled)
        return autocast(device, *kind, enabled=enabled)

    monkeypatch.setattr(loop.torch, "autocast", watched)
    train(cache, tmp_path / "run", tiny, replace(QUICK, steps=1, precision="auto"))
    assert set(mixed) == {able}
    assert "--precision" not in caplog.text


def test_clips_without_sound_train_too(tmp_path: Path, tiny: AvfrConfig) -> None:
    for name in ("a", "b"):
        silent = replace(made_clip(name, name), mel=np.zeros((0, 80), np.float32))
        write_clip(tmp_path / "cache", silent)
    model = train(tmp_path / "cache", tmp_path / "run", tiny)
    assert all(torch.isfinite(p).all() for p in model.parameters())


@pytest.mark.parametrize("mode", ["mesh", "detector"])
def test_a_student_imitates_its_teacher(
    cache: Path, tmp_path: Path, tiny: AvfrConfig, mode: str
) -> None:
    torch.manual_seed(3)
    teacher = Avfr(tiny.with_changes(keypoint_mode=mode))
    torch.nn.init.constant_(teacher.generator.head.bias, 0.5)  # a picture that no clip has
    only = LossWeights(pixel=0, warped=0, perceptual=0, face=0, distillation=10)
    settings = replace(QUICK, steps=30, learning_rate=1e-2, warmup=1, losses=only)
    model = train(cache, tmp_path / "run", tiny, settings, teacher=teacher)
    assert float(model.generator.head.bias.mean()) > 0.03
    with pytest.raises(TrainingError, match="must have the size of the network"):
        train(cache, tmp_path / "other", tiny.with_changes(size=128), teacher=teacher)


def test_near_frames_and_people_of_few_seconds(cache: Path) -> None:
    clips = read_cache(cache)
    near = Augmentation(within_s=1 / clips[0].fps, expressive=0)
    pairs = Pairs(clips, FaceTable.blank(), size=64, augmentation=near)
    rng = np.random.default_rng(0)
    clip = clips[0]
    for _ in range(10):
        first, *rest = pairs._choose(clip, clip.usable, rng)
        assert all(abs(clip.kept[i] - clip.kept[first]) <= 1 for i in rest)
    short = replace(made_clip("still", "still"), landmarks=clip.landmarks[:2])
    alone = Pairs([clip, short], FaceTable.blank(), size=64).weights
    more = Pairs([clip, short], FaceTable.blank(), size=64, person_least_s=1e3, person_cap_s=1e3)
    assert alone[1] < alone[0]
    assert more.weights[1] == pytest.approx(more.weights[0])


@pytest.mark.parametrize("steps", [3, 51])
def test_curves_and_a_picture_exist_after_any_number_of_steps(
    cache: Path, tmp_path: Path, tiny: AvfrConfig, steps: int
) -> None:
    train(cache, tmp_path, tiny, replace(QUICK, steps=steps))
    rows = list(csv.DictReader((tmp_path / "curves.csv").open()))
    assert {row["name"] for row in rows} >= {"rate", "pixel", "warped"}
    assert all(float(row["value"]) >= 0 for row in rows)
    measured = [int(row["step"]) for row in rows if row["name"] == "rate"]
    assert measured == ([3] if steps == 3 else [50, 51])
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == [f"{steps:07d}.jpg"]


def test_a_run_that_starts_anew_starts_its_curves_anew(
    cache: Path, tmp_path: Path, tiny: AvfrConfig
) -> None:
    shown: list[tuple[int, int, str]] = []

    def progress(done: int, total: int, note: str) -> None:
        shown.append((done, total, note))

    for steps in (3, 2):
        train(cache, tmp_path, tiny, replace(QUICK, steps=steps), progress=progress)
    rows = list(csv.DictReader((tmp_path / "curves.csv").open()))
    assert {row["step"] for row in rows} == {"2"}
    assert [each[:2] for each in shown] == [(1, 3), (2, 3), (3, 3), (1, 2), (2, 2)]
    assert "pixel" in shown[0][2]


def test_people_are_held_out_whole(cache: Path) -> None:
    kept, away = split_by_person(read_cache(cache), 1)
    assert kept
    assert away
    assert not {c.identity for c in kept} & {c.identity for c in away}
    with pytest.raises(TrainingError, match="one person"):
        split_by_person([made_clip("a", "x"), made_clip("b", "x")], 1)


def test_samples_are_consistent(cache: Path) -> None:
    pairs = Pairs(read_cache(cache), FaceTable.blank(), drivings=2, size=64, structural=True)
    sample = next(iter(pairs))
    assert sample["picture"].shape == (2, 3, 64, 64)
    assert sample["points"].shape == (2, len(POINTS), 2)
    assert sample["mel"].shape == (2, 1, 80, 20)
    assert sample["prior"].shape == (2, 2, 64, 64)
    # A smooth motion of the made-up face is rebuilt to a fraction of a pixel.
    assert np.abs(sample["points"] - sample["true_points"]).max() < 0.05


def test_successive_frames_are_marked_and_hear_the_same(cache: Path) -> None:
    clip = read_cache(cache)[0]
    clip = replace(clip, kept=np.array([0, 1, 4]), mel=np.zeros_like(clip.mel))  # 4 follows no one
    augmentation = Augmentation(successive=1.0, expressive=0, deaf=0.5)
    pairs = Pairs([clip], FaceTable.blank(), drivings=2, size=64, augmentation=augmentation)
    rng = np.random.default_rng(0)
    marked = 0
    for _ in range(40):
        _, first, second = pairs._choose(clip, clip.usable, rng)
        assert first == 2 or second == first + 1
        sample = pairs.sample(clip, rng)
        marked += bool(sample["follows"])
        deaf = (sample["mel"] == SILENCE).all((1, 2, 3))
        assert deaf[0] == deaf[1]
    assert 5 < marked < 35  # positions 1 and 2 are next to each other, but not their frames


def test_flicker_is_the_error_of_the_change_alone() -> None:
    target = torch.rand(2 * 3, 3, 8, 8)
    follows = torch.tensor([True, False])
    steady = target + 0.1
    assert float(_flicker(steady, target, follows)) == pytest.approx(0, abs=1e-6)
    other = steady.clone()
    other[1] += 0.2  # the second frame of the first sample
    assert float(_flicker(other, target, follows)) == pytest.approx(0.2, abs=1e-6)
    other = steady.clone()
    other[[2, 4]] += 0.2  # a third frame, and a sample whose frames are not successive
    assert float(_flicker(other, target, follows)) == pytest.approx(0, abs=1e-6)
    assert float(_flicker(other, target, torch.tensor([False, False]))) == 0


def test_a_network_may_learn_without_gaze_now_and_then(cache: Path) -> None:
    clips = read_cache(cache)
    for blind, told in ((1.0, False), (0.0, True)):
        augmentation = Augmentation(blind=blind, gaze_noise=0, scale=0, shift=0, mirror=0)
        pairs = Pairs(clips, FaceTable.blank(), size=64, augmentation=augmentation, gaze=True)
        sample = next(iter(pairs))
        plain = with_irises(sample["points"][:, :-2], np.zeros((3, 2), np.float32))
        assert np.allclose(sample["points"], plain, atol=1e-6) != told
        assert sample["true_points"].shape == sample["points"].shape


def test_pictures_and_landmarks_change_together(tmp_path: Path) -> None:
    clip = made_clip("marked", "x", 8)
    frames, landmarks = np.zeros_like(clip.frames), clip.landmarks.copy()
    landmarks[:] = np.array([0.25, -0.25], np.float32)
    frames[:, 22:26, 38:42] = 255  # around (0.25, -0.25) of a 64-pixel picture
    clip = replace(clip, frames=frames, landmarks=landmarks)
    pairs = Pairs(
        [clip], FaceTable.blank(), size=64, augmentation=Augmentation(colour=0, gamma=0, coded=0)
    )
    rng = np.random.default_rng(0)
    for _ in range(20):
        sample = pairs.sample(clip, rng)
        ys, xs = np.nonzero(sample["source_picture"][0] > 128)
        centre = np.array([xs.mean() + 0.5, ys.mean() + 0.5]) / 32 - 1
        np.testing.assert_allclose(centre, sample["source_points"][0], atol=0.02)


STILL = Augmentation(scale=0, shift=0, colour=0, gamma=0, mirror=0, expressive=0, coded=0)


def soft_clip() -> CachedClip:
    """Pictures that a still codec can code well."""
    clip = made_clip("soft", "x", 8)
    y, x = np.mgrid[:64, :64] / 64
    waves = [np.sin(7 * x + i) + np.cos(5 * y - i) for i in range(len(clip.frames))]
    frames = np.stack([np.stack([128 + 50 * w] * 3, -1) for w in waves])
    return replace(clip, frames=frames.astype(np.uint8))


def test_the_source_goes_through_the_keyframe_codec_and_the_rest_does_not() -> None:
    clip = soft_clip()
    plain, coded, none = (
        Pairs([clip], FaceTable.blank(), size=64, augmentation=augmentation)
        for augmentation in (STILL, replace(STILL, coded=1.0, qualities=(50, 50)), None)
    )
    frames = clip.frames.transpose(0, 3, 1, 2)
    for seed in range(5):
        clean = plain.sample(clip, np.random.default_rng(seed))["source_picture"]
        sample = coded.sample(clip, np.random.default_rng(seed))
        arrived = sample["source_picture"]
        assert any(np.array_equal(clean, frame) for frame in frames)
        rgb = np.ascontiguousarray(clean.transpose(1, 2, 0))
        wanted = decode_picture(encode_picture(rgb, quality=50)).transpose(2, 0, 1)
        assert arrived.dtype == np.uint8
        assert arrived.flags.c_contiguous
        np.testing.assert_array_equal(arrived, wanted)
        assert not np.array_equal(arrived, clean)
        for driven in sample["picture"]:
            assert any(np.array_equal(driven, frame) for frame in frames)
        bare = none.sample(clip, np.random.default_rng(seed))["source_picture"]
        assert any(np.array_equal(bare, frame) for frame in frames)


def test_qualities_and_share_of_coded_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def note(rgb: np.ndarray, *, quality: int) -> CodedPicture:
        drawn.append(quality)
        return encode_picture(rgb, quality=quality)

    monkeypatch.setattr(data, "encode_picture", note)
    clip = soft_clip()
    augmentation = replace(STILL, coded=0.5, qualities=(40, 42))
    pairs = Pairs([clip], FaceTable.blank(), size=64, drivings=1, augmentation=augmentation)
    rng = np.random.default_rng(0)
    for _ in range(60):
        pairs.sample(clip, rng)
    assert 15 < len(drawn) < 45
    assert set(drawn) == {40, 41, 42}


def test_coded_samples_are_seeded() -> None:
    clip = soft_clip()
    one, other = (
        next(iter(Pairs([clip], FaceTable.blank(), size=64, augmentation=Augmentation())))
        for _ in range(2)
    )
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def test_the_prior_of_a_mirrored_sample_is_the_mirrored_prior(cache: Path) -> None:
    clip = read_cache(cache)[0]
    priors = []
    for mirror in (0.0, 1.0):
        pairs = Pairs(
            [clip],
            FaceTable.blank(),
            size=64,
            structural=True,
            augmentation=replace(STILL, mirror=mirror),
        )
        priors.append(pairs.sample(clip, np.random.default_rng(0))["source_prior"])
    plain, mirrored = priors
    assert np.abs(plain[0]).max() > 0.5
    assert np.abs(plain[0][:, ::-1] - mirrored[0]).mean() < 0.02
    np.testing.assert_allclose(plain[1][:, ::-1], mirrored[1], atol=0.02)


def test_the_face_table_learns_what_affine_maps_miss() -> None:
    rng = np.random.default_rng(0)
    base = FaceTable.blank().mean * 0.5
    clips = []
    for _ in range(12):
        amount = rng.uniform(-1, 1, (10, 1, 1))
        bend = np.stack([base[:, 1] ** 2, base[:, 0] * base[:, 1]], -1)
        size = rng.uniform(0.8, 1.2)
        clips.append(((base[None] + 0.3 * amount * bend[None]) * size).astype(np.float32))
    table = fit_face_table(clips, ridge=1e-5)
    from facewire.models.face.landmarks import PointRebuilder
    from facewire.models.training.fit_face import sample_pairs

    source, points, driving, target = sample_pairs(table, clips, 16, np.random.default_rng(1))
    bare = FaceTable(table.mean, table.shape_mean, table.shape_basis, table.ridge * 0)
    error = [
        np.abs(PointRebuilder(t).rebuild(source, points, driving) - target).mean()
        for t in (bare, table)
    ]
    assert error[1] < 0.5 * error[0]


def test_caches_that_are_not_there_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no prepared clips"):
        read_cache(tmp_path / "nothing")
    write_clip(tmp_path, made_clip("one", "x"))
    (tmp_path / "one.npz").write_bytes(b"PK garbage")
    with pytest.raises(TrainingError, match="damaged"):
        read_cache(tmp_path)


def test_data_without_faces_is_refused() -> None:
    clip = made_clip("empty", "x")
    with pytest.raises(TrainingError, match="no clip has two frames"):
        Pairs([replace(clip, faces=np.zeros_like(clip.faces))], FaceTable.blank())


@pytest.mark.parametrize(
    "changes",
    [{"steps": 0}, {"learning_rate": -1.0}, {"precision": "8"}, {"perceptual_net": "resnet"}],
)
def test_settings_that_make_no_sense(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        replace(TrainConfig(), **changes)
