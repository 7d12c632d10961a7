import torch

from sda.models.plane import arrange_neighbours, project


def test_the_map_keeps_the_directions_that_vary_most():
    points = torch.randn(100, 5, generator=torch.Generator().manual_seed(0)) * torch.tensor([10.0, 0.1, 5.0, 0.1, 0.1])
    (places,), share = project(points, points)
    assert share > 0.99
    assert abs(torch.corrcoef(torch.stack([torch.tensor(places[:, 0]), points[:, 0].double()]))[0, 1]) > 0.99


def test_neighbours_stay_neighbours_and_the_arrangement_is_repeatable():
    generator = torch.Generator().manual_seed(0)
    points = torch.cat([centre + 0.1 * torch.randn(15, 8, generator=generator) for centre in (0.0, 10.0)])
    places = arrange_neighbours(points)
    assert (places == arrange_neighbours(points)).all()
    groups = [places[:15].mean(axis=0), places[15:].mean(axis=0)]
    assert ((places[:15] - groups[0]) ** 2).sum(1).max() < ((groups[0] - groups[1]) ** 2).sum()
