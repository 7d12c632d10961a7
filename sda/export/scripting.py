"""TorchScript, which hosts of PyTorch 1 and 2 alike can run without Python; nothing else here knows of it.

PyTorch calls it deprecated, and has nothing else that these hosts can load. Its warnings are silenced here alone.
"""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.jit import TracerWarning  # type: ignore[attr-defined]

DEBUGGING = ".debug_pkl"
"""Ends the names of records that hold where the source lay on the machine that wrote the file."""
ABOUT = ".data/"
"""Begins the names of records that say what the file is, which every writer adds."""
VERSIONS = ("version", f"{ABOUT}version")
"""Where the version of the operations stands: the former place of files that old readers may read."""

_Method = TypeVar("_Method", bound=Callable[..., object])


def exported(method: _Method) -> _Method:
    """Marks a method that hosts may call."""
    torch.jit.export(method)
    return method


def freeze(module: nn.Module, example: tuple[Tensor, ...]) -> nn.Module:
    """What a module computes of inputs of this very shape, with its weights inside, for hosts to run.

    The order of the sums is kept: the same numbers come out, to the last bit.

    Args:
        module: without state, in eval mode.
    """
    with _quiet(), torch.no_grad():
        traced = torch.jit.trace(module.eval(), example, check_trace=False)  # type: ignore[no-untyped-call]
        frozen = torch.jit.freeze(traced, optimize_numerics=False)
        # Written and read once more: only then may it be a part of another module.
        core: nn.Module = torch.jit.load(io.BytesIO(frozen.save_to_buffer()))  # type: ignore[no-untyped-call]
    return core


def script(module: nn.Module) -> bytes:
    """A module with all that is exported of it, as a file of its own, without the names of this machine's folders."""
    with _quiet():
        written = torch.jit.script(module).save_to_buffer()  # type: ignore[no-untyped-call]
    reader, file = torch._C.PyTorchFileReader(io.BytesIO(written)), io.BytesIO()
    writer = torch._C.PyTorchFileWriter(file)
    (version,) = (name for name in VERSIONS if reader.has_record(name))  # type: ignore[attr-defined]
    writer.set_min_version(int(reader.get_record(version)))  # of the operations that are used
    for name in reader.get_all_records():
        if not name.endswith(DEBUGGING) and not name.startswith(ABOUT) and name not in VERSIONS:
            record = reader.get_record(name)
            writer.write_record(name, record, len(record))
    writer.write_end_of_file()
    return file.getvalue()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings that TorchScript is deprecated, and that what is traced holds for one shape."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*torch\.jit", category=FutureWarning)
        warnings.filterwarnings("ignore", message=r".*torch\.jit", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=TracerWarning)
        yield
