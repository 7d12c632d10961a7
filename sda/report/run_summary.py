"""The run on the console: what it says at its start and at its end."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from sda.callbacks.console import describe_gap
from sda.data.scanned import count_passed_over
from sda.measures import AT_END, RECONSTRUCTION
from sda.printable import show_name
from sda.report.advice import (
    Standing,
    name_continuation,
    name_evaluation,
    name_generation,
    suggest_command,
)
from sda.report.verdict_lines import format_figures, say_verdict
from sda.roots import describe_roots
from sda.runs.folder import PREVIEWS
from sda.runs.plan import Plan
from sda.shell import name_command
from sda.terminal import print_lines
from sda.tracking.delivery_state import LOCAL_UI
from sda.tracking.folds import FoldSummary
from sda.tracking.local_ui import is_shown
from sda.training.events import EpochMetrics, Evaluated, ReconstructionScored, RunStarted
from sda.training.metrics import MetricsHistory
from sda.training.overfitting import CANNOT_TELL, NO_OVERFITTING, OVERFITTING, OVERFITTING_THRESHOLD
from sda.wording import format_duration, format_share

SHOWN_QUARANTINED = 10
SOURCE_NAMES = {
    "model": "this model",
    "drawn": "this model with its noise",
    "mean_mel": "mean mel (knows nothing)",
    "ceiling": "mel and back, no model",
}


@dataclass(frozen=True)
class Outcome:
    """How a run ended and what came out."""

    status: str
    """`finished`, `stopped` or `failed`."""
    history: MetricsHistory
    scores: list[ReconstructionScored]
    """Empty unless the run finished."""
    standing: Standing | None = None
    """What can be done with what was saved; none where nothing was."""
    evaluated: Evaluated | None = None
    """The evaluation at the end, where there was one."""
    tracking_link: str = ""
    tracking_problem: str = ""
    tracking_notices: Sequence[str] = ()
    """What had to be done for the tracker beside delivering."""
    folds: FoldSummary | None = None
    """What the folds of a cross-validation say so far, this one included."""
    unsaved: Sequence[str] = ()
    """What the disk did not take."""
    took_s: float = 0.0
    """From its beginning to its end, seconds; 0 where it was continued."""


def print_plan(console: Console, plan: Plan, started: RunStarted, change: str = "") -> None:
    """What was found, what was chosen and by which layer.

    Args:
        change: what a continued run is not computed with any more, in words.
    """
    scan, training = plan.scan, plan.config.training
    total_s = sum(file.duration_s for file in scan.usable)
    chunks = f"{started.n_train_chunks} chunks of {training.chunk_duration_s:g} s"
    lines = [f"{scan.file_count} usable files, {format_duration(total_s)}, in {describe_roots(scan.folders)}"]
    lines.append(f"  {started.n_train_files} to train on ({chunks}), {started.n_val_files} held out to judge by")
    n_groups = len(plan.groups.members)
    if n_groups < scan.file_count:
        lines.append(f"  {n_groups} groups: files that share a recording or a name pattern stay on one side")
    if plan.split.weakness:
        lines.append(f"! weak validation: {plan.split.weakness}")
    lines += [f"  set aside, a copy of another: {show_name(path, scan.root)}" for path in plan.split.set_aside]
    if plan.config.data.folds:
        lines.append(f"  fold {plan.config.data.fold} of {plan.config.data.folds} is held out")
    shown = scan.quarantined[:SHOWN_QUARANTINED]
    lines += [f"  left out: {show_name(file.path, scan.root)}: {file.reason}" for file in shown]
    if len(scan.quarantined) > len(shown):
        lines.append(f"  left out: {len(scan.quarantined) - len(shown)} more, named in manifest.json")
    if scan.passed_over:
        lines.append(f"  {count_passed_over(scan)}")
    by_reason: dict[str, list[str]] = {}
    for choice in plan.choices:
        by_reason.setdefault(choice.reason, []).append(f"{choice.key.rpartition('.')[2]} {choice.value:g}")
    lines += [f"  {', '.join(values)} ({reason})" for reason, values in by_reason.items()]
    lines += [f"! {notice}" for notice in plan.notices]
    network = f"{plan.config.model.name.value}, {started.n_parameters / 1e6:.1f} M parameters"
    steps = f"{started.steps_per_epoch} steps an epoch, {started.total_steps} in all"
    if training.minutes:
        steps = f"about {started.total_steps} steps, {started.steps_per_epoch} an epoch"
        steps += f", to end {format_duration(60 * training.minutes)} after it began (training.minutes)"
    if started.adversarial:
        steps += ", in the end against discriminators"
    lines.append(f"{network}, on {started.device} in {started.precision}: {steps}")
    if change:
        lines.append(f"! {change}")
    if started.start_step:
        lines.append(f"continuing at epoch {started.start_epoch}, step {started.start_step}")
    lines.append(f"run folder: {plan.run_dir}")
    lines.append(f"  whatever stops it, it goes on with: {name_continuation(plan.run_dir)}")
    print_lines(console, lines)


def print_outcome(console: Console, plan: Plan, outcome: Outcome) -> None:
    """What came out, and what to try next."""
    history = outcome.history
    lines = ["", f"run {outcome.status}: {plan.run_dir}"]
    if history.epoch_metrics:
        last, best = history.epoch_metrics[-1], find_best(history)
        judged = best or last
        which = f"best epoch {best.epoch}" if best else "no best epoch, the KL warm-up was not over:"
        losses = f"loss {judged.val_loss:.3f} held out, {judged.train_loss:.3f} in training (nats per cell)"
        units = f"{judged.active_units} of {plan.config.training.latent_dim} latent dimensions active"
        better = "; it was still getting better" if is_improving(history) else ""
        lines.append(f"  {which} of {last.epoch} trained; {losses}{better}")
        if best and last.val_loss < best.val_loss:
            lower = best.val_loss - last.val_loss
            kept = "; its checkpoint is kept too" if outcome.status == "finished" and not outcome.unsaved else ""
            lines.append(f"  the last epoch's held-out loss is {lower:.3f} lower, which may be noise{kept}")
        in_all = f", {format_duration(outcome.took_s)} with beginning and end" if outcome.took_s else ""
        lines.append(f"  {units}; trained for {format_duration(last.elapsed_seconds)}{in_all}")
    lines += format_scores(outcome.scores)
    if outcome.folds is not None:
        lines.append(f"  {outcome.folds}")
    lines += _format_judgement(plan, outcome)
    previews = sorted((plan.run_dir / PREVIEWS).glob("epoch_*"))
    if previews:
        lines.append(f"  listen: {previews[-1]}")
    if outcome.unsaved:
        lines.append(f"! not on disk: {'; '.join(outcome.unsaved)}. Make room, or see to the permissions of the folder")
    if outcome.tracking_problem:
        lines.append(f"! MLflow lacks something: {outcome.tracking_problem}")
    lines += [f"! MLflow: {notice}" for notice in outcome.tracking_notices]
    if outcome.tracking_link:
        lines.append(f"  MLflow: {describe_link(outcome.tracking_link)}")
    lines += _format_next(plan, outcome)
    print_lines(console, lines)


def _format_judgement(plan: Plan, outcome: Outcome) -> list[str]:
    """The one verdict: that of the evaluation where one was made, and else that of the gap."""
    history, evaluated = outcome.history, outcome.evaluated
    if evaluated is None:
        return [f"  {describe_verdict(history, plan.split.weakness)}"] if history.epoch_metrics else []
    judged = find_best(history) or history.epoch_metrics[-1]
    return [
        f"  verdict: {say_verdict(evaluated, plan.split.weakness)}",
        *format_figures(evaluated.figures),
        f"    gap in training: {describe_gap(judged)}",
        f"  read: {evaluated.report_path}",
    ]


def _format_next(plan: Plan, outcome: Outcome) -> list[str]:
    """What to do next; how to go on, and how to make sounds, as commands that can be pasted."""
    if outcome.status == "failed":
        steps = [("once the cause is gone, go on:", name_continuation(plan.run_dir))]
    elif outcome.status == "stopped":
        steps = [("go on:", name_continuation(plan.run_dir))]
    elif outcome.evaluated is not None:
        steps = [(f"try next: {outcome.evaluated.advice}", outcome.evaluated.command)]
    else:
        advice, command = suggest_next(plan, outcome.history, outcome.standing)
        steps = [(f"try next: {advice}", command)]
    if outcome.standing is not None:
        more = [("make sounds:", name_generation(plan.run_dir)), ("judge it in full:", name_evaluation(plan.run_dir))]
        steps += [step for step in more if step[1] != steps[0][1]]
    return [f"  {line}" for words, command in steps for line in (words, f"  {command}") if line.strip()]


def describe_link(link: str) -> str:
    """How to get to a page of MLflow, whose server a person may have to start first."""
    is_there = not link.startswith(LOCAL_UI) or is_shown(link)
    return f"open {link}" if is_there else f"run `{name_command('ui')}`, then open {link}"


def format_scores(scores: list[ReconstructionScored]) -> list[str]:
    """A table of reconstruction scores; empty where there are none."""
    if not scores:
        return []
    measures = {key: RECONSTRUCTION[key] for key in AT_END}
    widths = {key: max(10, len(measure.title) + 2) for key, measure in measures.items()}
    heads = "".join(f"{measure.title:>{widths[key]}}" for key, measure in measures.items())
    rows = [f"  held-out sound, reconstructed ({scores[0].n_clips} chunks):", f"    {'':<26}{heads}"]
    for score in scores:
        cells = "".join(f"{measure.write(score.measures[key]):>{widths[key]}}" for key, measure in measures.items())
        rows.append(f"    {SOURCE_NAMES[score.source]:<26}{cells}")
    return rows


def find_best(history: MetricsHistory) -> EpochMetrics | None:
    """The best epoch's metrics."""
    best = history.get_best_epoch()
    return next((epoch for epoch in history.epoch_metrics if epoch.epoch == best), None)


def describe_verdict(history: MetricsHistory, weakness: str = "") -> str:
    """Whether the run overfitted, in words, tied to its numbers.

    Args:
        weakness: why what was held out says less than it should.
    """
    verdict = _judge(history)
    return f"{verdict}; weak validation: {weakness}" if weakness else verdict


def _judge(history: MetricsHistory) -> str:
    best, last = find_best(history), history.epoch_metrics[-1]
    if best is None:
        return f"verdict: too early to tell; the KL term was still warming up (weight {last.kl_weight:.2f})"
    verdict = _read_verdict(best)
    words = f"verdict: {verdict}; at the best epoch the error on held-out sound is {_describe_gap(best)} "
    words += f"{'larger' if best.overfitting_gap >= 0 else 'smaller'} than on training sound"
    drift = last.val_loss - best.val_loss
    if verdict == CANNOT_TELL:
        words += f", and {format_share(OVERFITTING_THRESHOLD)} counts as overfitting: more held-out files would tell"
    elif verdict == OVERFITTING and drift > 0.02:
        words += f", and {drift:.3f} nats were lost by training on after it"
    elif verdict == OVERFITTING:
        words += ", though held-out sound was still not getting worse at the end"
    if last.trend in ("widening", "narrowing"):
        words += f"; the gap was {last.trend} at the end, by {100 * abs(last.gap_slope):.1f} % an epoch"
    return words


def _read_verdict(epoch: EpochMetrics) -> str:
    """An epoch's verdict; that of an epoch without an interval, from an older run, is its gap's."""
    return epoch.verdict or (OVERFITTING if epoch.overfitting_gap > OVERFITTING_THRESHOLD else NO_OVERFITTING)


def _describe_gap(epoch: EpochMetrics) -> str:
    """The gap with its interval, in the direction in which it is told."""
    low, high = (epoch.gap_low, epoch.gap_high) if epoch.overfitting_gap >= 0 else (-epoch.gap_high, -epoch.gap_low)
    return format_share(abs(epoch.overfitting_gap), *((low, high) if low < high else ()))


def is_improving(history: MetricsHistory) -> bool:
    """Whether a run ended before it was seen to get no better."""
    best = find_best(history)
    return best is None or best.epoch >= 0.95 * history.epoch_metrics[-1].total_epochs


def suggest_next(plan: Plan, history: MetricsHistory, standing: Standing | None) -> tuple[str, str]:
    """What to do after a training that was not evaluated, in words and as a command."""
    if standing is None:
        return "go on with what was saved before", name_continuation(plan.run_dir)
    best = find_best(history)
    if best is None or is_improving(history):
        return "it was still getting better", suggest_command("underfit", standing)
    verdict = _read_verdict(best)
    if verdict == OVERFITTING:
        return "more sounds help most; else more guard against it", suggest_command("overfit", standing)
    if verdict == CANNOT_TELL and not plan.config.data.folds:
        return "hold out every file once, and compare", suggest_command("cannot tell", standing)
    return "listen to the previews, and have it judged", name_evaluation(plan.run_dir)
