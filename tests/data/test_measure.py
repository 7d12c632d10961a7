"""What is said of a file is true of what is kept of it: levels, silence, bandwidth, and why it is left out."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from sda.audio.io import load_audio
from sda.data.cache import SoundCache
from sda.data.measure import CLIPPED, LevelMeter, Measured
from sda.data.scan import scan_file
from tests.conftest import RATE_HZ
from tests.data.sweeps import make_sweep

X = make_sweep()
NOTHING = np.zeros_like(X)
LEVEL_DBFS = 10 * np.log10(np.square(X).mean())


def _measure(path: Path, *channels: np.ndarray, rate_hz: int = RATE_HZ, kept_hz: int = RATE_HZ) -> Measured:
    """Write a file, scan it, and see to it that what is kept is what was measured, however it is asked for."""
    soundfile.write(path, np.stack(channels, axis=1), rate_hz, subtype="FLOAT")
    cache = SoundCache(sample_rate_hz=kept_hz)
    file, _ = scan_file(path, silence_dbfs=-200.0, cache=cache)
    kept = cache.open_waveform(file.sha256)
    np.testing.assert_array_equal(kept, load_audio(path, kept_hz))
    assert file.measured.peak == pytest.approx(np.abs(kept).max())
    assert scan_file(path, silence_dbfs=-200.0, cache=cache)[0] == file
    return file.measured


LEVELS = {
    "mono": ([X], 0.0, ""),
    "equal channels": ([X, X], 0.0, ""),
    "out of phase": ([X, -X], 0.0, "1"),
    "out of phase, right louder": ([-0.5 * X, 0.6 * X], 20 * np.log10(0.6), "2"),
    "AmbiX from behind": ([X, NOTHING, NOTHING, -X], 0.0, "1"),
    "AmbiX of third order from behind": ([X, NOTHING, NOTHING, -X, *[NOTHING] * 8, X, *[NOTHING] * 2, -X], 0.0, "1"),
    "right is dead": ([X, NOTHING], 0.0, "1"),
    "right is constant": ([X, NOTHING - 0.3], 0.0, "1"),
    "surround with silent channels": ([X, X, NOTHING, NOTHING, X, X], 0.0, "1, 2, 5, 6"),
    "on an offset": ([X + 0.45], 0.0, ""),
    "offsets that cancel": ([X + 0.45, X - 0.45], 0.0, ""),
    "very quiet": ([X * 0.001], -60.0, ""),
    "quiet on an offset": ([0.01 * X + 0.45], -40.0, ""),
}


@pytest.mark.parametrize("name", LEVELS)
def test_the_level_is_that_of_what_is_kept(tmp_path, name):
    channels, gain_db, kept = LEVELS[name]
    measured = _measure(tmp_path / "a.wav", *channels)
    assert measured.level_dbfs == pytest.approx(LEVEL_DBFS + gain_db, abs=0.05)
    assert measured.channels_kept == kept
    assert measured.quiet_fraction == 0.0
    assert measured.offset_removed == ("on an offset" in name)
    assert measured.n_channels == len(channels)


def test_clipping_is_told_of_the_files_own_samples(tmp_path):
    """Averaged with another channel, or moved by an offset, a clipped sample is below full scale."""
    clipped = np.clip(5 * X, -1, 1)
    share = float((np.abs(clipped) >= CLIPPED).mean())
    assert _measure(tmp_path / "a.wav", clipped).clipped_fraction == pytest.approx(share)
    assert _measure(tmp_path / "b.wav", clipped, 0.1 * X).clipped_fraction == pytest.approx(share / 2)
    assert _measure(tmp_path / "c.wav", np.clip(0.5 * X + 0.95, -1, 1)).clipped_fraction > 0.3


def test_silence_counts_from_the_loudest_window(tmp_path):
    half = np.where(np.arange(len(X)) < len(X) / 2, X, 1e-4 * X)  # 80 dB weaker in its second half
    loud = _measure(tmp_path / "a.wav", half)
    quiet = _measure(tmp_path / "b.wav", 10 ** (-30 / 20) * half)
    assert loud.quiet_fraction == pytest.approx(0.5, abs=0.01)
    assert quiet.quiet_fraction == loud.quiet_fraction
    assert quiet.level_dbfs == pytest.approx(loud.level_dbfs - 30, abs=1e-3)
    assert loud.level_dbfs == pytest.approx(LEVEL_DBFS, abs=0.2)
    assert _measure(tmp_path / "c.wav", half + 0.2).quiet_fraction == pytest.approx(0.5, abs=0.02)


def test_levels_do_not_depend_on_how_the_sound_is_cut():
    whole, pieces = LevelMeter(RATE_HZ), LevelMeter(RATE_HZ)
    whole.add(X.astype(np.float32))
    for piece in np.split(X.astype(np.float32), [1, 100, 100, 7000]):
        pieces.add(piece)
    assert pieces.finish() == whole.finish()


@pytest.mark.parametrize("n_samples", [1, 5, 320, 321, 1700])
def test_a_sound_of_any_length_has_a_level(n_samples):
    meter = LevelMeter(RATE_HZ)
    meter.add(np.resize(np.array([0.5, -0.5], np.float32), n_samples))
    level_dbfs, quiet_fraction = meter.finish()
    if n_samples > 1:
        assert level_dbfs == pytest.approx(-6.02, abs=0.2)
        assert quiet_fraction == 0.0


REASONS = {
    "digital silence": (NOTHING, RATE_HZ, "silent: it never exceeds -80 dBFS"),
    "constant": (NOTHING + 0.4, RATE_HZ, "constant voltage (DC) of +0.4 without any sound"),
    "constant at another rate": (NOTHING - 0.25, 44100, "constant voltage (DC) of -0.25 without any sound"),
    "constant with the noise of rounding": (
        np.round(NOTHING + 0.4 + np.random.default_rng(0).uniform(-1, 1, len(X)) / 2**15, 5),
        RATE_HZ,
        "constant voltage (DC) of +0.4 without any sound",
    ),
    "bats alone": (
        0.3 * np.sin(2 * np.pi * 40000 * np.arange(192000) / 192000) * np.hanning(192000),
        192000,
        "silent below 8 kHz: its sound is higher; raise audio.sample_rate_hz, up to 192000",
    ),
}


@pytest.mark.parametrize("name", REASONS)
def test_what_has_no_sound_is_left_out_for_what_it_is(tmp_path, name):
    samples, rate_hz, reason = REASONS[name]
    for n_channels in (1, 2):
        soundfile.write(tmp_path / "a.wav", np.stack([samples] * n_channels, axis=1), rate_hz, subtype="PCM_24")
        file, _ = scan_file(tmp_path / "a.wav", cache=SoundCache(sample_rate_hz=RATE_HZ))
        assert file.reason.startswith(reason)


def test_a_rate_that_loses_the_sound_is_told_and_another_is_another_record(tmp_path):
    time_s = np.arange(96000) / 96000
    bat = 0.3 * np.sin(2 * np.pi * 30000 * time_s) * np.hanning(96000) + 0.001 * np.sin(2 * np.pi * 1000 * time_s)
    low = _measure(tmp_path / "a.wav", bat, rate_hz=96000, kept_hz=16000)
    whole = _measure(tmp_path / "a.wav", bat, rate_hz=96000, kept_hz=96000)
    assert low.level_dbfs == pytest.approx(-63, abs=0.1)
    assert low.rate_loss_db == pytest.approx(20 * np.log10(300 * np.sqrt(3 / 8)), abs=0.2)
    assert whole.rate_loss_db == 0.0
    assert whole.level_dbfs > -20
    assert scan_file(tmp_path / "a.wav", cache=SoundCache(sample_rate_hz=16000))[0].measured == low


@pytest.mark.parametrize("block_samples", [1000, 1 << 19])
def test_the_choice_holds_for_the_whole_file_however_it_is_read(tmp_path, monkeypatch, block_samples):
    """In phase in its first half, cancelling in its second and far louder there: one channel from end to end."""
    monkeypatch.setattr("sda.audio.io.BLOCK_SAMPLES", block_samples)
    late = np.arange(len(X)) > len(X) / 2
    measured = _measure(tmp_path / "a.wav", np.where(late, X, 0.01 * X), np.where(late, -X, 0.01 * X))
    assert measured.channels_kept == "1"
    assert measured.mix_loss_db == pytest.approx(40, abs=0.1)


def test_no_waveform_of_a_mix_that_is_not_kept_stays_in_the_cache(tmp_path):
    _measure(tmp_path / "a.wav", X, -X)
    assert len(list((SoundCache().folder / "waveforms").iterdir())) == 2  # the waveform and its notes
