"""Small-dataset audio: train generative audio models on a handful of your own sounds.

    model = sda.load("last")
    sound = model.sample(seconds=4, seed=7)

Nothing heavy is imported before it is used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sda.api.evaluation import Evaluation, evaluate
    from sda.api.model import Model, load
    from sda.api.sound import Sound
    from sda.api.training import Run, train

__version__ = "0.1.0"

__all__ = ["Evaluation", "Model", "Run", "Sound", "__version__", "evaluate", "load", "train"]

_DOOR = {
    "Evaluation": "sda.api.evaluation",
    "evaluate": "sda.api.evaluation",
    "Model": "sda.api.model",
    "load": "sda.api.model",
    "Sound": "sda.api.sound",
    "Run": "sda.api.training",
    "train": "sda.api.training",
}
"""Where each name of the front door lies."""


def __getattr__(name: str) -> Any:
    if name not in _DOOR:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_DOOR[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
