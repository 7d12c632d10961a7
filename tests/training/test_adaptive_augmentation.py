import json
import math

import pytest

from sda.training.adaptive_augmentation import AdaptiveAugmentation, AugmentationState

OVERFITTED = {"train": 1.0, "held_out": -0.8, "generated": -1.0}
LEARNED = {"train": 1.0, "held_out": 0.9, "generated": -1.0}
FOOLED = {"train": 0.0, "held_out": 0.0, "generated": 0.0}


def _run(guard, scores, n_calls, state=None, n_items=16):
    state = state or AugmentationState()
    for _ in range(n_calls):
        state = guard.follow(state, **scores, n_items=n_items)
    return state


def test_overfitting_is_0_where_held_out_scores_as_training_and_1_where_it_scores_as_generated():
    assert AugmentationState(train=0.8, held_out=0.8, generated=-0.7).overfitting == 0.0
    assert AugmentationState(train=0.8, held_out=-0.7, generated=-0.7).overfitting == 1.0
    assert AugmentationState(train=0.8, held_out=0.05, generated=-0.7).overfitting == pytest.approx(0.5)
    # What matters is where held-out lies between the two, not where the two lie.
    assert AugmentationState(train=8.0, held_out=0.5, generated=-7.0).overfitting == pytest.approx(0.5)
    assert AugmentationState(train=5.8, held_out=5.05, generated=4.3).overfitting == pytest.approx(0.5)


def test_the_strength_rises_while_the_discriminator_overfits_at_the_speed_that_was_asked_for():
    guard = AdaptiveAugmentation(ramp_items=1600)
    assert _run(guard, OVERFITTED, 1).strength == pytest.approx(0.01)
    assert _run(guard, OVERFITTED, 50).strength == pytest.approx(0.5)
    assert _run(guard, OVERFITTED, 25, n_items=32).strength == pytest.approx(0.5)  # items count, not calls


def test_the_strength_saturates_below_1_and_at_0():
    guard = AdaptiveAugmentation(ramp_items=1600)
    assert _run(guard, OVERFITTED, 500).strength == 0.85
    assert _run(guard, LEARNED, 500).strength == 0.0


@pytest.mark.parametrize("scores", [LEARNED, FOOLED], ids=["learned", "fooled"])
def test_the_strength_falls_while_the_discriminator_does_not_overfit(scores):
    guard = AdaptiveAugmentation(ramp_items=1600)
    state = AugmentationState(strength=0.5)
    assert _run(guard, scores, 10, state).strength == pytest.approx(0.4)


def test_the_strength_settles_where_disguises_hold_overfitting_at_the_target():
    guard = AdaptiveAugmentation(ramp_items=8000)
    state = AugmentationState()
    strengths = []
    for _ in range(3000):
        held_out = 1.0 - 2.0 * (0.9 - 0.6 * state.strength)  # the disguises help: 0.9 of it without, 0.3 with all
        state = guard.follow(state, train=1.0, held_out=held_out, generated=-1.0, n_items=16)
        strengths.append(state.strength)
    assert sum(strengths[-1000:]) / 1000 == pytest.approx(0.5, abs=0.03)
    assert max(strengths[-1000:]) - min(strengths[-1000:]) < 0.2
    assert state.overfitting == pytest.approx(0.6, abs=0.1)


def test_one_odd_batch_does_not_turn_the_strength_round():
    guard = AdaptiveAugmentation(ramp_items=1600, smoothing_items=500)
    state = _run(guard, OVERFITTED, 50)
    odd = guard.follow(state, train=-1.0, held_out=1.0, generated=1.0, n_items=16)
    assert odd.strength > state.strength
    assert _run(guard, LEARNED, 40, state).strength < _run(guard, LEARNED, 20, state).strength  # but it does turn


def test_noise_around_a_discriminator_that_cannot_tell_is_not_taken_for_overfitting():
    guard = AdaptiveAugmentation()
    for sign in (1.0, -1.0):
        tiny = {"train": sign * 1e-9, "held_out": -1e-9, "generated": 0.0}
        state = guard.follow(AugmentationState(strength=0.3), **tiny, n_items=16)
        assert state.overfitting < 1e-6
        assert state.strength < 0.3


def test_generated_sound_that_scores_above_training_sound_hides_no_overfitting():
    guard = AdaptiveAugmentation()
    scores = {"train": 0.5, "held_out": -0.5, "generated": 0.7}
    assert guard.follow(AugmentationState(), **scores, n_items=16).strength > 0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["train", "held_out", "generated"])
def test_scores_that_are_not_finite_change_nothing(bad, name):
    guard = AdaptiveAugmentation()
    state = _run(guard, OVERFITTED, 5)
    assert guard.follow(state, **{**OVERFITTED, name: bad}, n_items=16) == state


def test_scores_however_large_stay_finite():
    state = _run(AdaptiveAugmentation(), {"train": 1e300, "held_out": -1e300, "generated": -1e300}, 10)
    assert 0.0 <= state.overfitting <= 1.0
    assert 0.0 < state.strength <= 0.85


def test_a_saved_guard_goes_on_the_same():
    guard = AdaptiveAugmentation(ramp_items=1600)

    def scores(step: int) -> dict[str, float]:
        return {
            "train": 1 + math.sin(step) / 3,
            "held_out": math.cos(step / 5) - 0.6,
            "generated": -1 + math.sin(2 * step) / 3,
        }

    whole = AugmentationState(strength=0.3)
    strengths = []
    for step in range(40):
        whole = guard.follow(whole, **scores(step), n_items=16)
        strengths.append(whole.strength)
        if step == 19:
            resumed = AugmentationState.from_dict(json.loads(json.dumps(whole.to_dict())))
            assert resumed == whole
        elif step > 19:
            resumed = guard.follow(resumed, **scores(step), n_items=16)
    assert resumed == whole
    assert min(strengths) < strengths[0]  # it fell,
    assert min(strengths) < strengths[-1]  # and rose


def test_what_is_no_state_is_refused():
    saved = AugmentationState(strength=0.3).to_dict()
    with pytest.raises(KeyError, match="strength"):
        AugmentationState.from_dict({name: value for name, value in saved.items() if name != "strength"})
    with pytest.raises(ValueError, match=r"cannot go on from .*'held_out': nan"):
        AugmentationState.from_dict({**saved, "held_out": math.nan})
