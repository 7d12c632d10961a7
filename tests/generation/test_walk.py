import pytest
import torch

from sda.errors import ConfigError
from sda.generation.atlas import build_atlas
from sda.generation.walk import LEAST_STAY_S, lead_past, map_sound, walk_path, walk_stretches
from sda.models.priors.mosaic import Mosaic
from sda.models.priors.prior import join
from tests.generation.test_atlas import HOP_S, record


@pytest.fixture(scope="module")
def atlas():
    mosaic = Mosaic(6)
    mosaic.fit([record(f"{kind}/{number}.wav", kind, seed=10 * kind + number) for kind in (0, 2) for number in (0, 1)])
    return build_atlas(mosaic, HOP_S, [record("0/new.wav", 0, seed=77), record("2/new.wav", 2, seed=78)])


def _walk(atlas, way, n_points=300, seed=1, **settings):
    return join(walk_path(atlas, way, n_points, seed=seed, **settings))


def _kinds(drawn, atlas):
    return [atlas.names[int(owner)].split("/")[0] for owner in drawn.shares.argmax(dim=1)]


def test_a_walk_begins_and_ends_with_what_is_like_its_ends(atlas):
    way = lead_past(atlas, [atlas.find("0/1.wav", 2.5), atlas.find("2/0.wav", 0.0)], 30.0)
    assert [point[0] for point in way] == [0.0, 30.0]
    drawn = _walk(atlas, way)
    kinds = _kinds(drawn, atlas)
    assert set(kinds[:60]) == {"0"}
    assert set(kinds[-60:]) == {"2"}
    assert atlas.names[int(drawn.shares[0].argmax())] == "0/1.wav"
    assert int(drawn.places[0]) == 20


def test_sources_add_up_and_held_out_sound_is_played_where_it_is_asked_for(atlas):
    way = [(0.0, 0.1, 0.2), (15.0, 0.9, 0.1), (30.0, 0.5, 0.9)]
    drawn, with_all = _walk(atlas, way), _walk(atlas, way, uses_held_out=True)
    torch.testing.assert_close(drawn.shares.sum(dim=1), torch.ones(300))
    assert drawn.shares[:, 4:].sum() == 0.0
    assert with_all.shares[:, 4:].sum() > 0.0
    assert torch.equal(drawn.path, _walk(atlas, way).path)
    assert not torch.equal(drawn.path, _walk(atlas, way, seed=2).path)


def test_nothing_flutters_and_passages_go_over_into_each_other(atlas):
    drawn = _walk(atlas, [(0.0, 0.0, 0.0), (30.0, 1.0, 1.0)])
    left = (drawn.places.diff() != 1).nonzero()[:, 0]
    ended = torch.tensor([int(drawn.places[place]) == 39 for place in left.tolist()])
    assert len(left) > 5
    stays = left.diff()[~ended[1:]]
    assert stays.min() >= round(LEAST_STAY_S / HOP_S)
    between = (drawn.shares > 0.0).sum(dim=1) > 1
    assert between.any()


def test_standing_still_is_no_loop_of_one_second(atlas):
    place = atlas.find("0/0.wav", 1.0)
    drawn = _walk(atlas, lead_past(atlas, [place], 30.0))
    assert len({(int(one.argmax()), int(at)) for one, at in zip(drawn.shares, drawn.places, strict=True)}) > 20


def test_a_way_that_is_none_is_refused(atlas):
    for way in ([], [(1.0, 0.0, 0.0), (0.0, 1.0, 1.0)]):
        with pytest.raises(ConfigError, match="in the order of time"):
            walk_path(atlas, way, 10, seed=0)


def test_a_walk_is_heard(spectral_synthesizer):
    atlas = map_sound(spectral_synthesizer)
    assert {place.recording for place in atlas.places} == {"first", "second"}
    notes = []
    way = lead_past(atlas, [0, len(atlas.places) - 1], 1.0)
    made = torch.cat(
        list(walk_stretches(spectral_synthesizer, atlas, way, 16_000, seed=1, number=1, note=notes.append))
    )
    assert made.shape == (16_000,)
    assert made.isfinite().all()
    assert join(notes).shares.shape[1] == 2


def test_without_a_bank_there_is_no_map(mel_synthesizer):
    with pytest.raises(ConfigError, match=r"mode=walk is made of passages .* density, does not keep"):
        map_sound(mel_synthesizer)
