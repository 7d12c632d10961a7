"""A graph against the network that it was translated from: both are given the same, and what they give is compared.

Letters in the shapes: `T` samples, `D` latent dimensions, `L` latents.
"""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sda.audio.noise import draw_noise
from sda.errors import CheckpointError
from sda.export.onnx_graph import LATENTS, MORE_NOISE, NOISE, WAVEFORM, Decoder, Encoder

DECODER_TOLERANCE_DB = -80.0
"""Power of the difference between the two sounds over that of the network's: 16-bit rounding of a loud sound is −98 dB,
and what is this far below a sound beside it is not heard."""
ENCODER_TOLERANCE = 1e-3
"""Largest difference of a latent, whose deviation over training sound is about 1."""
CHECKED_LATENTS = (1, 2, 3, 16, 61)
"""Lengths that the graphs are tried at; the last is 2.6 s at 23.4 latents a second."""
TEST_LEVEL = 0.1
"""Root mean square of the sound that they are tried with."""
NO_POWER = 1e-20


class Agreement(NamedTuple):
    """How far the graphs are from the network, at worst."""

    encoder: float
    """Largest difference of a latent."""
    decoder_db: float
    """Power of the difference over that of the sound."""

    @property
    def is_enough(self) -> bool:
        return self.encoder <= ENCODER_TOLERANCE and self.decoder_db <= DECODER_TOLERANCE_DB

    def describe(self) -> dict[str, Any]:
        """As it stands in `model.json`."""
        return {
            "checked_with": "onnxruntime on the CPU against torch",
            "checked_at_latents": list(CHECKED_LATENTS),
            "encoder_max_abs": self.encoder,
            "encoder_max_abs_allowed": ENCODER_TOLERANCE,
            "decoder_error_db": round(self.decoder_db, 1),
            "decoder_error_db_allowed": DECODER_TOLERANCE_DB,
        }


def compare(encoder: Encoder, decoder: Decoder, encoder_graph: bytes, decoder_graph: bytes) -> Agreement:
    """Run both at several lengths, in onnxruntime and in torch.

    Raises:
        CheckpointError: they differ by more than is allowed.
    """
    latents, at_encoder = _compare_encoders(encoder, encoder_graph)
    agreement = Agreement(at_encoder, _compare_decoders(decoder, decoder_graph, latents))
    if not agreement.is_enough:
        raise CheckpointError(
            f"the ONNX graphs do not give what the model gives: latents differ by {agreement.encoder:.2g} (allowed is "
            f"{ENCODER_TOLERANCE:g}) and sound by {agreement.decoder_db:.0f} dB (allowed is {DECODER_TOLERANCE_DB:g}), "
            "so nothing was exported. Another version of onnxruntime or torch may do it: see docs/export.md."
        )
    return agreement


@torch.no_grad()
def _compare_encoders(encoder: Encoder, graph: bytes) -> tuple[Tensor, float]:
    """The latents of the longest sound, and the largest difference at any length."""
    session = open_graph(graph)
    hop, least = encoder.model.hop_of_latents, encoder.features.n_fft // 2 + 1
    # The shortest, and lengths whose last latent is whole or has a part of its frames alone.
    lengths = sorted({least, *(max(least, n * hop + beyond) for n in CHECKED_LATENTS for beyond in (-1, hop // 3))})
    sound = make_test_sound(lengths[-1], hop) / encoder.gain
    latents, worst = torch.zeros(0), 0.0
    for n_samples in lengths:
        waveform = sound[None, :n_samples]
        latents = encoder(waveform)
        worst = max(worst, _find_largest(_run(session, {WAVEFORM: waveform}) - latents))
    return latents, worst


@torch.no_grad()
def _compare_decoders(decoder: Decoder, graph: bytes, latents: Tensor) -> float:
    """The largest error at any length, along latents of sound and along latents by chance."""
    session, model = open_graph(graph), decoder.model
    generator = torch.Generator().manual_seed(0)
    worst = -float("inf")
    for n_latents in CHECKED_LATENTS:
        for path in (latents[..., :n_latents], torch.randn(1, model.latent_dim, n_latents, generator=generator)):
            inputs = {LATENTS: path}
            if model.noise_gate is not None:
                inputs[NOISE] = draw_noise(0, 0, model.count_noise(n_latents))[None]
                inputs[MORE_NOISE] = torch.randn(1, n_latents, generator=generator)
            expected = decoder(*inputs.values())
            worst = max(worst, measure_error_db(_run(session, inputs), expected))
    return worst


def make_test_sound(n_samples: int, n_swell: int) -> Tensor:
    """Noise that swells and fades, every `n_swell` samples. → `[T]`."""
    swell = 1.0 + torch.sin(torch.arange(n_samples) / n_swell)
    return TEST_LEVEL * draw_noise(1, 0, n_samples) * swell


def measure_error_db(found: Tensor, expected: Tensor) -> float:
    """Power of the difference over that of what was expected, dB; infinite where anything is no number."""
    difference = (found.double() - expected.double()).square().mean() + NO_POWER
    error_db = float(10.0 * (difference / (expected.double().square().mean() + NO_POWER)).log10())
    return float("inf") if math.isnan(error_db) else error_db


def open_graph(graph: bytes) -> Any:
    """A session of onnxruntime, on one core."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _run(session: Any, inputs: dict[str, Tensor]) -> Tensor:
    return torch.from_numpy(session.run(None, {name: value.numpy() for name, value in inputs.items()})[0])


def _find_largest(differences: Tensor) -> float:
    largest = float(differences.abs().max())
    return float("inf") if math.isnan(largest) else largest
