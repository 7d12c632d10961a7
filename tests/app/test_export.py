"""`export.py`: a model as files of their own, in a new folder, with no more of its sounds than was asked for."""

import json

import numpy as np
import pytest

from sda.config.export import ExportFormat
from sda.export.formats import FORMATS
from tests.export.nn_host import Host
from tests.verbs import TINY


def test_every_format_has_a_row():
    assert set(FORMATS) == set(ExportFormat)


def test_every_call_has_a_folder_of_its_own_and_writes_over_nothing(trained):
    (run_dir,) = trained.runs()
    for folder in ("sda", "sda-2"):
        text = trained.run("export", "run=last", "name=tones")
        assert f"written: {run_dir / 'exports' / folder / 'tones.sda'}" in text
        assert not list((run_dir / "exports" / folder).glob(".*"))
    text = trained.run("export", "run=last", f"output={run_dir / 'exports' / 'sda'}", code=1)
    assert "is there already and not an empty folder" in text


@pytest.mark.parametrize("name", ["../tones", "a/b", ".hidden", "x" * 101])
def test_a_name_that_is_none_of_a_file_is_refused(trained, name):
    text = trained.run("export", "run=last", f"name={name}", code=1)
    assert f"name={name} is no name for files" in text
    assert not list(trained.folder.glob("runs/*/*/exports"))


def test_a_model_that_cannot_be_streamed_is_refused_before_anything_is_written(trained):
    text = trained.run("export", "run=last", "format=nn", code=1)
    assert "format=nn is not possible with this model" in text
    assert not list(trained.folder.glob("runs/*/*/exports"))


@pytest.mark.slow
def test_a_model_for_nn_plays_in_a_host(command_line, sounds):
    settings = [setting for setting in TINY if not setting.startswith("model=")]
    command_line.run("train", sounds, *settings, "model=spectral_vae", "training.max_epochs=2", "tracking=none")
    (run_dir,) = command_line.runs()
    text = command_line.run("export", "run=last", "format=nn", "name=tones", "paths=1", "path_s=1", "seed=4")
    folder = run_dir / "exports" / "nn"
    assert f"written: {folder / 'tones.ts'}" in text
    facts = json.loads((folder / "tones.json").read_text())
    host = Host(folder / "tones.ts")
    assert set(facts["attributes"]) == set(host.attributes) - {"seed", "path", "novelty", "delay"}
    assert host.get("seed") == [4]
    assert facts["delay"]["decode"]["samples"] == 3 * facts["samples_per_latent"]
    played = host.play("sample", np.zeros((1, 8 * facts["samples_per_latent"]), np.float32), host.least_buffer)
    assert np.isfinite(played).all()
    assert np.abs(played).max() > 1e-4
