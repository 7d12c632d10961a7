"""A convolutional variational autoencoder on log-mel spectrograms: one latent vector a chunk.

Letters in the shapes: `B` batch, `M` mel bands, `F` frames, `D` latent dimensions, `C` channels.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from torch import Tensor, nn

from sda.audio.mel import AudioFeatures
from sda.models.autoencoder import Autoencoder
from sda.models.latents import Posterior, Reconstruction, bound_log_variance
from sda.models.standardise import Standardise

CHANNELS = (16, 32, 64, 192, 320)
"""Feature maps after each halving of both axes."""


class Encoder(nn.Module):
    """`[B, M, F]` → the posterior of `[B, D]`; halves both axes at every stage."""

    def __init__(self, n_flat: int, latent_dim: int, dropout: float):
        super().__init__()
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise((1, *CHANNELS)):
            layers += [nn.Conv2d(n_in, n_out, 3, stride=2, padding=1), nn.GroupNorm(8, n_out), nn.SiLU()]
        self.stages = nn.Sequential(*layers)
        # After the last normalisation and before the bottleneck: dropout regularises what is remembered of a
        # chunk there; in the decoder it would blur what is drawn from it.
        self.dropout = nn.Dropout(dropout)
        self.to_posterior = nn.Linear(n_flat, 2 * latent_dim)

    def forward(self, standardised: Tensor) -> Posterior:
        features = self.stages(standardised[:, None])  # [B, C, M / 32, F / 32]
        mean, raw = self.to_posterior(self.dropout(features.flatten(1))).float().chunk(2, dim=1)
        return Posterior(mean, bound_log_variance(raw))


class Decoder(nn.Module):
    """`[B, D]` → `[B, M, F]`, linear at the output; doubles both axes at every stage."""

    def __init__(self, grid: tuple[int, int], latent_dim: int):
        super().__init__()
        self.grid = grid
        n_top = CHANNELS[-1]
        self.from_latent = nn.Linear(latent_dim, n_top * grid[0] * grid[1])
        layers: list[nn.Module] = [nn.GroupNorm(8, n_top), nn.SiLU()]
        for n_in, n_out in pairwise(CHANNELS[::-1]):
            # A kernel of twice the stride covers every output cell equally often: no chequered pattern.
            layers += [nn.ConvTranspose2d(n_in, n_out, 4, stride=2, padding=1), nn.GroupNorm(8, n_out), nn.SiLU()]
        # The last doubling deals four maps out to the cells of a square: half the cost of a full-size convolution.
        layers += [nn.Conv2d(CHANNELS[0], 4, 3, padding=1), nn.PixelShuffle(2)]
        self.stages = nn.Sequential(*layers)

    def forward(self, latent: Tensor) -> Tensor:
        features = self.from_latent(latent).view(len(latent), CHANNELS[-1], *self.grid)
        output: Tensor = self.stages(features).squeeze(1)  # [B, M, F]
        return output


class MelVAE(Autoencoder):
    """Log-mel in, log-mel out, through `latent_dim` numbers a chunk.

    Shape:
        `forward`: spectrograms `[B, M, F]` → `Reconstruction`; `decode`: `[B, D]` → log_mel `[B, M, F]`.

    Reference:
        Kingma & Welling, "Auto-Encoding Variational Bayes", 2014; Wu & He, "Group Normalization", 2018.
    """

    def __init__(self, n_mels: int = 128, n_frames: int = 94, latent_dim: int = 64, dropout: float = 0.2):
        super().__init__()
        stride = 2 ** len(CHANNELS)
        if n_mels % stride:
            raise ValueError(f"n_mels={n_mels} is not a multiple of {stride}")
        self.n_frames = n_frames
        self.latent_dim = latent_dim
        grid = (n_mels // stride, -(-n_frames // stride))
        self.n_padding_frames = grid[1] * stride - n_frames
        self.standardise = Standardise(n_mels)
        self.encoder = Encoder(CHANNELS[-1] * grid[0] * grid[1], latent_dim, dropout)
        self.decoder = Decoder(grid, latent_dim)

    def fit(self, training: Sequence[AudioFeatures], varied: Iterable[AudioFeatures] = ()) -> None:
        """Take the bands' statistics of training sound, silence left out; varied sound is not needed."""
        self.standardise.fit((inputs.log_mel for inputs in training), (inputs.sounding for inputs in training))

    def encode(self, inputs: AudioFeatures, mask: Tensor | None = None) -> Posterior:
        """The posterior of every chunk, two `[B, D]`."""
        standardised = self.standardise(inputs.log_mel)
        if mask is not None:
            standardised = standardised.masked_fill(mask, 0.0)
        posterior: Posterior = self.encoder(
            nn.functional.pad(standardised, (0, self.n_padding_frames), mode="replicate")
        )
        return posterior

    def forward(self, inputs: AudioFeatures, mask: Tensor | None = None) -> Reconstruction:
        """Train mode draws the latent from the posterior; eval mode takes its mean.

        Args:
            mask: true where the encoder is given the band's mean in place of the cell, `[B, M, F]`; the target stays
                whole.
        """
        posterior = self.encode(inputs, mask)
        latent = posterior.sample() if self.training else posterior.mean
        output = self.decoder(latent)[..., : self.n_frames].float()
        return Reconstruction(self.standardise(inputs.log_mel), output, posterior)

    def decode(self, latent: Tensor) -> Tensor:
        """Latents `[B, D]` → log-mel `[B, M, F]`, off the standardised scale."""
        log_mel: Tensor = self.standardise.invert(self.decoder(latent)[..., : self.n_frames].float())
        return log_mel
