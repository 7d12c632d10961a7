"""Batches in parts: the same gradient, and the way there when a device has no room."""

import pytest
import torch

from sda.audio.mel import LogMel
from sda.errors import TrainingError
from sda.losses.elbo import Elbo
from sda.losses.spectral import SpectralObjective
from sda.models.latents import Posterior
from sda.models.mel_vae import MelVAE
from sda.models.spectral_vae import SpectralVAE
from sda.training.events import StepMetrics, Warned
from sda.training.memory import count_parts, double_parts, refuse_single_chunk
from sda.training.optimizer import build_optimizer
from sda.training.state import Progress
from sda.training.step import read_back, take_step
from tests.conftest import as_features


def _take(n_parts, mask=None, dropout=0.0):
    torch.manual_seed(0)
    model = MelVAE(32, 30, latent_dim=4, dropout=dropout)
    optimizer = build_optimizer(model, 1e-3, 0.01)
    objective = Elbo(model.standardise, 32 * 30, 0.1, 0.2)
    heard = as_features(torch.randn(7, 32, 30, generator=torch.Generator().manual_seed(1)))
    settings = {"kl_weight": 0.7, "learning_rate": 1e-3, "gradient_clip_norm": 0.5, "autocast": None}
    (result,) = read_back([take_step(model, optimizer, objective, heard, mask=mask, n_parts=n_parts, **settings)])
    return result, {name: parameter.grad for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("n_parts", [2, 3, 7])
def test_a_batch_in_parts_gives_the_gradient_of_the_whole(monkeypatch, n_parts):
    monkeypatch.setattr(Posterior, "sample", lambda self: self.mean)  # draws fall differently on parts
    mask = torch.rand(7, 32, 30, generator=torch.Generator().manual_seed(2)) < 0.2
    whole, in_parts = _take(1, mask), _take(n_parts, mask)
    assert in_parts[0][:5] == pytest.approx(whole[0][:5], rel=1e-4)
    assert in_parts[0][5:] == (None, None)
    for name, gradient in whole[1].items():
        torch.testing.assert_close(in_parts[1][name], gradient, atol=1e-6, rtol=1e-3)


def test_both_passes_over_the_parts_make_the_same_draws():
    first, again = _take(3, dropout=0.5), _take(3, dropout=0.5)
    assert first[0] == again[0]
    assert first[0].finite


def test_both_passes_over_the_parts_draw_the_same_noise(monkeypatch):
    features = LogMel(16000, n_fft=512, hop_length=128, n_mels=32)
    torch.manual_seed(0)
    model = SpectralVAE(features=features, latent_dim=8, channels=16, n_decoder_blocks=1)
    objective = SpectralObjective(sample_rate_hz=16000, weights={"mel": 1.0}, kl_weight=0.1, free_bits=0.0)
    draws = []
    forward = SpectralVAE.forward

    def listen(self, heard, mask=None):
        result = forward(self, heard, mask)
        draws.append(result.draws.detach())
        return result

    monkeypatch.setattr(SpectralVAE, "forward", listen)
    settings = {"kl_weight": 0.7, "learning_rate": 1e-3, "gradient_clip_norm": 0.5, "autocast": None}
    heard = features.extract(torch.randn(6, 4096, generator=torch.Generator().manual_seed(1)))
    figures = take_step(model, build_optimizer(model, 1e-3, 0.01), objective, heard, n_parts=3, **settings)
    assert len(draws) == 6
    assert all(torch.equal(first, second) for first, second in zip(draws[:3], draws[3:], strict=True))
    assert read_back([figures])[0].noise != 0.0


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
