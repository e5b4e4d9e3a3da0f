from __future__ import annotations

import hashlib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from facewire.cli.demo.clip import make_demo_clip
from facewire.cli.evaluate import main
from facewire.eval.codecs import command, ffmpeg
from facewire.models.weights import load_card

pytestmark = pytest.mark.slow

FRAMES = 8


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo_clip(tmp_path_factory.mktemp("clip") / "demo.mp4", FRAMES / 25)


@pytest.fixture(scope="module")
def run(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on a few frames, made once; tests read it, or copy it."""
    out = tmp_path_factory.mktemp("run")
    assert main([*arguments(clip), "--out", str(out), "--keep"]) == 0
    return out


def arguments(clip: Path) -> list[str]:
    return (
        "--bpp 0.05 --bpp 0.1 --codecs facewire,frozen,x264 --every 4 --jobs 1 --quiet "
        f"--seconds 5 --data {clip}"
    ).split()


def quick(codecs: str, data: Path, out: Path, run: Path) -> list[str]:
    """A run that finds its streams and figures in the cache of another one."""
    words = f"--bpp 0.05 --codecs {codecs} --every 4 --jobs 1 --quiet --seconds 5"
    return [*words.split(), "--data", str(data), "--out", str(out), "--cache", str(run / "cache")]


def test_results_hold_what_the_design_says(run: Path) -> None:
    results = json.loads((run / "results.json").read_text())
    assert {"name", "description", "environment", "config", "results"} <= set(results)
    assert set(results["results"]) == {"facewire", "frozen", "x264"}
    for rows in results["results"].values():
        assert [row["target_bpp"] for row in rows] == [0.05, 0.1]
        for row in rows:
            assert row["frames"] == FRAMES
            assert row["command"]
            assert row["bpp"]["total"] == pytest.approx(row["bpp"]["video"] + row["bpp"]["audio"])
            assert {"psnr", "ssim", "lpips", "lmd_mouth", "fid"} <= set(row)
    x264 = results["results"]["x264"]
    assert all(row["reached"] for row in x264)
    assert x264[0]["bpp"]["video"] == pytest.approx(0.05, rel=0.0101)
    assert x264[1]["psnr"] > x264[0]["psnr"]


def test_the_sound_is_the_same_for_all(run: Path) -> None:
    rows = json.loads((run / "results.json").read_text())["results"]
    assert len({rows[name][0]["bpp"]["audio"] for name in rows}) == 1


def test_a_moved_face_is_nearer_than_a_frozen_one(run: Path) -> None:
    rows = json.loads((run / "results.json").read_text())["results"]
    assert rows["facewire"][0]["lmd_mouth"] < rows["frozen"][0]["lmd_mouth"]


def test_report_and_table_lie_beside_it(run: Path) -> None:
    assert "<svg" in (run / "report.html").read_text()
    assert (run / "results.csv").read_text().count("\n") == 7


def test_a_second_run_encodes_nothing(
    run: Path, clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("encoded again")

    monkeypatch.setattr(command, "run_program", refuse)
    before = json.loads((run / "results.json").read_text())["results"]
    assert main([*arguments(clip), "--out", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["results"] == before


def test_results_say_where_they_come_from(run: Path, clip: Path) -> None:
    results = json.loads((run / "results.json").read_text())
    digest = hashlib.sha256(clip.read_bytes()).hexdigest()
    assert results["config"]["clips_sha256"] == {"demo.mp4": digest}
    card = load_card("s")
    assert results["config"]["weights_sha256"] == {card.name: card.sha256.hex()}
    assert results["config"]["jobs"] == 1
    assert results["config"]["speed"] in ("cpu", "wall")
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?|version .*", results["environment"]["commit"])
    assert len(results["environment"]["load_average"]) == 3
    assert all(row["encode_fps"] > 0 for rows in results["results"].values() for row in rows)
    assert all(row["decode_fps"] > 0 for rows in results["results"].values() for row in rows)


def test_kept_commands_make_the_kept_streams(run: Path) -> None:
    folder = run / "kept" / "demo"
    names = {path.name for path in folder.iterdir()}
    assert {"frames.yuv", "crop.mkv", "commands.sh"} <= names
    assert {f"{codec}-0.05.{end}" for codec, end in (("x264", "264"), ("frozen", "obu"))} <= names
    blocks = (folder / "commands.sh").read_text().split("# x264-0.1.264\n")
    line = blocks[1].splitlines()[0]
    rows = json.loads((run / "results.json").read_text())["results"]["x264"]
    assert line == rows[1]["command"]
    words = shlex.split(line)
    assert words[0] == "ffmpeg"
    subprocess.run([ffmpeg.find_ffmpeg("libx264"), *words[1:]], cwd=folder, check=True)
    assert (folder / "out.264").read_bytes() == (folder / "x264-0.1.264").read_bytes()


def test_one_line_a_stage_where_there_is_no_terminal(
    run: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word for word in quick("frozen", clip, tmp_path, run) if word != "--quiet"]
    assert main(words) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "left out" not in line]
    assert lines == ["codec-eval: prepare: 1 task", "codec-eval: compare: 1 task"]


@pytest.mark.parametrize(
    ("package", "words"),
    [
        ("msgspec", "plot results.json"),
        ("jinja2", "plot results.json"),
        ("scipy", "plot results.json"),
        ("torchmetrics", "--bpp 0.1"),
    ],
)
def test_without_the_extra_it_is_named(package: str, words: str, tmp_path: Path) -> None:
    """In a process of its own, in which the package cannot be imported."""
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from facewire.cli.evaluate import main\n"
        f"sys.exit(main({words.split()!r}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert "pip install '.[eval]'" in done.stderr
    assert "pip install 'facewire[eval]'" in done.stderr


def test_plot_lays_runs_over_each_other(run: Path, tmp_path: Path) -> None:
    other = json.loads((run / "results.json").read_text())
    other["name"] = "second"
    second = tmp_path / "second.json"
    second.write_text(json.dumps(other))
    page = tmp_path / "both.html"
    assert main(["plot", str(run / "results.json"), str(second), "--out", str(page)]) == 0
    assert "second" in page.read_text()


def test_one_chart_stands_alone(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results, chart = str(run / "results.json"), tmp_path / "psnr.svg"
    assert main(["plot", results, "--chart", "psnr", "--out", str(chart)]) == 0
    root = ElementTree.parse(chart).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "facewire" in chart.read_text()
    assert "--s0" in chart.read_text()  # its colours come along
    assert main(["plot", results, "--chart", "beauty", "--out", str(chart)]) == 1
    assert "beauty" in capsys.readouterr().err


def test_a_broken_video_is_named_and_the_rest_measured(
    run: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "good.mp4").write_bytes(clip.read_bytes())
    (data / "broken.mp4").write_bytes(b"no video at all")
    out = tmp_path / "out"
    words = quick("frozen", data, out, run)
    assert main(words) == 1
    assert "broken.mp4" in capsys.readouterr().err
    results = json.loads((out / "results.json").read_text())
    assert "broken.mp4" in results["skipped"]
    assert results["results"]["frozen"][0]["clips"] == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("", 2, "--bpp"),
        ("--bpp 0", 2, "above 0"),
        ("--bpp nan", 2, "above 0"),
        ("--bpp 1e-9 --data {clip}", 1, "0.00001"),
        ("--bpp 0.1 --data nowhere", 1, "nowhere"),
        ("--bpp 0.1 --codecs h267 --data {clip}", 1, "h267"),
        ("--bpp 0.1 --jobs -1", 2, "whole number"),
        ("plot nothing.json", 1, "nothing.json"),
    ],
)
def test_bad_input_is_one_sentence(
    words: str,
    code: int,
    said: str,
    clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words.format(clip=clip).split()) == code
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_a_missing_program_is_named_with_how_to_get_it(
    run: Path,
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ffmpeg.find_ffmpeg.cache_clear()
    monkeypatch.setattr(ffmpeg, "_candidates", list)
    code = main(quick("frozen,x264", clip, tmp_path, run))
    ffmpeg.find_ffmpeg.cache_clear()
    assert code == 1
    assert "pip install 'imageio-ffmpeg" in capsys.readouterr().err
    assert "frozen" in json.loads((tmp_path / "results.json").read_text())["results"]


def test_a_results_file_of_another_version_is_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = json.loads((run / "results.json").read_text())
    other["version"] = 99
    path = tmp_path / "new.json"
    path.write_text(json.dumps(other))
    assert main(["plot", str(path)]) == 1
    assert "version 99" in capsys.readouterr().err
