"""Configuration of the sounds: which are used, how they are heard, and how they are varied."""

from dataclasses import dataclass

from omegaconf import MISSING

from sda.config_field import check_settings, setting
from sda.errors import ConfigError


@dataclass
class DataConfig:
    """Which sounds are used."""

    root: str = setting(
        MISSING,
        "Folder with your sounds, or several as '[~/piano,~/rain]'; folders inside are searched too. Never written to.",
        resumable=True,
        decides=False,
        is_path=True,
        is_folder=True,
        takes_several=True,
    )
    min_duration_s: float = setting(0.02, "Files shorter than this are left out.", unit="s", at_least=0, is_detail=True)
    silence_dbfs: float = setting(
        -80.0,
        "Files whose loudest sample stays below this are left out as silent.",
        unit="dBFS",
        at_most=0,
        is_detail=True,
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
        is_path=True,
        is_detail=True,
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
        "",
        "Where decoded sound is kept; empty for $SDA_CACHE_DIR or the system's folder for caches.",
        resumable=True,
        decides=False,
        is_path=True,
        is_folder=True,
        is_place=True,
    )
    cache_max_gb: float = setting(
        50.0,
        "Decoded sound used longest ago is dropped above this; one hour takes 0.7.",
        unit="GB",
        above=0,
        resumable=True,
        decides=False,
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
