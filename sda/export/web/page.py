"""Format `web`: a folder that plays in a browser, with no server but one of static files."""

import shutil
from pathlib import Path

from sda.durable import write_bytes, write_json
from sda.export.description import Description
from sda.export.onnx import CARD, DECODER, Graphs, translate
from sda.export.web.sounds import LONGEST_S, N_PATHS, collect_sounds
from sda.generation.spectral_synthesizer import SpectralSynthesizer
from sda.generation.synthesizer import Synthesizer

STATIC = Path(__file__).parent / "static"
"""The page itself, which is copied."""
PAGE, MODEL, SOUNDS = "index.html", "model", "sounds.json"
_NOT_FOR_THE_PAGE = ("encoder", "config")
"""What of the model's card has no use there."""


def write_web(synthesizer: Synthesizer, description: Description, folder: Path) -> list[Path]:
    """Write the page, the decoder and what there is to play into a folder.

    Raises:
        ConfigError: another network than `spectral_vae`, or a package is missing.
        CheckpointError: the decoder as a graph does not give what the model gives.
        OSError: the folder cannot be written.
    """
    graphs = translate(synthesizer, description, "web")
    assert isinstance(synthesizer, SpectralSynthesizer)
    return write_page(synthesizer, graphs, folder)


def write_page(
    synthesizer: SpectralSynthesizer,
    graphs: Graphs,
    folder: Path,
    *,
    n_paths: int = N_PATHS,
    longest_s: float = LONGEST_S,
) -> list[Path]:
    """The same with graphs that are there already; → the page, and what of the folder is the model's own.

    Args:
        n_paths: new sounds that are drawn for it.
        longest_s: of a new sound.
    """
    sounds = collect_sounds(synthesizer, n_paths, longest_s)
    shutil.copytree(STATIC, folder, dirs_exist_ok=True)
    model = folder / MODEL
    write_bytes(model / DECODER, graphs.decoder)
    for name, content in sounds.files.items():
        write_bytes(model / name, content)
    write_json(model / SOUNDS, sounds.facts)
    write_json(model / CARD, {key: value for key, value in graphs.card.items() if key not in _NOT_FOR_THE_PAGE})
    return [folder / PAGE, *sorted(model.iterdir())]
