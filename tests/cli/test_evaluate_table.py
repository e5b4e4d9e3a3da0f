from __future__ import annotations

from facewire.cli.evaluate_table import text_table
from tests.eval.synthetic import CODECS, make_results


def test_text_table_marks_the_best_and_what_was_not_reached() -> None:
    table = text_table(make_results(), 0.005)
    lines = {line.split()[0]: line for line in table.splitlines()}
    assert set(CODECS) <= set(lines)
    assert "0.0065*" in lines["x265"]
    assert lines["facewire"].split()[3].endswith("!")  # LPIPS
    assert not lines["facewire"].split()[5].endswith("!")  # PSNR
    assert lines["facewire"].endswith("?")  # FID of 750 frames
    assert "? FID of few frames, biased upward" in table
    assert max(map(len, table.splitlines())) <= 110


def test_text_table_does_not_let_a_codec_win_by_more_bits() -> None:
    table = text_table(make_results(), 0.003)
    lines = {line.split()[0]: line for line in table.splitlines()}
    assert "!" not in lines["vvenc"]  # the best PSNR, but 10 % over the rate
    assert lines["facewire"].split()[5].endswith("!")
    assert "kept to the rate" in table


def test_text_table_without_anything() -> None:
    assert "nothing was measured" in text_table(make_results(codecs=("vvenc",)), 0.5)
