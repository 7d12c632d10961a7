"""What a run is built of."""

import subprocess
import sys

import numpy as np
import soundfile
import torch

from sda.app.builders import list_training_sounds
from sda.audio.waveform import read_waveform
from sda.data.cache import SoundCache
from sda.data.corpus import Corpus
from sda.data.scan import scan_folder
from sda.data.split import Segment, Split
from sda.evaluation.trained_model import collect_segments
from tests.conftest import RATE_HZ


def test_training_sound_stays_on_the_disk_until_it_is_read(make_sounds, cache_dir):
    """A corpus may be larger than the memory, and is read by the prior and by the evaluation."""
    root, cache = make_sounds(2), SoundCache(cache_dir, sample_rate_hz=RATE_HZ)
    sound = np.concatenate([np.zeros(4000), soundfile.read(root / "tone_000.wav")[0]]).astype(np.float32)
    soundfile.write(root / "tone_000.wav", sound, RATE_HZ, subtype="FLOAT")
    known = {file.path: file.sha256 for file in scan_folder(root, cache=cache).usable}
    corpus, paths = Corpus(cache, known, gain_db=20.0), sorted(known)
    split = Split((Segment(paths[0]), Segment(paths[1])), ())
    by_prior = list_training_sounds(split, corpus, str(root))
    by_evaluation = collect_segments(split.train, corpus, dict(zip(paths, "ab", strict=True)))
    for one in (by_prior[0], by_evaluation[0]):
        mapped = corpus.get(paths[0]).samples
        assert round(one.start_s * RATE_HZ) == 4001, "a sine begins with a zero"
        assert one.waveform.samples.untyped_storage().data_ptr() == mapped.untyped_storage().data_ptr()
        assert torch.equal(read_waveform(one.waveform), 10.0 * mapped[4001:])


def test_looking_at_a_checkpoint_does_not_import_the_compiler():
    """It takes seconds, and some of torch's functions need it on the device on which a checkpoint is looked at."""
    code = """
import sys, torch
from sda.app.builders import check_fit
from sda.runs.plan import to_schema
from sda.audio.mel import LogMel
from sda.config.model import ModelName
from sda.config.schema import TrainRunConfig
from types import SimpleNamespace
for name in ModelName:
    config = TrainRunConfig()
    config.model.name = name
    found = {}
    check_fit(config, LogMel(), SimpleNamespace(check_tensors=found.update))
    assert len(found) > 20, name
assert "torch._dynamo" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
