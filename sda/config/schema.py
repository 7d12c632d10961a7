"""Every section of the configuration, typed, with its unit, range and effect.

Defaults are plain numbers here; `store` links them into layers. Paths are strings, because OmegaConf would print
a `Path` as a Python object. MISSING (`???`) marks what only the user can know.
"""

from dataclasses import dataclass
from enum import Enum

from omegaconf import MISSING

from sda.errors import ConfigError
from sda.setting import check_settings, setting
from sda.training.config import Preset, RegularizationConfig, TrainingConfig


class TrackingBackend(Enum):
    """Where runs are recorded beside their own folder."""

    mlflow = "mlflow"
    none = "none"


class ModelName(Enum):
    """Networks that can be trained."""

    mel_vae = "mel_vae"


@dataclass
class DataConfig:
    """Which sounds are used."""

    root: str = setting(MISSING, "Folder with your sounds; folders inside it are searched too. Never written to.")
    min_duration_s: float = setting(0.1, "Files shorter than this are left out.", unit="s", at_least=0)
    silence_dbfs: float = setting(
        -80.0, "Files whose loudest sample stays below this are left out as silent.", unit="dBFS", at_most=0
    )
    file_count: int = setting(0, "Usable files; counted in root unless you give it.", unit="files", at_least=0)
    n_chunks: int = setting(0, "Chunks in them; counted in root unless you give it.", unit="chunks", at_least=0)

    def __post_init__(self) -> None:
        check_settings(self, "data")


@dataclass
class AudioConfig:
    """The signal and its mel spectrogram."""

    sample_rate_hz: int = setting(48000, "Everything is resampled to this rate.", unit="Hz", at_least=8000)
    n_fft: int = setting(2048, "FFT length of the spectrogram.", unit="samples", at_least=256)
    hop_length: int = setting(512, "Distance between spectrogram frames.", unit="samples", at_least=32)
    n_mels: int = setting(128, "Mel bands; a multiple of 32.", unit="bands", at_least=32)

    def __post_init__(self) -> None:
        check_settings(self, "audio")
        if isinstance(self.n_mels, int) and self.n_mels % 32:
            raise ConfigError(f"audio.n_mels={self.n_mels} is not allowed: use a multiple of 32, such as 96 or 128.")


@dataclass
class ModelConfig:
    """The network and its objective."""

    name: ModelName = setting(ModelName.mel_vae, "Which network learns.")
    energy_weight: float = setting(
        0.2,
        "Weight of the loudness curve beside the spectrogram in the objective; more keeps attacks loud.",
        at_least=0,
    )

    def __post_init__(self) -> None:
        check_settings(self, "model")


@dataclass
class AugmentationConfig:
    """How the sound of a training chunk is varied; held-out chunks never are."""

    probability: float = setting(0.5, "Chance that a chunk is varied at all.", at_least=0, at_most=1)
    gain_db: float = setting(6.0, "Louder or quieter by up to this.", unit="dB", at_least=0, at_most=24)
    polarity: bool = setting(True, "Turn the waveform upside down half of the time: inaudible, yet new to the model.")
    speed: bool = setting(
        True, "Play faster or slower by a ratio of small whole numbers, up to 4:3 (a fourth), pitch included."
    )

    def __post_init__(self) -> None:
        check_settings(self, "augmentation")


@dataclass
class PreviewConfig:
    """What is rendered to listen to while a run goes on."""

    n_reconstructions: int = setting(2, "Held-out chunks rendered beside their originals.", at_least=1, at_most=16)
    n_samples: int = setting(3, "New sounds drawn from the latent space.", at_least=0, at_most=64)

    def __post_init__(self) -> None:
        check_settings(self, "preview")


@dataclass
class TrackingConfig:
    """Where runs are recorded and compared."""

    backend: TrackingBackend = setting(TrackingBackend.mlflow, "tracking=mlflow or tracking=none chooses it.")
    uri: str = setting(
        "sqlite:///mlflow.db", "MLflow store: a SQLite file, relative to where you stand, or http://… of a server."
    )
    experiment: str = setting("sda", "MLflow experiment that the runs appear in.")
    close_timeout_s: float = setting(
        60.0, "How long a run waits at its end for MLflow; `make sync` delivers what is left.", unit="s", at_least=0
    )

    def __post_init__(self) -> None:
        check_settings(self, "tracking")


@dataclass
class EvaluationConfig:
    """What is measured on held-out sound."""

    max_clips: int = setting(
        64, "Held-out chunks turned back into sound and compared, spread over the files.", unit="chunks", at_least=1
    )

    def __post_init__(self) -> None:
        check_settings(self, "evaluation")


@dataclass
class TrainRunConfig:
    """Everything `train.py` can be told."""

    data: DataConfig = setting(DataConfig, "")
    preset: Preset = setting(Preset, "")
    training: TrainingConfig = setting(TrainingConfig, "")
    regularization: RegularizationConfig = setting(RegularizationConfig, "")
    audio: AudioConfig = setting(AudioConfig, "")
    model: ModelConfig = setting(ModelConfig, "")
    augmentation: AugmentationConfig = setting(AugmentationConfig, "")
    preview: PreviewConfig = setting(PreviewConfig, "")
    evaluation: EvaluationConfig = setting(EvaluationConfig, "")
    tracking: TrackingConfig = setting(TrackingConfig, "")
    seed: int = setting(0, "Decides the split and every random draw of the run.", at_least=0)
    deterministic: bool = setting(False, "Exact repetition on a GPU, slower; on the CPU runs repeat exactly anyway.")
    resume: str | None = setting(
        None, "Continue a run: its folder, its MLflow run id, or `last`. Every other key then comes from that run."
    )
    verbose: bool = setting(False, "Say more; -v does the same.")

    def __post_init__(self) -> None:
        check_settings(self, "")


@dataclass
class EvaluateConfig:
    """Everything `evaluate.py` can be told."""

    run: str = setting(MISSING, "The run: its folder, its MLflow run id, or `last`.")
    max_clips: int = setting(
        64, "Held-out chunks turned back into sound and compared, spread over the files.", unit="chunks", at_least=1
    )
    device: str = setting("auto", "auto (CUDA, then MPS, then CPU), cpu, cuda, cuda:N or mps.")

    def __post_init__(self) -> None:
        check_settings(self, "")


@dataclass
class GenerateConfig:
    """Everything `generate.py` can be told."""

    run: str = setting(MISSING, "The run: its folder, its MLflow run id, or `last`.")
    n: int = setting(8, "Sounds to write.", unit="files", at_least=1)
    duration_s: float = setting(4.0, "Length of each.", unit="s", above=0, at_most=600)
    seed: int = setting(0, "The same seed gives the same sounds.", at_least=0)
    device: str = setting("auto", "auto (CUDA, then MPS, then CPU), cpu, cuda, cuda:N or mps.")

    def __post_init__(self) -> None:
        check_settings(self, "")
