"""Adaptive discriminator augmentation: the stronger, the better a discriminator knows its sounds by heart.

Held-out sounds tell: a discriminator that has learned what real sound is like scores them as it scores the training
sounds; one that has learned the training sounds by heart takes them for generated ones.

Standard library only, and nothing but plain numbers.
"""

import math
from dataclasses import asdict, dataclass

from sda.numbers_state import NumbersState

MIN_MARGIN = 0.1
"""Least difference between training and generated scores to divide by, where a hinge loss asks for 2: near none,
overfitting would be whatever noise makes of it."""


@dataclass(frozen=True)
class AugmentationState(NumbersState):
    """Where the adaptation stands."""

    strength: float = 0.0
    """How strongly to augment, a probability."""
    train: float = 0.0
    """Running mean score of training sounds."""
    held_out: float = 0.0
    """Running mean score of held-out sounds."""
    generated: float = 0.0
    """Running mean score of generated sounds."""
    n_items: float = 0.0
    """Training sounds seen so far."""

    @property
    def overfitting(self) -> float:
        """How far the discriminator takes held-out sounds for generated ones: 0 not at all, 1 entirely.

        Reference:
            Karras et al., "Training Generative Adversarial Networks with Limited Data", NeurIPS 2020, equation 1 (r_v).

        >>> AugmentationState(train=1.0, held_out=0.25, generated=-0.5).overfitting
        0.5
        """
        margin = max(self.train - self.generated, MIN_MARGIN)
        return min(max((self.train - self.held_out) / margin, 0.0), 1.0)


@dataclass(frozen=True)
class AdaptiveAugmentation:
    """Raises the strength of augmentation while a discriminator overfits, and lowers it while it does not.

    Reference:
        Karras et al., "Training Generative Adversarial Networks with Limited Data", NeurIPS 2020, section 3.
    """

    target: float = 0.6
    """Overfitting that is put up with, in [0, 1]."""
    max_strength: float = 0.85
    """Beyond this, so few sounds are left as they are that a generator begins to imitate the augmentation."""
    ramp_items: int = 20_000
    """Training sounds in which the strength goes from 0 to 1, if nothing but rises."""
    smoothing_items: int = 500
    """Training sounds that the running means reach back."""

    def follow(
        self, state: AugmentationState, *, train: float, held_out: float, generated: float, n_items: int
    ) -> AugmentationState:
        """The state after `n_items` more training sounds; scores that are not finite leave it as it was.

        Args:
            train: mean score of training sounds since the last call.
            held_out: mean score of held-out sounds, augmented as strongly.
            generated: mean score of generated sounds, augmented as strongly.
            n_items: training sounds since the last call, at least 1.

        >>> adaptive, state = AdaptiveAugmentation(ramp_items=1000), AugmentationState()
        >>> adaptive.follow(state, train=1.0, held_out=-0.9, generated=-1.0, n_items=100).strength
        0.1
        """
        if not all(math.isfinite(score) for score in (train, held_out, generated)):
            return state
        seen = state.n_items + n_items
        # Until there is that much to reach back to, the means are those of everything.
        share = max(-math.expm1(-n_items / self.smoothing_items), n_items / seen)
        smoothed = AugmentationState(
            strength=state.strength,
            train=state.train + share * (train - state.train),
            held_out=state.held_out + share * (held_out - state.held_out),
            generated=state.generated + share * (generated - state.generated),
            n_items=seen,
        )
        change = n_items / self.ramp_items
        strength = state.strength + (change if smoothed.overfitting > self.target else -change)
        return AugmentationState(**{**asdict(smoothed), "strength": min(max(strength, 0.0), self.max_strength)})
