"""How much of the bare model's speed a training step keeps, and what the parts of a step cost."""

import copy
from dataclasses import dataclass, field
from itertools import cycle
from statistics import median

import numpy as np
import torch

from experiments.bench.live import LiveRun, Steps, start_run
from experiments.bench.timing import divide, time_call
from experiments.bench.trial import Figure, Trial
from sda.app.builders import build_objective
from sda.app.session import Session
from sda.audio.mel import AudioFeatures
from sda.losses.objective import measure_batch
from sda.training.optimizer import build_optimizer
from sda.training.step import NOISE_WEIGHT

N_STEPS = 10
N_ROUNDS = 4
BARE_S = 1.0
"""And bare ones for so long: they have nothing to wait for."""
N_BATCHES = 4


@dataclass
class _Rounds:
    """Seconds a clip, one entry a round."""

    real: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    parts: dict[str, list[float]] = field(
        default_factory=lambda: {"read": [], "augmentation": [], "mel": [], "noise": []}
    )


def measure(trial: Trial) -> list[Figure]:
    """The step with everything on against the bare model, and its parts."""
    with start_run(trial, "step") as live:
        rounds = live.follow(_compare(live, trial))
        loader, chunk_s = live.session.setup.train_loader, live.session.plan.config.training.crop_duration_s
    clips_per_s, visits = 1 / median(rounds.real), 1 + loader.dataset.extra_visits
    once_s = 3600 / chunk_s / clips_per_s
    return [
        Figure(
            "speed of a step: everything on / bare model",
            divide(rounds.bare, rounds.real),
            at_least=0.95,
            detail=f"{clips_per_s:.1f} clips/s in batches of {loader.batch_size}",
        ),
        Figure(
            "time of an epoch / length of its sound, every chunk once",
            once_s / 3600,
            detail=f"for one hour {once_s:.0f} s, with the preset's {visits} visits {visits * once_s / 60:.1f} min",
        ),
        *(
            Figure(f"share of a step, measured alone: {name}", divide(seconds, rounds.real))
            for name, seconds in rounds.parts.items()
        ),
    ]


def _compare(live: LiveRun, trial: Trial) -> Steps[_Rounds]:
    rounds, parts = _Rounds(), _Parts(live.session)
    bare, without_noise = BareModel(live.session), BareModel(live.session, with_noise=False)
    n_steps, n_clips, bare_s = (
        trial.pick(N_STEPS, 2),
        live.session.setup.train_loader.batch_size,
        trial.pick(BARE_S, 0.0),
    )
    n_deliveries = trial.pick(1, 0)
    yield from live.take(2)
    live.settle()
    for _ in range(trial.pick(N_ROUNDS, 2)):
        yield from live.take(1, n_deliveries=n_deliveries)
        rounds.real.append((yield from live.take(n_steps, n_deliveries=n_deliveries)).clip_s)
        live.settle()
        for one in (bare, without_noise):
            one.step()
        bare_clip_s, without_clip_s = (
            time_call(one.step, live.session.setup.device, n_steps, bare_s) / n_clips for one in (bare, without_noise)
        )
        rounds.bare.append(bare_clip_s)
        rounds.parts["noise"].append(bare_clip_s - without_clip_s)
        for name, seconds in parts.time(trial.pick(3, 1)).items():
            rounds.parts[name].append(seconds / n_clips)
    return rounds


class BareModel:
    """Forward, backward and optimiser on spectrograms that lie on the device: the ceiling of any training step.

    Args:
        with_noise: with what the noise that was drawn is to lower, as a training step has it.
    """

    def __init__(self, session: Session, *, with_noise: bool = True):
        config = session.plan.config
        self._noise_weight = NOISE_WEIGHT if with_noise else 0.0
        self._model = copy.deepcopy(session.state.model).train()
        self._objective = build_objective(config, self._model)
        self._optimizer = build_optimizer(
            self._model, config.training.learning_rate / 100, config.regularization.weight_decay
        )
        self._autocast = session.setup.autocast
        self._batches = cycle([extract_batch(session) for _ in range(N_BATCHES)])

    def step(self) -> None:
        inputs = next(self._batches)
        with torch.autocast(inputs.waveform.device.type, dtype=self._autocast, enabled=self._autocast is not None):
            result = self._model(inputs)
        loss = self._objective.score(measure_batch(self._objective, result, inputs, draw=True)).total()
        if self._noise_weight:
            loss = loss + self._noise_weight * self._objective.score_noise(result, inputs)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()


class _Parts:
    """What a step does beside the model, each alone."""

    def __init__(self, session: Session):
        self._session = session
        self._rng = np.random.default_rng(0)

    def time(self, n_calls: int) -> dict[str, float]:
        """Seconds a batch of each part."""
        session, dataset = self._session, self._session.setup.train_loader.dataset
        items = draw_items(session, self._rng)
        read = dataset.read(items).to(session.setup.device)
        varied = dataset.vary(read)
        parts = {
            "read": lambda: dataset.read(items).to(session.setup.device),
            "augmentation": lambda: dataset.vary(read),
            "mel": lambda: session.setup.features(varied),
        }
        with torch.no_grad():
            return {name: time_call(part, session.setup.device, n_calls) for name, part in parts.items()}


def draw_items(session: Session, rng: np.random.Generator) -> list[int]:
    """A full batch of random items."""
    loader = session.setup.train_loader
    drawn: list[int] = rng.integers(len(loader.dataset), size=loader.batch_size).tolist()
    return drawn


@torch.no_grad()
def extract_batch(session: Session) -> AudioFeatures:
    """A random batch with its spectrograms, on the device."""
    dataset = session.setup.train_loader.dataset
    batch = dataset.read(draw_items(session, np.random.default_rng())).to(session.setup.device)
    return session.setup.features.extract(*dataset.finish(batch))
