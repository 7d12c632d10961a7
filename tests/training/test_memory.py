"""Batches in parts: the same gradient, and the way there when a device has no room."""

import pytest
import torch

from sda.errors import TrainingError
from sda.training.events import StepMetrics, Warned
from sda.training.memory import count_parts, double_parts, refuse_single_chunk
from sda.training.state import Progress


def test_a_batch_is_halved_until_it_fits_and_every_halving_is_told_of():
    progress, told = Progress(), []
    for n_parts in (1, 2, 4):
        assert count_parts(progress, 8) == n_parts
        double_parts(progress, 8, told.append)
    assert count_parts(progress, 5) == 5, "no part is empty"
    assert [event.kind for event in told] == ["out_of_memory"] * 3
    assert "no room for 8 chunks at a time" in told[0].message
    assert "in 2 parts from now on" in told[0].message


def test_a_device_without_room_for_one_chunk_ends_the_run_clearly():
    error = torch.OutOfMemoryError("CUDA out of memory")
    refuse_single_chunk(4, 8, error)
    with pytest.raises(TrainingError, match="no memory for a step of one chunk"):
        refuse_single_chunk(8, 8, error)


def test_the_loop_goes_on_when_the_device_runs_out_of_memory(make_miniature, monkeypatch):
    run = make_miniature(max_epochs=1)
    forward, largest = run.model.forward, 2

    def cramped(heard, mask=None):
        if run.model.training and len(heard.log_mel) > largest:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(heard, mask)

    monkeypatch.setattr(run.model, "forward", cramped)
    assert run.run() is True
    assert [event.kind for event in run.of(Warned) if event.kind == "out_of_memory"] == ["out_of_memory"]
    assert len(run.of(StepMetrics)) == len(run.train_loader)
    assert run.state.progress.n_parts == 2


def test_the_loop_ends_clearly_where_no_chunk_fits(make_miniature, monkeypatch):
    run = make_miniature(max_epochs=1)
    forward = run.model.forward

    def full(inputs, mask=None):
        if run.model.training:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(inputs, mask)

    monkeypatch.setattr(run.model, "forward", full)
    with pytest.raises(TrainingError, match="no memory for a step of one chunk"):
        run.run()
    assert run.state.progress.n_parts == 4, "of a batch of four"
