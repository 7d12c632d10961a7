"""The chunks that every epoch is validated on, and those that statistics are fitted to."""

import torch

from sda.audio.augmentation import Augmentation
from sda.audio.mel import LogMel
from sda.training.dataset import AudioTrainingDataset
from sda.training.fixed_chunks import compute_fixed_chunks, extract_varied, gather
from tests.conftest import RATE_HZ


def test_every_judged_chunk_has_the_number_of_its_file(make_sounds):
    files = sorted(make_sounds(5).iterdir())
    features = LogMel(RATE_HZ, n_fft=512, hop_length=128, n_mels=32)
    train, val = (AudioTrainingDataset(paths, RATE_HZ // 4, RATE_HZ) for paths in (files[:3], files[3:]))
    fixed = compute_fixed_chunks(train, val, features, torch.device("cpu"))
    for dataset, chunks in ((train, fixed.train_eval), (val, fixed.held_out)):
        paths = list(dict.fromkeys(chunk.path for chunk in dataset.chunks))
        known = {}
        for index in dataset.judged:
            known[features(dataset.grid_chunk(index))[0].numpy().tobytes()] = dataset.chunks[index].path
        told = [paths[block] for block in chunks.blocks]
        assert told == [known[chunk.numpy().tobytes()] for batch in chunks.batches for chunk in batch.log_mel]
        assert set(told) == set(paths)


def test_chunks_are_varied_before_training_as_in_training(make_sounds):
    files = sorted(make_sounds(3).iterdir())
    features = LogMel(RATE_HZ, n_fft=512, hop_length=128, n_mels=32)
    train = AudioTrainingDataset(files, RATE_HZ // 4, RATE_HZ, Augmentation(probability=1.0), extra_visits=3)
    varied = [item for batch in extract_varied(train, features, torch.device("cpu")) for item in batch.log_mel]
    assert len(varied) == 2 * len(train.judged)
    again = [item for batch in extract_varied(train, features, torch.device("cpu")) for item in batch.log_mel]
    assert all(torch.equal(one, other) for one, other in zip(varied, again, strict=True))
    plain = [features(train.grid_chunk(index))[0] for index in train.judged]
    assert not any(torch.equal(one, other) for one in varied for other in plain)
    train.extra_visits = 0
    assert list(extract_varied(train, features, torch.device("cpu"))) == []


def test_batches_that_are_gathered_are_the_same_in_one_piece():
    features = LogMel(16000, 512, 128, 32)
    batches = [features.extract(torch.randn(n, 4000), torch.tensor([[0, 3000]]).expand(n, -1)) for n in (3, 3, 1)]
    gathered = gather(iter(batches), 7)
    for ours, theirs in zip(gathered, batches, strict=True):
        for mine, other in zip(ours, theirs, strict=True):
            assert torch.equal(mine, other)
    for values in zip(*gathered, strict=True):
        assert len({one.untyped_storage().data_ptr() for one in values}) == 1
    assert gather(iter([]), 0) == []
