"""Reconstruction measures: how close a reconstruction sounds to its original, in numbers that fail differently.

Log-mel L1 hears timbre but forgives a loss of level; the multi-resolution STFT distance hears attacks and partials; the
log-spectral distance says in which part of the spectrum something is wrong; the loudness error hears level alone;
Zimtohrli hears as people do. A model is only as good as all of them.

Where the sounds of a corpus end below half of the sample rate, nothing is judged above: empty bands are easy, and would
flatter whatever came out. Loudness, spectral convergence and Zimtohrli hear all there is, and so any sound put there.

Every measure is a function from two batches of clips to one number a clip, so that intervals can be taken over files.

Letters in the shapes: `B` clips, `T` samples.
"""

import importlib.util
import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import soxr
import torch
from torch import Tensor

from sda.audio.mel import LogMel, log_to_db
from sda.audio.span import take_whole
from sda.losses.spectra import WINDOWS, build_filters

STFT_RESOLUTIONS = ((512, 50, 240), (1024, 120, 600), (2048, 240, 1200))
"""`(n_fft, hop, window)` in samples, the three of Yamamoto et al. 2020."""

BANDS_HZ = {"0_4k": (0.0, 4000.0), "4_12k": (4000.0, 12000.0), "12_24k": (12000.0, 24000.0)}
"""Parts of the spectrum that the log-spectral distance is told for."""

MIN_STFT_MAGNITUDE = 1e-5
STFT_RANGE = 1e4
"""Magnitudes 80 dB below the loudest of a pair of clips count as no quieter: below, there is nothing to be heard."""
NO_MAGNITUDE = 1e-12
"""Stands for no sound at all where both clips are silent."""
MIN_RMS = 1e-4
"""−80 dBFS: below it two clips are equally silent."""
ZIMTOHRLI_RATE_HZ = 48000
CLIPS_AT_ONCE = 16

Measure = Callable[[Tensor, Tensor], Tensor]
"""Originals and reconstructions, both `[B, T]`, to distances `[B]`; 0 is perfect."""


def log_mel_l1_db(original: Tensor, reconstruction: Tensor, features: LogMel, edge_hz: float = math.inf) -> Tensor:
    """Mean absolute difference of log-mel spectrograms in dB, over bands below an edge. Two `[B, T]` → `[B]`."""
    inside = _find_bands(features.filters, features.sample_rate_hz, edge_hz)
    difference = (features(original) - features(reconstruction))[:, inside]
    return log_to_db(difference.abs()).mean(dim=(1, 2))


def multi_scale_mel_l1_db(
    original: Tensor, reconstruction: Tensor, sample_rate_hz: int, edge_hz: float = math.inf
) -> Tensor:
    """Mean absolute difference of log-mel spectrograms in dB, averaged over seven windows, below an edge. → `[B]`.

    Reference:
        Kumar et al., "High-Fidelity Audio Compression with Improved RVQGAN", NeurIPS 2023, section 3.4.
    """
    distances = []
    for n_fft in WINDOWS:
        window = torch.hann_window(n_fft, device=original.device)
        pair = torch.cat([original, reconstruction])
        spectrum = torch.stft(pair, n_fft, n_fft // 4, window=window, pad_mode="constant", return_complex=True)
        filters = build_filters(sample_rate_hz, n_fft, original.device)
        mel = (filters @ spectrum.abs())[:, _find_bands(filters.weights, sample_rate_hz, edge_hz)]
        log_mel = mel.clamp(min=MIN_STFT_MAGNITUDE).log()
        reference, estimate = log_mel.chunk(2)
        distances.append(log_to_db((reference - estimate).abs()).mean(dim=(1, 2)))
    return torch.stack(distances).mean(dim=0)


def mr_stft_distance(original: Tensor, reconstruction: Tensor, share: float = 1.0) -> Tensor:
    """Spectral convergence plus mean log-magnitude difference, averaged over three resolutions. → `[B]`.

    As published, both terms explode where the original is near-silent. Here they are bounded, by √2 and by 9.2: the
    convergence is relative to the louder of the two, `‖S − Ŝ‖ / max(‖S‖, ‖Ŝ‖)`, which is the published one wherever the
    reconstruction is no louder than the original; and both magnitudes are raised to a floor 80 dB below the loudest
    cell of the two before their logarithms are compared, so that it does not matter how loud a recording is. A
    reconstruction of silence scores 1 in convergence for every original that is not silent.

    Args:
        share: of half the sample rate, that the logarithms are compared up to.

    Reference:
        Yamamoto, Song & Kim, "Parallel WaveGAN", ICASSP 2020, equations 4–6, but for the denominator and the floor.
    """
    distances = []
    for reference, estimate in _compare_magnitudes(original, reconstruction):
        loudest = torch.maximum(reference, estimate).amax(dim=(1, 2), keepdim=True)
        floor = (loudest / STFT_RANGE).clamp(min=NO_MAGNITUDE)
        logs = [torch.maximum(magnitude, floor).log() for magnitude in (reference, estimate)]
        inside = slice(0, max(1, math.ceil(share * reference.shape[1])))
        distances.append(_converge(reference, estimate) + (logs[0] - logs[1])[:, inside].abs().mean(dim=(1, 2)))
    return torch.stack(distances).mean(dim=0)


def spectral_convergence(original: Tensor, reconstruction: Tensor) -> Tensor:
    """Norm of the difference of magnitudes over the larger of their norms, averaged over three resolutions. → `[B]`.

    The part of `mr_stft_distance` that hears peaks; silence scores 1.
    """
    return torch.stack([_converge(*pair) for pair in _compare_magnitudes(original, reconstruction)]).mean(dim=0)


def _converge(reference: Tensor, estimate: Tensor) -> Tensor:
    louder = torch.maximum(reference.norm(dim=(1, 2)), estimate.norm(dim=(1, 2))).clamp(min=NO_MAGNITUDE)
    distance: Tensor = (reference - estimate).norm(dim=(1, 2)) / louder
    return distance


def _find_bands(filters: Tensor, sample_rate_hz: int, edge_hz: float) -> Tensor:
    """Which mel bands have their peak below an edge; the lowest always. `[M, N]` → `[M]`, bool."""
    peaks_hz = filters.argmax(dim=1) * sample_rate_hz / 2 / (filters.shape[1] - 1)
    inside = peaks_hz < edge_hz
    inside[0] = True
    return inside


def _compare_magnitudes(original: Tensor, reconstruction: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Magnitudes of both at each of `STFT_RESOLUTIONS`, two `[B, N, F]`."""
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
        yield pair.abs().chunk(2)


def log_spectral_distance_db(
    original: Tensor, reconstruction: Tensor, sample_rate_hz: int, band_hz: tuple[float, float]
) -> Tensor:
    """Root mean square over the band's frequencies of the difference of spectra in dB, averaged over time. → `[B]`.

    Raises:
        ValueError: the band lies above half the sample rate.

    Reference:
        Gray & Markel, "Distance Measures for Speech Processing", 1976, section III.
    """
    n_fft = 2048
    frequencies_hz = torch.fft.rfftfreq(n_fft, 1 / sample_rate_hz)
    inside = ((frequencies_hz >= band_hz[0]) & (frequencies_hz < band_hz[1])).to(original.device)
    if not inside.any():
        raise ValueError(f"a band of {band_hz} Hz has no place below {sample_rate_hz / 2} Hz")
    window = torch.hann_window(n_fft, device=original.device)
    pair = torch.stft(
        torch.cat([original, reconstruction]), n_fft, 512, window=window, pad_mode="constant", return_complex=True
    )
    reference, estimate = pair[:, inside].abs().clamp(min=MIN_STFT_MAGNITUDE).log().chunk(2)
    return log_to_db((reference - estimate).square().mean(dim=1).sqrt()).mean(dim=1)


def loudness_error_db(original: Tensor, reconstruction: Tensor) -> Tensor:
    """Absolute difference of RMS levels in dB. Two `[B, T]` → `[B]`.

    >>> tone = torch.sin(torch.arange(48000) * 0.1)[None]
    >>> round(loudness_error_db(tone, tone / 2).item(), 2)
    6.02
    """
    rms = [clip.square().mean(dim=1).sqrt().clamp(min=MIN_RMS) for clip in (original, reconstruction)]
    return log_to_db((rms[0].log() - rms[1].log()).abs())


def zimtohrli_distance(original: Tensor, reconstruction: Tensor, sample_rate_hz: int) -> Tensor:
    """How different two sounds are to a listener; 0 is the same, 0.005 is plain to hear, blind to level. → `[B]`.

    Sounds shorter than a second are repeated until they last as long.

    Raises:
        ModuleNotFoundError: the package `zimtohrli` is not installed.

    Reference:
        Alakuijala et al., "Zimtohrli: An Efficient Psychoacoustic Audio Similarity Metric", 2025.
    """
    from zimtohrli import Pyohrli

    judge = Pyohrli()
    pairs = [clips.cpu().numpy().astype(np.float32) for clips in (original, reconstruction)]
    if sample_rate_hz != ZIMTOHRLI_RATE_HZ:
        pairs = [soxr.resample(clips.T, sample_rate_hz, ZIMTOHRLI_RATE_HZ).T for clips in pairs]
    if pairs[0].shape[1] < ZIMTOHRLI_RATE_HZ:  # it writes beyond its memory; zeros behind them would count as sound
        pairs = [np.stack([np.resize(clip, ZIMTOHRLI_RATE_HZ) for clip in clips]) for clips in pairs]
    distances = [
        judge.distance(np.ascontiguousarray(first), np.ascontiguousarray(second))
        for first, second in zip(*pairs, strict=True)
    ]
    return torch.tensor(distances, dtype=torch.float32)


def has_zimtohrli() -> bool:
    """Whether the package `zimtohrli` is installed."""
    return importlib.util.find_spec("zimtohrli") is not None


def list_measures(features: LogMel, edge_hz: float = math.inf) -> dict[str, Measure]:
    """Every measure that can be taken at the features' sample rate, by its key in the registry.

    Args:
        edge_hz: where the sounds end.
    """
    rate_hz = features.sample_rate_hz
    edge_hz = min(edge_hz, rate_hz / 2)
    measures: dict[str, Measure] = {
        "log_mel_l1_db": partial(log_mel_l1_db, features=features, edge_hz=edge_hz),
        "multi_scale_mel_l1_db": partial(multi_scale_mel_l1_db, sample_rate_hz=rate_hz, edge_hz=edge_hz),
        "mr_stft": partial(mr_stft_distance, share=2 * edge_hz / rate_hz),
        "spectral_convergence": spectral_convergence,
    }
    for name, (low_hz, high_hz) in BANDS_HZ.items():
        if low_hz < edge_hz:
            band_hz = (low_hz, min(high_hz, edge_hz) if edge_hz < rate_hz / 2 else high_hz)
            measures[f"lsd_{name}_db"] = partial(log_spectral_distance_db, sample_rate_hz=rate_hz, band_hz=band_hz)
    measures["loudness_error_db"] = loudness_error_db
    if has_zimtohrli():
        measures["zimtohrli"] = partial(zimtohrli_distance, sample_rate_hz=rate_hz)
    return measures


@torch.no_grad()
def measure_reconstruction(
    original: Tensor,
    reconstruction: Tensor,
    features: LogMel,
    samples: Tensor | None = None,
    edge_hz: float = math.inf,
) -> dict[str, Tensor]:
    """All measures of `list_measures`, one number a clip. Two `[B, T]` → `[B]` each.

    Args:
        samples: where in each clip its sound lies, `[B, 2]`: the rest is cut off before anything is measured. All of
            it is taken if not given.
        edge_hz: the frequency at which the corpus ends.

    Raises:
        ValueError: the two differ in shape, or there is no clip.
    """
    if original.shape != reconstruction.shape or original.dim() != 2 or len(original) == 0:
        raise ValueError(f"expected two [B, T] of one shape, got {original.shape} and {reconstruction.shape}")
    alike: dict[tuple[int, int], list[int]] = {}
    for clip, (first, last) in enumerate((take_whole(original) if samples is None else samples).tolist()):
        alike.setdefault((first, last), []).append(clip)
    measures = list_measures(features, edge_hz)
    values = {name: torch.zeros(len(original)) for name in measures}
    for (first, last), clips in alike.items():
        for rows in torch.split(torch.tensor(clips), CLIPS_AT_ONCE):
            pair = [clip[rows.to(clip.device), first:last] for clip in (original, reconstruction)]
            for name, measure in measures.items():
                values[name][rows] = measure(*pair).cpu()
    return values
