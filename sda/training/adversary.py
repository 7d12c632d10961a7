"""The adversarial phase: discriminators that learn beside the decoder, and what keeps them from memorising.

The encoder stands still, so that latents keep their meaning. The decoder goes on lowering its distances, and is besides
to sound as real to the discriminators as what it was made from. They hear everything augmented, the more so, the
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

from sda.audio.discriminator_augmentation import AugmentationDraws, DiscriminatorAugmentation
from sda.audio.mel import AudioFeatures
from sda.losses.adversarial import (
    LeCam,
    discriminator_hinge_loss,
    feature_matching_loss,
    generator_hinge_loss,
    mean_score,
)
from sda.models.discriminator import SpectralDiscriminators
from sda.models.latents import Reconstruction
from sda.training.adaptive_augmentation import AdaptiveAugmentation, AugmentationState
from sda.training.optimizer import build_optimizer, load_moments, name_moments

OBSERVED_STEPS = 16
"""Steps between two looks at held-out scores: reading them waits for the device."""

AUGMENTATION_STREAM = 0xD15C
"""Sets the draws of augmentation apart from others of the same seed."""


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
    """Discriminators in training, and what keeps them from learning their sounds by heart.

    Args:
        discriminators: on the device of the model.
        freeze_encoder: from then on, only the model's decoder learns; called at every step.
        rate_hz: of the waveforms.
        seed: of the augmentation.
        share: part of the training, at its end, that is the adversarial phase.
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
        adaptive: AdaptiveAugmentation | None = None,
    ):
        self.discriminators = discriminators
        self.freeze_encoder = freeze_encoder
        self.weights = weights
        self.rate_hz = rate_hz
        self.seed = seed
        self.share = share
        self.autocast = autocast
        self.adaptive = adaptive or AdaptiveAugmentation()
        self.augment = DiscriminatorAugmentation()
        self.optimizer = build_optimizer(discriminators, 1e-3, weight_decay)
        self.augmentation_state = AugmentationState()
        self.lecam = LeCam()

    def begin(self, step: int, n_items: int) -> "DiscriminatorStep":
        """Draw the augmentation of a step; what an attempt before has left is forgotten.

        Args:
            step: steps taken before, which with the seed decides what is drawn.
            n_items: chunks in the batch.
        """
        rng = np.random.default_rng([self.seed, AUGMENTATION_STREAM, step])
        self.freeze_encoder()
        draws = self.augment.draw(rng, n_items, self.augmentation_state.strength)
        self.discriminators.requires_grad_(True)  # an attempt that ran out of memory may have left them without
        self.optimizer.zero_grad(set_to_none=True)
        return DiscriminatorStep(self, draws)

    def listening(self, device: torch.device) -> torch.autocast:
        """The arithmetic that discriminators are computed in."""
        return torch.autocast(device.type, dtype=self.autocast, enabled=self.autocast is not None)

    @torch.no_grad()
    def observe(self, taken: "DiscriminatorStep", step: int, held_out: Sequence[AudioFeatures]) -> None:
        """Now and then, compare the scores of the step with those of held-out sound, augmented alike.

        Args:
            taken: the step that was just taken.
            step: steps taken.
            held_out: batches, of which one is listened to.
        """
        if step % OBSERVED_STEPS:
            return
        batch = held_out[step // OBSERVED_STEPS % len(held_out)].waveform
        rng = np.random.default_rng([self.seed, AUGMENTATION_STREAM, step, 1])
        batch = batch[torch.from_numpy(rng.permutation(len(batch))[: taken.n_items]).to(batch.device)]
        draws = self.augment.draw(rng, len(batch), self.augmentation_state.strength)
        score = batch.new_zeros(())
        for first in range(0, len(batch), taken.largest_part):  # no more at a time than the step could hold
            items = slice(first, first + taken.largest_part)
            part = self.augment(batch[items], draws.take(items), self.rate_hz)
            with self.listening(part.device):
                score = score + len(part) / len(batch) * mean_score(self.discriminators(part).scores)
        train, generated, unheard = torch.stack([*taken.mean_scores(), score]).tolist()
        self.lecam = self.lecam.follow(train, generated)
        self.augmentation_state = self.adaptive.follow(
            self.augmentation_state,
            train=train,
            held_out=unheard,
            generated=generated,
            n_items=OBSERVED_STEPS * taken.n_items,
        )

    def tensors(self) -> dict[str, Tensor]:
        """Everything that a continuation depends on, by a flat name."""
        named = {f"network/{name}": values for name, values in self.discriminators.state_dict().items()}
        named |= name_moments(self.optimizer)
        for what, numbers in (("guard", self.augmentation_state.to_dict()), ("lecam", self.lecam.to_dict())):
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
        self.augmentation_state = AugmentationState.from_dict(
            {name: value.item() for name, value in parts["guard"].items()}
        )
        self.lecam = LeCam.from_dict({name: value.item() for name, value in parts["lecam"].items()})


class DiscriminatorStep:
    """One step of the discriminators, beside one of the decoder: `generator_loss` for every part of it, then `update`.

    Args:
        draws: the augmentation of every item of the batch.
    """

    def __init__(self, adversary: Adversary, draws: AugmentationDraws):
        self._adversary = adversary
        self._draws = draws
        self._n_weighed = 0
        self._figures: list[Tensor] = []
        self.n_items = len(draws.gain_db)
        """Chunks in the batch."""
        self.largest_part = 1
        """Chunks in the largest part so far."""

    def generator_loss(self, result: Reconstruction, waveform: Tensor) -> Tensor:
        """What the next items of the batch add to the decoder's objective; the discriminators' gradient is added up.

        Where a batch is weighed in parts, activations are compared relative to their part.

        Shape:
            waveform, what was heard, `[B, T]` → a single number, a mean over the items.
        """
        adversary, discriminators = self._adversary, self._adversary.discriminators
        draws = self._draws.take(slice(self._n_weighed, self._n_weighed + len(waveform)))
        self._n_weighed += len(waveform)
        self.largest_part = max(self.largest_part, len(waveform))
        real = adversary.augment(waveform, draws, adversary.rate_hz)
        fake = adversary.augment(result.output[:, : waveform.shape[1]], draws, adversary.rate_hz)
        with adversary.listening(waveform.device):
            on_real, on_fake = discriminators(real), discriminators(fake.detach())
            loss = discriminator_hinge_loss(on_real.scores, on_fake.scores)
            loss = loss + adversary.weights.lecam * adversary.lecam.penalty(on_real.scores, on_fake.scores)
        share = len(waveform) / self.n_items
        (share * loss).backward()  # type: ignore[no-untyped-call]
        scores = [loss, mean_score(on_real.scores), mean_score(on_fake.scores)]
        self._figures.append(share * torch.stack(scores).detach())
        discriminators.requires_grad_(False)
        with adversary.listening(waveform.device):
            judged = discriminators(fake)
            total = adversary.weights.adversarial * generator_hinge_loss(judged.scores)
            total = total + adversary.weights.features * feature_matching_loss(on_real.features, judged.features)
        discriminators.requires_grad_(True)
        return total

    def update(self, learning_rate: float, gradient_clip_norm: float) -> Tensor:
        """The discriminators' step; one that is not finite leaves them untouched. → their loss, a single number."""
        optimizer = self._adversary.optimizer
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
        norm = torch.nn.utils.clip_grad_norm_(self._adversary.discriminators.parameters(), gradient_clip_norm)
        loss = torch.stack(self._figures).sum(dim=0)[0]
        optimizer.found_inf = (~torch.stack([loss, norm]).isfinite().all()).float()  # type: ignore[attr-defined]
        optimizer.step()
        return loss

    def mean_scores(self) -> tuple[Tensor, Tensor]:
        """Mean scores of what was real and of what was generated."""
        _, real, fake = torch.stack(self._figures).sum(dim=0)
        return real, fake
