"""Training state: everything a run's continuation depends on, as data."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from sda.models.autoencoder import Autoencoder
from sda.training import rng_state
from sda.training.adversary import Adversary
from sda.training.average import copy_for_averaging
from sda.training.metrics import MetricsHistory
from sda.training.optimizer import load_moments, name_moments
from sda.training.schedule import learning_rate_factor, share_done

MODEL_PREFIX = "model/"
"""What the names of the model's tensors begin with among those of the whole state."""
AVERAGE_PREFIX = "average/"
"""The same for the average of the model."""
FORMER_PRIOR = "density."
"""What the names of a model's tensors began with that are now its prior's."""
GATE, FORMER_GATE = "noise_gate.", "noise_gate.to_raise."
"""What the names of the tensors of a noise gate begin with, and of those that only gates of another kind had."""
ADVERSARY_PREFIX = "adversary/"
"""The same for the discriminators and all that belongs to them."""


@dataclass
class Progress:
    """Where a run stands; plain numbers, saved as JSON."""

    epoch: int = 0
    """Epochs completed."""
    step: int = 0
    """Optimiser steps taken."""
    batch: int = 0
    """Batches of the current epoch already seen."""
    skipped_steps: int = 0
    """Steps not taken because loss or gradient were not finite."""
    n_rollbacks: int = 0
    """How often the run diverged and went back to a checkpoint."""
    learning_rate_scale: float = 1.0
    """What the learning rate is multiplied with since then."""
    n_parts: int = 1
    """Parts that a batch is computed in, one after the other, because memory holds no more."""
    total_steps: int | None = None
    """Steps of the whole run, as far as is known: a run that is to end in time is planned anew as it goes on."""
    planned_at: int = 0
    """Step at which they were planned, 0 where they were known at once."""
    planned_share: float = 0.0
    """Share of the run that was over by then."""
    kl_warmup_steps: int | None = None
    """Length of the KL warm-up, settled at the first step: training on for longer does not warm up again."""
    second_phase_step: int | None = None
    """The step at which the decoder meets discriminators, settled at the first step; `None` where it never does."""
    elapsed_s: float = 0.0
    """Training time so far, over all continuations."""
    best_val_loss: float | None = None
    """Held-out loss of the best epoch; `None` before the end of the KL warm-up."""
    best_replicates: list[float] = field(default_factory=list)
    """The same in every draw of the held-out files, which later epochs are compared with; empty where not known."""
    best_epoch: int = 0
    epochs_since_best: int = 0
    """Epochs after it, none of them better by more than noise."""
    warned: list[str] = field(default_factory=list)
    """Kinds of warning already given once."""

    def learning_rate_factor(self) -> float:
        """Multiplier of the peak learning rate for the step to come."""
        total = self.total_steps or 1
        share = share_done(self.step, total, self.planned_at, self.planned_share)
        return learning_rate_factor(self.step, total, share)


@dataclass
class TrainState:
    """A run in progress: learn by mutating it, continue by saving and loading it."""

    model: Autoencoder
    optimizer: torch.optim.Optimizer
    progress: Progress = field(default_factory=Progress)
    history: MetricsHistory = field(default_factory=MetricsHistory)
    adversary: Adversary | None = None
    """What the adversarial phase needs; nothing where there is none."""
    average: Autoencoder = field(init=False)
    """The model whose weights are the moving average: what is judged and kept."""

    def __post_init__(self) -> None:
        self.average = copy_for_averaging(self.model)

    @property
    def active_adversary(self) -> Adversary | None:
        """Whom the next step is taken against; nobody before the adversarial phase."""
        begin = self.progress.second_phase_step
        return self.adversary if begin is not None and self.progress.step >= begin else None

    @property
    def last_adversary(self) -> Adversary | None:
        """Whom the last step was taken against."""
        begin = self.progress.second_phase_step
        return self.adversary if begin is not None and self.progress.step > begin else None

    def tensors(self) -> dict[str, Tensor]:
        """Parameters, buffers, optimiser moments and random generators, by a flat name."""
        named = list_tensors(self.model) | list_tensors(self.average, AVERAGE_PREFIX)
        named |= name_moments(self.optimizer)
        if self.adversary is not None:
            named |= {f"{ADVERSARY_PREFIX}{name}": tensor for name, tensor in self.adversary.tensors().items()}
        named |= rng_state.save_generators()
        return named

    def load_tensors(self, named: dict[str, Tensor]) -> None:
        """Take over what `tensors` gave.

        Raises:
            KeyError, IndexError, RuntimeError: the names or shapes are those of another model.
        """
        self.model.load_state_dict(_select(named, MODEL_PREFIX))
        self.average.load_state_dict(select_model(named))
        load_moments(self.optimizer, named)
        if self.adversary is not None:
            self.adversary.load_tensors(_select(named, ADVERSARY_PREFIX))
        rng_state.load_generators(named)


def list_tensors(model: nn.Module, prefix: str = MODEL_PREFIX) -> dict[str, Tensor]:
    """Every tensor of a model under the name that `TrainState.tensors` gives it."""
    return {f"{prefix}{name}": tensor for name, tensor in model.state_dict().items()}


def select_model(named: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of the model to be used, under its own names, among those that `TrainState.tensors` gave.

    The average's; the model's own in a state saved before there was an average.
    """
    return _select(named, AVERAGE_PREFIX) or _select(named, MODEL_PREFIX)


def _select(named: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """What has the prefix, without it; but for what models of former versions had and models of this have not."""
    found = {name.removeprefix(prefix): tensor for name, tensor in named.items() if name.startswith(prefix)}
    former = (FORMER_PRIOR, GATE) if any(name.startswith(FORMER_GATE) for name in found) else (FORMER_PRIOR,)
    return {name: tensor for name, tensor in found.items() if not name.startswith(former)}
