"""What a run says of itself at its end."""

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from sda.config.schema import TrainRunConfig
from sda.measures import AT_END
from sda.report.advice import Standing
from sda.report.run_summary import (
    SOURCE_NAMES,
    Outcome,
    describe_verdict,
    format_scores,
    print_outcome,
    suggest_next,
)
from sda.terminal import print_lines
from sda.training.events import EpochMetrics, Evaluated, ReconstructionScored
from sda.training.metrics import MetricsHistory
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
                f"verdict: overfitting; {GAP} 40 % (25 to 60) larger than on training sound, though held-out sound "
                "was still not getting worse at the end"
            ),
        ),
        (
            _epoch(1, 0.1, -0.02, 0.15),
            f"verdict: no overfitting; {GAP} 10 % (-2 to 15) larger than on training sound",
        ),
        (
            _epoch(1, 0.25, 0.03, 0.51),
            (
                f"verdict: cannot tell; {GAP} 25 % (3 to 51) larger than on training sound, and 20 % counts as "
                "overfitting: more held-out files would tell"
            ),
        ),
        (
            _epoch(1, 0.25, verdict="cannot tell"),
            (
                f"verdict: cannot tell; {GAP} 25 % larger than on training sound, and 20 % counts as overfitting: more "
                "held-out files would tell"
            ),
        ),
        (
            _epoch(1, -0.11, -0.22, 0.0),
            f"verdict: no overfitting; {GAP} 11 % (0 to 22) smaller than on training sound",
        ),
        (
            _epoch(1, 0.1),
            f"verdict: no overfitting; {GAP} 10 % larger than on training sound",
        ),
    ],
)
def test_the_verdict_says_no_more_than_the_interval(epoch, expected):
    assert describe_verdict(_history(epoch)) == expected
    assert describe_verdict(_history(epoch), "one recording") == f"{expected}; weak validation: one recording"


def test_what_was_lost_after_the_best_epoch_and_where_the_gap_goes_is_told():
    last = _epoch(9, 0.9, 0.6, 1.2, val_loss=0.5, trend="widening", gap_slope=0.034)
    words = describe_verdict(_history(_epoch(1, 0.4, 0.25, 0.6), last))
    assert "(25 to 60)" in words  # of the best epoch
    assert "0.100 nats were lost by training on after it; the gap was widening at the end, by 3.4 % an epoch" in words


def test_during_the_warm_up_there_is_no_verdict():
    history = _history(_epoch(1, 0.4, 0.25, 0.6, kl_weight=0.5, verdict="too early", is_best=False))
    assert "too early to tell" in describe_verdict(history)


def _plan(folds=0, max_epochs=99):
    config = TrainRunConfig()
    config.data.folds, config.data.root, config.training.max_epochs = folds, "/sounds", max_epochs
    return SimpleNamespace(config=config, run_dir=Path("/run"), split=SimpleNamespace(weakness=""))


def _stand(plan, *, is_finished=True):
    n_epochs = plan.config.training.max_epochs if is_finished else 9
    return Standing(plan.run_dir, plan.config, ["seed=3"], 1, n_epochs, is_finished, 12)


@pytest.mark.parametrize(
    ("epoch", "folds", "advice", "command"),
    [
        (_epoch(1, 0.4, 0.25, 0.6), 0, "more sounds help most", "python train.py data.root=/sounds seed=3 preset="),
        (_epoch(1, 0.4, 0.1, 0.6), 0, "hold out every file once", "seed=3 data.folds=4 data.fold=0,1,2,3"),
        (_epoch(1, 0.4, 0.1, 0.6), 4, "listen to the previews", "python evaluate.py run=/run"),
        (_epoch(1, 0.1, 0.0, 0.2), 0, "listen to the previews", "python evaluate.py run=/run"),
        (_epoch(97, 0.1, 0.0, 0.2, is_best=True), 0, "still getting better", "resume=/run training.max_epochs=198"),
    ],
)
def test_without_an_evaluation_advice_follows_from_the_gap(epoch, folds, advice, command):
    plan = _plan(folds)
    words, pasted = suggest_next(plan, _history(epoch), _stand(plan))
    assert advice in words
    assert command in pasted


FIGURES = {
    "memorisation.replay_rate": 0.0,
    "memorisation.replay_rate_low": 0.0,
    "memorisation.replay_rate_high": 0.12,
    "distribution.hand_made.ratio": 11.16,
    "distribution.hand_made.ratio_low": 3.71,
    "distribution.hand_made.ratio_high": 20.16,
    "distribution.hand_made.ratio_rebuilt": 2.46,
    "form.distance": 1.67,
    "form.distance_train": 0.02,
    "silence.generated.near_silent_files": 0.31,
    "silence.real.near_silent_files": 0.0,
    "silence.generated.silent_frames": 0.45,
    "silence.real.silent_frames": 0.01,
}
EVALUATED = Evaluated(
    1, "small", "unlike", FIGURES, "/run/evaluation/evaluation.json", "/run/evaluation/report.html",
    headline="Much of it is silence.", advice="Train for longer.", command="python train.py resume=/run",
)  # fmt: skip


def _print(status, history, evaluated=None, scores=(), **fields):
    printed, plan = io.StringIO(), _plan()
    standing = _stand(plan, is_finished=status == "finished")
    outcome = Outcome(status, history, list(scores), standing, evaluated, **fields)
    print_outcome(Console(file=printed, width=200), plan, outcome)
    return [line.strip() for line in printed.getvalue().splitlines()]


def test_where_an_evaluation_was_made_its_verdict_is_the_only_one():
    lines = _print("finished", _history(_epoch(1, 0.4, 0.25, 0.6)), EVALUATED)
    verdicts = [line for line in lines if "verdict" in line or "overfit" in line or "cannot tell" in line]
    assert verdicts == ["verdict: unlike. Much of it is silence."]
    assert "gap in training: +40 % (+25 to +60)" in lines
    assert lines[-6:] == [
        "try next: Train for longer.",
        "python train.py resume=/run",
        "make sounds:",
        "python generate.py run=/run n=8 duration_s=10",
        "judge it in full:",
        "python evaluate.py run=/run",
    ]


def test_the_end_speaks_of_replays_likeness_form_and_silence():
    lines = _print("finished", _history(_epoch(1, 0.1, 0.0, 0.2)), EVALUATED)
    for line in (
        (
            "replays of training sound: 0 % (0 to 12) of generated seconds, not measured of quarter seconds; 1 % would "
            "be chance"
        ),
        (
            "likeness by timbre and movement: 11.16 (3.71 to 20.16) times as far as training sound; training sound "
            "through the model 2.46"
        ),
        "form: 1.67 spreads of real sound away from it; training sound 0.02",
        "silence: 31 % of generated files are near-silent (real: 0 %), 45 % of their time is silence (real: 1 %)",
    ):
        assert line in lines


@pytest.mark.parametrize("status", ["stopped", "failed"])
def test_a_run_that_did_not_come_to_its_end_says_how_to_go_on_and_how_to_make_sounds(status):
    lines = _print(status, _history(_epoch(1, 0.4, 0.25, 0.6)))
    assert sum("verdict" in line for line in lines) == 1, "of the gap, as there is no other"
    assert any("python train.py resume=/run" in line for line in lines)
    assert lines[-4:] == [
        "make sounds:",
        "python generate.py run=/run n=8 duration_s=10",
        "judge it in full:",
        "python evaluate.py run=/run",
    ]


def test_what_was_never_saved_is_not_offered():
    printed = io.StringIO()
    print_outcome(Console(file=printed, width=200), _plan(), Outcome("stopped", _history(), []))
    assert "generate.py" not in printed.getvalue()


@pytest.mark.parametrize(("last_loss", "is_told"), [(0.39, True), (0.4, False), (0.5, False)])
def test_a_last_epoch_that_was_lower_within_the_noise_is_told_of(last_loss, is_told):
    history = _history(_epoch(1, 0.1, 0.0, 0.15), _epoch(9, 0.1, 0.0, 0.15, val_loss=last_loss))
    text = "\n".join(_print("finished", history))
    assert "best epoch 1 of 9 trained; loss 0.400 held out" in text
    words = "the last epoch's held-out loss is 0.010 lower, which may be noise; its checkpoint is kept too"
    assert (words in text) is is_told
    assert "checkpoint is kept" not in "\n".join(_print("finished", history, unsaved=["a checkpoint"]))


def test_what_would_move_the_cursor_is_spelt_out(capsys):
    """The name of a file, or what a server answers, may hold anything."""
    print_lines(Console(), ["! \x1b]0;title\x07\x1b[2Jgone\r.wav", "two\nlines"])
    assert capsys.readouterr().out == "! \\x1b]0;title\\x07\\x1b[2Jgone\\r.wav\ntwo\nlines\n"


def test_scores_stand_in_eighty_columns():
    scores = [ReconstructionScored(3, source, dict.fromkeys(AT_END, 19.25), 64) for source in SOURCE_NAMES]
    assert max(map(len, format_scores(scores))) <= 80
