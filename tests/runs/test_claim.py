"""One process at a run's folder, and nobody's folder removed by another."""

import json
import os
import signal
import time
from contextlib import contextmanager, suppress

import pytest

from sda.errors import CheckpointError
from sda.runs.claim import Claim, remove_unused
from sda.runs.folder import LOCK, hold_if_free, is_running, lock_run
from tests.verbs import TINY

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks no processes")


@contextmanager
def _elsewhere(act):
    """Call a function in another process, and keep that process until the end."""
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            kept = act()
            os.write(tell, b"1" if kept is not False else b"0")
            signal.pause()
        finally:
            os._exit(1)
    try:
        assert os.read(ready, 1) == b"1"
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ready)
        os.close(tell)


def test_what_was_made_for_a_run_that_does_not_begin_is_removed_again(tmp_path):
    run_dir = tmp_path / "runs" / "day" / "run"
    claim = Claim(run_dir)
    assert (run_dir / LOCK).exists()
    claim.release()
    assert list(tmp_path.iterdir()) == []


def test_what_others_made_stays(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    Claim(mine).release()
    assert list(mine.iterdir()) == []
    claim = Claim(mine / "a" / "b")
    (mine / "a" / "thesis.txt").write_text("years of work")
    claim.release()
    assert [path.name for path in (mine / "a").iterdir()] == ["thesis.txt"]
    (mine / "thesis.txt").touch()
    Claim(mine).release()
    assert sorted(path.name for path in mine.iterdir()) == ["a", "thesis.txt"]


@pytest.mark.parametrize("name", ["summary.json", "events.jsonl"])
def test_a_run_that_began_stays_with_its_lock(tmp_path, name):
    claim = Claim(tmp_path / "run")
    (tmp_path / "run" / name).touch()
    claim.release()
    assert {path.name for path in (tmp_path / "run").iterdir()} == {LOCK, name}


def test_a_file_in_the_place_of_a_folder_is_told(tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(NotADirectoryError, match="is not a folder"):
        Claim(tmp_path / "run")


def test_what_a_process_holds_it_may_hold_again(tmp_path):
    claim = Claim(tmp_path / "run")
    with lock_run(tmp_path / "run"):
        assert is_running(tmp_path / "run")
    assert is_running(tmp_path / "run")
    claim.release()


@needs_fork
def test_the_folder_of_another_process_is_refused_and_left_alone(tmp_path):
    run_dir = tmp_path / "run"
    with _elsewhere(lambda: Claim(run_dir)):
        for _ in range(2):
            with pytest.raises(CheckpointError, match=f"{run_dir} is being trained by another process"):
                Claim(run_dir)
            assert {path.name for path in run_dir.iterdir()} == {LOCK}
        remove_unused(run_dir)
        assert run_dir.exists()
    Claim(run_dir).release()
    assert run_dir.exists(), "it was made by the process that died"


@needs_fork
def test_a_lock_file_that_is_removed_while_it_is_held_lets_nobody_in(tmp_path):
    run_dir = tmp_path / "run"
    with _elsewhere(lambda: Claim(run_dir)):
        (run_dir / LOCK).unlink()
        assert is_running(run_dir)
        with pytest.raises(CheckpointError, match="another process"):
            Claim(run_dir)
        with hold_if_free(run_dir) as is_free:
            assert not is_free


@needs_fork
def test_many_at_one_folder_are_never_two_and_leave_nothing(tmp_path):
    run_dir, inside = tmp_path / "runs" / "run", tmp_path / "inside"

    def come_and_go():
        for _ in range(40):
            with suppress(CheckpointError):
                claim = Claim(run_dir)
                os.close(os.open(inside, os.O_CREAT | os.O_EXCL))  # fails where another process is in it
                (run_dir / LOCK).stat()
                inside.unlink()
                claim.release()
        return True

    with _elsewhere(come_and_go), _elsewhere(come_and_go), _elsewhere(come_and_go):
        assert come_and_go()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@needs_fork
def test_a_second_training_in_a_folder_is_refused_and_the_first_is_untouched(command_line, sounds):
    run_dir = command_line.folder / "runs" / "day" / "run"
    told = (sounds, *TINY, "training.max_epochs=1", "tracking=none", f"hydra.run.dir={run_dir}")
    first = command_line.start("train", *told)
    deadline = time.monotonic() + 300
    while not (run_dir / LOCK).exists():
        assert first.poll() is None, first.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    first.send_signal(signal.SIGSTOP)  # wherever it is: it holds the folder from the first moment on
    before = {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()}
    for seed in (1, 2):
        text = command_line.run("train", *told, f"seed={seed}", code=1)
        assert f"{run_dir} is being trained by another process" in text
        assert {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()} == before
    first.send_signal(signal.SIGCONT)
    out, err = first.communicate(timeout=300)
    assert first.returncode == 0, out + err
    assert json.loads((run_dir / "summary.json").read_text())["status"] == "finished"
    assert "seed: 0\n" in (run_dir / ".hydra" / "config.yaml").read_text()
    assert "holds a run already" in command_line.run("train", *told, code=1)

    process = command_line.start("train", f"resume={run_dir}", "training.max_epochs=400")
    n_told = (run_dir / "events.jsonl").read_bytes().count(b"\n") + 5
    while (run_dir / "events.jsonl").read_bytes().count(b"\n") < n_told:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGSTOP)
    (run_dir / LOCK).unlink()  # as a clean-up of hidden files would
    journal = (run_dir / "events.jsonl").read_bytes()
    text = command_line.run("train", f"resume={run_dir}", code=1)
    assert "is being trained by another process" in text
    assert (run_dir / "events.jsonl").read_bytes() == journal
    process.send_signal(signal.SIGCONT)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 143, out + err


@pytest.mark.slow
def test_a_job_that_fails_takes_no_folder_of_yours_with_it(command_line, sounds):
    folder = command_line.folder / "sweep"
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "thesis.txt").write_text("years of work")
    told = (sounds, *TINY, "training.batch_size=999", "seed=0,1", "tracking=none", f"hydra.sweep.dir={folder}")
    command_line.run("train", "-m", *told, code=1)
    assert not (folder / "0").exists()
    assert [path.name for path in (folder / "1").iterdir()] == ["thesis.txt"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["checkpoints", "previews", ".hydra", "manifest.json", "mine.txt"])
@pytest.mark.parametrize("is_link", [True, False])
def test_a_folder_with_something_of_yours_in_it_takes_no_run(command_line, sounds, tmp_path, name, is_link):
    outside, run_dir = tmp_path / "outside", command_line.folder / "mine"
    for folder in (outside, run_dir):
        folder.mkdir()
    (outside / "precious.txt").write_text("precious")
    (run_dir / name).symlink_to(outside) if is_link else (run_dir / name).write_text("precious")
    told = command_line.run("train", sounds, *TINY, f"hydra.run.dir={run_dir}", code=1)
    assert "is no empty folder" in told
    assert sorted(path.name for path in run_dir.iterdir()) == [name]
    assert [path.name for path in outside.iterdir()] == ["precious.txt"]
