"""The same command comes to the same bits, whatever clocks, memory, folders and hashes say, and wherever it stopped."""

import json
import math
import os
import random
import shutil
import signal
from itertools import count
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from rich.console import Console

from experiments.torture.compare import find_differences
from sda.app.sweep_job import share_threads
from sda.app.train import run_training
from sda.config.machine import THREADS, count_cores
from sda.parallel import use_threads
from sda.runs.resume import plan_resume
from sda.training import loop
from sda.training.arithmetic import choose_threads
from sda.training.checkpoint import Checkpoint, open_newest
from sda.training.interrupt import SAVE_SIGNAL
from sda.training.metrics import MetricsHistory
from sda.training.step import take_step
from tests.whole.test_accidents import train  # noqa: F401 (a fixture)

N_EPOCHS = 2
DEFAULT_MODEL = (
    "audio.sample_rate_hz=16000",
    "training.chunk_duration_s=0.25",
    "training.latent_dim=8",
    "regularization.augmentation_expansion=1",
    "preview.n_samples=1",
    "evaluation.max_clips=4",
    "evaluation.at_end=none",
    "tracking=none",
    f"training.max_epochs={N_EPOCHS}",
    "training.checkpoint_interval=1",
)


@pytest.mark.slow
def test_the_same_command_twice_gives_the_same_bits(command_line, sounds, tmp_path):
    """In another order of files and of hashes, with empty caches, saved at other moments, read by another process."""
    root = Path(sounds.removeprefix("data.root="))
    names = sorted(path.name for path in root.iterdir())
    differences = (
        {"PYTHONHASHSEED": "1", "SDA_CACHE_DIR": str(tmp_path / "cache_1")},
        {"PYTHONHASHSEED": "4242", "SDA_CACHE_DIR": str(tmp_path / "cache_2")},
    )
    extras = (("checkpoint.every_minutes=0",), ("checkpoint.every_minutes=0.001", "training.num_workers=1"))
    run_dirs = []
    for seed, (environment, extra) in enumerate(zip(differences, extras, strict=True)):
        _write_anew(root, random.Random(seed).sample(names, len(names)))
        run_dir = command_line.folder / "runs" / "day" / str(seed)
        given = (sounds, *DEFAULT_MODEL, *extra, f"hydra.run.dir={run_dir}")
        command_line.run_afresh("train", *given, **environment)
        run_dirs.append(run_dir)
    assert list(find_differences(run_dirs[1], run_dirs[0], N_EPOCHS)) == []
    saved_in_time = [event for event in command_line.events(run_dirs[1], "SaveDue") if event["reason"] == "time"]
    assert saved_in_time  # or nothing was tried
    manifests = [json.loads((run_dir / "manifest.json").read_text()) for run_dir in run_dirs]
    assert manifests[0] == manifests[1]


def _write_anew(root, names):
    """The same files, made in an order of their own: so a folder lists them in another."""
    away = root.with_name("away")
    root.rename(away)
    root.mkdir()
    for name in names:
        shutil.copy(away / name, root / name)
    shutil.rmtree(away)


def _save(heard):
    os.kill(os.getpid(), SAVE_SIGNAL)
    return heard


def _stop(heard):
    os.kill(os.getpid(), signal.SIGINT)
    return heard


def _poison(heard):
    return heard._replace(log_mel=torch.full_like(heard.log_mel, math.nan))


@pytest.mark.slow
@pytest.mark.skipif(SAVE_SIGNAL is None, reason="this system has no SIGUSR1")
def test_a_run_that_diverges_goes_back_to_the_same_state_whenever_it_was_saved(train, monkeypatch, tmp_path):  # noqa: F811
    run_dirs = []
    for name, acts in (("untouched", {6: _poison, 7: _poison}), ("saved", {3: _save, 6: _poison, 7: _poison})):
        _act_at_steps(monkeypatch, acts)
        run_dir, code, _ = train("training.max_epochs=2", "training.max_skipped_steps=2", "preview.n_samples=0")
        assert code == 0
        assert (run_dir / "events.jsonl").read_text().count('"RolledBack"') == 1
        run_dirs.append(run_dir.rename(tmp_path / name))
    assert (run_dirs[1] / "checkpoints" / "epoch_0000_batch_00003").is_dir()
    ours, theirs = (open_newest(run_dir / "checkpoints")[0].load_tensors() for run_dir in run_dirs)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


def _act_at_steps(monkeypatch, acts):
    """Do something before chosen calls of `take_step`, counted from 1, which is then given what came of it."""
    numbers = count(1)

    def taking(model, optimizer, objective, heard, **settings):
        act = acts.get(next(numbers), lambda heard: heard)
        return take_step(model, optimizer, objective, act(heard), **settings)

    monkeypatch.setattr(loop, "take_step", taking)


@pytest.mark.slow
@pytest.mark.skipif(count_cores() < 2, reason="one core computes on one thread")
def test_a_run_goes_on_with_as_many_threads_as_it_began_with(train, monkeypatch):  # noqa: F811
    monkeypatch.delenv(THREADS, raising=False)
    _act_at_steps(monkeypatch, {3: _stop})
    with use_threads(1):
        run_dir, code, _ = train("training.max_epochs=1")
    assert code == 130
    with use_threads(2):
        assert run_training(plan_resume(str(run_dir), {}), Console(quiet=True)) == 0
        assert torch.get_num_threads() == 2
    assert open_newest(run_dir / "checkpoints")[0].facts["versions"]["threads"] == "1"


def _checkpoint(**versions):
    return Checkpoint(Path("/c"), {}, MetricsHistory(), {}, {"versions": versions})


def test_threads_are_those_a_run_began_with_unless_you_say_or_there_are_too_few_cores(monkeypatch):
    monkeypatch.delenv(THREADS, raising=False)
    monkeypatch.setattr("sda.training.arithmetic.count_cores", lambda: 4)
    with use_threads(2):
        assert choose_threads(None) == 2
        assert choose_threads(_checkpoint(threads="3")) == 3
        for unusable in ({}, {"threads": "16"}, {"threads": "0"}, {"threads": "-1"}, {"threads": "many"}):
            assert choose_threads(_checkpoint(**unusable)) == 2
        monkeypatch.setenv(THREADS, "2")
        assert choose_threads(_checkpoint(threads="3")) == 2


@pytest.mark.parametrize(("free_gb", "n_jobs"), [(64.0, 8), (5.0, 2)])
def test_the_threads_of_a_sweep_do_not_depend_on_memory_that_is_free_at_the_moment(monkeypatch, free_gb, n_jobs):
    monkeypatch.setenv(THREADS, "")  # to be put back as it was
    monkeypatch.delenv(THREADS)
    for place in ("app.sweep_job", "config.resolvers"):
        monkeypatch.setattr(f"sda.{place}.measure_machine", lambda: (16, 0, free_gb))
    settings = OmegaConf.create({"n_jobs": "${jobs_at_once:}"})
    assert f"{n_jobs} jobs at once, 2 threads each" in share_threads("joblib", settings)
    monkeypatch.delenv(THREADS)
    assert "4 threads each" in share_threads("joblib", OmegaConf.create({"n_jobs": 4}))  # you said so
    monkeypatch.delenv(THREADS)
