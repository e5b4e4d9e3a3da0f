from __future__ import annotations

import csv
import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from facewire.codec.errors import ConfigError
from facewire.eval.results.file import read_results, write_results
from facewire.eval.results.overlay import overlay
from facewire.eval.results.schema import BdRow, FrameSet, Results, from_json, json_schema, to_json
from facewire.eval.results.spreadsheet import write_clips_csv, write_csv

from .synthetic import CLIPS, make_results

SMALL = make_results(clips=CLIPS[:5], codecs=("facewire", "vvenc-ld"), targets=(0.005, 0.014))

STORED = sorted((Path(__file__).parents[2] / "eval" / "results").glob("*.json"))


def full() -> Results:
    """Results that use every part of the schema."""
    return dataclasses.replace(
        SMALL,
        frames=(FrameSet(0.005, CLIPS[0], "best", 3, {"truth": "frames/a.webp"}),),
        bd_rate=(
            BdRow("lpips", "facewire", "vvenc-ld", -43.5, "", (4, 4)),
            BdRow("psnr", "facewire", "vvenc-ld", None, "no quality that both reach", (4, 3)),
        ),
    )


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(full(), path)
    assert read_results(path) == full()
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.json"]


def test_schema_is_the_one_that_programs_read(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(full(), path)
    data = json.loads(path.read_text())
    assert data["version"] == 1
    row = data["results"]["facewire"][0]
    assert row["target_bpp"] == 0.005
    assert row["bpp"]["video"] == pytest.approx(0.005)
    assert isinstance(row["lpips"], float)
    assert len(row["ci"]["lpips"]) == 2
    assert {"kbps", "encode_fps", "decode_fps", "command", "versions", "notes"} <= set(row)
    clip = data["clips"]["facewire"][0]
    assert clip["clip"] == CLIPS[0]
    assert isinstance(clip["psnr"], float)


def test_the_json_schema_in_docs_is_that_of_the_code() -> None:
    """To write it anew: `python -m facewire.eval.results.schema > docs/results.schema.json`."""
    published = Path(__file__).parents[2] / "docs" / "results.schema.json"
    both = (json.loads(published.read_text()), json_schema())
    # Line by line, so that pytest shows where they differ.
    one, other = (json.dumps(each, indent=1, sort_keys=True).splitlines() for each in both)
    assert one == other


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_stored_results_still_load_and_fit_the_schema(path: Path) -> None:
    results = read_results(path)
    data = json.loads(path.read_text())
    assert list(results.results) == list(data["results"])
    for codec, rows in data["results"].items():
        for row, found in zip(rows, results.results[codec], strict=True):
            assert found.values["psnr"] == row["psnr"]
            assert set(found.ci) == set(row["ci"])
    written = to_json(results)
    for part in ("results", "clips", "metrics", "frames", "bd_rate"):
        assert written[part] == data[part]
    Draft202012Validator(json_schema()).validate(data)


@pytest.mark.parametrize(
    "wrong",
    [{"version": 2}, {"name": 3}, {"results": {"x": [{"target_bpp": 0.1}]}}, {"skipped": {"a": 1}}],
)
def test_the_json_schema_refuses_what_the_code_refuses(wrong: dict[str, Any]) -> None:
    data = {**to_json(SMALL), **wrong}
    assert not Draft202012Validator(json_schema()).is_valid(data)
    with pytest.raises(ConfigError):
        from_json(data)


def test_nan_is_never_written(tmp_path: Path) -> None:
    row = dataclasses.replace(
        SMALL.results["facewire"][0],
        values={"psnr": math.nan, "lpips": 0.1, "fid": math.inf},
        ci={"psnr": (math.nan, 1.0), "lpips": (0.0, 0.2)},
        encode_fps=math.nan,
    )
    results = dataclasses.replace(
        SMALL,
        results={"facewire": (row,)},
        config={"a": math.nan, "b": np.float32(0.5), "c": Path("x"), "d": (1, np.int64(2))},
    )
    path = tmp_path / "results.json"
    write_results(results, path)
    assert "NaN" not in path.read_text()
    assert "Infinity" not in path.read_text()
    again = read_results(path)
    assert again.results["facewire"][0].values == {"lpips": 0.1}
    assert again.results["facewire"][0].ci == {"lpips": (0.0, 0.2)}
    assert again.results["facewire"][0].encode_fps is None
    assert again.config == {"a": None, "b": 0.5, "c": "x", "d": [1, 2]}


def test_a_metric_cannot_hide_a_key(tmp_path: Path) -> None:
    row = dataclasses.replace(SMALL.results["facewire"][0], values={"frames": 1.0})
    results = dataclasses.replace(SMALL, results={"facewire": (row,)})
    with pytest.raises(ConfigError, match="'frames'"):
        write_results(results, tmp_path / "results.json")
    assert not list(tmp_path.iterdir())


def test_what_is_there_survives_a_failed_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "results.json"
    write_results(SMALL, path)

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(OSError, match="No space"):
        write_results(make_results(), path)
    assert read_results(path) == SMALL
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.json"]


def broken(change: dict[str, Any] | None = None, **keys: Any) -> str:
    data = {**to_json(SMALL), **(change or {}), **keys}
    return json.dumps({key: value for key, value in data.items() if value is not ...})


def row_with(**keys: Any) -> dict[str, Any]:
    row = {**to_json(SMALL)["results"]["facewire"][0], **keys}
    return {"facewire": [{key: value for key, value in row.items() if value is not ...}]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON, or cut off"),
        ("[]", "the file: Expected `object`"),
        ("\x00\x01", "not JSON"),
        ("[" * 100_000, "nested too deeply|not JSON"),
        ('{"version": NaN}', "not JSON"),
        (broken(version=2), "version 2 of codec-eval's results"),
        (broken(version=...), "no version"),
        (broken(version=True), "version True"),
        (broken(version="1"), "version 1 of"),
        (broken(results=...), "lacks 'results'"),
        (broken(name=...), "lacks 'name'"),
        (broken(name=3), "name: Expected `str`"),
        (broken(results=[]), "results: Expected `object`"),
        (broken(results={"x": 1}), r"results\.x: Expected `array`"),
        (broken(results={"x": [1]}), r"results\.x\[0\]: Expected `object`"),
        (
            broken(results=row_with(bpp=...)),
            r"results\.facewire\[0\]: .*missing required field `bpp`",
        ),
        (
            broken(results=row_with(reached="yes")),
            r"results\.facewire\[0\]\.reached: Expected `bool`",
        ),
        (broken(results=row_with(clips=-1)), r"\[0\]\.clips: Expected `int` >= 0"),
        (broken(results=row_with(frames=1.5)), r"\[0\]\.frames: Expected `int`"),
        (broken(results=row_with(target_bpp=0)), r"target_bpp: Expected `float` > 0"),
        (broken(results=row_with(bpp={"video": "much"})), r"\[0\]\.bpp.*: Expected `float`"),
        (
            broken(results=row_with(bpp={"video": 10**400})),
            "not JSON|out of range|Expected `float`",
        ),
        (broken(results=row_with(ci={"lpips": [1]})), r"\[0\]\.ci.*: Expected `array` of length 2"),
        (broken(results=row_with(notes="x")), r"notes: Expected `array`"),
        (
            broken(clips={"x": [{"target_bpp": 1}]}),
            r"clips\.x\[0\]: .*missing required field `clip`",
        ),
        (broken(metrics={"psnr": {}}), r"metrics\.psnr: .*missing required field `label`"),
        (
            broken(metrics={"psnr": {"label": "", "higher_is_better": 1}}),
            r"metrics\.psnr\.higher_is_better: Expected `bool",
        ),
        (broken(frames=[{}]), r"frames\[0\]: .*missing required field `target_bpp`"),
        (broken(skipped={"x": None}), r"skipped.*: Expected `str`"),
    ],
)
def test_what_is_not_results(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says) as caught:
        read_results(path)
    assert str(path) in str(caught.value)


def test_cut_off_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(SMALL, path)
    whole = path.read_bytes().rstrip()
    for length in range(0, len(whole), 199):
        path.write_bytes(whole[:length])
        with pytest.raises(ConfigError, match="cut off"):
            read_results(path)


def test_not_text_at_all(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(ConfigError, match="not JSON"):
        read_results(path)


def test_unknown_keys_are_for_later(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(broken(later={"x": 1}, results=row_with(colour="red", new_metric=0.5)))
    row = read_results(path).results["facewire"][0]
    assert row.values["new_metric"] == 0.5
    assert "colour" not in row.values


def test_csv_has_a_line_for_each_codec_and_target(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    results = dataclasses.replace(
        SMALL, results={"=cmd()": SMALL.results["facewire"], **SMALL.results}
    )
    write_csv(results, path)
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 6
    row = SMALL.results["vvenc-ld"][1]
    found = next(
        line for line in lines if line["codec"] == "vvenc-ld" and line["target_bpp"] == "0.014"
    )
    assert float(found["lpips"]) == row.values["lpips"]
    assert float(found["lpips_low"]) == row.ci["lpips"][0]
    assert float(found["bpp_video"]) == row.bpp["video"]
    assert found["bpp_motion"] == ""
    assert "fid_low" not in found  # nobody has an interval for it
    assert found["command"] == row.command
    assert lines[0]["codec"] == "'=cmd()"  # a spreadsheet must not run it


def test_csv_of_clips(tmp_path: Path) -> None:
    path = tmp_path / "clips.csv"
    write_clips_csv(SMALL, path)
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 2 * 2 * 5
    entry = SMALL.clips["facewire"][3]
    assert lines[3]["clip"] == entry.clip
    assert float(lines[3]["psnr"]) == entry.values["psnr"]


def test_overlay_of_one_is_itself() -> None:
    assert overlay([SMALL]) is SMALL
    with pytest.raises(ConfigError, match="at least one"):
        overlay([])


def test_overlay_tells_codecs_of_one_name_apart() -> None:
    old = make_results("old", codecs=("facewire", "x265"), seed=1)
    both = overlay([SMALL, old])
    assert both.codecs == [f"facewire ({SMALL.name})", "vvenc-ld", "facewire (old)", "x265"]
    assert both.results["facewire (old)"] == old.results["facewire"]
    assert both.clips["x265"] == old.clips["x265"]
    assert both.config["anchor"] == "vvenc-ld"
    assert both.skipped == SMALL.skipped  # both say the same
    assert both.targets == sorted({*SMALL.targets, *old.targets})
    assert both.frames == ()


def test_overlay_of_runs_with_one_name() -> None:
    both = overlay([SMALL, SMALL, SMALL])
    assert len(both.codecs) == 6
    assert f"facewire ({SMALL.name} 3)" in both.codecs
    assert both.config["anchor"] == f"vvenc-ld ({SMALL.name})"


def test_overlay_signs_what_only_one_run_says() -> None:
    other = dataclasses.replace(make_results("other"), left_out={"fid": "offline"})
    both = overlay([SMALL, other])
    assert both.left_out["fid (other)"] == "offline"
    assert f"sync_c ({SMALL.name})" in both.left_out
