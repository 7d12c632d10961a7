"""The ways to new sound that are compared, and two that are none: training sound played back, and shuffled grains."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from learned import Learned

from sda.app.builders import list_training_sounds
from sda.audio.waveform import read_waveform
from sda.config.verbs import AUTO_LENGTH
from sda.evaluation.sounds import Sound
from sda.evaluation.specimens import Specimens, draw_specimens
from sda.evaluation.trained_model import TrainedModel
from sda.models.priors.density import Density
from sda.models.priors.mosaic import Mosaic

GRAIN_S = 0.2
"""Of a shuffle: each begins in the middle of the one before, under a Hann window."""
SEED = 0

Way = Callable[[TrainedModel, Sequence[Sound], int], Specimens]
"""From a model, its training sound, and how many to new sounds."""


def choose_way(name: str, root: str) -> Way:
    """A way by its name: `mosaic=0.1` and `density`, with `-noiseless` behind them for the deterministic part of the
    decoder alone; `learned=FILE`; `played-back` and `shuffled`, which need no model.

    Args:
        root: the folder of sounds that the run was trained on.

    Raises:
        ValueError: there is none of that name.
    """
    kind, _, value = name.removesuffix("-noiseless").partition("=")
    known = {"played-back": _play_back, "shuffled": _shuffle}
    if kind in known:
        return known[kind]
    if kind not in ("mosaic", "density", "learned"):
        raise ValueError(f"{name}: use mosaic=NOVELTY, density, learned=FILE, played-back or shuffled")

    def draw(trained: TrainedModel, train: Sequence[Sound], n: int) -> Specimens:
        synthesizer = trained.synthesizer
        own = synthesizer.prior, synthesizer.manner, synthesizer.writes_noise
        synthesizer.writes_noise = synthesizer.writes_noise and not name.endswith("-noiseless")
        try:
            if kind == "learned":
                synthesizer.prior = Learned.load(Path(value))
            else:
                synthesizer.manner = replace(synthesizer.manner, novelty=float(value or 0))
                synthesizer.prior = (Mosaic if kind == "mosaic" else Density)(synthesizer.prior.latent_dim)
                synthesizer.fit(list_training_sounds(trained.split, trained.corpus, root))
            return draw_specimens(synthesizer, n, AUTO_LENGTH, SEED)
        finally:
            synthesizer.prior, synthesizer.manner, synthesizer.writes_noise = own

    return draw


def _play_back(trained: TrainedModel, train: Sequence[Sound], n: int) -> Specimens:
    """Training sounds as they are, one after the other."""
    order = np.random.default_rng(SEED).permutation(max(n, len(train)))[:n]
    return Specimens([_rename(train[number % len(train)], number) for number in order.tolist()], [], 0)


def _shuffle(trained: TrainedModel, train: Sequence[Sound], n: int) -> Specimens:
    """Grains of all training sounds in any order, as long as the sounds are."""
    generator = torch.Generator().manual_seed(SEED)
    every = torch.cat([read_waveform(one.waveform) for one in train])
    n_hop = round(GRAIN_S * trained.features.sample_rate_hz / 2)
    window = torch.hann_window(2 * n_hop)
    sounds = []
    for number in range(n):
        length = len(train[number % len(train)].waveform)
        made = torch.zeros(length + 2 * n_hop)
        for place in range(0, length, n_hop):
            first = int(torch.randint(max(1, len(every) - 2 * n_hop), (), generator=generator))
            grain = every[first : first + 2 * n_hop]
            made[place : place + len(grain)] += window[: len(grain)] * grain
        sounds.append(Sound(f"shuffled {number}", made[:length]))
    return Specimens(sounds, [], 0)


def _rename(sound: Sound, number: int) -> Sound:
    """The same sound as if it had been generated."""
    return sound._replace(name=f"generated {number}")
