"""The network as ONNX graphs: sound to latents, and latents with noise to sound, of any length.

What is translated is the network itself. Complex spectra become pairs of real numbers on the way, and Fourier
transforms the operator DFT, so that nothing of the network is written down a second time.

Letters in the shapes: `T` samples, `D` latent dimensions, `L` latents.
"""

import importlib.util
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from sda.audio.mel import LogMel
from sda.errors import ConfigError
from sda.models.spectral_vae import SpectralVAE
from sda.shell import name_installation

NEEDED = ("onnx", "onnxscript", "onnxruntime")
"""Packages that write, translate and run a graph: the extra `export`."""
OPSET = 20
"""Of the operators: the first in which both DFT and Gelu are single ones."""
TRACED_LATENTS = 8
"""Latents of the sound that the network is followed with."""
LATENTS, NOISE, MORE_NOISE, WAVEFORM = "latents", "noise", "more_noise", "waveform"


class Encoder(nn.Module):
    """Sound to the means of its latents. `[1, T]` → `[1, D, ceil((T // hop + 1) / stride)]`.

    Args:
        gain: what sound is multiplied by before the network hears it.
    """

    def __init__(self, model: SpectralVAE, features: LogMel, gain: float):
        super().__init__()
        self.model, self.features, self.gain = model, features, gain
        self.eval()

    def forward(self, waveform: Tensor) -> Tensor:
        return self.model.encode(self.features.extract(waveform * self.gain)).mean


class Decoder(nn.Module):
    """Latents `[1, D, L]`, noise and what is added to its log odds to sound `[1, L · stride · hop]`.

    Args:
        gain: what sound is divided by after the network wrote it.
    """

    def __init__(self, model: SpectralVAE, gain: float):
        super().__init__()
        self.model, self.gain = model, gain
        self.eval()

    def forward(self, latents: Tensor, noise: Tensor | None = None, more_noise: Tensor | None = None) -> Tensor:
        return self.model.decode(latents, noise, more_noise) / self.gain


def refuse_without_packages(given_format: str) -> None:
    """Say what is missing, and how it is installed.

    Raises:
        ConfigError: a package of the extra `export` is not installed.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"format={given_format} needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not "
            f"installed: {name_installation('export', ' '.join(missing))}"
        )


def translate_encoder(encoder: Encoder) -> bytes:
    """The encoder as an ONNX model: `waveform` in, `latents` out."""
    waveform = torch.zeros(1, TRACED_LATENTS * encoder.model.hop_of_latents + 1)
    return _translate(encoder, {WAVEFORM: waveform}, ({1: "n_samples"},), LATENTS)


def translate_decoder(decoder: Decoder) -> bytes:
    """The decoder as an ONNX model: `latents`, `noise` and `more_noise` in, `waveform` out.

    A model that writes no noise has `latents` alone.
    """
    from torch.export import Dim

    model, n_latents = decoder.model, Dim("n_latents", min=2)
    inputs = {LATENTS: torch.zeros(1, model.latent_dim, TRACED_LATENTS)}
    shapes: tuple[dict[int, Any], ...] = ({2: n_latents},)
    if model.noise_gate is not None:
        inputs[NOISE] = torch.zeros(1, model.count_noise(TRACED_LATENTS))
        inputs[MORE_NOISE] = torch.zeros(1, TRACED_LATENTS)
        n_noise = n_latents * model.hop_of_latents + (model.n_fft - model.hop_length)
        shapes = (*shapes, {1: n_noise}, {1: n_latents})
    return _translate(decoder, inputs, shapes, WAVEFORM)


def _translate(
    module: nn.Module, inputs: dict[str, Tensor], dynamic: tuple[dict[int, Any], ...], output_name: str
) -> bytes:
    names = list(inputs)
    with torch.no_grad(), _quiet():
        program = torch.onnx.export(
            module,
            tuple(inputs.values()),
            input_names=names,
            output_names=[output_name],
            dynamic_shapes=dynamic,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    written: bytes = program.model_proto.SerializeToString()
    return written


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the translator's remarks on packages of pictures and on names of axes."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
