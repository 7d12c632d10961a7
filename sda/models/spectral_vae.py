"""A variational autoencoder whose latents run along time and whose decoder writes the waveform itself.

It starts from what is known without training. The loudness of every frame is told apart from its timbre and carried
exactly, so that attacks stay loud. Timbre passes through the principal components of the training sounds, a linear
way in and out of the latent space, which is best for small data in the sense of least squares; the networks learn
what the linear way misses. And the phase of every bin advances by the bin's own frequency, to which the network adds.

The network stands in one module, so that it can be read from what is heard to what is written.

Letters in the shapes: `B` batch, `M` mel bands, `F` frames, `L` latents along time, `D` latent dimensions, `C`
channels, `N` frequency bins, `T` samples.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sda.audio.levelling import SMOOTHED_FRAMES, follow_level
from sda.audio.mel import LEVEL_OF_NOTHING, AudioFeatures, LogMel
from sda.audio.overlap_add import inverse_stft
from sda.errors import ConfigError
from sda.models.autoencoder import Autoencoder
from sda.models.components import draw_patches, find_components, interpolate_bands, pad_frames
from sda.models.convnext import KERNEL, stack_blocks
from sda.models.coordinates import carry_over, take_coordinates
from sda.models.latents import Posterior, Reconstruction, bound_log_variance
from sda.models.noise_gate import NoiseGate
from sda.models.standardise import Standardise

LEVEL_DEVIATION = 0.05
"""Noise on the loudness in training, in its own deviations (about 1 dB): close to what is heard as a difference."""

FIRST_LOG_VARIANCE = -3.0
"""Of the shape's posterior before training: narrow, so that the linear way is heard at once."""

BOUND = 4.0
"""A bounded latent stays inside ±this."""
BOUNDED_LOG_VARIANCE = 2.0 * math.log(0.2)
"""Of the noise on a bounded latent in training."""

MIN_LEVEL_DEVIATION = 0.5
"""Least deviation of the loudness, 4 dB: silence in a corpus that is always equally loud is 16 of them below it."""
RISE_FROM_NOTHING = 1.0
"""Over so much level above digital silence (natural log), timbre begins to count: silence has none."""

MAX_LOG_MAGNITUDE = 9.0
"""Full scale in a window of 2048 has a magnitude of 512, whose log is 6.2: room for a very wrong guess, no overflow."""


DRAWN_SHARE = 8
"""One in so many chunks of a batch, and one at least, is drawn with noise in training: the gate is soon learned."""


class Written(NamedTuple):
    """What the decoder writes along a path of latents."""

    spectra: Tensor
    """The deterministic part, complex, `[B, F, N]`."""
    features: Tensor
    """What they were written from, `[B, F, C]`."""
    level: Tensor
    """Natural log of the magnitude that each frame is to have, `[B, F]`."""


class SpectralVAE(Autoencoder):
    """Spectrograms in, waveform out, through `latent_dim` numbers 23 times a second; any length.

    The first `stride` dimensions of a latent are the loudness of its frames, standardised; the others are timbre.

    Args:
        features: what the spectrograms that come in were computed with.
        stride: frames to a latent, an even number; 4 make 23.4 latents a second at 48 kHz and a hop of 512.
        n_encoder_blocks: before the time axis is shortened.
        n_latent_blocks: on either side of the latents, at their rate.
        n_decoder_blocks: at the frame rate.
        dropout: share of the encoder's features that is hidden before the latents.
        noise: part of the sound is drawn anew every time, see `NoiseGate`; without it, all is deterministic.
        bounded: timbre is squeezed into ±`BOUND` and blurred by fixed noise in training, in place of a learned
            posterior; the KL term then has no say.

    Shape:
        `forward`: spectrograms `[B, M, F]` → `Reconstruction` whose output is `[B, L · stride · hop]`, a little
        longer than what was heard, with `L = ceil(F / stride)`.

    Raises:
        ConfigError: the frames overlap in a way that the phases do not allow, or there are too few dimensions.
    """

    writes_waveforms = True

    def __init__(
        self,
        *,
        features: LogMel,
        latent_dim: int = 24,
        stride: int = 4,
        channels: int = 96,
        n_encoder_blocks: int = 2,
        n_latent_blocks: int = 1,
        n_decoder_blocks: int = 4,
        dropout: float = 0.2,
        bounded: bool = False,
        noise: bool = True,
    ):
        super().__init__()
        _refuse_sizes(features, stride, latent_dim)
        self.latent_dim, self.stride = latent_dim, stride
        self.n_timbre = latent_dim - stride
        self.n_fft, self.hop_length, self.n_mels = features.n_fft, features.hop_length, features.n_mels
        self.bounded = bounded
        n_bins, n_patch = features.n_fft // 2 + 1, features.n_mels * stride

        self.standardise = Standardise(features.n_mels)
        self.standardise_level = Standardise(1, MIN_LEVEL_DEVIATION)

        self.listen = nn.Conv1d(features.n_mels + 1, channels, KERNEL, padding=KERNEL // 2)
        self.encoder = stack_blocks(channels, n_encoder_blocks)
        self.shorten = nn.Conv1d(channels, channels, 2 * stride, stride=stride, padding=stride // 2)
        self.latent_encoder = stack_blocks(channels, n_latent_blocks)
        self.dropout = nn.Dropout(dropout)
        self.to_posterior = nn.Conv1d(channels, 2 * self.n_timbre, 1)
        self.analysis = nn.Linear(n_patch, self.n_timbre)

        self.from_latent = nn.Conv1d(latent_dim, channels, 3, padding=1)
        self.latent_decoder = stack_blocks(channels, n_latent_blocks)
        self.lengthen = nn.ConvTranspose1d(channels, channels, 2 * stride, stride=stride, padding=stride // 2)
        self.from_level = nn.Conv1d(1, channels, 3, padding=1)
        self.decoder = stack_blocks(channels, n_decoder_blocks)
        self.norm = nn.LayerNorm(channels)
        self.synthesis = nn.Linear(self.n_timbre, n_patch)
        self.to_magnitude = nn.Linear(channels, n_bins)
        self.to_phase = nn.Linear(channels, n_bins)
        self._begin_with_the_linear_way()
        to_bins = interpolate_bands(features.filters)
        self.noise_gate = NoiseGate(channels, to_bins, features.window, features.hop_length) if noise else None

        self.register_buffer("window", features.window.detach().clone(), persistent=False)
        self.register_buffer("to_bins", to_bins, persistent=False)
        self.register_buffer("log_gain", features.filters.sum(dim=1).log(), persistent=False)
        self.window: Tensor
        self.to_bins: Tensor
        self.log_gain: Tensor

    def _begin_with_the_linear_way(self) -> None:
        """Let the networks add nothing at first, but the phases that a bin begins with: all alike would make clicks."""
        for layer in (self.to_posterior, self.to_magnitude):
            nn.init.zeros_(layer.weight)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
        assert self.to_posterior.bias is not None
        nn.init.constant_(self.to_posterior.bias[self.n_timbre :], FIRST_LOG_VARIANCE)
        nn.init.uniform_(self.to_phase.bias, -math.pi, math.pi)

    @property
    def hop_of_latents(self) -> int:
        """Samples from one latent to the next."""
        return self.stride * self.hop_length

    @property
    def context(self) -> int:
        """Latents on either side that a stretch of sound depends on, beyond its own."""
        at_latents = 1 + KERNEL // 2 * len(self.latent_decoder) + 1
        at_frames = 1 + KERNEL // 2 * len(self.decoder) + self.n_fft // self.hop_length
        if self.noise_gate is not None:
            at_frames += SMOOTHED_FRAMES + self.n_fft // self.hop_length
        return at_latents + math.ceil(at_frames / self.stride)

    @property
    def context_frames(self) -> int:
        """Frames on either side that a latent depends on, beyond its own; a multiple of `stride`."""
        at_frames = KERNEL // 2 * (1 + len(self.encoder)) + self.stride // 2
        return self.stride * (KERNEL // 2 * len(self.latent_encoder) + math.ceil(at_frames / self.stride))

    def freeze_encoder(self) -> None:
        """From here on, only the decoder learns, and it hears latents as they are but for the posterior's noise."""
        for part in (
            self.listen,
            self.encoder,
            self.shorten,
            self.latent_encoder,
            self.to_posterior,
            self.analysis,
        ):
            part.requires_grad_(False)
        self.dropout.p = 0.0

    @torch.no_grad()
    def fit(self, training: Sequence[AudioFeatures], varied: Iterable[AudioFeatures] = ()) -> None:
        """Take statistics and principal components of training sound, before training.

        Components that hold varied sound too, at other speeds above all, hold unheard sound better: on a piano whose
        held-out notes are not among those trained on, the linear way misses 2.6 in place of 3.0 dB.
        """
        levels = (inputs.level[:, None] for inputs in training)
        self.standardise_level.fit(levels, (inputs.sounding for inputs in training))
        shapes = (inputs.log_mel - inputs.level[:, None] for inputs in training)
        self.standardise.fit(shapes, (inputs.sounding for inputs in training))
        patches = draw_patches(self._take_patches(inputs) for inputs in chain(training, varied))
        if len(patches) == 0:  # digital silence alone: there is nothing to be found
            return
        found = find_components(patches, self.n_timbre)
        self.analysis.weight.copy_(found.inwards)
        self.analysis.bias.copy_(-found.inwards @ found.centre)
        self.synthesis.weight.copy_(found.outwards.T)
        self.synthesis.bias.copy_(found.centre)

    def refit(self, training: Sequence[AudioFeatures], varied: Iterable[AudioFeatures] = ()) -> None:
        """The same for a network that has learned on other sound: it goes on to do with sound what it did."""
        former = take_coordinates(self)
        self.fit(training, varied)
        carry_over(self, former, FIRST_LOG_VARIANCE)

    def encode(self, inputs: AudioFeatures, mask: Tensor | None = None) -> Posterior:
        """The posterior of every latent, two `[B, D, L]` with `L = ceil(F / stride)`."""
        level = inputs.level[:, None]
        shape = self._shape(inputs)
        if mask is not None:
            shape = shape.masked_fill(mask, 0.0)
        shape, loudness = pad_frames(shape, self.stride), pad_frames(self.standardise_level(level), self.stride)
        features = self.encoder(self.listen(torch.cat([shape, loudness], dim=1)))
        features = self.latent_encoder(self.shorten(features))
        learned, raw = self.to_posterior(self.dropout(features)).float().chunk(2, dim=1)
        timbre = learned + self.analysis(self._patches(shape)).transpose(1, 2)
        log_variance = bound_log_variance(raw)
        if self.bounded:
            timbre = BOUND * torch.tanh(timbre / BOUND)
            log_variance = torch.full_like(log_variance, BOUNDED_LOG_VARIANCE)
        levels = loudness.unfold(2, self.stride, self.stride)[:, 0].transpose(1, 2)  # [B, stride, L]
        surely = torch.full_like(levels, 2.0 * math.log(LEVEL_DEVIATION))
        return Posterior(torch.cat([levels, timbre], dim=1), torch.cat([surely, log_variance], dim=1))

    def decode(self, latents: Tensor, noise: Tensor | None = None, more_noise: Tensor | None = None) -> Tensor:
        """Latents `[B, D, L]` → waveform `[B, L · stride · hop]`.

        Args:
            noise: white, of unit variance, what the sound's noise is made of, `[B, count_noise(L)]`; its first half
                window lies before the first sample. Without it, the deterministic part of the sound is given; a model
                without noise takes no notice of it.
            more_noise: what is added to the log odds of the share of noise around each latent, `[B, L]`.
        """
        written = self.write(latents)
        if noise is None or self.noise_gate is None:
            return self._sound(written.spectra)
        log_odds = self.noise_gate(written.features)
        if more_noise is not None:
            log_odds = log_odds + more_noise.repeat_interleave(self.stride, dim=1)[:, :, None]
        return self._draw(written, log_odds, noise)

    def count_noise(self, n_latents: int) -> int:
        """Samples of noise that the sound of so many latents is made with."""
        return (n_latents * self.stride - 1) * self.hop_length + self.n_fft

    def write(self, latents: Tensor) -> Written:
        """The spectra along a path of latents, `[B, D, L]`."""
        timbre = latents[:, self.stride :]
        loudness = latents[:, : self.stride].transpose(1, 2).flatten(1)[:, None]  # [B, 1, F]
        features = self.lengthen(self.latent_decoder(self.from_latent(latents))) + self.from_level(loudness)
        frames = self.norm(self.decoder(features).transpose(1, 2))  # [B, F, C]
        skeleton = (
            self.synthesis(timbre.transpose(1, 2))
            .unflatten(2, (self.n_mels, self.stride))
            .transpose(2, 3)
            .flatten(1, 2)
        )
        skeleton = skeleton * self.standardise.deviation[:, 0] + self.standardise.mean[:, 0] - self.log_gain
        log_magnitude = (skeleton @ self.to_bins.T + self.to_magnitude(frames)).float()  # [B, F, N]
        # Whatever the shape, the frame is as loud as the latent says.
        log_magnitude = log_magnitude - 0.5 * torch.logsumexp(2.0 * log_magnitude, dim=2, keepdim=True)
        level = self.standardise_level.invert(loudness)
        log_magnitude = log_magnitude + level.transpose(1, 2)
        magnitude = log_magnitude.clamp(max=MAX_LOG_MAGNITUDE).exp()
        phase = self.to_phase(frames).float() + self._advance(frames.shape[1])
        return Written(torch.complex(magnitude * phase.cos(), magnitude * phase.sin()), frames, level[:, 0])

    def _sound(self, spectra: Tensor) -> Tensor:
        return inverse_stft(spectra, self.window, self.hop_length, spectra.shape[1] * self.hop_length)

    def _draw(self, written: Written, log_odds: Tensor, noise: Tensor) -> Tensor:
        """What was written with noise in it, as loud as it is to be."""
        assert self.noise_gate is not None
        sound = self._sound(self.noise_gate.mix(written.spectra, log_odds, noise))
        return follow_level(sound, written.level, self.window, self.hop_length)

    def _draw_twice(self, inputs: AudioFeatures) -> Tensor | None:
        """A few items, each with two draws of noise from torch's global generator, `[2, n, T]`.

        Only the gate learns from them: what is written stays what distances make it. And it learns from what is written
        along the posterior's mean, as sounds are made: what is written from a sample trembles, which noise would hide.
        """
        if self.noise_gate is None:
            return None
        few = AudioFeatures(*(values[: math.ceil(len(inputs.level) / DRAWN_SHARE)] for values in inputs))
        device = few.level.device
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            self.eval()
            written = self.write(self.encode(few).mean)
            self.train()
        n_latents = written.level.shape[1] // self.stride
        noise = torch.randn(2, len(few.level), self.count_noise(n_latents), device=device)
        with torch.autocast(device.type, enabled=False):
            log_odds = self.noise_gate(written.features)
            return torch.stack([self._draw(written, log_odds, one) for one in noise])

    def forward(self, inputs: AudioFeatures, mask: Tensor | None = None) -> Reconstruction:
        """Train mode draws latents from the posterior; eval mode takes its mean. The output is deterministic; train
        mode gives draws of noise beside it.

        Args:
            mask: true where the encoder is given the band's mean in place of the cell, `[B, M, F]`; loudness stays.
        """
        posterior = self.encode(inputs, mask)
        written = self.write(posterior.sample() if self.training else posterior.mean)
        draws = self._draw_twice(inputs) if self.training else None
        return Reconstruction(inputs.log_mel, self._sound(written.spectra), posterior, self.stride, draws)

    def _shape(self, inputs: AudioFeatures) -> Tensor:
        """Timbre, standardised; the average where there is nothing to be heard. → `[B, M, F]`."""
        share = ((inputs.level - LEVEL_OF_NOTHING) / RISE_FROM_NOTHING).clamp(0.0, 1.0)
        shape: Tensor = self.standardise(inputs.log_mel - inputs.level[:, None])
        return shape * share[:, None]

    def _take_patches(self, inputs: AudioFeatures) -> Tensor:
        """Patches of which at least half of the frames hold sound. → `[N, M · stride]`."""
        sounding = nn.functional.pad(inputs.sounding, (0, -inputs.sounding.shape[1] % self.stride))
        share = sounding.float().unfold(1, self.stride, self.stride).mean(dim=2)  # [B, L]
        patches: Tensor = self._patches(pad_frames(self._shape(inputs), self.stride))[share >= 0.5]
        return patches

    def _patches(self, shape: Tensor) -> Tensor:
        """The frames of each latent side by side: `[B, M, L · stride]` → `[B, L, M · stride]`."""
        return shape.unfold(2, self.stride, self.stride).transpose(1, 2).flatten(2)

    def _advance(self, n_frames: int) -> Tensor:
        """How far a tone at the centre of every bin has turned at each frame, `[F, N]`, radians."""
        overlap = self.n_fft // self.hop_length
        frames = torch.arange(n_frames, device=self.window.device)[:, None]
        bins = torch.arange(self.n_fft // 2 + 1, device=self.window.device)
        return (frames * bins % overlap) * (2.0 * math.pi / overlap)


def _refuse_sizes(features: LogMel, stride: int, latent_dim: int) -> None:
    if features.n_fft not in (2 * features.hop_length, 4 * features.hop_length):
        raise ConfigError(
            f"model=spectral_vae needs audio.n_fft to be twice or four times audio.hop_length: it is "
            f"{features.n_fft} and {features.hop_length}."
        )
    if stride % 2:
        raise ConfigError(f"model.frames_per_latent={stride} is not allowed: use an even number, such as 4.")
    if latent_dim <= stride:
        raise ConfigError(
            f"training.latent_dim={latent_dim} is too small for model=spectral_vae: {stride} dimensions are "
            f"loudness, and timbre needs some too. Use {stride + 4} or more."
        )
