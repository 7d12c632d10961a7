"""Waveforms that lie elsewhere until they are read."""

import torch

from sda.audio.waveform import StoredWaveform, read_waveform


def test_a_stored_waveform_is_cut_where_it_lies_and_made_louder_where_it_is_read():
    samples = torch.arange(10.0)
    stored = StoredWaveform(samples, 2.0)
    part = stored[2:8][1:-1]
    assert len(stored) == 10
    assert len(part) == 4
    assert part.samples.data_ptr() == samples[3:].data_ptr(), "nothing was copied"
    assert read_waveform(part).tolist() == [6.0, 8.0, 10.0, 12.0]
    assert samples.tolist() == list(range(10))


def test_a_tensor_is_a_waveform():
    samples = torch.arange(10.0)
    assert read_waveform(samples) is samples
