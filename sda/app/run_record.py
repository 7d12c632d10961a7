"""What a run leaves in its folder beside its checkpoints: what runs, and what came of it."""

import hashlib
import time

from sda.app.session import Session
from sda.config.plain import format_plain
from sda.durable import write_json, write_text
from sda.report.run_summary import describe_verdict, find_best
from sda.report.verdict_lines import say_verdict
from sda.runs.continuation import write_begun_facts
from sda.runs.folder import CONFIG_FILE, HISTORY, IDENTITY, LAYERS_FILE, MANIFEST, OVERRIDES_FILE, update_summary
from sda.runs.prepare_data import describe_data
from sda.runs.sweep_folder import name_sweep
from sda.seal import mark_own
from sda.tracking.delivery_state import forget, rewind
from sda.training.events import Evaluated, ReconstructionScored


def record_start(session: Session, layers: str | None) -> int:
    """Say on disk what runs; a continuation drops from the journal what it is about to tell again.

    With the summary, which comes last, the run can be continued, be nothing saved of it yet.

    Returns:
        how many lines of the journal were damaged.
    """
    plan, progress = session.plan, session.state.progress
    # First of all: a folder with anything in it that is not known as ours is taken for somebody else's.
    mark_own(plan.run_dir, **({} if plan.sweep_dir is None else {"sweep": name_sweep(plan.sweep_dir)}))
    configuration = format_plain(plan.resolved)
    write_text(plan.run_dir / CONFIG_FILE, configuration)
    mark_own(plan.run_dir, config_sha256=hashlib.sha256(configuration.encode()).hexdigest())
    if layers is not None:
        write_text(plan.run_dir / LAYERS_FILE, layers)
        write_text(plan.run_dir / OVERRIDES_FILE, format_plain(plan.overrides))
    write_json(plan.run_dir / MANIFEST, describe_data(plan.scan, plan.groups, plan.split))
    n_damaged = 0
    if plan.checkpoint is None or plan.checkpoint.is_start:
        write_begun_facts(plan.run_dir, session.list_facts())
    if plan.checkpoint is not None and plan.checkpoint.is_start:
        forget(plan.run_dir)
    elif plan.checkpoint is not None:
        n_damaged = rewind(plan.run_dir, progress.step, progress.epoch, session.state.history)
    if plan.is_takeover:
        n_damaged = 0  # there was no journal: all of it was made from the checkpoint
        session.take_over()
    update_summary(
        plan.run_dir,
        status="running",
        active_at=time.time(),
        choices=[str(choice) for choice in plan.choices],
        **{IDENTITY: plan.identity},
        validation_weakness=plan.split.weakness,
    )
    return n_damaged


def record_end(
    session: Session, status: str, scores: list[ReconstructionScored], evaluated: Evaluated | None
) -> list[str]:
    """Write history and summary, whatever the end; says what the disk did not take."""
    plan, history, progress = session.plan, session.state.history, session.state.progress
    values: dict[str, object] = {"status": status, "active_at": time.time()}
    values |= {"epochs": progress.epoch, "steps": progress.step}
    values |= {"elapsed_s": progress.elapsed_s, "skipped_steps": progress.skipped_steps}
    if history.epoch_metrics:
        last, best = history.epoch_metrics[-1], find_best(history)
        judged = best or last
        values |= {
            "best_epoch": best.epoch if best else None,
            "best_val_loss": best.val_loss if best else None,
            "final_train_loss": last.train_loss,
            "final_val_loss": last.val_loss,
            "overfitting_gap": judged.overfitting_gap,
            "gap_low": judged.gap_low,
            "gap_high": judged.gap_high,
            "gap_slope": last.gap_slope,
            "gap_slope_error": last.gap_slope_error,
            "active_units": judged.active_units,
            "verdict": describe_verdict(history, plan.split.weakness),
        }
    values["reconstruction"] = {score.source: score.measures | {"n_clips": score.n_clips} for score in scores}
    values["held_out_by_file"] = next((score.by_file for score in scores if score.source == "model"), {})
    if evaluated is not None:
        values["evaluation"] = {"label": evaluated.label, **evaluated.figures}
        values["verdict"] = say_verdict(evaluated, plan.split.weakness)
    try:
        write_json(plan.run_dir / HISTORY, history.to_dict())
        update_summary(plan.run_dir, **values)
    except OSError as error:
        return [f"history and summary ({error.strerror or error})"]
    return []
