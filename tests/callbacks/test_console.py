"""What a person reads while a run goes on."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from sda.callbacks.console import ConsoleCallback
from sda.training.events import (
    CheckpointSaved,
    PreviewEvent,
    Warned,
)
from tests.events import epoch, started, step


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
