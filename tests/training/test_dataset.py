import torch

from sda.training.dataset import create_data_loaders
from tests.conftest import RATE_HZ
from tests.training.chunks import make_config


def test_loaders_split_by_file_and_augment_only_training(make_sounds):
    files = sorted(make_sounds(10).iterdir())

    def marked(waveform):
        return torch.full_like(waveform, 9.0)

    train, val = create_data_loaders(files, make_config(), marked, sample_rate=RATE_HZ)
    train_files = {chunk.path for chunk in train.dataset.chunks}
    val_files = {chunk.path for chunk in val.dataset.chunks}
    assert len(val_files) == 3
    assert not train_files & val_files
    assert any((batch == 9.0).any() for batch in train)
    assert not any((batch == 9.0).any() for batch in val)
    again = create_data_loaders(files, make_config(), sample_rate=RATE_HZ)[1]
    assert {chunk.path for chunk in again.dataset.chunks} == val_files


def test_identical_files_stay_on_one_side(make_sounds):
    root = make_sounds(4)
    for index in range(4):
        (root / f"copy_{index}.wav").write_bytes((root / f"tone_{index:03d}.wav").read_bytes())
    train, val = create_data_loaders(sorted(root.iterdir()), make_config(), sample_rate=RATE_HZ)
    names = [{chunk.path[-7:] for chunk in loader.dataset.chunks} for loader in (train, val)]
    assert not {name[-5] for name in names[0]} & {name[-5] for name in names[1]}
