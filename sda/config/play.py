"""Configuration of the page to play on."""

from dataclasses import dataclass

from sda.config.verbs import MovedSounds, WhichCheckpoint
from sda.config_field import check_settings, setting


@dataclass
class PlayConfig:
    """Everything `play.py` can be told."""

    run: str = setting(
        "last",
        "The run that is open at first: its folder, its MLflow run id, or `last`; the page lists all below `runs`.",
        is_path=True,
    )
    data: MovedSounds = setting(MovedSounds, "")
    port: int = setting(8765, "Port of 127.0.0.1 that the page is served on.", at_least=1, at_most=65535)
    browser: bool = setting(False, "Open the page in your browser; without it, the link alone is printed.")
    checkpoint: WhichCheckpoint = setting(WhichCheckpoint.best, "The state of the run that is used.")
    device: str = setting("auto", "auto (CUDA, then MPS, then CPU), cpu, cuda, cuda:N or mps.")

    def __post_init__(self) -> None:
        check_settings(self, "")
