import math

import torch

from sda.evaluation.control_likeness import CorpusLikeness, LikenessAlong
from sda.evaluation.sounds import Sound

RATE_HZ = 16000


def _hiss(number, tilt=0.0):
    """Two seconds of noise; the more it is tilted, the duller it is."""
    white = torch.randn(2 * RATE_HZ, generator=torch.Generator().manual_seed(number))
    spectrum = torch.fft.rfft(white) / (1.0 + torch.arange(RATE_HZ + 1)) ** tilt
    sound = torch.fft.irfft(spectrum)
    return 0.1 * sound / sound.square().mean().sqrt()


def test_what_sounds_otherwise_is_farther_from_the_corpus_and_what_is_louder_is_not():
    likeness = CorpusLikeness([Sound(str(number), _hiss(number)) for number in range(6)], RATE_HZ)
    same, dull = ([_hiss(number, tilt) for number in range(10, 14)] for tilt in (0.0, 1.0))
    assert abs(likeness(same)) < 0.2
    assert likeness(dull) > likeness(same) + 0.3
    assert math.isclose(likeness([0.1 * sound for sound in same]), likeness(same), abs_tol=1e-3)


def test_one_sound_or_silence_alone_is_not_measured():
    one = [Sound("a", _hiss(1))]
    assert math.isnan(CorpusLikeness(one, RATE_HZ)([_hiss(2), _hiss(3)]))
    assert math.isnan(CorpusLikeness([*one, Sound("b", _hiss(4))], RATE_HZ)([_hiss(2), torch.zeros(RATE_HZ)]))
    assert math.isnan(LikenessAlong().rest)
