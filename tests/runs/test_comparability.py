"""Runs whose figures say nothing of each other are shown side by side and not ranked, and why comes first."""

import json
import math

import pytest

from sda.report.comparison_figures import draw_pictures
from sda.report.comparison_lines import format_comparison, write_note
from sda.report.comparison_page import draw_page
from sda.runs.comparability import read_judged
from sda.runs.comparison import compare_runs
from tests.runs.test_sweep_folder import CONFIG, _write_run

MODEL = {"name": "spectral_vae", "size": "tiny", "losses": {"mel": 1.0}}


@pytest.fixture
def make_run(tmp_path):
    """A finished run with a manifest: of which sounds, and which of them were held out."""

    def make(number, error, fingerprint="rain", held_out="ab", **config):
        scores = {"model": {"log_mel_l1_db": error, "mr_stft": error, "loudness_error_db": error}}
        by_file = {path: {"mr_stft": error, "log_mel_l1_db": error, "n_clips": 2} for path in held_out}
        values = {"reconstruction": scores, "best_val_loss": error, "held_out_by_file": by_file}
        run_dir = _write_run(tmp_path / str(number), {**CONFIG, "model": MODEL, **config}, "finished", **values)
        (run_dir / ".hydra" / "overrides.yaml").write_text(json.dumps([f"training.max_epochs={number}"]))
        files = [{"path": path, "sha256": path, "split": "val"} for path in held_out]
        (run_dir / "manifest.json").write_text(json.dumps({"fingerprint": fingerprint, "files": files}))
        return run_dir

    return make


def _show(run_dirs, objective="mr_stft"):
    comparison = compare_runs(run_dirs, objective, "two runs")
    page = draw_page(comparison, draw_pictures(comparison))
    return comparison, ["\n".join(format_comparison(comparison)), write_note(comparison), page]


def _expect_refusal(run_dirs, words, objective="mr_stft"):
    comparison, texts = _show(run_dirs, objective)
    assert comparison.ranking is None
    assert comparison.ranked == []
    assert [run.run_dir for run in comparison.runs] == run_dirs, "in the order in which they were given"
    for text in texts:
        assert words in text
        assert all(
            said not in text for said in ("lowest", "is better", "best in", "anked by MR-STFT of held-out sound;")
        )
    assert texts[0].splitlines()[1].startswith("! not ranked by ")
    assert "axis_training.max_epochs" not in [picture.name for picture in draw_pictures(comparison)]


def test_different_sounds_are_not_ranked(make_run):
    _expect_refusal([make_run(1, 2.0), make_run(2, 1.0, fingerprint="wind")], "judged on 2 different sets of sounds")


def test_different_held_out_files_of_one_seed_are_not_ranked(make_run):
    runs = [make_run(1, 2.0), make_run(2, 1.0, held_out="ac")]
    _expect_refusal(runs, "runs of seed=0 were judged on different files of the same sounds")


@pytest.mark.parametrize("other", [{"model": {**MODEL, "losses": {"mel": 2.0}}}, {"audio": {"n_mels": 64}}])
def test_losses_that_are_made_up_otherwise_are_not_ranked_and_other_figures_are(make_run, other):
    runs = [make_run(1, 2.0), make_run(2, 1.0, **other)]
    _expect_refusal(runs, "so that losses cannot be compared. Rank by mr_stft, say", "best_val_loss")
    assert [run.run_dir for run in compare_runs(runs, "mr_stft", "").ranked] == runs[::-1]


def test_what_can_be_compared_is_ranked(make_run):
    runs = [
        make_run(1, 2.0),
        make_run(2, 1.0, model={**MODEL, "size": "small"}),
        make_run(3, 1.5, held_out="cd", seed=1),
    ]
    for objective in ("mr_stft", "best_val_loss"):
        comparison, texts = _show(runs, objective)
        assert [run.run_dir.name for run in comparison.ranked] == ["2", "3", "1"]
        assert "ranked by " in texts[0]
        assert "! not ranked" not in texts[0]


def test_settings_that_share_no_seed_are_told_so_first(make_run):
    _, texts = _show([make_run(1, 2.0), make_run(2, 1.0, held_out="cd", seed=1)])
    assert "no setting shares a seed with the best" in texts[0].splitlines()[1]


def test_a_manifest_that_is_gone_or_damaged_stands_against_nothing(make_run):
    runs = [make_run(1, 2.0), make_run(2, 1.0, fingerprint="wind")]
    (runs[0] / "manifest.json").write_text("{")
    (runs[1] / "manifest.json").unlink()
    assert read_judged(runs[0]) == read_judged(runs[1]) == ("", frozenset())
    ranking = compare_runs(runs, "mr_stft", "").ranking
    assert ranking is not None
    assert math.isclose(ranking.standings[0].score.value, 1.0)
