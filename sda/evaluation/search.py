"""Audio search: where in hours of sound a short one occurs, by correlation of log-mel patches at every lag.

A patch is the log-mel spectrogram of a window, its bands decorrelated over the corpus (whitened), and of every band its
mean over the window taken away: what is left is what moves. A louder, quieter or otherwise coloured copy has the same
patch, and two recordings of rain have nothing in common but their colour, which no longer makes them alike. The
correlation of two patches is 1 for a copy and near 0 for unrelated sounds. Without whitening, what all sounds of a
corpus share would dominate it, and their smooth average would seem closer to each of them than any real sound is to
another. A sound in which nothing moves cannot be told from another: it matches nothing.

Cost for `Q` patches of `F` frames and `M` bands against `N` frames of sound: transforms of blocks of `L` frames turn
the `Q · N · M · F` products of the plain sum into `Q · N · M · L / (L − F)` complex ones and one inverse transform a
patch and block, `Q · N · log L`. The sound is gone through file by file, in blocks: memory does not grow with it.

Letters in the shapes: `Q` patches, `S` sounds, `M` mel bands, `F` frames of a patch, `N` frames of a sound,
`T` samples, `L` frames of a block.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

import soxr
import torch
from torch import Tensor, nn

from sda.audio.mel import LogMel
from sda.evaluation.sounds import QUIETEST_DBFS, Sound

HIGHEST_RATE_HZ = 48000
"""Sound at a higher rate is searched at this one."""
WINDOW_S = 0.085
"""About how long a frame listens: long enough that a shift by half a hop changes little."""
HOP_S = 0.010
"""Distance of frames, to the next whole sample."""
SHORT_WINDOW_S, SHORT_HOP_S = 0.021, 0.005
"""The same for patches shorter than a quarter of a second."""
N_MELS = 64
FLOOR = 1e-2
"""Added to every mel magnitude, relative to its frame (−40 dB): what lies far below what is heard makes no pattern."""
MIN_MAGNITUDE = 1e-7
"""Magnitudes below this count as this: what is left where there is nothing at all."""
LOG_OF_NOTHING = math.log(2 * MIN_MAGNITUDE)
RIDGE = 0.1
"""Added to every eigenvalue of the bands' covariance before it is inverted, relative to their mean."""
LEAST_DEVIATION = 0.05
"""Patches of sound whose whitened cells vary less than this are too plain to be told apart; they match less."""
LEAST_LOUD = 0.5
"""Share of a window that must not be near-silent: of others it cannot be said what they resemble."""
BLOCK_FRAMES = 1024
"""Of long sound; one that fits into a shorter block, of a power of two, is transformed as that."""
BLOCKS_AT_ONCE = 16
SECONDS_AT_ONCE = 60
TRANSFORMED_AT_ONCE = 200
"""Frames whose unfolded samples fit into the processor's cache."""


class Matches(NamedTuple):
    """For every patch and every sound, the best place."""

    correlation: Tensor
    """`[Q, S]`, in [0, 1]: what is less alike than nothing counts as nothing."""
    start_s: Tensor
    """Where the best match begins in the sound, seconds, `[Q, S]`."""


class PatchFeatures:
    """Log-mel spectrograms on a grid of 10 ms, their bands decorrelated over a corpus.

    Args:
        sample_rate_hz: rate of all sounds.
        is_short: listen to shorter frames, for patches of hits.
    """

    def __init__(self, sample_rate_hz: int, *, is_short: bool = False):
        self.sample_rate_hz = sample_rate_hz
        self.rate_hz = min(HIGHEST_RATE_HZ, sample_rate_hz)
        """Rate at which they are looked at."""
        window_s, hop_s = (SHORT_WINDOW_S, SHORT_HOP_S) if is_short else (WINDOW_S, HOP_S)
        self.window_s = window_s
        self.hop_length = round(hop_s * self.rate_hz)
        self.hop_s = self.hop_length / self.rate_hz
        n_fft = 2 ** round(math.log2(window_s * self.rate_hz))
        self.log_mel = LogMel(self.rate_hz, n_fft, self.hop_length, N_MELS)
        # The frames at either end of what is transformed reach beyond it, into what is mirrored there.
        self.n_edge = math.ceil(n_fft / 2 / self.hop_length)
        self.mean = torch.zeros(N_MELS, 1)
        self.whitening = torch.eye(N_MELS)

    @torch.no_grad()
    def fit(self, sounds: Sequence[Sound], most_s: float = 600.0) -> Self:
        """Decorrelate over stretches of `most_s` seconds in all, spread over the sounds.

        Raises:
            ValueError: there is no sound.
        """
        if not sounds:
            raise ValueError("there is no sound to fit to")
        each = max(round(most_s * self.sample_rate_hz / len(sounds)), self.sample_rate_hz)
        total, square, n_frames = torch.zeros(N_MELS), torch.zeros(N_MELS, N_MELS), 0
        for sound in sounds:
            first = max(0, (len(sound.waveform) - each) // 2)
            frames = self._frames(sound.waveform[first : first + each])
            frames = frames[:, frames.amax(dim=0) > LOG_OF_NOTHING]
            total += frames.sum(dim=1)
            square += frames @ frames.T
            n_frames += frames.shape[1]
        if n_frames == 0:
            raise ValueError("there is no sound to fit to: all of it is digital silence")
        self.mean = (total / n_frames)[:, None]
        covariance = square / n_frames - self.mean @ self.mean.T
        deviation = covariance.diagonal().clamp(min=0.01).sqrt()
        values, vectors = torch.linalg.eigh(covariance / torch.outer(deviation, deviation))
        scales = (values.clamp(min=0.0) + RIDGE * values.mean()).rsqrt()
        self.whitening = vectors @ torch.diag(scales) @ vectors.T / deviation
        return self

    def count_frames(self, n_samples: int) -> int:
        """Frames of the patch of a window of so many samples at `sample_rate_hz`."""
        n_own_samples = round(n_samples * self.rate_hz / self.sample_rate_hz)
        return int(n_own_samples // self.hop_length + 1 - 2 * self.n_edge)

    def is_mostly_loud(self, waveform: Tensor, n_samples: int) -> bool:
        """Whether at least half of a window of so many samples is not near-silent; what it lacks is silence."""
        n_frames = max(1, round(n_samples / self.sample_rate_hz / self.hop_s))
        return float(_find_loud(waveform, n_frames, self).float().mean()) >= LEAST_LOUD

    @torch.no_grad()
    def patches(self, clips: Tensor) -> Tensor:
        """Patches of windows, every band of mean 0, all of length 1. `[Q, T]` → `[Q, M, F]`.

        Raises:
            ValueError: the windows are too short for a single frame.
        """
        if self.count_frames(clips.shape[1]) < 1:
            raise ValueError(f"windows of {clips.shape[1]} samples are too short; one frame takes {self.window_s} s")
        if len(clips) == 0:
            return torch.zeros(0, N_MELS, self.count_frames(clips.shape[1]))
        frames = torch.stack([self.whitened(clip)[:, self.n_edge : -self.n_edge] for clip in clips])
        frames = frames - frames.mean(dim=2, keepdim=True)
        patches: Tensor = frames / frames.flatten(1).norm(dim=1).clamp(min=1e-6)[:, None, None]
        return patches

    @torch.no_grad()
    def whitened(self, waveform: Tensor) -> Tensor:
        """Whitened frames of one sound, the ends too; digital silence counts as the average. `[T]` → `[M, N]`."""
        frames = self._frames(waveform)
        is_sound = frames.amax(dim=0) > LOG_OF_NOTHING
        whitened: Tensor = (self.whitening @ (frames - self.mean)) * is_sound
        return whitened

    def _frames(self, waveform: Tensor) -> Tensor:
        if self.rate_hz < self.sample_rate_hz:
            waveform = torch.from_numpy(soxr.resample(waveform.numpy(), self.sample_rate_hz, self.rate_hz))
        hop, margin = self.hop_length, self.log_mel.n_fft // 2
        n_frames = len(waveform) // hop + 1
        missing = max(0, margin + 1 - len(waveform))  # what is mirrored at the ends must be there
        padded = nn.functional.pad(nn.functional.pad(waveform, (0, missing))[None], (margin, margin), mode="reflect")[0]
        mel = torch.cat(
            [
                self.log_mel.mel(
                    padded[first * hop : (min(n_frames, first + TRANSFORMED_AT_ONCE) - 1) * hop + 2 * margin]
                )
                for first in range(0, n_frames, TRANSFORMED_AT_ONCE)
            ]
        ).T
        floor = FLOOR * mel.square().mean(dim=0).sqrt()
        return (mel + floor).clamp(min=MIN_MAGNITUDE).log()


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
    searched = [
        (group.shape[2], _transform_patches(group, n_block), best, place)
        for group, (best, place) in zip(patches, found, strict=True)
        if len(group)
    ]
    for index, sound in enumerate(sounds):
        for start in range(0, max(1, len(sound.waveform) - overlap), stretch):
            waveform = sound.waveform[start : start + stretch + overlap]
            # A sound shorter than a patch ends in silence, as windows that are cut beyond its end do.
            waveform = nn.functional.pad(waveform, (0, max(0, overlap - len(waveform))))
            frames = features.whitened(waveform)
            is_loud = _find_loud(waveform, frames.shape[1], features)
            for n_frames, spectra, best, place in searched:
                correlation, lag = _correlate(frames, is_loud, spectra, n_frames)
                better = correlation > best[:, index]
                best[better, index] = correlation[better]
                place[better, index] = (
                    start / features.sample_rate_hz + (lag[better] - features.n_edge).clamp(min=0) * features.hop_s
                )
            advance(len(waveform) / features.sample_rate_hz)
    starts = torch.tensor([sound.start_s for sound in sounds])
    return [Matches(best, place + starts) for best, place in found]


def _find_loud(waveform: Tensor, n_frames: int, features: PatchFeatures) -> Tensor:
    """Which frames are not near-silent. `[T]` → `[N]`."""
    hop = round(features.hop_s * features.sample_rate_hz)
    squares = nn.functional.pad(waveform.square(), (0, max(0, n_frames * hop - len(waveform))))[: n_frames * hop]
    is_loud: Tensor = squares.view(n_frames, hop).mean(dim=1) > 10 ** (QUIETEST_DBFS / 10)
    return is_loud


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


def _correlate(frames: Tensor, is_loud: Tensor, spectra: Tensor, n_frames: int) -> tuple[Tensor, Tensor]:
    """The best correlation over all lags, and the lag in frames.

    Shape:
        frames `[M, N]`, is_loud `[N]`, spectra `[L // 2 + 1, Q, M]` → two `[Q]`.
    """
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
