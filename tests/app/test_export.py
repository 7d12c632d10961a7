"""`export.py`: a model as files of their own, in a new folder, with no more of its sounds than was asked for."""

import base64
import io
import json

import numpy as np
import pytest
import soundfile

import sda
from experiments.torture.servers import find_free_port
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


@pytest.fixture
def exported(trained):
    trained.run("export", "run=last", "output=out", "name=tones", "license=CC BY 4.0")
    return trained


def test_a_sound_from_the_file_is_the_runs_bit_for_bit(exported):
    asked = ("n=2", "duration_s=0.5", "seed=3")
    exported.run("generate", "run=last", "output=run", *asked)
    exported.run("generate", "run=out/tones.sda", "output=file", *asked)
    for name in ("sound_001.wav", "sound_002.wav"):
        of_file, of_run = (
            soundfile.read(exported.folder / folder / name, dtype="int32")[0] for folder in ("file", "run")
        )
        assert np.abs(of_run).max() > 0
        assert np.array_equal(of_file, of_run)
    record = json.loads((exported.folder / "file" / "generated.json").read_text())
    assert record["run"] == str(exported.folder / "out" / "tones.sda")
    assert "checkpoint" not in record


def test_no_recording_is_named_unless_it_was_asked_for(exported):
    for path in (exported.folder / "out").iterdir():
        content = path.read_bytes()
        assert not any(secret in content for secret in (b"tone_0", b"sounds/", str(exported.folder.parent).encode()))
    exported.run("export", "run=last", "output=named", "names=true")
    (named,) = (exported.folder / "named").glob("*.sda")
    assert b"tone_000.wav" in named.read_bytes()
    assert "tone_000.wav" in (exported.folder / "named" / "model_card.md").read_text().replace("\\", "")
    exported.run("export", f"run={named}", "output=again")
    assert not any(b"tone_0" in path.read_bytes() for path in (exported.folder / "again").iterdir())


def test_a_file_is_evaluated_with_its_sounds_alone(exported, trained_once):
    text = exported.run("evaluate", "run=out/tones.sda", code=1)
    assert "holds a model and not its recordings, beside which it would be judged" in text
    sounds = f"data.root={trained_once.parent / 'sounds'}"
    exported.run("evaluate", "run=out/tones.sda", sounds, "n_generated=2", "max_clips=2", "output=judged")
    values = json.loads((exported.folder / "judged" / "evaluation.json").read_text())
    assert values["run"] == str(exported.folder / "out" / "tones.sda")
    assert values["n_files"]["held_out"] > 0


def test_what_a_file_cannot_do_is_said_in_a_line(exported):
    for words in (("generate", "mode=reconstruct"), ("generate", "brightness=0.5")):
        text = exported.run(words[0], "run=out/tones.sda", words[1], code=1)
        assert text.startswith("error: ")
        assert text.count("\n") == 1
    assert "is a file, and no run's folder" in exported.run("train", "resume=out/tones.sda", code=1)


def test_the_card_says_what_the_file_does_not_hold(exported):
    card = (exported.folder / "out" / "model_card.md").read_text()
    assert "# tones\n" in card
    assert "CC BY 4.0" in card
    assert "It was not evaluated" in card
    assert "python generate.py run=tones.sda n=8" in card
    assert "6 files of 6 recordings" in card


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
    assert [path["path"] for path in facts["paths"]] == [1, 1, 1], "one at each novelty"
    assert facts["delay"]["decode"]["samples"] == 3 * facts["samples_per_latent"]
    played = host.play("sample", np.zeros((1, 8 * facts["samples_per_latent"]), np.float32), host.least_buffer)
    assert np.isfinite(played).all()
    assert np.abs(played).max() > 1e-4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow's own imports warn of themselves
@pytest.mark.usefixtures("store")
def test_a_registered_model_is_loaded_by_its_name_and_sounds(command_line, sounds, monkeypatch):
    from mlflow import MlflowClient
    from mlflow.pyfunc import load_model

    command_line.run("train", sounds, "training.max_epochs=1", *TINY)
    (run_dir,) = command_line.runs()
    uri = f"sqlite:///{command_line.folder / 'mlflow.db'}"
    asked = ("run=last", "format=mlflow", "name=tones", "register=small tones", "license=CC0")
    for number in (1, 2):
        text = command_line.run("export", *asked)
        assert f"registered: small tones version {number} in {uri}\n" in text
        assert f'mlflow.pyfunc.load_model("models:/small tones/{number}")\n' in text
        assert f"MLFLOW_TRACKING_URI={uri} mlflow models serve -m 'models:/small tones/{number}' --env-" in text
    version = MlflowClient(uri, uri).get_model_version("small tones", "1")
    assert version.run_id == json.loads((run_dir / "summary.json").read_text())["mlflow_run_id"]
    run = f"{run_dir.parent.name}/{run_dir.name}"
    told = {"sda.run": run, "sda.epoch": "1", "sda.license": "CC0", "sda.holds_sound": "false"}
    assert version.tags == told, "it was not evaluated"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    (row,) = load_model("models:/small tones/1").predict([{"seed": 7, "seconds": 0.5}])
    samples = soundfile.read(io.BytesIO(base64.b64decode(row["wav"])), dtype="int16")[0]
    sound = sda.load(run_dir / "exports" / "mlflow" / "data" / "tones.sda").sample(seed=7, seconds=0.5)
    path = sound.save(command_line.folder / "sound.wav", file_format="wav16")
    assert np.abs(samples).max() > 0
    assert np.array_equal(samples, soundfile.read(path, dtype="int16")[0])


def test_what_cannot_be_registered_is_exported_all_the_same(trained):
    uri = f"http://127.0.0.1:{find_free_port()}"
    asked = ("run=last", "format=mlflow", "name=tones", "register=tones", f"registry_uri={uri}", "output=out")
    text = trained.run("export", *asked, code=1)
    *_, line = text.splitlines()
    assert line.startswith(f"error: tones was not registered in {uri}: ")
    assert line.endswith("and give the command again with another output.")
    written = {path.relative_to(trained.folder / "out").as_posix() for path in (trained.folder / "out").rglob("*")}
    assert {"MLmodel", "data/tones.sda", "model_card.md"} <= written
    assert all(str(trained.folder / "out" / name) in text for name in ("MLmodel", "data/tones.sda", "model_card.md"))
    assert not any(name.startswith(".") for name in written)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["register=tones"], "error: register=tones goes with format=mlflow: MLflow keeps no format=sda.\n"),
        (["format=mlflow", "register=a/b"], "error: register=a/b is no name for a registered model: "),
        (["format=mlflow", "register=tones", "registry_uri=mlruns"], "error: registry_uri=mlruns is not supported: "),
    ],
)
def test_what_can_never_be_registered_is_refused_before_anything_is_written(trained, asked, message):
    text = trained.run("export", "run=last", *asked, code=1)
    assert text.startswith(message)
    assert text.count("\n") == 1
    assert not list(trained.folder.glob("runs/*/*/exports"))
