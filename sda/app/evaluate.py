"""`evaluate.py`: what a run learned, and whether what it makes is new; or any two folders of sound, without a run."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from sda.app.builders import build_trained_model
from sda.app.loading import TrainedRun, open_run
from sda.app.steering import find_controls
from sda.config.verbs import EvaluateConfig
from sda.data.cache import SoundCache
from sda.data.corpus import Corpus
from sda.data.groups import AUTO, group_files
from sda.data.scanned import Scan
from sda.data.split import split_scan
from sda.errors import DamagedError, DataError
from sda.evaluation.assessment import Effort, Stage, assess_folders, assess_model
from sda.evaluation.sounds import Sound, trim
from sda.evaluation.suite import EvaluationAudio
from sda.evaluation.trained_model import collect_whole
from sda.printable import name_apart
from sda.report.advice import Standing
from sda.report.evaluation import FoldersSubject, RunSubject
from sda.report.evaluation_lines import format_assessment
from sda.report.evaluation_page import Report
from sda.report.evaluation_report import write_assessment, write_evaluation
from sda.report.evaluation_values import PAGE, SCHEMA, VALUES, describe_evaluation, list_values
from sda.runs.folder import read_overrides, read_summary
from sda.runs.late_events import record
from sda.runs.moved_sounds import refuse_changed
from sda.runs.outputs import (
    EVALUATION,
    EVALUATIONS,
    absolute,
    check_folder,
    claim_given,
    claim_next,
    find_places,
    refuse_among_sounds,
)
from sda.runs.prepare_data import build_cache, scan_given
from sda.stored import pass_over
from sda.terminal import print_lines

FOLDERS = ("reference", "generated", "held_out")
"""Keys that give folders of sound."""
HELD_OUT_FRACTION = 0.3
"""Share of a reference folder that the rest of it is compared with, where no held-out sound is given."""


def evaluate_runs(names: Sequence[str], config: EvaluateConfig, console: Console) -> list[Path]:
    """Evaluate runs, one after the other; several are put side by side on one more page.

    Returns:
        The folder of each run's evaluation.

    Raises:
        CheckpointError: there is no such run, or it cannot be read.
        DataError: a file is gone or has changed.
    """
    runs = [open_run(name, config.device, config.checkpoint, config.data.root) for name in names]
    for run in runs:
        if not run.known:
            raise DataError(
                f"{run.run_dir} holds a model and not its recordings, beside which it would be judged. Give the folder "
                "with what it was trained on: data.root=FOLDER."
            )
    sounds = {"the sounds that the run was trained on": [one for run in runs for one in run.sound_folders]}
    defaults = [find_places(run.run_dir, run.is_own).evaluations / EVALUATION for run in runs]
    output = _choose_output(config, sounds, defaults)
    reports, folders = [], []
    for run, default in zip(runs, defaults, strict=True):
        given = output if len(runs) == 1 else None
        with _show_progress(console) as stage:
            report, folder = evaluate_run(run, config, given, default, stage)
        evaluation = report.evaluation
        weakness = evaluation.subject.validation_weakness
        weak = [f"! weak validation: {weakness}"] if weakness else []
        lines = format_assessment(evaluation.assessment, evaluation.command)
        print_lines(console, [f"{run.run_dir}, epoch {run.checkpoint.progress['epoch']}", *weak, *lines])
        event = describe_evaluation(list_values(evaluation), folder, default.parent)
        print_lines(console, record(run.run_dir, event))
        print_lines(console, [f"written: {folder / VALUES}", f"         {folder / PAGE}"])
        reports.append(report)
        folders.append(folder)
    if len(reports) > 1:
        folder = _claim_folder(output)
        values = {one.name: list_values(one.evaluation) for one in reports}
        write_evaluation(folder, reports, {"schema": SCHEMA, "runs": values})
        print_lines(console, [f"side by side: {folder / PAGE}"])
    return folders


def evaluate_run(
    run: TrainedRun, config: EvaluateConfig, output: Path | None, default: Path, stage: Stage
) -> tuple[Report, Path]:
    """Evaluate one run in full and write its evaluation into a folder of its own.

    Args:
        output: the folder that was asked for, if one was.
        default: else this one, or the next by number.
    """
    split, known, cache = run.split, run.known, build_cache(run.config)
    refuse_changed([*split.train_paths, *split.val_paths], known, cache)
    corpus = Corpus(cache, known, run.config.data.gain_db)
    trained = build_trained_model(run.config, run.synthesizer, split, corpus, run.group_of)
    effort = Effort(config.max_clips, config.n_generated, config.generated_s)
    assessment = assess_model(trained, effort, config.seed, stage)
    if run.synthesizer.n_loudness:
        tried = find_controls(run, lambda share: stage("turning the controls", 0.95 + 0.04 * share))
        assessment = replace(assessment, controls=tried)
    subject = RunSubject(
        suite="full",
        run=str(run.run_dir),
        epoch=run.checkpoint.progress["epoch"],
        checkpoint=config.checkpoint.value,
        validation_weakness=split.weakness,
    )
    stage("writing the page", 0.99)
    folder = claim_given(output, PAGE) if output else claim_next(default, PAGE)
    return write_assessment(run.run_dir.name, folder, assessment, subject, describe_standing(run)), folder


def describe_standing(run: TrainedRun) -> Standing:
    """Where a run stands that is evaluated some time after it was trained; what it does not say is not asked of it."""
    summary, overrides = dict[str, Any](), list[str]()
    try:
        if run.description is None:
            summary, overrides = read_summary(run.run_dir), read_overrides(run.run_dir)
    except DamagedError as damage:
        pass_over(damage)
    group_of = run.group_of
    epoch: int = run.checkpoint.progress["epoch"]
    return Standing(
        run_dir=run.run_dir,
        config=run.config,
        overrides=overrides,
        epoch=epoch,
        n_trained=max(epoch, summary.get("epochs", 0)),
        is_finished=summary.get("status") == "finished",
        n_recordings=len({group_of.get(path, path) for path in run.known}),
        is_own=run.is_own,
    )


def evaluate_folders(config: EvaluateConfig, console: Console) -> Path:
    """Evaluate a folder of generated sound against a folder of real sound, without a model.

    Returns:
        The folder of the evaluation.

    Raises:
        DataError: a folder is missing or holds no usable sound.
    """
    given = {f"{key}=": [absolute(getattr(config, key))] for key in FOLDERS if getattr(config, key)}
    output = _choose_output(config, given, [])
    cache = SoundCache(config.cache_dir, config.sample_rate_hz)
    with _show_progress(console) as stage:
        stage("looking at every file", 0.0)
        scans = {
            key: scan_given(key, root, cache, with_generated=key == "generated") if root else None
            for key, root in ((key, getattr(config, key)) for key in FOLDERS)
        }
        reference, generated = scans["reference"], scans["generated"]
        assert reference is not None
        assert generated is not None
        hash_of = {file.path: file.sha256 for scan in scans.values() if scan is not None for file in scan.usable}
        corpus = Corpus(cache, hash_of, reference.gain_db)
        groups = group_files(reference, cache, AUTO)
        whole = {key: _open(scan, corpus) for key, scan in scans.items()}
        audio = EvaluationAudio(
            config.sample_rate_hz,
            train=_trim(whole["reference"], config.sample_rate_hz),
            held_out=_trim(whole["held_out"], config.sample_rate_hz),
            generated=_trim(whole["generated"], config.sample_rate_hz),
            train_groups=[groups.key_of[file.path] for file in reference.usable],
        )
        halves, weakness = audio, ""
        if scans["held_out"] is None:
            if len(groups.members) < 2:
                raise DataError(
                    f"reference={config.reference}: {len(groups.members)} recording alone cannot say what new sound "
                    "would be like. Add others, or give held_out=FOLDER."
                )
            split = split_scan(reference, groups, HELD_OUT_FRACTION, config.seed)
            weakness = split.weakness
            train, held_out = (collect_whole(side, corpus, split.names) for side in (split.train, split.val))
            halves = replace(
                audio,
                train=_trim(train, config.sample_rate_hz),
                held_out=_trim(held_out, config.sample_rate_hz),
            )
            whole |= {"reference": train, "held_out": held_out}
        kinds = {"train": "reference", "held_out": "held_out", "generated": "generated"}
        halves = replace(halves, whole={kind: whole[key] for kind, key in kinds.items()})
        assessment = assess_folders(audio, halves, config.seed, stage)
        subject = FoldersSubject(
            reference=reference.root,
            generated=generated.root,
            held_out=str(absolute(config.held_out)) if config.held_out else "",
            validation_weakness=weakness,
        )
        folder = _claim_folder(output)
        stage("writing the page", 0.96)
        write_assessment(Path(generated.root).name, folder, assessment, subject)
    print_lines(console, [f"{generated.root} against {reference.root}", *format_assessment(assessment)])
    print_lines(console, [f"written: {folder / VALUES}", f"         {folder / PAGE}"])
    return folder


def _open(scan: Scan | None, corpus: Corpus) -> list[Sound]:
    names = {} if scan is None else name_apart(file.path for file in scan.usable)
    return [Sound(name, corpus.get(path)) for path, name in names.items()]


def _trim(sounds: Sequence[Sound], sample_rate_hz: int) -> list[Sound]:
    return [trim(sound, sample_rate_hz) for sound in sounds]


def _choose_output(
    config: EvaluateConfig, sounds: Mapping[str, Sequence[Path]], defaults: Sequence[Path]
) -> Path | None:
    """The folder that was given, if one was; no evaluation will be written among sounds."""
    if config.output:
        check_folder(absolute(config.output), f"output={config.output}", sounds)
    if not config.output or len(defaults) > 1:
        for place in defaults or [Path(EVALUATIONS).absolute()]:
            refuse_among_sounds(place, str(place), sounds)
    return absolute(config.output) if config.output else None


def _claim_folder(output: Path | None) -> Path:
    """For what is no run's own."""
    if output is not None:
        return claim_given(output, PAGE)
    return claim_next(Path(EVALUATIONS).absolute() / time.strftime("%Y-%m-%d_%H-%M-%S"), PAGE)


@contextmanager
def _show_progress(console: Console) -> Iterator[Stage]:
    """A progress bar in a terminal; nothing where there is none."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("evaluating", total=1.0)
        yield lambda words, share: bar.update(task, description=words, completed=share)
