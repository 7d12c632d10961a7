import torch

from sda.app.builders import compute_fixed_chunks, number_files
from sda.audio.mel import LogMel
from sda.training.dataset import AudioTrainingDataset
from tests.conftest import RATE_HZ


def test_every_judged_chunk_has_the_number_of_its_file(make_sounds):
    files = sorted(make_sounds(5).iterdir())
    features = LogMel(RATE_HZ, n_fft=512, hop_length=128, n_mels=32)
    train, val = (AudioTrainingDataset(paths, RATE_HZ // 4, RATE_HZ) for paths in (files[:3], files[3:]))
    fixed = compute_fixed_chunks(train, val, features, torch.device("cpu"))
    for dataset, batches, blocks in (
        (train, fixed.probe, fixed.probe_blocks),
        (val, fixed.held_out, fixed.held_out_blocks),
    ):
        paths = list(dict.fromkeys(chunk.path for chunk in dataset.chunks))
        known = {}
        for index in dataset.judged:
            known[features(dataset.grid_chunk(index))[0].numpy().tobytes()] = dataset.chunks[index].path
        told = [paths[block] for block in blocks]
        assert told == [known[chunk.numpy().tobytes()] for batch in batches for chunk in batch.log_mel]
        assert set(told) == set(paths)


def test_files_are_numbered_by_the_dataset_and_not_by_what_is_chosen(make_sounds):
    dataset = AudioTrainingDataset(sorted(make_sounds(3).iterdir()), RATE_HZ // 4, RATE_HZ)
    assert number_files(dataset, [dataset.n_chunks - 1, 0]) == [2, 0]
