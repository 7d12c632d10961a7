"""How far up a sound reaches: a recording ends where its rate ends, and noise of rounding is no sound."""

import numpy as np
import pytest
import soundfile
import soxr

from sda.data.bandwidth import FRAME_SAMPLES, Spectrometer
from sda.data.cache import SoundCache
from sda.data.scan import scan_file
from tests.conftest import RATE_HZ
from tests.data.sweeps import make_sweep


@pytest.mark.parametrize(
    ("rate_hz", "kept_hz", "edge_hz"),
    [(8000, 48000, 4000), (16000, 48000, 8000), (16000, 16000, 8000), (48000, 16000, 8000), (48000, 48000, 24000)],
)
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_a_recording_ends_where_its_rate_ends(tmp_path, rate_hz, kept_hz, edge_hz, subtype):
    for name, samples, written_hz in (
        ("plain.wav", make_sweep(2.0, rate_hz), rate_hz),
        ("upsampled.wav", soxr.resample(make_sweep(2.0, rate_hz), rate_hz, 48000), 48000),
        ("quiet.wav", 0.05 * soxr.resample(make_sweep(2.0, rate_hz), rate_hz, 48000), 48000),
    ):
        soundfile.write(tmp_path / name, samples, written_hz, subtype=subtype)
        file, _ = scan_file(tmp_path / name, cache=SoundCache(sample_rate_hz=kept_hz))
        assert 0.93 * edge_hz <= file.measured.bandwidth_hz <= 1.01 * edge_hz, name


def test_noise_of_rounding_is_no_sound_and_weak_sound_is_no_noise(tmp_path):
    low = soxr.resample(make_sweep(2.0, 8000), 8000, 48000)
    hiss = 10 ** (-60 / 20) * np.random.default_rng(1).standard_normal(len(low))
    dither = np.random.default_rng(2).uniform(-0.5, 0.5, (2, len(low))).sum(axis=0) / 2**15
    for name, samples, reaches in (("dithered.wav", 0.05 * low + dither, 4000), ("hissing.wav", low + hiss, 24000)):
        soundfile.write(tmp_path / name, samples, 48000, subtype="PCM_16")
        assert scan_file(tmp_path / name)[0].measured.bandwidth_hz == pytest.approx(reaches, rel=0.05)


def _find_edge_hz(sound, n_block=10_000, **file):
    spectrometer = Spectrometer(RATE_HZ)
    for first in range(0, len(sound), n_block):
        spectrometer.add(sound[first : first + n_block].astype(np.float32))
    return spectrometer.find_edge_hz(**file)


def test_the_edge_does_not_depend_on_how_the_sound_is_cut():
    edges = [_find_edge_hz(make_sweep(), n_block) for n_block in (1000, FRAME_SAMPLES, 10**6)]
    assert edges == [edges[0]] * 3


@pytest.mark.parametrize("n_samples", [FRAME_SAMPLES // 2, 4 * FRAME_SAMPLES])
def test_above_a_low_sound_there_is_nothing(n_samples):
    low = 0.3 * np.sin(2 * np.pi * 500 * np.arange(n_samples) / RATE_HZ) * np.hanning(n_samples)
    assert 500 < _find_edge_hz(low) < 1000


def test_silence_reaches_nowhere():
    assert _find_edge_hz(np.zeros(10_000)) == 0.0
    assert _find_edge_hz(np.zeros(0)) == 0.0
    rounding = np.random.default_rng(0).uniform(-0.5, 0.5, 100_000) / 2**15
    assert _find_edge_hz(rounding, encoding="PCM_16", file_rate_hz=RATE_HZ) == 0.0
    assert _find_edge_hz(rounding) > 7000
