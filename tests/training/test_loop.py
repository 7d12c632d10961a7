from dataclasses import replace

import pytest
import torch

from sda.training.config import RegularizationConfig
from sda.training.events import EpochMetrics, SaveDue, StepMetrics, TrainingCompleteEvent
from sda.training.loop import Request


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
    run = make_miniature(max_epochs=20)
    run.run()
    losses = run.state.history.get_loss_curves()["train_losses"]
    assert losses[-1] < losses[0] - 0.5  # the error falls to 60 % or less


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
