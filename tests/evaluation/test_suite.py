import math

import numpy as np
import pytest
import torch

from sda.audio.augmentation import SPEED_RATIOS, change_speed
from sda.evaluation.embedding import HandMadeEmbedding
from sda.evaluation.findings import find_blame
from sda.evaluation.search import SECONDS_AT_ONCE
from sda.evaluation.sounds import Sound
from sda.evaluation.suite import (
    EvaluationAudio,
    assess_distribution,
    assess_memorisation,
    assess_whole,
    choose_window_s,
)
from tests.conftest import RATE_HZ
from tests.evaluation.conftest import read_sounds


def test_one_shots_shorter_than_a_window_are_recognised_when_they_are_played_back(make_textures):
    shots = read_sounds(make_textures("shots", 12, duration_s=0.5))
    louder = [Sound("louder", 2.0 * shot.waveform) for shot in shots[:4]]
    found = assess_memorisation(EvaluationAudio(RATE_HZ, shots[:8], shots[8:], louder))
    assert found.replay.rate.value == 1.0
    assert found.similarities["generated"].source.tolist() == [0, 1, 2, 3]


def test_training_sound_counts_as_unheard_only_against_other_recordings(make_textures):
    sounds = read_sounds(make_textures("textures", 6))
    takes = [*sounds[:3], *(Sound("take", sound.waveform.flip(0)) for sound in sounds[:3]), *sounds[:3]]
    groups = ["a", "b", "c"] * 3
    apart = assess_memorisation(EvaluationAudio(RATE_HZ, takes, [], sounds[3:], groups))
    assert apart.similarities["unheard"].correlation.max() < 0.6
    alone = assess_memorisation(EvaluationAudio(RATE_HZ, takes, sounds[5:], sounds[3:], ["a"] * 9))
    assert alone.replay.n_null_files == 1, "nothing is new to its own recording"


@pytest.mark.parametrize("level", [1e-4, 0.0])
def test_where_nothing_can_be_heard_it_says_so(make_textures, level):
    sounds = read_sounds(make_textures("textures", 6))
    quiet = [Sound(sound.name, level * sound.waveform) for sound in sounds]
    found = assess_memorisation(EvaluationAudio(RATE_HZ, sounds, quiet, quiet))
    assert "near-silent" in found.replay.doubt
    if level:
        assert "near-silent" in assess_memorisation(EvaluationAudio(RATE_HZ, quiet, quiet, quiet)).replay.doubt


def test_places_stay_true_over_minutes_at_a_rate_that_no_hop_divides(make_textures):
    rate_hz = 22050
    generator = torch.Generator().manual_seed(0)
    noise = 0.1 * torch.randn(90 * rate_hz, generator=generator)
    assert len(noise) > (SECONDS_AT_ONCE + 10) * rate_hz, "it is searched in more than one stretch"
    hidden = Sound("hidden", noise[80 * rate_hz : 82 * rate_hz])
    other = Sound("other", noise[: 20 * rate_hz].flip(0))
    found = assess_memorisation(EvaluationAudio(rate_hz, [Sound("long", noise), other], [], [hidden]))
    generated = found.similarities["generated"]
    assert generated.start_s.tolist() == pytest.approx([80.0, 80.5, 81.0], abs=0.011)


def _hits(n_hits, shortest_s=0.05, longest_s=0.2):
    """Different decaying noises and tones of 50 to 200 ms."""
    hits = []
    for number in range(n_hits):
        rng = np.random.default_rng(number)
        time_s = np.arange(round(rng.uniform(shortest_s, longest_s) * RATE_HZ)) / RATE_HZ
        tones = sum(np.sin(2 * np.pi * hz * time_s + rng.uniform(0, 6)) for hz in rng.uniform(100, 5000, 6))
        sound = np.exp(-time_s * rng.uniform(15, 60)) * (rng.uniform(0, 3) * rng.standard_normal(len(time_s)) + tones)
        hits.append(Sound(f"hit {number}", torch.from_numpy((0.5 * sound / np.abs(sound).max()).astype(np.float32))))
    return hits


def test_hits_are_recognised_as_themselves_and_not_as_others():
    hits = _hits(40)
    audio = EvaluationAudio(RATE_HZ, hits[:30], [], hits[:30])
    assert 0.05 <= choose_window_s(audio.train, audio.generated, RATE_HZ) < 0.1
    itself = assess_memorisation(audio)
    assert itself.replay.rate.value == 1.0
    assert itself.replay.n_null_windows >= 30
    others = assess_memorisation(EvaluationAudio(RATE_HZ, hits[:30], [], hits[30:]))
    assert others.replay.rate.value < 0.25


def _showers(n_showers):
    """Noise of different colours and nothing else, as of rain on different roofs."""
    showers = []
    for number in range(n_showers):
        rng = np.random.default_rng(number)
        spectrum = np.fft.rfft(rng.standard_normal(3 * RATE_HZ))
        hz = np.linspace(0.0, 1.0, len(spectrum))
        tilt, hump = rng.uniform(-4, 0), rng.uniform(0.1, 0.9)
        shape = 10 ** (tilt * hz + rng.uniform(0, 1) * np.exp(-np.square((hz - hump) / 0.1)))
        sound = np.fft.irfft(spectrum * shape)
        showers.append(Sound(f"shower {number}", torch.from_numpy((0.1 * sound / sound.std()).astype(np.float32))))
    return showers


def test_rain_of_the_same_colour_is_no_replay_and_a_copy_is():
    showers = _showers(24)
    rainy = [*showers, *_showers(3)]
    twins = [Sound("twin", other.waveform.flip(0)) for other in showers[:6]]  # of the very same colour
    found = assess_memorisation(EvaluationAudio(RATE_HZ, rainy[:24], [], twins))
    assert found.replay.rate.value == 0.0
    assert found.replay.rate.high > 0.05, "six sounds do not say that none could be one"
    assert found.replay.controls["copies"].rate == 1.0
    assert assess_memorisation(EvaluationAudio(RATE_HZ, rainy[:24], [], rainy[24:])).replay.rate.value == 1.0


@pytest.mark.parametrize("speed", range(len(SPEED_RATIOS)))
def test_a_replay_at_another_speed_is_a_replay(make_textures, speed):
    sounds = read_sounds(make_textures("textures", 9))
    n_out, n_in = SPEED_RATIOS[speed]
    n_samples = len(sounds[0].waveform) * n_out // n_in
    clips = torch.stack([sound.waveform for sound in sounds[:4]])
    replays = [Sound("replay", clip) for clip in change_speed(clips, np.full(4, speed), n_samples)]
    found = assess_memorisation(EvaluationAudio(RATE_HZ, sounds[:8], sounds[8:], replays))
    assert found.replay.rate.value >= 0.9
    assert found.similarities["generated"].source.tolist() == found.similarities["generated"].sound.tolist()


def test_where_nothing_moves_a_copy_cannot_be_told():
    time_s = torch.arange(2 * RATE_HZ) / RATE_HZ
    tones = [Sound(f"tone {n}", 0.1 * torch.sin(2 * torch.pi * (200 + 37 * n) * time_s)) for n in range(12)]
    doubt = assess_memorisation(EvaluationAudio(RATE_HZ, tones, [], tones)).replay.doubt
    assert "of plain copies of training sound would be noticed" in doubt


def test_of_sounds_that_are_too_short_there_is_no_rate_and_a_reason():
    found = assess_memorisation(EvaluationAudio(RATE_HZ, _hits(20), [], _hits(20, 0.01, 0.02)))
    assert math.isnan(found.replay.rate.value)
    assert "too short" in found.replay.doubt


def test_most_sounds_decide_how_long_windows_are():
    long, short = Sound("long", torch.zeros(2 * RATE_HZ)), Sound("short", torch.zeros(RATE_HZ // 4))
    assert choose_window_s([long, long, short], [long], RATE_HZ) == 1.0
    assert choose_window_s([short, short, long], [long], RATE_HZ) == 0.25
    assert choose_window_s([long], [short], RATE_HZ) == 0.25
    assert choose_window_s([long], [Sound("tick", torch.zeros(10))], RATE_HZ) == 0.05


def _look_at(train, held_out, generated, **more):
    audio = EvaluationAudio(RATE_HZ, train, held_out, generated, **more)
    return assess_distribution(audio, HandMadeEmbedding(RATE_HZ))


def _noises(n_sounds):
    generator = torch.Generator().manual_seed(0)
    return [Sound(f"noise {n}", 0.1 * torch.randn(3 * RATE_HZ, generator=generator)) for n in range(n_sounds)]


def test_the_floor_says_whether_decoder_or_prior_is_to_blame(make_textures):
    sounds = read_sounds(make_textures("textures", 21))
    train, held_out, fresh = sounds[:9], sounds[9:15], sounds[15:]
    by_decoder = _look_at(train, held_out, _noises(8), rebuilt=_noises(6)).likeness
    assert by_decoder.rebuilt.ratio.low > 5.0
    assert find_blame(by_decoder) == "decoder"
    by_prior = _look_at(train, held_out, _noises(8), rebuilt=train).likeness
    assert by_prior.rebuilt.mmd2 == by_prior.mmd2_train, "it is training sound"
    assert find_blame(by_prior) == "prior"
    assert find_blame(_look_at(train, held_out, fresh, rebuilt=train).likeness) == ""
    assert _look_at(train, held_out, fresh).likeness.rebuilt is None


def test_the_floor_is_measured_on_as_many_windows_as_generated_sound(make_textures):
    sounds = read_sounds(make_textures("textures", 15))
    train, held_out = sounds[:9], sounds[9:]
    few = [sound._replace(waveform=sound.waveform[: 2 * RATE_HZ]) for sound in train[:8]]
    found = _look_at(train, held_out, few, rebuilt=train).likeness
    assert found.n_windows == 24
    assert found.rebuilt.mmd2.value == pytest.approx(found.mmd2_train.value)


def test_no_more_is_embedded_than_is_compared(make_textures):
    embedded = []

    class Counting(HandMadeEmbedding):
        def __call__(self, clips):
            embedded.append(len(clips))
            return super().__call__(clips)

    sounds, noises = read_sounds(make_textures("textures", 15)), _noises(20)
    audio = EvaluationAudio(RATE_HZ, sounds[:9], sounds[9:], noises, rebuilt=noises)
    assert assess_distribution(audio, Counting(RATE_HZ)).likeness.n_windows == 45
    assert embedded == [45, 30, 45, 45], "of 100 windows that were generated, and of 100 rebuilt"
    embedded.clear()
    few = EvaluationAudio(RATE_HZ, sounds[:9], sounds[9:11], noises)
    assert "10 held-out windows of 2 sounds" in assess_distribution(few, Counting(RATE_HZ)).too_few
    assert embedded == []


def test_what_is_too_quiet_to_be_compared_is_counted(make_textures):
    sounds = read_sounds(make_textures("textures", 21))
    fresh = [sound._replace(waveform=1e-5 * sound.waveform) if n < 3 else sound for n, sound in enumerate(sounds[15:])]
    form, silence = assess_whole(EvaluationAudio(RATE_HZ, sounds[:9], sounds[9:15], fresh))
    assert silence["generated"].windows_left_out == 0.5
    assert silence["generated"].near_silent_files.value == 0.5
    assert silence["generated"].silent_frames.value == pytest.approx(0.5, abs=0.05)
    assert silence["real"].windows_left_out == silence["real"].near_silent_files.value == 0.0
    assert set(silence) == {"generated", "real"}
    assert form.n_sounds == {"generated": 6, "held_out": 6, "train": 9}


def test_form_is_that_of_sounds_with_the_silence_at_their_ends(make_textures):
    sounds = [sound._replace(waveform=sound.waveform * torch.linspace(1, 0, 3 * RATE_HZ) ** 4) for sound in
              read_sounds(make_textures("textures", 21))]  # fmt: skip
    padded = [sound._replace(waveform=torch.cat([sound.waveform, torch.zeros(RATE_HZ)])) for sound in sounds]
    whole = {"train": padded[:9], "held_out": padded[9:15], "generated": padded[15:]}
    form, _ = assess_whole(EvaluationAudio(RATE_HZ, sounds[:9], sounds[9:15], sounds[15:], whole=whole))
    assert form.are_shots
    assert form.traits["held_out"]["ends"].value == 1.0
