"""Planning a run that is to end in time: visits and epochs, and that a job is known by what was asked for."""

import io
import json
import os
import signal
import time
from types import SimpleNamespace

import pytest
from rich.console import Console

from sda.app import time_plan
from sda.app.time_plan import plan_time
from sda.app.train import EXIT_STOPPED, run_training
from sda.config.arguments import quote_value
from sda.config.running import Suite
from sda.errors import ConfigError
from sda.runs.folder import read_summary
from sda.runs.plan import plan_run
from sda.runs.resume import plan_resume
from sda.tracking.journal import read_journal
from sda.training import loop
from tests.composing import compose_verb
from tests.verbs import TINY

HALF_A_SECOND = 0.5


@pytest.fixture
def make_plan(make_sounds, tmp_path):
    sounds = make_sounds(6)

    def make(*overrides: str):
        given = [f"data.root={quote_value(str(sounds))}", "tracking=none", "training.batch_size=4", *TINY, *overrides]
        return plan_run(compose_verb("train", *given), tmp_path / "run", given, "auto", None)

    return make


@pytest.fixture
def steady_steps(monkeypatch):
    """Every step takes half a second, as far as the plan is told."""
    monkeypatch.setattr(time_plan, "measure_step", lambda *_: HALF_A_SECOND)


def test_without_minutes_nothing_is_planned(make_plan):
    plan = make_plan()
    assert plan_time(plan, time.monotonic()) == (plan, None)


def test_epochs_follow_the_time_and_the_configuration_says_so(make_plan, steady_steps):
    ends = {}
    for minutes in (2, 24):
        asked = make_plan(f"training.minutes={minutes}")
        plan, budget = plan_time(asked, time.monotonic())
        assert plan.resolved["training"]["max_epochs"] == plan.config.training.max_epochs
        (choice,) = (choice for choice in plan.choices if choice.key == "training.max_epochs")
        assert (choice.value, choice.reason) == (
            plan.config.training.max_epochs,
            f"planned for training.minutes={minutes}",
        )
        assert 0 < budget.seconds < 60 * minutes
        assert plan.identity == asked.identity == make_plan(f"training.minutes={minutes}").identity
        ends[minutes] = plan.config.training.max_epochs
    assert 5 * ends[2] < ends[24]


def test_where_time_is_short_chunks_are_visited_less_often_but_not_where_how_often_is_yours(make_plan, monkeypatch):
    monkeypatch.setattr(time_plan, "measure_step", lambda *_: 3.0)
    settings = [one for one in TINY if "expansion" not in one]
    monkeypatch.setattr("tests.app.test_time_plan.TINY", settings)
    plan, _ = plan_time(make_plan("training.minutes=5"), time.monotonic())
    fewer = plan.config.regularization.augmentation_expansion
    assert time_plan.LEAST_EXPANSION <= fewer < 15
    for section in (plan.resolved, plan.resolved["training"]):
        assert section["regularization"]["augmentation_expansion"] == fewer
    assert plan.config.training.regularization.augmentation_expansion == fewer
    yours, _ = plan_time(make_plan("training.minutes=5", "regularization.augmentation_expansion=15"), time.monotonic())
    assert yours.config.regularization.augmentation_expansion == 15


def test_steps_that_hear_half_as_much_and_take_half_as_long_leave_time_for_as_much_sound(make_plan, monkeypatch):
    pieces = ("model=spectral_vae", "training.chunk_duration_s=0.5", "training.minutes=2")
    planned = {}
    for fraction, step_s in ((1.0, 0.5), (0.5, 0.25)):
        monkeypatch.setattr(time_plan, "measure_step", lambda *_, step_s=step_s: step_s)
        planned[fraction] = plan_time(make_plan(*pieces, f"training.crop_fraction={fraction}"), time.monotonic())
    (whole, budget), (cut, budget_cut) = planned.values()
    assert cut.config.training.max_epochs == pytest.approx(whole.config.training.max_epochs, abs=1)
    assert (budget_cut.pause_s, budget_cut.end_s) == pytest.approx((budget.pause_s, budget.end_s))


def test_a_time_in_which_nothing_can_be_learned_is_refused_with_one_in_which_it_can(make_plan, steady_steps):
    with pytest.raises(ConfigError, match=r"training.minutes=0\.1 leaves no time to learn: .*training.minutes=1\."):
        plan_time(make_plan("training.minutes=0.1"), time.monotonic())


def test_a_machine_that_seems_too_slow_for_the_evaluation_is_told_so_and_learns_half_of_the_time(
    make_plan, monkeypatch
):
    monkeypatch.setattr(time_plan, "measure_step", lambda *_: 9.0)
    plan, budget = plan_time(make_plan("training.minutes=5", "evaluation.at_end=small"), time.monotonic())
    assert budget.end_s == budget.seconds / 2
    (notice,) = (notice for notice in plan.notices if "evaluation" in notice)
    assert "evaluation.at_end=none leaves it out" in notice


def test_two_lengths_at_once_are_refused(make_plan):
    with pytest.raises(ConfigError, match=r"training\.max_epochs has no say"):
        make_plan("training.minutes=5", "training.max_epochs=3")
    assert make_plan("training.minutes=0", "training.max_epochs=3").config.training.max_epochs == 3


@pytest.mark.slow
def test_a_run_that_was_stopped_and_has_no_time_left_comes_to_its_end(make_plan, monkeypatch):
    plan = make_plan("training.minutes=2")
    plan.run_dir.mkdir()
    monkeypatch.setattr(loop, "take_step", _stop_at(20, loop.take_step))
    assert run_training(plan, Console(quiet=True)) == EXIT_STOPPED + signal.SIGTERM
    monkeypatch.undo()
    again = plan_resume(str(plan.run_dir), {})
    assert run_training(again, Console(quiet=True), began=time.monotonic() - 119.0) == 0
    assert read_summary(plan.run_dir)["status"] == "finished"
    assert read_summary(plan.run_dir)["steps"] == 20


def _stop_at(n_steps, take_step):
    taken = []

    def taking(*arguments, **settings):
        taken.append(1)
        if len(taken) == n_steps:
            os.kill(os.getpid(), signal.SIGTERM)
        return take_step(*arguments, **settings)

    return taking


@pytest.mark.slow
def test_a_run_with_a_time_comes_to_its_end_and_goes_on_when_it_is_given_more(make_plan, monkeypatch):
    monkeypatch.setattr(time_plan, "LEAST_LEARNING_S", 1.0)
    monkeypatch.setattr(time_plan, "BUILDING_S", 1.0)
    monkeypatch.setattr(time_plan, "LAST_SAVE_S", 1.0)
    monkeypatch.setitem(time_plan.END_FIXED, Suite.none, 0.0)
    monkeypatch.setitem(time_plan.END_PER_CHUNK, Suite.none, 0.0)
    monkeypatch.setattr(time_plan, "time", SimpleNamespace(monotonic=lambda: 0.0))  # building takes no time
    plan = make_plan("training.minutes=0.1")
    plan.run_dir.mkdir()
    printed = io.StringIO()
    assert run_training(plan, Console(file=printed, width=300), began=0.0) == 0
    assert "to end 6 s after it began (training.minutes)" in printed.getvalue()
    summary = read_summary(plan.run_dir)
    assert summary["status"] == "finished"
    assert summary["identity"] == plan.identity

    with pytest.raises(ConfigError, match=r"is finished: .*give more: training.minutes=0\.2\."):
        plan_resume(str(plan.run_dir), {})
    with pytest.raises(ConfigError, match=r"training\.max_epochs has no say"):
        plan_resume(str(plan.run_dir), {"training.max_epochs": 500})
    more = plan_resume(str(plan.run_dir), {"training.minutes": 0.2})
    assert run_training(more, Console(quiet=True), began=0.0) == 0
    steps = [event["step"] for event in read_journal(plan.run_dir / "events.jsonl") if event["event"] == "StepMetrics"]
    assert steps == list(range(1, read_summary(plan.run_dir)["steps"] + 1))
    assert len(steps) > summary["steps"]
    assert json.loads((plan.run_dir / "history.json").read_text())["epoch_metrics"]["learning_rate"][-1] < 1e-5
