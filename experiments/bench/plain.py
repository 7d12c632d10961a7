"""The same model trained the straightforward way, beside ours: what the machinery is worth."""

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torchaudio
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from experiments.bench.live import LiveRun, Steps, start_run
from experiments.bench.read import read_anew
from experiments.bench.timing import divide, synchronize
from experiments.bench.trial import Figure, Trial
from sda.app.builders import build_augmentation, build_objective
from sda.app.session import Session
from sda.audio.mel import MIN_MAGNITUDE, AudioFeatures
from sda.audio.span import take_whole
from sda.losses.objective import measure_batch
from sda.tracking.quiet import keep_quiet
from sda.training.dataset import AudioTrainingDataset

N_STEPS = 4
N_ROUNDS = 4
N_WORKERS = (0, 2)
"""Processes that load: none, as is torch's default, and the usual two."""


@dataclass
class _Rounds:
    """Seconds a clip, one entry a round; the plain way by its number of workers."""

    ours: list[float] = field(default_factory=list)
    plain: dict[int, list[float]] = field(default_factory=lambda: {n_workers: [] for n_workers in N_WORKERS})
    of_it: dict[str, list[float]] = field(default_factory=lambda: {"load": [], "track": []})
    """What loading and tracking take of the plain way without workers."""


def measure(trial: Trial) -> list[Figure]:
    """Speed of our step over the plain one's."""
    with start_run(trial, "plain") as live:
        rounds = live.follow(_compare(live, trial))
    what = "speed of a step: ours / the straightforward way"
    plain = rounds.plain[0]
    shares = {name: divide(seconds, plain) for name, seconds in rounds.of_it.items()}
    detail = f"of the plain step, loading takes {shares['load']:.0%} and tracking {shares['track']:.0%}"
    return [
        Figure(what, divide(plain, rounds.ours), at_least=3.0, detail=detail),
        Figure(f"{what}, with {N_WORKERS[1]} workers", divide(rounds.plain[N_WORKERS[1]], rounds.ours)),
    ]


def _compare(live: LiveRun, trial: Trial) -> Steps[_Rounds]:
    keep_quiet()
    import mlflow

    rounds, plain = _Rounds(), _PlainTraining(live.session, trial.folder)
    n_steps = trial.pick(N_STEPS, 2)
    n_deliveries = trial.pick(1, 0)
    yield from live.take(2)
    live.settle()
    for _ in range(trial.pick(N_ROUNDS, 2)):
        yield from live.take(1, n_deliveries=n_deliveries)
        rounds.ours.append((yield from live.take(n_steps, n_deliveries=n_deliveries)).clip_s)
        live.settle()
        for n_workers in N_WORKERS:
            taken = plain.take(n_steps, n_workers)
            rounds.plain[n_workers].append(taken["step"])
            if n_workers == 0:
                rounds.of_it["load"].append(taken["load"])
                rounds.of_it["track"].append(taken["track"])
    mlflow.end_run()
    return rounds


class _PlainSounds(Dataset[Tensor]):
    """Decodes and varies every chunk anew when it is asked for."""

    def __init__(self, session: Session):
        self._chunks: AudioTrainingDataset = session.setup.train_loader.dataset
        self._augmentation = build_augmentation(session.plan.config)

    def __len__(self) -> int:
        return len(self._chunks)

    def __getitem__(self, index: int) -> Tensor:
        place, rate_hz = self._chunks.chunks[index % self._chunks.n_chunks], self._chunks.sample_rate
        waveform = read_anew(place.path, place.start, self._chunks.n_read, rate_hz)
        padded = torch.nn.functional.pad(waveform, (0, self._chunks.n_read - len(waveform)))[None]
        draws = self._augmentation.draw(np.random.default_rng(), 1)
        partners = padded[:, : self._chunks.chunk_samples]
        return self._augmentation(
            padded, draws, self._chunks.chunk_samples, partners[: draws.mix_corpus.sum()], rate_hz
        )


class _PlainTraining:
    """A training script as one writes it first: float32, a `Dataset`, `loss.item()`, and `log_metric` in every step."""

    def __init__(self, session: Session, folder: Path):
        import mlflow

        config = session.plan.config
        self._session = session
        self._sounds = _PlainSounds(session)
        self._model = copy.deepcopy(session.state.model).float().to(memory_format=torch.contiguous_format).train()
        self._objective = build_objective(config, self._model)
        self._optimizer = torch.optim.AdamW(self._model.parameters(), lr=config.training.learning_rate / 100)
        self._mel = torchaudio.transforms.MelSpectrogram(
            config.audio.sample_rate_hz,
            n_fft=config.audio.n_fft,
            hop_length=config.audio.hop_length,
            n_mels=config.audio.n_mels,
            power=1.0,
            norm="slaney",
            mel_scale="slaney",
        ).to(session.setup.device)
        self._n_steps = 0
        mlflow.set_tracking_uri(f"sqlite:///{folder / 'plain.db'}")
        mlflow.set_experiment("plain")
        mlflow.start_run()
        self._log_metric = mlflow.log_metric

    def take(self, n_steps: int, n_workers: int) -> dict[str, float]:
        """Seconds a clip of a step, and of what it spends on loading and tracking; the first step is not counted."""
        loader = DataLoader(
            self._sounds,
            self._session.setup.train_loader.batch_size,
            shuffle=True,
            drop_last=True,
            num_workers=n_workers,
        )
        batches = iter(loader)
        self._step(batches)
        spent = {"load": 0.0, "track": 0.0}
        synchronize(self._session.setup.device)
        started = time.perf_counter()
        for _ in range(n_steps):
            for name, seconds in self._step(batches).items():
                spent[name] += seconds
        synchronize(self._session.setup.device)
        spent["step"] = time.perf_counter() - started
        return {
            name: seconds / (n_steps * self._session.setup.train_loader.batch_size) for name, seconds in spent.items()
        }

    def _step(self, batches: Iterator[Tensor]) -> dict[str, float]:
        started = time.perf_counter()
        waveforms = next(batches).to(self._session.setup.device)
        loaded = time.perf_counter()
        waveforms = waveforms.squeeze(1)
        log_mel, level = (
            self._mel(waveforms).clamp(min=MIN_MAGNITUDE).log(),
            self._session.setup.features.level(waveforms),
        )
        whole = torch.ones_like(level, dtype=torch.bool)
        inputs = AudioFeatures(waveforms, log_mel, level, take_whole(waveforms), whole)
        terms = self._objective.score(measure_batch(self._objective, self._model(inputs), inputs, draw=True))
        loss = terms.total()
        self._optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._optimizer.step()
        self._n_steps += 1
        values = {"train_loss": loss.item(), "recon_loss": terms.recon.item(), "kl_loss": terms.kl.item()}
        values |= {"kl_weight": 1.0, "learning_rate": self._optimizer.param_groups[0]["lr"]}
        values |= {"gradient_norm": norm.item(), "step_time_s": time.perf_counter() - started}
        computed = time.perf_counter()
        for name, value in values.items():
            self._log_metric(name, value, step=self._n_steps)
        return {"load": loaded - started, "track": time.perf_counter() - computed}
