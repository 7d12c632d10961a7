import json
import math

import pytest
import torch

from sda.losses.adversarial import (
    LeCam,
    discriminator_hinge_loss,
    feature_matching_loss,
    generator_hinge_loss,
    mean_score,
)


def test_the_hinge_pulls_only_inside_its_margin():
    real = torch.tensor([0.0, 0.9, 1.1, 7.0], requires_grad=True)
    fake = torch.tensor([0.0, -0.9, -1.1, -7.0], requires_grad=True)
    discriminator_hinge_loss([real], [fake]).backward()
    assert real.grad.tolist() == [-0.25, -0.25, 0.0, 0.0]
    assert fake.grad.tolist() == [0.25, 0.25, 0.0, 0.0]


def test_a_discriminator_that_cannot_tell_pays_two_and_one_that_can_pays_nothing():
    unsure, sure = torch.zeros(3, 5), torch.full((3, 5), 1.5)
    assert discriminator_hinge_loss([unsure], [unsure]).item() == 2.0
    assert discriminator_hinge_loss([sure], [-sure]).item() == 0.0
    assert discriminator_hinge_loss([-sure], [sure]).item() == 5.0


def test_the_generator_is_pulled_however_sure_the_discriminator_is():
    fake = torch.tensor([-50.0, 50.0], requires_grad=True)
    generator_hinge_loss([fake]).backward()
    assert fake.grad.tolist() == [-0.5, -0.5]


def test_discriminators_count_the_same_whatever_their_maps_sizes():
    small, large = torch.ones(2, 1), -torch.ones(2, 999)
    assert mean_score([small, large]).item() == 0.0
    assert discriminator_hinge_loss([small, large], [-small, -large]).item() == 2.0


def test_feature_matching_does_not_depend_on_how_large_a_layers_activations_are():
    real, fake = torch.randn(2, 4, 3, 3), torch.randn(2, 4, 3, 3)
    plain = feature_matching_loss([[real]], [[fake]])
    torch.testing.assert_close(feature_matching_loss([[1000 * real]], [[1000 * fake]]), plain, rtol=1e-3, atol=0.0)
    torch.testing.assert_close(
        feature_matching_loss([[real, real / 10]], [[fake, fake / 10]]), plain, rtol=1e-2, atol=0
    )
    assert feature_matching_loss([[real]], [[real]]).item() == 0.0
    assert feature_matching_loss([[real]], [[1.1 * real]]).item() == pytest.approx(0.1, rel=1e-3)


def test_feature_matching_leaves_the_real_side_alone():
    real, fake = (torch.randn(2, 4, requires_grad=True) for _ in range(2))
    feature_matching_loss([[real]], [[fake]]).backward()
    assert real.grad is None
    assert fake.grad.abs().sum() > 0


def test_feature_matching_is_finite_where_a_layer_is_silent():
    fake = torch.zeros(2, 4, requires_grad=True)
    loss = feature_matching_loss([[torch.zeros(2, 4)]], [[fake]])
    loss.backward()
    assert loss.item() == 0.0
    assert torch.isfinite(fake.grad).all()


def test_features_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match="argument 2"):
        feature_matching_loss([[torch.ones(1)]], [[torch.ones(1), torch.ones(1)]])


def test_lecam_pulls_sure_scores_back_and_is_least_at_the_others_mean():
    lecam = LeCam(real=1.0, fake=-1.0, n_steps=5.0)
    scores = torch.linspace(-4, 4, 81)
    penalties = torch.stack([lecam.penalty([score], [torch.tensor(1.0)]) for score in scores])
    assert scores[penalties.argmin()].item() == pytest.approx(-1.0)
    assert penalties.min().item() == pytest.approx(0.0, abs=1e-9)
    real = torch.tensor([2.0], requires_grad=True)
    lecam.penalty([real], [torch.tensor(1.0)]).backward()
    assert real.grad.item() == pytest.approx(6.0)


def test_lecam_has_nothing_to_say_before_it_has_heard_anything():
    real = torch.tensor([2.0], requires_grad=True)
    penalty = LeCam().penalty([real], [real])
    penalty.backward()
    assert penalty.item() == 0.0
    assert real.grad.item() == 0.0


def test_running_means_begin_as_means_and_then_forget():
    lecam = LeCam()
    for step in range(10):
        lecam = lecam.follow(real=float(step), fake=-1.0)
    assert lecam.real == pytest.approx(4.5)
    assert lecam.fake == pytest.approx(-1.0)
    for _ in range(1000):
        lecam = lecam.follow(real=2.0, fake=0.0)
    assert lecam.real == pytest.approx(2.0, abs=1e-3)
    assert lecam.follow(real=3.0, fake=0.0).real == pytest.approx(2.01, abs=1e-3)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_scores_that_are_not_finite_are_passed_over(bad):
    lecam = LeCam().follow(real=1.0, fake=-1.0)
    assert lecam.follow(real=bad, fake=0.0) == lecam
    assert lecam.follow(real=0.0, fake=bad) == lecam


def test_running_means_go_on_the_same_after_they_were_saved():
    lecam = LeCam()
    for step in range(7):
        lecam = lecam.follow(real=math.sin(step), fake=math.cos(step))
    restored = LeCam.from_dict(json.loads(json.dumps(lecam.to_dict())))
    assert restored == lecam
    assert restored.follow(real=0.3, fake=0.1) == lecam.follow(real=0.3, fake=0.1)


def test_what_is_no_state_is_refused():
    saved = LeCam(real=1.0, fake=0.0, n_steps=3.0).to_dict()
    with pytest.raises(KeyError, match="fake"):
        LeCam.from_dict({name: value for name, value in saved.items() if name != "fake"})
    with pytest.raises(ValueError, match=r"cannot go on from .*'real': nan"):
        LeCam.from_dict({**saved, "real": math.nan})
