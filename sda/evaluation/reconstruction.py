"""How close a reconstruction sounds to its original, in three numbers that fail differently.

Log-mel L1 hears timbre but forgives a loss of level; the multi-resolution STFT distance hears attacks and
partials; the loudness error hears level alone. A model is only as good as all three.

Letters in the shapes: `B` clips, `T` samples.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from sda.audio.inversion import log_mel_to_waveform
from sda.audio.mel import LogMel, log_to_db
from sda.models.mel_vae import MelVAE

STFT_RESOLUTIONS = ((512, 50, 240), (1024, 120, 600), (2048, 240, 1200))
"""`(n_fft, hop, window)` in samples, the three of Yamamoto et al. 2020."""

MIN_STFT_MAGNITUDE = 1e-5
MIN_RMS = 1e-4
"""−80 dBFS: below it two clips are equally silent."""


@dataclass(frozen=True)
class ReconstructionScores:
    """Mean distances between originals and reconstructions; 0 is perfect, lower is better."""

    log_mel_l1_db: float
    """Mean absolute difference of the log-mel spectrograms, dB."""
    mr_stft: float
    """Multi-resolution STFT distance (spectral convergence + log magnitude), no unit."""
    loudness_error_db: float
    """Mean absolute difference of the clips' RMS levels, dB."""
    n_clips: int = 0
    """Clips the means were taken over."""


def log_mel_l1_db(original: Tensor, reconstruction: Tensor, features: LogMel) -> Tensor:
    """Mean absolute difference of log-mel spectrograms in dB. Two `[B, T]` → `[B]`."""
    difference = features(original) - features(reconstruction)
    return log_to_db(difference.abs()).mean(dim=(1, 2))


def mr_stft_distance(original: Tensor, reconstruction: Tensor) -> Tensor:
    """Spectral convergence plus mean log-magnitude difference, averaged over three resolutions. → `[B]`.

    A reconstruction of silence scores 1 in spectral convergence for every original that is not silent.

    Reference:
        Yamamoto, Song & Kim, "Parallel WaveGAN", ICASSP 2020, equations 4–6.
    """
    distances = []
    for n_fft, hop_length, window_length in STFT_RESOLUTIONS:
        window = torch.hann_window(window_length, device=original.device)
        pair = torch.stft(
            torch.cat([original, reconstruction]),
            n_fft,
            hop_length,
            window_length,
            window=window,
            pad_mode="constant",
            return_complex=True,
        )
        reference, estimate = pair.abs().clamp(min=MIN_STFT_MAGNITUDE).chunk(2)
        convergence = (reference - estimate).norm(dim=(1, 2)) / reference.norm(dim=(1, 2))
        log_difference = (reference.log() - estimate.log()).abs().mean(dim=(1, 2))
        distances.append(convergence + log_difference)
    return torch.stack(distances).mean(dim=0)


def loudness_error_db(original: Tensor, reconstruction: Tensor) -> Tensor:
    """Absolute difference of RMS levels in dB. Two `[B, T]` → `[B]`.

    >>> tone = torch.sin(torch.arange(48000) * 0.1)[None]
    >>> round(loudness_error_db(tone, tone / 2).item(), 2)
    6.02
    """
    rms = [clip.square().mean(dim=1).sqrt().clamp(min=MIN_RMS) for clip in (original, reconstruction)]
    return log_to_db((rms[0].log() - rms[1].log()).abs())


def score_reconstruction(original: Tensor, reconstruction: Tensor, features: LogMel) -> ReconstructionScores:
    """All three measures over a batch of clips, both `[B, T]`.

    Raises:
        ValueError: the two differ in shape, or there is no clip.
    """
    if original.shape != reconstruction.shape or original.dim() != 2 or len(original) == 0:
        raise ValueError(f"expected two [B, T] of one shape, got {original.shape} and {reconstruction.shape}")
    return ReconstructionScores(
        log_mel_l1_db=log_mel_l1_db(original, reconstruction, features).mean().item(),
        mr_stft=mr_stft_distance(original, reconstruction).mean().item(),
        loudness_error_db=loudness_error_db(original, reconstruction).mean().item(),
        n_clips=len(original),
    )


@torch.no_grad()
def score_held_out(model: MelVAE, features: LogMel, clips: Tensor) -> dict[str, ReconstructionScores]:
    """Judge a model on held-out clips beside what knows nothing and what cannot be beaten.

    Returns:
        scores of `model`; of `mean_mel`, the average training spectrogram for every clip; and of `ceiling`, each
        clip's own spectrogram turned back into sound without a model.

    Shape:
        clips `[B, T]`, on the model's device.
    """
    model.eval()
    sounds: dict[str, list[Tensor]] = {"model": [], "mean_mel": [], "ceiling": []}
    for batch in torch.split(clips, 8):
        log_mel = features(batch)
        result = model(log_mel)
        candidates = {
            "model": model.standardise.invert(result.output),
            "mean_mel": model.standardise.mean.expand_as(log_mel),
            "ceiling": log_mel,
        }
        for name, candidate in candidates.items():
            sounds[name].append(log_mel_to_waveform(candidate, features, clips.shape[1]))
    return {name: score_reconstruction(clips, torch.cat(parts), features) for name, parts in sounds.items()}
