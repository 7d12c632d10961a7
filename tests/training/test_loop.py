import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from sda.audio.mel import AudioFeatures
from sda.errors import DivergedError
from sda.training import loop
from sda.training.config import RegularizationConfig
from sda.training.events import EpochMetrics, SaveDue, StepMetrics, TrainingCompleteEvent, Warned, event_to_dict
from sda.training.loop import Request
from sda.training.overfitting import compute_overfitting_gap
from sda.training.state import Progress
from sda.training.validation import ValidationChunks, validate
from tests.training.test_validation import judge_errors


def test_a_run_tells_every_step_and_epoch_and_its_end(make_miniature):
    run = make_miniature()
    assert run.run() is True
    n_steps = 3 * len(run.train_loader)
    assert [event.step for event in run.of(StepMetrics)] == list(range(1, n_steps + 1))
    assert {event.total_steps for event in run.of(StepMetrics)} == {n_steps}
    assert [event.epoch for event in run.of(EpochMetrics)] == [1, 2, 3]
    (complete,) = run.of(TrainingCompleteEvent)
    last = run.of(EpochMetrics)[-1]
    assert (complete.total_epochs, complete.final_val_loss) == (3, last.val_loss)
    assert run.events[-1] is complete
    assert run.state.history.epoch_metrics == run.of(EpochMetrics)
    assert run.state.history.step_metrics == run.of(StepMetrics)


@pytest.mark.slow
def test_it_learns(make_miniature):
    run = make_miniature(max_epochs=40)
    run.run()
    losses = run.state.history.get_loss_curves()["train_losses"]
    assert losses[-1] < losses[0] - 0.5  # the error falls to 60 % or less


def test_the_gap_compares_like_with_like(make_miniature):
    run = make_miniature()
    run.held_out, run.held_out_blocks = run.train_eval, run.train_eval_blocks  # the same sound on both sides
    run.run()
    assert {event.overfitting_gap for event in run.of(EpochMetrics)} == {0.0}
    epoch = run.of(EpochMetrics)[-1]
    assert epoch.overfitting_gap == compute_overfitting_gap(epoch.train_loss, epoch.val_loss)


def test_judging_does_not_depend_on_the_batching_and_disturbs_no_generator(make_miniature):
    run = make_miniature()
    objective = run.objective
    before = torch.get_rng_state()
    whole = AudioFeatures(*(torch.cat(values) for values in zip(*run.train_eval, strict=True)))
    together = validate(run.model, objective, ValidationChunks([whole], run.train_eval_blocks, seed=0))
    apart = validate(run.model, objective, ValidationChunks(run.train_eval, run.train_eval_blocks, seed=0))
    assert together.loss == pytest.approx(apart.loss, abs=1e-5)
    assert together.kl_divergence == pytest.approx(apart.kl_divergence, rel=1e-5)
    assert together.replicates == pytest.approx(apart.replicates, abs=1e-5)
    assert torch.equal(before, torch.get_rng_state())


def test_no_epoch_is_best_before_the_warm_up_is_over(make_miniature):
    run = make_miniature(max_epochs=4, kl_warmup_fraction=0.6)
    run.run()
    epochs = run.of(EpochMetrics)
    assert [epoch.kl_weight < 1 for epoch in epochs] == [True, True, False, False]
    assert not any(epoch.is_best for epoch in epochs[:2])
    assert run.state.progress.best_epoch in (3, 4)
    assert run.of(TrainingCompleteEvent)[0].best_epoch == run.state.progress.best_epoch


def test_every_parameter_is_in_the_optimiser_and_moves(make_miniature):
    run = make_miniature(max_epochs=1)
    before = {name: parameter.clone() for name, parameter in run.model.named_parameters()}
    run.run()
    assert [name for name, parameter in run.model.named_parameters() if torch.equal(parameter, before[name])] == []


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


def test_damaged_parameters_are_noticed_after_the_epoch(make_miniature):
    run = make_miniature(max_epochs=2)
    with torch.no_grad():
        next(run.model.parameters()).fill_(math.nan)
    with pytest.raises(DivergedError, match="after epoch 1 the model's loss is not finite"):
        run.run()
    assert run.of(EpochMetrics) == []
    assert run.state.progress.epoch == 0


def test_after_going_back_the_learning_rate_is_lower(make_miniature):
    run = make_miniature(max_epochs=2)
    run.state.progress.learning_rate_scale = 0.25
    run.run(stop_after=4)
    lowered = [event.learning_rate for event in run.of(StepMetrics)]
    usual = make_miniature(max_epochs=2)
    usual.run(stop_after=4)
    assert lowered == pytest.approx([0.25 * event.learning_rate for event in usual.of(StepMetrics)])


def test_a_save_that_is_asked_for_comes_after_every_step_before_it(make_miniature):
    run = make_miniature(max_epochs=1)
    requests = iter([Request.NOTHING, Request.SAVE_NOW, Request.SAVE_IN_TIME])
    run.ask = lambda: next(requests, Request.NOTHING)
    run.run(block_steps=100)
    told = [event for event in run.events if isinstance(event, (StepMetrics, SaveDue))][:5]
    assert [(type(event), event.step) for event in told] == [
        (StepMetrics, 1), (StepMetrics, 2), (SaveDue, 2), (StepMetrics, 3), (SaveDue, 3),
    ]  # fmt: skip
    assert [event.reason for event in run.of(SaveDue)] == ["asked", "time"]


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


@pytest.mark.parametrize(
    ("stop_after", "network"), [(2, "mel_vae"), (4, "mel_vae"), (5, "mel_vae"), (6, "mel_vae"), (5, "spectral_vae")]
)
def test_a_run_taken_up_where_it_stopped_is_the_run_that_never_stopped(make_miniature, stop_after, network):
    settings = {"regularization": RegularizationConfig(augmentation_expansion=2, dropout=0.4), "network": network}
    whole = make_miniature(seed=3, **settings)
    whole.run()
    broken = make_miniature(seed=3, **settings)
    assert broken.run(stop_after=stop_after) is False
    tensors = {name: tensor.contiguous() for name, tensor in broken.state.tensors().items()}  # as they lie on disk
    progress, history = broken.state.progress, broken.state.history

    taken_up = make_miniature(seed=99, **settings)
    taken_up.train_loader.dataset.seed = taken_up.train_loader._order.seed = 3
    taken_up.state.load_tensors(tensors)
    taken_up.state.progress, taken_up.state.history = progress, history
    assert taken_up.run() is True
    for name, tensor in whole.state.tensors().items():
        assert torch.equal(tensor, taken_up.state.tensors()[name]), name
    names = ("val_loss", "gap_low", "gap_high", "gap_slope", "verdict", "trend", "is_best")
    told = [
        [[getattr(epoch, name) for name in names] for epoch in one.state.history.epoch_metrics]
        for one in (whole, taken_up)
    ]
    assert told[0] == told[1]
    assert replace(taken_up.state.progress, elapsed_s=0.0) == replace(whole.state.progress, elapsed_s=0.0)


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


@pytest.mark.parametrize("network", ["mel_vae", "spectral_vae"])
def test_silence_behind_every_sound_changes_no_figure(make_miniature, network):
    last = []
    for silence_s in (0.0, 1.0):
        run = make_miniature(network=network, silence_s=silence_s, max_epochs=2)
        run.run()
        last.append(run.of(EpochMetrics)[-1])
    plain, followed = last
    for name in ("train_loss", "val_loss", "val_recon_loss", "kl_divergence"):
        assert getattr(followed, name) == pytest.approx(getattr(plain, name), rel=1e-3), name
    assert followed.overfitting_gap == pytest.approx(plain.overfitting_gap, abs=1e-3)
