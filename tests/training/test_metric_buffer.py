"""Steps told in blocks, and those that are skipped because they are not finite."""

import math
from dataclasses import replace

import pytest
import torch

from sda.errors import DivergedError
from sda.training.events import EpochMetrics, StepMetrics, Warned


def _poison(run, n_batches, value):
    """Make the first batches of the run not finite."""
    deal = run.train_loader.deal

    def poisoned(epoch, first_batch=0):
        for number, batch in enumerate(deal(epoch, first_batch)):
            is_due = epoch == 1 and number + first_batch < n_batches
            yield batch._replace(waveforms=torch.full_like(batch.waveforms, value)) if is_due else batch

    run.train_loader.deal = poisoned


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_step_that_is_not_finite_is_skipped_and_counted(make_miniature, value):
    run = make_miniature(max_epochs=2)
    _poison(run, 2, value)
    before = {name: parameter.clone() for name, parameter in run.model.named_parameters()}
    run.run(stop_after=2)
    assert all(torch.equal(parameter, before[name]) for name, parameter in run.model.named_parameters())
    assert [event.kind for event in run.of(Warned)] == ["step_skipped"] * 2
    run.run()
    assert run.of(EpochMetrics)[-1].skipped_steps == 2
    assert all(torch.isfinite(parameter).all() for parameter in run.model.parameters())


def test_steps_that_are_never_finite_end_the_run_clearly(make_miniature):
    run = make_miniature(max_skipped_steps=3)
    _poison(run, 99, math.nan)
    with pytest.raises(DivergedError, match=r"3 steps in a row had .*, the last at step 3"):
        run.run()
    assert run.state.progress.skipped_steps == 3


@pytest.mark.parametrize("block_steps", [3, 100])
def test_steps_told_in_blocks_are_the_same_steps(make_miniature, block_steps):
    runs = []
    for length in (1, block_steps):
        run = make_miniature(seed=3)
        _poison(run, 2, math.nan)
        run.run(block_steps=length)
        runs.append(run)
    curves = [[replace(step, step_time_s=0.0) for step in run.of(StepMetrics)] for run in runs]
    assert curves[0] == curves[1]
    kinds = [[type(event) for event in run.events] for run in runs]
    assert kinds[0] == kinds[1]
    told_at_once, told_in_blocks = (run.state.tensors() for run in runs)
    for name, tensor in told_at_once.items():
        assert torch.equal(tensor, told_in_blocks[name]), name


def test_a_run_stopped_in_the_middle_of_a_block_has_told_every_step(make_miniature):
    run = make_miniature()
    run.run(stop_after=2, block_steps=100)
    assert [event.step for event in run.of(StepMetrics)] == [1, 2]
    assert run.state.history.step_metrics == run.of(StepMetrics)


def test_steps_that_are_never_finite_end_the_run_in_blocks_too(make_miniature):
    run = make_miniature(max_skipped_steps=3)
    _poison(run, 99, math.inf)
    with pytest.raises(DivergedError, match="3 steps in a row"):
        run.run(block_steps=4)
