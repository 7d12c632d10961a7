import math

import pytest
import torch

from sda.audio.envelope import FRAME_S, find_sound_events, measure_levels_db

RATE_HZ = 16000


def _strike(times_s, length_s=3.0, fall_db_s=60.0):
    """Struck tones, each falling by so much a second."""
    time_s = torch.arange(round(length_s * RATE_HZ)) / RATE_HZ
    sound = torch.zeros_like(time_s)
    for start_s in times_s:
        since_s = (time_s - start_s).clamp(min=0.0)
        sound += (time_s >= start_s) * 10 ** (-fall_db_s * since_s / 20) * torch.sin(2 * math.pi * 440 * since_s)
    return sound


def test_levels_are_those_of_a_tone():
    tone = 0.1 * torch.sin(2 * math.pi * 200 * torch.arange(RATE_HZ) / RATE_HZ)
    assert measure_levels_db(tone, RATE_HZ) == pytest.approx(torch.full((100,), -23.01), abs=0.05)


@pytest.mark.parametrize("times_s", [[0.5], [0.0, 1.0], [0.3, 1.1, 2.0]])
def test_events_are_where_something_is_struck(times_s):
    events = find_sound_events(measure_levels_db(_strike(times_s), RATE_HZ))
    assert [event.onset * FRAME_S for event in events] == pytest.approx(times_s, abs=0.04)
    assert all(event.onset <= event.peak < event.end for event in events)
    assert [event.end for event in events[:-1]] == [event.onset for event in events[1:]]


@pytest.mark.parametrize("kind", ["noise", "tone", "nothing", "empty"])
def test_what_goes_on_has_no_events(kind):
    torch.manual_seed(0)
    sound = {
        "noise": torch.randn(3 * RATE_HZ) * 0.1,
        "tone": torch.sin(torch.arange(3 * RATE_HZ) * 0.05),
        "nothing": torch.zeros(RATE_HZ),
        "empty": torch.zeros(0),
    }[kind]
    assert find_sound_events(measure_levels_db(sound, RATE_HZ)) == []
