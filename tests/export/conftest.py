"""A model of the kind that users train, small, with a bank of three recordings, and ways to spoil its file."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save

from sda.app.builders import build_features, build_model, build_prior, build_synthesizer
from sda.config.plain import compose_plain
from sda.export.description import Description, hide_places
from sda.export.model_file import DIGEST, ENTRY, NO_DIGEST, write_model_file
from sda.models.priors.prior import Recording
from sda.runs.plan import resolve, to_schema

HOME = "/home/ada/rain"
GIVEN = {
    "data": {"root": HOME, "group_by": "ada", "cache_dir": HOME},
    "audio": {"sample_rate_hz": 8000, "n_fft": 256, "hop_length": 64, "n_mels": 32},
    "model": {"name": "spectral_vae"},
    "training": {"latent_dim": 8},
    "tracking": {"uri": "sqlite:////home/ada/mlflow.db", "experiment": "ada"},
}
CPU = torch.device("cpu")


@pytest.fixture(scope="session")
def model():
    """A network that was never trained, and a mosaic of three noises."""
    torch.manual_seed(0)
    config = to_schema(compose_plain(GIVEN, Path("test")))
    features = build_features(config, CPU)
    prior = build_prior(config)
    paths = [torch.randn(8, 40, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]
    prior.fit([Recording(f"recording {number}", path) for number, path in enumerate(paths, 1)])
    return build_synthesizer(config, build_model(config, features, CPU), features, prior)


@pytest.fixture(scope="session")
def description():
    shown = [f"recording {number}" for number in range(1, 4)]
    return Description(
        name="rain",
        epoch=3,
        config=hide_places(resolve(compose_plain(GIVEN, Path("test")))),
        license="CC BY 4.0",
        holds_sound=True,
        files={one: hashlib.sha256(one.encode()).hexdigest() for one in shown},
        split={"train": [[one, 0.0, None] for one in shown[:2]], "val": [[shown[2], 0.5, 1.5]]},
        durations_s={"train": 7.25, "val": 1.0},
        label="overfit",
        verdict="It knows its recordings <better> than others.",
        figures={"memorisation.replay_rate": 0.1, "memorisation.replay_rate_low": 0.0},
    )


@pytest.fixture
def file(model, description, tmp_path):
    (path,) = write_model_file(model, description, tmp_path)
    return path


@pytest.fixture
def craft(file):
    """Changes what a file holds, under a hash that fits."""

    def change(facts=lambda facts: facts, tensors=lambda tensors: tensors):
        with safe_open(file, "pt") as opened:
            said = json.loads(opened.metadata()[ENTRY]) | {DIGEST: NO_DIGEST}
        changed = tensors(load_file(file))
        facts(said)
        file.write_bytes(reseal(save(changed, metadata={ENTRY: json.dumps(said)})))
        return file

    return change


def reseal(content: bytes) -> bytes:
    digest = hashlib.sha256(content).hexdigest()
    return content.replace(NO_DIGEST.encode(), digest.encode(), 1)
