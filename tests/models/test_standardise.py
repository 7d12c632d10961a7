import torch

from sda.models.standardise import Standardise


def test_every_band_gets_its_own_mean_and_deviation_however_it_is_batched():
    torch.manual_seed(0)
    bands = torch.tensor([0.0, -3.0, 5.0])[:, None] + torch.tensor([1.0, 0.5, 2.0])[:, None] * torch.randn(7, 3, 50)
    standardise = Standardise(3)
    silence = torch.full((7, 3, 20), -11.5)
    frames = torch.cat([torch.ones(7, 50), torch.zeros(7, 20)], dim=1) > 0
    with_silence = torch.cat([bands, silence], dim=2)
    standardise.fit([with_silence[:2], with_silence[2:]], [frames[:2], frames[2:]])
    result = standardise(bands)
    torch.testing.assert_close(result.mean(dim=(0, 2)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(result.std(dim=(0, 2), correction=0), torch.ones(3), atol=1e-5, rtol=0)


def test_where_there_is_only_silence_it_is_what_is_fitted_to():
    standardise = Standardise(3)
    standardise.fit([torch.full((2, 3, 5), -11.5)], [torch.zeros(2, 5) > 0])
    assert torch.equal(standardise.mean, torch.full((3, 1), -11.5))
    assert (standardise.deviation > 0.1).all()


def test_standardising_undoes_itself_and_leaves_a_dead_band_alone():
    standardise = Standardise(3)
    standardise.set(torch.tensor([1.0, -5.0, 0.0]), torch.tensor([2.0, 0.0, 1.0]))
    log_mel = torch.randn(2, 3, 7)
    torch.testing.assert_close(standardise.invert(standardise(log_mel)), log_mel)
    assert standardise(torch.full((1, 3, 1), -5.0))[0, 1, 0] == 0.0
