"""A run that is to end in time: what is planned, and that it ends then, on a clock of the test's own."""

import math

import pytest

from sda.training import loop
from sda.training.events import EpochMetrics, StepMetrics, TrainingCompleteEvent
from sda.training.length import TimeBudget, count_steps, replan
from sda.training.loop import Request
from sda.training.state import Progress


@pytest.mark.parametrize(("step_s", "pause_s", "steps_per_epoch"), [(1.0, 10.0, 20), (0.3, 0.0, 7), (2.0, 50.0, 1000)])
def test_as_many_steps_are_planned_as_there_is_time_for_with_their_pauses(step_s, pause_s, steps_per_epoch):
    n_steps = count_steps(500.0, step_s, pause_s, steps_per_epoch)

    def time_for(n_steps):
        return n_steps * step_s + math.ceil(n_steps / steps_per_epoch) * pause_s

    assert time_for(n_steps) <= 500.0
    assert time_for(n_steps + steps_per_epoch + math.ceil(pause_s / step_s)) > 500.0


def test_without_time_there_are_no_steps_and_never_fewer_than_none():
    assert count_steps(5.0, step_s=1.0, pause_s=10.0, steps_per_epoch=20) == 0
    assert count_steps(-100.0, step_s=1.0, pause_s=0.0, steps_per_epoch=20) == 0


def test_a_new_plan_goes_on_from_the_share_that_is_over():
    progress = Progress(step=300, total_steps=1000, kl_warmup_steps=500, second_phase_step=900)
    before = progress.learning_rate_factor()
    replan(progress, 650)
    assert progress.learning_rate_factor() == pytest.approx(before, rel=1e-12)
    assert (progress.kl_warmup_steps, progress.second_phase_step) == (400, 600)  # half as many steps are left
    progress.step = 649
    assert progress.learning_rate_factor() < 1e-4
    replan(progress, 600)
    assert progress.total_steps == 649  # what was taken cannot be taken back


def test_a_run_that_is_given_more_time_near_its_end_has_a_learning_rate_to_learn_with():
    progress = Progress(step=95, total_steps=100)
    replan(progress, 300)
    assert progress.learning_rate_factor() == pytest.approx(Progress(step=95, total_steps=300).learning_rate_factor())


def test_what_is_over_stays_over_in_a_new_plan():
    progress = Progress(step=300, total_steps=1000, kl_warmup_steps=200)
    replan(progress, 400)
    assert progress.kl_warmup_steps == 200


def test_a_run_that_was_over_stands_where_a_longer_one_would_stand():
    progress = Progress(step=500, total_steps=500, planned_at=400, planned_share=0.9)
    replan(progress, 1000)
    longer = Progress(step=500, total_steps=1000)
    assert progress.learning_rate_factor() == longer.learning_rate_factor()


def test_the_first_step_of_a_process_is_no_measure_of_the_others():
    budget, progress = TimeBudget(seconds=1000.0, step_s=5.0), Progress()
    budget.begin_epoch(progress, 100)
    for step_s in (30.0, *[1.0] * 8):
        progress.step += 1
        progress.elapsed_s += step_s
        budget.end_step(progress, 100)
    assert budget.step_s == pytest.approx(1.0)


class _SlowMachine:
    """A clock that only steps and judging move on, in place of the loop's own."""

    def __init__(self, run, monkeypatch, step_s, pause_s):
        self.now, self.step_s, self.pause_s = 0.0, step_s, pause_s
        self.run = run
        monkeypatch.setattr(loop.time, "perf_counter", lambda: self.now)
        validate, learn = loop.validate, loop.take_step

        def take_long(function, attribute):
            def slow(*arguments, **options):
                self.now += getattr(self, attribute)
                return function(*arguments, **options)

            return slow

        monkeypatch.setattr(loop, "take_step", take_long(learn, "step_s"))
        monkeypatch.setattr(loop, "validate", take_long(validate, "pause_s"))


def test_it_ends_in_time_though_steps_take_longer_than_was_measured(make_miniature, monkeypatch):
    run = make_miniature(max_epochs=1)  # has no say
    machine = _SlowMachine(run, monkeypatch, step_s=3.0, pause_s=2.0)
    run.budget = TimeBudget(200.0, step_s=1.0, pause_steps=1.0)
    assert run.run() is True
    assert 0.9 * 200.0 <= machine.now <= 200.0 + 3.0
    assert isinstance(run.events[-1], TrainingCompleteEvent)
    last = run.of(EpochMetrics)[-1]
    assert last.epoch == last.total_epochs
    assert last.learning_rate < 1e-2 * run.config.learning_rate
    assert last.kl_weight == 1.0


def test_it_ends_in_time_though_the_machine_grows_slow_half_way(make_miniature, monkeypatch):
    run = make_miniature()
    machine = _SlowMachine(run, monkeypatch, step_s=1.0, pause_s=1.0)
    run.budget = TimeBudget(150.0, step_s=1.0, pause_steps=2.0)

    def ask():
        machine.step_s = 4.0 if machine.now > 75.0 else 1.0
        return Request.NOTHING

    run.ask = ask
    run.run()
    assert machine.now <= 150.0 + 2 * 4.0
    assert run.of(EpochMetrics)[-1].learning_rate < 0.05 * run.config.learning_rate


def test_it_goes_on_where_it_was_stopped_and_with_more_time_where_it_had_ended(make_miniature, monkeypatch):
    run = make_miniature()
    machine = _SlowMachine(run, monkeypatch, step_s=1.0, pause_s=1.0)
    run.budget = TimeBudget(60.0, step_s=1.0, pause_steps=2.0)
    assert run.run(stop_after=17) is False
    assert run.run() is True
    assert machine.now <= 61.0
    n_steps = run.state.progress.step
    assert [event.step for event in run.of(StepMetrics)] == list(range(1, n_steps + 1))
    run.budget = TimeBudget(100.0, step_s=1.0, pause_steps=2.0)
    assert run.run() is True
    assert 85.0 < machine.now <= 101.0
    assert [event.step for event in run.of(StepMetrics)] == list(range(1, run.state.progress.step + 1))


def test_what_is_kept_for_the_end_follows_the_pace_and_is_never_more_than_half(make_miniature, monkeypatch):
    run = make_miniature()
    machine = _SlowMachine(run, monkeypatch, step_s=1.0, pause_s=1.0)
    run.budget = TimeBudget(200.0, step_s=9.0, pause_steps=1.0, end_steps=40.0)  # of a machine that was busy then
    assert run.budget.end_s == 100.0
    run.run()
    assert 145.0 <= machine.now <= 161.0
