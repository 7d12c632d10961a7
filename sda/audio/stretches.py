"""Streaming: long signals a stretch at a time, each with what lies around it, so that length costs no memory.

Whatever depends on no more than so much on either side comes out of the stretches as it comes out of the whole.

Letters in the shapes: `T` samples, `M` mel bands, `F` frames.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from sda.audio.mel import AudioFeatures, LogMel, mirror_ends


def cut_stretches(blocks: Iterable[Tensor], length: int, before: int, after: int) -> Iterator[tuple[Tensor, int]]:
    """Stretches along the last dimension, wherever the blocks that come in begin and end.

    Args:
        length: of a stretch; the last one is what is left.
        before: what is given along of what lies before a stretch, as far as there is so much.
        after: the same behind it.

    Yields:
        a piece, and the place in it where its own stretch begins.

    >>> blocks = [torch.arange(4), torch.arange(4, 7)]
    >>> [(piece.tolist(), start) for piece, start in cut_stretches(blocks, 3, before=1, after=2)]
    [([0, 1, 2, 3, 4], 0), ([2, 3, 4, 5, 6], 1), ([5, 6], 1)]
    """
    held: Tensor | None = None
    start = 0
    for part in (part for block in blocks for part in torch.split(block, length, dim=-1)):
        held = part if held is None else torch.cat([held, part], dim=-1)
        while held.shape[-1] >= start + length + after:
            yield held[..., : start + length + after], start
            held, start = _move_on(held, start + length, before)
    while held is not None and held.shape[-1] > start:
        yield held[..., : start + length + after], start
        held, start = _move_on(held, start + length, before)


def _move_on(held: Tensor, next_start: int, before: int) -> tuple[Tensor, int]:
    """Let go of what lies further back than `before`."""
    first = max(0, next_start - before)
    return held[..., first:].clone(), next_start - first


def extract_stretches(
    waveform: Iterable[Tensor], features: LogMel, length: int, context: int
) -> Iterator[tuple[AudioFeatures, int]]:
    """What is heard of a long sound, `length` frames at a time, with `context` frames before and after them.

    Args:
        waveform: blocks of one sound, `[T]`.

    Yields:
        a batch of one without its waveform, on the features' device, and the place of the stretch's first frame.
    """
    hop = features.hop_length
    padded = _mirror_ends(waveform, features.n_fft // 2)
    pieces = cut_stretches(padded, length * hop, context * hop, context * hop + features.n_fft - hop)
    for piece, start in pieces:
        n_frames = (len(piece) - features.n_fft) // hop + 1
        if n_frames > start // hop:  # else what is left is no frame's beginning
            yield features.extract_padded(piece[None].to(features.window.device)), start // hop


def _mirror_ends(waveform: Iterable[Tensor], margin: int) -> Iterator[Tensor]:
    """A sound with `margin` samples more at both ends, as `mirror_ends` has them."""
    held, begun = torch.zeros(0), False
    for block in waveform:
        held = torch.cat([held, block])
        if len(held) <= margin:
            continue
        if not begun:
            yield held[1 : margin + 1].flip(0)
            begun = True
        if len(held) > 2 * margin + 1:
            yield held[: -margin - 1]
            held = held[-margin - 1 :].clone()
    if not begun:
        yield mirror_ends(held[None], margin)[0]
        return
    yield held
    yield held[-margin - 1 : -1].flip(0)
