"""`codec-eval --keep`: crops, streams and commands, so that each command can be repeated."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..codec.whole_file import whole_file, whole_path
from .sweep import SweepConfig, SweepOutcome, codecs_of

__all__ = ["keep_streams"]

_HEAD = """\
# Each command below was run by codec-eval on the crop in this folder. Run it here: it writes the
# stream out.* again, which is that of the file named above the command. (In files of facewire the
# packets are the same, and the sound may lie between other pictures.) codec-eval ran the ffmpeg of
# the Python package imageio-ffmpeg, where that has the encoder, and else the one on PATH.
"""


def keep_streams(outcome: SweepOutcome, config: SweepConfig, folder: Path) -> None:
    """Write one folder a clip: what commands read, each stream, and `commands.sh`.

    The commands are those of `results.json`. Streams are called `CODEC-TARGET`, with the suffix of
    the codec.

    Args:
        outcome: of `sweep.run_sweep`.
        config: of the same run.
        folder: is made where it is not there.

    Raises:
        OSError: the folder cannot be written.
    """
    codecs = {codec.name: codec for codec in codecs_of(config)}
    for clip in outcome.clips.values():
        own = folder / Path(clip.name).stem
        own.mkdir(parents=True, exist_ok=True)
        lines = [_HEAD]
        for row in (row for row in outcome.rows if row.clip.name == clip.name):
            codecs[row.codec].write_source(clip, own)
            stream = own / f"{row.codec}-{row.target_bpp:g}{row.encoded.path.suffix}"
            with whole_path(stream, overwrite=True) as draft:
                shutil.copyfile(row.encoded.path, draft)
            lines.append(f"# {stream.name}\n{row.encoded.command}\n")
        with whole_file(own / "commands.sh", overwrite=True) as file:
            file.write("\n".join(lines).encode())
