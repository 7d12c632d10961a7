import json

import pytest
import torch

from sda.audio.mel import LogMel
from sda.evaluation.patches import PatchFeatures
from sda.evaluation.search import find_nearest
from sda.evaluation.sounds import Sound, list_windows
from sda.generation.provenance import Provenance
from sda.generation.spectral_synthesizer import SpectralSynthesizer
from sda.generation.synthesizer import TrainingSound, note_sources
from sda.models.priors.prior import Drawn, Manner, join
from sda.models.spectral_vae import SpectralVAE

RATE_HZ = 16000
HOP_S = 0.032


def _drawn(shares, places):
    return Drawn(torch.zeros(2, len(places)), torch.tensor(shares), torch.tensor(places))


@pytest.mark.parametrize("n_block", [1, 7, 100])
def test_every_stretch_has_its_sources_however_it_was_drawn(n_block):
    provenance = Provenance(["a.wav", "b.wav"], 0.1)
    shares = [[1.0, 0.0]] * 5 + [[0.25, 0.75]] * 5 + [[0.01, 0.99]] * 2
    places = [*range(20, 25), *range(40, 45), 50, 51]
    for first in range(0, 12, n_block):
        provenance.add(_drawn(shares[first : first + n_block], places[first : first + n_block]))
    told = provenance.describe()
    assert json.loads(json.dumps(told)) == told
    assert told["shares"] == {"b.wav": pytest.approx(0.4775, abs=1e-4), "a.wav": pytest.approx(0.5225, abs=1e-4)}
    assert list(told["shares"]) == ["a.wav", "b.wav"], "the largest first"
    assert told["stretches"] == [
        {"start_s": 0.0, "end_s": 0.5, "sources": [{"recording": "a.wav", "share": 1.0, "at_s": 2.0}]},
        {
            "start_s": 0.5,
            "end_s": 1.0,
            "sources": [
                {"recording": "b.wav", "share": 0.75, "at_s": 4.0},
                {"recording": "a.wav", "share": 0.25},
            ],
        },
        {"start_s": 1.0, "end_s": 1.2, "sources": [{"recording": "b.wav", "share": 0.99, "at_s": 5.0}]},
    ]


def test_where_no_recording_has_a_share_worth_telling_the_largest_is_told():
    provenance = Provenance([f"{number}.wav" for number in range(80)], 0.1)
    shares = [[1 / 81] * 79 + [2 / 81]] * 5
    provenance.add(_drawn(shares, [*range(5)]))
    (stretch,) = provenance.describe()["stretches"]
    assert stretch["sources"] == [{"recording": "79.wav", "share": pytest.approx(2 / 81, abs=1e-4), "at_s": 0.0}]


def test_of_a_prior_that_knows_no_sources_nothing_is_said():
    provenance = Provenance(["a.wav"], 0.1)
    provenance.add(Drawn(torch.zeros(2, 9), torch.zeros(9, 0), torch.full((9,), -1)))
    assert provenance.describe() == {}


@pytest.fixture(scope="module")
def recordings():
    """Noise of its own colour and rhythm in each."""
    torch.manual_seed(0)
    time_s = torch.arange(3 * RATE_HZ) / RATE_HZ
    sounds = []
    for number in range(5):
        noise = torch.randn(3 * RATE_HZ)
        bursts = (torch.sin(2 * torch.pi * (2.3 + 0.9 * number) * time_s + 3.0 * time_s.square()) > 0.2) + 0.05
        tone = torch.sin(2 * torch.pi * 300 * (1 + number) * time_s * (1 + 0.1 * torch.sin(2 * time_s)))
        sounds.append(0.2 * bursts * (0.3 * noise + tone))
    return sounds


@pytest.fixture(scope="module")
def synthesizer(recordings):
    features = LogMel(RATE_HZ, n_fft=512, hop_length=128, n_mels=32)
    torch.manual_seed(0)
    model = SpectralVAE(features=features, latent_dim=20, channels=16, n_decoder_blocks=2)
    model.fit([features.extract(sound.unfold(0, 8000, 8000)) for sound in recordings])
    synthesizer = SpectralSynthesizer(model.eval(), features)
    synthesizer.fit([TrainingSound(f"{number}.wav", sound) for number, sound in enumerate(recordings)])
    return synthesizer


def test_the_replay_search_finds_what_provenance_says(synthesizer, recordings):
    """In sound that follows one recording at a time, the nearest training sound is the one that it was made of."""
    synthesizer.manner = Manner(novelty=0.0)
    training = [Sound(f"{number}.wav", sound) for number, sound in enumerate(recordings)]
    search = PatchFeatures(RATE_HZ).fit(training)
    found, told, places = [], [], []
    n_window = RATE_HZ // 2
    for seed in range(16):
        stretches = list(synthesizer.sample_stretches(synthesizer.count_points(2 * RATE_HZ), seed))
        drawn = join(stretches)
        sound = synthesizer.decode(torch.cat(list(note_sources(stretches)), dim=1), 2 * RATE_HZ)
        windows = list_windows([Sound("new", sound)], n_window, n_window)
        clips = torch.stack([sound[window.start : window.start + n_window] for window in windows])
        (matches,) = find_nearest([search.patches(clips)], training, search)
        for number, window in enumerate(windows):
            first = window.start // synthesizer.hop_samples
            points = slice(first, first + n_window // synthesizer.hop_samples)
            share = drawn.shares[points].mean(dim=0)
            if share.max() > 0.9:
                source = int(share.argmax())
                found.append(int(matches.correlation[number].argmax()))
                told.append(source)
                offsets = drawn.places[points] - torch.arange(points.stop - points.start)
                usual = int(offsets.mode().values)
                if (offsets == usual).float().mean() > 0.6:  # most of it goes on as it does in the recording
                    place_s = usual * synthesizer.hop_samples / RATE_HZ
                    places.append(abs(float(matches.start_s[number, source]) - place_s))
    assert len(told) > 12
    agreed = [one == other for one, other in zip(found, told, strict=True)]
    assert sum(agreed) > 0.8 * len(agreed)
    assert len(places) > 4
    assert sorted(places)[len(places) // 2] < 0.1, "and at the place that it names"
