"""A model from Python makes what `generate.py` writes."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

import sda
from sda.api import asking
from sda.api.model import Model
from sda.app.generate import generate_with
from sda.app.loading import open_run
from sda.app.making import Order, make
from sda.audio.given import SoundFile
from sda.audio.mel import LogMel
from sda.audio.sound_file import read_comment
from sda.bootstrap import Estimate
from sda.config.schema import TrainRunConfig
from sda.config.verbs import GenerateConfig, GenerateMode, SoundFormat
from sda.errors import CheckpointError, ConfigError, DataError
from sda.evaluation.controls import ControlProof, CorpusRange, ProvenControls
from sda.generation.controls import Controls
from sda.generation.loudness import LoudnessScale
from sda.generation.steering import Direction
from tests.conftest import RATE_HZ, tone
from tests.generation.conftest import features, sound, spectral_synthesizer  # noqa: F401


@pytest.fixture(scope="module")
def run(trained_once):
    (summary,) = trained_once.glob("runs/*/*/summary.json")
    return open_run(str(summary.parent), "cpu")


@pytest.fixture(scope="module")
def model(run):
    return Model(run)


@pytest.fixture
def voices(tmp_path):
    """Two sounds of unlike lengths, as files in order, and as samples."""
    folder = tmp_path / "voices"
    folder.mkdir()
    given = [tone(300, 0.6), tone(500, 0.8)]
    for name, samples in zip(("a.wav", "b.wav"), given, strict=True):
        soundfile.write(folder / name, samples, RATE_HZ, subtype="FLOAT")
    return folder, given


def _list_calls(folder, voices):
    """Each way of making a sound, and what `generate.py` is told for the same."""
    one, both = {"source": str(folder / "a.wav")}, {"source": str(folder)}
    files, rate = sorted(folder.iterdir()), {"sample_rate_hz": RATE_HZ}
    tensors, rising = [torch.from_numpy(voice) for voice in voices], [(0, 0), (0.3, 1)]
    return [
        ("sample", [], {"n": 2, "temperature": 0.5}, {"n": 2, "temperature": 0.5}),
        ("continue_", files[:1], {}, {"mode": "continue", **one}),
        ("vary", voices[:1], {"strength": 0.3, **rate}, {"mode": "vary", "strength": 0.3, **one}),
        ("blend", tensors, {"share": rising, **rate}, {"mode": "blend", "share": "0:0,0.3:1", **both}),
        ("reconstruct", voices[:1], rate, {"mode": "reconstruct", **one}),
        ("interpolate", files, {}, {"mode": "interpolate", **both}),
        ("loop", [], {}, {"mode": "loop"}),
        ("make", ["reconstruct", voices], {"n": 2, **rate}, {"mode": "reconstruct", "n": 2, **both}),
    ]


def test_the_same_settings_and_seed_give_the_same_samples(run, model, voices, tmp_path):
    for number, (method, given, settings, told) in enumerate(_list_calls(*voices)):
        own = {"run": "last", "duration_s": 0.3, "seed": 7, "output": str(tmp_path / f"{number}")}
        own["format"] = SoundFormat.wav32f
        mode = GenerateMode[told.get("mode", "sample")]
        call = generate_with(run, GenerateConfig(**{"n": 1, **told, **own, "mode": mode}), lambda sounds, n: sounds)
        made = getattr(model, method)(*given, seconds=0.3, seed=7, **settings)
        made = made if isinstance(made, list) else [made]
        assert len(call.files) == len(made) == told.get("n", 1)
        for file, one in zip(call.files, made, strict=True):
            written = soundfile.read(call.folder / file["file"], dtype="float32")[0]
            np.testing.assert_array_equal(written, one.waveform, method)
            assert np.abs(one.waveform).max() > 0, method


@pytest.mark.slow
def test_they_are_those_of_the_command_line(trained, monkeypatch, tmp_path):
    trained.run("generate", "run=last", "n=1", "duration_s=0.3", "seed=3", "output=out")
    monkeypatch.chdir(trained.folder)
    model = sda.load()
    assert model.folder == trained.runs()[0]
    made = model.sample(seconds=0.3, seed=3)
    written = trained.folder / "out" / "sound_001.wav"
    kept = made.save(tmp_path / "same.wav")
    np.testing.assert_array_equal(*(soundfile.read(path, dtype="int16")[0] for path in (kept, written)))
    assert read_comment(kept).startswith(f"epoch 1, sound 1: python generate.py run={model.folder.name} ")
    assert "seed=3" in read_comment(kept)
    assert (made.seed, made.sample_rate_hz, made.sources) == (3, RATE_HZ, ())


def test_a_model_says_what_it_is(model):
    assert repr(model) == f"Model(mel_vae at {RATE_HZ} Hz, epoch 1 of {model.folder})"
    assert (model.epoch, model.sample_rate_hz) == (1, RATE_HZ)
    config = model.config
    assert config["training"]["latent_dim"] == 8
    config["training"]["latent_dim"] = 9
    assert model.config["training"]["latent_dim"] == 8


def test_latents_are_decoded_to_what_a_reconstruction_is(model, voices):
    _, (first, _) = voices
    latents = model.encode(first, sample_rate_hz=RATE_HZ)
    assert (len(latents), latents.dtype) == (8, np.float32)
    decoded = model.decode(latents, seed=5, n_samples=len(first))
    rebuilt = model.reconstruct(first, seed=5, sample_rate_hz=RATE_HZ)
    np.testing.assert_array_equal(decoded, rebuilt)
    assert rebuilt.sources == ("sound 1",)
    assert len(model.decode(torch.from_numpy(latents))) > 0
    with pytest.raises(DataError, match=r"latents: their shape \[9, 3\] is none of this model. Give \[8, K\]"):
        model.decode(np.zeros((9, 3)))


def test_a_sound_that_was_made_is_given_on(model):
    made = model.sample(seconds=0.3)
    again = model.reconstruct(made)
    np.testing.assert_array_equal(again, model.reconstruct(made.waveform, sample_rate_hz=RATE_HZ))


@pytest.mark.parametrize(
    ("error", "words", "call"),
    [
        (ConfigError, "novelty=2.0 is out of range", lambda model: model.sample(novelty=2)),
        (ConfigError, "strength=0.3 has no use with sample: it is for vary", lambda model: model.sample(strength=0.3)),
        (ConfigError, "duration_s is no setting here: it is called seconds", lambda model: model.sample(duration_s=1)),
        (ConfigError, "share=0.5 has no use with reconstruct", lambda model: model.decode(np.zeros((8, 1)), share=0.5)),
        (ConfigError, "model=mel_vae has no controls", lambda model: model.controls),
        (ConfigError, "model=mel_vae has no controls", lambda model: model.sample(level=3)),
        (
            DataError,
            "blend starts from 2 given sounds, not from 1",
            lambda model: model.make("blend", [model.sample()]),
        ),
        (DataError, "loop starts from no given sounds, not from 1", lambda model: model.make("loop", [model.sample()])),
        (DataError, "sound 1=a.wav: there is no such file", lambda model: model.vary("a.wav")),
        (DataError, "sound 1: 3 samples are too few", lambda model: model.vary(np.zeros(3), sample_rate_hz=RATE_HZ)),
        (CheckpointError, "nope is no run", lambda model: sda.load("nope")),
        (ConfigError, "checkpoint=newest is unknown: use best or last", lambda model: sda.load(checkpoint="newest")),
    ],
)
def test_errors_say_what_to_do(model, error, words, call):
    with pytest.raises(error, match=words):
        call(model)


def _open_in_memory(synthesizer, log_mel: LogMel) -> Model:
    config = TrainRunConfig()
    config.training.latent_dim, config.data.gain_db = 8, 6.0
    checkpoint = SimpleNamespace(progress={"epoch": 1}, folder=Path("runs/one/checkpoints/best"), is_file=False)
    run = SimpleNamespace(run_dir=Path("runs/one"), checkpoint=checkpoint, config=config, features=log_mel)
    run.synthesizer = synthesizer
    return Model(run)


def test_modes_that_know_their_sources_tell_of_them(spectral_synthesizer, features, voices):  # noqa: F811
    folder, (first, _) = voices
    model = _open_in_memory(spectral_synthesizer, features)
    assert model.recordings == ["first", "second"]
    walk = model.walk([("first", 0), ("second", 0.5)], seconds=0.5, seed=2)
    played = model.transfer(first, adherence=1.0, seconds=0.5, seed=2, sample_rate_hz=RATE_HZ)
    for made, mode, settings in (
        (walk, GenerateMode.walk, {"places": "first@0,second@0.5"}),
        (played, GenerateMode.transfer, {"adherence": 1.0}),
    ):
        config = GenerateConfig(run="last", mode=mode, n=1, duration_s=0.5, seed=2, **settings)
        (alike,) = make(Order(spectral_synthesizer, [SoundFile(str(folder / "a.wav"))], config, 10 ** (6 / 20)))
        np.testing.assert_allclose(made, torch.cat(list(alike.stretches)) / 10 ** (6 / 20), rtol=1e-6, atol=1e-7)
        assert sum(made.provenance["shares"].values()) == pytest.approx(1.0, abs=1e-3)


def test_controls_say_whether_they_keep_their_word(spectral_synthesizer, features, monkeypatch):  # noqa: F811
    sure, unsure, corpus = Estimate(1.0, 1.0, 1.0), Estimate(0.3, -0.4, 0.9), CorpusRange(-30.0, -15.0)
    proofs = [
        ControlProof("level", 5.0, corpus, sure, sure, {"brightness": 0.1}, 5),
        ControlProof("roughness", 0.1, corpus, unsure, unsure, {}, 5),
    ]
    direction = Direction(torch.ones(8) / 8)
    found = ProvenControls(
        Controls(LoudnessScale(1, 8.0, 0.04), {proof.key: direction for proof in proofs}), proofs, {}
    )
    tried = []
    monkeypatch.setattr(asking, "find_controls", lambda run: tried.append(run) or found)
    model = _open_in_memory(spectral_synthesizer, features)
    level, roughness = model.controls
    assert (level["key"], level["unit"], level["low"], level["high"], level["is_named"]) == ("level", "dB", -5, 5, True)
    assert (roughness["key"], roughness["is_named"]) == ("axis_6", False)
    plain, turned = model.sample(seconds=0.3), model.sample(seconds=0.3, level=[(0, 6), (0.3, 6)])
    assert not np.array_equal(plain, turned)
    assert len(tried) == 1, "found and tried once"
    with pytest.raises(ConfigError, match=r"roughness=0\.1: on this model the control does not keep its word"):
        model.sample(seconds=0.3, roughness=0.1)
