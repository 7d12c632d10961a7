import json
from dataclasses import replace

import pytest
import torch

from sda.models.discriminator import SpectralDiscriminators
from sda.models.latents import Posterior, Reconstruction
from sda.training.adaptive_augmentation import AdaptiveAugmentation, AugmentationState
from sda.training.adversary import OBSERVED_STEPS, AdversarialWeights, Adversary
from sda.training.epoch import note_best
from sda.training.events import EpochMetrics, SecondPhaseStarted, StepMetrics
from sda.training.state import ADVERSARY_PREFIX, MODEL_PREFIX
from sda.training.validation import ValidationChunks, validate
from tests.conftest import RATE_HZ, as_waveforms

ENCODER = ("listen", "encoder", "shorten", "latent_encoder", "to_posterior", "analysis")


def _build(freeze_encoder=lambda: None, **settings):
    torch.manual_seed(1)
    given = {"weights": AdversarialWeights(0.1, 0.5, 0.1), "rate_hz": RATE_HZ, "seed": 0, "share": 0.5, **settings}
    return Adversary(SpectralDiscriminators([512, 256], channels=4), freeze_encoder, **given)


def _result(waveform):
    return Reconstruction(waveform, waveform, Posterior(waveform, waveform))


@pytest.fixture
def make_duel(make_miniature):
    """A training in miniature whose second half is against discriminators."""

    def make(**settings):
        run = make_miniature(network="spectral_vae", max_epochs=4, kl_warmup_fraction=0.25, **settings)
        run.state.adversary = _build(run.model.freeze_encoder)
        return run

    return make


@pytest.fixture
def noise():
    return 0.1 * torch.randn(4, 4000, generator=torch.Generator().manual_seed(0))


def _copy(state):
    return {name: tensor.clone() for name, tensor in state.tensors().items()}


def test_in_the_second_phase_the_decoder_and_the_discriminators_learn_and_the_encoder_does_not(make_duel):
    run = make_duel()
    n_steps = 4 * len(run.train_loader)
    half = n_steps // 2
    before = _copy(run.state)
    run.run(stop_after=half)
    middle = _copy(run.state)
    run.run()
    after = _copy(run.state)
    discriminators = [
        name for name in before if name.startswith(f"{ADVERSARY_PREFIX}network/") and "window" not in name
    ]
    assert len(discriminators) > 10
    assert all(torch.equal(before[name], middle[name]) for name in discriminators)
    assert not any(torch.equal(middle[name], after[name]) for name in discriminators)
    for name, _ in run.model.named_parameters():
        moved = [
            not torch.equal(a[MODEL_PREFIX + name], b[MODEL_PREFIX + name])
            for a, b in ((before, middle), (middle, after))
        ]
        assert moved == [True, name.split(".")[0] not in ENCODER], name
    (started,) = run.of(SecondPhaseStarted)
    assert started.step == half
    told = [step.discriminator_loss is not None for step in run.of(StepMetrics)]
    assert told == [False] * half + [True] * half
    assert [epoch.disguise_strength for epoch in run.of(EpochMetrics)][:1] == [None]
    assert isinstance(run.of(EpochMetrics)[-1].disguise_strength, float)


def test_without_an_adversary_there_is_no_second_phase(make_miniature):
    run = make_miniature(network="spectral_vae", max_epochs=2)
    run.run()
    assert run.state.progress.second_phase_step is None
    assert not run.of(SecondPhaseStarted)
    assert all(step.adversarial_loss is None for step in run.of(StepMetrics))


def test_the_second_phase_waits_for_the_kl_warm_up_and_stays_where_it_was_settled(make_duel):
    run = make_duel()
    run.config = replace(run.config, kl_warmup_fraction=0.75)
    run.run(stop_after=1)
    n_steps = 4 * len(run.train_loader)
    assert run.state.progress.second_phase_step == pytest.approx(0.75 * n_steps, abs=1)
    settled = run.state.progress.second_phase_step
    run.config = replace(run.config, max_epochs=9)
    run.run(stop_after=2)
    assert run.state.progress.second_phase_step == settled


def test_taken_up_in_the_second_phase_it_is_the_run_that_was_never_stopped(make_duel):
    whole = make_duel()
    whole.run(block_steps=3)
    broken = make_duel()
    broken.run(stop_after=4 * len(whole.train_loader) - 3)
    tensors = {name: tensor.contiguous() for name, tensor in broken.state.tensors().items()}
    taken_up = make_duel()
    taken_up.state.load_tensors(tensors)
    taken_up.state.progress = type(broken.state.progress)(**json.loads(json.dumps(vars(broken.state.progress))))
    taken_up.run()
    named = taken_up.state.tensors()
    assert any(name.startswith(f"{ADVERSARY_PREFIX}optimizer/") for name in named)
    for name, tensor in whole.state.tensors().items():
        assert torch.equal(tensor, named[name]), name


def test_weighed_in_parts_the_discriminators_learn_the_same(noise):
    """But for the distance of activations, which is relative to its part."""
    weights = AdversarialWeights(0.1, 0.0, 0.1)
    output = noise.flip(0)
    learned, totals = [], []
    for parts in ([4], [1, 3], [2, 2]):
        adversary = _build(weights=weights)
        adversary.augmentation_state = AugmentationState(strength=0.5)
        step = adversary.begin(7, 4)
        pairs = zip(noise.split(parts), output.split(parts), strict=True)
        totals.append(sum(len(one) / 4 * step.generator_loss(_result(other), one).item() for one, other in pairs))
        loss = step.update(1e-3, 1.0)
        learned.append([loss, *adversary.discriminators.state_dict().values()])
    assert totals == pytest.approx([totals[0]] * 3, rel=1e-5)
    for others in learned[1:]:
        for one, other in zip(learned[0], others, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_a_step_that_is_tried_again_is_the_same_step(noise, monkeypatch):
    adversary, once = _build(), _build()
    step = adversary.begin(3, 4)
    step.generator_loss(_result(noise.flip(0)[:2]), noise[:2])
    with monkeypatch.context() as memory:
        memory.setattr("sda.training.adversary.feature_matching_loss", _run_out_of_memory)
        with pytest.raises(torch.OutOfMemoryError):
            step.generator_loss(_result(noise.flip(0)[2:]), noise[2:])
    for one in (adversary, once):
        step = one.begin(3, 4)
        step.generator_loss(_result(noise.flip(0)), noise)
        step.update(1e-3, 1.0)
    for a, b in zip(adversary.discriminators.parameters(), once.discriminators.parameters(), strict=True):
        assert torch.equal(a, b)


def _run_out_of_memory(*_):
    raise torch.OutOfMemoryError("full")


def test_held_out_sound_is_listened_to_in_parts_no_larger_than_the_steps(noise, monkeypatch):
    adversary, lengths = _build(), []
    step = adversary.begin(OBSERVED_STEPS, 4)
    for part in noise.split([1, 2, 1]):
        step.generator_loss(_result(part.flip(0)), part)
    forward = adversary.discriminators.forward
    monkeypatch.setattr(adversary.discriminators, "forward", lambda part: lengths.append(len(part)) or forward(part))
    adversary.observe(step, OBSERVED_STEPS, [as_waveforms(noise.roll(7, dims=1))])
    assert lengths == [2, 2]
    whole = _build()
    step = whole.begin(OBSERVED_STEPS, 4)
    step.generator_loss(_result(noise), noise)
    whole.observe(step, OBSERVED_STEPS, [as_waveforms(noise.roll(7, dims=1))])
    assert whole.augmentation_state.held_out == pytest.approx(adversary.augmentation_state.held_out, abs=1e-5)


def test_an_epoch_that_ends_where_the_second_phase_begins_is_none_of_it(make_duel):
    run = make_duel()
    half = 2 * len(run.train_loader)
    run.run(stop_after=half)
    while len(run.of(EpochMetrics)) < 2:
        run.run(stop_after=half)
    assert run.state.progress.step == half
    assert run.of(EpochMetrics)[-1].disguise_strength is None
    run.run()
    assert [epoch.disguise_strength is None for epoch in run.of(EpochMetrics)] == [True, True, False, False]


def test_early_stopping_waits_for_the_second_phase(make_duel):
    run = make_duel(learning_rate=1e-12, early_stopping=True, early_stopping_patience=1)
    run.config = replace(run.config, max_epochs=10)
    run.run()
    assert len(run.of(SecondPhaseStarted)) == 1
    assert len(run.of(EpochMetrics)) > 5


def test_gains_of_weight_normalisation_do_not_decay():
    decaying, others = _build(weight_decay=0.1).optimizer.param_groups
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
    assert all(parameter.numel() > len(parameter) for parameter in decaying["params"])
    n_layers = 6
    assert len(decaying["params"]) == 2 * n_layers, "one kernel a layer, of two networks"
    assert len(others["params"]) == 2 * 2 * n_layers, "its gain and its bias"


def test_silence_gives_finite_gradients_on_both_sides():
    adversary = _build()
    adversary.augmentation_state = AugmentationState(strength=1.0)
    output = torch.zeros(4, 4000, requires_grad=True)
    adversary.begin(0, 4).generator_loss(_result(output), torch.zeros(4, 4000)).backward()
    assert output.grad.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in adversary.discriminators.parameters())


def test_what_is_not_finite_leaves_the_discriminators_as_they_were(noise):
    adversary = _build()
    before = [parameter.clone() for parameter in adversary.discriminators.parameters()]
    step = adversary.begin(0, 4)
    step.generator_loss(_result(noise * float("nan")), noise)
    assert step.update(1e-3, 1.0).isnan()
    for old, new in zip(before, adversary.discriminators.parameters(), strict=True):
        assert torch.equal(old, new)


@pytest.mark.parametrize(("held_out_is", "rises"), [("like training", False), ("like generated", True)])
def test_disguises_grow_where_held_out_sound_is_taken_for_generated(noise, held_out_is, rises):
    """The discriminators are taught that loud is real; what they have not heard is loud, or is not."""
    adversary = _build(adaptive=AdaptiveAugmentation(ramp_items=640, smoothing_items=64))
    generated = 0.01 * noise
    unheard = noise.roll(999, dims=1) if held_out_is == "like training" else generated.roll(999, dims=1)
    held_out = [as_waveforms(unheard)]
    for step in range(1, 12 * OBSERVED_STEPS + 1):
        taken = adversary.begin(step, 4)
        taken.generator_loss(_result(generated), noise)
        taken.update(3e-3, 1.0)
        adversary.observe(taken, step, held_out)
    state = adversary.augmentation_state
    assert state.train - state.generated > 0.5, "they have learned it"
    assert (state.strength > 0.2) is rises
    assert adversary.lecam.n_steps == 12


def test_what_is_not_an_adversarys_is_refused():
    named = _build().tensors()
    other = _build()
    with pytest.raises(RuntimeError):
        other.load_tensors({name: values for name, values in named.items() if not name.startswith("network/")})
    with pytest.raises(KeyError):
        other.load_tensors({name: values for name, values in named.items() if name != "guard/strength"})
    with pytest.raises(ValueError, match="finite"):
        other.load_tensors({**named, "lecam/real": torch.tensor(float("nan"))})


@pytest.mark.parametrize(("loss", "is_best"), [(0.90, True), (1.03, True), (1.07, False)])
def test_in_the_second_phase_the_newest_epoch_is_the_best_unless_it_costs_too_much(make_duel, loss, is_best):
    run = make_duel()
    run.run(stop_after=1)
    result = validate(run.state.average, run.objective, ValidationChunks(run.held_out, run.held_out_blocks, seed=0))
    progress = run.state.progress
    progress.best_val_loss, progress.best_replicates, progress.epoch = 1.0, [1.0] * len(result.replicates), 3
    result = replace(result, loss=loss, replicates=0 * result.replicates + loss)
    assert note_best(progress, result, 1.0, is_adversarial=True) is is_best
    assert progress.best_epoch == (3 if is_best else 0)
    assert progress.best_val_loss == min(1.0, loss)
