"""`evaluate.py`: how close a run's best epoch brings back sound it never trained on."""

from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from sda.app.builders import count_chunk_samples
from sda.app.loading import open_run
from sda.app.report import format_scores, print_lines
from sda.app.session import score_reconstruction_of
from sda.app.survey import build_cache
from sda.config.schema import EvaluateConfig
from sda.data.corpus import Corpus
from sda.data.scan import scan_file
from sda.data.split import split_from_facts
from sda.durable import write_json
from sda.errors import DataError
from sda.training.dataset import AudioTrainingDataset

EVALUATION = "evaluation.json"


def evaluate_run(config: EvaluateConfig, console: Console) -> None:
    """Measure, print, and write `evaluation.json` into the run's folder.

    Raises:
        CheckpointError: there is no such run, or it cannot be read.
        DataError: a held-out file is gone or has changed.
    """
    run = open_run(config.run, config.device)
    split = split_from_facts(run.checkpoint.facts["split"])
    known = run.checkpoint.facts["files"]
    cache = build_cache(run.config)
    changed = [
        path
        for path in split.val_paths
        if not Path(path).is_file() or scan_file(path, cache=cache)[0].sha256 != known[path]
    ]
    if changed:
        raise DataError(f"held-out files are gone or changed: {', '.join(changed[:3])}. Put them back as they were.")
    rate = run.config.audio.sample_rate_hz
    held_out = AudioTrainingDataset(split.val, count_chunk_samples(run.config), rate, corpus=Corpus(cache, known))
    epoch = run.checkpoint.progress["epoch"]
    scores = score_reconstruction_of(run.model, run.features, held_out, config.max_clips, epoch)
    values = {"reconstruction": {score.source: asdict(score) for score in scores}}
    write_json(run.run_dir / EVALUATION, {**values, "validation_weakness": split.weakness})
    title = f"{run.run_dir}, epoch {epoch}"
    weak = [f"! weak validation: {split.weakness}"] if split.weakness else []
    print_lines(console, [title, *weak, *format_scores(scores), f"written: {run.run_dir / EVALUATION}"])
