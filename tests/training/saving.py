"""Checkpoints of a training in miniature, as of whatever epoch a test asks for."""

from pathlib import Path

from sda.training.checkpoint_writer import CheckpointWriter, draft_checkpoint


def save_epoch(run, folder: Path, epoch: int, best: bool = False, max_kept: int = 3) -> Path:
    return CheckpointWriter(folder, max_kept).write(draft_epoch(run, epoch, best))


def draft_epoch(run, epoch: int, best: bool = False):
    run.state.progress.epoch = epoch
    return draft_checkpoint(run.state, {"seed": 7}, {"files": {}}, best=best)
