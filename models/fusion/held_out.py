"""Samples of held-out people, to measure the fusion network with; nothing in them is random."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...codec.picture.still import encode_picture
from ..face.table import FaceTable
from .chain import OWN, Chain, code_chain
from .prepare import Animator, Piece, Talker
from .samples import Samples

__all__ = ["held_out_piece", "usual_layers"]


def usual_layers(still_crf: float) -> list[Chain]:
    """The base layers to measure with: four qualities as SVT-AV1 codes a stream by itself, the same
    four as they continue from the reference's still, a small one, and one that skips frames.

    Args:
        still_crf: CRF of the reference's still.
    """
    qualities = (44, 50, 56, 63)
    alone = [Chain(crf, crf, layers=OWN) for crf in qualities]
    after = [Chain(crf, still_crf) for crf in qualities]
    small = Chain(44, 44, side=128, layers=OWN)
    return [*alone, *after, small, Chain(56, still_crf, every=3)]


def held_out_piece(
    piece: Piece,
    animator: Animator,
    table: FaceTable,
    layers: Callable[[float], Sequence[Chain]],
    *,
    still_bytes: int = 2500,
    count: int = 6,
) -> Samples:
    """Samples to measure with, in which nothing is random.

    The first frame is the reference. The pairs end at frames that are spread from a sixth of the
    piece to its end.

    Args:
        piece: a piece of at least twelve frames.
        animator, table: see `prepare_piece`.
        layers: gives the base layers for the CRF of the still.
        still_bytes: bytes of the reference's still.
        count: number of pairs.
    """
    crf = encode_picture(piece.frames[0], max_bytes=still_bytes, smallest=True).quality
    talker = Talker(animator, table, piece, 0, crf, step=3)
    last = len(piece.frames) - 1
    pairs = [(int(n) - 1, int(n)) for n in np.linspace(last // count + 1, last, count)]
    shown = [[talker.show(n, n) for n in pair] for pair in pairs]
    chains = layers(crf)
    coded = [code_chain(piece.frames, chain) for chain in chains]
    base = [
        [[pictures[n // chain.every] for n in pair] for pair in pairs]
        for chain, (_, pictures) in zip(chains, coded, strict=True)
    ]
    target = [[piece.frames[n] for n in pair] for pair in pairs]
    made = [[picture for picture, _ in pair] for pair in shown]
    return Samples(
        name=piece.name,
        person=piece.person,
        pictures=np.stack([np.array(p, np.uint8) for p in (target, made, *base)], 1),
        points=np.array([[drawn for _, drawn in pair] for pair in shown], np.float32),
        age=np.array(
            [[[n % chain.every for n in pair] for pair in pairs] for chain in chains], np.uint8
        ),
        crf=np.array([chain.crf for chain in chains], np.float32),
        side=np.array([chain.side for chain in chains]),
        bpp=np.array([8 * sum(sizes[1:]) / (65536 * last) for sizes, _ in coded], np.float32),
        fair=np.ones(count, bool),
    )
