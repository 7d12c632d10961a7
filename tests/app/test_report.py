"""What a run says of itself at its end."""

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from sda.app.report import Outcome, describe_verdict, print_lines, print_outcome, suggest_next
from sda.training.metrics import EpochMetrics, MetricsHistory
from sda.training.overfitting import judge_gap


def _epoch(number, gap, low=0.0, high=0.0, **fields):
    values = {"verdict": judge_gap(low, high) if low < high else "", "val_loss": 0.4, "is_best": number == 1} | fields
    return EpochMetrics(
        epoch=number, total_epochs=9, train_loss=0.3, val_recon_loss=0.3, val_kl_loss=0.1, kl_divergence=20.0,
        overfitting_gap=gap, learning_rate=1e-3, eta_seconds=0.0, elapsed_seconds=2.0, gap_low=low, gap_high=high,
        **values,
    )  # fmt: skip


def _history(*epochs):
    return MetricsHistory(epoch_metrics=list(epochs))


GAP = "at the best epoch the error on held-out sound is"


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [
        (
            _epoch(1, 0.4, 0.25, 0.6),
            (
                f"verdict: overfitting; {GAP} 40% larger than on training sound (25% to 60%), though held-out sound "
                "was still not getting worse at the end"
            ),
        ),
        (
            _epoch(1, 0.1, -0.02, 0.15),
            f"verdict: no overfitting; {GAP} 10% larger than on training sound (-2% to 15%)",
        ),
        (
            _epoch(1, 0.25, 0.03, 0.51),
            (
                f"verdict: cannot tell; {GAP} 25% larger than on training sound (3% to 51%), and 20% counts as "
                "overfitting: more held-out files would tell"
            ),
        ),
        (
            _epoch(1, 0.25, verdict="cannot tell"),
            (
                f"verdict: cannot tell; {GAP} 25% larger than on training sound, and 20% counts as overfitting: more "
                "held-out files would tell"
            ),
        ),
        (
            _epoch(1, 0.1),
            f"verdict: no overfitting; {GAP} 10% larger than on training sound",
        ),
    ],
)
def test_the_verdict_says_no_more_than_the_interval(epoch, expected):
    assert describe_verdict(_history(epoch)) == expected
    assert describe_verdict(_history(epoch), "one recording") == f"{expected}; weak validation: one recording"


def test_what_was_lost_after_the_best_epoch_and_where_the_gap_goes_is_told():
    last = _epoch(9, 0.9, 0.6, 1.2, val_loss=0.5, trend="widening", gap_slope=0.034)
    words = describe_verdict(_history(_epoch(1, 0.4, 0.25, 0.6), last))
    assert "25% to 60%" in words  # of the best epoch
    assert "0.100 nats were lost by training on after it; the gap was widening at the end, by 3.4% an epoch" in words


def test_during_the_warm_up_there_is_no_verdict():
    history = _history(_epoch(1, 0.4, 0.25, 0.6, kl_weight=0.5, verdict="too early", is_best=False))
    assert "too early to tell" in describe_verdict(history)


def _plan(folds=0):
    config = SimpleNamespace(training=SimpleNamespace(max_epochs=99, latent_dim=8), data=SimpleNamespace(folds=folds))
    return SimpleNamespace(config=config, run_dir=Path("/run"), split=SimpleNamespace(weakness=""))


@pytest.mark.parametrize(
    ("epoch", "folds", "advice"),
    [
        (_epoch(1, 0.4, 0.25, 0.6), 0, "more sounds help most"),
        (_epoch(1, 0.4, 0.1, 0.6), 0, "data.folds=4 data.fold=0,1,2,3"),
        (_epoch(1, 0.4, 0.1, 0.6), 4, "listen to the previews"),
        (_epoch(1, 0.1, 0.0, 0.2), 0, "listen to the previews"),
    ],
)
def test_advice_follows_from_the_interval(epoch, folds, advice):
    assert advice in suggest_next("finished", _plan(folds), _history(epoch))


@pytest.mark.parametrize(("last_loss", "is_told"), [(0.39, True), (0.4, False), (0.5, False)])
def test_a_last_epoch_that_was_lower_within_the_noise_is_told_of(last_loss, is_told):
    printed = io.StringIO()
    history = _history(_epoch(1, 0.1, 0.0, 0.15), _epoch(9, 0.1, 0.0, 0.15, val_loss=last_loss))
    print_outcome(Console(file=printed, width=200), _plan(), Outcome("finished", history, []))
    text = printed.getvalue()
    assert "best epoch 1 of 9 trained; loss 0.400 held out" in text
    words = "the last epoch's held-out loss is 0.010 lower, which may be noise; its checkpoint is kept too"
    assert (words in text) is is_told
    printed = io.StringIO()
    print_outcome(Console(file=printed, width=200), _plan(), Outcome("finished", history, [], unsaved=["a checkpoint"]))
    assert "checkpoint is kept" not in printed.getvalue()


def test_what_would_move_the_cursor_is_spelt_out(capsys):
    """The name of a file, or what a server answers, may hold anything."""
    print_lines(Console(), ["! \x1b]0;title\x07\x1b[2Jgone\r.wav", "two\nlines"])
    assert capsys.readouterr().out == "! \\x1b]0;title\\x07\\x1b[2Jgone\\r.wav\ntwo\nlines\n"
