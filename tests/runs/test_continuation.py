"""A run that was stopped before anything of it was saved goes on from its start, and is the run that never stopped."""

import hashlib
import json
import shutil
import signal

import pytest

from experiments.torture.compare import find_delivery_faults, find_differences
from experiments.torture.victim import start_training
from sda.errors import CheckpointError
from sda.runs.continuation import BEGUN, can_go_on, open_continuation, read_begun_config, write_begun_facts
from sda.runs.folder import CHECKPOINTS, CONFIG_FILE
from sda.runs.sweep_folder import identify
from sda.seal import mark_own
from sda.tracking.delivery_state import DeliveryState, forget, read_state, write_state
from sda.tracking.journal import Journal, read_journal
from sda.training.events import CheckpointSaved, StepMetrics
from tests.runs.test_sweep_folder import _place
from tests.verbs import TINY

FACTS = {"files": {}, "split": {}, "choices": [], "versions": {}}
CONFIG = {"seed": 3, "data": {"root": "/sounds/${oc.env:HOME}", "folds": 0}}


@pytest.fixture
def begun(tmp_path):
    """A run's folder as it is before its first checkpoint."""
    run_dir = tmp_path / "0"
    (run_dir / ".hydra").mkdir(parents=True)
    (run_dir / CONFIG_FILE).write_text(json.dumps(CONFIG))  # JSON is YAML
    (run_dir / ".hydra" / "overrides.yaml").write_text("- seed=3\n- data.root='/my sounds'\n")
    mark_own(run_dir, config_sha256=hashlib.sha256((run_dir / CONFIG_FILE).read_bytes()).hexdigest())
    write_begun_facts(run_dir, FACTS)
    summary = {"status": "killed", "identity": identify(CONFIG, "f")}
    (run_dir / "summary.json").write_text(json.dumps(summary))
    return run_dir


def _tell(run_dir, *events):
    journal = Journal(run_dir)
    for event in events:
        journal(event)
    journal.close()


def test_what_was_begun_is_read_as_plain_values(begun):
    checkpoint, damaged = open_continuation(begun)
    assert checkpoint.is_start
    assert damaged == []
    assert (checkpoint.progress["epoch"], checkpoint.facts) == (0, FACTS)
    assert checkpoint.config == read_begun_config(begun) == CONFIG


def test_a_job_goes_on_with_a_run_that_was_only_begun(begun):
    place = _place(CONFIG, begun.parent, begun.with_name("0-2"))
    assert (place.run_dir, place.is_begun) == (begun, True)


@pytest.mark.parametrize("name", [BEGUN, CONFIG_FILE])
@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_text("[")])
def test_without_what_was_settled_it_says_how_to_train_anew(begun, name, spoil):
    spoil(begun / name)
    assert not can_go_on(begun)
    with pytest.raises(CheckpointError, match=r"To train it anew, .*seed=3 'data\.root=.*my sounds"):
        open_continuation(begun)


@pytest.mark.parametrize("name", [BEGUN, CONFIG_FILE, "origin.json"])
def test_what_another_installation_wrote_there_is_not_begun_again(begun, name):
    """Even where only one of the files is theirs: the configuration says where things are written."""
    path = begun / name
    path.write_text(path.read_text().replace("0", "1"))
    assert not can_go_on(begun)


def test_damaged_checkpoints_are_named_and_never_become_a_fresh_start(begun):
    for name in ("epoch_0000", "epoch_0001", "best"):
        (begun / CHECKPOINTS / name).mkdir(parents=True)
    with pytest.raises(CheckpointError, match=r"epoch_0001 is no .*epoch_0000 is no .*best is no .*To train it anew"):
        open_continuation(begun)


def test_checkpoints_that_are_gone_never_become_a_fresh_start(begun):
    _tell(begun, StepMetrics(1, 1, 9, 1.0, 1.0, 0.0, 0.0, 1e-3, 0.1))
    assert can_go_on(begun)  # on a full disk it may have trained on without saving
    _tell(begun, CheckpointSaved(0, "epoch_0000", False))
    with pytest.raises(CheckpointError, match=r"the checkpoints of .* are gone: put them back .*To train it anew"):
        open_continuation(begun)


def test_a_finished_run_is_never_begun_again(begun):
    (begun / "summary.json").write_text('{"status": "finished"}')
    with pytest.raises(CheckpointError, match="are gone"):
        open_continuation(begun)


def test_the_journal_begins_anew_and_nothing_is_delivered_twice(begun):
    _tell(begun, StepMetrics(1, 1, 9, 1.0, 1.0, 0.0, 0.0, 1e-3, 0.1))
    write_state(begun, DeliveryState(run_id="1f0c", offset=17, last_step=1, introduced=True))
    forget(begun)
    assert list(read_journal(begun / "events.jsonl")) == []
    assert read_state(begun) == DeliveryState(run_id="1f0c", last_step=1, introduced=True)


SETTINGS = (*TINY, "training.max_epochs=2", "training.checkpoint_interval=1", "deterministic=true", "seed=3")
FROM_THE_BEGINNING = [{"place": "replace", "when": "before", "number": number} for number in (1, 8)]
FROM_THE_CONFIGURATION = (
    {"place": "replace", "when": "after", "number": 8},
    {"place": "journal", "when": "torn", "number": 1},
    {"place": "write", "when": "torn", "number": 1},
    {"place": "rename", "when": "before", "number": 1},
)
"""Moments of a start, in order: between its first file and its first checkpoint."""


@pytest.mark.slow
@pytest.mark.usefixtures("store")
def test_killed_before_its_first_save_it_is_the_run_that_was_never_stopped(command_line, sounds):
    log = command_line.folder.parent / "log.txt"
    run_dir = command_line.folder / "runs" / "day" / "run"
    told = as_new = [sounds, *SETTINGS, f"hydra.run.dir={run_dir}"]
    for death in FROM_THE_BEGINNING:
        _die(told, command_line.folder, log, death)
        assert not (run_dir / "summary.json").exists()
        assert "whatever stops it" not in log.read_text()
    for death in FROM_THE_CONFIGURATION:
        _die(told, command_line.folder, log, death)
        assert (run_dir / "summary.json").exists()
        assert not list((run_dir / CHECKPOINTS).glob("epoch_*"))
        assert "holds a run already" in command_line.run("train", *as_new, code=1)
        told = ["resume=last"]
    assert f"whatever stops it, it goes on with: python train.py resume={run_dir}" in log.read_text()
    text = command_line.run("train", "resume=last")
    assert "it is begun again, with the configuration it had" in text
    whole = command_line.folder / "whole"
    command_line.run("train", sounds, *SETTINGS, "tracking=none", f"hydra.run.dir={whole}")
    assert list(find_differences(run_dir, whole, 2)) == []
    assert [event["event"] for event in read_journal(run_dir / "events.jsonl")].count("RunStarted") == 1
    assert list(find_delivery_faults(run_dir, command_line.folder / "mlflow.db")) == []

    shutil.rmtree(whole / CHECKPOINTS)
    text = command_line.run("train", f"resume={whole}", "training.max_epochs=3", code=1)
    assert "are gone: put them back" in text


def _die(arguments, folder, log, death):
    process = start_training(list(arguments), folder, log, **death)
    process.join(120)
    assert process.exitcode == -signal.SIGKILL, log.read_text()
