"""The whole configuration of `train.py` and `scan.py`, section by section."""

from dataclasses import dataclass

from sda.config.data import AudioConfig, AugmentationConfig, DataConfig
from sda.config.model import InitStatistics, ModelConfig, PriorConfig
from sda.config.running import CheckpointConfig, EvaluationConfig, PreviewConfig, SweepConfig, TrackingConfig
from sda.config_field import check_settings, setting
from sda.training.config import RegularizationConfig, TrainingConfig
from sda.training.presets import Preset


@dataclass
class TrainRunConfig:
    """Everything `train.py` can be told."""

    data: DataConfig = setting(DataConfig, "")
    preset: Preset = setting(Preset, "", repeats=True)
    training: TrainingConfig = setting(TrainingConfig, "")
    regularization: RegularizationConfig = setting(RegularizationConfig, "")
    audio: AudioConfig = setting(AudioConfig, "", in_loss=True)
    model: ModelConfig = setting(ModelConfig, "", in_loss=True)
    prior: PriorConfig = setting(PriorConfig, "")
    augmentation: AugmentationConfig = setting(AugmentationConfig, "", is_detail=True)
    preview: PreviewConfig = setting(PreviewConfig, "", compared=False)
    checkpoint: CheckpointConfig = setting(CheckpointConfig, "")
    evaluation: EvaluationConfig = setting(EvaluationConfig, "", compared=False)
    tracking: TrackingConfig = setting(TrackingConfig, "", decides=False, compared=False)
    sweep: SweepConfig = setting(SweepConfig, "", compared=False)
    seed: int = setting(0, "Decides the split and every random draw of the run.", at_least=0)
    deterministic: bool = setting(
        False, "Exact repetition on a GPU, slower; on the CPU runs repeat exactly anyway.", is_detail=True
    )
    init_from: str = setting(
        "",
        "Begin with the weights of an earlier model that was built alike: a run's folder, its MLflow run id, `last`, "
        "or a model file; empty to begin anew.",
        is_path=True,
    )
    init_statistics: InitStatistics = setting(
        InitStatistics.refitted,
        "With init_from: refitted, statistics and principal components of these sounds; kept, those of the earlier "
        "model, where its sounds were much like these.",
        is_detail=True,
    )
    resume: str | None = setting(
        None,
        "Continue a run: its folder, its MLflow run id, or `last`. Every other key then comes from that run.",
        decides=False,
        is_path=True,
    )
    verbose: bool = setting(False, "Say more; -v does the same.", resumable=True, decides=False, compared=False)

    def __post_init__(self) -> None:
        check_settings(self, "")

    @property
    def chunk_samples(self) -> int:
        """Samples of a chunk."""
        return round(self.training.chunk_duration_s * self.audio.sample_rate_hz)

    @property
    def crop_samples(self) -> int:
        """Samples that a step hears of a chunk."""
        return round(self.training.crop_duration_s * self.audio.sample_rate_hz)


@dataclass
class ScanConfig(TrainRunConfig):
    """Everything `scan.py` can be told: what `train.py` can, and where its page goes."""

    output: str = setting(
        "",
        "The page that is written, a new file; empty for scans/<folder>-<fingerprint>.html where you stand.",
        is_path=True,
    )
    estimate: bool = setting(True, "Take a few training steps on noise to tell how long training would last.")
