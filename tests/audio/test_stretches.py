"""Long signals a stretch at a time."""

import pytest
import torch

from sda.audio.inversion import log_mel_to_stretches, log_mel_to_waveform
from sda.audio.mel import LogMel
from sda.audio.stretches import cut_stretches, extract_stretches


@pytest.fixture(scope="module")
def features():
    return LogMel(8000, n_fft=256, hop_length=128, n_mels=32)


def _split(signal, n_first, n_block):
    return [signal[..., :n_first], *torch.split(signal[..., n_first:], n_block, dim=-1)]


def _find_error(sound, whole):
    """Energy of the difference: Griffin-Lim makes a rounding larger where there is next to no sound."""
    return (sound - whole).square().sum() / whole.square().sum()


@pytest.mark.parametrize("n_block", [1, 7, 1000])
@pytest.mark.parametrize(("length", "before", "after"), [(10, 0, 0), (10, 3, 4), (4, 9, 1), (100, 5, 5)])
def test_stretches_are_cut_alike_however_the_blocks_come(n_block, length, before, after):
    signal = torch.arange(53)
    pieces = list(cut_stretches(_split(signal, 5, n_block), length, before, after))
    starts = range(0, 53, length)
    assert len(pieces) == len(starts)
    for (piece, place), start in zip(pieces, starts, strict=True):
        first = max(0, start - before)
        assert torch.equal(piece, signal[first : start + length + after])
        assert place == start - first


def test_of_what_is_cut_no_more_is_held_than_a_stretch_and_what_lies_around_it():
    taken = 0

    def draw():
        nonlocal taken
        for _ in range(1000):
            taken += 10
            yield torch.zeros(10)

    told = 0
    for piece, _ in cut_stretches(draw(), 25, 5, 5):
        assert len(piece) <= 35
        assert taken - told <= 25 + 5 + 10
        told += 25


@pytest.mark.parametrize("n_samples", [129, 250, 4000, 4095, 4096, 4097])
@pytest.mark.parametrize("context", [0, 3])
def test_a_sound_is_heard_in_stretches_as_it_is_heard_whole(features, n_samples, context):
    sound = torch.randn(n_samples)
    whole = features.extract(sound[None])
    log_mel, level = [], []
    for heard, start in extract_stretches(_split(sound, 77, 300), features, 8, context):
        log_mel.append(heard.log_mel[:, :, start : start + 8])
        level.append(heard.level[:, start : start + 8])
        assert heard.log_mel.shape[2] <= 8 + 2 * context
    torch.testing.assert_close(torch.cat(log_mel, dim=2), whole.log_mel, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(torch.cat(level, dim=1), whole.level, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("n_samples", [1, 60, 128])
def test_a_sound_shorter_than_half_a_frame_is_heard_as_it_is_heard_whole(features, n_samples):
    sound = torch.linspace(-0.5, 0.5, n_samples)
    ((heard, start),) = extract_stretches([sound], features, 100, 2)
    assert start == 0
    assert torch.equal(heard.log_mel, features.extract(sound[None]).log_mel)


def test_a_long_spectrogram_becomes_the_same_sound_in_stretches(features):
    """1300 frames are three stretches of 520."""
    log_mel = features(0.1 * torch.randn(1, 1299 * 128))[0]
    whole = log_mel_to_waveform(log_mel[None], features, log_mel.shape[1] * 128 - 1, seed=3)[0]
    stretches = list(log_mel_to_stretches(_split(log_mel, 100, 350), features, log_mel.shape[1], seed=3))
    assert len(stretches) == 3
    assert len(torch.cat(stretches)) == len(whole)
    assert _find_error(torch.cat(stretches), whole) < 1e-3


def test_without_what_lies_around_it_a_stretch_would_sound_otherwise(features):
    log_mel = features(0.1 * torch.randn(1, 1299 * 128))[0]
    whole = log_mel_to_waveform(log_mel[None], features, log_mel.shape[1] * 128 - 1)[0]
    left = log_mel_to_waveform(log_mel[None, :, :520], features, 520 * 128 - 1)[0]
    assert _find_error(left, whole[: len(left)]) > 0.1
