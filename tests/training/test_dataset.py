import math

import numpy as np
import pytest
import soundfile
import torch

from sda.audio.augmentation import Augmentation
from sda.data.split import Segment, Split
from sda.errors import DataError
from sda.training.config import RegularizationConfig, TrainingConfig
from sda.training.dataset import AudioTrainingDataset, create_data_loaders
from tests.conftest import RATE_HZ


@pytest.fixture(autouse=True)
def _keep_constant_voltage(monkeypatch):
    """Samples are told apart by ramps and constants here, which a recording would be rid of."""
    monkeypatch.setattr("sda.audio.mono.ChannelSurvey._find_rest", lambda self, channels: None)


@pytest.fixture
def ramps(tmp_path):
    """Files whose samples say where they are: file k holds k/10 + a slow ramp."""
    paths = []
    for index, n_samples in enumerate((700, 1000, 2500)):
        path = tmp_path / f"ramp_{index}.wav"
        soundfile.write(path, 0.1 + index / 10 + np.arange(n_samples) / 1e5, RATE_HZ, subtype="FLOAT")
        paths.append(path)
    return paths


def _dataset(paths, **kwargs):
    return AudioTrainingDataset(paths, chunk_samples=1000, sample_rate=RATE_HZ, **kwargs)


def test_chunks_have_one_size_whatever_the_file(ramps):
    dataset = _dataset(ramps)
    assert len(dataset) == 1 + 1 + 3
    assert {tuple(dataset[index].shape) for index in range(len(dataset))} == {(1, 1000)}
    assert [chunk.start for chunk in dataset.chunks] == [0, 0, 0, 1000, 2000]
    assert dataset[0].dtype == torch.float32


def test_chunks_that_are_mostly_padding_are_not_judged(tmp_path):
    paths = []
    for index, n_samples in enumerate((300, 1499, 1500)):
        paths.append(tmp_path / f"{index}.wav")
        soundfile.write(paths[-1], np.full(n_samples, 0.1), RATE_HZ)
    dataset = _dataset(paths)
    assert [dataset.chunks[index][:2] for index in dataset.judged] == [
        (str(paths[0]), 0),  # short, but all there is of its file
        (str(paths[1]), 0),
        (str(paths[2]), 0),
        (str(paths[2]), 1000),
    ]


def test_the_last_chunk_is_padded_with_zeros_and_nothing_else_is(ramps):
    dataset = _dataset(ramps)
    assert (dataset[0][0, 700:] == 0).all()
    assert (dataset[0][0, :700] > 0).all()
    assert (dataset[4][0, 500:] == 0).all()
    assert (dataset[3] > 0).all()


@pytest.mark.parametrize("rate_hz", [8000, 44100, 48000])
def test_the_index_holds_at_any_rate(tmp_path, rate_hz):
    soundfile.write(tmp_path / "a.wav", np.full(round(2.5 * rate_hz), 0.1), rate_hz)
    dataset = AudioTrainingDataset([tmp_path / "a.wav"], 48000, 48000)
    n_samples = len(dataset.corpus.get(str(tmp_path / "a.wav")))
    assert len(dataset) == math.ceil(n_samples / 48000) == 3


def test_extra_visits_start_elsewhere_but_inside_the_file(ramps):
    dataset = _dataset([ramps[2]], extra_visits=50)
    assert len(dataset) == 3 * 51
    extra = [dataset[index][0] for index in range(3, len(dataset))]
    assert all((chunk > 0).all() for chunk in extra)  # never padded: the file is longer than a chunk
    starts = {round((chunk[0].item() - 0.3) * 1e5) for chunk in extra}
    assert len(starts) > 60
    assert min(starts) == 0
    assert 1500 - 1000 // 16 <= max(starts) <= 1500  # about the last start that leaves a whole chunk


def test_items_depend_on_seed_epoch_and_index_alone(ramps):
    first, again = (_dataset(ramps, extra_visits=3, augmentation_pipeline=Augmentation(), seed=5) for _ in range(2))
    backwards = {index: again[index] for index in reversed(range(len(again)))}
    assert all(torch.equal(first[index], backwards[index]) for index in range(len(first)))
    first.set_epoch(1)
    assert any(not torch.equal(first[index], backwards[index]) for index in range(len(first)))


def test_augmentation_happens_half_of_the_time(ramps):
    dataset = _dataset([ramps[2]], extra_visits=400, augmentation_pipeline=lambda waveform: -waveform)
    share = np.mean([(dataset[index] <= 0).all().item() for index in range(len(dataset))])
    assert share == pytest.approx(0.5, abs=0.05)  # 1203 draws: three deviations are 0.043


def test_a_change_of_speed_adds_no_silence(ramps):
    pipeline = Augmentation(probability=1.0, gain_db=0, polarity_probability=0, tilt_probability=0, phase_probability=0)
    dataset = _dataset([ramps[2]], extra_visits=100, augmentation_pipeline=pipeline)
    for index in range(3, len(dataset)):
        assert (dataset[index] > 0.2).all()


def test_an_item_can_be_changed_without_changing_the_file(ramps):
    dataset = _dataset(ramps)
    dataset[1].zero_()
    assert (dataset[1] > 0).all()


def test_items_past_the_end_are_refused(ramps):
    with pytest.raises(IndexError):
        _dataset(ramps)[5]
    with pytest.raises(DataError, match="no sound files"):
        _dataset([])


def _config(**kwargs):
    return TrainingConfig(batch_size=4, chunk_duration_s=0.5, val_fraction=0.3, **kwargs)


def test_loaders_split_by_file_and_augment_only_training(make_sounds):
    files = sorted(make_sounds(10).iterdir())

    def marked(waveform):
        return torch.full_like(waveform, 9.0)

    train, val = create_data_loaders(files, _config(), marked, sample_rate=RATE_HZ)
    train_files = {chunk.path for chunk in train.dataset.chunks}
    val_files = {chunk.path for chunk in val.dataset.chunks}
    assert len(val_files) == 3
    assert not train_files & val_files
    assert any((batch == 9.0).any() for batch in train)
    assert not any((batch == 9.0).any() for batch in val)
    again = create_data_loaders(files, _config(), sample_rate=RATE_HZ)[1]
    assert {chunk.path for chunk in again.dataset.chunks} == val_files


def test_an_epoch_visits_every_chunk_as_often_as_the_expansion_says(make_sounds):
    config = _config(regularization=RegularizationConfig(augmentation_expansion=4))
    train, _ = create_data_loaders(sorted(make_sounds(4).iterdir()), config, sample_rate=RATE_HZ)
    assert sum(len(batch) for batch in train.iterate(1)) == 5 * train.dataset.n_chunks


def test_identical_files_stay_on_one_side(make_sounds):
    root = make_sounds(4)
    for index in range(4):
        (root / f"copy_{index}.wav").write_bytes((root / f"tone_{index:03d}.wav").read_bytes())
    train, val = create_data_loaders(sorted(root.iterdir()), _config(), sample_rate=RATE_HZ)
    names = [{chunk.path[-7:] for chunk in loader.dataset.chunks} for loader in (train, val)]
    assert not {name[-5] for name in names[0]} & {name[-5] for name in names[1]}


def test_an_epoch_can_be_taken_up_in_its_middle(make_sounds):
    files = sorted(make_sounds(4).iterdir())
    train, _ = create_data_loaders(files, _config(), Augmentation(), sample_rate=RATE_HZ, seed=3)
    whole = list(train.iterate(epoch=2))
    rest = list(train.iterate(epoch=2, first_batch=3))
    assert len(rest) == len(whole) - 3 == len(train) - 3
    assert all(torch.equal(a, b) for a, b in zip(whole[3:], rest, strict=True))
    assert not torch.equal(whole[0], next(train.iterate(epoch=3)))


def test_workers_change_nothing(make_sounds):
    files = sorted(make_sounds(4).iterdir())
    alone, helped = (
        create_data_loaders(files, _config(num_workers=n), Augmentation(), sample_rate=RATE_HZ)[0] for n in (0, 2)
    )
    for here, there in zip(alone.iterate(1), helped.iterate(1), strict=True):
        assert torch.equal(here, there)


def test_a_piece_of_a_file_is_never_left(ramps):
    rate = RATE_HZ
    segment = Segment(str(ramps[2]), start_s=600 / rate, end_s=2300 / rate)
    pipeline = Augmentation(probability=1.0, gain_db=0, polarity_probability=0, tilt_probability=0, phase_probability=0)
    for augment in (None, pipeline):
        dataset = _dataset([segment], extra_visits=200, augmentation_pipeline=augment)
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
    train, _ = create_data_loaders(files, _config(), pipeline, sample_rate=RATE_HZ)
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
        dataset = _dataset(files, extra_visits=20, augmentation_pipeline=pipeline)
        levels = {
            (chunk % dataset.n_chunks // 4, round(dataset[chunk].mean().item(), 2)) for chunk in range(len(dataset))
        }
        if same:  # a constant mixed with itself is between itself and √2 times itself
            assert all(0.1 <= level <= 0.15 for file, level in levels if file == 0)
        else:
            assert any(level > 0.15 for file, level in levels if file == 0)


def test_variations_to_listen_to_are_all_varied(ramps):
    dataset = _dataset([ramps[2]], augmentation_pipeline=Augmentation())
    original = dataset.grid_chunk(0)[0]
    variations = dataset.vary_chunk(0, 5, seed=0)
    assert variations.shape == (5, 1000)
    assert not any(torch.equal(variation, original) for variation in variations)


@pytest.fixture
def hits(tmp_path):
    """Short sounds: a level of 0.1 · k for 300 · k samples, the last with digital silence around and inside."""
    paths = []
    for index in (1, 2, 3):
        paths.append(tmp_path / f"hit_{index}.wav")
        soundfile.write(paths[-1], np.full(300 * index, 0.1 * index), RATE_HZ, subtype="FLOAT")
    stem = np.zeros(40_000, np.float32)
    stem[2300:2800] = stem[23_500:24_200] = 0.5
    paths.append(tmp_path / "stem.wav")
    soundfile.write(paths[-1], stem, RATE_HZ, subtype="FLOAT")
    return paths


def test_every_item_tells_where_its_sound_lies(hits):
    dataset = _dataset(hits[:3])
    chunks = dataset.grid_chunks(range(3))
    assert chunks.samples.tolist() == [[0, 300], [0, 600], [0, 900]]
    assert torch.equal(chunks.waveforms, torch.stack([dataset[index] for index in range(3)]))
    assert dataset.finish(dataset.read(range(3))).samples.tolist() == chunks.samples.tolist()


@pytest.mark.parametrize("pipeline", [None, Augmentation(probability=1.0)])
def test_short_sounds_begin_anywhere_and_are_never_cut(hits, pipeline):
    dataset = _dataset(hits[:1], extra_visits=200, augmentation_pipeline=pipeline)
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
    dataset = _dataset([ramps[2]], extra_visits=50)
    chunks = dataset.finish(dataset.read(range(len(dataset))))
    assert (chunks.waveforms[3:] > 0).all()
    assert (chunks.samples[3:] == torch.tensor([0, 1000])).all()


def test_silence_is_thinned_out_and_not_judged(hits):
    dataset = _dataset(hits[3:], extra_visits=2)
    assert dataset.n_chunks == 40
    assert [chunk for chunk in dataset.visited if chunk not in range(3, 23)] == [2, 23, 24]
    assert len(dataset.visited) == 4, "one of the silent ones between the two sounds"
    assert dataset.judged == [2, 23]
    assert dataset.items == [visit * 40 + chunk for visit in range(3) for chunk in dataset.visited]


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
        train, _ = create_data_loaders(files, _config(), Augmentation(), sample_rate=RATE_HZ, split=split)
        loaders.append(train)
    for plain, followed in zip(loaders[0].deal(1), loaders[1].deal(1), strict=True):
        torch.testing.assert_close(plain.waveforms, followed.waveforms, atol=1e-6, rtol=0)
        assert torch.equal(plain.samples, followed.samples)


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
    dataset = _dataset([Segment(str(hits[3]), 5000 / RATE_HZ, 7500 / RATE_HZ)])
    assert dataset.visited == [0, 1, 2]
    assert dataset.judged == [0]
