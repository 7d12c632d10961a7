"""Sounds on a condition, drawn from tones of which it is known how high they are and what a control does."""

import math
from types import SimpleNamespace

import pytest
import torch

from sda.audio.descriptors import CorpusRange, Describer
from sda.audio.wav import write_wav
from sda.errors import ConfigError
from sda.generation import wanted as conditions
from sda.generation.sampling import NewSound
from sda.generation.wanted import (
    CANDIDATE_SEEDS_APART,
    N_CANDIDATES,
    NEAR_ENOUGH,
    Wanted,
    describe_file,
    draw_wanted,
    parse_wanted,
    round_as_written,
    spell_wanted,
)

RATE_HZ = 16000
RANGES = {"brightness": CorpusRange(8.0, 10.0), "pitch": CorpusRange(8.0, 10.0), "level": CorpusRange(-30.0, -10.0)}
OCTAVES = [8.1, 8.5, 10.0, 9.4, 8.3, 8.8, 10.6, 9.7]
"""log2 of Hz of each candidate."""


class _Tones:
    """Draws a tone for each seed, higher by what steers it, or noise where a candidate has no octave."""

    def __init__(self, octaves, n_samples=RATE_HZ // 2):
        self.octaves, self.n_samples = octaves, n_samples
        self.asked, self.n_made = [], 0

    def __call__(self, synthesizer, seed):
        self.asked.append((seed, synthesizer.steering))
        octave = self.octaves[(seed - 3) // CANDIDATE_SEEDS_APART]
        time_s = torch.arange(self.n_samples) / RATE_HZ
        if octave is None:
            sound = torch.randn(self.n_samples, generator=torch.Generator().manual_seed(1))
        else:
            sound = torch.sin(2 * math.pi * 2 ** (octave + (synthesizer.steering or 0.0)) * time_s)
        return NewSound(self._make(0.1 * sound), self.n_samples, octave, 0)

    def _make(self, sound):
        for block in sound.split(1000):
            self.n_made += len(block)
            yield block


class _Synthesizer:
    features = SimpleNamespace(sample_rate_hz=RATE_HZ)
    steering = None

    def adapted(self, *, steering):
        other = _Synthesizer()
        other.steering = steering
        return other


def _want(places, reaches=None, does=1.0, gain=1.0):
    """A control of brightness, which is `pitch` too, does so much of what is asked of it."""
    return Wanted(places, RANGES, reaches or {}, lambda moves: does * sum(moves.values()), gain)


def _draw(wanted, octaves=OCTAVES, **settings):
    tones = _Tones(octaves, **settings)
    kept = draw_wanted(_Synthesizer(), wanted, tones, seed=3)
    return kept, tones, torch.cat(list(kept.sound.stretches))


@pytest.mark.parametrize(("place", "nearest"), [(0.0, 8.1), (0.7, 9.4), (1.0, 10.0)])
def test_of_several_the_nearest_is_kept_with_its_own_sources(place, nearest):
    kept, tones, _ = _draw(_want({"pitch": place}))
    assert kept.sound.provenance == nearest
    assert (kept.candidate, kept.moved) == (OCTAVES.index(nearest) + 1, {})
    assert [seed for seed, _ in tones.asked] == [3 + CANDIDATE_SEEDS_APART * number for number in range(N_CANDIDATES)]


def test_a_control_does_what_is_lacking_as_often_as_it_does_too_little():
    plain, _, before = _draw(_want({"brightness": 0.65}))
    kept, _, sound = _draw(_want({"brightness": 0.65}, {"brightness": 1.0}, does=0.7))
    started, ended = (RANGES["brightness"].find_place(Describer(RATE_HZ)(one)["brightness"]) for one in (before, sound))
    assert kept.candidate == plain.candidate
    assert abs(started - 0.65) > 2 * NEAR_ENOUGH
    assert ended == pytest.approx(0.65, abs=NEAR_ENOUGH)
    assert kept.moved["brightness"] == pytest.approx((0.65 - started) * RANGES["brightness"].width / 0.7, abs=0.06)


def test_it_goes_no_further_than_it_was_tried():
    kept, _, _ = _draw(_want({"brightness": 0.0}, {"brightness": 0.1}), [9.0, 8.5] * 4)
    assert (kept.sound.provenance, kept.moved) == (8.5, {"brightness": -0.1})


def test_what_brings_a_sound_no_nearer_is_not_done():
    _, _, plain = _draw(_want({"brightness": 0.65}))
    kept, tones, sound = _draw(_want({"brightness": 0.65}, {"brightness": 1.0}, does=-1.0))
    assert len(tones.asked) > N_CANDIDATES
    assert kept.moved == {}
    assert torch.equal(sound, plain)


def test_what_is_near_enough_is_moved_no_more():
    _, tones, _ = _draw(_want({"pitch": 0.05}, {"pitch": 1.0}))
    assert len(tones.asked) == N_CANDIDATES


def test_a_sound_without_what_is_wanted_is_farther_away_than_any_other():
    kept, *_ = _draw(_want({"pitch": 1.0}), [None] * 6 + [8.0, None])
    assert kept.candidate == 7


def test_of_several_descriptors_the_distances_count_together():
    wanted = _want({"pitch": 0.5, "level": 0.5})
    assert wanted.measure_distance({"pitch": 9.0, "level": -20.0}) == (0, 0.0)
    assert wanted.measure_distance({"pitch": 9.6, "level": -12.0}) == (0, pytest.approx(0.5))
    assert wanted.measure_distance({"level": -18.0}) == (1, pytest.approx(0.1))


def test_a_long_sound_is_chosen_by_its_beginning_and_made_once(monkeypatch):
    monkeypatch.setattr(conditions, "LISTENED_S", 0.25)
    n_samples = 2 * RATE_HZ
    _, tones, sound = _draw(_want({"pitch": 0.05}), n_samples=n_samples)
    assert len(sound) == n_samples
    assert tones.n_made == (N_CANDIDATES - 1) * 4000 + n_samples
    assert torch.equal(sound, torch.cat(list(_Tones([8.1], n_samples)(_Synthesizer(), 3).stretches)))


def test_what_came_out_is_told_of_the_file_as_it_lies_there(tmp_path):
    time_s = torch.arange(RATE_HZ) / RATE_HZ
    tone = 0.1 * math.sqrt(2.0) * torch.sin(2 * math.pi * 512 * time_s)
    write_wav(tmp_path / "tone.wav", [(tone / 2.0).numpy()], RATE_HZ)
    wanted = _want({"pitch": 0.2, "level": 0.2}, gain=2.0)
    found = describe_file(tmp_path / "tone.wav", wanted, RATE_HZ)
    assert (found["pitch"]["wanted"], found["pitch"]["unit"]) == (0.2, "oct")
    assert found["pitch"]["place"] == pytest.approx(0.5, abs=0.02)
    assert found["pitch"]["value"] == pytest.approx(9.0, abs=0.05)
    assert found["level"]["place"] == pytest.approx(0.5, abs=0.01), "as loud as the corpus' range is"
    assert found["level"]["value"] == pytest.approx(-26.0, abs=0.1), "as loud as the file is"
    assert found["level"]["unit"] == "dB"
    write_wav(tmp_path / "noise.wav", [torch.randn(RATE_HZ).mul(0.1).numpy()], RATE_HZ)
    assert describe_file(tmp_path / "noise.wav", wanted, RATE_HZ)["pitch"]["place"] is None


def test_quiet_sound_is_judged_with_what_a_file_rounds_off():
    """A tone of less than a level and a half has three values left, however much louder it was made."""
    tone = 1.4 * 2**-15 * torch.sin(2 * math.pi * 300 * torch.arange(RATE_HZ) / RATE_HZ)
    assert round_as_written(tone, 1.0).unique().mul(2**15).tolist() == [-1.0, 0.0, 1.0]
    assert round_as_written(8.0 * tone, 8.0).unique().mul(2**12).tolist() == [-1.0, 0.0, 1.0]
    describe = Describer(RATE_HZ)
    assert describe(round_as_written(tone, 1.0))["brightness"] > describe(tone)["brightness"] + 1.0


def test_what_is_written_is_read_and_spelled_the_same():
    places = parse_wanted(" [brightness:0.9, pitch_strength:1] ")
    assert places == {"brightness": 0.9, "pitch_strength": 1.0}
    assert parse_wanted(spell_wanted(places)) == places


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("brightness", r"wanted=brightness is not understood: give DESCRIPTOR:PLACE, such as brightness:0\.9"),
        ("bright:0.9", r"there is no descriptor bright: there are level, .*Did you mean brightness\?"),
        ("pitch:1.2", r"wanted=pitch:1\.2: 1\.2 is out of range: allowed is at least 0 and at most 1, where 0 is"),
        ("pitch:nan", r"nan is out of range"),
        ("pitch:high", r"'high' is no number\. Give a place, at least 0 and at most 1"),
        ("pitch:0.1,pitch:0.2", r"pitch is wanted twice"),
        ("pitch:0.1,", r"is not understood"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_is_allowed(text, words):
    with pytest.raises(ConfigError, match=words):
        parse_wanted(text)
