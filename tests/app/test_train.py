"""Whole runs, as a user makes them."""

import json
import signal
import sqlite3
import statistics
from contextlib import closing
from pathlib import Path

import pytest
import soundfile
import torch
import yaml
from safetensors.torch import load_file

from sda.tracking.metric_names import NAMING, name_metric
from sda.training.checkpoint import open_checkpoint
from sda.wording import format_share
from tests.conftest import RATE_HZ
from tests.verbs import TINY

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("store")]


def test_a_run_and_what_it_leaves(command_line, sounds):
    text = command_line.run(
        "train",
        sounds,
        "preset=conservative",
        "regularization.dropout=0.3",
        "training.max_epochs=3",
        *(setting for setting in TINY if not setting.startswith("preview.")),
        "preview.n_samples=1",
        "evaluation.at_end=small",
    )
    (run_dir,) = command_line.runs()
    for words in (
        "dropout 0.3",
        "(yours)",
        "(preset conservative)",
        "run finished",
        "log-mel L1",
        "sda ui",
        "verdict",
        "replays of training sound",
        f"it goes on with: python train.py resume={run_dir}",
    ):
        assert words in text
    summary = json.loads((run_dir / "summary.json").read_text())
    assert summary["status"] == "finished"
    assert summary["mlflow_link"] in text
    assert summary["gap_low"] < summary["overfitting_gap"] < summary["gap_high"]
    assert format_share(summary["overfitting_gap"], summary["gap_low"], summary["gap_high"], sign="+") in text

    config = yaml.safe_load((run_dir / ".hydra" / "config.yaml").read_text())
    assert config["training"]["regularization"]["dropout"] == 0.3
    assert config["preset"]["weight_decay"] == 0.05
    assert "${preset.dropout}" not in (run_dir / ".hydra" / "config.yaml").read_text()
    assert "${preset.weight_decay}" in (run_dir / ".hydra" / "layers.yaml").read_text()

    manifest = json.loads((run_dir / "manifest.json").read_text())
    assert {file["split"] for file in manifest["files"]} == {"train", "val"}
    assert {file["status"] for file in manifest["files"]} == {"used"}
    assert len(manifest["fingerprint"]) == 64
    previews = {path.name for path in (run_dir / "previews" / "epoch_0003").iterdir()}
    assert {
        "original_1.wav",
        "reconstruction_1.wav",
        "reconstruction_1.png",
        "interpolation_1.wav",
        "sample_1.wav",
    } <= (previews)
    assert (run_dir / "previews" / "ceiling" / "ceiling_1.wav").exists()
    assert (run_dir / "previews" / "augmentation" / "preview_augmentation.wav").exists()

    _journal_history_and_mlflow_agree(command_line, run_dir)
    _a_trained_run_can_be_judged_and_played(command_line, run_dir)


def _journal_history_and_mlflow_agree(command_line, run_dir):
    history = json.loads((run_dir / "history.json").read_text())
    for kind, section, names in (
        ("StepMetrics", "step_metrics", ("train_loss", "recon_loss", "kl_loss", "learning_rate")),
        (
            "EpochMetrics",
            "epoch_metrics",
            ("train_loss", "val_loss", "kl_divergence", "overfitting_gap"),
        ),
    ):
        events = command_line.events(run_dir, kind)
        axis = {"StepMetrics": "step", "EpochMetrics": "epoch"}[kind]
        assert events
        for name in names:
            told = [(event[axis], event[name]) for event in events]
            kept = list(zip(history[section][axis], history[section][name], strict=True))
            key = name_metric(axis, name, NAMING)
            stored = command_line.query(f"SELECT step, value FROM metrics WHERE key = '{key}' ORDER BY step")
            assert told == kept == stored, name
    params = dict(command_line.query("SELECT key, value FROM params"))
    assert params["regularization.dropout"] == "0.3"
    tags = dict(command_line.query("SELECT key, value FROM tags"))
    assert tags["chose.regularization.dropout"] == "0.3 (yours)"
    assert command_line.query("SELECT status FROM runs") == [("FINISHED",)]


def _everybody_says_the_same(command_line, run_dir, at_end, values, text):
    """Summary, terminal, page and MLflow have the verdict of the newest evaluation that each is told of."""
    summary = json.loads((run_dir / "summary.json").read_text())
    words = f"{at_end['verdict']['label']}. {at_end['verdict']['headline']}"
    assert summary["verdict"] == words
    verdict = f"{values['verdict']['label']}. {values['verdict']['headline']}"
    assert command_line.query("SELECT value FROM tags WHERE key = 'verdict'") == [(verdict,)]
    (note,) = command_line.query("SELECT value FROM tags WHERE key = 'mlflow.note.content'")[0]
    assert all(values["verdict"][key] in note for key in ("headline", "advice", "command"))
    page = (run_dir / "evaluation-2" / "report.html").read_text()
    for shown in (text, page):
        assert verdict.partition(". ")[2] in shown
        assert values["verdict"]["command"] in shown


def _a_trained_run_can_be_judged_and_played(command_line, run_dir):
    at_end = json.loads((run_dir / "evaluation" / "evaluation.json").read_text())
    assert at_end["suite"] == "small"
    assert (run_dir / "evaluation" / "report.html").stat().st_size > 10_000
    text = command_line.run("evaluate", "run=last", "max_clips=4", "n_generated=8")
    assert f"written: {run_dir / 'evaluation-2' / 'evaluation.json'}" in text
    values = json.loads((run_dir / "evaluation-2" / "evaluation.json").read_text())
    assert values["suite"] == "full"
    assert json.loads((run_dir / "evaluation" / "evaluation.json").read_text()) == at_end, "and the first one is kept"
    summary = json.loads((run_dir / "summary.json").read_text())
    for source, scores in summary["reconstruction"].items():  # the same checkpoint, the same clips: the same numbers
        found = values["reconstruction"]["held_out"][source]["log_mel_l1_db"]
        assert scores["log_mel_l1_db"] == pytest.approx(found, rel=1e-4)
        assert f"{found:.2f} (" in text
    assert set(values["reconstruction"]["held_out"]["model"]) >= {"mr_stft", "zimtohrli", "zimtohrli_interval"}
    assert set(values) == {
        *("schema", "suite", "run", "epoch", "checkpoint", "validation_weakness", "n_files"),
        *("verdict", "reconstruction", "distribution", "form", "silence", "memorisation", "latents"),
    }, "others read these keys: add to them, and take none away"
    assert set(values["memorisation"]) == {
        *("replay_rate", "replay_rate_interval", "collage_rate", "collage_rate_interval", "threshold", "null_median"),
        *("n_null_windows", "n_null_files", "n_windows", "doubt", "controls", "collage_threshold", "collage_controls"),
        *("correlations", "nearest", "window_s"),
    }
    assert set(values["memorisation"]["controls"]) == {"copies", "augmented"}  # rebuilt chunks are shorter than windows
    assert values["memorisation"]["controls"]["copies"]["rate"] < 0.9, "of a tone in which nothing moves none is a copy"
    assert values["memorisation"]["doubt"]
    assert set(values["distribution"]) == {"hand_made", "aisfx"}
    assert values["distribution"]["aisfx"]["too_few"].startswith("too few to tell")
    assert values["form"]["n_sounds"]["rebuilt"] == values["n_files"]["train"]
    assert set(values["silence"]) == {"generated", "rebuilt", "real"}
    assert len(values["latents"]["kl_by_dimension"]) == 8
    assert summary["evaluation"]["memorisation.replay_rate"] == at_end["memorisation"]["replay_rate"]

    # MLflow has both evaluations: the second was told after the run had ended.
    replay = "SELECT value FROM metrics WHERE key = '3_evaluation/memorisation.replay_rate'"
    told = [value for (value,) in command_line.query(replay)]
    assert sorted(told) == sorted({one["memorisation"]["replay_rate"] for one in (at_end, values)})
    (tag,) = command_line.query("SELECT value FROM tags WHERE key = 'evaluation'")[0]
    assert tag.startswith(values["verdict"]["label"])
    assert "full suite" in tag
    _everybody_says_the_same(command_line, run_dir, at_end, values, text)
    for name in ("evaluation", "evaluation-2"):
        (stored,) = (command_line.folder / "mlartifacts").glob(f"*/*/artifacts/{name}/evaluation.json")
        assert stored.read_bytes() == (run_dir / name / "evaluation.json").read_bytes()

    command_line.run("generate", "run=last", "n=2", "duration_s=0.7", "seed=7")
    folder = run_dir / "generated" / "sample_seed_7"
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(first) == {"sound_001.wav", "sound_002.wav", "generated.json"}
    assert len(list((command_line.folder / "mlartifacts").glob("*/*/artifacts/generated/sample_seed_7/*.wav"))) == 2
    command_line.run("generate", f"run={run_dir}", "n=1", "duration_s=0.7", "seed=7")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    second = run_dir / "generated" / "sample_seed_7-2"
    assert (second / "sound_001.wav").read_bytes() == first["sound_001.wav"]
    stored = (command_line.folder / "mlartifacts").glob("*/*/artifacts/generated/sample_seed_7-2/*")
    assert {path.name for path in stored} == {"sound_001.wav", "generated.json"}


def test_the_model_that_writes_waveforms_from_start_to_end(command_line, sounds, make_sounds):
    settings = [setting for setting in TINY if not setting.startswith("model=")]
    command_line.run(
        "train", sounds, *settings, "model=spectral_vae", "training.max_epochs=2", "tracking=none",
        "evaluation.at_end=small", "model.adversarial=always",
    )  # fmt: skip
    (run_dir,) = command_line.runs()
    summary = json.loads((run_dir / "summary.json").read_text())
    assert summary["status"] == "finished"
    assert summary["reconstruction"]["model"]["loudness_error_db"] < 3.0
    values = json.loads((run_dir / "evaluation" / "evaluation.json").read_text())
    assert len(values["latents"]["kl_by_dimension"]) == 8
    assert {path.name for path in (run_dir / "previews").glob("epoch_*/*.wav")} >= {
        "reconstruction_1.wav",
        "sample_1.wav",
    }

    history = json.loads((run_dir / "history.json").read_text())
    assert None in history["step_metrics"]["discriminator_loss"]
    assert history["step_metrics"]["discriminator_loss"][-1] > 0

    command_line.run("train", f"resume={run_dir}", "training.max_epochs=3")
    assert json.loads((run_dir / "summary.json").read_text())["status"] == "finished"
    assert json.loads((run_dir / "history.json").read_text())["epoch_metrics"]["disguise_strength"][-1] is not None

    text = command_line.run("generate", "run=last", "n=2", "duration_s=3", "seed=1")
    assert "written: 2 sounds" in text
    folder = run_dir / "generated"
    assert soundfile.info(folder / "sample_seed_1" / "sound_002.wav").frames == 3 * RATE_HZ
    source = make_sounds(3, folder="others")
    command_line.run("generate", "run=last", "mode=reconstruct", f"source={source}")
    made = json.loads((folder / "reconstruct_seed_0" / "generated.json").read_text())["files"]
    assert [Path(file["sources"][0]).name for file in made] == [f"tone_{number:03d}.wav" for number in range(3)]
    lengths = [soundfile.info(folder / "reconstruct_seed_0" / file["file"]).frames for file in made]
    assert lengths == [soundfile.info(file["sources"][0]).frames for file in made]
    command_line.run("generate", "run=last", "mode=interpolate", "n=1", "duration_s=0.5", "output=between")
    assert soundfile.info(command_line.folder / "between" / "sound_001.wav").frames == RATE_HZ // 2

    text = command_line.run("generate", "run=last", "mode=reconstruct", "source=/nowhere", code=1)
    assert "source=/nowhere: there is no such folder" in text
    text = command_line.run("generate", "run=last", f"source={source}", code=1)
    assert "use mode=continue, vary, blend, reconstruct, interpolate or transfer" in text
    one = f"source={source / 'tone_000.wav'}"
    assert "needs two sounds" in command_line.run("generate", "run=last", "mode=interpolate", one, code=1)


def test_a_sweep_is_a_parent_with_two_runs(command_line, sounds):
    command_line.run("train", "-m", sounds, "preset=conservative,balanced", "training.max_epochs=2", *TINY)
    runs = command_line.runs()
    assert [path.name for path in runs] == ["0", "1"]
    presets = [yaml.safe_load((path / ".hydra/config.yaml").read_text())["preset"]["name"] for path in runs]
    assert presets == ["conservative", "balanced"]
    parents = command_line.query("SELECT value FROM tags WHERE key = 'mlflow.parentRunId'")
    assert len(parents) == 2
    assert len(set(parents)) == 1
    assert {status for (status,) in command_line.query("SELECT status FROM runs")} == {"FINISHED"}


def test_folds_are_one_parent_with_mean_and_spread(command_line, sounds):
    text = command_line.run(
        "train",
        "-m",
        sounds,
        "data.folds=3",
        "data.fold=0,1,2",
        "training.max_epochs=2",
        "preset.kl_warmup_fraction=0.5",
        *TINY,
    )
    runs = command_line.runs()
    held_out = [
        {file["path"] for file in json.loads((run / "manifest.json").read_text())["files"] if file["split"] == "val"}
        for run in runs
    ]
    assert [len(paths) for paths in held_out] == [2, 2, 2]
    assert len(set.union(*held_out)) == 6
    losses = [json.loads((run / "summary.json").read_text())["best_val_loss"] for run in runs]
    mean, spread = statistics.fmean(losses), statistics.stdev(losses)
    assert f"over 3 folds: best_val_loss {mean:.3f} ± {spread:.3f}" in text
    ((parent,),) = set(command_line.query("SELECT value FROM tags WHERE key = 'mlflow.parentRunId'"))
    told = dict(command_line.query(f"SELECT key, value FROM latest_metrics WHERE run_uuid = '{parent}'"))
    assert told["folds/n"] == 3
    assert told["folds/best_val_loss_mean"] == pytest.approx(mean)
    assert told["folds/best_val_loss_spread"] == pytest.approx(spread)


def test_one_recording_is_split_in_time_and_marked_as_weak_everywhere(command_line, make_sounds):
    root = make_sounds(1, duration_s=6.0)
    text = command_line.run("train", f"data.root={root}", "training.max_epochs=2", *TINY)
    assert "! weak validation: what is held out is a part of the only recording" in text
    assert "held-out (weak)" in text
    assert "verdict" in text
    (run_dir,) = command_line.runs()
    manifest = json.loads((run_dir / "manifest.json").read_text())
    assert manifest["files"][0]["split"] == "both"
    (held_out,) = manifest["held_out_pieces"]
    assert held_out["end_s"] - held_out["start_s"] == pytest.approx(3.0, abs=0.1)
    weakness = manifest["validation_weakness"]
    summary = json.loads((run_dir / "summary.json").read_text())
    assert summary["validation_weakness"] == weakness
    assert "weak validation" in summary["verdict"]
    tags = dict(command_line.query("SELECT key, value FROM tags"))
    assert tags["validation"] == f"weak: {weakness}"
    assert "weak validation" in command_line.run("evaluate", "run=last", "max_clips=2", "n_generated=4")
    values = json.loads((run_dir / "evaluation" / "evaluation.json").read_text())
    assert values["validation_weakness"] == weakness
    assert values["verdict"]["label"] not in ("learned", "overfit"), "weak validation proves nothing"


STOPPED_IN_MID_EPOCH = (
    *TINY,
    "training.max_epochs=4",
    "deterministic=true",
    "regularization.augmentation_expansion=9",
    "training.checkpoint_interval=2",
)


def _stop_in_mid_epoch(command_line, sounds, number, n_told_before=0):
    """Start a run, send it a signal after its first steps, and see that it ends in order; its folder."""
    process = command_line.start("train", sounds, *STOPPED_IN_MID_EPOCH)
    # 1 line for the start, then a few for previews; the rest are steps and epochs.
    text = command_line.stop_after_steps(process, n_told_before + 12, number)
    assert process.returncode == 128 + number, text
    broken = command_line.runs()[-1]
    assert f"go on:\n    python train.py resume={broken}\n" in text
    assert json.loads((broken / "summary.json").read_text())["status"] == "stopped"
    assert list((broken / "checkpoints").glob("epoch_*"))
    assert command_line.query("SELECT status FROM runs") == [("KILLED",)]
    heard = [folder.name for folder in (broken / "previews").glob("epoch_*_step_*")]
    assert len(heard) == (number == signal.SIGINT), "a person hears how far it came; what terminates it does not wait"
    assert not heard or f"listen: {broken / 'previews' / heard[0]}\n" in text
    return broken


def test_a_run_that_is_asked_to_terminate_stops_in_order(command_line, sounds):
    _stop_in_mid_epoch(command_line, sounds, signal.SIGTERM)


def test_stopped_in_mid_epoch_and_continued_it_is_the_run_that_never_stopped(command_line, sounds):
    command_line.run("train", sounds, *STOPPED_IN_MID_EPOCH, "tracking=none")
    (whole,) = command_line.runs()
    n_told = len((whole / "events.jsonl").read_bytes().splitlines())
    broken = _stop_in_mid_epoch(command_line, sounds, signal.SIGINT, n_told)
    assert broken != whole
    stopped_at = command_line.events(broken, "StepMetrics")[-1]["step"]

    text = command_line.run("train", f"resume={broken}")
    assert f"step {stopped_at}" in text
    for name in ("train_loss", "recon_loss", "learning_rate", "gradient_norm"):
        curves = [[e[name] for e in command_line.events(run, "StepMetrics")] for run in (whole, broken)]
        assert curves[0] == curves[1], name
    for name in ("val_loss", "is_best", "gap_low", "gap_high", "gap_slope", "verdict"):
        curves_of_epochs = [[e[name] for e in command_line.events(run, "EpochMetrics")] for run in (whole, broken)]
        assert curves_of_epochs[0] == curves_of_epochs[1], name
    ends = [open_checkpoint(run / "checkpoints" / "epoch_0004").progress | {"elapsed_s": 0} for run in (whole, broken)]
    assert ends[0] == ends[1]
    assert len(ends[0]["best_replicates"]) == 1000
    tensors = [load_file(run / "checkpoints" / "epoch_0004" / "tensors.safetensors") for run in (whole, broken)]
    assert all(torch.equal(tensor, tensors[1][name]) for name, tensor in tensors[0].items())
    told = "SELECT step FROM metrics WHERE key = '6_steps/train_loss' ORDER BY step"
    steps = [step for (step,) in command_line.query(told)]
    assert steps == list(range(1, len(curves[0]) + 1))
    assert command_line.query("SELECT count(*), status FROM runs") == [(1, "FINISHED")]

    text = command_line.run("train", f"resume={broken}", "training.latent_dim=9", code=1)
    assert "training.latent_dim cannot change when a run is continued" in text


def test_a_killed_run_continues_and_sync_tells_the_truth(command_line, sounds):
    process = command_line.start("train", sounds, *TINY, "training.max_epochs=400", "training.checkpoint_interval=1")
    command_line.stop_after_steps(process, 40, signal.SIGKILL)
    (run_dir,) = command_line.runs()
    assert json.loads((run_dir / "summary.json").read_text())["status"] == "running"

    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "sda", "sync"], cwd=command_line.folder, capture_output=True, text=True, check=True
    )
    assert "(killed): delivered" in done.stdout
    assert command_line.query("SELECT status FROM runs") == [("KILLED",)]
    assert json.loads((run_dir / "summary.json").read_text())["status"] == "killed"

    n_epochs = len(command_line.events(run_dir, "EpochMetrics")) + 2
    command_line.run("train", "resume=last", f"training.max_epochs={n_epochs}")
    assert command_line.query("SELECT status FROM runs") == [("FINISHED",)]
    told = "SELECT step FROM metrics WHERE key = '6_steps/train_loss' ORDER BY step"
    steps = [step for (step,) in command_line.query(told)]
    assert steps == list(range(1, len(steps) + 1))


def test_other_sounds_are_not_continued_on(command_line, sounds):
    command_line.run("train", sounds, *TINY, "training.max_epochs=1", "tracking=none")
    root = command_line.folder.parent / "sounds"
    (root / "tone_000.wav").rename(root / "renamed.wav")
    command_line.run("train", "resume=last", "training.max_epochs=2")  # the same sound under another name
    (root / "renamed.wav").unlink()
    text = command_line.run("train", "resume=last", "training.max_epochs=3", code=1)
    assert "not those that the run was trained on (missing or changed: " in text


def test_a_finished_run_is_continued_only_further_and_never_written_over(command_line, sounds):
    arguments = (sounds, *TINY, "training.max_epochs=1", "tracking=none")
    command_line.run("train", *arguments)
    (run_dir,) = command_line.runs()
    journal = (run_dir / "events.jsonl").read_bytes()
    assert "is finished: it trained 1 epochs" in command_line.run("train", "resume=last", code=1)
    assert "holds a run already" in command_line.run("train", *arguments, f"hydra.run.dir={run_dir}", code=1)
    assert (run_dir / "events.jsonl").read_bytes() == journal

    elsewhere = command_line.folder / "elsewhere"
    elsewhere.mkdir()
    command_line.folder = elsewhere  # the run's own paths hold from any folder
    command_line.run("train", f"resume={run_dir}", "training.max_epochs=2")
    assert [epoch["epoch"] for epoch in command_line.events(run_dir, "EpochMetrics")] == [1, 2]


def test_without_tracking_mlflow_is_not_imported(command_line, sounds):
    text = command_line.run_afresh(
        "train", sounds, *TINY, "training.max_epochs=1", "tracking=none", PYTHONPROFILEIMPORTTIME="1"
    )
    assert "torch" in text
    assert " mlflow" not in text
    assert " torch._dynamo" not in text  # the compiler takes as long to import as all the rest
    assert command_line.query("SELECT count(*) FROM runs") == [(0,)]


@pytest.mark.slow
def test_the_store_that_the_environment_names_is_taken_and_said_once(command_line, sounds):
    store = command_line.folder.parent / "team.db"
    settings = ("training.max_epochs=1", *TINY)
    named = {"MLFLOW_TRACKING_URI": f"sqlite:///{store}", "MLFLOW_EXPERIMENT_NAME": "rain"}
    text = command_line.run("train", sounds, *settings, **named)
    assert text.count("MLFLOW_TRACKING_URI") == text.count("MLFLOW_EXPERIMENT_NAME") == 1
    assert f"! MLflow's store is sqlite:///{store}; MLFLOW_TRACKING_URI names it" in text
    assert command_line.query("select * from runs") == []
    with closing(sqlite3.connect(store)) as connection:
        (name,) = connection.execute("select e.name from runs r join experiments e using (experiment_id)").fetchone()
    assert name == "rain"
