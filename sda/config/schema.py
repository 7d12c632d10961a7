"""Every section of the configuration, typed, with its unit, range and effect.

Defaults are plain numbers here; `store` links them into layers. Paths are strings, because OmegaConf would print
a `Path` as a Python object. MISSING (`???`) marks what only the user can know.
"""

from dataclasses import dataclass
from enum import Enum

from omegaconf import MISSING

from sda.config_field import check_settings, setting
from sda.errors import ConfigError
from sda.measures import AT_END, OF_TRAINING
from sda.training.config import Preset, RegularizationConfig, TrainingConfig


class TrackingBackend(Enum):
    """Where runs are recorded beside their own folder."""

    mlflow = "mlflow"
    none = "none"


class ModelName(Enum):
    """Networks that can be trained."""

    spectral_vae = "spectral_vae"
    """Latents along time, and a decoder that writes the waveform."""
    mel_vae = "mel_vae"
    """One latent a chunk, spectrograms, and Griffin-Lim: the baseline."""


class ModelSize(Enum):
    """How large spectral_vae is."""

    tiny = "tiny"
    """1 million parameters; for a CPU."""
    small = "small"
    """3 million."""
    base = "base"
    """13 million; for a GPU."""


class PriorName(Enum):
    """Where new paths through the latent space come from."""

    auto = "auto"
    """mosaic for spectral_vae, density for mel_vae."""
    mosaic = "mosaic"
    """Put together from places of training sound whose surroundings fit; it knows its sources."""
    density = "density"
    """A mixture of Gaussians that remembers four latents."""


class Adversarial(Enum):
    """When a training ends with discriminators."""

    auto = "auto"
    """On a CUDA device of at least 8 GB."""
    always = "always"
    never = "never"


@dataclass
class DataConfig:
    """Which sounds are used."""

    root: str = setting(MISSING, "Folder with your sounds; folders inside it are searched too. Never written to.")
    min_duration_s: float = setting(0.02, "Files shorter than this are left out.", unit="s", at_least=0)
    silence_dbfs: float = setting(
        -80.0, "Files whose loudest sample stays below this are left out as silent.", unit="dBFS", at_most=0
    )
    file_count: int = setting(0, "Usable files; counted in root unless you give it.", unit="files", at_least=0)
    n_chunks: int = setting(0, "Chunks in them; counted in root unless you give it.", unit="chunks", at_least=0)
    gain_db: float = setting(
        0.0,
        "All sounds are turned up by this while they are learned and judged, and what is made is turned down again; "
        "chosen so that they come to -20 dBFS together unless you give it.",
        unit="dB",
        at_least=-60,
        at_most=120,
    )
    group_by: str = setting(
        "auto",
        "Regular expression on each file's path below root: files in which it finds the same text are never split "
        "between training and held-out. takes finds alike what differs in an ending such as -A, take 2 or (3); auto "
        "does where that leaves 3 groups; empty is off.",
    )
    folds: int = setting(
        0,
        "Cross-validation: cut the groups into this many parts and hold one out; 0 holds out val_fraction.",
        at_least=0,
    )
    fold: int = setting(
        0, "The part that is held out, counted from 0; sweep over it with -m data.fold=0,1,2.", at_least=0
    )
    cache_dir: str = setting(
        "", "Where decoded sound is kept; empty for $SDA_CACHE_DIR or the system's folder for caches."
    )
    cache_max_gb: float = setting(
        50.0, "Decoded sound used longest ago is dropped above this; one hour takes 0.7.", unit="GB", above=0
    )

    def __post_init__(self) -> None:
        check_settings(self, "data")


@dataclass
class AudioConfig:
    """The signal and its mel spectrogram."""

    sample_rate_hz: int = setting(
        48000, "Everything is resampled to this rate.", unit="Hz", at_least=8000, at_most=768000
    )
    n_fft: int = setting(2048, "FFT length of the spectrogram.", unit="samples", at_least=256, at_most=65536)
    hop_length: int = setting(512, "Distance between spectrogram frames.", unit="samples", at_least=32, at_most=65536)
    n_mels: int = setting(128, "Mel bands; a multiple of 32.", unit="bands", at_least=32, at_most=1024)

    def __post_init__(self) -> None:
        check_settings(self, "audio")
        if isinstance(self.n_mels, int) and self.n_mels % 32:
            raise ConfigError(f"audio.n_mels={self.n_mels} is not allowed: use a multiple of 32, such as 96 or 128.")


@dataclass
class LossWeights:
    """What spectral_vae is trained to bring near: weights of distances between sounds; 0 leaves one out."""

    mel: float = setting(1.0, "Log-mel spectrograms of seven window lengths: timbre and level.", at_least=0)
    convergence: float = setting(1.0, "Peaks of the spectrum: partials and attacks.", at_least=0)
    log_magnitude: float = setting(1.0, "Every frequency bin alike: noise and decays.", at_least=0)
    waveform: float = setting(0.0, "The samples themselves, phases included.", at_least=0)

    def __post_init__(self) -> None:
        check_settings(self, "model.losses")


@dataclass
class SecondPhaseConfig:
    """The end of a training of spectral_vae, where its decoder meets discriminators."""

    share: float = setting(
        0.4, "Part of the training, at its end; never before the KL warm-up is over.", above=0, below=1
    )
    adversarial_weight: float = setting(
        0.1, "Weight of sounding real beside the logarithm of the error; more is sharper, and less exact.", at_least=0
    )
    feature_weight: float = setting(
        0.5, "Weight of what discriminators notice: the distance of their activations.", at_least=0
    )
    lecam_weight: float = setting(
        0.1, "Weight of the pull that keeps their scores together; more keeps them from being too sure.", at_least=0
    )

    def __post_init__(self) -> None:
        check_settings(self, "model.second_phase")


@dataclass
class ModelConfig:
    """The network and its objective."""

    name: ModelName = setting(
        ModelName.mel_vae, "Which network learns; model=mel_vae or model=spectral_vae chooses it."
    )
    latent_dim: int = setting(64, "Sets training.latent_dim.", unit="dimensions", at_least=1, at_most=4096)
    largest_batch: int = setting(
        32, "Most chunks a step learns from where training.batch_size follows the data.", unit="chunks", at_least=1
    )
    energy_weight: float = setting(
        0.2,
        "mel_vae: weight of the loudness curve beside the spectrogram in the objective; more keeps attacks loud.",
        at_least=0,
    )
    size: ModelSize = setting(
        ModelSize.tiny, "spectral_vae: tiny, small or base; larger ones hear more and take longer."
    )
    frames_per_latent: int = setting(
        4,
        "spectral_vae: spectrogram frames to a latent, an even number; fewer follow quicker changes, and leave fewer "
        "numbers for timbre.",
        unit="frames",
        at_least=2,
        at_most=32,
    )
    bounded: bool = setting(
        False,
        "spectral_vae: squeeze timbre into fixed bounds and blur it by fixed noise, in place of a learned posterior.",
    )
    noise: bool = setting(
        True,
        "spectral_vae: learn how much of every band is noise, and draw that anew in every sound; without it, rain and "
        "breath become an average that no longer moves.",
    )
    kl_weight: float = setting(
        1e-3,
        "spectral_vae: weight of the KL of a latent's dimension beside the logarithm of the error; more smooths the "
        "latent space, less keeps detail.",
        at_least=0,
    )
    losses: LossWeights = setting(LossWeights, "")
    adversarial: Adversarial = setting(
        Adversarial.never,
        "spectral_vae: end the training with discriminators: always, never, or auto: on a CUDA device of 8 GB or more. "
        "It costs a third more time, and gained nothing that was measured in two to ten minutes.",
    )
    second_phase: SecondPhaseConfig = setting(SecondPhaseConfig, "")

    def __post_init__(self) -> None:
        check_settings(self, "model")


MODELS = {
    ModelName.mel_vae: ModelConfig(),
    ModelName.spectral_vae: ModelConfig(name=ModelName.spectral_vae, latent_dim=64, largest_batch=8),
}
"""What each choice in the group `model` sets."""


@dataclass
class PriorConfig:
    """Where new sounds come from; `generate.py` can choose all but the name anew."""

    name: PriorName = setting(
        PriorName.auto,
        "mosaic puts training sound together anew and knows its sources; density is a mixture of Gaussians; auto takes "
        "mosaic for spectral_vae, density for mel_vae.",
    )
    novelty: float = setting(
        0.1,
        "mosaic: 0 stays with one recording at a time and quotes it, above that others move it, four at once at 1; "
        "more is newer, and less like the corpus.",
        at_least=0,
        at_most=1,
    )
    memory_s: float = setting(
        2.7,
        "mosaic: over how long a time what comes fits what was; more makes longer events, and longer quotations.",
        unit="s",
        at_least=0.1,
        at_most=10,
    )
    temperature: float = setting(
        1.0, "Scales what is left to chance; less keeps closer to what is likeliest.", at_least=0, at_most=2
    )

    def __post_init__(self) -> None:
        check_settings(self, "prior")

    def choose(self, model: ModelName) -> PriorName:
        """The prior that is named, or the one that suits a model."""
        if self.name is not PriorName.auto:
            return self.name
        return PriorName.mosaic if model is ModelName.spectral_vae else PriorName.density


@dataclass
class AugmentationConfig:
    """How the sound of a training chunk is varied; held-out chunks never are.

    Each chance is one among varied chunks; ranges are scaled by `regularization.augmentation_strength`.
    """

    probability: float = setting(0.5, "Chance that a chunk is varied at all.", at_least=0, at_most=1)
    offset_chunks: float = setting(
        0.5, "Extra visits to a chunk start earlier or later by up to this.", unit="chunks", at_least=0, at_most=1
    )
    gain_db: float = setting(6.0, "Louder or quieter by up to this.", unit="dB", at_least=0, at_most=24)
    polarity_probability: float = setting(
        0.5, "Chance to turn the waveform upside down: inaudible.", at_least=0, at_most=1
    )
    speed_probability: float = setting(0.8, "Chance to play faster or slower, pitch included.", at_least=0, at_most=1)
    speed_ratio: float = setting(
        4 / 3, "Largest change of speed, up to 4:3 (a fourth), in steps of just intonation.", at_least=1, at_most=4 / 3
    )
    tilt_probability: float = setting(0.3, "Chance to make the sound brighter or darker.", at_least=0, at_most=1)
    tilt_db: float = setting(
        1.0, "Brighter or darker by up to this, around 1 kHz.", unit="dB per octave", at_least=0, at_most=6
    )
    phase_probability: float = setting(
        0.2, "Chance to turn the phase of all frequencies by one angle: hardly audible.", at_least=0, at_most=1
    )
    mix_same_file_probability: float = setting(
        0.0, "Chance to mix in another place of the same file.", at_least=0, at_most=1
    )
    mix_corpus_probability: float = setting(
        0.0, "Chance to mix in any other training sound: makes sounds that you never made.", at_least=0, at_most=1
    )
    mix_db: float = setting(-6.0, "Loudest that is mixed in; it lies up to 12 dB below this.", unit="dB", at_most=0)
    time_mask_probability: float = setting(
        0.0,
        "Chance to hide a stretch of time from the encoder, which is judged by the whole sound.",
        at_least=0,
        at_most=1,
    )
    time_mask_s: float = setting(0.1, "Longest stretch hidden.", unit="s", above=0)
    band_mask_probability: float = setting(
        0.0, "Chance to hide neighbouring mel bands from the encoder in the same way.", at_least=0, at_most=1
    )
    band_mask_bands: int = setting(12, "Most bands hidden.", unit="bands", at_least=1)

    def __post_init__(self) -> None:
        check_settings(self, "augmentation")


@dataclass
class PreviewConfig:
    """What is rendered to listen to while a run goes on."""

    n_reconstructions: int = setting(2, "Held-out chunks rendered beside their originals.", at_least=1, at_most=16)
    n_samples: int = setting(3, "New sounds drawn from the latent space.", at_least=0, at_most=64)
    n_variations: int = setting(
        5, "Variations of a training chunk rendered once, to hear what the model is shown.", at_least=0, at_most=16
    )

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
class CheckpointConfig:
    """When the state of a run is saved, beside every `training.checkpoint_interval` epochs."""

    every_minutes: float = setting(
        5.0, "Save also when the last save is this long ago, in mid-epoch too; 0 does not.", unit="min", at_least=0
    )

    def __post_init__(self) -> None:
        check_settings(self, "checkpoint")


class Suite(Enum):
    """How much is evaluated at the end of a training."""

    none = "none"
    small = "small"
    full = "full"


class WhichCheckpoint(Enum):
    """The state of a run that is evaluated."""

    best = "best"
    last = "last"


@dataclass
class EvaluationConfig:
    """What is measured at the end of a training."""

    at_end: Suite = setting(
        Suite.small, "small takes a fraction of the time of evaluate.py, full is the same; none only reconstructs."
    )
    max_clips: int = setting(
        64, "Held-out chunks turned back into sound and compared, spread over the files.", unit="chunks", at_least=1
    )

    def __post_init__(self) -> None:
        check_settings(self, "evaluation")


def _check_length(key: str, value: float | str) -> None:
    if isinstance(value, str) and value != AUTO_LENGTH:
        raise ConfigError(f"{key}={value} is not allowed: give seconds, such as 4, or {AUTO_LENGTH}.")


_OBJECTIVES = (
    f"{', '.join(AT_END)} (of held-out sound), {', '.join(OF_TRAINING)}, or a key of evaluation.json such as "
    "memorisation.replay_rate"
)


@dataclass
class SweepConfig:
    """Several trainings with one command (-m)."""

    resume: bool = setting(
        False,
        "Go on with the newest sweep of the same command: jobs that finished are not run again, others go on from "
        "their last checkpoint. For an older one, give its folder: hydra.sweep.dir=…",
    )
    objective: str = setting(
        "log_mel_l1_db",
        f"What runs are ranked by, and hydra/sweeper=optuna makes small: {_OBJECTIVES}.",
    )

    def __post_init__(self) -> None:
        check_settings(self, "sweep")


@dataclass
class TrainRunConfig:
    """Everything `train.py` can be told."""

    data: DataConfig = setting(DataConfig, "")
    preset: Preset = setting(Preset, "")
    training: TrainingConfig = setting(TrainingConfig, "")
    regularization: RegularizationConfig = setting(RegularizationConfig, "")
    audio: AudioConfig = setting(AudioConfig, "")
    model: ModelConfig = setting(ModelConfig, "")
    prior: PriorConfig = setting(PriorConfig, "")
    augmentation: AugmentationConfig = setting(AugmentationConfig, "")
    preview: PreviewConfig = setting(PreviewConfig, "")
    checkpoint: CheckpointConfig = setting(CheckpointConfig, "")
    evaluation: EvaluationConfig = setting(EvaluationConfig, "")
    tracking: TrackingConfig = setting(TrackingConfig, "")
    sweep: SweepConfig = setting(SweepConfig, "")
    seed: int = setting(0, "Decides the split and every random draw of the run.", at_least=0)
    deterministic: bool = setting(False, "Exact repetition on a GPU, slower; on the CPU runs repeat exactly anyway.")
    resume: str | None = setting(
        None, "Continue a run: its folder, its MLflow run id, or `last`. Every other key then comes from that run."
    )
    verbose: bool = setting(False, "Say more; -v does the same.")

    def __post_init__(self) -> None:
        check_settings(self, "")

    @property
    def chunk_samples(self) -> int:
        """Samples of a chunk."""
        return round(self.training.chunk_duration_s * self.audio.sample_rate_hz)


@dataclass
class ScanConfig(TrainRunConfig):
    """Everything `scan.py` can be told: what `train.py` can, and where its page goes."""

    output: str = setting(
        "", "The page that is written, a new file; empty for scans/<folder>-<fingerprint>.html where you stand."
    )
    estimate: bool = setting(True, "Take a few training steps on noise to tell how long training would last.")


AUTO_LENGTH = "auto"
"""Stands for lengths as in the corpus."""


@dataclass
class EvaluateConfig:
    """Everything `evaluate.py` can be told."""

    run: str = setting("", "The run: its folder, its MLflow run id, or `last`; several, with commas, side by side.")
    reference: str = setting("", "Without a run: folder of real sound that generated sound is compared with.")
    generated: str = setting("", "Without a run: folder of generated sound.")
    held_out: str = setting("", "Without a run: folder of real sound that the generator never heard.")
    output: str = setting(
        "",
        "Folder for evaluation.json and report.html, new or empty; empty for a new one in the run's: `evaluation`, "
        "`evaluation-2` …, or evaluations/<time>.",
    )
    checkpoint: WhichCheckpoint = setting(WhichCheckpoint.best, "The state of the run that is evaluated.")
    max_clips: int = setting(
        64, "Held-out chunks turned back into sound and compared, spread over the files.", unit="chunks", at_least=1
    )
    n_generated: int = setting(48, "Sounds generated to be judged.", unit="sounds", at_least=1)
    generated_s: int | float | str = setting(
        AUTO_LENGTH,
        "Length of each; auto: lengths as in the corpus, up to 10 s, and of short sounds more of them.",
        unit="s",
        at_least=1,
        at_most=60,
    )
    sample_rate_hz: int = setting(
        48000, "Without a run: everything is resampled to this rate.", unit="Hz", at_least=8000, at_most=192000
    )
    cache_dir: str = setting(
        "", "Without a run: where decoded sound is kept; empty for $SDA_CACHE_DIR or the system's folder for caches."
    )
    seed: int = setting(0, "Decides what is generated and which files are drawn for the intervals.", at_least=0)
    device: str = setting("auto", "auto (CUDA, then MPS, then CPU), cpu, cuda, cuda:N or mps.")

    def __post_init__(self) -> None:
        check_settings(self, "")
        _check_length("generated_s", self.generated_s)


@dataclass
class CompareConfig:
    """Everything `compare.py` can be told."""

    runs: str = setting("", "Runs, with commas: folders, MLflow run ids, or `last`.")
    sweep: str = setting("", "All runs of a sweep: its folder, the MLflow id of its parent run, or `last`.")
    objective: str = setting(
        "log_mel_l1_db",
        f"What runs are ranked by: {_OBJECTIVES}; lower is better.",
    )
    output: str = setting(
        "",
        "Folder for comparison.html and comparison.csv, new or empty; empty for the sweep's, or comparisons/<time>.",
    )

    def __post_init__(self) -> None:
        check_settings(self, "")


GenerateMode = Enum(
    "GenerateMode",
    {
        "sample": "sample",
        "continue": "continue",
        "vary": "vary",
        "blend": "blend",
        "loop": "loop",
        "reconstruct": "reconstruct",
        "interpolate": "interpolate",
    },
)
"""What is made of a run; not a class, as one of the modes is called as Python's `continue` is."""


class BlendLoudness(Enum):
    """Whose loudness a blend of two sounds has."""

    mix = "mix"
    first = "first"
    second = "second"


LONGEST_S = 3600.0


@dataclass
class GenerateConfig:
    """Everything `generate.py` can be told."""

    run: str = setting(MISSING, "The run: its folder, its MLflow run id, or `last`.")
    mode: GenerateMode = setting(
        GenerateMode.sample,
        "sample draws new sounds, loop such as go round without a seam; continue goes on from the end of a given "
        "sound; vary makes relatives of one; blend holds two at once; reconstruct sends given sounds through the "
        "model; interpolate goes from one to the next.",
    )
    n: int = setting(8, "Sounds to write; reconstruct writes at most one for each source.", unit="files", at_least=1)
    duration_s: int | float | str = setting(
        4.0,
        "Length of each, of continue what is added; vary, blend and reconstruct take no more than so much of each "
        "source. auto, with sample: lengths as in the corpus.",
        unit="s",
        above=0,
        at_most=LONGEST_S,
    )
    seed: int = setting(0, "The same seed gives the same sounds.", at_least=0)
    novelty: float | None = setting(
        None,
        "sample: how new, from 0, one recording at a time, to 1, four others that move it in every moment; the run's "
        "prior.novelty if not given.",
        at_least=0,
        at_most=1,
    )
    memory_s: float | None = setting(
        None,
        "sample: over how long a time what comes fits what was; the run's prior.memory_s if not given.",
        unit="s",
        at_least=0.1,
        at_most=10,
    )
    temperature: float | None = setting(
        None, "sample: scales what is left to chance; the run's prior.temperature if not given.", at_least=0, at_most=2
    )
    strength: float = setting(
        0.5, "vary: 0 is the given sound as the model rebuilds it, 1 a new one.", at_least=0, at_most=1
    )
    share: float = setting(0.5, "blend: of the second sound.", at_least=0, at_most=1)
    loudness: BlendLoudness = setting(
        BlendLoudness.mix, "blend: whose loudness it has; first and second are for spectral_vae."
    )
    noise: bool = setting(
        True, "Draw what the model takes for noise, by the seed; without it, the deterministic part alone is written."
    )
    source: str = setting(
        "", "For all modes but sample and loop: a sound file, or a folder of them; empty for what the run held out."
    )
    output: str = setting(
        "", "Folder for the sounds, new or empty; empty for a new one in the run's: generated/<mode>_seed_<seed>, …-2 …"
    )
    checkpoint: WhichCheckpoint = setting(WhichCheckpoint.best, "The state of the run that is used.")
    device: str = setting("auto", "auto (CUDA, then MPS, then CPU), cpu, cuda, cuda:N or mps.")

    def __post_init__(self) -> None:
        check_settings(self, "")
        _check_length("duration_s", self.duration_s)
