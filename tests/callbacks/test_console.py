"""What a person reads while a run goes on."""

import io
from dataclasses import replace

import pytest
from rich.console import Console
from rich.text import Text

from sda.callbacks.console import ConsoleCallback
from sda.training.events import (
    CheckpointSaved,
    PreviewEvent,
    Warned,
)
from tests.events import complete, epoch, started, step


def test_plain_lines_say_what_a_person_needs():
    text = io.StringIO()
    callback = ConsoleCallback(Console(file=text, width=200))
    for event in (started(), step(1), epoch(1, is_best=True), Warned("overfitting", "overfitting: [bold] 30 %")):
        callback(event)
    callback.close()
    lines = text.getvalue().splitlines()
    assert lines[0].startswith("epoch 1/4  train 0.300  held-out 0.400  gap +10 %")
    assert lines[0].endswith("*best  ETA 60 s")
    assert "overfitting: [bold] 30 %" in lines[1]
    assert "\x1b" not in text.getvalue()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({}, "gap +10 %  ETA"), ({"gap_low": -0.03, "gap_high": 0.25}, "gap +10 % (-3 to +25)  ETA")],
)
def test_the_gap_is_shown_with_its_interval(fields, expected):
    text = io.StringIO()
    ConsoleCallback(Console(file=text, width=200))(replace(epoch(1), **fields))
    assert expected in text.getvalue()


class _Clock:
    now = 0.0

    def __call__(self):
        return self.now


def _run(callback, clock, n_steps, *, of, step_s):
    per_epoch = 100
    callback(started(total_epochs=of // per_epoch, total_steps=of, steps_per_epoch=per_epoch))
    for number in range(1, n_steps + 1):
        clock.now += step_s
        callback(replace(step(number), epoch=1 + (number - 1) // per_epoch, total_steps=of))


def test_a_terminal_shows_where_the_epoch_is_and_how_long_it_takes_in_80_columns():
    text, clock = io.StringIO(), _Clock()
    console = Console(file=text, force_terminal=True, width=80)
    callback = ConsoleCallback(console, clock=clock)
    folder = f"/sounds/{'a-long-name/' * 9}epoch_0001_step_000120"
    _run(callback, clock, 121, of=40_000, step_s=9.0)
    callback(PreviewEvent(1, f"{folder}/sample_1.wav", 48000, "sample"))
    clock.now += 9.0
    callback(replace(step(122), epoch=2, total_steps=40_000))
    with console.capture() as shown:
        console.print(callback._live.get_renderable())
    callback.close()
    lines = shown.get().strip().splitlines()
    assert len(lines) == 2
    for words in ("epoch 2/400", "22/100", "loss 0.500", "ETA 99 h 41 min"):
        assert words in lines[0]
    assert "newest preview epoch_0001_step_000120" in lines[1]
    assert all(len(Text.from_ansi(line)) <= 80 for line in lines)


def test_an_epoch_with_everything_there_is_to_say_of_it_fits_in_80_columns():
    text = io.StringIO()
    callback = ConsoleCallback(Console(file=text, force_terminal=True, width=80))
    callback(started())
    full = {"total_epochs": 100, "gap_low": 1.21, "gap_high": 1.5, "overfitting_gap": 1.34, "train_loss": -0.361}
    callback(replace(epoch(100, is_best=True), **full))
    callback.close()
    (line,) = (Text.from_ansi(line) for line in text.getvalue().splitlines() if "held-out" in line)
    assert len(line) <= 80


def test_what_a_run_amounts_to_is_said_once_and_how_it_could_be_shorter_where_it_is_long():
    text, clock = io.StringIO(), _Clock()
    _run(ConsoleCallback(Console(file=text, width=200), clock=clock), clock, 40, of=10_000, step_s=1.0)
    lines = [line for line in text.getvalue().splitlines() if "step" not in line]
    assert lines == [
        "  100 epochs: about 2 h 46 min to go at this pace",
        "  less: Ctrl-C keeps what was learned, training.minutes=10 ends in ten minutes",
    ]


@pytest.mark.parametrize(
    ("minutes", "of", "said"), [(10.0, 10_000, []), (0.0, 300, ["  3 epochs: about 4 min 50 s to go at this pace"])]
)
def test_a_short_run_is_not_told_to_be_shorter_and_one_with_a_time_knows_its_end(minutes, of, said):
    text, clock = io.StringIO(), _Clock()
    _run(ConsoleCallback(Console(file=text, width=200), minutes=minutes, clock=clock), clock, 20, of=of, step_s=1.0)
    assert text.getvalue().splitlines() == said


def test_without_a_terminal_a_long_epoch_says_where_it_is_now_and_then():
    text, clock = io.StringIO(), _Clock()
    _run(ConsoleCallback(Console(file=text, width=200), minutes=5.0, clock=clock), clock, 100, of=100, step_s=1.0)
    lines = text.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[0] == "  step 31/100  loss 0.500  ETA 69 s"


def test_the_first_sounds_are_told_with_their_place_and_what_no_model_made_is_not():
    text = io.StringIO()
    callback = ConsoleCallback(Console(file=text, width=200))
    for kind, folder in (
        ("ceiling", "ceiling"),
        ("sample", "epoch_0002"),
        ("sample", "epoch_0002"),
        ("sample", "epoch_0004"),
    ):
        callback(PreviewEvent(2, f"/run/previews/{folder}/{kind}_1.wav", 48000, kind))
    assert text.getvalue().splitlines() == ["  first sounds to listen to: /run/previews/epoch_0002"]


def test_verbose_tells_of_files():
    text = io.StringIO()
    callback = ConsoleCallback(Console(file=text, width=200), verbose=True)
    callback(CheckpointSaved(1, "/run/checkpoints/epoch_0001"))
    assert "checkpoint: /run/checkpoints/epoch_0001" in text.getvalue()


def test_where_python_does_not_tell_its_memory_nothing_is_said_of_it(monkeypatch):
    monkeypatch.setattr("sda.callbacks.console.peak_memory_gib", lambda: None)
    text = io.StringIO()
    callback = ConsoleCallback(Console(file=text, force_terminal=True, width=80))
    for event in (started(), step(1), step(2)):
        callback(event)
    callback.close()
    assert "memory" not in text.getvalue()


def test_the_bar_of_a_last_epoch_that_is_cut_short_ends_where_it_does():
    console, clock = Console(file=io.StringIO(), force_terminal=True, width=80), _Clock()
    callback = ConsoleCallback(console, minutes=5.0, clock=clock)
    _run(callback, clock, 110, of=120, step_s=1.0)
    with console.capture() as shown:
        console.print(callback._live.get_renderable())
    callback.close()
    assert "epoch 2/2" in shown.get()
    assert "10/20" in shown.get()


def test_the_live_lines_end_with_the_training_as_what_comes_then_has_its_own_words():
    text = io.StringIO()
    callback = ConsoleCallback(Console(file=text, force_terminal=True, width=80))
    for event in (started(), step(1), complete()):
        callback(event)
    assert not callback._live.is_started
