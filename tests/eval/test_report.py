from __future__ import annotations

import dataclasses
import math
import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facewire.codec.errors import ConfigError
from facewire.eval.report.charts import _apart, curve_chart, speed_chart
from facewire.eval.report.drawing import Axis, decimals, shown, styles_of
from facewire.eval.report.page import page, write_report
from facewire.eval.report.words import sentences
from facewire.eval.results.file import read_results
from facewire.eval.results.schema import BdRow, FrameSet, MetricInfo, Results, Row
from facewire.eval.statistics.comparison import bd_rates, compare

from .synthetic import CLIPS, CODECS, METRICS, TARGETS, make_results

RESULTS = make_results()
STORED = sorted((Path(__file__).parents[2] / "eval" / "results").glob("*.json"))
VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """Elements of a page; fails where tags do not close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.text))

    def count(self, tag: str, **wanted: str) -> int:
        return sum(
            name == tag and all(found.get(key) == value for key, value in wanted.items())
            for name, found in self.elements
        )


def picture(kind: str = "webp") -> bytes:
    data = BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(data, kind)
    return data.getvalue()


def test_page_is_well_formed_and_whole(tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    write_report([RESULTS], out)
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]
    found = Page(out.read_text(encoding="utf-8"))
    for codec in CODECS:
        assert codec in found.words
    for info in METRICS.values():
        assert info.label in found.words
    assert found.count("section", **{"class": "at"}) == len(TARGETS)
    assert found.count("svg", **{"class": "chart"}) == len(METRICS)
    assert "SyncNet's weights are not here" in found.words
    assert "nothing in the file decodes as video" in found.words
    assert "750 frames" in found.words  # beside FID
    assert "biased upward" in found.words
    assert "--bits 0.014" in found.words


def test_page_needs_nothing_else() -> None:
    text = page([RESULTS])
    assert not re.search(r"https?:|//\w|@import|url\(", text)
    found = Page(text)
    for tag, attributes in found.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for key in ("src", "href", "xlink:href", "srcset", "action"):
            value = attributes.get(key) or ""
            assert value == "" or value.startswith(("data:image/", "#"))
    policy = [a for tag, a in found.elements if tag == "meta" and "http-equiv" in a]
    assert "default-src 'none'" in (policy[0]["content"] or "")


EVIL = "<script>alert(1)</script>\"'&$title"


def test_everything_is_escaped(tmp_path: Path) -> None:
    (tmp_path / "a.webp").write_bytes(picture())
    plain = make_results(EVIL, clips=(EVIL, *CLIPS[:5]), codecs=("facewire", "x265"))
    row = dataclasses.replace(
        plain.results["facewire"][0], command=EVIL, versions={EVIL: EVIL}, notes=(EVIL,)
    )
    row = dataclasses.replace(row, reached=False, values={**row.values, EVIL: 1.0})
    results = dataclasses.replace(
        plain,
        description=EVIL,
        environment={EVIL: EVIL},
        config={EVIL: EVIL, "anchor": "x265"},
        metrics={
            **{
                k: MetricInfo(v.label + EVIL, EVIL, v.higher_is_better, EVIL)
                for k, v in METRICS.items()
            },
        },
        results={EVIL: (row,), **plain.results},
        clips={EVIL: plain.clips["facewire"], **plain.clips},
        left_out={EVIL: EVIL},
        skipped={EVIL: EVIL},
        frames=(FrameSet(TARGETS[0], EVIL, EVIL, 1, {EVIL: "a.webp", "truth": "a.webp"}),),
        bd_rate=(BdRow("lpips", EVIL, EVIL, None, EVIL),),
    )
    text = page([results], tmp_path)
    harmless = page([RESULTS])
    assert text.count("<script>") == harmless.count("<script>") == 2
    assert "<script>alert" not in text
    found = Page(text)
    assert found.count("img") == 2
    assert not any(key.startswith("on") for _, attributes in found.elements for key in attributes)
    Page(page([results, results], tmp_path))


def test_summary_names_the_winner_and_says_when_it_is_not_sure() -> None:
    words = " ".join(sentences(RESULTS))
    assert "<b>LPIPS</b>" in words
    assert "<b>facewire</b> is clearly best at 0.003, 0.005 and 0.014 bpp" in words
    assert "<b>vvenc</b> is clearly best at 0.03 bpp" in words
    assert "<b>DISTS</b>" in words
    assert "Not ranked" in words
    assert "x265 at 0.005 bpp" in words


def looked_at(results: Results, frames: int) -> Results:
    """The same results, with FID of so many frames."""
    rows = {
        codec: tuple(dataclasses.replace(row, counts={"inception": frames}) for row in own)
        for codec, own in results.results.items()
    }
    return dataclasses.replace(results, results=rows)


def test_fid_of_few_frames_is_marked_and_no_headline() -> None:
    few, many = looked_at(RESULTS, 1999), looked_at(RESULTS, 2000)
    words = " ".join(sentences(few))
    assert "<b>FID</b> is not among these figures" in words
    assert "1999 frames, fewer than 2000" in words
    assert "best figure" not in words
    text = Page(page([few])).words
    assert "1 999 frames, biased" in text
    assert "It is no headline" in text
    led = re.findall(r'<figure data-metric="(\w+)"', page([few]))
    assert "fid" not in led[:4]
    assert "fid" in led
    words = " ".join(sentences(many))
    assert "<b>FID</b>, how real the frames look as a whole" in words
    assert "best figure (no interval)" in words
    assert re.findall(r'<figure data-metric="(\w+)"', page([many]))[1] == "fid"
    assert "2 000 frames, biased" not in Page(page([many])).words


def test_the_page_says_by_which_clock_speeds_were_measured() -> None:
    assert "may have been shared" in Page(page([RESULTS])).words
    timed = dataclasses.replace(RESULTS, config={**RESULTS.config, "speed": "cpu"})
    assert "of CPU time on one thread" in Page(page([timed])).words
    assert "may have been shared" in Page(page([timed, RESULTS])).words


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_stored_results_are_drawn_from_json_alone(path: Path) -> None:
    results = read_results(path)
    found = Page(page([results]))
    assert all(codec in found.words for codec in results.codecs)


def twins() -> Results:
    """Two codecs that differ by luck alone, and a third that is far behind."""
    one = make_results(codecs=("vvenc", "frozen"), targets=(0.014,))
    clips = one.clips["vvenc"]
    noise = np.random.default_rng(11).normal(0, 0.01, len(clips))
    moved = tuple(
        dataclasses.replace(clip, values={"lpips": clip.values["lpips"] + float(shift)})
        for clip, shift in zip(clips, noise - noise.mean() + 1e-4, strict=True)
    )
    row = one.results["vvenc"][0]
    twin = dataclasses.replace(row, values={"lpips": row.values["lpips"] + 1e-4})
    return dataclasses.replace(
        one,
        results={**one.results, "twin": (twin,)},
        clips={**one.clips, "twin": moved},
    )


def test_no_clear_difference_where_the_interval_holds_zero() -> None:
    verdict = compare(twins(), "lpips", 0.014)
    assert verdict is not None
    assert [each.codec for each in verdict.order] == ["vvenc", "twin", "frozen"]
    assert verdict.unclear == ("twin",)
    assert "no clear difference between <b>vvenc</b> and twin at 0.014 bpp" in sentences(twins())[0]
    assert "≈" in page([twins()])
    assert "no clear difference" in page([twins()]).split('class="who"')[1].split("</table>")[0]


def test_a_codec_that_took_more_bits_is_not_ranked() -> None:
    verdict = compare(RESULTS, "lpips", 0.003)
    assert verdict is not None
    assert verdict.over == ("vvenc", "vvenc-ld", "svtav1", "x265")
    assert [each.codec for each in verdict.order] == ["facewire", "frozen"]
    nobody = make_results(codecs=("x265",), targets=(0.003,))
    assert "nobody kept to the rate" in page([nobody])


def test_a_metric_without_a_good_side_is_not_ranked() -> None:
    assert compare(RESULTS, "lip_sync_correlation", 0.005) is None
    assert compare(RESULTS, "no such metric", 0.005) is None
    assert compare(RESULTS, "lpips", 0.5) is None


def test_one_clip_has_no_interval_and_the_page_says_so() -> None:
    words = Page(page([make_results(clips=CLIPS[:1], targets=(0.014,))])).words
    assert "With fewer than 5 clips there are no intervals" in words
    assert "clearly best" not in words


def test_nothing_measured_is_a_page_too() -> None:
    nothing = dataclasses.replace(RESULTS, results={}, clips={})
    assert "Nothing was measured" in Page(page([nothing])).words
    with pytest.raises(ConfigError):
        page([])


def test_a_row_may_lack_nearly_everything() -> None:
    bare = Row(0.01, False, 0, 0, {}, {}, {"odd metric": -3.0})
    text = page([dataclasses.replace(RESULTS, results={"x": (bare,)}, clips={}, metrics={})])
    assert "odd metric" in Page(text).words


def test_bd_rates_are_computed_where_they_are_not_stored() -> None:
    rates = {(row.metric, row.codec): row for row in bd_rates(RESULTS, "vvenc-ld")}
    assert {metric for metric, _ in rates} == {"lpips", "dists", "psnr"}
    assert {codec for _, codec in rates} == set(CODECS) - {"vvenc-ld"}
    saved = rates["psnr", "vvenc"].percent
    assert saved is not None
    assert saved < 0
    words = Page(page([RESULTS])).words
    assert f"−{-saved:.1f} %" in words
    assert "not computable" in words
    stored = dataclasses.replace(RESULTS, bd_rate=(BdRow("psnr", "facewire", "x265", -12.34),))
    assert "−12.3 %" in Page(page([stored])).words


def test_the_page_says_where_curves_cross() -> None:
    def row(rate: float, lpips: float) -> Row:
        return Row(rate, True, 9, 90, {"video": rate}, {}, {"lpips": lpips})

    curves = {
        "ours": (row(0.002, 0.2), row(0.008, 0.1)),
        "classic": (row(0.002, 0.4), row(0.008, 0.05)),
        "worse": (row(0.002, 0.5), row(0.008, 0.4)),
        "better": (row(0.002, 0.1), row(0.008, 0.01)),
    }
    words = Page(page([dataclasses.replace(RESULTS, results=curves, clips={}, bd_rate=())])).words
    assert "At which bits a pixel ours is ahead of" in words
    assert "0.002 to 0.00606" in words
    assert "everywhere" in words
    assert "nowhere" in words


def test_another_anchor_where_the_wanted_one_is_not_there() -> None:
    results = make_results(codecs=("facewire", "x265", "frozen"))
    assert "compared with x265" in Page(page([results])).words


def test_two_runs_over_each_other() -> None:
    other = make_results("old run", codecs=("facewire",), clips=CLIPS[:7], seed=2)
    words = Page(page([RESULTS, other])).words
    assert "facewire (old run)" in words
    assert "2 runs laid over each other" in words
    assert "not about the same clips" in words
    assert "not about the same clips" not in Page(page([RESULTS, make_results("b")])).words


def test_pictures_are_inside_the_page(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "truth.png").write_bytes(picture("png"))
    (tmp_path / "frames" / "f.webp").write_bytes(picture())
    (tmp_path / "frames" / "text.webp").write_text("not a picture")
    images = {
        "truth": "frames/truth.png",
        "facewire": "frames/f.webp",
        "x265": "frames/text.webp",
        "vvenc": "frames/missing.webp",
    }
    entry = FrameSet(0.005, CLIPS[2], "worst", 125, images)
    found = Page(page([dataclasses.replace(RESULTS, frames=(entry,))], tmp_path))
    sources = [attributes["src"] or "" for tag, attributes in found.elements if tag == "img"]
    assert [source.split(";")[0] for source in sources] == ["data:image/png", "data:image/webp"]
    assert f"{CLIPS[2]}, frame 125" in found.words
    assert found.words.count("no picture") == 2
    assert "they were not kept" in found.words  # at the other rates


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "a\0b", "frames", "link.png"])
def test_pictures_come_from_the_folder_only(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.png").write_bytes(picture("png"))
    folder = tmp_path / "out"
    (folder / "frames").mkdir(parents=True)
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    entry = FrameSet(0.005, CLIPS[0], "best", 1, {"truth": name, "facewire": name})
    found = Page(page([dataclasses.replace(RESULTS, frames=(entry,))], folder))
    assert found.count("img") == 0
    assert "their files are not beside the results" in found.words


def test_chart_shows_every_point_and_hollow_where_the_rate_was_missed() -> None:
    drawing = curve_chart(RESULTS, "lpips", styles_of(RESULTS.codecs))
    rows = [row for rows in RESULTS.results.values() for row in rows]
    assert drawing.count('class="pt"') == len(rows)
    assert drawing.count("mark hollow") == sum(not row.reached for row in rows) > 0
    assert drawing.count('class="band"') == len(CODECS)
    assert "kbit/s" in drawing
    assert curve_chart(RESULTS, "no such metric", styles_of(RESULTS.codecs)) == ""


@pytest.mark.parametrize("value", [0.0, -1.0, 1e-9, 1e9])
def test_chart_of_one_value_has_room(value: float) -> None:
    row = Row(0.01, True, 1, 10, {"video": 0.01}, {"video": 16.0}, {"m": value})
    results = dataclasses.replace(RESULTS, results={"x": (row,), "y": (row,)})
    drawing = curve_chart(results, "m", styles_of(["x", "y"]))
    numbers = [float(n) for n in re.findall(r"translate\(([-\d.]+) ", drawing)]
    assert len(numbers) == 2
    assert all(math.isfinite(n) and 0 < n < 560 for n in numbers)
    assert "nan" not in drawing


def test_speed_chart_has_two_marks_a_row() -> None:
    drawing = speed_chart(RESULTS, styles_of(RESULTS.codecs))
    assert drawing.count('class="pt"') == 2 * len(TARGETS) * len(CODECS)
    slow = [dataclasses.replace(RESULTS.results["vvenc"][0], encode_fps=None, decode_fps=0.0)]
    assert speed_chart(dataclasses.replace(RESULTS, results={"x": tuple(slow)}), {}) == ""


def test_styles_differ() -> None:
    codecs = [f"c{i}" for i in range(14)]
    styles = styles_of([*codecs, "frozen"])
    assert len(set(styles.values())) == 15
    assert len({(s.slot, s.shape) for s in styles.values()}) == 15
    assert styles["frozen"].slot not in {styles[codec].slot for codec in codecs}


def test_labels_keep_apart_and_near() -> None:
    assert _apart([10.0, 50.0], 15, 0, 100) == [10, 50]
    places = _apart([40.0, 41.0, 42.0], 15, 0, 100)
    assert places == pytest.approx([26, 41, 56])
    assert _apart([99.0, 100.0], 15, 0, 100) == pytest.approx([85, 100])
    crowded = _apart([50.0] * 30, 15, 0, 100)
    assert crowded[0] >= 0
    assert crowded[-1] <= 100


def test_ticks_are_round_and_inside() -> None:
    assert Axis(0.1, 1.02, 0, 1).ticks(6) == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert Axis(0.0028, 0.032, 0, 1, log=True).ticks(6) == pytest.approx(
        [0.003, 0.005, 0.007, 0.01, 0.02, 0.03]
    )
    assert Axis(1, 1e6, 0, 1, log=True).ticks(7) == pytest.approx([10.0**i for i in range(7)])


def test_figures_as_text() -> None:
    assert shown(-0.25, 2) == "−0.25"
    assert shown(-0.0001, 2) == "0.00"
    assert shown(None, 2) == "–"
    assert [decimals([x]) for x in (250, 31.5, 0.25, 0.031)] == [1, 2, 3, 4]
