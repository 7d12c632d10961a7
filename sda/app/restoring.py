"""Restoring: from a checkpoint back into a model and its prior, or into a run in progress."""

from typing import Any

import torch

from sda.app.builders import build_prior
from sda.config.model import PriorName
from sda.config.schema import TrainRunConfig
from sda.errors import CheckpointError
from sda.models.autoencoder import Autoencoder
from sda.models.priors.prior import Prior
from sda.training.checkpoint import PRIOR, Checkpoint
from sda.training.state import AVERAGE_PREFIX, FORMER_PRIOR, Progress, TrainState, select_model


def load_model(model: Autoencoder, checkpoint: Checkpoint) -> None:
    """Take over a checkpoint's weights and statistics.

    Raises:
        CheckpointError: they are those of another model.
    """
    try:
        model.load_state_dict(select_model(checkpoint.load_tensors()))
    except RuntimeError as error:  # it holds more than the model has
        raise CheckpointError(f"{checkpoint.folder} does not fit its own configuration: {error}") from error


def load_prior(config: TrainRunConfig, checkpoint: Checkpoint) -> Prior:
    """The prior that was stored with a model.

    Raises:
        CheckpointError: there is none, or it is none of this model.
    """
    named = checkpoint.load_tensors()
    facts: dict[str, Any] = checkpoint.facts.get(PRIOR) or {"name": PriorName.density.name, "names": ["training sound"]}
    tensors = {key.removeprefix(f"{PRIOR}/"): one for key, one in named.items() if key.startswith(f"{PRIOR}/")}
    if PRIOR not in checkpoint.facts:
        former = AVERAGE_PREFIX + FORMER_PRIOR
        tensors = {key.removeprefix(former): one for key, one in named.items() if key.startswith(former)}
        tensors["lengths"] = torch.ones(1, dtype=torch.int64)
    try:
        prior = build_prior(config, PriorName[facts["name"]])
        prior.restore(tensors, facts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"{checkpoint.folder} holds no prior that new sound could be drawn from ({type(error).__name__}: {error}). "
            f"Train on, and it is fitted anew: python train.py resume={checkpoint.folder.parent.parent}"
        ) from error
    return prior


def load_state(state: TrainState, checkpoint: Checkpoint) -> None:
    """Take over a checkpoint's weights, optimiser and random draws, not where it stood.

    Raises:
        CheckpointError: they are those of another model, or damaged.
    """
    try:
        state.load_tensors(checkpoint.load_tensors())
    except (KeyError, IndexError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f"{checkpoint.folder} does not fit the run's configuration: {error}") from error


def restore(state: TrainState, checkpoint: Checkpoint) -> None:
    """Take over all of a checkpoint, and go on from where it stood.

    Raises:
        CheckpointError: it is of another model or version, or damaged.
    """
    load_state(state, checkpoint)
    try:
        state.progress = Progress(**checkpoint.progress)
    except TypeError as error:
        raise CheckpointError(f"{checkpoint.folder} is of another version of sda: {error}") from error
    state.history = checkpoint.history
