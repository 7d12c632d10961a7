"""What a run is made of when it begins, and what a step is timed with before."""

import pytest
import torch

from sda.app import pace
from sda.app.session import build_session
from sda.runs.plan import plan_run
from tests.composing import compose_verb
from tests.conftest import RATE_HZ
from tests.verbs import TINY


@pytest.fixture
def plan_in_pieces(make_sounds, tmp_path):
    """A run of `spectral_vae` that hears half of each chunk of half a second."""
    given = [f"data.root={make_sounds(6)}", "tracking=none", *TINY, "model=spectral_vae"]
    given += ["training.chunk_duration_s=0.5", "training.crop_fraction=0.5", "training.batch_size=4"]
    return plan_run(compose_verb("train", *given), tmp_path / "run", given, "auto", None)


def test_steps_hear_pieces_and_whole_chunks_are_judged(plan_in_pieces):
    session = build_session(plan_in_pieces)
    steps = session.setup.train_loader
    assert next(iter(steps)).shape == (4, 1, RATE_HZ // 4)
    for judged in (session.setup.train_eval, session.setup.held_out):
        assert {batch.waveform.shape[-1] for batch in judged.batches} == {RATE_HZ // 2}
    assert session.describe().n_train_chunks == len(session.training.visited) < len(steps.dataset.visited)
    assert session._vary_one_chunk(2).shape == (3, RATE_HZ // 2)


def test_a_step_that_is_timed_hears_as_much_as_those_of_the_run(plan_in_pieces, monkeypatch):
    heard, take_step = [], pace.take_step

    def listen(model, optimizer, objective, inputs, **settings):
        heard.append(tuple(inputs.waveform.shape))
        return take_step(model, optimizer, objective, inputs, **settings)

    monkeypatch.setattr(pace, "take_step", listen)
    assert pace.measure_step(plan_in_pieces.config, torch.device("cpu"), None) > 0
    assert set(heard) == {(4, RATE_HZ // 4)}
