"""Channels become one without losing the sound, and a constant voltage is no part of it."""

import numpy as np
import pytest
import soundfile

from sda.audio.io import load_audio
from sda.audio.mono import ChannelSurvey, HighPass, Mix, Mixer
from tests.conftest import RATE_HZ


def _sound(seed: int = 0, duration_s: float = 1.0, level: float = 0.1) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(round(duration_s * RATE_HZ))).astype(np.float32)


def _survey(*channels: np.ndarray, n_blocks: int = 1) -> ChannelSurvey:
    samples = np.stack(channels, axis=1).astype(np.float32)
    survey = ChannelSurvey(RATE_HZ, samples.shape[1])
    for block in np.array_split(samples, n_blocks):
        survey.add(block)
    survey.finish()
    return survey


X, Y = _sound(0), _sound(1)
NOTHING = np.zeros_like(X)

CHOICES = {
    "mono": ([X], ()),
    "equal": ([X, X], ()),
    "unrelated": ([X, Y], ()),
    "partly out of phase": ([X, -0.3 * X], ()),
    "out of phase": ([X, -X], (0,)),
    "out of phase, right louder": ([-0.8 * X, X], (1,)),
    "out of phase, noise beside": ([X, 1e-3 * Y - X], (0,)),
    "right is dead": ([X, NOTHING], (0,)),
    "left is dead": ([NOTHING, X], (1,)),
    "right has hiss alone": ([X, 1e-4 * Y], (0,)),
    "right has DC alone": ([X, NOTHING + 0.4], (0,)),
    "all are silent": ([NOTHING, NOTHING], ()),
    "5.1 with a silent channel": ([X, Y, X, NOTHING, Y, X], (0, 1, 2, 4, 5)),
    "three that cancel": ([-0.5 * X, -0.5 * X, X], (2,)),
    "AmbiX from before": ([X, NOTHING, NOTHING, X], (0, 3)),
    "AmbiX from behind": ([X, NOTHING, NOTHING, -X], (0,)),
    "B-format from behind, the first 3 dB down": ([0.71 * X, -X, NOTHING, NOTHING], (0,)),
    "N3D from behind and above, the first 4 dB below another": ([X, NOTHING, NOTHING, -1.5 * X], (0,)),
    "4 channels, the first much too quiet for Ambisonics": ([0.05 * Y, X, -X, NOTHING], (1,)),
    "9 channels that cancel": ([X, -X, X, -X, X, -X, X, -X, NOTHING], (0,)),
    "opposite for one half": ([X, np.where(np.arange(len(X)) < len(X) // 2, X, -X)], ()),
}


@pytest.mark.parametrize("name", CHOICES)
def test_what_is_kept_of_the_channels(name):
    channels, kept = CHOICES[name]
    survey = _survey(*channels, n_blocks=3)
    assert survey.choose() == Mix(kept)
    mixed = Mixer(survey.choose(), RATE_HZ).mix(np.stack(channels, axis=1))
    loudest = max(np.square(channel - channel.mean()).mean() for channel in channels)
    assert np.square(mixed).mean() >= loudest / 17  # 12.3 dB; nearly silent channels beside it count for nothing


def test_how_much_averaging_loses():
    assert _survey(X, X).loss_db == pytest.approx(0.0, abs=1e-6)
    assert _survey(X, Y).loss_db == pytest.approx(3.0, abs=0.1)
    assert _survey(X, NOTHING).loss_db == pytest.approx(0.0, abs=1e-6)  # of the one that lives
    assert _survey(X, -0.9 * X).loss_db == pytest.approx(20 * np.log10(20 * np.sqrt(0.905)), abs=0.01)
    assert _survey(X, -X).loss_db == 120.0
    assert _survey(NOTHING, NOTHING).loss_db == 0.0


def test_the_choice_does_not_depend_on_how_a_file_is_cut():
    """In pieces of 8 ms a bass tone would look like a drifting voltage."""
    bass = 0.3 * np.sin(2 * np.pi * 30 * np.arange(2 * RATE_HZ) / RATE_HZ)
    whole, pieces = _survey(bass, -0.9 * bass), _survey(bass, -0.9 * bass, n_blocks=250)
    assert pieces.choose() == whole.choose() == Mix((0,))
    assert pieces.loss_db == pytest.approx(whole.loss_db, abs=1e-9)


def test_of_two_equal_channels_that_cancel_the_first_is_kept_whatever_their_last_bits():
    assert _survey(X, -1.0001 * X).choose() == _survey(X, -0.9999 * X).choose() == Mix((0,))


def test_the_high_pass_lets_sound_through_and_no_constant():
    time_s = np.arange(4 * RATE_HZ) / RATE_HZ
    for frequency_hz, gain_db in ((10, -3.0), (20, -1.0), (50, -0.2), (1000, 0.0), (7990, 0.0)):
        heard = HighPass(RATE_HZ).filter(np.sin(2 * np.pi * frequency_hz * time_s).astype(np.float32))[RATE_HZ:]
        assert 10 * np.log10(2 * np.square(heard).mean()) == pytest.approx(gain_db, abs=0.06)
    rest = HighPass(RATE_HZ).filter(np.ones(RATE_HZ, np.float32))
    assert rest[0] == pytest.approx(1.0, abs=0.01)  # a step is a thump …
    assert np.abs(rest[RATE_HZ // 5 :]).max() < 1e-5  # … that is over in a fifth of a second
    assert np.abs(HighPass(RATE_HZ, resting_at=1.0).filter(np.ones(RATE_HZ, np.float32))).max() < 1e-12


def test_the_high_pass_does_not_depend_on_how_the_sound_is_cut():
    whole = HighPass(RATE_HZ, 0.2).filter(X + 0.2)
    filters = HighPass(RATE_HZ, 0.2)
    pieces = [filters.filter(piece) for piece in np.split(X + 0.2, [1, 700, 700, 5000])]
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-7)


@pytest.mark.parametrize("duration_s", [0.05, 0.3, 2.0])
@pytest.mark.parametrize("offset", [0.45, -0.1])
def test_an_offset_is_taken_out_and_the_sound_stays(duration_s, offset):
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    sound = (0.05 * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32)
    mix = _survey(sound + offset).choose()
    assert mix.resting_at == pytest.approx(offset, abs=2e-3)
    mixed = Mixer(mix, RATE_HZ).mix((sound + offset)[:, None])
    np.testing.assert_allclose(mixed, sound, atol=0.0025)  # a 40th of it: the phase turns by 1.3 degrees
    assert abs(mixed.mean()) < 5e-4


def test_an_offset_that_comes_and_goes_is_taken_out():
    time_s = np.arange(4 * RATE_HZ) / RATE_HZ
    sound = _sound(0, 4.0, 0.02) + 0.3 * np.sign(np.sin(2 * np.pi * 0.5 * time_s))  # its mean is zero
    mix = _survey(sound).choose()
    assert mix.resting_at == pytest.approx(0.3, abs=0.01)
    mixed = Mixer(mix, RATE_HZ).mix(sound[:, None].astype(np.float32))
    assert np.square(mixed[RATE_HZ // 5 : RATE_HZ // 2]).mean() == pytest.approx(0.02**2, rel=0.1)


def _decay(frequency_hz: float, duration_s: float) -> np.ndarray:
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    return 0.5 * np.sin(2 * np.pi * frequency_hz * time_s) * np.exp(-time_s / (0.3 * duration_s))


@pytest.mark.parametrize(
    "sound",
    [
        X,
        X + 0.005,  # 26 dB below it: nobody would hear the difference
        _decay(20, 2.0),
        _decay(30, 0.4),
        _decay(60, 0.1),
        _decay(60, 0.05),
        np.eye(1, RATE_HZ, 300)[0],
        NOTHING,
    ],
)
def test_without_an_offset_that_matters_samples_stay_as_they_are(sound):
    assert _survey(sound).choose() == Mix()


def test_loading_takes_the_same_decision_and_leaves_ordinary_files_alone(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.stack([X, -X], axis=1), RATE_HZ, subtype="FLOAT")
    np.testing.assert_array_equal(load_audio(tmp_path / "a.wav", RATE_HZ), X)
    soundfile.write(tmp_path / "b.wav", np.stack([NOTHING, X], axis=1), RATE_HZ, subtype="FLOAT")
    np.testing.assert_array_equal(load_audio(tmp_path / "b.wav", RATE_HZ), X)
    soundfile.write(tmp_path / "c.wav", np.stack([X, Y], axis=1), RATE_HZ, subtype="FLOAT")
    np.testing.assert_array_equal(load_audio(tmp_path / "c.wav", RATE_HZ), np.stack([X, Y], axis=1).mean(axis=1))
    soundfile.write(tmp_path / "d.wav", X + 0.45, RATE_HZ, subtype="FLOAT")
    assert abs(load_audio(tmp_path / "d.wav", RATE_HZ).mean()) < 1e-3
