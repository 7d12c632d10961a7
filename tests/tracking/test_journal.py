"""The journal: whole again after whatever happens to it."""

import errno
import shutil

import pytest

from sda.tracking.journal import Journal, cut_journal, read_journal, read_lines
from sda.training.events import (
    CheckpointSaved,
    SecondPhaseStarted,
    Warned,
    event_from_dict,
)
from sda.training.metrics import MetricsHistory
from tests.events import epoch, started, step


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
