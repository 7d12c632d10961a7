"""The waveforms that a run works on outlive their files, and are no others than were scanned."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from sda.audio.io import load_audio
from sda.audio.waveform import read_waveform
from sda.data.corpus import Corpus
from sda.data.scan import scan_folder
from sda.errors import DataError
from tests.conftest import RATE_HZ, tone


def test_a_corpus_outlives_its_files(root, cache):
    scan = scan_folder(root, cache=cache)
    corpus = Corpus(cache, {file.path: file.sha256 for file in scan.usable})
    path = scan.usable[0].path
    sound = load_audio(path, RATE_HZ)
    Path(path).unlink()
    np.testing.assert_array_equal(corpus.get(path).numpy(), sound)


def test_a_corpus_refuses_a_sound_that_is_not_the_one_scanned(root, cache):
    scan = scan_folder(root, cache=cache)
    path = scan.usable[0].path
    cache.clear()
    soundfile.write(path, tone(999, 1), RATE_HZ)
    with pytest.raises(DataError, match="has changed since it was scanned"):
        Corpus(cache, {path: scan.usable[0].sha256}).get(path)
    Path(path).unlink()
    with pytest.raises(DataError, match="unreadable"):
        Corpus(cache, {path: scan.usable[0].sha256}).get(path)


def test_what_lies_beyond_the_end_is_zero(root, cache):
    corpus, path = Corpus(cache), str(root / "tone_000.wav")
    whole = corpus.get(path)
    assert corpus.count_samples(path) == len(whole)
    read = corpus.read([(path, 100), (path, 100), (path, len(whole) - 10)], 50, [len(whole), 120, len(whole)])
    assert torch.equal(read[0], whole[100:150])
    assert torch.equal(read[1], torch.cat([whole[100:120], torch.zeros(30)]))
    assert torch.equal(read[2], torch.cat([whole[-10:], torch.zeros(40)]))


def test_all_waveforms_are_turned_up_and_what_is_kept_stays_as_it_was(root, cache):
    path = str(root / "tone_000.wav")
    plain, louder = Corpus(cache), Corpus(cache, gain_db=20.0)
    torch.testing.assert_close(read_waveform(louder.get(path)), 10.0 * plain.get(path))
    torch.testing.assert_close(louder.read([(path, 5)], 50, [100]), 10.0 * plain.read([(path, 5)], 50, [100]))


def test_another_process_opens_the_waveforms_by_itself(root, cache):
    corpus, path = Corpus(cache), str(root / "tone_000.wav")
    assert corpus.preload([path], torch.device("cpu"))
    sent = pickle.dumps(corpus)
    assert len(sent) < 1000, "no sound in it"
    assert torch.equal(pickle.loads(sent).get(path), corpus.get(path))
