"""Format `onnx`: the encoder and the decoder as graphs that other programs run, with what is to be known of them."""

from pathlib import Path
from typing import Any, NamedTuple

from sda.durable import write_bytes, write_json
from sda.errors import ConfigError
from sda.export.description import Description
from sda.export.onnx_card import describe_model
from sda.export.onnx_check import compare
from sda.export.onnx_graph import Decoder, Encoder, refuse_without_packages, translate_decoder, translate_encoder
from sda.generation.spectral_synthesizer import SpectralSynthesizer
from sda.generation.synthesizer import Synthesizer

ENCODER, DECODER, CARD = "encoder.onnx", "decoder.onnx", "model.json"


class Graphs(NamedTuple):
    """A model as graphs, found to agree with it."""

    encoder: bytes
    decoder: bytes
    card: dict[str, Any]
    """What `model.json` says."""


def write_onnx(synthesizer: Synthesizer, description: Description, folder: Path) -> list[Path]:
    """Write `encoder.onnx`, `decoder.onnx` and `model.json` into a folder.

    Raises:
        ConfigError: another network than `spectral_vae`, or a package is missing.
        CheckpointError: the graphs do not give what the model gives.
        OSError: the folder cannot be written.
    """
    graphs = translate(synthesizer, description, "onnx")
    write_bytes(folder / ENCODER, graphs.encoder)
    write_bytes(folder / DECODER, graphs.decoder)
    write_json(folder / CARD, graphs.card)
    return [folder / DECODER, folder / ENCODER, folder / CARD]


def translate(synthesizer: Synthesizer, description: Description, given_format: str) -> Graphs:
    """The graphs of a model, compared with it.

    Args:
        given_format: what was asked for, where something is wrong with it.

    Raises:
        ConfigError, CheckpointError: as `write_onnx`.
    """
    if not isinstance(synthesizer, SpectralSynthesizer):
        raise ConfigError(
            f"format={given_format} needs a run with model=spectral_vae, the default, whose network writes sound "
            "itself: this run's writes spectrograms."
        )
    refuse_without_packages(given_format)
    model, features = synthesizer.model.cpu().eval(), synthesizer.features.cpu()
    encoder, decoder = Encoder(model, features, description.gain), Decoder(model, description.gain)
    encoder_graph, decoder_graph = translate_encoder(encoder), translate_decoder(decoder)
    agreement = compare(encoder, decoder, encoder_graph, decoder_graph)
    card = describe_model(model, features, description) | {"agreement": agreement.describe()}
    return Graphs(encoder_graph, decoder_graph, card)
