"""A model in one file: safetensors, with the network, the prior and what there is to say of them."""

from pathlib import Path

from sda.durable import write_bytes
from sda.export.description import Description
from sda.generation.synthesizer import Synthesizer
from sda.training.checkpoint import PRIOR
from sda.training.state import list_tensors

SUFFIX = ".sda"


def write_model_file(synthesizer: Synthesizer, description: Description, folder: Path) -> list[Path]:
    """Write `NAME.sda` into a folder.

    Raises:
        OSError: it cannot be written.
    """
    from safetensors.torch import save

    named = list_tensors(synthesizer.model)
    named |= {f"{PRIOR}/{key}": tensor for key, tensor in synthesizer.prior.tensors().items()}
    path = folder / f"{description.name}{SUFFIX}"
    write_bytes(path, save({key: tensor.detach().cpu().contiguous() for key, tensor in named.items()}))
    return [path]
