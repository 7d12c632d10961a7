"""Chunks of waveform to train on: where each begins and ends, how it is varied, and that a seed decides it all."""

import numpy as np
import pytest
import soundfile
import torch

from sda.audio.augmentation import Augmentation
from sda.data.split import Segment, Split
from sda.errors import DataError
from sda.training.chunk_dataset import number_files
from sda.training.dataset import AudioTrainingDataset, create_data_loaders
from tests.conftest import RATE_HZ
from tests.training.chunks import make_config, make_dataset

pytestmark = pytest.mark.usefixtures("keep_constant_voltage")


def test_chunks_have_one_size_whatever_the_file(ramps):
    dataset = make_dataset(ramps)
    assert len(dataset) == 1 + 1 + 3
    assert {tuple(dataset[index].shape) for index in range(len(dataset))} == {(1, 1000)}
    assert [chunk.start for chunk in dataset.chunks] == [0, 0, 0, 1000, 2000]
    assert dataset[0].dtype == torch.float32


def test_the_last_chunk_is_padded_with_zeros_and_nothing_else_is(ramps):
    dataset = make_dataset(ramps)
    assert (dataset[0][0, 700:] == 0).all()
    assert (dataset[0][0, :700] > 0).all()
    assert (dataset[4][0, 500:] == 0).all()
    assert (dataset[3] > 0).all()


def test_extra_visits_start_elsewhere_but_inside_the_file(ramps):
    dataset = make_dataset([ramps[2]], extra_visits=50)
    assert len(dataset) == 3 * 51
    extra = [dataset[index][0] for index in range(3, len(dataset))]
    assert all((chunk > 0).all() for chunk in extra)  # never padded: the file is longer than a chunk
    starts = {round((chunk[0].item() - 0.3) * 1e5) for chunk in extra}
    assert len(starts) > 60
    assert min(starts) == 0
    assert 1500 - 1000 // 16 <= max(starts) <= 1500  # about the last start that leaves a whole chunk


def test_a_few_samples_behind_a_sound_move_no_extra_visit(ramps, tmp_path):
    """A resampler may ring on for some; without a rule, they would be the latest place where a chunk starts."""
    longer = tmp_path / "longer.wav"
    soundfile.write(longer, 0.3 + np.arange(2505) / 1e5, RATE_HZ, subtype="FLOAT")
    first, again = (make_dataset([path], extra_visits=50) for path in (ramps[2], longer))
    assert all(torch.equal(first[index], again[index]) for index in range(first.n_chunks, len(first)))


def test_items_depend_on_seed_epoch_and_index_alone(ramps):
    first, again = (make_dataset(ramps, extra_visits=3, augmentation_pipeline=Augmentation(), seed=5) for _ in range(2))
    backwards = {index: again[index] for index in reversed(range(len(again)))}
    assert all(torch.equal(first[index], backwards[index]) for index in range(len(first)))
    first.set_epoch(1)
    assert any(not torch.equal(first[index], backwards[index]) for index in range(len(first)))


def test_augmentation_happens_half_of_the_time(ramps):
    dataset = make_dataset([ramps[2]], extra_visits=400, augmentation_pipeline=lambda waveform: -waveform)
    share = np.mean([(dataset[index] <= 0).all().item() for index in range(len(dataset))])
    assert share == pytest.approx(0.5, abs=0.05)  # 1203 draws: three deviations are 0.043


def test_a_change_of_speed_adds_no_silence(ramps):
    pipeline = Augmentation(probability=1.0, gain_db=0, polarity_probability=0, tilt_probability=0, phase_probability=0)
    dataset = make_dataset([ramps[2]], extra_visits=100, augmentation_pipeline=pipeline)
    for index in range(3, len(dataset)):
        assert (dataset[index] > 0.2).all()


def test_an_item_can_be_changed_without_changing_the_file(ramps):
    dataset = make_dataset(ramps)
    dataset[1].zero_()
    assert (dataset[1] > 0).all()


def test_items_past_the_end_are_refused(ramps):
    with pytest.raises(IndexError):
        make_dataset(ramps)[5]
    with pytest.raises(DataError, match="no sound files"):
        make_dataset([])


def test_a_piece_of_a_file_is_never_left(ramps):
    rate = RATE_HZ
    segment = Segment(str(ramps[2]), start_s=600 / rate, end_s=2300 / rate)
    pipeline = Augmentation(probability=1.0, gain_db=0, polarity_probability=0, tilt_probability=0, phase_probability=0)
    for augment in (None, pipeline):
        dataset = make_dataset([segment], extra_visits=200, augmentation_pipeline=augment)
        assert [chunk.start for chunk in dataset.chunks] == [600, 1600]
        extra = range(dataset.n_chunks, len(dataset))  # never padded: the piece is longer than what is read
        # The resampling filter rings where the sound is cut.
        values = torch.cat([dataset[index][0, 60:-60] for index in extra])
        places = (values - 0.3) * 1e5
        assert places.min() >= 600 - 1
        assert places.max() <= 2300 + 1


def test_a_batch_is_what_its_items_are(make_sounds):
    files = sorted(make_sounds(4).iterdir())
    pipeline = Augmentation(mix_same_file_probability=0.3, mix_corpus_probability=0.3)
    train, _ = create_data_loaders(files, make_config(), pipeline, sample_rate=RATE_HZ)
    dataset = train.dataset
    batch = dataset.vary(dataset.read(range(len(dataset))))
    for index in range(len(dataset)):
        torch.testing.assert_close(batch[index], dataset[index], atol=1e-6, rtol=1e-5)


def test_mixing_stays_within_the_file_where_it_should(tmp_path):
    for index, level in enumerate((0.1, 0.5)):
        soundfile.write(tmp_path / f"{index}.wav", np.full(4000, level), RATE_HZ, subtype="FLOAT")
    quiet = {"gain_db": 0, "polarity_probability": 0, "tilt_probability": 0, "phase_probability": 0, "speed_ratio": 1}
    files = [tmp_path / "0.wav", tmp_path / "1.wav"]
    for same, other in ((1.0, 0.0), (0.0, 1.0)):
        pipeline = Augmentation(1.0, mix_same_file_probability=same, mix_corpus_probability=other, **quiet)
        dataset = make_dataset(files, extra_visits=20, augmentation_pipeline=pipeline)
        levels = {
            (chunk % dataset.n_chunks // 4, round(dataset[chunk].mean().item(), 2)) for chunk in range(len(dataset))
        }
        if same:  # a constant mixed with itself is between itself and √2 times itself
            assert all(0.1 <= level <= 0.15 for file, level in levels if file == 0)
        else:
            assert any(level > 0.15 for file, level in levels if file == 0)


def test_variations_to_listen_to_are_all_varied(ramps):
    dataset = make_dataset([ramps[2]], augmentation_pipeline=Augmentation())
    original = dataset.grid_chunk(0)[0]
    variations = dataset.vary_chunk(0, 5, seed=0)
    assert variations.shape == (5, 1000)
    assert not any(torch.equal(variation, original) for variation in variations)


def test_every_item_tells_where_its_sound_lies(hits):
    dataset = make_dataset(hits[:3])
    chunks = dataset.grid_chunks(range(3))
    assert chunks.samples.tolist() == [[0, 300], [0, 600], [0, 900]]
    assert torch.equal(chunks.waveforms, torch.stack([dataset[index] for index in range(3)]))
    assert dataset.finish(dataset.read(range(3))).samples.tolist() == chunks.samples.tolist()


@pytest.mark.parametrize("pipeline", [None, Augmentation(probability=1.0)])
def test_short_sounds_begin_anywhere_and_are_never_cut(hits, pipeline):
    dataset = make_dataset(hits[:1], extra_visits=200, augmentation_pipeline=pipeline)
    chunks = dataset.finish(dataset.read(range(1, 201)))
    starts = set()
    for waveform, (first, last) in zip(chunks.waveforms[:, 0], chunks.samples.tolist(), strict=True):
        sounding = (waveform.abs() > 1e-6).nonzero()[:, 0]
        assert 220 <= last - sounding[0] <= 402, "whole, at any speed"
        assert (waveform[last:] == 0).all()
        assert first == max(0, int(sounding[0]) - 1024)
        starts.add(int(sounding[0]))
    assert min(starts) == 0
    assert max(starts) > 400
    assert len(starts) > 60


def test_a_longer_sound_is_not_delayed(ramps):
    dataset = make_dataset([ramps[2]], extra_visits=50)
    chunks = dataset.finish(dataset.read(range(len(dataset))))
    assert (chunks.waveforms[3:] > 0).all()
    assert (chunks.samples[3:] == torch.tensor([0, 1000])).all()


def test_silence_behind_the_sounds_changes_nothing(tmp_path):
    loaders = []
    for folder, n_silent in (("plain", 0), ("followed", RATE_HZ)):
        (tmp_path / folder).mkdir()
        for index in range(6):
            rng = np.random.default_rng(index)
            sound = np.append(0.1 * rng.standard_normal(9000 + 500 * index), np.zeros(n_silent))
            soundfile.write(tmp_path / folder / f"{'abcdef'[index]}.wav", sound, RATE_HZ, subtype="FLOAT")
        files = sorted((tmp_path / folder).iterdir())
        split = Split(tuple(Segment(str(file)) for file in files[:4]), tuple(Segment(str(file)) for file in files[4:]))
        train, _ = create_data_loaders(files, make_config(), Augmentation(), sample_rate=RATE_HZ, split=split)
        loaders.append(train)
    for plain, followed in zip(loaders[0].deal(1), loaders[1].deal(1), strict=True):
        torch.testing.assert_close(plain.waveforms, followed.waveforms, atol=1e-6, rtol=0)
        assert torch.equal(plain.samples, followed.samples)


def test_files_are_numbered_by_the_dataset_and_not_by_what_is_chosen(make_sounds):
    dataset = AudioTrainingDataset(sorted(make_sounds(3).iterdir()), RATE_HZ // 4, RATE_HZ)
    assert number_files(dataset, [dataset.n_chunks - 1, 0]) == [2, 0]
