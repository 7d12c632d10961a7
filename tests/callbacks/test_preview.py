"""When previews are rendered."""

from dataclasses import dataclass
from pathlib import Path

from sda.callbacks.preview import PreviewCallback
from sda.training.events import (
    PreviewDue,
    PreviewEvent,
)
from tests.events import Recorder, complete, epoch, started, step


@dataclass
class _Preview:
    kind: str
    audio: Path
    picture: Path


def _preview_callback(told, render=None, interval=2):
    def made(epoch, step=None):
        return [_Preview("sample", Path(f"/p/epoch_{epoch}{f'_step_{step}' if step else ''}/s.wav"), Path("/p/s.png"))]

    ceiling = [_Preview("ceiling", Path("/p/ceiling/c.wav"), Path("/p/c.png"))]
    return PreviewCallback(render or made, [lambda: ceiling], interval, 48000, told)


def test_previews_come_at_the_interval_and_at_the_end_and_the_ceiling_once():
    told = Recorder()
    callback = _preview_callback(told)
    callback(started())
    assert told == []  # nobody waits for them before the first step
    for event in (step(1), step(2), *(epoch(number) for number in (1, 2, 3)), complete(3)):
        callback(event)
    assert [(event.kind, event.epoch) for event in told] == [("ceiling", 0), ("sample", 2), ("sample", 3)]
    assert isinstance(told[1], PreviewEvent)
    assert told[1].audio_path == "/p/epoch_2/s.wav"


def test_what_is_asked_for_in_mid_epoch_is_rendered_by_its_step_and_the_same_state_never_twice():
    told = Recorder()
    callback = _preview_callback(told)
    for event in (started(), step(3), PreviewDue(1, 3), PreviewDue(1, 3), step(4), epoch(2), PreviewDue(2, 4)):
        callback(event)
    assert [event.audio_path for event in told[1:]] == ["/p/epoch_1_step_3/s.wav", "/p/epoch_2/s.wav"]


def test_a_run_that_was_killed_before_the_preview_of_its_last_epoch_has_it_when_it_goes_on():
    told = Recorder()
    callback = _preview_callback(told, interval=5)
    for event in (started(start_step=8), complete(4)):
        callback(event)
    assert [(event.kind, event.epoch) for event in told] == [("sample", 4)]


def test_a_continued_run_does_not_render_the_ceiling_again():
    told = Recorder()
    callback = _preview_callback(told)
    for event in (started(start_step=5), step(6)):
        callback(event)
    assert told == []


def test_a_full_disk_costs_a_preview_and_not_the_run():
    def refuse(epoch, step=None):
        raise OSError("no space left on device")

    told = Recorder()
    _preview_callback(told, refuse)(epoch(2))
    assert [event.kind for event in told] == ["preview_failed"]
    assert "no space left" in told[0].message
