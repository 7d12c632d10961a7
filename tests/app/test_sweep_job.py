"""Sweeps as a user makes them: under every launcher, interrupted, continued, and told in MLflow."""

import csv
import json
import signal
import time

import pytest

from experiments.slurm.node import find_obstacle, run_slurm
from sda.runs.folder import lock_run
from sda.runs.sweep_folder import hold_sweep, read_job_ends, read_session
from tests.verbs import NEEDS_BROWSER, TINY

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("store")]

AXIS = "preset=conservative,balanced,aggressive"
AXES = ("preset=conservative,balanced", "seed=0,1")
MOST_S = 400.0
QUICK = (*TINY, "training.max_epochs=1")


def _sweep_dir(command_line):
    return max(command_line.folder.glob("runs/*/*/sweep.json"), key=lambda path: path.stat().st_mtime).parent


def _table(sweep_dir):
    """What a sweep came to, without what differs from machine to machine."""
    rows = csv.DictReader((sweep_dir / "comparison.csv").read_text().splitlines())
    return sorted(tuple(row[key] for key in ("preset", "seed", "log_mel_l1_db", "mr_stft", "status")) for row in rows)


def _outcomes(sweep_dir):
    return [end.outcome for end in read_job_ends(sweep_dir, read_session(sweep_dir))]


def test_jobs_beside_each_other_come_to_the_same_as_one_after_the_other(command_line, sounds):
    text = command_line.run("train", "-m", sounds, *QUICK, *AXES)
    alone = _sweep_dir(command_line)
    assert "sweep: 4 jobs; 4 trained" in text
    assert "sweep over preset: 4 runs" in text
    assert len(_table(alone)) == 4
    text = command_line.run("train", "-m", sounds, *QUICK, *AXES, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    together = _sweep_dir(command_line)
    assert "2 jobs at once, 1 thread each" in text
    assert together != alone
    assert _table(together) == _table(alone)
    assert "run finished" in (together / "0" / "console.txt").read_text()
    _expect_all_in_mlflow(command_line, (alone, together))


def _expect_all_in_mlflow(command_line, sweep_dirs):
    """A parent for each sweep, told what it came to; below it every run with every step."""
    for sweep_dir in sweep_dirs:
        parent = json.loads((sweep_dir / "tracking_sweep.json").read_text())["run_id"]
        tags = dict(command_line.query(f"SELECT key, value FROM tags WHERE run_uuid = '{parent}'"))
        assert tags["sweep.axis.preset"] == "conservative, balanced"
        assert "best in" in tags["mlflow.note.content"]
        assert tags["mlflow.runName"] == "sweep: preset, 4 runs"
        assert command_line.query(f"SELECT status FROM runs WHERE run_uuid = '{parent}'") == [("FINISHED",)]
        children = "SELECT run_uuid FROM tags WHERE key = 'mlflow.parentRunId' AND value = "
        (artifacts,) = {path.parent for path in command_line.folder.glob(f"mlartifacts/**/{parent}/artifacts/*")}
        assert {"comparison.html", "comparison.csv", "axis_preset.png", "parallel_coordinates.png"} <= {
            path.name for path in artifacts.iterdir()
        }
        runs = [run_id for (run_id,) in command_line.query(f"{children}'{parent}'")]
        assert len(runs) == 4
        names = {dict(command_line.query(f"SELECT 1, name FROM runs WHERE run_uuid = '{run}'"))[1] for run in runs}
        assert names == {f"preset={preset} seed={seed}" for preset in ("conservative", "balanced") for seed in (0, 1)}
        for run_dir in sweep_dir.glob("*/events.jsonl"):
            n_steps = len(command_line.events(run_dir.parent, "StepMetrics"))
            run_id = json.loads((run_dir.parent / "summary.json").read_text())["mlflow_run_id"]
            query = f"SELECT count(*) FROM metrics WHERE run_uuid = '{run_id}' AND key = '6_steps/train_loss'"
            assert command_line.query(query) == [(n_steps,)]


def test_a_sweep_that_was_killed_is_resumed_to_the_same_table(command_line, sounds):
    told = (sounds, *TINY, "training.max_epochs=5", "training.checkpoint_interval=1", AXIS)
    told = (*told, "tracking=none")
    command_line.run("train", "-m", *told)
    whole = _table(_sweep_dir(command_line))
    began = time.monotonic()
    process = command_line.start("train", "-m", *told)
    while True:  # into the second job, past its first checkpoint
        broken = _sweep_dir(command_line)  # that of before has dropped its checkpoint of the second epoch
        if (broken / "1" / "checkpoints" / "epoch_0002").exists():
            break
        assert process.poll() is None, process.communicate()
        assert time.monotonic() - began < 120
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=300)
    text = command_line.run("train", "-m", *told, "sweep.resume=true")
    assert f"going on with the sweep in {broken}" in text
    assert "1 had finished before, 1 went on from a checkpoint, 1 trained" in text
    assert _sweep_dir(command_line) == broken
    assert _table(broken) == whole
    text = command_line.run("train", "-m", *told, "sweep.resume=true")
    assert "3 had finished before" in text
    assert _outcomes(broken) == ["found"] * 3
    text = command_line.run("train", "-m", *told, "preset=balanced", "sweep.resume=true", code=1)
    assert "no sweep of this command" in text


def test_orphans_save_and_stop_and_who_is_still_at_a_job_is_waited_for(command_line, sounds):
    told = (sounds, *TINY, "training.max_epochs=12", "training.checkpoint_interval=1", "seed=0,1,2", "tracking=none")
    told = (*told, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    process = command_line.start("train", "-m", *told)
    pattern = "runs/*/*/?/checkpoints/epoch_0001"
    _wait_until(lambda: any(command_line.folder.glob(pattern)), process)
    process.kill()
    process.communicate(timeout=300)
    begun = next(command_line.folder.glob(pattern)).parents[1]
    _wait_until(lambda: _status(begun) in ("stopped", "finished"))
    assert _status(begun) == "stopped"
    assert "the sweep's own process is gone" in (begun / "console.txt").read_text()
    others = [begun.with_name(name) for name in "012" if name != begun.name]
    with lock_run(begun):  # as a living process has it
        process = command_line.start("train", "-m", *told, "sweep.resume=true")
        _wait_until(lambda: [_status(run_dir) for run_dir in others] == ["finished", "finished"], process)
        assert _status(begun) == "stopped"
    text = "".join(process.communicate(timeout=MOST_S))
    assert f"job {begun.name} (seed={begun.name}): another process is at it; its end is waited for" in text
    assert _outcomes(begun.parent)[int(begun.name)] == "continued"
    assert sorted(path.parent.name for path in begun.parent.glob("*/summary.json")) == ["0", "1", "2"]


def _status(run_dir):
    path = run_dir / "summary.json"
    return json.loads(path.read_text())["status"] if path.exists() else ""


def _wait_until(is_so, process=None):
    began = time.monotonic()
    while not is_so():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() - began < MOST_S
        time.sleep(0.02)


def test_a_sweep_that_still_runs_is_not_joined(command_line, sounds):
    folder = command_line.folder / "sweep"
    with hold_sweep(folder):
        text = command_line.run("train", "-m", sounds, *QUICK, "seed=0,1", f"hydra.sweep.dir={folder}", code=1)
    assert "is still running in another process" in text
    assert not list(folder.glob("*/summary.json"))


def test_a_job_that_fails_is_named_and_leaves_the_others_alone(command_line, sounds):
    told = (sounds, *QUICK, "training.batch_size=4,999", "tracking=none")
    text = command_line.run("train", "-m", *told, code=1)
    assert "1 trained, 1 failed" in text
    assert "job 1 (batch_size=999) failed: training.batch_size=999 is larger than the data" in text
    assert text.count("Traceback") == 0
    assert _outcomes(_sweep_dir(command_line)) == ["trained", "failed"]
    assert not (_sweep_dir(command_line) / "1").exists()
    text = command_line.run("train", "-m", *told, "sweep.resume=true", code=1)
    assert "1 had finished before, 1 failed" in text


def test_a_search_finds_its_trials_again(command_line, sounds):
    told = (sounds, *QUICK, "training.learning_rate=interval(1e-4,1e-2)", "tracking=none", "hydra/sweeper=optuna")
    told = (*told, "hydra.sweeper.n_trials=3", "sweep.objective=mr_stft")
    command_line.run("train", "-m", *told)
    folder = _sweep_dir(command_line)
    results = (folder / "optimization_results.yaml").read_text()
    scores = [
        json.loads(path.read_text())["reconstruction"]["model"]["mr_stft"] for path in folder.glob("*/summary.json")
    ]
    assert len(scores) == 3
    assert f"best_value: {min(scores)}" in results
    text = command_line.run("train", "-m", *told, "sweep.resume=true")
    assert "3 had finished before" in text
    assert (folder / "optimization_results.yaml").read_text() == results


def test_workers_of_a_ray_cluster_come_to_the_same(command_line, sounds):
    told, alone = _sweep_alone(command_line, sounds)
    command_line.run("train", "-m", *told, "hydra/launcher=ray", "hydra.launcher.ray.init.num_cpus=2")
    assert _list_losses(_sweep_dir(command_line)) == alone
    assert (_sweep_dir(command_line) / "0" / "console.txt").exists()


@pytest.mark.skipif(find_obstacle() is not None, reason=f"Slurm cannot run here: {find_obstacle()}")
def test_jobs_of_a_slurm_cluster_come_to_the_same(command_line, sounds, tmp_path):
    told, alone = _sweep_alone(command_line, sounds)
    launcher = ("hydra/launcher=submitit_slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=2")
    with run_slurm(tmp_path / "slurm") as environment:
        text = command_line.run("train", "-m", *told, *launcher, **environment)
    assert "sweep: 2 jobs; 2 trained" in text
    assert _list_losses(_sweep_dir(command_line)) == alone


def _sweep_alone(command_line, sounds):
    """Two jobs one after the other: what they were told, and what they came to."""
    told = (sounds, *QUICK, "seed=0,1", "tracking=none")
    command_line.run("train", "-m", *told)
    return told, _list_losses(_sweep_dir(command_line))


def _list_losses(sweep_dir):
    paths = sweep_dir.glob("*/history.json")
    return {path.parent.name: json.loads(path.read_text())["epoch_metrics"]["val_loss"] for path in paths}


WRONG = {
    "nothing given": ((), "give either runs=…"),
    "both given": (("runs=last", "sweep=last"), "give either runs=…"),
    "no such sweep": (("sweep=/nowhere",), "is no sweep"),
    "no such run": (("runs=/nowhere",), "is no run"),
    "unknown objective": (("sweep=last", "objective=beauty"), "objective=beauty is unknown"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_compared_is_explained(command_line, name):
    arguments, words = WRONG[name]
    text = command_line.run("compare", *arguments, code=1)
    assert words in text
    assert "Traceback" not in text


def test_resuming_needs_a_sweep(command_line, sounds):
    assert "goes with -m" in command_line.run("train", sounds, *QUICK, "sweep.resume=true", code=1)
    assert "no sweep of this command" in command_line.run("train", "-m", sounds, *QUICK, "sweep.resume=true", code=1)
    text = command_line.run("train", "-m", sounds, *QUICK, "sweep.objective=beauty", code=1)
    assert "sweep.objective=beauty is unknown" in text


@NEEDS_BROWSER
def test_any_runs_are_compared_on_a_page_that_plays(command_line, sounds, browser):
    for seed in (0, 1):
        command_line.run("train", sounds, *QUICK, f"seed={seed}", "preset=conservative", "tracking=none")
    command_line.run("train", sounds, *QUICK, "preset=balanced", "tracking=none")
    names = ",".join(str(run_dir) for run_dir in command_line.runs())
    text = command_line.run("compare", f"runs={names}", "output=side_by_side")
    assert "preset=balanced" in text
    assert "3 runs" in text
    browser.get((command_line.folder / "side_by_side" / "comparison.html").as_uri())
    assert not browser.get_log("browser")
    assert len(browser.find_elements("css selector", ".heard section")) == 3
    assert all(
        browser.execute_script("return arguments[0].naturalWidth", image) > 300
        for image in browser.find_elements("css selector", "img")
    )
    button = browser.find_element("css selector", ".play")
    button.click()
    assert "playing" in button.get_attribute("class")
    assert browser.execute_script("return document.getElementById('player').src").startswith("data:audio/mpeg")
    assert not browser.get_log("browser")
