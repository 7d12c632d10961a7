"""What a crash or somebody's editor left in a neighbour's folder: named once, and passed over."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from sda.errors import CheckpointError, DamagedError
from sda.runs import sync
from sda.runs.comparison import compare_runs, list_sweep_runs, read_history
from sda.runs.folder import SUMMARY, find_run, find_runs, read_config, read_groups, read_overrides, read_summary
from sda.runs.sweep_folder import begin_session, find_sweep, find_sweep_to_resume, identify, read_job_ends
from sda.runs.sync import close_stale_runs, sync_runs
from sda.seal import SWEEP, mark_own, name_purpose, write_sealed
from sda.tracking.delivery_state import (
    DeliveryState,
    TrackingSettings,
    read_settings,
    read_state,
    write_settings,
    write_state,
)
from sda.tracking.folds import summarise_folds
from sda.training.metrics import MetricsHistory
from tests.runs.test_sweep_folder import CONFIG, _place, _write_run
from tests.verbs import TINY

Spoil = Callable[[Path], object]

SPOILT: dict[str, Spoil] = {
    "empty": lambda path: path.write_text(""),
    "cut off": lambda path: path.write_text("{"),
    "a list": lambda path: path.write_text("[]"),
    "null": lambda path: path.write_text("null"),
    "nothing in it": lambda path: path.write_text("{}"),
    "wrong types": lambda path: path.write_text(json.dumps({key: {"a": "b"} for key in _KEYS})),
    "other wrong types": lambda path: path.write_text(json.dumps({"status": "finished", "active_at": "now"})),
    "no number": lambda path: path.write_text('{"status": "finished", "active_at": 1' + 400 * "0" + "}"),
    "nested": lambda path: path.write_text(100_000 * "["),
    "not UTF-8": lambda path: path.write_bytes(b'{"status": "\xff"}'),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}
_KEYS = (
    *("status", "active_at", "files", "steps", "epochs", "run_id", "pending", "uri", "command", "session", "data"),
    *("reconstruction", "identity", "offset"),
)


@pytest.fixture(params=SPOILT)
def spoil(request) -> Spoil:
    return SPOILT[request.param]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with two finished runs, the second the later one."""
    monkeypatch.chdir(tmp_path)
    for moment, name in enumerate(("a", "b")):
        _write_finished(tmp_path / "runs" / "day" / name, moment)
    return tmp_path


def _write_finished(run_dir: Path, moment: float, **data: int) -> Path:
    config = {**CONFIG, "data": {**CONFIG["data"], **data}}
    scores = {"model": {"log_mel_l1_db": 1.0, "mr_stft": 1.0, "loudness_error_db": 1.0}}
    return _write_run(run_dir, config, "finished", active_at=moment, best_val_loss=1.0, reconstruction=scores)


def _warnings(capsys, *names: str) -> list[str]:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("! passed over: ")]
    assert all(any(name in line for name in names) for line in lines), lines
    return lines


def test_a_damaged_summary_is_named_once_and_passed_over(project, spoil, capsys):
    a, b = find_runs()
    spoil(b / SUMMARY)
    for _ in range(2):
        assert find_run("last") == a
        assert close_stale_runs() == []
        assert sync_runs() == []
    assert len(_warnings(capsys, str(b / SUMMARY))) == 1
    with pytest.raises(CheckpointError, match=r"summary\.json .*Put \{\"status\": \"killed\"\} into it"):
        find_run(str(b))


def test_what_vanishes_between_listing_and_reading_is_passed_over(project, monkeypatch, capsys):
    a, b = find_runs()

    def vanish(folder):
        shutil.rmtree(b, ignore_errors=True)
        return read_summary(folder)

    monkeypatch.setattr("sda.runs.folder.read_summary", vanish)
    assert find_runs() == [a]
    assert len(_warnings(capsys, "cannot be read (No such file")) == 1


def test_a_damaged_tracking_state_or_its_settings_stop_nobody(project, spoil, capsys):
    a, b = find_runs()
    for run_dir in (a, b):
        (run_dir / "events.jsonl").write_text("")
        write_settings(run_dir, TrackingSettings("sqlite:////a.db", "test", "run", {}, {}, {}, []))
        write_state(run_dir, DeliveryState(introduced=True, run_id="1f0c" if run_dir == a else ""))
    for name in ("tracking_state.json", "tracking.json"):
        spoil(b / name)
        assert a not in close_stale_runs()
        assert find_run("1f0c") == a
        with pytest.raises(CheckpointError, match="no run"):
            find_run("another")
    assert len(_warnings(capsys, str(b / "tracking_state.json"))) <= 1
    with pytest.raises(DamagedError, match=r"tracking\.json"):
        read_settings(b)


def test_a_run_that_may_not_be_written_to_stops_nobody(project, capsys):
    _, b = find_runs()
    values = json.loads((b / SUMMARY).read_text())
    (b / SUMMARY).write_text(json.dumps({**values, "status": "running"}))
    (b / "events.jsonl").mkdir()
    assert close_stale_runs() == []
    assert len(_warnings(capsys, "events.jsonl")) == 1


def test_a_run_killed_before_its_journal_began_is_marked_too(project):
    a, b = find_runs()
    (b / SUMMARY).write_text('{"status": "running"}')
    assert close_stale_runs() == []
    assert [read_summary(run_dir)["status"] for run_dir in (a, b)] == ["finished", "killed"]
    assert not (b / "events.jsonl").exists()


@pytest.fixture
def sweep_dir(project):
    """A sweep of three folds, all finished, below the project's runs."""
    folder = project / "runs" / "day" / "sweep"
    begin_session(folder, ["-m", "data.fold=0,1,2"])
    for fold in range(3):
        _write_finished(folder / str(fold), fold, folds=3, fold=fold)
        (folder / str(fold) / ".hydra" / "overrides.yaml").write_text(f"- data.fold={fold}\n")
    return folder


@pytest.mark.parametrize("name", [SUMMARY, ".hydra/config.yaml"])
def test_a_sweep_with_a_damaged_run_is_judged_by_the_others(sweep_dir, spoil, name, capsys):
    spoil(sweep_dir / "1" / name)
    assert {"0", "2"} <= {run_dir.name for run_dir in list_sweep_runs(sweep_dir)}
    assert summarise_folds(sweep_dir).n_folds == 2
    assert len(compare_runs(list_sweep_runs(sweep_dir), "mr_stft", "").ranked) >= 2
    assert len(_warnings(capsys, str(sweep_dir / "1"))) >= 1


def test_a_job_is_not_looked_for_in_a_damaged_run(sweep_dir, spoil, capsys):
    config = yaml.safe_load((sweep_dir / "2" / ".hydra" / "config.yaml").read_text())
    wanted = sweep_dir / "2" / SUMMARY
    assert json.loads(wanted.read_text())["identity"] == identify(config, "f")
    spoil(sweep_dir / "0" / SUMMARY)
    assert _place(config, sweep_dir, sweep_dir / "3").run_dir == sweep_dir / "2"
    spoil(wanted)
    assert _place(config, sweep_dir, sweep_dir / "3").run_dir == sweep_dir / "3"
    assert len(_warnings(capsys, SUMMARY)) == 2


def test_a_damaged_sweep_is_passed_over_and_says_what_to_do_where_it_was_named(sweep_dir, spoil, capsys):
    other = sweep_dir.with_name("other")
    begin_session(other, ["-m", "data.fold=0,1,2"])
    spoil(other / "sweep.json")
    assert find_sweep("last") == sweep_dir
    assert find_sweep_to_resume(["-m", "data.fold=0,1,2", "sweep.resume=true"]) == sweep_dir
    assert len(_warnings(capsys, str(other / "sweep.json"))) == 1
    with pytest.raises(CheckpointError, match="Remove it: the sweep's jobs are known by the runs themselves"):
        begin_session(other, ["-m"])


def test_a_damaged_parent_of_a_sweep_hides_no_other(sweep_dir, spoil, capsys):
    newer = sweep_dir.with_name("newer")
    begin_session(newer, ["-m"])
    purpose = name_purpose("tracking_sweep.json", newer, SWEEP)
    write_sealed(newer / "tracking_sweep.json", purpose, {"run_id": "1f0c"})
    (sweep_dir / "tracking_sweep.json").touch()
    spoil(sweep_dir / "tracking_sweep.json")
    assert find_sweep("1f0c") == newer
    _warnings(capsys, str(sweep_dir / "tracking_sweep.json"))


def test_damaged_lines_of_jobs_are_named_by_number(tmp_path, capsys):
    whole = '{"session": 1, "job": 4, "run_dir": "/r", "overrides": [], "outcome": "of another version", "more": 1}\n'
    lines = b'\n[]\nnull\n{"session": "1"}\n{"session": 1, "job": 0}\n{"session"\n\xff\n' + whole.encode()
    (tmp_path / "jobs.jsonl").write_bytes(lines)
    (end,) = read_job_ends(tmp_path, 1)
    assert end.job == 4
    assert len(_warnings(capsys, "jobs.jsonl, line ")) == 7


def test_damaged_curves_and_manifests(project, spoil, capsys):
    a, b = find_runs()
    for run_dir in (a, b):
        for name in ("history.json", "manifest.json", ".hydra/overrides.yaml"):
            (run_dir / name).touch()
    (a / "manifest.json").write_text('{"files": [{"path": "/x", "group": "g"}, {"path": "/y", "group": null}]}')
    assert read_groups(a) == {"/x": "g"}
    for name in ("history.json", "manifest.json"):
        spoil(b / name)
    assert read_history(b) in (None, MetricsHistory())
    assert len(_warnings(capsys, str(b / "history.json"))) == (read_history(b) is None)
    with pytest.raises(CheckpointError, match=r"manifest\.json .*Remove it"):
        read_groups(b)


def test_a_configuration_with_text_for_a_section_is_damaged(project):
    a, b = find_runs()
    (b / ".hydra" / "config.yaml").write_text("seed: 0\ndata: here\n")
    with pytest.raises(CheckpointError, match=r"config\.yaml is damaged \(data is text \('here'\)"):
        compare_runs([a, b], "mr_stft", "")


@pytest.mark.parametrize("text", ["", "a: [", "- 1", "null", "a: !!python/object/apply:os.getcwd []", "\x00"])
def test_damaged_yaml_is_named(project, text):
    _, b = find_runs()
    for name, read in (("config.yaml", read_config), ("overrides.yaml", read_overrides)):
        (b / ".hydra" / name).write_text(text)
        with pytest.raises(CheckpointError, match=name):
            read(b)


def test_a_state_of_a_newer_version_is_read_as_far_as_it_is_known(tmp_path):
    path = tmp_path / "tracking_state.json"
    write_sealed(path, name_purpose(path.name, tmp_path), {"run_id": "1f0c", "pending": [["a", "b"]], "colour": "red"})
    assert read_state(tmp_path).run_id == "1f0c"
    write_sealed(path, name_purpose(path.name, tmp_path), {"pending": [["a"]]})
    with pytest.raises(DamagedError, match="pending has 1 entries where 2 belong"):
        read_state(tmp_path)


@pytest.mark.slow
def test_every_verb_goes_on_beside_damaged_runs(command_line, sounds):
    told = (sounds, *TINY, "training.max_epochs=1", "tracking=none")
    command_line.run("train", *told)
    (run_dir,) = command_line.runs()
    for name, spoil in SPOILT.items():
        for kind in (SUMMARY, "sweep.json"):
            folder = command_line.folder / "runs" / "bad" / f"{name} {kind}"
            folder.mkdir(parents=True)
            (folder / kind).touch()
            spoil(folder / kind)
    n_damaged = 2 * len(SPOILT)
    for verb, *given in (
        ("train", "resume=last", "training.max_epochs=2"),
        ("generate", "run=last", "n=1", "duration_s=0.5"),
        ("compare", "runs=last"),
        ("train", *told[:-1], f"tracking.uri=sqlite:///{command_line.folder}/none/mlflow.db", "--cfg", "job"),
    ):
        text = command_line.run(verb, *given)
        assert "Traceback" not in text
        expected = 0 if "--cfg" in given else len(SPOILT)
        assert text.count("! passed over: ") == expected, text
    text = command_line.run("train", "-m", *told, "seed=0", "sweep.resume=true", code=1)
    assert "no sweep of this command" in text
    assert text.count("! passed over: ") == n_damaged - len(SPOILT)
    text = command_line.run("train", f"resume={command_line.folder}/runs/bad/empty {SUMMARY}", code=1)
    assert f"empty {SUMMARY}/{SUMMARY} is damaged" in text
    assert run_dir.exists()


def test_sync_takes_runs_that_lie_elsewhere(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_dir = tmp_path / "elsewhere"
    run_dir.mkdir()
    (run_dir / "summary.json").write_text('{"status": "running"}')
    mark_own(run_dir)
    assert sync.main([]) == 0
    assert read_summary(run_dir)["status"] == "running"
    assert sync.main([str(run_dir)]) == 0
    assert read_summary(run_dir)["status"] == "killed"
    assert "everything that can be read is delivered" in capsys.readouterr().out
    with pytest.raises(CheckpointError, match="is no run"):
        sync.main(["nowhere"])
