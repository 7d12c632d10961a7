"""The evaluation at the end of a training: the best epoch's weights, judged with a small effort."""

from collections.abc import Callable
from typing import Any

from sda.app.assessment import Assessment, Effort, assess_model
from sda.app.evaluation_report import FOLDER, build_report, describe_evaluation, list_values, write_evaluation
from sda.app.restoring import load_model
from sda.app.session import Session
from sda.app.subject import Reconstruction, Subject, reconstruct
from sda.config.schema import Suite
from sda.errors import CheckpointError
from sda.training.checkpoint import open_best
from sda.training.metrics import Event, ReconstructionScored, Warned

SMALL_N_GENERATED = 16
FULL_N_GENERATED = 48
GENERATED_S = 2.0
SCORED = ("log_mel_l1_db", "mr_stft", "loudness_error_db")


class _Stopped(Exception):
    """The user wants the run to end."""


def evaluate_at_end(session: Session, is_stop_asked: Callable[[], bool]) -> list[Event]:
    """Take the best epoch's weights, evaluate them as `evaluation.at_end` says, and write what came out.

    Where the disk took no checkpoint at all, the last epoch's are evaluated.

    Args:
        is_stop_asked: asked now and then; true ends the evaluation early.

    Returns:
        what there is to tell of it.
    """
    epoch = _load_best(session)
    plan = session.plan
    config = plan.config.evaluation
    corpus = session.held_out.corpus
    subject = Subject(session.model.eval(), session.features, plan.config, plan.split, corpus, plan.groups.key_of)
    if config.at_end is Suite.none:
        reconstruction, _ = reconstruct(subject, config.max_clips, with_training=False)
        return [*_describe_reconstruction(reconstruction, epoch)]

    def stage(words: str, share: float) -> None:
        if is_stop_asked():
            raise _Stopped

    is_full = config.at_end is Suite.full
    effort = Effort(config.max_clips, FULL_N_GENERATED if is_full else SMALL_N_GENERATED, GENERATED_S, with_map=is_full)
    try:
        assessment = assess_model(subject, effort, plan.config.seed, stage)
    except _Stopped:
        return [_warn(f"the evaluation was stopped; make it up for: python evaluate.py run={plan.run_dir}", epoch)]
    assert assessment.reconstruction is not None
    events: list[Event] = [*_describe_reconstruction(assessment.reconstruction, epoch)]
    facts = {
        "suite": config.at_end.value,
        "run": str(plan.run_dir),
        "epoch": epoch,
        "checkpoint": "best",
        "validation_weakness": plan.split.weakness,
    }
    try:
        events.append(_write(session, assessment, facts))
    except OSError as error:
        events.append(_warn(f"the evaluation could not be written ({error.strerror or error})", epoch))
    return events


def _load_best(session: Session) -> int:
    """Put the best epoch's weights into the session's model; says which epoch it is."""
    try:
        checkpoint = open_best(session.writer.folder)
    except CheckpointError:
        if not session.writer.owes:
            raise
        return session.state.progress.epoch
    load_model(session.model, checkpoint)
    epoch: int = checkpoint.progress["epoch"]
    return epoch


def _write(session: Session, assessment: Assessment, facts: dict[str, Any]) -> Event:
    values = list_values(assessment, facts)
    folder = session.plan.run_dir / FOLDER
    lines = [f"epoch {facts['epoch']}, at the end of the training ({facts['suite']} suite)"]
    write_evaluation(folder, [build_report(session.plan.run_dir.name, lines, assessment, values)], values)
    return describe_evaluation(values, folder)


def _describe_reconstruction(reconstruction: Reconstruction, epoch: int) -> list[ReconstructionScored]:
    return [
        ReconstructionScored(
            epoch=epoch,
            source=source,
            n_clips=reconstruction.n_clips["held_out"],
            **{name: measures[name].value for name in SCORED},
        )
        for source, measures in reconstruction.held_out.items()
    ]


def _warn(message: str, epoch: int) -> Warned:
    return Warned("evaluation_failed", message, epoch)
