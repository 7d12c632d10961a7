"""From a checkpoint back into a model, or into a run in progress."""

from sda.errors import CheckpointError
from sda.models.autoencoder import Autoencoder
from sda.training.checkpoint import Checkpoint
from sda.training.state import Progress, TrainState, select_model


def load_model(model: Autoencoder, checkpoint: Checkpoint) -> None:
    """Take over a checkpoint's weights and statistics.

    Raises:
        CheckpointError: they are those of another model.
    """
    try:
        model.load_state_dict(select_model(checkpoint.load_tensors()))
    except RuntimeError as error:  # it holds more than the model has
        raise CheckpointError(f"{checkpoint.folder} does not fit its own configuration: {error}") from error


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
