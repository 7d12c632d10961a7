"""Audio search: where in hours of sound a short one occurs, by correlation of log-mel patches at every lag.

The correlation of two patches is 1 for a copy and near 0 for unrelated sounds. A sound in which nothing moves cannot be
told from another: it matches nothing.

Cost for `Q` patches of `F` frames and `M` bands against `N` frames of sound: transforms of blocks of `L` frames turn
the `Q · N · M · F` products of the plain sum into `Q · N · M · L / (L − F)` complex ones and one inverse transform a
patch and block, `Q · N · log L`. The sound is gone through stretch by stretch, in blocks, for some patches at a time:
memory grows with neither.

Letters in the shapes: `Q` patches, `S` sounds, `M` mel bands, `F` frames of a patch, `N` frames of a sound,
`T` samples, `L` frames of a block.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sda.audio.waveform import read_waveform
from sda.evaluation.patches import LEAST_LOUD, PatchFeatures, find_loud
from sda.evaluation.sounds import Sound
from sda.parallel import map_in_threads

LEAST_DEVIATION = 0.05
"""Patches of sound whose whitened cells vary less than this are too plain to be told apart; they match less."""
BLOCK_FRAMES = 1024
"""Of long sound; one that fits into a shorter block, of a power of two, is transformed as that."""
BLOCKS_AT_ONCE = 16
SECONDS_AT_ONCE = 60
"""Stretches of long sound."""
SECONDS_KEPT = 600
"""Of which the frames are kept while all patches are searched for in them, 15 MB."""
PATCHES_AT_ONCE = 1024
"""Of which the spectra are kept: a quarter of a megabyte each."""


class Matches(NamedTuple):
    """For every patch and every sound, the best place."""

    correlation: Tensor
    """`[Q, S]`, in [0, 1]: what is less alike than nothing counts as nothing."""
    start_s: Tensor
    """Where the best match begins in the sound, seconds, `[Q, S]`."""


class _Place(NamedTuple):
    """A part of a sound: its number among all, and its first and last sample."""

    sound: int
    start: int
    end: int


class _Stretch(NamedTuple):
    """A part of a sound, as it is searched."""

    sound: int
    """Its number among all."""
    start_s: float
    length_s: float
    frames: Tensor
    """Whitened, `[M, N]`."""
    is_loud: Tensor
    """`[N]`."""


@torch.no_grad()
def find_nearest(
    patches: Sequence[Tensor],
    sounds: Sequence[Sound],
    features: PatchFeatures,
    advance: Callable[[float], None] = lambda _: None,
) -> list[Matches]:
    """Search for patches of one or several lengths in all sounds, at every lag.

    Args:
        patches: for each length, patches as `PatchFeatures.patches` makes them, `[Q, M, F]`.
        advance: told how many seconds of sound have been gone through since it was last told.
    """
    found = [(torch.zeros(len(group), len(sounds)), torch.zeros(len(group), len(sounds))) for group in patches]
    # Stretches of a file overlap by the longest patch, and by the frames that are spoilt at their ends.
    n_overlap = max(group.shape[2] for group in patches) + 2 * features.n_edge
    overlap = math.ceil(n_overlap * features.hop_s * features.sample_rate_hz)
    stretch = SECONDS_AT_ONCE * features.sample_rate_hz
    longest = min(stretch + overlap, max([overlap, *(len(sound.waveform) for sound in sounds)]))
    n_block = _choose_block(math.ceil(longest / features.sample_rate_hz / features.hop_s) + 1)
    describe = partial(_describe, sounds=sounds, features=features, overlap=overlap)
    for places in _list_stretches(sounds, features.sample_rate_hz, stretch, overlap):
        some = map_in_threads(describe, places)
        for group, (best, place) in zip(patches, found, strict=True):
            for first in range(0, len(group), PATCHES_AT_ONCE):
                rows = slice(first, first + PATCHES_AT_ONCE)
                spectra = _transform_patches(group[rows], n_block)
                correlate = partial(_correlate, spectra=spectra, n_frames=group.shape[2])
                for one, (correlation, lag) in zip(some, map_in_threads(correlate, some), strict=True):
                    better = correlation > best[rows, one.sound]
                    best[rows, one.sound][better] = correlation[better]
                    start_s = (lag[better] - features.n_edge).clamp(min=0) * features.hop_s
                    place[rows, one.sound][better] = one.start_s + start_s
        advance(sum(one.length_s for one in some))
    starts = torch.tensor([sound.start_s for sound in sounds])
    return [Matches(best, place + starts) for best, place in found]


def _list_stretches(sounds: Sequence[Sound], rate_hz: int, stretch: int, overlap: int) -> Iterator[list[_Place]]:
    """All sounds in stretches of so many samples, each with the beginning of the next, in groups whose frames are kept
    while all patches are searched for in them."""
    group, n_samples = list[_Place](), 0
    for index, sound in enumerate(sounds):
        for start in range(0, max(1, len(sound.waveform) - overlap), stretch):
            group.append(_Place(index, start, min(len(sound.waveform), start + stretch + overlap)))
            n_samples += max(overlap, group[-1].end - start)
            if n_samples >= SECONDS_KEPT * rate_hz:
                yield group
                group, n_samples = [], 0
    if group:
        yield group


def _describe(place: _Place, sounds: Sequence[Sound], features: PatchFeatures, overlap: int) -> _Stretch:
    """The sound of a stretch, as it is searched."""
    rate_hz = features.sample_rate_hz
    waveform = read_waveform(sounds[place.sound].waveform[place.start : place.end])
    # A sound shorter than a patch ends in silence, as windows that are cut beyond its end do.
    waveform = nn.functional.pad(waveform, (0, max(0, overlap - len(waveform))))
    frames = features.whitened(waveform)
    is_loud = find_loud(waveform, frames.shape[1], features)
    return _Stretch(place.sound, place.start / rate_hz, len(waveform) / rate_hz, frames, is_loud)


def _choose_block(n_frames: int) -> int:
    """Length of the blocks that a sound of so many frames is cut into.

    >>> _choose_block(300), _choose_block(6000)
    (512, 1024)
    """
    return int(min(BLOCK_FRAMES, 2 ** math.ceil(math.log2(n_frames))))


def _transform_patches(patches: Tensor, n_block: int) -> Tensor:
    """Spectra over time, ready for the product. `[Q, M, F]` → `[L // 2 + 1, Q, M]`."""
    spectra: Tensor = torch.fft.rfft(patches, n_block).conj().permute(2, 0, 1).contiguous()
    return spectra


def _correlate(stretch: _Stretch, spectra: Tensor, n_frames: int) -> tuple[Tensor, Tensor]:
    """The best correlation over all lags, and the lag in frames.

    Shape:
        spectra `[L // 2 + 1, Q, M]` → two `[Q]`.
    """
    frames, is_loud = stretch.frames, stretch.is_loud
    n_mels, n_longest = frames.shape[0], 2 * (len(spectra) - 1)
    n_block = min(n_longest, _choose_block(frames.shape[1]))
    spectra = spectra[:: n_longest // n_block]  # those of the shorter transform
    n_lags = frames.shape[1] - n_frames + 1
    norm = _norm_of_windows(frames, n_frames)
    loud = is_loud.float()[None, None]
    share_loud = nn.functional.avg_pool1d(loud, n_frames, 1)[0, 0]
    scale = torch.where(
        share_loud >= LEAST_LOUD, 1.0 / norm.clamp(min=LEAST_DEVIATION * math.sqrt(n_mels * n_frames)), 0.0
    )
    step = n_block - n_frames + 1
    n_blocks = -(-n_lags // step)
    padded = nn.functional.pad(frames, (0, n_blocks * step + n_frames - 1 - frames.shape[1]))
    scale = nn.functional.pad(scale, (0, n_blocks * step - n_lags), value=0.0)
    blocks = padded.unfold(1, n_block, step)  # [M, n_blocks, L]
    n_patches = spectra.shape[1]
    best, lag = torch.zeros(n_patches), torch.zeros(n_patches, dtype=torch.long)
    for first in range(0, n_blocks, BLOCKS_AT_ONCE):
        some = torch.fft.rfft(blocks[:, first : first + BLOCKS_AT_ONCE]).permute(2, 0, 1)  # [L // 2 + 1, M, n]
        products = torch.fft.irfft((spectra @ some).permute(1, 2, 0), n_block)[..., :step]  # [Q, n, step]
        some_scale = scale[first * step : first * step + products.shape[1] * step]
        correlation, place = (products.flatten(1) * some_scale).max(dim=1)
        better = correlation > best
        best = torch.where(better, correlation, best)
        lag = torch.where(better, place + first * step, lag)
    return best, lag


def _norm_of_windows(frames: Tensor, n_frames: int) -> Tensor:
    """Length of every window after each band's mean is taken away. `[M, N]` → `[N − n_frames + 1]`."""
    columns = torch.stack([frames.double(), frames.double().square()])
    sums = nn.functional.pad(columns.cumsum(dim=2), (1, 0))
    total, square = sums[..., n_frames:] - sums[..., :-n_frames]
    norm: Tensor = (square - total.square() / n_frames).sum(dim=0).clamp(min=0.0).sqrt().float()
    return norm
