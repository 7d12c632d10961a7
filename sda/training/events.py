"""What a run tells about itself, as it goes on: all events in one module, as they are read together.

Standard library only, so that everything that listens to a run can import it. Losses are in nats per mel
cell (lower is better, and they may be negative); `epoch` counts from 1; `step` counts optimiser steps from 1
over the whole run.
"""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Protocol, get_args


@dataclass(frozen=True)
class RunStarted:
    """A run, or the continuation of one, is about to take its first step."""

    run_dir: str
    """Folder of the run, absolute."""
    total_epochs: int
    total_steps: int
    """Optimiser steps of the whole run."""
    steps_per_epoch: int
    n_parameters: int
    """Trainable numbers of the model."""
    device: str
    precision: str
    """`float32` or `bfloat16`."""
    n_train_files: int
    n_val_files: int
    n_train_chunks: int
    n_val_chunks: int
    n_quarantined_files: int = 0
    dataset_fingerprint: str = ""
    """SHA-256 over the decoded sounds of all usable files."""
    validation_weakness: str = ""
    """Why what is held out says less than it should; empty where whole groups of files are."""
    adversarial: bool = False
    """Whether the training ends with an adversarial phase, against discriminators."""
    start_epoch: int = 1
    """First epoch to be trained; above 1 when a run is continued."""
    start_step: int = 0
    """Optimiser steps already taken."""


@dataclass(frozen=True)
class StepMetrics:
    """One optimiser step."""

    epoch: int
    step: int
    total_steps: int
    train_loss: float
    """Objective of the batch, in train mode: reconstruction + `kl_weight` · KL."""
    recon_loss: float
    """Negative log-likelihood of the batch, nats per mel cell."""
    kl_loss: float
    """KL term of the batch after free bits, nats per mel cell."""
    kl_weight: float
    """Warm-up factor of the KL term, in (0, 1]."""
    learning_rate: float
    step_time_s: float
    """Seconds; where the device is read in blocks, the mean over the block."""
    gradient_norm: float = 0.0
    """L2 norm before clipping."""
    noise_loss: float | None = None
    """Energy score of noise that was drawn, beside `train_loss`; none where no noise is written."""
    adversarial_loss: float | None = None
    """What discriminators add to `train_loss`; none before the adversarial phase."""
    discriminator_loss: float | None = None
    """What the discriminators themselves are trained to lower: 2 where they tell nothing apart, 0 where everything."""


@dataclass(frozen=True)
class EpochMetrics:
    """One epoch, judged in eval mode and without augmentation."""

    epoch: int
    total_epochs: int
    train_loss: float
    """Objective at full KL weight on training chunks that are always the same."""
    val_loss: float
    """The same on the held-out chunks."""
    val_recon_loss: float
    val_kl_loss: float
    kl_divergence: float
    """KL of the held-out posterior against the prior, nats per chunk, without free bits."""
    overfitting_gap: float
    """Relative excess of the held-out over the training error, see `compute_overfitting_gap`."""
    learning_rate: float
    eta_seconds: float
    elapsed_seconds: float
    kl_weight: float = 1.0
    """Warm-up factor at the end of the epoch; below 1 the epoch cannot be the best one."""
    active_units: int = 0
    """Latent dimensions that carry information about the held-out chunks."""
    skipped_steps: int = 0
    """Steps of the run so far that were not taken because loss or gradient were not finite."""
    is_best: bool = False
    """Whether this is the best epoch so far: better than the one before by more than noise."""
    gap_low: float = 0.0
    gap_high: float = 0.0
    """The gap's 95 % interval over files; without width where a single chunk was judged, or nothing is known."""
    gap_slope: float = 0.0
    """Change of the gap an epoch, over the newest epochs; see `fit_gap_slope`."""
    gap_slope_error: float = 0.0
    """Standard error of the slope."""
    verdict: str = ""
    """`too early`, `overfitting`, `no overfitting` or `cannot tell`, see `judge_gap`; empty in runs of old."""
    trend: str = ""
    """`widening`, `narrowing` or `steady`, see `describe_trend`; empty while it is too early."""
    disguise_strength: float | None = None
    """Chance of each augmentation of what discriminators hear, under its former name; none before they are there."""
    discriminator_overfitting: float | None = None
    """How far discriminators take held-out sound for generated: 0 not at all, 1 entirely."""


@dataclass(frozen=True)
class PreviewEvent:
    """A sound was rendered to listen to."""

    epoch: int
    audio_path: str
    sample_rate: int
    """Hz."""
    kind: str = ""
    """`original`, `reconstruction`, `interpolation`, `sample`, `ceiling` or `augmentation`."""
    picture_path: str = ""
    """Spectrogram that belongs to the sound; empty where there is none."""


@dataclass(frozen=True)
class PreviewDue:
    """Everything up to this step has been told, and the model as it is now should be heard, in mid-epoch."""

    epoch: int
    """Epochs completed."""
    step: int


@dataclass(frozen=True)
class SaveDue:
    """Everything up to this step has been told, and the state should be saved as it is now."""

    epoch: int
    """Epochs completed."""
    step: int
    reason: str
    """`time` (the last save is long ago), `asked` (by a signal) or `stopping`."""


@dataclass(frozen=True)
class SecondPhaseStarted:
    """From the next step on, the encoder stands still, and the decoder learns against discriminators too."""

    epoch: int
    """Epochs completed."""
    step: int


@dataclass(frozen=True)
class RolledBack:
    """The run diverged: weights, optimiser and random draws are those of a checkpoint again; steps count on."""

    epoch: int
    """Epochs completed."""
    step: int
    checkpoint: str
    """Where they come from."""
    n_rollbacks: int
    """How often this has happened to the run."""
    learning_rate: float
    """Peak of the learning rate from here on."""
    reason: str


@dataclass(frozen=True)
class CheckpointSaved:
    """The state of the run is safely on disk."""

    epoch: int
    """Epochs completed."""
    path: str
    is_best: bool = False


@dataclass(frozen=True)
class Warned:
    """Something the user should know; the run goes on."""

    kind: str
    """`overfitting`, `posterior_collapse`, `step_skipped`, `out_of_memory`, `preview_failed`, `checkpoint_failed`,
    `evaluation_failed` or `record_failed`."""
    message: str
    epoch: int = 0
    step: int = 0


@dataclass(frozen=True)
class ReconstructionScored:
    """Held-out sound was pushed through something and compared with itself; 0 is perfect everywhere."""

    epoch: int
    source: str
    """`model`, `drawn` (the model's sound with its noise, where it has some), `mean_mel` (the average training
    spectrogram) or `ceiling` (mel and back without a model)."""
    measures: dict[str, float] = field(default_factory=dict)
    """By the key that the registry of measures gives them; in the journal of an older run they stand beside it."""
    n_clips: int = 0
    by_file: dict[str, dict[str, float]] = field(default_factory=dict)
    """The same for each held-out file by its path, means over its `n_clips`, so that runs can be compared in pairs."""


@dataclass(frozen=True)
class Evaluated:
    """A run's best epoch, or its last, was evaluated."""

    epoch: int
    suite: str
    """`small`, as at the end of a training, or `full`."""
    label: str
    """The verdict: `learned`, `underfit`, `unlike`, `overfit`, `replaying` or `cannot tell`."""
    figures: dict[str, float]
    """By the key that they have in `evaluation.json`, such as `memorisation.replay_rate`; all finite."""
    values_path: str
    report_path: str
    name: str = "evaluation"
    """Folder for them among the run's artifacts, which no other evaluation of the run has."""
    headline: str = ""
    """The verdict as a sentence; empty in the journal of an older run, as is what follows."""
    advice: str = ""
    command: str = ""
    """What the advice comes to, as it can be pasted."""
    provenance_path: str = ""
    """`provenance.json`, which says what each new sound is made of; empty where that is not known."""


@dataclass(frozen=True)
class Generated:
    """Sounds were made of a run's best epoch, or its last."""

    epoch: int
    mode: str
    """`sample`, `reconstruct` or `interpolate`."""
    seed: int
    n: int
    """Sounds written."""
    duration_s: float
    folder: str
    audio_paths: list[str]
    """The first of them."""
    name: str = ""
    """Folder for them among the run's artifacts, below `generated`, which no other call has; empty in the journal of an
    older run, where calls of one mode and seed shared one."""
    record_path: str = ""
    """`generated.json`, which says what each of them is."""


@dataclass(frozen=True)
class TrainingCompleteEvent:
    """Training reached its end, by epochs or by early stopping."""

    total_epochs: int
    """Epochs trained."""
    total_time_s: float
    final_train_loss: float
    final_val_loss: float
    best_val_loss: float
    """Held-out loss of the best epoch, the final one where there is none; a later one may be lower within the noise."""
    best_epoch: int
    """The last epoch that was better than the best one before it by more than noise; 0 where none came after the KL
    warm-up."""


@dataclass(frozen=True)
class RunEnded:
    """The last event of a run: how it ended."""

    status: str
    """`finished`, `stopped` (can be continued) or `failed`."""
    epoch: int
    step: int
    reason: str = ""


Event = (
    RunStarted
    | StepMetrics
    | EpochMetrics
    | PreviewEvent
    | PreviewDue
    | SaveDue
    | SecondPhaseStarted
    | RolledBack
    | CheckpointSaved
    | Warned
    | ReconstructionScored
    | Evaluated
    | Generated
    | TrainingCompleteEvent
    | RunEnded
)

EVENT_TYPES: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}
"""Every event by the name it has in the journal."""


class MetricsCallback(Protocol):
    """Anything that can be called with an event."""

    def __call__(self, event: Event, /) -> None: ...


def event_to_dict(event: Event) -> dict[str, Any]:
    """An event as JSON-ready values, its type under `event`."""
    return {"event": type(event).__name__, **asdict(event)}


def event_from_dict(values: dict[str, Any]) -> Event:
    """The event that `event_to_dict` wrote; keys that a later version added are ignored.

    Raises:
        KeyError: `values` names no known event.
        TypeError: a field without default is missing.
    """
    kind = EVENT_TYPES[values["event"]]
    names = {item.name for item in fields(kind)}
    return kind(**{key: value for key, value in values.items() if key in names})
