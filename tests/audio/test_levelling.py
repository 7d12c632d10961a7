import math

import pytest
import torch

from sda.audio.levelling import MAX_CORRECTION, follow_level
from sda.audio.mel import LogMel

RATE_HZ, HOP = 16000, 128


@pytest.fixture(scope="module")
def features():
    return LogMel(RATE_HZ, n_fft=512, hop_length=HOP, n_mels=32)


def _sound(n_frames=120):
    """Noise that swells and fades."""
    generator = torch.Generator().manual_seed(0)
    swell = 1.1 + torch.sin(torch.arange(n_frames * HOP) / 2000.0)
    return torch.randn(2, n_frames * HOP, generator=generator) * 0.05 * swell


def _rms_db(sounds):
    return 10 * sounds.square().mean(dim=1).log10()


@pytest.mark.parametrize("gain_db", [-6.0, -1.9, 0.0, 4.0])
def test_a_sound_that_is_too_quiet_or_too_loud_gets_the_level_asked_for(features, gain_db):
    sound = _sound()
    level = features.level(sound)[:, :-1]
    changed = sound * 10 ** (gain_db / 20)
    followed = follow_level(changed, level, features.window, HOP)
    assert (_rms_db(followed) - _rms_db(sound)).abs().max() < 0.05
    torch.testing.assert_close(followed, sound, atol=2e-3, rtol=0.02)


def test_a_change_of_level_is_followed_where_it_is(features):
    sound = _sound()
    level = features.level(sound)[:, :-1].clone()
    level[:, 60:] += math.log(2.0)
    followed = follow_level(sound, level, features.window, HOP)
    halves = [
        _rms_db(followed[:, part]) - _rms_db(sound[:, part]) for part in (slice(0, 45 * HOP), slice(75 * HOP, None))
    ]
    assert halves[0].abs().max() < 0.2
    assert (halves[1] - 6.02).abs().max() < 0.2


def test_what_changes_from_frame_to_frame_is_left_to_the_sound(features):
    sound = _sound()
    level = features.level(sound)[:, :-1]
    restless = level + 0.5 * (torch.arange(level.shape[1]) % 2 - 0.5)
    gain = follow_level(sound, restless, features.window, HOP) / sound
    steps = gain[:, HOP // 2 :: HOP].log().diff(dim=1)
    assert steps[:, 10:-10].abs().max() < 0.03


def test_silence_and_nonsense_come_out_finite(features):
    silence = torch.zeros(1, 20 * HOP)
    level = features.level(silence)[:, :-1]
    assert torch.equal(follow_level(silence, level, features.window, HOP), silence)
    followed = follow_level(_sound(20), torch.full((2, 20), 1e6), features.window, HOP)
    assert torch.isfinite(followed).all()
    assert (followed / _sound(20)).max() == pytest.approx(math.exp(MAX_CORRECTION), rel=1e-3)
