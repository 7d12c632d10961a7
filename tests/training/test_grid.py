"""The grid of chunks: how many a file has, and which are worth training on and judging by."""

import math

import numpy as np
import pytest
import soundfile

from sda.data.split import Segment
from sda.training.dataset import AudioTrainingDataset
from tests.conftest import RATE_HZ
from tests.training.chunks import make_dataset

pytestmark = pytest.mark.usefixtures("keep_constant_voltage")


def test_chunks_that_are_mostly_padding_are_not_judged(tmp_path):
    paths = []
    for index, n_samples in enumerate((300, 1499, 1500)):
        paths.append(tmp_path / f"{index}.wav")
        soundfile.write(paths[-1], np.full(n_samples, 0.1), RATE_HZ)
    dataset = make_dataset(paths)
    assert [dataset.chunks[index][:2] for index in dataset.judged] == [
        (str(paths[0]), 0),  # short, but all there is of its file
        (str(paths[1]), 0),
        (str(paths[2]), 0),
        (str(paths[2]), 1000),
    ]


@pytest.mark.parametrize("rate_hz", [8000, 44100, 48000])
def test_the_index_holds_at_any_rate(tmp_path, rate_hz):
    soundfile.write(tmp_path / "a.wav", np.full(round(2.5 * rate_hz), 0.1), rate_hz)
    dataset = AudioTrainingDataset([tmp_path / "a.wav"], 48000, 48000)
    n_samples = len(dataset.corpus.get(str(tmp_path / "a.wav")))
    assert len(dataset) == math.ceil(n_samples / 48000) == 3


def test_silence_is_thinned_out_and_not_judged(hits):
    dataset = make_dataset(hits[3:], extra_visits=2)
    assert dataset.n_chunks == 40
    assert [chunk for chunk in dataset.visited if chunk not in range(3, 23)] == [2, 23, 24]
    assert len(dataset.visited) == 4, "one of the silent ones between the two sounds"
    assert dataset.judged == [2, 23]
    assert dataset.items == [visit * 40 + chunk for visit in range(3) for chunk in dataset.visited]


def test_what_a_resampler_rings_with_is_no_chunk_of_sound(tmp_path):
    """The file ends where a chunk does; with zeros behind it, a few samples ring on into the next."""
    sound = 0.5 * np.sin(np.arange(22050) / 3.0)
    visited = []
    for name, waveform in (("plain", sound), ("longer", np.concatenate([sound, np.zeros(5000)]))):
        soundfile.write(tmp_path / f"{name}.wav", waveform, 22050, subtype="FLOAT")
        dataset = AudioTrainingDataset([tmp_path / f"{name}.wav"], chunk_samples=1000, sample_rate=16000)
        visited.append([dataset.chunks[number][1:] for number in dataset.visited])
    assert visited[0] == visited[1]
    assert len(visited[0]) == 16


def test_a_piece_of_silence_alone_is_visited_as_it_is(hits):
    dataset = make_dataset([Segment(str(hits[3]), 5000 / RATE_HZ, 7500 / RATE_HZ)])
    assert dataset.visited == [0, 1, 2]
    assert dataset.judged == [0]
