"""What a run is asked from outside, with real signals to this process and a clock of the test's own."""

import io
import os
import signal

import pytest
from rich.console import Console

from sda.training.events import CheckpointSaved, PreviewEvent
from sda.training.interrupt import SAVE_SIGNAL, Requests
from sda.training.loop import Request
from tests.events import started


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def _requests(**settings):
    return Requests(Console(file=io.StringIO()), **settings)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_stops_at_once(number):
    before = signal.getsignal(number)
    with _requests() as requests:
        assert requests() is Request.NOTHING
        os.kill(os.getpid(), number)
        assert requests() is Request.STOP
        assert requests.signal_number == number
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


@pytest.mark.skipif(SAVE_SIGNAL is None, reason="this system has no SIGUSR1")
def test_a_save_is_asked_for_once():
    with _requests() as requests:
        os.kill(os.getpid(), SAVE_SIGNAL)
        assert [requests(), requests()] == [Request.SAVE_NOW, Request.NOTHING]


def test_time_asks_for_a_save_one_interval_after_the_last_whatever_it_was_made_for():
    clock = Clock()
    requests = _requests(save_every_s=60.0, clock=clock)
    clock.now = 59.0
    assert requests() is Request.NOTHING
    requests.hear(CheckpointSaved(1, "/c"))
    clock.now = 118.0
    assert requests() is Request.NOTHING
    clock.now = 119.0
    assert requests() is Request.SAVE_IN_TIME
    assert requests() is Request.NOTHING
    requests.hear(CheckpointSaved(1, "/best", is_best=True))
    clock.now = 180.0
    assert requests() is Request.SAVE_IN_TIME


def test_a_run_whose_sweep_is_gone_saves_and_stops_as_after_sigterm():
    gone = iter((False, True, False))
    with _requests(is_orphaned=lambda: next(gone)) as requests:
        assert [requests(), requests(), requests()] == [Request.NOTHING, Request.STOP, Request.STOP]
        assert requests.signal_number == signal.SIGTERM


def test_without_an_interval_time_asks_for_nothing():
    clock = Clock()
    requests = _requests(clock=clock)
    clock.now = 1e9
    assert requests() is Request.NOTHING


def test_previews_in_mid_epoch_come_at_doubling_distances_from_the_last_whatever_it_was_made_for():
    clock = Clock()
    requests = _requests(preview_after_s=60.0, clock=clock)
    requests.hear(started())
    asked = []
    for second in range(1, 1000):
        clock.now = float(second)
        if requests() is Request.PREVIEW:
            asked.append(second)
            requests.hear(PreviewEvent(1, "/p/sample_1.wav", 48000))
    assert asked == [60, 180, 420, 900]


def test_where_epochs_bring_previews_more_often_none_is_asked_for():
    clock = Clock()
    requests = _requests(preview_after_s=60.0, clock=clock)
    requests.hear(started())
    for second in range(1, 1000):
        clock.now = float(second)
        assert requests() is Request.NOTHING
        if second % 50 == 0:
            requests.hear(PreviewEvent(1, "/p/sample_1.wav", 48000))
