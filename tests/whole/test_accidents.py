"""Accidents of a whole run, in this process: numbers that are not finite, disks that refuse, signals."""

import errno
import io
import json
import math
import os
import signal
import sqlite3
from contextlib import closing

import pytest
import torch
from rich.console import Console

from sda.app.train import EXIT_STOPPED, EXIT_STOPPED_AT_ONCE, EXIT_UNSAVED, run_training
from sda.config.arguments import quote_value
from sda.errors import TrainingError
from sda.runs.continuation import open_continuation
from sda.runs.folder import read_summary
from sda.runs.plan import plan_run
from sda.tracking.journal import read_journal
from sda.training import loop
from sda.training.checkpoint import open_newest
from sda.training.interrupt import SAVE_SIGNAL
from tests.composing import compose_verb
from tests.verbs import TINY

pytestmark = pytest.mark.slow


@pytest.fixture
def train(make_sounds, tmp_path):
    """Train in this process; gives the run's folder, the exit code and what was printed."""
    sounds = make_sounds(6)

    def run(*overrides):
        run_dir = tmp_path / "run"
        run_dir.mkdir()
        given = [f"data.root={quote_value(str(sounds))}", "tracking=none", "training.batch_size=4", *TINY, *overrides]
        printed = io.StringIO()
        plan = plan_run(compose_verb("train", *given), run_dir, given, "auto", None)
        code = run_training(plan, Console(file=printed, width=300))
        return run_dir, code, printed.getvalue()

    run.folder = tmp_path / "run"
    return run


@pytest.fixture
def at_step(monkeypatch):
    """Do something at chosen calls of `take_step`, counted from 1; it is given the model and the spectrograms."""
    take_step, calls = loop.take_step, []

    def install(numbers, act):
        def taking(model, optimizer, objective, heard, **settings):
            calls.append(len(calls) + 1)
            if calls[-1] in numbers:
                heard = act(model, heard)
            return take_step(model, optimizer, objective, heard, **settings)

        monkeypatch.setattr(loop, "take_step", taking)

    return install


def _poison_sound(model, heard):
    return heard._replace(log_mel=torch.full_like(heard.log_mel, math.nan))


def _poison_parameters(model, heard):
    with torch.no_grad():
        next(model.parameters()).fill_(math.inf)
    return heard


def _events(run_dir, kind):
    return [event for event in read_journal(run_dir / "events.jsonl") if event["event"] == kind]


@pytest.mark.parametrize(("numbers", "act"), [({5, 6, 7}, _poison_sound), ({5}, _poison_parameters)])
def test_a_run_that_diverges_goes_back_and_on_with_half_the_learning_rate(train, at_step, numbers, act):
    at_step(numbers, act)
    run_dir, code, text = train("training.max_epochs=2", "training.max_skipped_steps=3")
    assert code == 0
    (back,) = _events(run_dir, "RolledBack")
    assert (back["step"], back["n_rollbacks"]) == (7, 1)
    assert back["checkpoint"].endswith("epoch_0000")
    assert f"back to {back['checkpoint']}" in text
    steps = _events(run_dir, "StepMetrics")
    numbers_told = [event["step"] for event in steps]
    assert numbers_told == [n for n in range(1, steps[-1]["total_steps"] + 1) if n not in (5, 6, 7)]
    scales = {round(event["learning_rate"] / _usual_rate(event), 6) for event in steps}
    assert scales == {1.0, 0.5}
    checkpoint, _ = open_newest(run_dir / "checkpoints")
    assert checkpoint.progress["skipped_steps"] == 3
    assert all(tensor.isfinite().all() for tensor in checkpoint.load_tensors().values() if tensor.is_floating_point())


def _usual_rate(event):
    from sda.training.schedule import learning_rate_factor

    return 5e-4 * learning_rate_factor(event["step"] - 1, event["total_steps"])


def test_a_run_that_always_diverges_ends_with_an_account(train, at_step):
    at_step(range(1, 10_000), _poison_sound)
    with pytest.raises(TrainingError, match=r"3 steps in a row .* after going back 2 times .*learning_rate"):
        train("training.max_epochs=9", "training.max_skipped_steps=3")
    summary = json.loads((train.folder / "summary.json").read_text())
    assert (summary["status"], summary["skipped_steps"]) == ("failed", 9)
    assert _events(train.folder, "RunEnded")[0]["reason"].startswith("TrainingError: 3 steps in a row")
    assert open_newest(train.folder / "checkpoints")[0].progress["step"] == 0


def test_a_disk_that_refuses_checkpoints_costs_no_training_and_is_told(train, monkeypatch):
    from sda.training import checkpoint_writer

    def refuse(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint_writer, "sync_file", refuse)
    run_dir, code, text = train("training.max_epochs=2")
    assert code == EXIT_UNSAVED
    assert len(_events(run_dir, "EpochMetrics")) == 2
    assert "could not be saved (No space left on device)" in text
    assert "! not on disk: the newest checkpoint (No space left on device)" in text
    assert [event["kind"] for event in _events(run_dir, "Warned")].count("checkpoint_failed") == 1
    assert _events(run_dir, "ReconstructionScored")  # of what is in memory
    assert read_summary(run_dir)["status"] == "stopped"
    assert f"go on:\n    python train.py resume={run_dir}\n" in text
    assert "generate.py" not in text, "nothing was saved to make sounds with"
    monkeypatch.undo()
    checkpoint, _ = open_continuation(run_dir)
    assert checkpoint.is_start


def test_a_disk_that_has_room_again_has_all_of_it(train, monkeypatch):
    from sda.training import checkpoint_writer

    sync_file, refusals = checkpoint_writer.sync_file, iter(range(3))

    def refuse_at_first(path):
        if next(refusals, None) is not None:
            raise OSError(errno.EIO, "Input/output error")
        sync_file(path)

    monkeypatch.setattr(checkpoint_writer, "sync_file", refuse_at_first)
    run_dir, code, _ = train("training.max_epochs=3", "training.checkpoint_interval=1")
    assert code == 0
    assert open_newest(run_dir / "checkpoints")[0].progress["epoch"] == 3


@pytest.mark.skipif(SAVE_SIGNAL is None, reason="this system has no SIGUSR1")
def test_a_signal_saves_in_mid_epoch_and_training_goes_on(train, at_step):
    at_step({3}, lambda model, heard: os.kill(os.getpid(), SAVE_SIGNAL) or heard)
    run_dir, code, _ = train("training.max_epochs=1")
    assert code == 0
    (due,) = _events(run_dir, "SaveDue")
    assert (due["step"], due["reason"]) == (3, "asked")
    assert (run_dir / "checkpoints" / "epoch_0000_batch_00003").is_dir()


def test_a_second_signal_stops_at_once_and_the_last_checkpoint_is_intact(train, at_step):
    def stop_twice(model, heard):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)

    at_step({3}, stop_twice)
    run_dir, code, text = train("training.max_epochs=1")
    assert code == EXIT_STOPPED_AT_ONCE
    assert "go on:\n    python train.py resume=" in text
    assert "generate.py" not in text, "there is nothing but the start of the run to make sounds with"
    assert json.loads((run_dir / "summary.json").read_text())["status"] == "stopped"
    assert open_newest(run_dir / "checkpoints")[0].progress["step"] == 0


@pytest.mark.filterwarnings("ignore")  # MLflow's own imports warn of themselves
def test_what_happened_to_the_numbers_is_shown_in_mlflow(train, at_step, empty_database, tmp_path):
    import shutil

    shutil.copy(empty_database, tmp_path / "mlflow.db")
    at_step({5, 6, 7}, _poison_sound)
    train(
        "training.max_epochs=1", "training.max_skipped_steps=3", "tracking=mlflow",
        f"tracking.uri={quote_value(f'sqlite:///{tmp_path}/mlflow.db')}",
    )  # fmt: skip
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        tags = dict(connection.execute("SELECT key, value FROM tags"))
    assert tags["rolled_back.1"].startswith("at step 7, to ")
    assert "step 5 was skipped" not in tags["warning.step_skipped"]  # the newest one stands
    assert "step 7 was skipped" in tags["warning.step_skipped"]


def test_ctrl_c_while_the_last_sounds_are_made_leaves_them_out_and_nothing_else(train, at_step, monkeypatch):
    def interrupt(*arguments):
        os.kill(os.getpid(), signal.SIGINT)
        return arguments[-1]

    at_step([3], interrupt)
    monkeypatch.setattr("sda.generation.previews.PreviewRenderer.render", lambda self, epoch, step=None: interrupt([]))
    run_dir, code, printed = train()
    assert code == EXIT_STOPPED + signal.SIGINT
    assert read_summary(run_dir)["status"] == "stopped"
    assert open_newest(run_dir / "checkpoints")[0].progress["step"] == 3
    assert f"python train.py resume={run_dir}" in printed
