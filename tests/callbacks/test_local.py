"""Callbacks that need no tracker: journal, checkpoint, preview, console."""

import errno
import io
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from rich.console import Console

from sda.callbacks.checkpoint import CheckpointCallback
from sda.callbacks.console import ConsoleCallback
from sda.callbacks.preview import PreviewCallback
from sda.tracking.journal import Journal, cut_journal, read_journal, read_lines
from sda.training.events import (
    CheckpointSaved,
    EpochMetrics,
    PreviewEvent,
    RunStarted,
    SaveDue,
    SecondPhaseStarted,
    StepMetrics,
    TrainingCompleteEvent,
    Warned,
    event_from_dict,
)
from sda.training.metrics import MetricsHistory


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
    assert [event_from_dict(values) for values in read_journal(journal.path)] == events
    assert len(journal.path.read_text().splitlines()) == len(events)


def test_a_torn_last_line_is_left_alone(tmp_path):
    journal = Journal(tmp_path)
    journal(step(1))
    journal.close()
    whole = journal.path.stat().st_size
    with open(journal.path, "ab") as file:
        file.write(b'{"event": "StepMe')
    ((_, offset),) = read_lines(journal.path)
    assert offset == whole


def test_a_torn_line_is_dropped_before_more_is_written(tmp_path):
    (tmp_path / "events.jsonl").write_bytes(b'{"event": "StepMe')
    for number in (1, 2):
        journal = Journal(tmp_path)
        journal(step(number))
        journal.close()
        with open(journal.path, "ab") as file:
            file.write(b"torn")
    assert [values["step"] for values in read_journal(tmp_path / "events.jsonl")] == [1, 2]


@pytest.mark.parametrize(("at_step", "at_epoch", "kept"), [(2, 1, 5), (3, 1, 6), (4, 2, 8), (0, 0, 1)])
def test_the_journal_is_cut_back_to_a_checkpoint(tmp_path, at_step, at_epoch, kept):
    journal = Journal(tmp_path)
    saved = CheckpointSaved(1, "/c")
    for event in (started(), step(1), step(2), epoch(1), saved, step(3), step(4), epoch(2), step(5)):
        journal(event)
    journal.close()
    cut_journal(journal.path, at_step, at_epoch, MetricsHistory())
    assert len(list(read_journal(journal.path))) == kept


@pytest.mark.parametrize(("at_step", "is_kept"), [(1, False), (2, False), (3, True)])
def test_the_begin_of_the_second_phase_is_told_once(tmp_path, at_step, is_kept):
    """It is told before its first step: a run that goes on from there tells it again."""
    journal = Journal(tmp_path)
    for event in (started(), step(1), step(2), SecondPhaseStarted(0, 2), step(3), step(4)):
        journal(event)
    journal.close()
    cut_journal(journal.path, at_step, 0, MetricsHistory())
    kinds = [values["event"] for values in read_journal(journal.path)]
    assert ("SecondPhaseStarted" in kinds) is is_kept


def _told(kept):
    """Steps and epochs in the order in which a journal tells them."""
    return [
        (values["event"], values.get("step", values["epoch"])) for values in kept if values["event"] != "RunStarted"
    ]


def _write_journal(folder, *events):
    journal = Journal(folder)
    for event in events:
        journal(event)
    journal.close()
    return journal.path


@pytest.mark.parametrize("bit", [0, 3, 7])
def test_any_flipped_bit_costs_its_line_and_no_other(tmp_path, bit):
    path = _write_journal(tmp_path, started(), step(1), step(2))
    content = path.read_bytes()
    lengths = [len(line) for line in content.splitlines(keepends=True)]
    for place in range(lengths[0], lengths[0] + lengths[1] - 1):
        damaged = bytearray(content)
        damaged[place] ^= 1 << bit
        path.write_bytes(damaged)
        kinds = [values["event"] for values in read_journal(path)]
        assert kinds == ["RunStarted", "StepMetrics"], place


@pytest.mark.parametrize("line", range(6))
def test_a_damaged_line_is_made_again_from_the_checkpoint(tmp_path, line):
    events = [started(), step(1), step(2), epoch(1), step(3), step(4), epoch(2), step(5)]
    path = _write_journal(tmp_path, *events)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1 + line] = lines[1 + line].replace(b"0.5", b"0.6").replace(b"0.3", b"0.7")  # JSON still, and false
    path.write_bytes(b"".join(lines))
    history = MetricsHistory([step(n) for n in range(1, 5)], [epoch(1), epoch(2)])
    assert cut_journal(path, 4, 2, history) == 1
    whole = list(read_journal(path))
    assert [event_from_dict(values) for values in whole] == events[:-1]
    assert cut_journal(path, 4, 2, history) == 0


def test_a_journal_that_lost_its_end_is_made_again_up_to_the_checkpoint(tmp_path):
    path = _write_journal(tmp_path, started(), step(1), step(2), epoch(1), step(3), step(4), epoch(2))
    path.write_bytes(path.read_bytes()[:700])
    history = MetricsHistory([step(n) for n in range(1, 5)], [epoch(1), epoch(2)])
    assert cut_journal(path, 4, 2, history) > 0
    assert _told(read_journal(path)) == [
        ("StepMetrics", 1), ("StepMetrics", 2), ("EpochMetrics", 1),
        ("StepMetrics", 3), ("StepMetrics", 4), ("EpochMetrics", 2),
    ]  # fmt: skip


class _FullDisk:
    """A file that takes so many bytes and then refuses."""

    def __init__(self, file, room):
        self.file, self.room = file, room

    def write(self, content):
        if self.room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = self.file.write(content[: self.room])
        self.room -= taken
        return taken

    def fileno(self):
        return self.file.fileno()

    def close(self):
        self.file.close()


def test_a_journal_that_is_removed_is_begun_anew_and_says_so(tmp_path):
    journal = Journal(tmp_path / "run") if (tmp_path / "run").mkdir() is None else None
    journal(step(1))
    journal(epoch(1))
    shutil.rmtree(tmp_path / "run")
    for event in (epoch(2), step(3), epoch(3)):
        journal(event)
    assert journal.problem == "it was removed while the run went on"
    journal.close()
    assert [values["epoch"] for values in read_journal(journal.path)] == [2, 3]


def test_a_journal_on_a_full_disk_waits_and_loses_nothing(tmp_path):
    journal = Journal(tmp_path)
    journal._file = _FullDisk(journal._file, room=100)
    for event in (step(1), step(2)):
        journal(event)
    assert journal.problem == "No space left on device"
    journal._file.room = 10**6
    journal(step(3))
    assert journal.problem == ""
    journal.close()
    assert [values["step"] for values in read_journal(journal.path)] == [1, 2, 3]


class _Recorder(list):
    def __call__(self, event):
        self.append(event)


class _Disk:
    """Stands for saving: notes what was asked for, and refuses while it is full."""

    def __init__(self):
        self.saves, self.is_full, self.owed = [], False, []

    def save(self, best):
        if self.is_full:
            self.owed.append(best)
            raise OSError(errno.ENOSPC, "No space left on device", "/run/checkpoints/.epoch_0001.1f0c.tmp")
        self.saves.append(best)
        return Path("/best" if best else "/recent")

    def save_owed(self):
        paths = [self.save(best) for best in self.owed]
        self.owed = []
        return paths


def _checkpoint_callback(interval=2):
    disk, told = _Disk(), _Recorder()
    return CheckpointCallback(disk.save, disk.save_owed, interval, told), disk, told


def test_checkpoints_are_saved_at_the_start_when_due_when_best_and_at_the_end():
    callback, disk, told = _checkpoint_callback()
    for event in (started(), epoch(1), epoch(2, is_best=True), epoch(3), complete(3)):
        callback(event)
    saved = [(event.epoch, event.is_best) for event in told]
    assert saved == [(0, False), (2, True), (2, False), (3, False)]
    assert disk.saves == [False, True, False, False]


def test_a_continued_run_is_not_saved_before_it_has_gone_on():
    callback, disk, _ = _checkpoint_callback()
    callback(started(start_step=5))
    assert disk.saves == []


def test_the_end_is_not_saved_twice():
    callback, _, told = _checkpoint_callback()
    for event in (epoch(2), complete(2)):
        callback(event)
    assert len(told) == 1


def test_what_is_asked_for_is_saved_at_once():
    callback, disk, told = _checkpoint_callback()
    callback(SaveDue(1, 7, "asked"))
    assert disk.saves == [False]
    assert told == [CheckpointSaved(1, "/recent")]


def test_a_full_disk_costs_no_run_and_what_it_refused_is_saved_later():
    callback, disk, told = _checkpoint_callback()
    disk.is_full = True
    for event in (epoch(1, is_best=True), epoch(2), epoch(3)):
        callback(event)
    assert [(event.kind, "No space left on device" in event.message) for event in told] == [("checkpoint_failed", True)]
    assert callback.problem == "No space left on device"
    disk.is_full = False
    callback(epoch(4))
    assert callback.problem == ""
    assert {(event.path, event.is_best) for event in told[1:]} >= {("/best", True), ("/recent", False)}


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


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "gap +10%  KL"),
        ({"gap_low": -0.03, "gap_high": 0.25, "trend": "steady"}, "gap +10% (-3% to +25%)  KL"),
        ({"gap_low": -0.03, "gap_high": 0.25, "trend": "widening"}, "gap +10% (-3% to +25%, widening)  KL"),
    ],
)
def test_the_gap_is_shown_with_its_interval_and_where_it_is_going(fields, expected):
    text = io.StringIO()
    ConsoleCallback(Console(file=text, width=200))(replace(epoch(1), **fields))
    assert expected in text.getvalue()


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
