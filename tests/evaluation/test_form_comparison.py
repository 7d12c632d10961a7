import math

import numpy as np
import pytest
import torch

from sda.evaluation.baselines import shuffle_grains
from sda.evaluation.form import TRAITS
from sda.evaluation.form_comparison import FEWEST_SOUNDS, assess_form
from sda.evaluation.sounds import Sound
from tests.conftest import RATE_HZ


def _swells(n_sounds, first_seed=0, duration_s=5.0):
    """Noise that swells and fades, and changes its colour, over some seconds: streams that do not end."""
    sounds = []
    for seed in range(first_seed, first_seed + n_sounds):
        rng = np.random.default_rng(seed)
        time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
        swell_db = 12 * np.sin(2 * np.pi * (rng.uniform(0.12, 0.2) * time_s + rng.uniform()))
        dark = np.convolve(rng.standard_normal(len(time_s)), np.ones(8) / 8, mode="same")
        bright = rng.standard_normal(len(time_s))
        share = 0.5 + 0.5 * np.sin(2 * np.pi * (rng.uniform(0.12, 0.2) * time_s + rng.uniform()))
        waveform = 0.05 * 10 ** (swell_db / 20) * (share * dark + (1 - share) * bright)
        sounds.append(Sound(f"swell {seed}", torch.from_numpy(waveform.astype(np.float32))))
    return sounds


def _hits(n_sounds, first_seed=0, after_s=0.5):
    """Noise that decays, each its own way, and the silence that a file is filled up with."""
    sounds = []
    for seed in range(first_seed, first_seed + n_sounds):
        rng = np.random.default_rng(seed)
        time_s = np.arange(round(rng.uniform(0.8, 1.6) * RATE_HZ)) / RATE_HZ
        hit = 0.3 * rng.standard_normal(len(time_s)) * np.exp(-time_s * rng.uniform(3.5, 7))
        waveform = np.concatenate([hit, np.zeros(round(after_s * RATE_HZ))])
        sounds.append(Sound(f"hit {seed}", torch.from_numpy(waveform.astype(np.float32))))
    return sounds


SWELLS = {"train": _swells(14), "held_out": _swells(8, 100)}
HITS = {"train": _hits(16), "held_out": _hits(8, 100)}


def _assess(real, generated, **kinds):
    return assess_form({"generated": generated, **real, **kinds}, RATE_HZ)


def test_real_sound_and_a_corpus_that_is_played_back_are_as_far_as_training_sound_is():
    for generated in (_swells(8, 200), SWELLS["train"]):
        form = _assess(SWELLS, generated)
        assert form.excess.low < 0.0 < form.excess.high
        assert form.distance["generated"].value == pytest.approx(form.distance["train"].value, abs=0.15)
    assert form.distance["generated"].value == form.distance["train"].value, "it is the same sound"


def test_a_shuffled_corpus_is_known_by_its_autocorrelation():
    form = _assess(SWELLS, shuffle_grains(SWELLS["train"], 12, 5 * RATE_HZ, RATE_HZ))
    made, real = form.traits["generated"], form.traits["held_out"]
    assert made["autocorrelation_500_ms"].high < real["autocorrelation_500_ms"].low - 0.2
    by_trait = form.distance_by_trait["generated"]
    assert by_trait["autocorrelation_500_ms"] > 2.0
    assert by_trait["silent_share"] == pytest.approx(0.0, abs=0.1)
    assert form.excess.low > 0.3


def test_silence_is_far_away_and_counted():
    quiet = [sound._replace(waveform=1e-4 * sound.waveform) for sound in _swells(6, 200)]
    form = _assess(SWELLS, [*quiet, *_swells(2, 300)])
    assert form.near_silent["generated"].value == 0.75
    assert form.near_silent["real"].value == 0.0
    assert form.near_silent["generated"].low > form.near_silent["real"].high
    assert form.silent["generated"].value == pytest.approx(0.75, abs=0.01)
    assert form.silent["real"].value < 0.01
    assert form.distance_by_trait["generated"]["silent_share"] > 5.0


def test_where_nothing_but_silence_was_made_it_is_counted_too():
    form = _assess(SWELLS, [Sound(f"nothing {n}", torch.zeros(RATE_HZ)) for n in range(8)])
    assert form.near_silent["generated"].value == form.silent["generated"].value == 1.0
    assert form.excess.low > 1.0
    assert "autocorrelation_100_ms" not in form.traits["generated"]


def test_silence_behind_a_stream_counts_and_what_a_file_is_filled_up_with_does_not():
    broken = [sound._replace(waveform=torch.cat([sound.waveform[:RATE_HZ], torch.zeros(4 * RATE_HZ)])) for sound in
              _swells(8, 200)]  # fmt: skip
    form = _assess(SWELLS, broken)
    assert form.silent["generated"].value == pytest.approx(0.8, abs=0.01)
    filled = [
        sound._replace(waveform=torch.cat([sound.waveform, torch.zeros(RATE_HZ)])) for sound in SWELLS["train"][:3]
    ]
    form = _assess({**SWELLS, "train": [*filled, *SWELLS["train"][3:]]}, broken)
    assert form.silent["real"].value < 0.01
    shots = _assess(HITS, _hits(8, 200, after_s=3.0))
    assert shots.are_shots
    assert shots.silent["generated"].value > 0.6
    assert shots.silent["generated"].value == pytest.approx(shots.silent["real"].value, abs=0.1), "in as much time"
    assert shots.excess.low < 0.0 < shots.excess.high
    long = [sound._replace(waveform=torch.cat([one.waveform for one in _hits(4, 4 * n, 0.01)])) for n, sound in
            enumerate(_hits(16))]  # fmt: skip
    dying = _assess({"train": long[:8], "held_out": long[8:]}, _hits(8, 200, after_s=3.0))
    assert dying.silent["generated"].low > dying.silent["real"].high + 0.1, "real ones would still sound"


def test_sounds_that_should_end_and_do_not_are_told_by_it():
    form = _assess(HITS, _swells(8, 200))
    assert form.traits["held_out"]["ends"].value == 1.0
    assert form.traits["generated"]["ends"].value == 0.0
    assert 0.5 < form.traits["held_out"]["length_s"].value < 1.6
    assert "length_s" not in form.traits["generated"]
    assert form.distance_by_trait["generated"]["ends"] > 5.0
    assert form.excess.low > 0.5
    shorter = _assess(HITS, [sound._replace(waveform=sound.waveform[::2]) for sound in _hits(8, 200)])
    lengths = [shorter.traits[kind]["length_s"] for kind in ("generated", "held_out")]
    assert lengths[0].high < lengths[1].low


def test_no_sound_is_looked_at_for_longer_than_those_it_is_compared_with():
    long = [Sound(f"long {n}", torch.cat([one.waveform for one in _swells(3, 3 * n)])) for n in range(5)]
    form = assess_form({"generated": _swells(8, 200), "train": long, "held_out": _swells(8, 100)}, RATE_HZ)
    assert form.longest_s == pytest.approx(5.0)
    assert form.excess.low < 0.0 < form.excess.high


def test_rebuilt_sound_is_not_asked_how_it_ends():
    form = _assess(SWELLS, _swells(8, 200), rebuilt=SWELLS["train"])
    assert not {"ends", "length_s"} & set(form.traits["rebuilt"])
    assert form.distance_by_trait["rebuilt"].items() <= form.distance_by_trait["train"].items(), "it is training sound"


def test_of_too_few_sounds_there_is_no_distance_and_a_reason():
    form = _assess(SWELLS, _swells(FEWEST_SOUNDS - 1, 200))
    assert form.too_few == "too few to tell: 3 generated, 8 held-out, 14 training sounds, and it takes 4 of each"
    assert not form.distance
    assert form.excess is None
    assert form.traits["generated"]["level_deviation_db"].value > 0
    nothing = assess_form({"generated": [], "train": [], "held_out": []}, RATE_HZ)
    assert nothing.too_few


def test_every_interval_holds_its_figure_and_no_share_leaves_its_range():
    form = _assess(HITS, _swells(8, 200))
    for traits in form.traits.values():
        assert set(traits) <= set(TRAITS)
        for one in traits.values():
            assert math.isnan(one.low) or one.low <= one.value <= one.high
    for share in (*form.silent.values(), *form.near_silent.values()):
        assert 0.0 <= share.low <= share.value <= share.high <= 1.0
