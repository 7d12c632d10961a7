"""Callbacks that need no tracker: journal, checkpoint, preview, console."""

import io
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from sda.callbacks.checkpoint import CheckpointCallback
from sda.callbacks.console import ConsoleCallback
from sda.callbacks.journal import Journal, cut_journal, read_journal
from sda.callbacks.preview import PreviewCallback
from sda.training.metrics import (
    CheckpointSaved,
    EpochMetrics,
    PreviewEvent,
    RunStarted,
    StepMetrics,
    TrainingCompleteEvent,
    Warned,
    event_from_dict,
)


def started(**fields) -> RunStarted:
    values = {"n_parameters": 1, "device": "cpu", "precision": "float32", "n_train_files": 3, "n_val_files": 1}
    values |= {"n_train_chunks": 9, "n_val_chunks": 2, "run_dir": "/run", "total_epochs": 4, "total_steps": 8}
    return RunStarted(**(values | {"steps_per_epoch": 2} | fields))


def step(number: int) -> StepMetrics:
    return StepMetrics((number + 1) // 2, number, 8, 0.5, 0.4, 0.1, 1.0, 1e-3, 0.01)


def epoch(number: int, is_best: bool = False) -> EpochMetrics:
    return EpochMetrics(number, 4, 0.3, 0.4, 0.3, 0.1, 20.0, 0.1, 1e-3, 60.0, 2.0 * number, is_best=is_best)


def complete(n_epochs: int = 4) -> TrainingCompleteEvent:
    return TrainingCompleteEvent(n_epochs, 8.0, 0.3, 0.4, 0.4, 2)


def test_the_journal_gives_back_every_event(tmp_path):
    events = [started(), step(1), step(2), epoch(1), Warned("overfitting", "naïve ✓\nsecond line")]
    journal = Journal(tmp_path)
    for event in events:
        journal(event)
    journal.close()
    assert [event_from_dict(values) for values, _ in read_journal(journal.path)] == events
    assert len(journal.path.read_text().splitlines()) == len(events)


def test_a_torn_last_line_is_left_alone(tmp_path):
    journal = Journal(tmp_path)
    journal(step(1))
    journal.close()
    whole = journal.path.stat().st_size
    with open(journal.path, "ab") as file:
        file.write(b'{"event": "StepMe')
    ((_, offset),) = read_journal(journal.path)
    assert offset == whole


def test_a_torn_line_is_dropped_before_more_is_written(tmp_path):
    (tmp_path / "events.jsonl").write_bytes(b'{"event": "StepMe')
    for number in (1, 2):
        journal = Journal(tmp_path)
        journal(step(number))
        journal.close()
        with open(journal.path, "ab") as file:
            file.write(b"torn")
    assert [values["step"] for values, _ in read_journal(tmp_path / "events.jsonl")] == [1, 2]


@pytest.mark.parametrize(("at_step", "at_epoch", "kept"), [(2, 1, 5), (3, 1, 6), (4, 2, 8), (0, 0, 1)])
def test_the_journal_is_cut_back_to_a_checkpoint(tmp_path, at_step, at_epoch, kept):
    journal = Journal(tmp_path)
    saved = CheckpointSaved(1, "/c")
    for event in (started(), step(1), step(2), epoch(1), saved, step(3), step(4), epoch(2), step(5)):
        journal(event)
    journal.close()
    cut_journal(journal.path, at_step, at_epoch)
    assert len(list(read_journal(journal.path))) == kept


class _Recorder(list):
    def __call__(self, event):
        self.append(event)


def test_checkpoints_are_saved_when_due_when_best_and_at_the_end():
    saves, told = [], _Recorder()
    callback = CheckpointCallback(lambda best: saves.append(best) or Path("/c"), interval=2, emit=told)
    for event in (epoch(1), epoch(2, is_best=True), epoch(3), complete(3)):
        callback(event)
    assert [(event.epoch, event.is_best) for event in told] == [(2, True), (2, False), (3, False)]
    assert saves == [True, False, False]


def test_the_end_is_not_saved_twice():
    told = _Recorder()
    callback = CheckpointCallback(lambda best: Path("/c"), interval=2, emit=told)
    for event in (epoch(2), complete(2)):
        callback(event)
    assert len(told) == 1


@dataclass
class _Preview:
    kind: str
    audio: Path
    picture: Path


def _preview_callback(told, render=None, interval=2):
    def made(epoch):
        return [_Preview("sample", Path(f"/p/epoch_{epoch}/s.wav"), Path("/p/s.png"))]

    ceiling = [_Preview("ceiling", Path("/p/ceiling/c.wav"), Path("/p/c.png"))]
    return PreviewCallback(render or made, [lambda: ceiling], interval, 48000, told)


def test_previews_come_at_the_interval_and_at_the_end_and_the_ceiling_once():
    told = _Recorder()
    callback = _preview_callback(told)
    for event in (started(), *(epoch(number) for number in (1, 2, 3)), complete(3)):
        callback(event)
    assert [(event.kind, event.epoch) for event in told] == [("ceiling", 0), ("sample", 2), ("sample", 3)]
    assert isinstance(told[1], PreviewEvent)
    assert told[1].audio_path == "/p/epoch_2/s.wav"


def test_a_continued_run_does_not_render_the_ceiling_again():
    told = _Recorder()
    _preview_callback(told)(started(start_step=5))
    assert told == []


def test_a_full_disk_costs_a_preview_and_not_the_run():
    def refuse(epoch):
        raise OSError("no space left on device")

    told = _Recorder()
    _preview_callback(told, refuse)(epoch(2))
    assert [event.kind for event in told] == ["preview_failed"]
    assert "no space left" in told[0].message


def test_plain_lines_say_what_a_person_needs():
    text = io.StringIO()
    callback = ConsoleCallback(Console(file=text, width=200))
    for event in (started(), step(1), epoch(1, is_best=True), Warned("overfitting", "overfitting: [bold] 30 %")):
        callback(event)
    callback.close()
    lines = text.getvalue().splitlines()
    assert lines[0].startswith("epoch 1/4  train 0.300  held-out 0.400  gap +10%")
    assert lines[0].endswith("*best")
    assert "overfitting: [bold] 30 %" in lines[1]
    assert "\x1b" not in text.getvalue()


def test_a_terminal_shows_the_live_line():
    text = io.StringIO()
    callback = ConsoleCallback(Console(file=text, force_terminal=True, width=200))
    for event in (started(), step(1), epoch(1), PreviewEvent(1, "/p/epoch_0001/s.wav", 48000), step(2)):
        callback(event)
    callback.close()
    for words in ("epoch 1/4", "step 2/8", "loss 0.500", "held-out 0.400, gap +10%", "ETA 60 s", "GiB", "epoch_0001"):
        assert words in text.getvalue()


def test_verbose_tells_of_files():
    text = io.StringIO()
    callback = ConsoleCallback(Console(file=text, width=200), verbose=True)
    callback(CheckpointSaved(1, "/run/checkpoints/epoch_0001"))
    assert "checkpoint: /run/checkpoints/epoch_0001" in text.getvalue()
