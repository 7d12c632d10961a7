"""A trained network as a stream: a latent at a time, each computed with what lies around it, from buffers that go on.

What a host's blocks are leaves no trace: however long they are, the same comes out, and as late. State is kept in
buffers of the module, so that it moves and is stored with it. All of it is TorchScript, which hosts run without Python.

Letters in the shapes: `B` sounds side by side, `T` samples, `D` latent dimensions, `K` latents, `H` samples from latent
to latent, `W` latents that are seen at a time.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sda.audio.mel import LogMel
from sda.export.philox import Philox
from sda.export.scripting import freeze
from sda.models.spectral_vae import SpectralVAE


@dataclass(frozen=True)
class View:
    """What a latent is computed with, in latents."""

    before: int
    ahead: int
    """So much later it comes out."""

    @property
    def width(self) -> int:
        """With itself."""
        return self.before + 1 + self.ahead


def see_latents(model: SpectralVAE, lookahead: int | None = None) -> View:
    """What the sound of a latent is computed with: `lookahead` latents behind it, all that matter if not given."""
    return View(model.context, model.context if lookahead is None else min(lookahead, model.context))


def see_sound(model: SpectralVAE, lookahead: int | None = None) -> View:
    """What a latent of given sound is computed with, in the same way."""
    context = model.context_frames // model.stride
    return View(context, context if lookahead is None else min(lookahead, context))


class _Hear(nn.Module):
    """Sound → the latent in its middle. `[1, T]` → `[1, D]`."""

    def __init__(self, model: SpectralVAE, features: LogMel, place: int):
        super().__init__()
        self.model, self.features, self.place = model, features, place

    def forward(self, sound: Tensor) -> Tensor:
        return self.model.encode(self.features.extract_padded(sound)).mean[:, :, self.place]


class _Speak(nn.Module):
    """Latents → the sound of the one in their middle. `[1, D, W]`, noise, log odds `[1, W]` → `[1, H]`."""

    def __init__(self, model: SpectralVAE, place: int):
        super().__init__()
        self.model = model
        self.own = slice(place * model.hop_of_latents, (place + 1) * model.hop_of_latents)

    def forward(self, latents: Tensor, noise: Tensor, more_noise: Tensor) -> Tensor:
        return self.model.decode(latents, noise, more_noise)[:, self.own]


def freeze_hearing(model: SpectralVAE, features: LogMel, view: View) -> nn.Module:
    """What gives a latent of the sound around it."""
    return freeze(_Hear(model, features, view.before), (torch.zeros(1, count_heard(model, view.width)),))


def freeze_speaking(model: SpectralVAE, view: View) -> nn.Module:
    """What gives the sound of a latent and those around it."""
    latents, odds = torch.zeros(1, model.latent_dim, view.width), torch.zeros(1, view.width)
    return freeze(_Speak(model, view.before), (latents, torch.zeros(1, model.count_noise(view.width)), odds))


def count_heard(model: SpectralVAE, n_latents: int) -> int:
    """Samples that the spectra of so many latents are computed from."""
    return (n_latents * model.stride - 1) * model.hop_length + model.n_fft


class Listener(nn.Module):
    """The encoder as a stream. Before it begins there was silence.

    Args:
        core: what `freeze_hearing` gives for this model and this view.
        gain: sound is made louder by this factor before it is heard.
    """

    def __init__(self, core: nn.Module, model: SpectralVAE, *, view: View, gain: float):
        super().__init__()
        self.core, self.hop, self.latent_dim, self.gain = core, model.hop_of_latents, model.latent_dim, gain
        self.n_seen = count_heard(model, view.width)
        reach = model.n_fft // 2 - model.hop_length  # of a latent's last frame, beyond its own samples
        self.delay = view.ahead + max(0, math.ceil(reach / self.hop))
        """Latents that come out before the first one of the sound that is given."""
        n_held = self.n_seen + (self.delay - view.ahead) * self.hop - reach
        self.register_buffer("heard", torch.zeros(1, n_held))
        self.register_buffer("waiting", torch.zeros(1, 0))
        self.heard: Tensor
        self.waiting: Tensor

    def forward(self, sound: Tensor) -> Tensor:
        """What comes in → the latents that are complete by it; the rest waits. `[B, T]` → `[B, D, K]`."""
        n_items = sound.shape[0]
        if self.heard.shape[0] != n_items:
            self.heard = torch.zeros(n_items, self.heard.shape[1])
            self.waiting = torch.zeros(n_items, 0)
        given = torch.cat([self.waiting, sound * self.gain], dim=1)
        n_latents = given.shape[1] // self.hop
        latents = torch.zeros(n_items, self.latent_dim, n_latents)
        for place in range(n_latents):
            new = given[:, place * self.hop : (place + 1) * self.hop]
            self.heard = torch.cat([self.heard[:, self.hop :], new], dim=1)
            for item in range(n_items):
                latents[item, :, place] = self.core(self.heard[item : item + 1, : self.n_seen])[0]
        self.waiting = given[:, n_latents * self.hop :].clone()
        return latents


class Speaker(nn.Module):
    """The decoder as a stream. Before it begins there was `rest`, as many latents as it sees.

    Args:
        core: what `freeze_speaking` gives for this model and this view.
        rest: the latent of silence, `[D]`.
        gain: what comes out is made louder by this factor.
    """

    def __init__(self, core: nn.Module, model: SpectralVAE, *, view: View, rest: Tensor, gain: float):
        super().__init__()
        self.core, self.hop, self.gain, self.delay = core, model.hop_of_latents, gain, view.ahead
        self.n_noise, self.has_noise = model.count_noise(view.width), model.noise_gate is not None
        latents = rest[None, :, None].repeat(1, 1, view.width)
        self.philox = Philox()
        self.n_drawn, self.last_db = 0, 0.0
        """Samples of noise that were drawn, and how much louder the last one of sound was made."""
        self.register_buffer("rest", latents.clone())
        self.register_buffer("seen", latents)
        self.register_buffer("odds", torch.zeros(1, view.width))
        self.register_buffer("noise", torch.zeros(1, self.n_noise))
        self.rest: Tensor
        self.seen: Tensor
        self.odds: Tensor
        self.noise: Tensor

    def forward(self, latents: Tensor, more_noise: Tensor, level_db: float, seed: int) -> Tensor:
        """Sound, as many latents late as it looks ahead. `[B, D, K]` → `[B, K · H]`.

        Args:
            more_noise: what is added to the log odds of noise, `[B, K]`.
            level_db: how much louder it is made, without a step; what comes out now, and not what goes in.
            seed: of the noise in the first sound; each further one has the next.
        """
        n_items, n_latents = latents.shape[0], latents.shape[2]
        if self.seen.shape[0] != n_items:
            self._begin(n_items)
        if self.n_drawn == 0:
            self.noise = self._draw(n_items, self.n_noise, seed)
        sound = torch.zeros(n_items, n_latents * self.hop)
        for place in range(n_latents):
            self.seen = torch.cat([self.seen[:, :, 1:], latents[:, :, place : place + 1]], dim=2)
            self.odds = torch.cat([self.odds[:, 1:], more_noise[:, place : place + 1]], dim=1)
            self.noise = torch.cat([self.noise[:, self.hop :], self._draw(n_items, self.hop, seed)], dim=1)
            for item in range(n_items):
                own = slice(item, item + 1)
                sound[own, place * self.hop : (place + 1) * self.hop] = self.core(
                    self.seen[own], self.noise[own], self.odds[own]
                )
        return self._amplify(sound, level_db) * self.gain

    def _amplify(self, sound: Tensor, level_db: float) -> Tensor:
        """Louder from the first latent's end on, and on the way there before."""
        if level_db == 0.0 and self.last_db == 0.0:
            return sound
        since = (torch.arange(sound.shape[1]) / self.hop).clamp(max=1.0)
        curve_db = self.last_db + (level_db - self.last_db) * since
        self.last_db = level_db
        return sound * 10 ** (curve_db / 20)

    def _begin(self, n_items: int) -> None:
        self.seen = self.rest.repeat(n_items, 1, 1)
        self.odds = torch.zeros(n_items, self.odds.shape[1])
        self.n_drawn = 0

    def _draw(self, n_items: int, n_samples: int, seed: int) -> Tensor:
        """The next samples of every sound's noise, `[B, n_samples]`."""
        noise = torch.zeros(n_items, n_samples)
        if self.has_noise:
            for item in range(n_items):
                noise[item] = self.philox(seed + item, self.n_drawn, n_samples)
        self.n_drawn += n_samples
        return noise


@torch.no_grad()
def find_rest(model: SpectralVAE, features: LogMel) -> Tensor:
    """The latent of silence that goes on, `[D]`."""
    context = model.context_frames // model.stride
    silence = torch.zeros(1, count_heard(model, 2 * context + 1))
    return model.eval().encode(features.extract_padded(silence)).mean[0, :, context]
