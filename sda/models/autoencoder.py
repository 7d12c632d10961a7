"""The interface of autoencoders: what training asks of a network, whichever it is.

Letters in the shapes: `B` batch, `M` mel bands, `F` frames.
"""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

from torch import Tensor, nn

from sda.audio.mel import AudioFeatures
from sda.models.latents import Posterior, Reconstruction
from sda.models.standardise import Standardise


class Autoencoder(nn.Module):
    """Hears spectrograms, and gives back what they sounded like, through latents; it never sees the waveform."""

    latent_dim: int
    """Dimensions of a latent."""
    standardise: Standardise
    writes_waveforms: ClassVar[bool] = False
    """Whether what comes out is sound, which discriminators can listen to."""

    @abstractmethod
    def fit(self, training: Sequence[AudioFeatures], varied: Iterable[AudioFeatures] = ()) -> None:
        """Take what is known before training from batches of training sound; waveforms are not looked at.

        Args:
            varied: training sound as augmentation varies it.
        """

    def refit(self, training: Sequence[AudioFeatures], varied: Iterable[AudioFeatures] = ()) -> None:
        """Take the same of other sound than the weights were learned on, which go on from where they are; as `fit`."""
        self.fit(training, varied)

    @abstractmethod
    def encode(self, inputs: AudioFeatures, mask: Tensor | None = None) -> Posterior:
        """The posterior of every item; `mask` is true where a cell is not to be heard, `[B, M, F]`."""

    def freeze_encoder(self) -> None:
        """From here on, only the decoder learns.

        Raises:
            NotImplementedError: it is of no use to this network.
        """
        raise NotImplementedError(f"{type(self).__name__} is not trained against discriminators")

    @abstractmethod
    def forward(self, inputs: AudioFeatures, mask: Tensor | None = None) -> Reconstruction:
        """What comes out; train mode draws latents, eval mode takes the posterior's mean."""
