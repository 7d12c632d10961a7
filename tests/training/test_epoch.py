"""What an epoch is told to have come to: the best one, the verdict on overfitting, the warnings and early stopping."""

import json
import math
from dataclasses import asdict

import numpy as np
import pytest
import torch

from sda.audio.mel import AudioFeatures
from sda.errors import DivergedError
from sda.training import loop
from sda.training.events import EpochMetrics, TrainingCompleteEvent, Warned, event_to_dict
from sda.training.overfitting import compute_overfitting_gap
from sda.training.state import Progress
from sda.training.validation import ValidationChunks, validate
from tests.training.judging import judge_errors


def test_the_gap_compares_like_with_like(make_miniature):
    run = make_miniature()
    run.held_out, run.held_out_blocks = run.train_eval, run.train_eval_blocks  # the same sound on both sides
    run.run()
    assert {event.overfitting_gap for event in run.of(EpochMetrics)} == {0.0}
    epoch = run.of(EpochMetrics)[-1]
    assert epoch.overfitting_gap == compute_overfitting_gap(epoch.train_loss, epoch.val_loss)


def test_no_epoch_is_best_before_the_warm_up_is_over(make_miniature):
    run = make_miniature(max_epochs=4, kl_warmup_fraction=0.6)
    run.run()
    epochs = run.of(EpochMetrics)
    assert [epoch.kl_weight < 1 for epoch in epochs] == [True, True, False, False]
    assert not any(epoch.is_best for epoch in epochs[:2])
    assert run.state.progress.best_epoch in (3, 4)
    assert run.of(TrainingCompleteEvent)[0].best_epoch == run.state.progress.best_epoch


def test_damaged_parameters_are_noticed_after_the_epoch(make_miniature):
    run = make_miniature(max_epochs=2)
    with torch.no_grad():
        next(run.model.parameters()).fill_(math.nan)
    with pytest.raises(DivergedError, match="after epoch 1 the model's loss is not finite"):
        run.run()
    assert run.of(EpochMetrics) == []
    assert run.state.progress.epoch == 0


def test_overfitting_is_warned_of_once_and_training_goes_on(make_miniature):
    run = make_miniature(max_epochs=4, kl_warmup_fraction=0.0)
    run.held_out = [batch._replace(log_mel=batch.log_mel + 3.0) for batch in run.held_out]
    run.run()
    assert [event.kind for event in run.of(Warned)] == ["overfitting"]
    assert len(run.of(EpochMetrics)) == 4


def test_a_collapsed_posterior_is_warned_of(make_miniature):
    run = make_miniature(max_epochs=2, kl_warmup_fraction=0.0, learning_rate=1e-9)
    with torch.no_grad():
        run.model.encoder.to_posterior.weight.zero_()
        run.model.encoder.to_posterior.bias.zero_()
    run.run()
    assert "posterior_collapse" in [event.kind for event in run.of(Warned)]
    assert run.of(EpochMetrics)[-1].active_units == 0


def test_early_stopping_waits_for_its_patience(make_miniature):
    run = make_miniature(
        max_epochs=50, kl_warmup_fraction=0.0, learning_rate=1e-12, early_stopping=True, early_stopping_patience=2
    )
    run.run()
    best = run.state.progress.best_epoch
    assert len(run.of(EpochMetrics)) == best + 2 < 50
    assert len(run.of(TrainingCompleteEvent)) == 1


def _script_held_out(run, monkeypatch, errors_by_epoch):
    """Have every epoch of a run judged by errors made to measure, one a held-out file."""
    judge_training, n_files = loop.validate, len(errors_by_epoch[0])

    def judging(model, objective, chunks):
        if chunks.batches is run.train_eval:
            return judge_training(model, objective, chunks)
        return judge_errors(errors_by_epoch[run.state.progress.step // len(run.train_loader) - 1], range(n_files))

    monkeypatch.setattr(loop, "validate", judging)


LUCK = 0.06 * np.resize([1.0, -1.0], 10)
"""By how much ten files come out better or worse for no reason, in nats."""


HARD = np.exp(np.random.default_rng(0).normal(0, 0.5, 10))
"""Errors of ten files that differ far more."""


def _list_best(run):
    return [event.epoch for event in run.of(EpochMetrics) if event.is_best]


def test_noise_moves_no_best_epoch_and_slow_improvement_adds_up(make_miniature, monkeypatch):
    run = make_miniature(max_epochs=7, kl_warmup_fraction=0.0)
    drift = [0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06]
    errors = [np.exp(LUCK * (number > 0) * (-1) ** number - fall) for number, fall in enumerate(drift)]
    _script_held_out(run, monkeypatch, errors)
    run.run()
    losses = run.state.history.get_loss_curves()["val_losses"]
    assert losses == sorted(losses, reverse=True)  # every epoch is a little lower than the one before
    first, second, *_ = _list_best(run)
    assert first == 1
    assert 3 < second < 7
    assert run.state.history.get_best_epoch() == run.state.progress.best_epoch == _list_best(run)[-1]


def test_an_improvement_in_every_file_is_best_at_once(make_miniature, monkeypatch):
    run = make_miniature(max_epochs=4, kl_warmup_fraction=0.0)
    _script_held_out(run, monkeypatch, [HARD * factor for factor in (1.0, 0.999, 1.01, 0.998)])
    run.run()
    assert _list_best(run) == [1, 2, 4]


def test_luck_does_not_keep_early_stopping_waiting(make_miniature, monkeypatch):
    run = make_miniature(max_epochs=9, kl_warmup_fraction=0.0, early_stopping=True, early_stopping_patience=3)
    lucky = [HARD * np.exp(LUCK * (-1) ** number) for number in range(8)]
    _script_held_out(run, monkeypatch, [HARD, *lucky])
    run.run()
    assert min(run.state.history.get_loss_curves()["val_losses"][1:]) < run.state.progress.best_val_loss
    assert (len(run.of(EpochMetrics)), run.state.progress.best_epoch) == (4, 1)
    complete, last = run.of(TrainingCompleteEvent)[0], run.of(EpochMetrics)[-1]
    assert (complete.best_epoch, complete.best_val_loss) == (1, run.of(EpochMetrics)[0].val_loss)
    assert complete.final_val_loss == last.val_loss


def test_a_continued_run_knows_what_the_best_epoch_was_like(make_miniature, monkeypatch):
    run = make_miniature(max_epochs=3, kl_warmup_fraction=0.0)
    errors = [HARD, HARD * np.exp(LUCK), HARD * np.exp(-LUCK)]
    assert min(judge_errors(error, range(10)).loss for error in errors[1:]) < judge_errors(HARD, range(10)).loss
    _script_held_out(run, monkeypatch, errors)
    run.run(stop_after=len(run.train_loader) + 1)
    assert len(run.state.progress.best_replicates) == 1000
    run.state.progress = Progress(**json.loads(json.dumps(asdict(run.state.progress), allow_nan=False)))
    run.run()
    assert _list_best(run) == [1]

    forgetful = make_miniature(max_epochs=3, kl_warmup_fraction=0.0)
    _script_held_out(forgetful, monkeypatch, errors)
    forgetful.run(stop_after=len(run.train_loader) + 1)
    forgetful.state.progress.best_replicates = []  # as in a checkpoint of old
    forgetful.run()
    assert len(_list_best(forgetful)) == 2


def test_a_gap_that_few_files_cannot_tell_is_no_overfitting_and_not_warned_of(make_miniature, monkeypatch):
    run = make_miniature(max_epochs=1, kl_warmup_fraction=0.0)
    training = validate(run.model, run.objective, ValidationChunks(run.train_eval, run.train_eval_blocks, seed=1))
    run.config.learning_rate = 1e-12
    _script_held_out(run, monkeypatch, [np.exp(training.loss + 0.4) * np.array([0.3, 0.4, 1.9, 0.3])])
    run.run()
    (epoch,) = run.of(EpochMetrics)
    assert epoch.gap_low < 0.2 < epoch.overfitting_gap < epoch.gap_high
    assert epoch.verdict == "cannot tell"
    assert "overfitting" not in [event.kind for event in run.of(Warned)]


def test_during_the_warm_up_it_is_too_early_for_a_verdict(make_miniature):
    run = make_miniature(max_epochs=6, kl_warmup_fraction=0.5)
    run.run()
    epochs = run.of(EpochMetrics)
    verdicts = [epoch.verdict for epoch in epochs]
    n_early = sum(epoch.kl_weight < 1 for epoch in epochs)
    assert 0 < n_early < 4
    assert verdicts[:n_early] == ["too early"] * n_early
    assert "too early" not in verdicts[n_early:]
    warm = [epoch for epoch in epochs if epoch.kl_weight == 1.0]
    assert [epoch.gap_slope for epoch in epochs[: n_early + 2]] == [0.0] * (n_early + 2)
    gaps = [epoch.overfitting_gap for epoch in warm]
    assert warm[-1].gap_slope == pytest.approx(np.polyfit(range(len(gaps)), gaps, 1)[0])


def test_all_that_is_told_of_a_single_held_out_chunk_is_finite(make_miniature):
    run = make_miniature(max_epochs=4, kl_warmup_fraction=0.0)
    run.held_out, run.held_out_blocks = [AudioFeatures(*(values[:1] for values in run.held_out[0]))], [0]
    run.run()
    epochs = run.of(EpochMetrics)
    json.dumps([event_to_dict(event) for event in run.events], allow_nan=False)
    json.dumps(asdict(run.state.progress), allow_nan=False)
    assert {epoch.verdict for epoch in epochs} == {"cannot tell"}
    assert all(epoch.gap_low == epoch.gap_high for epoch in epochs)
