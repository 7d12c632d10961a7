"""What a run is made of when it begins."""

from sda.app.session import build_session
from sda.runs.plan import plan_run
from tests.composing import compose_verb
from tests.conftest import RATE_HZ
from tests.verbs import TINY


def test_steps_hear_pieces_and_whole_chunks_are_judged(make_sounds, tmp_path):
    given = [f"data.root={make_sounds(6)}", "tracking=none", *TINY, "model=spectral_vae"]
    given += ["training.chunk_duration_s=0.5", "training.crop_fraction=0.5", "training.batch_size=4"]
    session = build_session(plan_run(compose_verb("train", *given), tmp_path / "run", given, "auto", None))
    assert next(iter(session.setup.train_loader)).shape == (4, 1, RATE_HZ // 4)
    for judged in (session.setup.train_eval, session.setup.held_out):
        assert {batch.waveform.shape[-1] for batch in judged.batches} == {RATE_HZ // 2}
    assert (
        session.describe().n_train_chunks
        == len(session.training.visited)
        < len(session.setup.train_loader.dataset.visited)
    )
    assert session._vary_one_chunk(2).shape == (3, RATE_HZ // 2)
