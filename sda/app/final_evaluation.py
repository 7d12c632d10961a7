"""The evaluation at the end of a training: the best epoch's weights, judged with a small effort."""

from collections.abc import Callable

from sda.app.builders import build_trained_model
from sda.app.loading import load_model, load_prior
from sda.app.session import Session
from sda.config.running import Suite
from sda.config.verbs import EvaluateConfig
from sda.data.corpus import Corpus
from sda.errors import CheckpointError
from sda.evaluation.assessment import Effort, assess_model
from sda.evaluation.trained_model import Reconstruction, reconstruct
from sda.measures import AT_END
from sda.report.advice import Standing
from sda.report.evaluation import RunSubject
from sda.report.evaluation_report import write_assessment
from sda.report.evaluation_values import PAGE, describe_evaluation, list_values
from sda.runs.folder import read_overrides
from sda.runs.outputs import EVALUATION, claim_next
from sda.runs.prepare_data import build_cache
from sda.shell import name_command
from sda.training.checkpoint import open_best
from sda.training.events import Event, ReconstructionScored, Warned
from sda.wording import format_share

SMALL_N_GENERATED = 16


class _Stopped(Exception):
    """The user wants the run to end."""


def evaluate_at_end(
    session: Session, is_stop_asked: Callable[[], bool], show: Callable[[str], None] = lambda words: None
) -> list[Event]:
    """Take the best epoch's weights, evaluate them as `evaluation.at_end` says, and write what came out.

    Where the disk took no checkpoint at all, the last epoch's are evaluated.

    Args:
        is_stop_asked: asked now and then; true ends the evaluation early.
        show: told what is being done.

    Returns:
        what there is to tell of it.
    """
    epoch, plan = _load_best(session), session.plan
    config = plan.config.evaluation
    # Mapped from the cache: the session's own waveforms may lie on a GPU.
    known = {file.path: file.sha256 for file in plan.scan.usable}
    corpus = Corpus(build_cache(plan.config), known, plan.config.data.gain_db)
    trained = build_trained_model(plan.config, session.synthesizer, plan.split, corpus, plan.groups.key_of)
    if config.at_end is Suite.none:
        return [*_describe_reconstruction(reconstruct(trained, config.max_clips, sides=("held_out",))[0], epoch)]

    def stage(words: str, share: float) -> None:
        if is_stop_asked():
            raise _Stopped
        show(f"{words}: {format_share(share)} of the evaluation done")

    full = EvaluateConfig()
    is_full = config.at_end is Suite.full
    n_generated = full.n_generated if is_full else SMALL_N_GENERATED
    effort = Effort(config.max_clips, n_generated, full.generated_s, with_map=is_full)
    try:
        assessment = assess_model(trained, effort, plan.config.seed, stage)
    except _Stopped:
        again = f"{name_command('evaluate')} run={plan.run_dir}"
        return [_warn(f"the evaluation was stopped; make it up for: {again}", epoch)]
    assert assessment.reconstruction is not None
    events: list[Event] = [*_describe_reconstruction(assessment.reconstruction, epoch)]
    subject = RunSubject(
        suite=config.at_end.value,
        run=str(plan.run_dir),
        epoch=epoch,
        checkpoint="best",
        validation_weakness=plan.split.weakness,
    )
    try:
        folder = claim_next(plan.run_dir / EVALUATION, PAGE)
        report = write_assessment(plan.run_dir.name, folder, assessment, subject, describe_standing(session, epoch))
        events.append(describe_evaluation(list_values(report.evaluation), folder, plan.run_dir))
    except OSError as error:
        events.append(_warn(f"the evaluation could not be written ({error.strerror or error})", epoch))
    return events


def describe_standing(session: Session, epoch: int, *, is_finished: bool = True) -> Standing:
    """Where a run stands that has come to an end.

    Args:
        epoch: the epoch that is judged.
    """
    plan = session.plan
    return Standing(
        run_dir=plan.run_dir,
        config=plan.config,
        overrides=read_overrides(plan.run_dir),
        epoch=epoch,
        n_trained=session.state.progress.epoch,
        is_finished=is_finished,
        n_recordings=len(plan.groups.members),
    )


def _load_best(session: Session) -> int:
    """Put the best epoch's weights into the session's average; says which epoch it is."""
    try:
        checkpoint = open_best(session.writer.folder)
    except CheckpointError:
        if not session.writer.owes:
            raise
        return session.state.progress.epoch
    load_model(session.state.average, checkpoint)
    session.synthesizer.prior = load_prior(session.plan.config, checkpoint)
    epoch: int = checkpoint.progress["epoch"]
    return epoch


def _describe_reconstruction(reconstruction: Reconstruction, epoch: int) -> list[ReconstructionScored]:
    return [
        ReconstructionScored(
            epoch=epoch,
            source=source,
            n_clips=reconstruction.n_clips["held_out"],
            by_file=_list_by_file(reconstruction) if source == "model" else {},
            measures={name: measures[name].value for name in AT_END},
        )
        for source, measures in reconstruction.held_out.items()
    ]


def _list_by_file(reconstruction: Reconstruction) -> dict[str, dict[str, float]]:
    kept = ("n_clips", *AT_END)
    return {path: {name: measures[name] for name in kept} for path, measures in reconstruction.by_file.items()}


def _warn(message: str, epoch: int) -> Warned:
    return Warned("evaluation_failed", message, epoch)
