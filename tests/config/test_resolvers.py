"""Values that follow from the sounds in a folder are those that they have without a configuration."""

import pytest
from omegaconf import OmegaConf

from sda.config.resolvers import register_resolvers
from sda.runs.prepare_data import scan_once
from sda.training.config import get_adaptive_config
from tests.config.conftest import Folder


@pytest.mark.slow
def test_both_roads_are_one_for_every_count(compose_for):
    composed = compose_for(1, "model=mel_vae")  # whose numbers the defaults without a configuration are
    for n_files in range(1, 501):
        folder = Folder(n_files, 3 * n_files)
        register_resolvers(lambda *_, folder=folder: folder)
        assert OmegaConf.to_object(composed.training) == get_adaptive_config(n_files, n_chunks=3 * n_files), n_files


@pytest.fixture
def asked():
    """What folders are asked for while resolvers measure them; each holds 18 files."""
    folders = []

    def measure(*folder):
        folders.append(folder)
        return Folder(18, 90)

    register_resolvers(measure)
    yield folders
    register_resolvers(scan_once)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("${count_files:/sounds,0.02,-80,'',48000}", 18),
        ("${count_chunks:/sounds,0.02,-80,'',48000,0.5}", 180),
        ("${find_gain:/sounds,0.02,-80,'',48000}", -2.5),
    ],
)
def test_a_folder_is_measured_as_it_was_asked_for(asked, expression, value):
    assert OmegaConf.create({"key": expression}).key == value
    assert asked == [("/sounds", 0.02, -80, "", 48000)]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("${adaptive:10,dropout}", 0.4),
        ("${adaptive:300,max_epochs}", 500),
        ("${val_fraction:10}", 0.3),
        ("${batch_size:90,32}", 22),
        ("${batch_size:9000,16}", 16),
    ],
)
def test_what_follows_from_numbers_measures_no_folder(asked, expression, value):
    assert OmegaConf.create({"key": expression}).key == value
    assert asked == []


def test_an_id_is_the_same_throughout_one_composition(asked, monkeypatch):
    ids = iter(["00c0ffee", "0badcafe"])
    monkeypatch.setattr("secrets.token_hex", lambda n_bytes: next(ids))
    config = OmegaConf.create({"one": "${short_id:}", "other": "${short_id:}"})
    assert config.one == config.other == "00c0ffee"
    assert OmegaConf.create({"one": "${short_id:}"}).one == "0badcafe"
