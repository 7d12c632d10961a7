import pytest
import torch

from sda.errors import ConfigError
from sda.generation.atlas import HELD_OUT, TRAIN, build_atlas, parse_places
from sda.models.priors.mosaic import Mosaic
from sda.models.priors.prior import Recording

HOP_S = 0.1


def record(name, timbre, n_latents=40, seed=0, **settings):
    noise = 0.3 * torch.randn(6, n_latents, generator=torch.Generator().manual_seed(seed))
    return Recording(name, noise + 3.0 * torch.eye(6)[timbre][:, None], **settings)


@pytest.fixture(scope="module")
def prior():
    mosaic = Mosaic(6)
    mosaic.fit(
        [record(f"{kind}/{number}.wav", kind, seed=10 * kind + number) for kind in range(3) for number in range(3)]
        + [record("silent/edges.wav", 4, 25, lead=2, tail=3, start=-2)]
    )
    return mosaic


def test_every_second_has_a_place_with_its_recording_and_its_side(prior):
    atlas = build_atlas(prior, HOP_S, [record("new.wav", 1, 20)])
    assert [place.start_s for place in atlas.places if place.recording == "0/1.wav"] == [0.0, 1.0, 2.0, 3.0]
    assert [place.start_s for place in atlas.places if place.recording == "silent/edges.wav"] == [0.0, 1.0]
    assert [(place.start_s, place.side) for place in atlas.places[-2:]] == [(0.0, HELD_OUT), (1.0, HELD_OUT)]
    assert sum(place.side == TRAIN for place in atlas.places) == 9 * 4 + 2
    assert atlas.points.min() >= 0.0
    assert atlas.points.max() <= 1.0
    assert float((atlas.points.amax(dim=0) - atlas.points.amin(dim=0)).max()) == pytest.approx(1.0)
    for number, (place, first) in enumerate(zip(atlas.places, atlas.first.tolist(), strict=True)):
        assert atlas.names[int(atlas.rows.owner[first])] == place.recording
        assert int(atlas.place_of[first]) == number


def test_neighbours_are_kept_and_the_map_is_the_same_each_time(prior):
    atlas = build_atlas(prior, HOP_S)
    assert atlas.places == build_atlas(prior, HOP_S).places
    apart = torch.cdist(atlas.points, atlas.points).fill_diagonal_(9.0)
    kinds = [place.recording.split("/")[0] for place in atlas.places]
    kept = [kinds[number] == kinds[int(nearest)] for number, nearest in enumerate(apart.argmin(dim=1))]
    assert sum(kept) > 0.9 * len(kept)


@pytest.mark.parametrize(("n_latents", "n_places"), [(3, 1), (12, 1), (44, 4), (45, 5)])
def test_a_map_of_very_little_is_a_map(n_latents, n_places):
    mosaic = Mosaic(6)
    mosaic.fit([record("a.wav", 0, n_latents)])
    atlas = build_atlas(mosaic, HOP_S)
    assert len(atlas.places) == n_places
    assert atlas.points.isfinite().all()


def test_moments_are_found_by_name_and_time(prior):
    atlas = build_atlas(prior, HOP_S)
    assert atlas.places[atlas.find("1/2.wav", 1.5)].start_s == 1.0
    assert atlas.places[atlas.find("edges.wav", 0.0)].recording == "silent/edges.wav"
    with pytest.raises(ConfigError, match=r"no recording 1/22.wav .* such as .*1/2.wav"):
        atlas.find("1/22.wav", 0.0)
    with pytest.raises(ConfigError, match=r"2.wav is the name of 3 recordings: give one of 0/2.wav, 1/2.wav, 2/2.wav"):
        atlas.find("2.wav", 0.0)
    with pytest.raises(ConfigError, match=r"0/0.wav@9 is not on the map: it has 0/0.wav from 0 to 4 s"):
        atlas.find("0/0.wav", 9.0)


def test_a_held_out_recording_needs_a_name_of_its_own(prior):
    with pytest.raises(ValueError, match="has the name of one"):
        build_atlas(prior, HOP_S, [record("0/0.wav", 1)])


def test_places_are_written_with_commas_also_between_names_that_have_some():
    assert parse_places("a, b (1).wav@0,c@d.wav@2.25") == [("a, b (1).wav", 0.0), ("c@d.wav", 2.25)]
    for text in ("", "rain.wav", "rain.wav@", "rain.wav@one", "rain.wav@1,thunder.wav", "rain.wav@1.2.3"):
        with pytest.raises(ConfigError, match=r"places=.* is not understood: give NAME@SECONDS"):
            parse_places(text)
