"""A stream gives what the whole gives, late by what it says, whatever blocks it is given."""

import pytest
import torch

from sda.export.streams import (
    Listener,
    Speaker,
    find_rest,
    freeze_hearing,
    freeze_speaking,
    see_latents,
    see_sound,
)
from sda.generation.spectral_synthesizer import SpectralSynthesizer
from tests.export.nn_models import HOP, build_synthesizer, make_noise

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def synthesizer():
    return build_synthesizer()


@pytest.fixture(scope="module")
def latent_by_latent(synthesizer):
    """The same, which computes a latent at a time with what lies around it, as a stream does."""
    return SpectralSynthesizer(synthesizer.model, synthesizer.features, synthesizer.prior, stretch_points=1)


def listen(synthesizer, lookahead=None, gain=1.0):
    view = see_sound(synthesizer.model, lookahead)
    return Listener(
        freeze_hearing(synthesizer.model, synthesizer.features, view), synthesizer.model, view=view, gain=gain
    )


def speak(synthesizer, lookahead=None, gain=1.0):
    model, view = synthesizer.model, see_latents(synthesizer.model, lookahead)
    rest = find_rest(model, synthesizer.features)
    return Speaker(freeze_speaking(model, view), model, view=view, rest=rest, gain=gain)


@torch.no_grad()
def play(speaker, path, seed=3):
    return speaker(path[None], torch.zeros(1, path.shape[1]), 0.0, seed)[0]


def test_latents_are_those_of_the_whole_sound(synthesizer, latent_by_latent):
    sound, listener = make_noise(40 * HOP), listen(synthesizer)
    lead = 20
    heard = latent_by_latent.encode(torch.cat([torch.zeros(lead * HOP), sound]))
    streamed = listener(sound[None])[0]
    assert streamed.shape == (8, 40)
    assert torch.equal(streamed, heard[:, lead - listener.delay :][:, :40])
    whole = synthesizer.encode(torch.cat([torch.zeros(lead * HOP), sound]))
    # Products of larger matrices are summed in another order.
    torch.testing.assert_close(streamed, whole[:, lead - listener.delay :][:, :40], atol=1e-5, rtol=1e-5)


def test_sound_is_that_of_the_whole_path_with_its_noise(synthesizer, latent_by_latent):
    path, speaker = synthesizer.sample(30, 1), speak(synthesizer)
    view = see_latents(synthesizer.model)
    lead = find_rest(synthesizer.model, synthesizer.features)[:, None].expand(-1, view.width)
    after = torch.cat([lead, path], dim=1)
    streamed = play(speaker, path)
    begin = (1 + view.before) * HOP
    preview = latent_by_latent.decode(after, after.shape[1] * HOP, 3)[begin:][: len(streamed)]
    assert torch.equal(streamed, preview)
    whole = synthesizer.decode(after, after.shape[1] * HOP, 3)[begin:][: len(streamed)]
    torch.testing.assert_close(streamed, whole, atol=1e-6, rtol=1e-5)
    own = synthesizer.decode(path, 30 * HOP, None)
    late = streamed[speaker.delay * HOP :]
    assert torch.corrcoef(torch.stack([late, own[: len(late)]]))[0, 1] > 0.3, "the delay is what it says"


def test_blocks_leave_no_trace(synthesizer):
    sound = make_noise(16 * HOP)
    whole = listen(synthesizer)(sound[None])
    listener = listen(synthesizer)
    pieces = [listener(block[None]) for block in torch.split(sound, 700)]
    assert torch.equal(torch.cat(pieces, dim=2), whole)
    path, speaker = synthesizer.sample(12, 1), speak(synthesizer)
    blocks = [play(speaker, block) for block in torch.split(path, 5, dim=1)]
    assert torch.equal(torch.cat(blocks), play(speak(synthesizer), path))


def test_sounds_side_by_side_are_those_alone_and_have_noise_of_their_own(synthesizer):
    sounds = torch.stack([make_noise(16 * HOP, seed) for seed in (1, 2)])
    both = listen(synthesizer)(sounds)
    assert torch.equal(both[1:], listen(synthesizer)(sounds[1:]))
    paths = torch.stack([synthesizer.sample(12, seed) for seed in (1, 2)])
    with torch.no_grad():
        spoken = speak(synthesizer)(paths, torch.zeros(2, 12), 0.0, 3)
    assert torch.equal(spoken[1], play(speak(synthesizer), paths[1], seed=4))


def test_looking_less_far_ahead_comes_out_sooner_and_nearly_the_same():
    synthesizer, errors = build_synthesizer(noise=False), []  # noise follows from the first latent that is seen
    path = synthesizer.sample(40, 1)
    full = speak(synthesizer)
    whole = play(full, path)[full.delay * HOP :]
    for lookahead in (0, 2, 6):
        speaker = speak(synthesizer, lookahead)
        assert speaker.delay == lookahead
        streamed = play(speaker, path)[lookahead * HOP :][: len(whole)]
        errors.append(float((streamed - whole).square().mean() / whole.square().mean()))
    assert errors[0] > 100 * errors[1] > 100 * errors[2]
    assert listen(synthesizer, 2).delay == 3, "a frame reaches beyond the samples of its latent"


def test_gain_is_taken_away_again(synthesizer):
    sound = make_noise(16 * HOP)
    assert torch.equal(listen(synthesizer, gain=0.5)(sound[None]), listen(synthesizer)(0.5 * sound[None]))
    path = synthesizer.sample(12, 1)
    assert torch.equal(play(speak(synthesizer, gain=2.0), path), 2.0 * play(speak(synthesizer), path))


def test_a_model_without_noise_plays_too():
    synthesizer = build_synthesizer(noise=False)
    path = synthesizer.sample(12, 1)
    assert torch.equal(play(speak(synthesizer), path, seed=1), play(speak(synthesizer), path, seed=2))
