"""The second phase of a training: discriminators that learn beside the decoder, and what keeps them from memorising.

The encoder stands still, so that latents keep their meaning. The decoder goes on lowering its distances, and is besides
to sound as real to the discriminators as what it was made from. They hear everything in disguise, the more so, the
better they know the training sounds by heart; the held-out sounds tell.

Reference:
    Caillon & Esling, "RAVE: A Variational Autoencoder for Fast and High-Quality Neural Audio Synthesis", 2021 (two
    phases).

Letters in the shapes: `B` batch, `T` samples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sda.audio.disguise import Disguise, Disguises
from sda.audio.mel import Heard
from sda.losses.adversarial import (
    LeCam,
    discriminator_hinge_loss,
    feature_matching_loss,
    generator_hinge_loss,
    mean_score,
)
from sda.models.discriminator import SpectralDiscriminators
from sda.models.latents import Reconstruction
from sda.training.discriminator_guard import DiscriminatorGuard, GuardState
from sda.training.optimizer import build_optimizer, load_moments, name_moments

OBSERVED_STEPS = 16
"""Steps between two looks at held-out scores: reading them waits for the device."""

DISGUISE_STREAM = 0xD15C
"""Sets the draws of disguises apart from others of the same seed."""


@dataclass(frozen=True)
class AdversarialWeights:
    """How much each part counts."""

    adversarial: float
    """Of the score that generated sound gets, beside the logarithm of the error."""
    features: float
    """Of the distance of the discriminators' activations."""
    lecam: float
    """Of the pull on the discriminators' scores."""


class Adversary:
    """Discriminators in training, and the guard over them.

    A step is `begin`, then `weigh` for every part of the batch, then `learn`; `take_step_against` does so.

    Args:
        discriminators: on the device of the model.
        freeze_encoder: from then on, only the model's decoder learns; called at every step.
        rate_hz: of the waveforms.
        seed: of the disguises.
        share: part of the training, at its end, that is the second phase.
        autocast: as the model's.
    """

    def __init__(
        self,
        discriminators: SpectralDiscriminators,
        freeze_encoder: Callable[[], None],
        *,
        weights: AdversarialWeights,
        rate_hz: int,
        seed: int,
        share: float,
        weight_decay: float = 0.0,
        autocast: torch.dtype | None = None,
        guard: DiscriminatorGuard | None = None,
    ):
        self.discriminators = discriminators
        self.freeze_encoder = freeze_encoder
        self.weights = weights
        self.rate_hz = rate_hz
        self.seed = seed
        self.share = share
        self.autocast = autocast
        self.guard = guard or DiscriminatorGuard()
        self.disguise = Disguise()
        self.optimizer = build_optimizer(discriminators, 1e-3, weight_decay)
        self.guard_state = GuardState()
        self.lecam = LeCam()
        self._draws: Disguises | None = None
        self._n_weighed = 0
        self._largest_part = 1
        self._figures: list[Tensor] = []

    def begin(self, step: int, n_items: int) -> None:
        """Draw the disguises of a step; what an attempt before has left is forgotten.

        Args:
            step: steps taken before, which with the seed decides what is drawn.
            n_items: chunks in the batch.
        """
        rng = np.random.default_rng([self.seed, DISGUISE_STREAM, step])
        self.freeze_encoder()
        self._draws = self.disguise.draw(rng, n_items, self.guard_state.strength)
        self._n_weighed, self._figures, self._largest_part = 0, [], 1
        self.discriminators.requires_grad_(True)  # an attempt that ran out of memory may have left them without
        self.optimizer.zero_grad(set_to_none=True)

    def weigh(self, result: Reconstruction, waveform: Tensor) -> Tensor:
        """What the next items of the batch add to the decoder's objective; the discriminators' gradient is added up.

        Where a batch is weighed in parts, activations are compared relative to their part.

        Shape:
            waveform, what was heard, `[B, T]` → a single number, a mean over the items.
        """
        assert self._draws is not None, "begin comes first"
        n_items, n_all = len(waveform), len(self._draws.gain_db)
        draws = self._draws.take(slice(self._n_weighed, self._n_weighed + n_items))
        self._n_weighed += n_items
        self._largest_part = max(self._largest_part, n_items)
        real = self.disguise(waveform, draws, self.rate_hz)
        fake = self.disguise(result.output[:, : waveform.shape[1]], draws, self.rate_hz)
        with torch.autocast(waveform.device.type, dtype=self.autocast, enabled=self.autocast is not None):
            on_real, on_fake = self.discriminators(real), self.discriminators(fake.detach())
            loss = discriminator_hinge_loss(on_real.scores, on_fake.scores)
            loss = loss + self.weights.lecam * self.lecam.penalty(on_real.scores, on_fake.scores)
        share = n_items / n_all
        (share * loss).backward()  # type: ignore[no-untyped-call]
        scores = [loss, mean_score(on_real.scores), mean_score(on_fake.scores)]
        self._figures.append(share * torch.stack(scores).detach())
        self.discriminators.requires_grad_(False)
        with torch.autocast(waveform.device.type, dtype=self.autocast, enabled=self.autocast is not None):
            heard = self.discriminators(fake)
            total = self.weights.adversarial * generator_hinge_loss(heard.scores)
            total = total + self.weights.features * feature_matching_loss(on_real.features, heard.features)
        self.discriminators.requires_grad_(True)
        return total

    def learn(self, learning_rate: float, gradient_clip_norm: float) -> Tensor:
        """The discriminators' step; one that is not finite leaves them untouched. → their loss, a single number."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        norm = torch.nn.utils.clip_grad_norm_(self.discriminators.parameters(), gradient_clip_norm)
        loss = torch.stack(self._figures).sum(dim=0)[0]
        self.optimizer.found_inf = (~torch.stack([loss, norm]).isfinite().all()).float()  # type: ignore[attr-defined]
        self.optimizer.step()
        return loss

    @torch.no_grad()
    def observe(self, step: int, held_out: Sequence[Heard]) -> None:
        """Now and then, compare the scores of the step with those of held-out sound, disguised alike.

        Args:
            step: steps taken.
            held_out: batches, of which one is listened to.
        """
        if step % OBSERVED_STEPS:
            return
        assert self._draws is not None, "a step was taken"
        batch = held_out[step // OBSERVED_STEPS % len(held_out)].waveform
        rng = np.random.default_rng([self.seed, DISGUISE_STREAM, step, 1])
        n_items = len(self._draws.gain_db)
        batch = batch[torch.from_numpy(rng.permutation(len(batch))[:n_items]).to(batch.device)]
        draws = self.disguise.draw(rng, len(batch), self.guard_state.strength)
        score = batch.new_zeros(())
        for first in range(0, len(batch), self._largest_part):  # no more at a time than the step could hold
            items = slice(first, first + self._largest_part)
            part = self.disguise(batch[items], draws.take(items), self.rate_hz)
            with torch.autocast(part.device.type, dtype=self.autocast, enabled=self.autocast is not None):
                score = score + len(part) / len(batch) * mean_score(self.discriminators(part).scores)
        _, real, fake = torch.stack(self._figures).sum(dim=0)
        train, generated, unheard = torch.stack([real, fake, score]).tolist()
        self.lecam = self.lecam.follow(train, generated)
        self.guard_state = self.guard.follow(
            self.guard_state, train=train, held_out=unheard, generated=generated, n_items=OBSERVED_STEPS * n_items
        )

    def tensors(self) -> dict[str, Tensor]:
        """Everything that a continuation depends on, by a flat name."""
        named = {f"network/{name}": values for name, values in self.discriminators.state_dict().items()}
        named |= name_moments(self.optimizer)
        for what, numbers in (("guard", self.guard_state.to_dict()), ("lecam", self.lecam.to_dict())):
            named |= {f"{what}/{name}": torch.tensor(value, dtype=torch.float64) for name, value in numbers.items()}
        return named

    def load_tensors(self, named: dict[str, Tensor]) -> None:
        """Take over what `tensors` gave.

        Raises:
            KeyError, IndexError, RuntimeError, ValueError: the names, shapes or values are not those of an adversary.
        """
        parts: dict[str, dict[str, Tensor]] = {"network": {}, "guard": {}, "lecam": {}}
        for name, values in named.items():
            part, _, rest = name.partition("/")
            if part in parts:
                parts[part][rest] = values
        self.discriminators.load_state_dict(parts["network"])
        load_moments(self.optimizer, named)
        self.guard_state = GuardState.from_dict({name: value.item() for name, value in parts["guard"].items()})
        self.lecam = LeCam.from_dict({name: value.item() for name, value in parts["lecam"].items()})
