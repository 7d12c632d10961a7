import torch

from sda.models.mel_vae import Standardise
from sda.training.statistics import fit_standardise


def test_every_band_gets_its_own_mean_and_deviation_however_it_is_batched():
    torch.manual_seed(0)
    bands = torch.tensor([0.0, -3.0, 5.0])[:, None] + torch.tensor([1.0, 0.5, 2.0])[:, None] * torch.randn(7, 3, 50)
    standardise = Standardise(3)
    fit_standardise(standardise, [bands[:2], bands[2:]])
    result = standardise(bands)
    torch.testing.assert_close(result.mean(dim=(0, 2)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(result.std(dim=(0, 2), correction=0), torch.ones(3), atol=1e-5, rtol=0)
