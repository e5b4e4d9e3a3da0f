from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from facewire.codec.errors import ConfigError, EvaluationError
from facewire.eval.clips import Clip
from facewire.eval.codecs.base import Encoded, Knob
from facewire.eval.codecs.external import External, read_codecs
from facewire.eval.codecs.search import match_bits

from .makers import clip_of, moving_frames, psnr

FRAMES, SIZE = 4, 64

# A codec in a few lines: frames with the low bits cut off, deflated. A quality is the number of
# bits cut; a rate picks the least number that fits.
CODEC = """
import sys, zlib
import numpy as np
mode, pixels, source, target, *rest = sys.argv[1:]
kind = np.uint8 if pixels == "rgb24" else np.dtype("<u2")
data = open(source, "rb").read()
def packed(bits):
    return zlib.compress((np.frombuffer(data, kind) >> bits << bits).tobytes(), 1)
if mode == "decode":
    open(target, "wb").write(zlib.decompress(data))
elif mode == "quality":
    open(target, "wb").write(packed(int(rest[0])))
else:
    allowed = int(rest[0]) * int(rest[1]) / 25 / 8
    fits = [packed(b) for b in range(8)]
    open(target, "wb").write(next((f for f in fits if len(f) <= allowed), fits[-1]))
"""
GOOD = {"encode": "x {input} {stream}", "decode": "x {stream} {output}"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return clip_of(tmp_path_factory.mktemp("clip"), moving_frames(FRAMES, SIZE))


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "codec.py"
    path.write_text(CODEC)
    return path


def write(folder: Path, text: str) -> Path:
    path = folder / "codecs.toml"
    path.write_text(text)
    return path


def table(name: str = "mine", knob: str = "", **keys: str) -> str:
    """TOML of one codec; the values are TOML strings."""
    lines = [f"[codec.{name}]"]
    lines += [f"{key} = '''{value}'''" for key, value in keys.items()]
    return "\n".join(lines) + (f"\n[codec.{name}.knob]\n{knob}" if knob else "")


def made(folder: Path, script: Path, mode: str, pixels: str, knob: str = "") -> External:
    run = f'"{sys.executable}" "{script}"'
    text = table(
        knob=knob,
        encode=f"{run} {mode} {pixels} {{input}} {{stream}} {{setting}} {{frames}}",
        decode=f"{run} decode {pixels} {{stream}} {{output}}",
        pixels=pixels,
        version=f"{run.split()[0]} --version",
        suffix=".z",
    )
    (codec,) = read_codecs(write(folder, text))
    return codec


def encode(codec: External, clip: Clip, setting: float, folder: Path) -> Encoded:
    return codec.encode(clip, setting, folder / f"out{codec.suffix}", folder)


QUALITY = 'name = "cut"\nlow = 0\nhigh = 7\nstep = 1\nstart = 3\nslope = -0.2'


@pytest.mark.parametrize("pixels", ["rgb24", "yuv420p10le"])
def test_a_quality_is_searched(clip: Clip, tmp_path: Path, script: Path, pixels: str) -> None:
    codec = made(tmp_path, script, "quality", pixels, QUALITY)
    assert codec.knob == Knob("cut", 0, 7, 1, start=3, slope=-0.2)
    fine, coarse = (encode(codec, clip, setting, tmp_path) for setting in (0.0, 6.0))
    assert coarse.total < fine.total
    assert coarse.total == 8 * coarse.path.stat().st_size
    fine = encode(codec, clip, 0.0, tmp_path)
    frames = list(codec.decode(clip, fine, tmp_path))
    assert len(frames) == FRAMES
    assert min(map(psnr, frames, clip.rgb())) > (98 if pixels == "rgb24" else 40)
    match = match_bits(
        lambda setting: encode(codec, clip, setting, tmp_path), codec.knob, fine.total, 0.16
    )
    assert match.reached
    assert match.encoded.setting == 0


def test_a_codec_without_a_knob_gets_a_bitrate(clip: Clip, tmp_path: Path, script: Path) -> None:
    codec = made(tmp_path, script, "rate", "rgb24")
    assert codec.knob.slope is None
    match = match_bits(
        lambda setting: encode(codec, clip, setting, tmp_path), codec.knob, 120_000, clip.seconds
    )
    assert 0.3 < match.encoded.total / 120_000 < 1.05
    frames = list(codec.decode(clip, match.encoded, tmp_path))
    assert psnr(frames[0], clip.rgb()[0]) > 15


@pytest.mark.parametrize(
    ("setting", "said"),
    [(40, "40"), (0.25, "0.25"), (1_234_570.0, "1234570"), (1e8, "100000000"), (-3.0, "-3")],
)
def test_settings_are_written_as_programs_read_them(
    clip: Clip, tmp_path: Path, setting: float, said: str
) -> None:
    """Never with an exponent."""
    (codec,) = read_codecs(
        write(
            tmp_path,
            table(encode="cp {input} {stream} --suffix={setting}", decode=GOOD["decode"]),
        )
    )
    encoded = encode(codec, clip, setting, tmp_path)
    assert f"--suffix={said}" in encoded.command.split()


def test_the_command_shown_names_no_private_folder(
    clip: Clip, tmp_path: Path, script: Path
) -> None:
    codec = made(tmp_path, script, "quality", "rgb24", QUALITY)
    encoded = encode(codec, clip, 2.0, tmp_path)
    assert encoded.command.endswith(f"quality rgb24 frames.rgb out.z 2 {FRAMES}")


def test_versions_and_identity(tmp_path: Path, script: Path) -> None:
    codec = made(tmp_path, script, "quality", "rgb24", QUALITY)
    assert codec.versions() == {"mine": f"Python {sys.version.split()[0]}"}
    others = [
        made(tmp_path, script, "rate", "rgb24"),
        made(tmp_path, script, "quality", "yuv420p10le", QUALITY),
    ]
    assert len({c.identity() for c in (codec, *others)}) == 3
    (plain,) = read_codecs(write(tmp_path, table(**GOOD)))
    assert plain.versions() == {"mine": "unknown"}
    assert plain.about == "external command: x"
    (absent,) = read_codecs(write(tmp_path, table(**GOOD, version="no-such-program -v")))
    with pytest.raises(EvaluationError, match="mine: 'no-such-program -v' does not run"):
        absent.versions()


def test_no_shell_reads_a_command(clip: Clip, tmp_path: Path) -> None:
    """Neither the command's own signs nor those in a folder's name mean anything to a shell."""
    odd = tmp_path / "a b; touch owned $(touch owned) `touch owned` {width} 'c'"
    odd.mkdir()
    (codec,) = read_codecs(
        write(
            tmp_path,
            table(
                encode="cp -T -- {input} {stream}",
                decode="cp -T -- {stream} {output}",
                version="echo ; touch owned $(touch owned) > owned",
                pixels="rgb24",
            ),
        )
    )
    assert codec.versions() == {"mine": "; touch owned $(touch owned) > owned"}
    encoded = encode(codec, clip, 5.0, odd)
    frames = list(codec.decode(clip, encoded, odd))
    assert np.array_equal(np.stack(frames), clip.rgb())
    assert not list(tmp_path.rglob("owned"))
    assert str(odd) not in encoded.command


def test_paths_may_be_relative(
    clip: Clip, tmp_path: Path, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command runs elsewhere."""
    codec = made(tmp_path, script, "quality", "rgb24", QUALITY)
    monkeypatch.chdir(tmp_path)
    Path("scratch").mkdir()
    encoded = codec.encode(clip, 1.0, Path("out.z"), Path("scratch"))
    assert (tmp_path / "out.z").is_file()
    assert len(list(codec.decode(clip, encoded, Path("scratch")))) == FRAMES


def codec_with(folder: Path, **keys: str) -> External:
    (codec,) = read_codecs(write(folder, table(**{**GOOD, "pixels": "rgb24", **keys})))
    return codec


def test_programs_that_fail(clip: Clip, tmp_path: Path) -> None:
    codec = codec_with(tmp_path, encode="cat {input} no-such-file {stream}")
    with pytest.raises(EvaluationError, match=r"mine failed with exit code 1 .*no-such"):
        encode(codec, clip, 1.0, tmp_path)
    codec = codec_with(tmp_path, encode="true {input} {stream}")
    with pytest.raises(EvaluationError, match="ended well and wrote no stream"):
        encode(codec, clip, 1.0, tmp_path)
    codec = codec_with(tmp_path, encode="touch {input} {stream}")
    with pytest.raises(EvaluationError, match="ended well and wrote no stream"):
        encode(codec, clip, 1.0, tmp_path)
    with pytest.raises(EvaluationError, match="mine: no program 'x'; install it"):
        encode(codec_with(tmp_path), clip, 1.0, tmp_path)


@pytest.mark.parametrize("frames", [0, FRAMES - 1, FRAMES + 1, 0.5])
def test_a_decoder_with_other_frames(clip: Clip, tmp_path: Path, frames: float) -> None:
    stream = tmp_path / "5.bin"
    stream.write_bytes(bytes(round(frames * SIZE * SIZE * 3)))
    codec = codec_with(tmp_path, decode="cp {stream} {output}")
    with pytest.raises(EvaluationError, match=f"not {FRAMES} frames of {SIZE * SIZE * 3}"):
        list(codec.decode(clip, Encoded(stream, {}, 5, "", 0.0), tmp_path))
    assert not list(tmp_path.glob("*.decoded"))


def test_whoever_stops_reading_leaves_no_file(clip: Clip, tmp_path: Path) -> None:
    stream = tmp_path / "5.bin"
    stream.write_bytes(bytes(FRAMES * SIZE * SIZE * 3))
    codec = codec_with(tmp_path, decode="cp {stream} {output}")
    frames = codec.decode(clip, Encoded(stream, {}, 5, "", 0.0), tmp_path)
    next(frames)
    assert list(tmp_path.glob("*.decoded"))
    frames.close()  # type: ignore[attr-defined]
    assert not list(tmp_path.glob("*.decoded"))


E_D = 'encode = "x {input} {stream}"\ndecode = "x {stream} {output}"\n'
MINE = "[codec.mine]\n" + E_D
KNOB = MINE + "[codec.mine.knob]\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("codec = [", "not a TOML file that can be read"),
        ("", r"needs a table \[codec.NAME\]"),
        ("codec = 3", r"needs a table \[codec.NAME\]"),
        ("[codec]", r"needs a table \[codec.NAME\]"),
        ("[codec]\nmine = 3", "codec mine: Expected `object`"),
        (f'[codec."../a b"]\n{E_D}', r"codec \.\./a b: a name has letters"),
        (f'[codec."{"a" * 41}"]\n{E_D}', "a name has letters"),
        (MINE + "bitrate = 5", "codec mine: .*unknown field `bitrate`"),
        ('[codec.mine]\ndecode = "x {stream} {output}"', "mine: .*missing required field `encode`"),
        ('[codec.mine]\nencode = "x {input} {stream}"', "mine: .*missing required field `decode`"),
        ('[codec.mine]\nencode = ["x"]\ndecode = "x"', r"mine: Expected `str`.*\$\.encode"),
        ('[codec.mine]\nencode = "  "\ndecode = "x"', "mine: encode must be a command line"),
        (
            '[codec.mine]\nencode = "x {input} {stream} {bitrate}"\ndecode = "x"',
            r"mine: encode uses \{bitrate\}; known are fps, frames, height, input",
        ),
        (
            '[codec.mine]\nencode = "x {input} {stream} {}"\ndecode = "x"',
            r"mine: encode uses \{\}; known",
        ),
        (
            '[codec.mine]\nencode = "x {input} {stream}"\ndecode = "x {stream} {output} {setting}"',
            r"mine: decode uses \{setting\}; known",
        ),
        ('[codec.mine]\nencode = "x {input}"\ndecode = "x"', r"encode must name \{stream\}"),
        ('[codec.mine]\nencode = "x {stream}"\ndecode = "x"', r"encode must name \{input\}"),
        (
            '[codec.mine]\nencode = "x {input} {stream}"\ndecode = "x {output}"',
            r"decode must name \{stream\}",
        ),
        (
            '[codec.mine]\nencode = "x {input} {stream}"\ndecode = "x {stream}"',
            r"decode must name \{output\}",
        ),
        (
            "[codec.mine]\nencode = '''x 'a {input} {stream}'''\ndecode = 'x {stream} {output}'",
            "mine: encode is no command line: No closing quotation",
        ),
        (MINE + "version = '''x 'a'''", "mine: version is no command line"),
        (MINE + "version = 3", r"mine: Expected `str`.*\$\.version"),
        (MINE + "about = []", r"mine: Expected `str`.*\$\.about"),
        (MINE + "suffix = 'bin'", r"mine: .*\$\.suffix"),
        (MINE + "suffix = '.a/../../b'", r"mine: .*\$\.suffix"),
        (MINE + "pixels = 'yuv420p'", r"mine: Invalid enum value 'yuv420p'.*\$\.pixels"),
        (MINE + "pixels = ['rgb24']", r"mine: .*\$\.pixels"),
        (MINE + "knob = 5", r"mine: Expected `object \| null`.*\$\.knob"),
        (KNOB + "low = 5\nhigh = 6\nlowest = 5", "mine: .*unknown field `lowest`"),
        (KNOB + "low = 5", "mine: .*missing required field `high`"),
        (KNOB + "high = 5", "mine: .*missing required field `low`"),
        (KNOB + "low = 5\nhigh = 5\nslope = 1", "knob needs low < high"),
        (KNOB + "low = 5\nhigh = 9\nslope = 0", "a slope that is not 0"),
        (KNOB + "low = 5\nhigh = 9\nslope = 1\nstep = 0", r"`float` > 0.*\$\.knob\.step"),
        (KNOB + "low = 5\nhigh = 9\nslope = 1\ntries = 0", r"`int` >= 1.*\$\.knob\.tries"),
        (
            KNOB + "low = 5\nhigh = 9\nslope = 1\ntries = 2.5",
            r"mine: Expected `int`.*\$\.knob\.tries",
        ),
        (KNOB + "low = 5\nhigh = 9\nslope = nan", "knob: slope cannot be nan"),
        (KNOB + "low = 5\nhigh = inf\nslope = 1", "knob: high cannot be inf"),
        (KNOB + "low = '5'\nhigh = '9'\nslope = 1", r"mine: Expected `float`.*\$\.knob\.low"),
        (KNOB + "low = false\nhigh = true\nslope = 1", r"mine: Expected `float`.*\$\.knob\.low"),
        (KNOB + "low = 0\nhigh = 9\nname = 3\nslope = 1", r"mine: Expected `str`.*\$\.knob\.name"),
        (KNOB + "low = 0\nhigh = 9", "without a slope is a rate in bit/s: low is above 0"),
    ],
)
def test_a_bad_table_is_refused_with_its_key(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        read_codecs(write(tmp_path, text))
    assert "codecs.toml" in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml is not a TOML file"):
        read_codecs(tmp_path / "gone.toml")
    (tmp_path / "bytes.toml").write_bytes(os.urandom(4) + b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"bytes\.toml is not a TOML file"):
        read_codecs(tmp_path / "bytes.toml")


def test_several_codecs_in_one_file(tmp_path: Path) -> None:
    text = table("one", **GOOD, about="mine, fast") + "\n" + table("two.b", **GOOD)
    text = text.replace("[codec.two.b]", '[codec."two.b"]')
    one, two = read_codecs(write(tmp_path, text))
    assert (one.name, one.about, one.suffix) == ("one", "mine, fast", ".bin")
    assert two.name == "two.b"
