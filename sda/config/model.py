"""Configuration of what is trained: the network with its objective, and where new paths come from."""

from dataclasses import dataclass, is_dataclass
from enum import Enum
from typing import Any

from sda.config_field import check_settings, list_traits, setting
from sda.errors import ConfigError


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


class InitStatistics(Enum):
    """What becomes of an earlier model's statistics and principal components."""

    kept = "kept"
    refitted = "refitted"


class Adversarial(Enum):
    """When a training ends with discriminators."""

    auto = "auto"
    """On a CUDA device of at least 8 GB."""
    always = "always"
    never = "never"


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
        ModelName.spectral_vae, "Which network learns; model=mel_vae or model=spectral_vae chooses it."
    )
    latent_dim: int = setting(
        64, "Sets training.latent_dim.", unit="dimensions", at_least=1, at_most=4096, repeats=True, in_loss=False
    )
    largest_batch: int = setting(
        8,
        "Most chunks a step learns from where training.batch_size follows the data.",
        unit="chunks",
        at_least=1,
        repeats=True,
        in_loss=False,
    )
    crop_fraction: float = setting(0.5, "Sets training.crop_fraction.", above=0, at_most=1, repeats=True, in_loss=False)
    energy_weight: float = setting(
        0.2,
        "weight of the loudness curve beside the spectrogram in the objective; more keeps attacks loud.",
        at_least=0,
        only_for="mel_vae",
    )
    size: ModelSize = setting(
        ModelSize.tiny,
        "tiny, small or base; larger ones hear more and take longer.",
        only_for="spectral_vae",
        in_loss=False,
    )
    frames_per_latent: int = setting(
        4,
        "spectrogram frames to a latent, an even number; fewer follow quicker changes, and leave fewer "
        "numbers for timbre.",
        unit="frames",
        at_least=2,
        at_most=32,
        only_for="spectral_vae",
        in_loss=False,
    )
    bounded: bool = setting(
        False,
        "squeeze timbre into fixed bounds and blur it by fixed noise, in place of a learned posterior.",
        only_for="spectral_vae",
        is_detail=True,
    )
    noise: bool = setting(
        True,
        "learn how much of every band is noise, and draw that anew in every sound; without it, rain and "
        "breath become an average that no longer moves.",
        only_for="spectral_vae",
    )
    kl_weight: float = setting(
        1e-3,
        "weight of the KL of a latent's dimension beside the logarithm of the error; more smooths the "
        "latent space, less keeps detail.",
        at_least=0,
        only_for="spectral_vae",
    )
    losses: LossWeights = setting(LossWeights, "", only_for="spectral_vae", is_detail=True)
    adversarial: Adversarial = setting(
        Adversarial.never,
        "end the training with discriminators: always, never, or auto: on a CUDA device of 8 GB or more. "
        "It costs a third more time; in two to ten minutes it gained 0.2 dB on one of four folders, and lost on three.",
        only_for="spectral_vae",
        in_loss=False,
    )
    second_phase: SecondPhaseConfig = setting(
        SecondPhaseConfig, "", only_for="spectral_vae", is_detail=True, in_loss=False
    )

    def __post_init__(self) -> None:
        check_settings(self, "model")


@dataclass(frozen=True)
class ModelChoice:
    """What choosing a model sets."""

    config: ModelConfig
    prior: PriorName
    """What `prior.name=auto` stands for."""


MODELS = {
    ModelName.spectral_vae: ModelChoice(ModelConfig(), PriorName.mosaic),
    ModelName.mel_vae: ModelChoice(
        ModelConfig(name=ModelName.mel_vae, largest_batch=32, crop_fraction=1.0), PriorName.density
    ),
}
"""A row for each choice in the group `model`; what is built of it stands in `sda/app/builders.py`."""


def refuse_keys_of_others(given: ModelConfig) -> None:
    """Refuse a value that is not its default, of a key that the chosen model does not know.

    Raises:
        ConfigError: with the key, and the model that it is for.
    """
    name = given.name.value
    for key, traits in list_traits(ModelConfig).items():
        value, default = (_select(config, key) for config in (given, ModelConfig()))
        if traits.only_for not in ("", name) and not is_dataclass(value) and value != default:
            shown = value.value if isinstance(value, Enum) else value
            raise ConfigError(
                f"model.{key}={shown} is for model={traits.only_for}: {name} has no such setting. Leave it out, or "
                f"choose model={traits.only_for}."
            )


def _select(config: ModelConfig, key: str) -> Any:
    value: Any = config
    for part in key.split("."):
        value = getattr(value, part)
    return value


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
        return MODELS[model].prior
