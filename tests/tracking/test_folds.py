import json

import pytest

from sda.tracking.folds import summarise_folds


@pytest.fixture
def make_run(tmp_path):
    def make(fold: int, loss: float, status: str = "finished", dropout: float = 0.1, folds: int = 3) -> None:
        run_dir = tmp_path / str(len(list(tmp_path.iterdir())))
        (run_dir / ".hydra").mkdir(parents=True)
        config = f"data:\n  folds: {folds}\n  fold: {fold}\nregularization:\n  dropout: {dropout}\n"
        (run_dir / ".hydra" / "config.yaml").write_text(config)
        scores = {"model": {"log_mel_l1_db": 2 * loss, "mr_stft": 1.0, "loudness_error_db": 3.0}}
        summary = {"status": status, "best_val_loss": loss, "overfitting_gap": None, "reconstruction": scores}
        (run_dir / "summary.json").write_text(json.dumps(summary))

    return make


def test_folds_have_a_mean_and_a_spread(make_run, tmp_path):
    for fold, loss in enumerate((1.0, 2.0, 3.0)):
        make_run(fold, loss)
    summary = summarise_folds(tmp_path)
    assert summary.metrics()["folds/n"] == 3
    assert (summary.mean["best_val_loss"], summary.spread["best_val_loss"]) == (2.0, 1.0)
    assert (summary.mean["log_mel_l1_db"], summary.spread["log_mel_l1_db"]) == (4.0, 2.0)
    assert "overfitting_gap" not in summary.mean
    assert str(summary).startswith("over 3 folds: best_val_loss 2.000 ± 1.000")


def test_unfinished_folds_do_not_count(make_run, tmp_path):
    make_run(0, 1.0)
    make_run(1, 9.0, status="stopped")
    assert summarise_folds(tmp_path) is None
    make_run(2, 3.0)
    assert summarise_folds(tmp_path).mean["best_val_loss"] == 2.0


def test_a_sweep_over_anything_else_has_no_common_mean(make_run, tmp_path):
    make_run(0, 1.0)
    make_run(1, 2.0, dropout=0.4)
    assert summarise_folds(tmp_path) is None


def test_runs_without_folds_are_none(make_run, tmp_path):
    make_run(0, 1.0, folds=0)
    make_run(0, 2.0, folds=0)
    assert summarise_folds(tmp_path) is None
