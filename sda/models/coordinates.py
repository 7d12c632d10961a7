"""Other coordinates for a network that has learned: new statistics and components, and the same sound from the same
sound.

Statistics and principal components of a corpus are the coordinates in which a `SpectralVAE` hears it and writes it, and
all that leads from one to the other is affine. What the networks learned in the coordinates of one corpus is therefore
carried over into those of another: exactly, where the components of both hold everything, else as far as both do.

Letters in the shapes: `M` mel bands, `P` numbers in a patch, `S` frames of a patch, `D` components, `C` channels, `K`
taps of a kernel.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from sda.models.spectral_vae import SpectralVAE


@dataclass(frozen=True)
class Affine:
    """What becomes of `x`: `weight · x + shift`."""

    weight: Tensor
    """`[out, in]`."""
    shift: Tensor
    """`[out]`."""

    def after(self, first: "Affine") -> "Affine":
        """Both, the other one first."""
        return Affine(self.weight @ first.weight, self.weight @ first.shift + self.shift)

    def beside(self, other: "Affine") -> "Affine":
        """Both, of numbers that stand one behind the other."""
        n_out, n_in = self.weight.shape
        weight = self.weight.new_zeros(n_out + len(other.weight), n_in + other.weight.shape[1])
        weight[:n_out, :n_in], weight[n_out:, n_in:] = self.weight, other.weight
        return Affine(weight, torch.cat([self.shift, other.shift]))


@dataclass(frozen=True)
class Coordinates:
    """How sound stands in a network, float64, on the CPU."""

    mean: Tensor
    """Of every band's shape, `[M]`."""
    deviation: Tensor
    """The same, `[M]`."""
    level_mean: Tensor
    """`[1]`."""
    level_deviation: Tensor
    """`[1]`."""
    inwards: Affine
    """From a standardised patch to its components, `[D, P]`."""
    outwards: Affine
    """And back, `[P, D]`."""
    n_frames: int
    """`S`; of a patch, the frames of a band lie side by side."""

    def restate_shapes(self, other: "Coordinates") -> Affine:
        """From bands that are standardised as they are there to bands as they are here, `[M, M]`."""
        return Affine(torch.diag(other.deviation / self.deviation), (other.mean - self.mean) / self.deviation)

    def restate_level(self, other: "Coordinates") -> Affine:
        """The same of the level, `[1, 1]`."""
        scale = other.level_deviation / self.level_deviation
        return Affine(scale[:, None], (other.level_mean - self.level_mean) / self.level_deviation)

    def restate_patches(self, other: "Coordinates") -> Affine:
        """The same of patches, `[P, P]`."""
        shapes = self.restate_shapes(other)
        scale, shift = (one.repeat_interleave(self.n_frames) for one in (shapes.weight.diagonal(), shapes.shift))
        return Affine(torch.diag(scale), shift)

    def restate_latents(self, other: "Coordinates") -> Affine:
        """The same of latents, loudness frame by frame, timbre through the patch it stands for. `[S + D, S + D]`"""
        level = self.restate_level(other)
        loudness = Affine(level.weight * torch.eye(self.n_frames).double(), level.shift.expand(self.n_frames))
        return loudness.beside(self.inwards.after(self.restate_patches(other)).after(other.outwards))


def take_coordinates(model: "SpectralVAE") -> Coordinates:
    """The coordinates that a network has now."""

    def take(values: Tensor) -> Tensor:
        return values.detach().cpu().double().clone()

    inwards, outwards = (Affine(take(layer.weight), take(layer.bias)) for layer in (model.analysis, model.synthesis))
    shape, level = (
        (take(part.mean[:, 0]), take(part.deviation[:, 0])) for part in (model.standardise, model.standardise_level)
    )
    return Coordinates(*shape, *level, inwards, outwards, model.stride)


@torch.no_grad()
def carry_over(model: "SpectralVAE", former: Coordinates, first_log_variance: float) -> None:
    """Let a network whose coordinates were changed do with sound what it did before.

    Only at the ends of a chunk, where a kernel reaches beyond it, what is not there is another value than before. How
    sure a latent is has no counterpart in other components, and begins as in any training.

    Args:
        former: the coordinates that its weights were learned in.
        first_log_variance: of the posterior of every component.
    """
    new = take_coordinates(model)
    shapes, level, latents = (
        restate(new) for restate in (former.restate_shapes, former.restate_level, former.restate_latents)
    )
    ways = ((model.listen, shapes.beside(level)), (model.from_latent, latents), (model.from_level, level))
    for convolution, restated in ways:
        _hear_through(convolution, restated)
    back = new.inwards.weight @ new.restate_patches(former).weight @ former.outwards.weight  # [D, D]
    weight, bias = model.to_posterior.weight, model.to_posterior.bias
    assert bias is not None
    n = model.n_timbre
    weight[:n] = torch.einsum("de,eck->dck", back, weight[:n].cpu().double()).to(weight)
    bias[:n] = (back @ bias[:n].cpu().double()).to(bias)
    weight[n:], bias[n:] = 0.0, first_log_variance


def _hear_through(convolution: torch.nn.Conv1d, restated: Affine) -> None:
    """Let a convolution `[C, in, K]` make of new input what it made of the same input as it was stated before."""
    weight, bias = convolution.weight, convolution.bias
    assert bias is not None
    before = weight.cpu().double()
    bias.add_(torch.einsum("cik,i->c", before, restated.shift).to(bias))
    weight.copy_(torch.einsum("cik,ij->cjk", before, restated.weight))
