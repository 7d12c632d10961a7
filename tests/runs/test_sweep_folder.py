"""A sweep's folder: whose run is it, and where does a job go?"""

import json

import pytest
import yaml

from sda.app.sweep_end import describe_ends
from sda.errors import CheckpointError, ConfigError
from sda.runs.axes import find_axes
from sda.runs.comparison import compare_runs, list_sweep_runs
from sda.runs.folder import lock_run, read_summary
from sda.runs.sweep_folder import (
    BEGUN,
    JobEnd,
    begin_session,
    find_free_place,
    find_sweep,
    find_sweep_to_resume,
    hold_sweep,
    identify,
    name_sweep,
    note_job,
    place_job,
    read_job_ends,
    read_session,
)
from sda.seal import mark_own
from sda.training.checkpoint_writer import CheckpointWriter, draft_checkpoint
from tests.training.conftest import make_miniature  # noqa: F401 (a fixture)

CONFIG = {"seed": 0, "data": {"root": "/sounds", "folds": 0}, "training": {"max_epochs": 3, "device": "auto"}}


def _write_run(run_dir, config, status, **summary):
    (run_dir / ".hydra").mkdir(parents=True)
    (run_dir / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config))
    (run_dir / "summary.json").write_text(json.dumps({"status": status, "identity": identify(config, "f"), **summary}))
    mark_own(run_dir, sweep=name_sweep(run_dir.parent))
    return run_dir


def _place(config, sweep_dir, run_dir, fingerprint="f", wait_for=lambda run_dir: None):
    return place_job(identify(config, fingerprint), sweep_dir, run_dir, wait_for)


def test_a_job_is_the_run_of_the_same_configuration_on_the_same_sounds(tmp_path):
    finished = _write_run(tmp_path / "0", CONFIG, "finished")
    new = tmp_path / "1"
    elsewhere = {**CONFIG, "data": {"root": "/moved", "folds": 0}, "training": {"max_epochs": 3, "device": "cuda:1"}}
    assert _place(elsewhere, tmp_path, new).run_dir == finished
    assert _place(elsewhere, tmp_path, new).is_finished
    for other in ({**CONFIG, "seed": 1}, {**CONFIG, "training": {"max_epochs": 4, "device": "auto"}}):
        place = _place(other, tmp_path, new)
        assert (place.run_dir, place.is_finished, place.is_begun) == (new, False, False)
    assert _place(CONFIG, tmp_path, new, fingerprint="other sounds").run_dir == new


def test_a_strangers_run_is_no_job_of_ours(tmp_path):
    _write_run(tmp_path / "0", CONFIG, "finished")
    (tmp_path / "0" / "origin.json").write_text('{"id": "0", "seal": "0"}')
    assert _place(CONFIG, tmp_path, tmp_path / "0").run_dir == tmp_path / "0-2"


def test_a_strangers_sweep_is_read_and_not_gone_on_with(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "theirs"
    _write_run(folder / "0", CONFIG, "finished")
    begin_session(folder, ["-m", "seed=0,1"])
    (folder / "origin.json").unlink()
    assert find_sweep("last") == folder
    with pytest.raises(ConfigError, match="no sweep of this command"):
        find_sweep_to_resume(["-m", "seed=0,1", "sweep.resume=true"])
    with pytest.raises(ConfigError, match="not begun by this installation"):
        hold_sweep(folder)


def test_a_sweep_with_a_link_in_it_is_refused(tmp_path):
    folder = tmp_path / "sweep"
    begin_session(folder, ["-m", "seed=0,1"])
    _write_run(folder / "0", CONFIG, "finished")
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (folder / "jobs.jsonl").symlink_to(outside)
    with pytest.raises(ConfigError, match="symbolic link"):
        hold_sweep(folder)
    with pytest.raises(CheckpointError, match="symbolic link"):
        find_sweep(str(folder))
    with pytest.raises(OSError, match="symbolic link"):
        note_job(folder, JobEnd(1, 0, "/r/0", [], "trained"))
    assert outside.read_text() == "mine"


def test_a_run_with_nothing_to_go_on_from_is_left_alone(tmp_path):
    _write_run(tmp_path / "0", CONFIG, "running")
    assert _place(CONFIG, tmp_path, tmp_path / "0").run_dir == tmp_path / "0-2"


def test_a_run_that_a_process_is_at_is_waited_for_and_then_looked_at_again(tmp_path):
    begun = _write_run(tmp_path / "0", CONFIG, "running")
    waited_for = []

    def finish(run_dir):
        waited_for.append(run_dir)
        (begun / "summary.json").write_text(json.dumps({**read_summary(begun), "status": "finished"}))

    place = _place(CONFIG, tmp_path, tmp_path / "0", wait_for=finish)
    assert waited_for == [begun]
    assert (place.run_dir, place.is_finished) == (begun, True)


def test_a_run_that_finished_beside_another_of_the_same_job_is_found(tmp_path, make_miniature):  # noqa: F811
    run = make_miniature(max_epochs=1)
    CheckpointWriter(tmp_path / "0" / "checkpoints", 3).write(draft_checkpoint(run.state, {}, {}, best=False))
    begun = _write_run(tmp_path / "0", CONFIG, "killed")
    assert _place(CONFIG, tmp_path, tmp_path / "0").is_begun
    _write_run(tmp_path / "0-2", CONFIG, "finished")
    assert _place(CONFIG, tmp_path, begun).run_dir == tmp_path / "0-2"


def test_a_folder_that_a_process_begins_a_run_in_is_not_free(tmp_path):
    (tmp_path / "0").mkdir()
    with lock_run(tmp_path / "0"):  # before its first line
        assert find_free_place(tmp_path / "0") == tmp_path / "0-2"
    assert find_free_place(tmp_path / "0") == tmp_path / "0"


def test_no_run_is_written_over(tmp_path):
    assert find_free_place(tmp_path / "0") == tmp_path / "0"
    _write_run(tmp_path / "0", CONFIG, "failed")
    assert find_free_place(tmp_path / "0") == tmp_path / "0-2"
    _write_run(tmp_path / "0-2", CONFIG, "failed")
    assert find_free_place(tmp_path / "0") == tmp_path / "0-3"


def test_a_run_that_was_begun_anew_elsewhere_does_not_count(tmp_path):
    _write_run(tmp_path / "0", CONFIG, "running")
    assert [run_dir.name for run_dir in list_sweep_runs(tmp_path)] == ["0"]
    _write_run(tmp_path / "0-2", CONFIG, "finished")
    _write_run(tmp_path / "1", {**CONFIG, "seed": 1}, "running")
    assert [run_dir.name for run_dir in list_sweep_runs(tmp_path)] == ["1", "0-2"]


def test_what_became_of_jobs_is_told_by_session(tmp_path):
    assert begin_session(tmp_path, ["-m", "seed=0,1"]) == 1
    note_job(tmp_path, JobEnd(1, 0, "/r/0", ["seed=0"], "trained"))
    note_job(tmp_path, JobEnd(1, 1, "/r/1", ["seed=1"], "failed", "no room"))
    assert begin_session(tmp_path, ["-m", "seed=0,1", "sweep.resume=true"]) == read_session(tmp_path) == 2
    for outcome in (BEGUN, "found"):
        note_job(tmp_path, JobEnd(2, 0, "/r/0", ["seed=0"], outcome))
    note_job(tmp_path, JobEnd(2, 2, "/r/2", ["seed=2"], BEGUN))
    with open(tmp_path / "jobs.jsonl", "a") as file:
        file.write('{"session": 2, "job": 1, "run')  # a crash
    assert [end.outcome for end in read_job_ends(tmp_path, 1)] == ["trained", "failed"]
    ends = read_job_ends(tmp_path, 2)
    assert [end.outcome for end in ends] == ["found", BEGUN]
    assert "! job 2 (seed=2) ended without a word" in describe_ends(ends, ["seed=0,1,2"])


def test_sweeps_are_found_by_their_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="no sweep"):
        find_sweep("last")
    older, newer = tmp_path / "runs" / "day" / "a", tmp_path / "runs" / "day" / "b"
    begin_session(older, ["-m", "seed=0,1", "preset=balanced"])
    begin_session(newer, ["-m", "seed=0,1"])
    again = ["-m", "preset=balanced", "seed=0,1", "sweep.resume=true", "hydra/launcher=joblib"]
    assert find_sweep_to_resume(again) == older
    assert find_sweep("last") == newer
    with pytest.raises(ConfigError, match="no sweep of this command"):
        find_sweep_to_resume(["-m", "seed=0,1,2", "sweep.resume=true"])


def test_a_sweep_is_in_one_process_alone(tmp_path):
    with hold_sweep(tmp_path), pytest.raises(ConfigError, match="still running in another process"):
        hold_sweep(tmp_path)


def test_axes_are_what_was_given_differently():
    configs = [{"seed": 0, "preset": {"name": "auto"}}, {"seed": 1, "preset": {"name": "mine"}}]
    given = [{"seed": "0", "data.root": "/a"}, {"seed": "1", "data.root": "/a", "preset": "mine", "tracking": "none"}]
    assert find_axes(configs, given) == {"seed": ["0", "1"], "preset": ["auto", "mine"]}


def test_runs_without_the_objective_are_shown_and_not_ranked(tmp_path):
    reconstruction = {"model": {"log_mel_l1_db": 2.0, "mr_stft": 1.0, "loudness_error_db": 0.5}}
    runs = [
        _write_run(tmp_path / "0", CONFIG, "finished", reconstruction=reconstruction),
        _write_run(tmp_path / "1", {**CONFIG, "seed": 1}, "failed"),
    ]
    comparison = compare_runs(runs, "log_mel_l1_db", "two")
    assert comparison.objective_words == "log-mel L1, dB of held-out sound"
    assert compare_runs(runs, "memorisation.replay_rate", "two").objective_words == "replays, %"
    assert [run.run_dir.name for run in comparison.ranked] == ["0"]
    assert any("1 of 2 runs did not finish" in note for note in comparison.notes)
    assert compare_runs(runs, "memorisation.replay_rate", "two").ranking is None
