"""The synthesizer of a network that draws spectrograms: the chunks of a long sound leave no trace, none is missing."""

import torch

from sda.generation.mel_synthesizer import MelSynthesizer


def test_the_chunks_of_a_mel_model_leave_no_trace_either(mel_synthesizer, sound):
    whole = MelSynthesizer(mel_synthesizer.model, mel_synthesizer.features, stretch_points=10_000)
    cut = MelSynthesizer(mel_synthesizer.model, mel_synthesizer.features, stretch_points=4)
    path = cut.encode(sound)
    assert path.shape[1] > 3 * cut.stretch_points
    torch.testing.assert_close(path, whole.encode(sound), atol=1e-5, rtol=1e-4)
    rendered, expected = (synthesizer.decode(path, len(sound)) for synthesizer in (cut, whole))
    # Griffin-Lim makes a rounding of spectrograms larger where there is next to no sound.
    assert (rendered - expected).square().sum() < 1e-3 * expected.square().sum()


def test_points_lie_half_a_chunk_apart_and_the_last_chunk_reaches_the_end(mel_synthesizer):
    n_chunk = (mel_synthesizer.model.n_frames - 1) * mel_synthesizer.features.hop_length
    hop = mel_synthesizer.hop_samples
    assert [mel_synthesizer.count_points(n) for n in (1, n_chunk, n_chunk + hop, n_chunk + hop + 128)] == [1, 1, 2, 3]
    assert 2 * hop <= n_chunk + mel_synthesizer.features.hop_length
