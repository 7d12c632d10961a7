"""What is given from Python, as sound that is read and mixed as files are."""

import os

from numpy.typing import ArrayLike
from torch import Tensor

from sda.api.sound import Sound
from sda.audio.given import GivenSound, give_file, give_samples

GivenPath = str | os.PathLike[str]
AnySound = GivenPath | Sound | ArrayLike | Tensor
"""A file, a sound that was made, or samples `[T]` or `[channels, T]`, whose rate is given beside them."""


def give(name: str, sound: AnySound, sample_rate_hz: int | None) -> GivenSound:
    """A path, a `Sound`, or samples `[T]` or `[channels, T]` of NumPy's or torch's, as given sound.

    Channels are mixed and rates converted as those of files are: `sda.audio.io.load_audio` says how.

    Args:
        name: of the argument, for errors and for what is told of sources.
        sample_rate_hz: of samples; a file and a `Sound` say their own.

    Raises:
        DataError: there is no such file, or the samples are none of sound.
    """
    if isinstance(sound, str | os.PathLike):
        return give_file(name, sound)
    if isinstance(sound, Sound):
        return give_samples(name, sound.waveform, sound.sample_rate_hz)
    samples = sound.detach().cpu().numpy() if isinstance(sound, Tensor) else sound
    return give_samples(name, samples, sample_rate_hz)
