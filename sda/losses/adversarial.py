"""Adversarial losses: of a discriminator and of what it judges, and what keeps a discriminator from going too far.

Letters in the shapes: `B` batch, `T` samples, `…` whatever else a discriminator gives. Scores and features come one
entry a discriminator, as `sda.models.discriminator.Judgements` holds them; every discriminator counts the same.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sda.numbers_state import NumbersState

FAINTEST_FEATURE = 1e-4
"""Added to the mean magnitude that a distance of features is relative to: a layer may be silent."""


def discriminator_hinge_loss(real_scores: Sequence[Tensor], fake_scores: Sequence[Tensor]) -> Tensor:
    """`max(0, 1 − real) + max(0, 1 + fake)`, on average: nothing is gained by scores beyond ±1.

    Shape:
        scores `[B, …]` each → a single number.

    Reference:
        Lim & Ye, "Geometric GAN", 2017.

    >>> discriminator_hinge_loss([torch.tensor([0.5, 3.0])], [torch.tensor([0.0, -1.0])]).item()
    0.75
    """
    real = _average([(1.0 - scores).relu().mean() for scores in real_scores])
    return real + _average([(1.0 + scores).relu().mean() for scores in fake_scores])


def generator_hinge_loss(fake_scores: Sequence[Tensor]) -> Tensor:
    """`−fake`, on average: unbounded, so that its gradient does not vanish where the discriminator is sure.

    Shape:
        scores `[B, …]` each → a single number.

    Reference:
        Lim & Ye, "Geometric GAN", 2017.

    >>> generator_hinge_loss([torch.tensor([0.5, 3.0]), torch.tensor([-1.0])]).item()
    -0.375
    """
    return -mean_score(fake_scores)


def feature_matching_loss(
    real_features: Sequence[Sequence[Tensor]], fake_features: Sequence[Sequence[Tensor]]
) -> Tensor:
    """Mean absolute difference of activations, relative to their mean magnitude on real sound; layers count the same.

    Without that relation, a layer would count the more, the larger its activations happen to have grown. No gradient
    reaches the real side.

    Shape:
        features `[B, …]` each, one list a discriminator → a single number.

    Reference:
        Larsen et al., "Autoencoding beyond Pixels using a Learned Similarity Metric", ICML 2016; Défossez et al.,
        "High Fidelity Neural Audio Compression", 2022, section 3.4 (relative).

    >>> round(feature_matching_loss([[torch.tensor([1.0, -3.0])]], [[torch.tensor([2.0, -3.0])]]).item(), 3)
    0.25
    """
    distances = []
    for real_layers, fake_layers in zip(real_features, fake_features, strict=True):
        for real_layer, fake_layer in zip(real_layers, fake_layers, strict=True):
            real = real_layer.detach().float()
            distances.append((fake_layer.float() - real).abs().mean() / (real.abs().mean() + FAINTEST_FEATURE))
    return _average(distances)


def mean_score(scores: Sequence[Tensor]) -> Tensor:
    """Mean over the discriminators of their mean scores, `[B, …]` each → a single number."""
    return _average([each.mean() for each in scores])


def _average(values: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(values)).mean()


@dataclass(frozen=True)
class LeCam(NumbersState):
    """Holds scores of real sound near the running mean of generated sound's, and the other way round.

    A discriminator of few data drives the two apart; beside the hinge loss, this bounds how far. The running means
    are plain numbers: read back the scores of a step, or of several, and `follow` them.

    Reference:
        Tseng et al., "Regularizing Generative Adversarial Networks under Limited Data", CVPR 2021.
    """

    real: float = 0.0
    """Running mean score of real sound."""
    fake: float = 0.0
    """Running mean score of generated sound."""
    n_steps: float = 0.0
    """Steps that were followed."""

    def follow(self, real: float, fake: float, decay: float = 0.99) -> "LeCam":
        """The running means after a step with these mean scores; scores that are not finite leave them as they were.

        Args:
            decay: share that a step leaves of them; until there are as many steps, they are the means of all.

        >>> LeCam().follow(real=1.0, fake=-1.0).follow(real=0.0, fake=-2.0)
        LeCam(real=0.5, fake=-1.5, n_steps=2.0)
        """
        if not (math.isfinite(real) and math.isfinite(fake)):
            return self
        n_steps = self.n_steps + 1.0
        share = max(1.0 - decay, 1.0 / n_steps)
        return LeCam(self.real + share * (real - self.real), self.fake + share * (fake - self.fake), n_steps)

    def penalty(self, real_scores: Sequence[Tensor], fake_scores: Sequence[Tensor]) -> Tensor:
        """`(real − running fake)² + (fake − running real)²`, on average; 0 before the first step was followed.

        Shape:
            scores `[B, …]` each → a single number.

        >>> LeCam(real=1.0, fake=-1.0, n_steps=1.0).penalty([torch.tensor([0.5])], [torch.tensor([-1.0])]).item()
        6.25
        """
        real = _average([(scores - self.fake).square().mean() for scores in real_scores])
        fake = _average([(scores - self.real).square().mean() for scores in fake_scores])
        return (real + fake) * float(self.n_steps > 0)
