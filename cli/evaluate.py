"""`codec-eval`: rate and quality of facewire and of classic codecs, at matched bits."""

from __future__ import annotations

import argparse
import math
import shlex
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from .guard import guarded

if TYPE_CHECKING:
    from tqdm import tqdm

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
        0 well; 1 a clip or a codec was skipped (results are kept), the input is bad, or the extra
        `eval` is not installed; 2 wrong usage; 130 interrupted (what was finished is kept).
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [word for word in arguments if word != "--debug"]
    command = _plot if arguments[:1] == ["plot"] else _sweep
    return guarded("codec-eval", lambda: _with_extra(command, arguments), debug=debug)


def _with_extra(command: Callable[[list[str]], int], arguments: list[str]) -> int:
    """Run a command; where a package is missing, name the extra that brings it."""
    from ..codec.errors import MissingExtraError

    try:
        return command(arguments)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("facewire"):
            raise
        raise MissingExtraError(f"comparing codecs (no package {error.name!r})", "eval") from error


def _plot(arguments: list[str]) -> int:
    from ..eval.report.page import write_chart, write_report
    from ..eval.results.file import read_results

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
    from ..eval.codecs.registry import codec_names

    parser = argparse.ArgumentParser(
        prog="codec-eval",
        description="Rate and quality of facewire beside H.266, AV1, HEVC and others, at matched "
        "bits.",
        epilog=f"{_EPILOG}\n{textwrap.fill('codecs: ' + ', '.join(codec_names()), 100)}\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_inputs(parser.add_argument_group("what is compared"))
    _add_running(parser.add_argument_group("how it runs"))
    _add_outputs(parser.add_argument_group("what comes out"))
    return parser


def _add_inputs(group: argparse._ArgumentGroup) -> None:
    from ..eval.codecs.registry import DEFAULT_CODECS

    add = group.add_argument
    add(
        "--bpp",
        type=_positive,
        action="append",
        required=True,
        metavar="X",
        help="bits a pixel that the picture may take, everything but the sound; give it several "
        "times for curves",
    )
    add("--data", type=Path, metavar="DIR", help="folder of videos, or one (default: the demo's)")
    add(
        "--codecs",
        default=",".join(DEFAULT_CODECS),
        metavar="A,B,…",
        help="codecs that are compared (default: %(default)s); `-half` behind a classic codec's "
        "name codes it at half size",
    )
    add(
        "--codec-file",
        type=Path,
        action="append",
        default=[],
        metavar="TOML",
        help="file with command-line codecs of your own; docs/evaluation.md shows one",
    )
    add("--weights", type=Path, metavar="DIR", help="a trained network in place of the shipped one")
    add("--seconds", type=_positive, metavar="S", help="take no more than S seconds of each video")
    add(
        "--every",
        type=_count,
        default=5,
        metavar="N",
        help="compare pictures on each N-th frame (default: %(default)s)",
    )
    add(
        "--vgg-every",
        type=_count,
        default=25,
        metavar="N",
        help="compare LPIPS-VGG and DISTS, which cost more, on each N-th (default: %(default)s)",
    )


def _add_running(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--jobs",
        type=_count,
        default=0,
        metavar="N",
        help="tasks that run at once, each on one thread (default: one a core)",
    )
    add(
        "--ray",
        metavar="ADDRESS",
        help="spread the tasks over an existing Ray cluster; --data and --cache must be on a disk "
        "that all its machines see (`local` starts a cluster on this machine)",
    )
    add(
        "--cache",
        type=Path,
        metavar="DIR",
        help="folder of streams and figures that a later run uses again (default: OUT/cache)",
    )
    add("--fresh", action="store_true", help="forget what the cache holds, and measure anew")
    add("--quiet", action="store_true", help="show no progress and no table")


def _add_outputs(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--out",
        type=Path,
        default=Path("codec-eval"),
        metavar="DIR",
        help="folder of the results (default: ./codec-eval)",
    )
    add(
        "--keep",
        nargs="?",
        const="",
        metavar="DIR",
        help="keep crops, streams and commands, so that every command that the report shows can be "
        "repeated as it stands (default folder: OUT/kept)",
    )
    add("--json", action="store_true", help="print results.json on stdout")
    add("--name", default="codec-eval", help="name of the results, for plots")
    add("--description", default="", help="a line for readers of the results")
    add(
        "--anchor",
        default="vvenc-ld",
        metavar="CODEC",
        help="codec that BD-rates compare with (default: %(default)s)",
    )


def _sweep(arguments: list[str]) -> int:
    from ..codec.errors import ConfigError
    from ..eval.collect import collect, write_all
    from ..eval.keep import keep_streams
    from ..eval.results.file import json_text
    from ..eval.sweep import SweepConfig
    from ..models.cores import cores
    from .evaluate_table import text_table

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
        jobs=args.jobs or cores(),
    )
    outcome = _run(config, args)
    outcome.skipped |= refused
    results = collect(
        outcome,
        config,
        name=args.name,
        description=args.description,
        command=shlex.join(["codec-eval", *arguments]),
        anchor=args.anchor,
    )
    results = write_all(results, outcome, config, args.out)
    if args.keep is not None:
        keep_streams(outcome, config, args.out / "kept" if args.keep == "" else Path(args.keep))
    if args.json:
        print(json_text(results), end="")
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
    from ..eval.runners import local_runner, ray_runner
    from ..eval.sweep import run_sweep

    runner = ray_runner(args.ray) if args.ray else local_runner(args.jobs)
    with _Progress(quiet=args.quiet) as progress:
        return run_sweep(config, runner, progress)


class _Progress:
    """Shows how far a stage is: a bar on a terminal, else one line when the stage begins."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet, self._terminal = quiet, sys.stderr.isatty()
        self._bars: dict[str, tqdm[NoReturn]] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        from tqdm import tqdm

        if self._quiet:
            return
        if not self._terminal:
            if done == 0:
                tasks = "1 task" if total == 1 else f"{total} tasks"
                print(f"codec-eval: {stage}: {tasks}", file=sys.stderr, flush=True)
            return
        if stage not in self._bars:
            self._bars[stage] = tqdm(desc=stage, total=total, unit="task")
        self._bars[stage].update(done - self._bars[stage].n)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        for bar in self._bars.values():
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
