"""Configuration of the verbs that start from trained runs: evaluate, compare and generate."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from omegaconf import MISSING

from sda.config.running import OBJECTIVES
from sda.config_field import check_settings, setting
from sda.errors import ConfigError

LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 8000, 192000


class WhichCheckpoint(Enum):
    """The state of a run that is evaluated."""

    best = "best"
    last = "last"


def _check_rate(key: str, value: int) -> None:
    if value and not LOWEST_RATE_HZ <= value <= HIGHEST_RATE_HZ:
        raise ConfigError(
            f"{key}={value} is not allowed: give {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ}, such as 44100, or 0 for the "
            "model's own."
        )


def _check_length(key: str, value: float | str) -> None:
    if isinstance(value, str) and value != AUTO_LENGTH:
        raise ConfigError(f"{key}={value} is not allowed: give seconds, such as 4, or {AUTO_LENGTH}.")


class SoundFormat(Enum):
    """What sound is written as."""

    wav16 = "wav16"
    wav24 = "wav24"
    wav32f = "wav32f"
    flac = "flac"


AUTO_LENGTH = "auto"
"""Stands for lengths as in the corpus."""


@dataclass
class MovedSounds:
    """Where sounds are that a run was trained on."""

    root: str = setting(
        "",
        "Where the sounds of the run lie now, if they have moved since it was trained: a folder, or several as "
        "'[~/piano,~/rain]'. They are known by content.",
        is_path=True,
        is_folder=True,
        takes_several=True,
    )


@dataclass
class EvaluateConfig:
    """Everything `evaluate.py` can be told."""

    run: str = setting(
        "", "The run: its folder, its MLflow run id, or `last`; several, with commas, side by side.", is_path=True
    )
    data: MovedSounds = setting(MovedSounds, "")
    reference: str = setting(
        "", "Without a run: folder of real sound that generated sound is compared with.", is_path=True
    )
    generated: str = setting("", "Without a run: folder of generated sound.", is_path=True)
    held_out: str = setting("", "Without a run: folder of real sound that the generator never heard.", is_path=True)
    output: str = setting(
        "",
        "Folder for evaluation.json and report.html, new or empty; empty for a new one in the run's: `evaluation`, "
        "`evaluation-2` …, or evaluations/<time>.",
        is_path=True,
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
        48000,
        "Without a run: everything is resampled to this rate.",
        unit="Hz",
        at_least=LOWEST_RATE_HZ,
        at_most=HIGHEST_RATE_HZ,
    )
    cache_dir: str = setting(
        "",
        "Without a run: where decoded sound is kept; empty for $SDA_CACHE_DIR or the system's folder for caches.",
        is_path=True,
    )
    seed: int = setting(0, "Decides what is generated and which files are drawn for the intervals.", at_least=0)
    device: str = setting("auto", "auto (CUDA, then MPS, then CPU), cpu, cuda, cuda:N or mps.")

    def __post_init__(self) -> None:
        check_settings(self, "")
        _check_length("generated_s", self.generated_s)


@dataclass
class CompareConfig:
    """Everything `compare.py` can be told."""

    runs: str = setting("", "Runs, with commas: folders, MLflow run ids, or `last`.", is_path=True)
    sweep: str = setting(
        "", "All runs of a sweep: its folder, the MLflow id of its parent run, or `last`.", is_path=True
    )
    objective: str = setting(
        "log_mel_l1_db",
        f"What runs are ranked by: {OBJECTIVES}; lower is better.",
    )
    output: str = setting(
        "",
        "Folder for comparison.html and comparison.csv, new or empty; empty for the sweep's, or comparisons/<time>.",
        is_path=True,
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
        "transfer": "transfer",
        "walk": "walk",
    },
)
"""What is made of a run; not a class, as one of the modes is called as Python's `continue` is."""


class BlendLoudness(Enum):
    """Whose loudness a blend of two sounds has."""

    mix = "mix"
    first = "first"
    second = "second"


LONGEST_S = 3600.0
"""Of a sound that is made, however long it is asked to be, or a recording was."""


Turned = int | float | str | None
"""How far a control is turned: a number, a curve over time, or a file with one."""


def _control(words: str, unit: str) -> Any:
    return setting(
        None, f"Control: {words}; a number, or a curve as of share.", unit=unit, is_curve=True, is_control=True
    )


@dataclass
class GenerateConfig:
    """Everything `generate.py` can be told."""

    run: str = setting(MISSING, "The run: its folder, its MLflow run id, or `last`.", is_path=True)
    data: MovedSounds = setting(MovedSounds, "")
    mode: GenerateMode = setting(
        GenerateMode.sample,
        "sample draws new sounds, loop such as go round without a seam; continue goes on from the end of a given "
        "sound; vary makes relatives of one; blend holds two at once; reconstruct sends given sounds through the "
        "model; interpolate goes from one to the next; transfer plays the loudness and the onsets of a given sound "
        "with the timbre of the run's; walk goes past places on the map of what the run was trained on.",
    )
    n: int = setting(
        8, "Sounds to write; reconstruct and transfer write at most one for each source.", unit="files", at_least=1
    )
    duration_s: int | float | str = setting(
        4.0,
        "Length of each, of continue what is added; vary, blend, transfer and reconstruct take no more than so much "
        "of each source. auto, with sample: lengths as in the corpus.",
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
        modes="sample,loop,continue,vary",
    )
    memory_s: float | None = setting(
        None,
        "sample: over how long a time what comes fits what was; transfer: how unwillingly a recording is left; the "
        "run's prior.memory_s if not given.",
        unit="s",
        at_least=0.1,
        at_most=10,
        modes="sample,loop,continue,vary,transfer",
    )
    temperature: float | None = setting(
        None,
        "sample: scales what is left to chance; the run's prior.temperature if not given.",
        at_least=0,
        at_most=2,
        modes="sample,loop,continue,vary",
    )
    strength: float = setting(
        0.5, "vary: 0 is the given sound as the model rebuilds it, 1 a new one.", at_least=0, at_most=1, modes="vary"
    )
    share: int | float | str = setting(
        0.5,
        "blend: of the second sound; over time as TIME_S:VALUE,TIME_S:VALUE, such as 0:0,4:1, or a CSV file of both.",
        at_least=0,
        at_most=1,
        is_curve=True,
        modes="blend",
    )
    loudness: BlendLoudness = setting(
        BlendLoudness.mix, "blend: whose loudness it has; first and second are for spectral_vae.", modes="blend"
    )
    adherence: float = setting(
        0.3,
        "transfer: 1 has exactly the given sound's loudness; 0 the loudness of the passages that are likest to it.",
        at_least=0,
        at_most=1,
        modes="transfer",
    )
    places: str = setting(
        "",
        "walk: moments of recordings that it goes past, evenly spread over duration_s, as NAME@SECONDS with commas, "
        "such as rain_01.wav@1.5,rain_04.wav@0; names as in generated.json.",
        is_path=True,
        modes="walk",
    )
    wanted: str = setting(
        "",
        "sample and loop: what new sounds shall be like, as DESCRIPTOR:PLACE with commas, such as "
        "brightness:0.9,pitch:0.2; 0 is where real sound's range begins (5 %), 1 where it ends (95 %). Of several "
        "drawn, the nearest is kept, and controls that keep their word do the rest.",
        is_wanted=True,
        modes="sample,loop",
    )
    level: Turned = _control("louder or quieter", "dB")
    brightness: Turned = _control("brighter or darker, by the spectral centroid", "octaves")
    noisiness: Turned = _control("noisier or purer; white noise is 1 noisier than a tone", "")
    decay: Turned = _control("every event falls more quickly, or rings on below 0", "dB/s")
    pitch_strength: Turned = _control("the wave repeats itself more exactly", "")
    roughness: Turned = _control("the level trembles more at 30 to 150 Hz", "")
    axis_1: Turned = _control("level, where it does not keep its word on this model and has no name", "dB")
    axis_2: Turned = _control("what would be brightness, likewise", "octaves")
    axis_3: Turned = _control("what would be noisiness, likewise", "")
    axis_4: Turned = _control("what would be decay, likewise", "dB/s")
    axis_5: Turned = _control("what would be pitch strength, likewise", "")
    axis_6: Turned = _control("what would be roughness, likewise", "")
    noise: bool = setting(
        True, "Draw what the model takes for noise, by the seed; without it, the deterministic part alone is written."
    )
    source: str = setting(
        "",
        "For all modes but sample, loop and walk: a sound file, or a folder of them; empty for what the run held out.",
        is_path=True,
    )
    output: str = setting(
        "",
        "Folder for the sounds, new or empty; empty for a new one in the run's: generated/<mode>_seed_<seed>, …-2 …",
        is_path=True,
    )
    format: SoundFormat = setting(
        SoundFormat.wav16,
        "What sounds are written as, all of them mono: WAV of 16 or 24 bits or of floats, FLAC of 24 bits. Louder than "
        "full scale is turned down as a whole, but in floats.",
    )
    sample_rate_hz: int = setting(
        0, "Sounds are resampled to it, such as 44100 or 48000; 0 for the model's own rate.", unit="Hz", at_least=0
    )
    checkpoint: WhichCheckpoint = setting(WhichCheckpoint.best, "The state of the run that is used.")
    device: str = setting("auto", "auto (CUDA, then MPS, then CPU), cpu, cuda, cuda:N or mps.")

    def __post_init__(self) -> None:
        check_settings(self, "")
        _check_rate("sample_rate_hz", self.sample_rate_hz)
        _check_length("duration_s", self.duration_s)
