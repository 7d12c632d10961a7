"""The contract: what the plan names under `sda/training/`, word by word: config, dataset, metrics."""

import inspect
import json
import random
import subprocess
import sys
from dataclasses import MISSING, FrozenInstanceError, fields

import numpy as np
import pytest
import soundfile
import torch
from omegaconf import OmegaConf
from torch.utils.data import Dataset

from sda.audio.augmentation import Augmentation
from sda.config.resolvers import register_resolvers
from sda.runs.prepare_data import scan_once
from sda.training.config import (
    OverfittingPreset,
    RegularizationConfig,
    TrainingConfig,
    get_adaptive_config,
    get_effective_preview_interval,
)
from sda.training.dataset import AudioTrainingDataset, create_data_loaders
from sda.training.events import event_from_dict, event_to_dict
from sda.training.metrics import (
    EpochMetrics,
    MetricsCallback,
    MetricsHistory,
    PreviewEvent,
    StepMetrics,
    TrainingCompleteEvent,
)
from tests.composing import compose_verb
from tests.conftest import RATE_HZ

TABLE = {
    #                         CONSERVATIVE  BALANCED  AGGRESSIVE
    "dropout":                (0.4,         0.2,      0.1),
    "weight_decay":           (0.05,        0.01,     0.001),
    "augmentation_expansion": (15,          10,       5),
    "max_epochs":             (100,         200,      500),
    "learning_rate":          (5e-4,        1e-3,     2e-3),
    "kl_warmup_fraction":     (0.5,         0.3,      0.2),
    "gradient_clip_norm":     (0.5,         1.0,      5.0),
}  # fmt: skip

REGULARIZATION = {"dropout": 0.2, "weight_decay": 0.01, "augmentation_expansion": 10, "gradient_clip_norm": 1.0}

TRAINING = {
    "latent_dim": 64,
    "batch_size": 32,
    "max_epochs": 200,
    "learning_rate": 1e-3,
    "kl_warmup_fraction": 0.3,
    "free_bits": 0.5,
    "val_fraction": 0.2,
    "chunk_duration_s": 1.0,
    "checkpoint_interval": 10,
    "preview_interval": 5,
    "preview_interval_short": 2,
    "max_checkpoints": 3,
    "preset": OverfittingPreset.BALANCED,
    "regularization": RegularizationConfig(),
    "device": "auto",
    "num_workers": 0,
}


@pytest.fixture(autouse=True)
def _keep_constant_voltage(monkeypatch):
    """Samples are told apart by ramps and constants here, which a recording would be rid of."""
    monkeypatch.setattr("sda.audio.mono.ChannelSurvey._find_rest", lambda self, channels: None)


def test_there_are_three_presets():
    assert [preset.name for preset in OverfittingPreset] == ["CONSERVATIVE", "BALANCED", "AGGRESSIVE"]


def _read_rows(config):
    return {name: getattr(config.regularization if name in REGULARIZATION else config, name) for name in TABLE}


@pytest.mark.parametrize(("column", "file_count"), [(0, 10), (1, 100), (2, 300)])
def test_a_preset_sets_the_rows_of_the_table(column, file_count):
    config = get_adaptive_config(file_count)
    assert config.preset is list(OverfittingPreset)[column]
    assert _read_rows(config) == {name: row[column] for name, row in TABLE.items()}


@pytest.mark.parametrize(("section", "contract"), [(RegularizationConfig, REGULARIZATION), (TrainingConfig, TRAINING)])
def test_a_section_has_the_fields_in_their_order_with_their_defaults(section, contract):
    names = [item.name for item in fields(section)]
    assert names[: len(contract)] == list(contract)
    default = section()
    assert {name: getattr(default, name) for name in contract} == contract
    assert section(*contract.values()) == section(**contract) == default


def test_every_config_has_a_regularization_of_its_own():
    assert TrainingConfig().regularization is not TrainingConfig().regularization


@pytest.mark.parametrize(
    ("file_count", "preset", "val_fraction", "batch_size"),
    [
        (1, "CONSERVATIVE", 0.5, 1),
        (5, "CONSERVATIVE", 0.5, 6),
        (9, "CONSERVATIVE", 0.5, 11),
        (10, "CONSERVATIVE", 0.3, 12),
        (49, "CONSERVATIVE", 0.3, 32),
        (50, "BALANCED", 0.2, 32),
        (199, "BALANCED", 0.2, 32),
        (200, "AGGRESSIVE", 0.1, 32),
        (500, "AGGRESSIVE", 0.1, 32),
    ],
)
def test_preset_split_and_batch_follow_the_number_of_files(file_count, preset, val_fraction, batch_size):
    config = get_adaptive_config(file_count)
    assert (config.preset.name, config.val_fraction, config.batch_size) == (preset, val_fraction, batch_size)


@pytest.mark.parametrize(("n_chunks", "batch_size"), [(0, 1), (3, 1), (8, 2), (90, 22), (127, 31), (9000, 32)])
def test_the_batch_follows_the_scanned_chunks_where_they_are_known(n_chunks, batch_size):
    assert list(inspect.signature(get_adaptive_config).parameters) == ["file_count", "n_chunks"]
    assert get_adaptive_config(10, n_chunks=n_chunks).batch_size == batch_size


@pytest.mark.parametrize("column", range(3))
def test_under_every_preset_split_and_batch_follow_the_files(make_sounds, column):
    preset = list(OverfittingPreset)[column].value
    register_resolvers(scan_once)
    composed = compose_verb("train", f"data.root={make_sounds(6)}", f"preset={preset}", "model=mel_vae")
    config = OmegaConf.to_object(composed.training)
    assert _read_rows(config) == {name: row[column] for name, row in TABLE.items()}
    assert (config.val_fraction, config.batch_size) == (0.5, 12 // 4)  # six files of two chunks


@pytest.mark.parametrize(("max_epochs", "interval"), [(1, 2), (49, 2), (50, 5), (100, 5), (500, 5)])
def test_the_preview_interval_is_the_short_one_below_fifty_epochs(max_epochs, interval):
    assert get_effective_preview_interval(TrainingConfig(max_epochs=max_epochs)) == interval
    own = TrainingConfig(max_epochs=max_epochs, preview_interval=7, preview_interval_short=3)
    assert get_effective_preview_interval(own) == {2: 3, 5: 7}[interval]


def test_the_config_of_ten_files_has_the_normal_interval():
    """Its 100 epochs are no short run: the definition stands, though the plan's own check expects 2."""
    assert get_effective_preview_interval(get_adaptive_config(10)) == 5


@pytest.mark.parametrize("module", ["config", "metrics"])
def test_config_and_metrics_import_nothing_but_the_standard_library(module):
    code = (
        "import sys; before = set(sys.modules)\n"
        f"import sda.training.{module}\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(new - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['sda']"


def _list_arguments(function):
    """Positional arguments with their defaults, and whether all others may be left out."""
    parameters = inspect.signature(function).parameters.values()
    given = {one.name: one.default for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD}
    return given, all(one.default is not one.empty for one in parameters if one.kind is one.KEYWORD_ONLY)


def test_a_dataset_is_made_of_what_the_plan_says():
    assert issubclass(AudioTrainingDataset, Dataset)
    assert _list_arguments(AudioTrainingDataset) == (
        {
            "file_paths": inspect.Parameter.empty,
            "chunk_samples": 48000,
            "sample_rate": 48000,
            "augmentation_pipeline": None,
        },
        True,
    )


def test_an_item_is_a_second_of_mono_and_the_last_is_filled_up_with_zeros(tmp_path):
    left = np.linspace(0.1, 0.4, 120_000, dtype=np.float32)
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, left / 2], axis=1), 48000, subtype="FLOAT")
    dataset = AudioTrainingDataset([tmp_path / "stereo.wav"])
    assert len(dataset) == 3  # 2.5 s
    assert [tuple(item.shape) for item in dataset] == [(1, 48000)] * 3
    assert {item.dtype for item in dataset} == {torch.float32}
    whole = torch.cat([item[0] for item in dataset])
    torch.testing.assert_close(whole[:120_000], torch.from_numpy(0.75 * left))
    assert (whole[120_000:] == 0).all()


@pytest.mark.parametrize(
    ("n_samples", "n_chunks"), [(400, 1), (999, 1), (1000, 1), (1001, 2), (2000, 2), (2001, 3), (16000, 16)]
)
def test_a_file_has_as_many_chunks_as_its_length_asks_for(tmp_path, n_samples, n_chunks):
    soundfile.write(tmp_path / "one.wav", np.full(n_samples, 0.1), RATE_HZ)
    soundfile.write(tmp_path / "two.wav", np.full(1500, 0.2), RATE_HZ)
    dataset = AudioTrainingDataset([tmp_path / "one.wav", tmp_path / "two.wav"], 1000, RATE_HZ)
    assert len(dataset) == n_chunks + 2
    places = [(str(tmp_path / "one.wav"), 1000 * number) for number in range(n_chunks)]
    places += [(str(tmp_path / "two.wav"), 0), (str(tmp_path / "two.wav"), 1000)]
    assert [(chunk.path, chunk.start) for chunk in dataset.chunks] == places


def test_half_of_the_chunks_are_augmented(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.full(16000, 0.1), RATE_HZ)
    dataset = AudioTrainingDataset([tmp_path / "a.wav"], 16, RATE_HZ, lambda waveform: -waveform)
    share = sum(bool((dataset[index] < 0).all()) for index in range(len(dataset))) / len(dataset)
    assert share == pytest.approx(0.5, abs=0.05)  # 1000 draws: three deviations are 0.047
    assert Augmentation().probability == 0.5


def test_loaders_take_files_a_config_and_an_augmentation():
    empty = inspect.Parameter.empty
    assert _list_arguments(create_data_loaders) == (
        {"files": empty, "config": empty, "augmentation_pipeline": None},
        True,
    )


def _list_files(loader):
    return {chunk.path for chunk in loader.dataset.chunks}


def test_loaders_split_by_file_in_the_same_way_each_time(make_sounds):
    files = sorted(make_sounds(10).iterdir())
    config = get_adaptive_config(len(files))
    train_loader, val_loader = create_data_loaders(files, config)
    assert _list_files(train_loader) | _list_files(val_loader) == {str(path) for path in files}
    assert not _list_files(train_loader) & _list_files(val_loader)
    assert len(_list_files(val_loader)) == 3  # 0.3 of ten
    random.seed(7)
    torch.manual_seed(7)
    again = create_data_loaders(files, config, Augmentation())
    assert [_list_files(loader) for loader in again] == [_list_files(train_loader), _list_files(val_loader)]


def test_batches_are_mono_waveforms_and_only_training_is_augmented(make_sounds):
    config = TrainingConfig(batch_size=3, val_fraction=0.3)
    files = sorted(make_sounds(10).iterdir())
    train_loader, val_loader = create_data_loaders(files, config, lambda waveform: torch.full_like(waveform, 9.0))
    assert tuple(next(iter(train_loader)).shape) == tuple(next(iter(val_loader)).shape) == (3, 1, 48000)
    assert any((batch == 9.0).any() for batch in train_loader)
    assert not any((batch == 9.0).any() for batch in val_loader)


EVENTS = {
    StepMetrics: (
        *("epoch", "step", "total_steps", "train_loss", "recon_loss", "kl_loss", "kl_weight", "learning_rate"),
        "step_time_s",
    ),
    EpochMetrics: (
        *("epoch", "total_epochs", "train_loss", "val_loss", "val_recon_loss", "val_kl_loss", "kl_divergence"),
        *("overfitting_gap", "learning_rate", "eta_seconds", "elapsed_seconds"),
    ),
    PreviewEvent: ("epoch", "audio_path", "sample_rate"),
    TrainingCompleteEvent: (
        *("total_epochs", "total_time_s", "final_train_loss", "final_val_loss", "best_val_loss", "best_epoch"),
    ),
}


@pytest.mark.parametrize("kind", EVENTS)
def test_an_event_has_the_plans_fields_first_and_needs_no_others(kind):
    n_named = len(EVENTS[kind])
    assert tuple(item.name for item in fields(kind))[:n_named] == EVENTS[kind]
    needed = [item.name for item in fields(kind) if item.default is MISSING and item.default_factory is MISSING]
    assert tuple(needed) == EVENTS[kind]


@pytest.mark.parametrize("kind", EVENTS)
def test_an_event_is_made_by_position_or_by_name_and_survives_the_journal(kind):
    values = tuple(f"{name}.wav" if name == "audio_path" else number for number, name in enumerate(EVENTS[kind], 1))
    event = kind(*values)
    assert event == kind(**dict(zip(EVENTS[kind], values, strict=True)))
    assert tuple(getattr(event, name) for name in EVENTS[kind]) == values
    assert event_from_dict(json.loads(json.dumps(event_to_dict(event)))) == event
    with pytest.raises(FrozenInstanceError):
        event.epoch = 9


def test_a_callback_is_anything_that_can_be_called_with_an_event():
    heard = []
    callback: MetricsCallback = heard.append
    callback(PreviewEvent(5, "previews/epoch_0005/sample_1.wav", 48000))
    assert heard[0].epoch == 5


def _step(step, train_loss=1.0):
    return StepMetrics(
        epoch=1, step=step, total_steps=100, train_loss=train_loss, recon_loss=0.75, kl_loss=0.5, kl_weight=0.5,
        learning_rate=1e-3, step_time_s=0.125,
    )  # fmt: skip


def _epoch(epoch, train_loss=0.5, val_loss=0.625, gap=0.1):
    return EpochMetrics(
        epoch=epoch, total_epochs=10, train_loss=train_loss, val_loss=val_loss, val_recon_loss=val_loss - 0.125,
        val_kl_loss=0.125, kl_divergence=3.0, overfitting_gap=gap, learning_rate=1e-3,
        eta_seconds=2.0 * (10 - epoch), elapsed_seconds=2.0 * epoch,
    )  # fmt: skip


def _history():
    history = MetricsHistory()
    for step in range(1, 4):
        history.add_step(_step(step, train_loss=1 / step))
    for epoch, val_loss in ((1, 0.9), (2, 0.4), (3, 0.6)):
        history.add_epoch(_epoch(epoch, train_loss=1 / 3, val_loss=val_loss))
    return history


def test_a_history_holds_step_metrics_and_epoch_metrics():
    history = MetricsHistory()
    assert (history.step_metrics, history.epoch_metrics) == ([], [])
    history.add_step(_step(1))
    assert history.step_metrics == [_step(1)]
    history.add_epoch(_epoch(1))
    assert history.epoch_metrics == [_epoch(1)]
    assert [item.name for item in fields(MetricsHistory)] == ["step_metrics", "epoch_metrics"]
    assert MetricsHistory(step_metrics=[_step(1)], epoch_metrics=[_epoch(1)]) == history


def test_loss_curves_have_the_plans_names_and_an_entry_an_epoch():
    assert _history().get_loss_curves() == {
        "train_losses": [1 / 3, 1 / 3, 1 / 3],
        "val_losses": [0.9, 0.4, 0.6],
        "kl_losses": [0.125, 0.125, 0.125],
        "recon_losses": [0.9 - 0.125, 0.4 - 0.125, 0.6 - 0.125],
    }
    empty = MetricsHistory().get_loss_curves()
    assert empty == {"train_losses": [], "val_losses": [], "kl_losses": [], "recon_losses": []}


def test_the_best_epoch_has_the_lowest_held_out_loss():
    assert MetricsHistory().get_best_epoch() is None
    assert _history().get_best_epoch() == 2


def test_the_eta_is_the_pace_times_the_epochs_left():
    assert list(inspect.signature(MetricsHistory.compute_eta).parameters) == ["self", "current_epoch", "total_epochs"]
    assert MetricsHistory().compute_eta() == MetricsHistory().compute_eta(1, 10) == 0.0
    history = _history()  # three epochs of two seconds, of ten
    assert history.compute_eta() == history.compute_eta(3, 10) == 14.0
    assert history.compute_eta(current_epoch=8, total_epochs=10) == 4.0
    assert history.compute_eta(0, 10) == 20.0  # nothing done yet, though three are known
    assert history.compute_eta(10, 10) == history.compute_eta(3, 0) == 0.0


def test_overfitting_is_a_last_gap_above_a_fifth():
    assert inspect.signature(MetricsHistory.is_overfitting).parameters["threshold"].default == 0.2
    history = MetricsHistory()
    assert not history.is_overfitting()
    for epoch, gap, overfits in ((1, 0.3, True), (2, 0.2, False), (3, 0.21, True), (4, 0.19, False)):
        history.add_epoch(_epoch(epoch, gap=gap))
        assert history.is_overfitting() is overfits
    assert history.is_overfitting(threshold=0.1)
    assert history.is_overfitting(0.1)


def test_a_history_comes_back_from_its_dict_and_from_json():
    for history in (_history(), MetricsHistory(), MetricsHistory([_step(1)]), MetricsHistory([], [_epoch(1)])):
        values = history.to_dict()
        assert MetricsHistory.from_dict(values) == history
        assert MetricsHistory.from_dict(json.loads(json.dumps(values))) == history


def test_what_is_written_has_the_contracts_names():
    values = _history().to_dict()
    assert list(values) == ["step_metrics", "epoch_metrics"]
    assert list(values["step_metrics"])[:9] == list(EVENTS[StepMetrics])
    assert list(values["epoch_metrics"])[:11] == list(EVENTS[EpochMetrics])
    assert values["epoch_metrics"]["val_loss"] == [0.9, 0.4, 0.6]


def test_a_history_under_the_former_names_still_opens():
    columns = _history().to_dict()
    former = {"steps": columns["step_metrics"], "epochs": columns["epoch_metrics"]}
    history = MetricsHistory.from_dict(json.loads(json.dumps(former)))
    assert history == _history()
    assert history.to_dict() == columns


@pytest.mark.parametrize("missing", ["step_metrics", "epoch_metrics"])
def test_a_history_without_its_steps_or_epochs_is_none(missing):
    values = _history().to_dict()
    del values[missing]
    with pytest.raises(KeyError, match=missing):
        MetricsHistory.from_dict(values)
