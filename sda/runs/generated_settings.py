"""What a call of `generate.py` was told, as its record has it."""

from typing import Any

from sda.config.schema import TrainRunConfig
from sda.config.verbs import GenerateConfig, GenerateMode


def list_own_settings(config: GenerateConfig) -> dict[str, Any]:
    """The settings of a mode that the others do not have."""
    if config.wanted:
        return {"wanted": config.wanted}
    if config.mode is GenerateMode.vary:
        return {"strength": config.strength}
    if config.mode is GenerateMode.blend:
        return {"share": config.share, "loudness": config.loudness.value}
    if config.mode is GenerateMode.transfer:
        return {"adherence": config.adherence}
    if config.mode is GenerateMode.walk:
        return {"places": config.places}
    return {}


def describe_manner(run: TrainRunConfig, config: GenerateConfig) -> dict[str, float]:
    """What new sounds are drawn with: what was given, else what the run was configured with."""
    given = {"novelty": config.novelty, "memory_s": config.memory_s, "temperature": config.temperature}
    own = {"novelty": run.prior.novelty, "memory_s": run.prior.memory_s, "temperature": run.prior.temperature}
    return {key: own[key] if value is None else value for key, value in given.items()}


def describe_files(own_rate_hz: int, config: GenerateConfig) -> dict[str, Any]:
    """What a call's files are written as; the model's rate where theirs is another.

    >>> describe_files(48000, GenerateConfig(sample_rate_hz=44100))
    {'format': 'wav16', 'sample_rate_hz': 44100, 'own_rate_hz': 48000}
    """
    rate_hz = config.sample_rate_hz or own_rate_hz
    own = {"own_rate_hz": own_rate_hz} if rate_hz != own_rate_hz else {}
    return {"format": config.format.value, "sample_rate_hz": rate_hz, **own}
