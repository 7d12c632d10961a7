"""A trained model from Python: everything that `sda generate` makes, by the same functions.

Letters in the shapes: `T` samples, `C` channels, `D` latent dimensions, `K` points of a path through the latent space.
"""

import os
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from sda.api.asking import Asker
from sda.api.given import AnySound, GivenPath, give
from sda.api.settings import spell_roots
from sda.api.sound import Sound
from sda.app.loading import TrainedRun, open_run
from sda.app.played_run import list_controls
from sda.config.verbs import LONGEST_S, WhichCheckpoint
from sda.errors import ConfigError, DataError
from sda.generation.synthesizer import take_seed
from sda.play.opened import Control
from sda.roots import Folder

Places = str | Sequence[tuple[str, float]]
"""Moments of recordings, each a name and seconds; or written as for `sda generate`."""


def load(
    name: GivenPath = "last",
    *,
    device: str = "auto",
    checkpoint: str = "best",
    root: Folder | Sequence[Folder] | None = None,
) -> "Model":
    """A trained model, to be played with.

    Args:
        name: a run's folder, its MLflow run id, `last`, or a model in one file, as `run=` of `sda generate`.
        device: auto (CUDA, then MPS, then CPU), cpu, cuda, cuda:N or mps.
        checkpoint: best or last.
        root: where the sounds of the run lie now, if they have moved: a folder, or a list of several.

    Raises:
        CheckpointError: there is no such run, or it cannot be read.
        ConfigError: the device or the checkpoint is unknown.
        DataError: the sounds are not at `root`.
    """
    if checkpoint not in WhichCheckpoint.__members__:
        raise ConfigError(f"checkpoint={checkpoint} is unknown: use {' or '.join(WhichCheckpoint.__members__)}.")
    return Model(_open(os.fspath(name), device, WhichCheckpoint[checkpoint], spell_roots(root or "")))


def _open(name: str, device: str, which: WhichCheckpoint, root: str) -> TrainedRun:
    """Whatever a model can be loaded from is recognised here: a run, by any of its names, or a model in one file."""
    return open_run(name, device, which, root)


class Model:
    """A trained model; `load` makes it.

    The same settings and seed give the same samples as `sda generate`, before those are rounded to a file's depth.
    Every method that makes sound takes the keys of `sda generate` by their names (`novelty`, `temperature`,
    `brightness` …) as `settings`, and `seconds` for `duration_s`. Curves may be given as points too:
    `brightness=[(0, 0), (4, 1)]`.

    Sound is given as a path, a `Sound`, or samples `[T]` or `[C, T]` of NumPy's or torch's, full scale at 1, with
    `sample_rate_hz`. It is mixed to mono and resampled as files are, see `sda.audio.io.load_audio`. As on the command
    line, no more than `seconds` of it are taken; of sound that is continued, the end.

    Errors are those of the command line, see `sda.errors`. Nothing is written, but for the record of controls that were
    tried.
    """

    def __init__(self, run: TrainedRun):
        self._run = run
        self._asker = Asker(run)

    @property
    def folder(self) -> Path:
        """The run's; of a model in one file, that file."""
        return self._run.run_dir

    @property
    def sample_rate_hz(self) -> int:
        """Of all sound that is made."""
        return self._run.features.sample_rate_hz

    @property
    def epoch(self) -> int:
        """The epoch that the model is of."""
        return int(self._run.checkpoint.progress["epoch"])

    @property
    def config(self) -> dict[str, Any]:
        """Everything that the run was told, as plain values by section; a copy."""
        return deepcopy(self._run.checkpoint.config)

    @property
    def recordings(self) -> list[str]:
        """Names of what new sound is made of, as provenance and `walk` have them; empty where that is not known."""
        return list(self._run.synthesizer.prior.names)

    @property
    def controls(self) -> list[Control]:
        """What can be turned: `key`, `name`, `unit`, from `low` to `high`, and how far it can be relied on.

        `is_named` says whether it keeps its word on held-out sound; where it does not, its key is such as `axis_4`.
        `reliability` is the rank correlation that was measured, `leakage` what moves along. They are found and tried
        when they are first asked for, in a minute or two, and kept with the run.

        Raises:
            ConfigError: the model is of a kind that has none.
            DataError: the sounds that it was trained on are gone or have changed.
        """
        return list_controls(self._asker.prove())

    @overload
    def sample(self, *, seconds: float | str = ..., seed: int = ..., n: None = ..., **settings: Any) -> Sound: ...
    @overload
    def sample(self, *, seconds: float | str = ..., seed: int = ..., n: int, **settings: Any) -> list[Sound]: ...
    def sample(
        self, *, seconds: float | str = 4.0, seed: int = 0, n: int | None = None, **settings: Any
    ) -> Sound | list[Sound]:
        """New sound.

        Args:
            seconds: its length; `auto` for lengths as in the corpus.
            n: how many, as a list; without it one sound, which is the first of every such list.
        """
        made = self.make("sample", seconds=seconds, seed=seed, n=1 if n is None else n, **settings)
        return made[0] if n is None else made

    def continue_(self, sound: AnySound, *, seconds: float = 4.0, seed: int = 0, **settings: Any) -> Sound:
        """A sound, and what may come after it, so many seconds more."""
        return self.make("continue", [sound], seconds=seconds, seed=seed, **settings)[0]

    def vary(
        self, sound: AnySound, *, strength: float = 0.5, seconds: float = 4.0, seed: int = 0, **settings: Any
    ) -> Sound:
        """A relative of a sound: with strength 0 it is the sound as the model rebuilds it, with 1 a new one."""
        return self.make("vary", [sound], strength=strength, seconds=seconds, seed=seed, **settings)[0]

    def blend(
        self,
        first: AnySound,
        second: AnySound,
        *,
        share: Any = 0.5,
        seconds: float = 4.0,
        seed: int = 0,
        **settings: Any,
    ) -> Sound:
        """Two sounds at once; `share` is that of the second, or a curve of it over time."""
        return self.make("blend", [first, second], share=share, seconds=seconds, seed=seed, **settings)[0]

    def reconstruct(self, sound: AnySound, *, seconds: float = 4.0, seed: int = 0, **settings: Any) -> Sound:
        """A sound through the latents and back."""
        return self.make("reconstruct", [sound], seconds=seconds, seed=seed, **settings)[0]

    def interpolate(
        self, first: AnySound, second: AnySound, *, seconds: float = 4.0, seed: int = 0, **settings: Any
    ) -> Sound:
        """From one sound to another, step by step."""
        return self.make("interpolate", [first, second], seconds=seconds, seed=seed, **settings)[0]

    def transfer(
        self, sound: AnySound, *, adherence: float = 0.3, seconds: float = 4.0, seed: int = 0, **settings: Any
    ) -> Sound:
        """The loudness and the onsets of a sound, in the timbre of what the model was trained on."""
        return self.make("transfer", [sound], adherence=adherence, seconds=seconds, seed=seed, **settings)[0]

    def loop(self, *, seconds: float = 4.0, seed: int = 0, **settings: Any) -> Sound:
        """New sound that goes round without a seam."""
        return self.make("loop", seconds=seconds, seed=seed, **settings)[0]

    def walk(self, places: Places, *, seconds: float = 4.0, seed: int = 0, **settings: Any) -> Sound:
        """Past moments of `recordings`, evenly spread over the time."""
        written = places if isinstance(places, str) else ",".join(f"{name}@{at_s}" for name, at_s in places)
        return self.make("walk", places=written, seconds=seconds, seed=seed, **settings)[0]

    def make(
        self,
        mode: str,
        sounds: Sequence[AnySound] = (),
        *,
        sample_rate_hz: int | None = None,
        seconds: float | str = 4.0,
        seed: int = 0,
        n: int = 1,
        **settings: Any,
    ) -> list[Sound]:
        """Sounds of any mode of `sda generate`; the methods that are called as the modes are give the first of them.

        Args:
            mode: such as `vary`.
            sounds: to start from, as if they were the files of `source=`, in this order.
            sample_rate_hz: of those that are given as samples.
            n: how many; of `reconstruct` and `transfer`, one a sound at most.

        Raises:
            ConfigError: a setting is unknown, out of range, or of no use with this mode.
            DataError: a sound is missing, none, or too short.
        """
        given = [give(f"sound {number}", sound, sample_rate_hz) for number, sound in enumerate(sounds, start=1)]
        return self._asker.make(self._asker.settle(mode, settings, seconds=seconds, seed=seed, n=n), given)

    def encode(self, sound: AnySound, *, sample_rate_hz: int | None = None) -> NDArray[np.float32]:
        """The path that a sound takes through the latent space, all of it. → `[D, K]`.

        Raises:
            DataError: it is missing, none, or too short.
        """
        given = give("sound", sound, sample_rate_hz)
        order = self._asker.order(self._asker.settle("reconstruct", {}, seconds=LONGEST_S), [given])
        path: NDArray[np.float32] = order.follow(given).numpy()
        return path

    def decode(
        self, latents: ArrayLike | torch.Tensor, *, seed: int = 0, n_samples: int | None = None, **settings: Any
    ) -> Sound:
        """The sound of a path through the latent space. `[D, K]` → `[T]`.

        Args:
            seed: of the noise in it.
            n_samples: `T`; all that the path has if not given.
            settings: `noise`, and controls.

        Raises:
            ConfigError: a setting is unknown, out of range, or of no use here.
            DataError: the path has another number of dimensions, or no points.
        """
        path = torch.as_tensor(latents, dtype=torch.float32).detach().cpu()
        n_dims = self._run.config.training.latent_dim
        if path.ndim != 2 or len(path) != n_dims or path.shape[1] == 0:
            raise DataError(f"latents: their shape {list(path.shape)} is none of this model. Give [{n_dims}, K].")
        order = self._asker.order(self._asker.settle("reconstruct", settings, seed=seed), [])
        n_samples = path.shape[1] * order.synthesizer.hop_samples if n_samples is None else n_samples
        decoded = order.synthesizer.decode(path, n_samples, take_seed(seed, 1))
        return Sound((1.0 / order.gain * decoded).numpy(), self.sample_rate_hz, seed)

    def __repr__(self) -> str:
        model = self._run.config.model.name.value
        return f"Model({model} at {self.sample_rate_hz} Hz, epoch {self.epoch} of {self.folder})"
