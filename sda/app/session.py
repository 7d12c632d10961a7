"""A training session: everything that a plan's run is made of, built, restored, saved and judged."""

import math
from dataclasses import asdict, dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sda.app.adversarial_phase import build_adversary, settle_adversarial
from sda.app.builders import (
    build_features,
    build_loaders,
    build_mask,
    build_model,
    build_objective,
    build_prior,
    build_synthesizer,
    check_fit,
    list_training_sounds,
)
from sda.app.loading import begin_from, load_state, restore
from sda.config.model import InitStatistics
from sda.data.corpus import to_amplitude
from sda.errors import CheckpointError, DivergedError, TrainingError
from sda.generation.previews import PreviewRenderer
from sda.generation.synthesizer import Synthesizer, TrainingSound
from sda.runs.folder import CHECKPOINTS, PREVIEWS
from sda.runs.plan import Plan
from sda.runs.versions import describe_changes, list_versions
from sda.training.arithmetic import AUTOCAST, settle_precision
from sda.training.checkpoint import BEST, PRIOR, open_checkpoint, open_to_go_back_to
from sda.training.checkpoint_writer import (
    CheckpointWriter,
    abandon_best,
    draft_checkpoint,
    draft_copy,
    remove_leftovers,
)
from sda.training.config import Precision
from sda.training.dataset import AudioTrainingDataset
from sda.training.device import choose_device, compile_network, count_block_steps, seed_everything
from sda.training.events import RolledBack, RunStarted
from sda.training.fixed_chunks import compute_fixed_chunks, extract_varied
from sda.training.length import EpochCount, RunLength
from sda.training.loop import TrainingSetup
from sda.training.optimizer import build_optimizer
from sda.training.state import TrainState


@dataclass(frozen=True)
class Session:
    """What the loop and its callbacks need, ready to use."""

    plan: Plan
    precision: Precision
    """`float32` or `bfloat16`."""
    setup: TrainingSetup
    synthesizer: Synthesizer
    """Of the averaged model."""
    writer: CheckpointWriter
    training: AudioTrainingDataset
    """In chunks, as it is judged; steps may hear it in shorter pieces."""
    held_out: AudioTrainingDataset
    training_sounds: list[TrainingSound]
    """What the prior is fitted to."""

    @property
    def state(self) -> TrainState:
        """What is learned, and where it stands."""
        return self.setup.state

    @property
    def change(self) -> str:
        """What a continued run is not computed with any more, in words; empty where all is as it was."""
        then = {} if self.plan.checkpoint is None else self.plan.checkpoint.facts["versions"]
        return describe_changes(then, list_versions(self.setup.device))

    def save(self, best: bool) -> Path:
        """Write the state durably, as the best or as a recent checkpoint."""
        self.synthesizer.fit(self.training_sounds)
        facts, prior = self.list_facts(), self.synthesizer.prior
        facts[PRIOR] = {"name": prior.name, **prior.facts()}
        tensors = prior.tensors()
        return self.writer.write(draft_checkpoint(self.state, self.plan.resolved, facts, tensors, best=best))

    def take_over(self) -> None:
        """Save another installation's run as one of this one's, from where it stands, with its best epoch.

        Raises:
            CheckpointError: its best epoch is damaged, or of another model.
            OSError: it could not be written.
        """
        assert self.plan.checkpoint is not None
        self.save(best=False)
        theirs = self.plan.checkpoint.folder.parent
        if (theirs / BEST).is_dir():
            best = open_checkpoint(theirs / BEST)
            check_fit(self.plan.config, self.setup.features, best)
            self.writer.write(draft_copy(best, self.plan.resolved, self.list_facts()))

    def list_facts(self) -> dict[str, Any]:
        """What a continuation needs beside state and configuration."""
        return {
            "dataset_fingerprint": self.plan.scan.fingerprint,
            "files": {file.path: file.sha256 for file in self.plan.scan.usable},
            "split": asdict(self.plan.split),
            "choices": [asdict(choice) for choice in self.plan.choices],
            "precision": self.precision.value,
            "adversarial": self.state.adversary is not None,
            "versions": list_versions(self.setup.device),
        }

    def roll_back(self, divergence: DivergedError) -> RolledBack:
        """Take weights, optimiser and random draws from an earlier checkpoint, and halve the learning rate.

        Where the run stands does not change: it goes on with the sounds that come next.

        Raises:
            TrainingError: it was done too often, or there is no checkpoint to go back to.
        """
        progress, training = self.state.progress, self.plan.config.training
        advice = (
            f"The last checkpoint is intact. Try a lower training.learning_rate (now {training.learning_rate:g}) or "
            "training.precision=float32."
        )
        if progress.n_rollbacks >= training.max_rollbacks:
            after = f" after going back {progress.n_rollbacks} times" if progress.n_rollbacks else ""
            raise TrainingError(f"{divergence}{after} (training.max_rollbacks). {advice}") from divergence
        try:
            checkpoint = open_to_go_back_to(self.writer.folder, training.checkpoint_interval)
            load_state(self.state, checkpoint)
        except CheckpointError as error:
            raise TrainingError(f"{divergence}, and there is nothing to go back to: {error}") from divergence
        progress.n_rollbacks += 1
        progress.learning_rate_scale /= 2
        return RolledBack(
            progress.epoch,
            progress.step,
            str(checkpoint.folder),
            progress.n_rollbacks,
            training.learning_rate * progress.learning_rate_scale,
            str(divergence),
        )

    def describe(self) -> RunStarted:
        """The run as it starts, or goes on."""
        progress, steps_per_epoch = self.state.progress, len(self.setup.train_loader)
        total_steps = self.setup.length.count_total(progress, steps_per_epoch)
        return RunStarted(
            run_dir=str(self.plan.run_dir),
            total_epochs=math.ceil(total_steps / steps_per_epoch),
            total_steps=total_steps,
            steps_per_epoch=steps_per_epoch,
            n_parameters=sum(parameter.numel() for parameter in self.state.model.parameters()),
            device=str(self.setup.device),
            precision=self.precision.value,
            n_train_files=len(self.plan.split.train_paths),
            n_val_files=len(self.plan.split.val_paths),
            n_train_chunks=len(self.training.visited),
            n_val_chunks=len(self.held_out.visited),
            n_quarantined_files=len(self.plan.scan.quarantined),
            dataset_fingerprint=self.plan.scan.fingerprint,
            validation_weakness=self.plan.split.weakness,
            adversarial=self.state.adversary is not None,
            start_epoch=progress.epoch + 1,
            start_step=progress.step,
        )

    def build_preview_renderer(self) -> PreviewRenderer:
        """Renders the loudest chunk of each of the first held-out files, and samples."""
        preview = self.plan.config.preview
        return PreviewRenderer(
            self.plan.run_dir / PREVIEWS,
            self.synthesizer,
            held_out=choose_loudest_chunks(self.held_out, preview.n_reconstructions).to(self.setup.device),
            training=self.training_sounds,
            n_samples=preview.n_samples,
            variations=self._vary_one_chunk(preview.n_variations).to(self.setup.device),
            gain=to_amplitude(-self.plan.config.data.gain_db),
        )

    def _vary_one_chunk(self, n_variations: int) -> Tensor:
        """The loudest chunk of the first training file as it is, then varied. → `[1 + n_variations, chunk_samples]`."""
        chunks = self.training
        first_file = [index for index, chunk in enumerate(chunks.chunks) if chunk.path == chunks.chunks[0].path]
        loudest = max(first_file, key=lambda index: chunks.grid_chunk(index).square().sum().item())
        variations = chunks.vary_chunk(loudest, n_variations, seed=self.plan.config.seed)
        return torch.cat([chunks.grid_chunk(loudest).to(variations.device), variations])


def build_session(plan: Plan, length: RunLength | None = None) -> Session:
    """Build everything a run is made of; a plan with a checkpoint continues it.

    Args:
        length: of the run; as many epochs as are configured if not given.

    Raises:
        SdaError: something cannot be built as configured, or the checkpoint does not fit.
    """
    config = plan.config
    seed_everything(config.seed, config.deterministic)
    device = choose_device(config.training.device)
    features = build_features(config, device)
    saved = None if plan.checkpoint is None or plan.checkpoint.is_start else plan.checkpoint
    if saved is not None:
        check_fit(config, features, saved)
    model = build_model(config, features, device)
    train_loader, val_loader = build_loaders(plan, device)
    held_out = val_loader.dataset
    assert isinstance(held_out, AudioTrainingDataset)
    training_chunks = train_loader.dataset.recut(config.chunk_samples)
    fixed = compute_fixed_chunks(training_chunks, held_out, features, device)
    if config.init_from and saved is None:
        begin_from(model, config, features)
    if not config.init_from or config.init_statistics is InitStatistics.refitted:
        fit = model.fit if saved is not None or not config.init_from else model.refit
        fit(fixed.training, extract_varied(training_chunks, features, device))
    if config.training.compile:
        compile_network(model, device, fixed.training[0])
    optimizer = build_optimizer(model, config.training.learning_rate, config.regularization.weight_decay)
    precision, adversary = _settle_precision(plan, device), None
    if settle_adversarial(plan, model, device):
        adversary = build_adversary(config, model, device, AUTOCAST[precision])
    state = TrainState(model, optimizer, adversary=adversary)
    training = config.training
    writer = CheckpointWriter(plan.run_dir / CHECKPOINTS, training.max_checkpoints, training.checkpoint_interval)
    remove_leftovers(writer.folder)
    if saved is not None:
        restore(state, saved)
        abandon_best(writer.folder, state.progress.epoch)
    setup = TrainingSetup(
        state,
        features=features,
        masking=build_mask(config),
        objective=build_objective(config, model),
        train_loader=train_loader,
        train_eval=fixed.train_eval,
        held_out=fixed.held_out,
        config=training,
        length=length or EpochCount(training.max_epochs),
        device=device,
        autocast=AUTOCAST[precision],
        block_steps=count_block_steps(device),
    )
    return Session(
        plan=plan,
        precision=precision,
        setup=setup,
        synthesizer=build_synthesizer(config, state.average, features, build_prior(config)),
        writer=writer,
        training=training_chunks,
        held_out=held_out,
        training_sounds=list_training_sounds(plan.split, training_chunks.corpus, config.data.root),
    )


def choose_loudest_chunks(dataset: AudioTrainingDataset, n_files: int) -> Tensor:
    """The loudest grid chunk of each of the first `n_files` files. → `[n_files, chunk_samples]`."""
    return torch.cat(
        [
            max((dataset.grid_chunk(index) for index in list(indices)), key=lambda chunk: chunk.square().sum().item())
            for _, indices in islice(
                groupby(range(dataset.n_chunks), lambda index: dataset.chunks[index].path), n_files
            )
        ]
    )


def _settle_precision(plan: Plan, device: torch.device) -> Precision:
    """The precision of a run; one that goes on keeps its own, unless it moved to another kind of device."""
    facts = {} if plan.checkpoint is None else plan.checkpoint.facts
    if "precision" in facts and facts["versions"].get("device") == device.type:
        return Precision(facts["precision"])
    return settle_precision(plan.config.training.precision, device)
