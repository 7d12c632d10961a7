"""Latents to sound.

Letters in the shapes: `K` points of a path, `D` latent dimensions, `M` mel bands, `F` frames of a chunk, `T` samples.
"""

import torch
from torch import Tensor

from sda.audio.inversion import log_mel_to_waveform
from sda.audio.mel import LogMel
from sda.generation.sample import sample_path
from sda.models.mel_vae import MelVAE


def count_points(model: MelVAE, features: LogMel, n_samples: int) -> int:
    """Points of the path that `render_path` needs for at least `n_samples` samples."""
    hop = model.n_frames // 2
    n_frames = features.n_frames(n_samples)
    return 1 + max(0, -(-(n_frames - model.n_frames) // hop))


def generate_sound(model: MelVAE, features: LogMel, n_samples: int, *, seed: int, number: int) -> Tensor:
    """New sound: number `number`, from 1, of those that a seed gives. → `[n_samples]` on the CPU."""
    latents = sample_path(model, count_points(model, features, n_samples), seed=seed * 100_003 + number)
    return render_path(model, features, latents, n_samples)


@torch.no_grad()
def render_path(model: MelVAE, features: LogMel, latents: Tensor, n_samples: int | None = None) -> Tensor:
    """One sound that moves along a path of latents, half a chunk from point to point.

    Every point is decoded to a chunk's spectrogram; neighbours overlap by half and are cross-faded on the
    logarithmic scale; the whole is turned into a waveform once, so that there are no seams.

    Shape:
        latents `[K, D]`, output `[T]` on the CPU; `T` is `n_samples`, by default all that the path gives.
    """
    model.eval()
    chunks = model.decode(latents)  # [K, M, F]
    n_points, n_mels, n_frames = chunks.shape
    hop = n_frames // 2
    fade = torch.minimum(torch.arange(1, n_frames + 1), torch.arange(n_frames, 0, -1)).to(chunks)
    total = torch.zeros(n_mels, (n_points - 1) * hop + n_frames, device=chunks.device)
    weight = torch.zeros(total.shape[1], device=chunks.device)
    for index, chunk in enumerate(chunks):
        total[:, index * hop : index * hop + n_frames] += fade * chunk
        weight[index * hop : index * hop + n_frames] += fade
    log_mel = total / weight
    whole_hops = (log_mel.shape[1] - 1) * features.hop_length
    waveform = log_mel_to_waveform(log_mel[None], features, whole_hops + features.hop_length - 1)[0].cpu()
    return waveform[: whole_hops if n_samples is None else n_samples]
