"""What it costs to look for replays: seconds of training sound gone through, against listening and the plain sum."""

import torch
from torch import Tensor

from experiments.bench.timing import divide, take_turns
from experiments.bench.trial import Figure, Trial
from sda.evaluation.patches import PatchFeatures
from sda.evaluation.search import find_nearest
from sda.evaluation.sounds import Sound

RATE_HZ = 48000
LARGEST_CORPUS_S = 500 * 600.0
"""500 files of 10 minutes."""


def measure(trial: Trial) -> list[Figure]:
    """Search by FFT in blocks, the plain sum over all lags, and the spectrograms alone, in turns."""
    length_s, n_patches, n_rounds = trial.pick(600, 5), trial.pick(480, 8), trial.pick(3, 2)
    generator = torch.Generator().manual_seed(0)
    sound = Sound("noise", 0.1 * torch.randn(length_s * RATE_HZ, generator=generator))
    features = PatchFeatures(RATE_HZ).fit([sound])
    starts = torch.randint(len(sound.waveform) - RATE_HZ, (n_patches,), generator=generator).tolist()
    seconds = features.patches(torch.stack([sound.waveform[start : start + RATE_HZ] for start in starts]))
    quarters = seconds[:, :, : seconds.shape[2] // 4]
    cpu = torch.device("cpu")
    taken = take_turns(
        {
            "search": lambda: find_nearest([seconds, quarters], [sound], features),
            "plain": lambda: [_sum_plainly(features.whitened(sound.waveform), group) for group in (seconds, quarters)],
            "spectrograms": lambda: features.whitened(sound.waveform),
        },
        n_rounds,
        cpu,
    )
    share = divide(taken["search"], [float(length_s)] * n_rounds)
    words = (
        f"{n_patches} seconds and as many quarter seconds; 500 files of 10 min: {share * LARGEST_CORPUS_S / 60:.0f} min"
    )
    return [
        Figure("search / length of the sound", share, detail=words),
        Figure("plain sum over all lags / search", divide(taken["plain"], taken["search"]), at_least=1.0),
        Figure("search / its spectrograms alone", divide(taken["search"], taken["spectrograms"])),
    ]


def _sum_plainly(frames: Tensor, patches: Tensor) -> Tensor:
    """The product of every patch with every window, all at once as a matrix product. → `[Q]`."""
    n_frames = patches.shape[2]
    best = torch.zeros(len(patches))
    for first in range(0, frames.shape[1] - n_frames + 1, 1024):
        some = frames[:, first : first + 1024 + n_frames - 1].unfold(1, n_frames, 1).permute(1, 0, 2)
        some = some - some.mean(dim=(1, 2), keepdim=True)
        flat = some.flatten(1)
        best = torch.maximum(best, (patches.flatten(1) @ (flat / flat.norm(dim=1, keepdim=True)).T).amax(dim=1))
    return best
