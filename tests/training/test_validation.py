"""How sure a judgement is; errors are made to measure, so that the answers are known."""

import math

import numpy as np
import pytest
import torch

from sda.audio.mel import AudioFeatures
from sda.losses.elbo import Elbo
from sda.losses.objective import LossComponents, count_active_units, measure_batch
from sda.models.latents import Posterior
from sda.models.mel_vae import MelVAE
from sda.models.standardise import Standardise
from sda.training.overfitting import compute_overfitting_gap, judge_gap
from sda.training.validation import ValidationChunks, enclose_gap, is_better, validate
from tests.conftest import as_features
from tests.training.judging import Echo, judge_errors


def _files(n_files, n_chunks):
    return np.repeat(np.arange(n_files), n_chunks).tolist()


def _gap_of(training, held_out, n_chunks):
    """The gap's interval for two sides given as an error a file."""
    sides = [
        judge_errors(np.repeat(errors, n_chunks), _files(len(errors), n_chunks), seed)
        for seed, errors in ((1, training), (0, held_out))
    ]
    return enclose_gap(*sides)


def _average_over_batches(model, objective, log_mels):
    """A judgement as the mean over batches, weighted by their chunks, without any file."""
    model.eval()
    with torch.no_grad():
        measured = [
            (len(heard.log_mel), measure_batch(objective, model(heard), heard)) for heard in map(as_features, log_mels)
        ]
    n_chunks = sum(n for n, _ in measured)
    means = [
        sum(n * errors[field] for n, errors in measured) / n_chunks for field in range(len(LossComponents._fields))
    ]
    return objective.score(LossComponents(*means)), LossComponents(*means)


@pytest.mark.parametrize("blocks", [[0, 0, 0, 1, 1, 2, 2], [5] * 7, list(range(7))])
def test_files_do_not_change_the_loss(blocks):
    torch.manual_seed(0)
    model = MelVAE(32, 30, latent_dim=4)
    objective = Elbo(model.standardise, 32 * 30, 0.5, 0.2)
    log_mels = [torch.randn(n, 32, 30) for n in (4, 2, 1)]
    terms, errors = _average_over_batches(model, objective, log_mels)
    result = validate(
        model, objective, ValidationChunks([as_features(log_mel) for log_mel in log_mels], blocks, seed=0)
    )
    assert result.loss == pytest.approx(terms.total().item(), rel=1e-6)
    assert result.recon == pytest.approx(terms.recon.item(), rel=1e-6)
    assert result.kl == pytest.approx(terms.kl.item(), rel=1e-6)
    assert result.kl_divergence == pytest.approx(errors.kl_by_dimension.sum().item(), rel=1e-6)
    assert result.active_units == count_active_units(errors)


def test_a_replicate_is_the_loss_of_the_files_that_were_drawn():
    result = judge_errors([1.0, 1.0, 3.0], [7, 7, 4])
    possible = [0.5 * math.log(mean + 1e-4) for mean in (1.0, 11 / 3, 9.0)]  # one file twice, both, the other twice
    found = sorted(set(result.replicates.round(9).tolist()))
    assert found == pytest.approx(possible, abs=1e-6)
    assert result.loss == pytest.approx(possible[1], abs=1e-6)
    assert result.n_blocks == 2


def test_free_bits_hold_in_every_replicate():
    objective = Elbo(Standardise(4), 12, free_bits=0.5, energy_weight=0.0)

    class Telling(Echo):
        def forward(self, heard):
            mean = heard.log_mel[:, 0, :2] * torch.tensor([1.0, 0.0])
            return super().forward(heard)._replace(posterior=Posterior(mean, torch.zeros_like(mean)))

    log_mels = [torch.tensor([0.5, 4.0])[:, None, None].expand(-1, 4, 3)]
    result = validate(
        Telling(), objective, ValidationChunks([as_features(log_mel) for log_mel in log_mels], [0, 1], seed=0)
    )
    expected = []
    for errors in ([0.5, 0.5], [0.5, 4.0], [4.0, 4.0]):
        kl = max(0.5, float(np.mean(np.square(errors))) / 2) + 0.5
        expected.append(0.5 * math.log(np.mean(np.square(errors)) + 1e-4) + kl / 12)
    assert sorted(set(result.replicates.round(9).tolist())) == pytest.approx(expected, abs=1e-6)


def test_sides_alike_have_a_gap_of_zero_inside_nearly_every_interval():
    rng = np.random.default_rng(0)
    n_trials, covered_by_files, covered_by_chunks = 100, 0, 0
    for _ in range(n_trials):
        sides = [np.exp(rng.normal(0, 0.4, 6)) for _ in range(2)]
        low, high = _gap_of(*sides, n_chunks=8)
        covered_by_files += low <= 0 <= high
        chunks = [np.repeat(side, 8) for side in sides]
        low, high = enclose_gap(*(judge_errors(side, range(48), seed) for seed, side in enumerate(chunks)))
        covered_by_chunks += low <= 0 <= high
    assert covered_by_files >= 88
    assert covered_by_chunks < 65  # eight chunks of a file say no more than one


def test_a_clear_gap_lies_above_the_threshold():
    rng = np.random.default_rng(1)
    training, held_out = rng.uniform(0.9, 1.1, 8), rng.uniform(1.8, 2.2, 5)
    low, high = _gap_of(training, held_out, n_chunks=4)
    assert 0.2 < low < 1.0 < high
    assert judge_gap(low, high) == "overfitting"


def test_a_clear_absence_of_a_gap_lies_below_it():
    rng = np.random.default_rng(2)
    low, high = _gap_of(rng.uniform(0.95, 1.05, 12), rng.uniform(0.95, 1.05, 12), n_chunks=4)
    assert judge_gap(low, high) == "no overfitting"


def test_one_odd_file_among_many_makes_the_interval_wide():
    errors = np.ones(20)
    errors[3] = 5.0
    chunks = np.repeat(errors, 16)
    training = judge_errors(np.ones(320), _files(20, 16), seed=1)
    by_file = enclose_gap(training, judge_errors(chunks, _files(20, 16)))
    by_chunk = enclose_gap(training, judge_errors(chunks, range(320)))
    assert by_file[1] - by_file[0] > 2 * (by_chunk[1] - by_chunk[0])
    assert judge_gap(*by_file) == "cannot tell"
    assert judge_gap(*by_chunk) == "overfitting"  # too sure of itself


def test_of_one_file_chunks_are_drawn():
    errors = np.linspace(1.0, 2.0, 10)
    of_one_file, of_ten = judge_errors(errors, [3] * 10), judge_errors(errors, range(10))
    assert of_one_file.n_blocks == 10
    assert (of_one_file.replicates == of_ten.replicates).all()


def test_a_single_chunk_has_no_interval_and_no_verdict():
    low, high = enclose_gap(judge_errors([1.0, 1.1], [0, 1], seed=1), judge_errors([2.0], [0]))
    assert low == high == pytest.approx(compute_overfitting_gap(0.5 * math.log(1.1050), 0.5 * math.log(4)), abs=1e-3)
    assert judge_gap(low, high) == "cannot tell"


def test_both_sides_are_drawn_apart():
    errors = np.exp(np.random.default_rng(0).normal(0, 0.5, 5))
    low, high = _gap_of(errors, errors, n_chunks=2)
    assert low < -0.1
    assert high > 0.1


@pytest.mark.parametrize("blocks", [[], [0, 0, 0]])
def test_every_chunk_has_a_file(blocks):
    with pytest.raises(ValueError, match="as many blocks as chunks, and at least one"):
        ValidationChunks([as_features(log_mel) for log_mel in [torch.zeros(len(blocks) // 2, 4, 3)]], blocks, seed=0)


def test_a_small_improvement_in_every_file_counts_and_a_larger_one_by_luck_does_not():
    errors = np.exp(np.random.default_rng(3).normal(0, 0.5, 12))
    best = judge_errors(errors, range(12))
    consistent = judge_errors(0.999 * errors, range(12))
    assert best.replicates.std() > 50 * (best.loss - consistent.loss) > 0  # far below what files differ by
    assert is_better(consistent, best.loss, best.replicates)

    lucky = errors * np.where(np.arange(12) % 2, 1.1, 0.88)
    lucky = judge_errors(lucky * np.exp(-0.005) * np.exp(best.loss - judge_errors(lucky, range(12)).loss), range(12))
    assert lucky.loss == pytest.approx(best.loss - 0.005, abs=1e-3)
    assert not is_better(lucky, best.loss, best.replicates)


def test_what_is_worse_or_the_same_is_never_better():
    errors = np.array([1.0, 2.0, 3.0])
    best = judge_errors(errors, range(3))
    for factor in (1.0, 1.001):
        assert not is_better(judge_errors(factor * errors, range(3)), best.loss, best.replicates)


def test_without_the_draws_of_the_best_epoch_its_loss_decides():
    worse, better = judge_errors([1.0, 2.2], [0, 1]), judge_errors([1.2, 1.9], [0, 1])
    assert is_better(better, worse.loss, [])
    assert not is_better(worse, better.loss, [])
    assert not is_better(better, worse.loss, worse.replicates)  # the first file got worse


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
