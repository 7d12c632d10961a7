"""Events on their way through the journal."""

import json

import pytest

from sda.training.events import EVENT_TYPES, Warned, event_from_dict, event_to_dict
from tests.events import epoch, step


def test_epochs_of_older_runs_are_read_without_an_interval():
    values = event_to_dict(epoch(2))
    for name in ("gap_low", "gap_high", "gap_slope", "gap_slope_error", "verdict", "trend"):
        del values[name]
    read = event_from_dict(values)
    assert read.gap_low == read.gap_high
    assert read.verdict == ""


def test_events_survive_the_journal_and_later_fields_are_ignored():
    for event in (step(3), epoch(2), Warned("overfitting", "told", 2)):
        values = json.loads(json.dumps(event_to_dict(event)))
        assert event_from_dict(values | {"from_the_future": 1, "time": 0.0}) == event
    assert all(name == kind.__name__ for name, kind in EVENT_TYPES.items())


def test_events_cannot_be_changed():
    with pytest.raises(AttributeError, match="cannot assign"):
        step(1).epoch = 2
