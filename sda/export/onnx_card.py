"""What `model.json` says: enough to use the graphs in any language, without sda."""

import math
from typing import Any

from sda.audio.mel import DB_PER_NEPER, LogMel
from sda.audio.noise import SAMPLES_PER_COUNT
from sda.export.description import Description
from sda.export.onnx_graph import LATENTS, MORE_NOISE, NOISE, OPSET, WAVEFORM
from sda.generation.synthesizer import SEEDS_APART
from sda.models.spectral_vae import SpectralVAE

FORMAT = "sda-onnx"
VERSION = 1
HANN_POWER = 3.0 / 8.0
"""Mean square of a Hann window."""
NO_LICENSE = "Nothing was said of what others may do with this model: ask whoever gave it to you."
LEARNED_FROM = (
    "The network learned from sounds whose owners' rights go with it. It keeps none of them as they are; from their "
    "latents it gives them back, as well as it learned to."
)


def describe_model(model: SpectralVAE, features: LogMel, description: Description) -> dict[str, Any]:
    """Everything but how well the graphs agree with the network."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": description.name,
        "license": description.license or NO_LICENSE,
        "learned_from": LEARNED_FROM,
        "epoch": description.epoch,
        "opset": OPSET,
        "sample_rate_hz": features.sample_rate_hz,
        "channels": 1,
        "hop_samples": model.hop_of_latents,
        "latents_per_second": features.sample_rate_hz / model.hop_of_latents,
        "latent_dim": model.latent_dim,
        "loudness": _describe_loudness(model, description.config["data"]["gain_db"]),
        "encoder": _describe_encoder(model, features),
        "decoder": _describe_decoder(model),
        "noise": _describe_noise(model) if model.noise_gate is not None else None,
        "config": description.config,
    }


def _describe_loudness(model: SpectralVAE, gain_db: float) -> dict[str, Any]:
    mean, deviation = (float(one[0, 0]) for one in (model.standardise_level.mean, model.standardise_level.deviation))
    # A steady sound of root mean square r gives frames of magnitude r · n_fft · √(mean square of the window / 2).
    full_scale = math.log(model.n_fft * math.sqrt(0.5 * HANN_POWER))
    return {
        "dims": list(range(model.stride)),
        "what": "loudness of the frames that a latent stands for, in the order of time; other dimensions are timbre",
        "db_per_unit": DB_PER_NEPER * deviation,
        "dbfs_at_zero": DB_PER_NEPER * (mean - full_scale) - gain_db,
        "dbfs": "root mean square of the sound there: db_per_unit * value + dbfs_at_zero",
    }


def _describe_encoder(model: SpectralVAE, features: LogMel) -> dict[str, Any]:
    context = model.context_frames // model.stride
    return {
        "file": "encoder.onnx",
        "inputs": [
            _describe_tensor(WAVEFORM, [1, "n_samples"], "mono sound, full scale is ±1", least=features.n_fft // 2 + 1)
        ],
        "outputs": [
            _describe_tensor(
                LATENTS,
                [1, model.latent_dim, f"ceil((n_samples // {features.hop_length} + 1) / {model.stride})"],
                "means of the posterior, each dimension of deviation about 1",
            )
        ],
        "context_latents": context + math.ceil(features.n_fft / 2 / model.hop_of_latents),
        "streaming": "A latent depends on the sound of so many latents on either side: cut a long sound at multiples "
        "of hop_samples, give so much along, and leave its latents out.",
    }


def _describe_decoder(model: SpectralVAE) -> dict[str, Any]:
    inputs = [_describe_tensor(LATENTS, [1, model.latent_dim, "n_latents"], "as the encoder gives them")]
    if model.noise_gate is not None:
        n_more = model.n_fft - model.hop_length
        inputs += [
            _describe_tensor(
                NOISE,
                [1, f"{model.hop_of_latents} * n_latents + {n_more}"],
                "white, Gaussian, of variance 1; see noise",
            ),
            _describe_tensor(
                MORE_NOISE,
                [1, "n_latents"],
                "added to the natural log odds of the share of noise around each latent; 0 leaves it as it was learned",
            ),
        ]
    return {
        "file": "decoder.onnx",
        "inputs": inputs,
        "outputs": [
            _describe_tensor(WAVEFORM, [1, f"{model.hop_of_latents} * n_latents"], "mono sound, full scale is ±1")
        ],
        "n_noise_beyond": model.n_fft - model.hop_length,
        "context_latents": model.context,
        "streaming": "A sample depends on so many latents on either side: decode a stretch with so many along, as far "
        "as there are any, and cut off their sound. Its noise begins at hop_samples * (number of its first latent).",
    }


def _describe_noise(model: SpectralVAE) -> dict[str, Any]:
    return {
        "where": f"noise[i] lies {model.n_fft // 2} samples before sample i of the sound",
        "any": "Any white Gaussian noise of variance 1 does. The sounds of sda itself have the noise that follows.",
        "generator": "Philox4x64-10 with the key (seed, 0), unsigned 64 bits each",
        "counter": f"block c holds samples {SAMPLES_PER_COUNT} * c to {SAMPLES_PER_COUNT} * c + "
        f"{SAMPLES_PER_COUNT - 1}; its counter is (c + 1, 0, 0, 0), and its four words come in their order",
        "samples": "Of each word: a = ((word >> 32) + 0.5) / 2^32, b = ((word mod 2^32) + 0.5) / 2^32, "
        "r = sqrt(-2 ln a); two samples r cos(2 pi b), r sin(2 pi b); 64-bit floats, rounded to 32 bits at the end",
        "seed": f"of sound number n, from 1, of a seed: seed * {SEEDS_APART} + n",
    }


def _describe_tensor(name: str, shape: list[Any], what: str, least: int | None = None) -> dict[str, Any]:
    described: dict[str, Any] = {"name": name, "dtype": "float32", "shape": shape, "what": what}
    return described if least is None else {**described, "least_n_samples": least}
