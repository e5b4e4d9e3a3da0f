"""`codec-eval`: rate and quality of facewire and of classic codecs, at matched bits."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from .guard import guarded

if TYPE_CHECKING:
    from ..eval.sweep import SweepConfig, SweepOutcome

__all__ = ["main"]

_EPILOG = """\
examples:
  codec-eval --bpp 0.014                                     on the demo's clip, all default codecs
  codec-eval --bpp 0.005 --bpp 0.014 --bpp 0.03 --data clips/ --jobs 4
  codec-eval --bpp 0.005 --data clips/ --codecs facewire,vvenc,vvenc-ld
  codec-eval --bpp 0.01 --data clips/ --codec-file mine.toml anybody's codec, no code needed
  codec-eval plot OUT/results.json OTHER.json --out both.html

Every codec gets the same raw frames, a crop of 256x256 around the face. Its rate is searched until
the picture's bits, with keyframe and headers, are within 1 % of the target; where it cannot be
reached, the nearest point is measured and marked. Sound (Opus, the same for all) has its own line.

DIR/results.json holds every figure, DIR/report.html shows them, DIR/results.csv is for a
spreadsheet. What was encoded and measured is kept in DIR/cache: run the command again after Ctrl-C
and it goes on where it stopped.
"""

_PLOT_EPILOG = """\
examples:
  codec-eval plot today/results.json yesterday/results.json --out both.html
  codec-eval plot OUT/results.json --chart lpips            lpips.svg, for a page of yours
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `codec-eval`.

    Args:
        argv: arguments without the program's name; by default those of the process.

    Returns:
        0 well; 1 a clip or a codec was skipped (results are kept), or the input is bad; 2 wrong
        usage; 130 interrupted (what was finished is kept).
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [word for word in arguments if word != "--debug"]
    command = _plot if arguments[:1] == ["plot"] else _sweep
    return guarded("codec-eval", lambda: command(arguments), debug=debug)


def _plot(arguments: list[str]) -> int:
    from ..eval.report import write_chart, write_report
    from ..eval.resultfile import read_results

    parser = argparse.ArgumentParser(
        prog="codec-eval plot",
        description="Draw a report from results alone; several are laid over each other.",
        epilog=_PLOT_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULTS.json")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: report.html")
    parser.add_argument(
        "--chart", metavar="METRIC", help="one chart alone, as METRIC.svg: lpips, fid, psnr, …"
    )
    args = parser.parse_args(arguments[1:])
    several = [read_results(path) for path in args.results]
    if args.chart:
        out = args.out or Path(f"{args.chart}.svg")
        write_chart(several, args.chart, out)
        print(out)
        return 0
    out = args.out or Path("report.html")
    pictures = args.results[0].parent if len(args.results) == 1 else None
    write_report(several, out, pictures)
    print(out)
    return 0


def _parser() -> argparse.ArgumentParser:
    from ..eval.codecs.registry import DEFAULT_CODECS, codec_names

    parser = argparse.ArgumentParser(
        prog="codec-eval",
        description="Rate and quality of facewire beside H.266, AV1, HEVC and others, at matched "
        "bits.",
        epilog=_EPILOG + "\ncodecs: " + ", ".join(codec_names()) + "\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--bpp",
        type=_positive,
        action="append",
        required=True,
        metavar="X",
        help="bits a pixel of the picture, all but the sound; several make curves",
    )
    add("--data", type=Path, metavar="DIR", help="folder of videos, or one (default: the demo's)")
    add(
        "--codecs",
        default=",".join(DEFAULT_CODECS),
        metavar="A,B,…",
        help="what is compared (default: %(default)s)",
    )
    add(
        "--codec-file",
        type=Path,
        action="append",
        default=[],
        metavar="TOML",
        help="external command-line codecs; docs/evaluation.md shows one",
    )
    add("--out", type=Path, default=Path("codec-eval"), metavar="DIR", help="default: ./codec-eval")
    add("--cache", type=Path, metavar="DIR", help="what can be used again (default: OUT/cache)")
    add("--jobs", type=_count, default=0, metavar="N", help="processes (default: one a core)")
    add(
        "--ray",
        metavar="ADDRESS",
        help="spread over an existing Ray cluster; --data and --cache must be on a disk that all "
        "its machines see (`local`: one of its own)",
    )
    add("--every", type=_count, default=5, metavar="N", help="compare pictures on each N-th frame")
    add(
        "--vgg-every",
        type=_count,
        default=25,
        metavar="N",
        help="LPIPS-VGG and DISTS, which cost more, on each N-th (default: %(default)s)",
    )
    add("--seconds", type=_positive, metavar="S", help="no more of each video")
    add("--weights", type=Path, metavar="DIR", help="a trained network in place of the shipped")
    add("--anchor", default="vvenc-ld", metavar="CODEC", help="of BD-rates (default: %(default)s)")
    add("--name", default="codec-eval", help="of the results, for plots")
    add("--description", default="", help="a line for whoever reads them")
    add("--fresh", action="store_true", help="encode and measure anew what the cache holds")
    add("--json", action="store_true", help="print results.json on stdout")
    add("--quiet", action="store_true", help="no progress bar, no table")
    return parser


def _sweep(arguments: list[str]) -> int:
    from ..codec.errors import ConfigError
    from ..eval.collect import collect, write_all
    from ..eval.resultfile import text_table
    from ..eval.sweep import SweepConfig

    args = _parser().parse_args(arguments)
    cache = args.cache or args.out / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    asked = [name for name in args.codecs.split(",") if name]
    names, refused = _usable(asked, args)
    if not names:
        raise ConfigError("none of the codecs can run here: " + "; ".join(refused.values()))
    config = SweepConfig(
        data=args.data or _demo_clip(args.out),
        targets=tuple(sorted(set(args.bpp))),
        codecs=tuple(names),
        cache=cache,
        codec_files=tuple(args.codec_file),
        weights=args.weights,
        seconds=args.seconds,
        every=max(1, args.every),
        vgg_every=max(1, args.vgg_every),
        fresh=args.fresh,
    )
    outcome = _run(config, args)
    outcome.skipped |= refused
    shown = shlex_command(arguments)
    results = collect(
        outcome,
        config,
        name=args.name,
        description=args.description,
        command=shown,
        anchor=args.anchor,
    )
    results = write_all(results, outcome, config, args.out)
    if args.json:
        print(json.dumps(results.to_json(), indent=1))
    elif not args.quiet:
        for target in config.targets:
            print(text_table(results, target))
        print(f"\nreport: {args.out / 'report.html'}")
    for name, why in outcome.skipped.items():
        print(f"codec-eval: skipped {name}: {why}", file=sys.stderr)
    for why in dict.fromkeys(outcome.left_out.values()):
        metrics = ", ".join(name for name, said in outcome.left_out.items() if said == why)
        print(f"codec-eval: left out {metrics}: {why}", file=sys.stderr)
    if outcome.interrupted:
        print("codec-eval: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return 1 if outcome.skipped or not outcome.rows else 0


def shlex_command(arguments: list[str]) -> str:
    """The command as a person types it."""
    import shlex

    return shlex.join(["codec-eval", *arguments])


def _usable(asked: list[str], args: argparse.Namespace) -> tuple[list[str], dict[str, str]]:
    """Codecs that can run here, and why the others cannot."""
    from ..codec.errors import FacewireError
    from ..eval.codecs.registry import make_codecs

    usable, refused = [], {}
    for codec in make_codecs(asked, tables=args.codec_file, weights=args.weights):
        try:
            codec.versions()
        except FacewireError as error:
            refused[codec.name] = str(error)
        else:
            usable.append(codec.name)
    return usable, refused


def _demo_clip(out: Path) -> Path:
    from .demo.clip import make_demo_clip

    clip = out / "demo.mp4"
    if not clip.exists():
        make_demo_clip(clip)
    return clip


def _run(config: SweepConfig, args: argparse.Namespace) -> SweepOutcome:
    from tqdm import tqdm

    from ..eval.runners import local_runner, ray_runner
    from ..eval.sweep import run_sweep

    runner = ray_runner(args.ray) if args.ray else local_runner(args.jobs)
    bars: dict[str, tqdm[NoReturn]] = {}

    def show(stage: str, done: int, total: int) -> None:
        if stage not in bars:
            bars[stage] = tqdm(
                desc=stage, total=total, unit="task", disable=True if args.quiet else None
            )
        bars[stage].update(done - bars[stage].n)

    try:
        return run_sweep(config, runner, show)
    finally:
        for bar in bars.values():
            bar.close()


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return number


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is not a whole number")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
