"""The registry of measures: what each figure is called, how it is written, and where it is told.

A measure of reconstruction is a function in `evaluation/reconstruction.py`, by its key in `list_measures`, and a row
here. With `at_end` it is taken at the end of every training, and the console, the summary, MLflow, the comparison of
runs and its table tell it; runs can be ranked by it. Measures of reconstruction are distances: 0 is perfect.

Standard library only, so that everything that names a figure can import it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """A figure, as it is told."""

    title: str
    """Its name among those who know it, with its unit where it has one."""
    words: str
    """The same for those who do not."""
    hint: str = ""
    """What it listens to, or how it is to be read."""
    digits: int = 2
    factor: float = 1.0
    """What it is multiplied by where it is written, such as 100 for per cent."""
    at_end: bool = False
    """Of reconstruction: taken at the end of every training."""
    compared: bool = False
    """Whether tables that compare runs show it beside what is taken at the end."""
    noted: bool = False
    """Whether the description of a run in MLflow names it."""

    def write(self, value: float) -> str:
        """A value as it is shown, without its unit.

        >>> Measure("gap, %", "", factor=100.0, digits=0).write(0.123)
        '12'
        """
        return f"{self.factor * value:.{self.digits}f}"


RECONSTRUCTION = {
    "log_mel_l1_db": Measure(
        "log-mel L1, dB", "Mel spectrum, dB", "log-mel L1: timbre and dynamics", at_end=True, noted=True
    ),
    "multi_scale_mel_l1_db": Measure(
        "multi-scale mel L1, dB", "Mel spectrum at seven time scales, dB", "multi-scale mel L1"
    ),
    "mr_stft": Measure(
        "MR-STFT",
        "Attacks and partials",
        "multi-resolution STFT distance, no unit",
        digits=3,
        at_end=True,
        noted=True,
    ),
    "spectral_convergence": Measure(
        "spectral convergence", "Peaks of the spectrum", "part of MR-STFT, no unit", digits=3
    ),
    "lsd_0_4k_db": Measure("LSD 0–4 kHz, dB", "Spectrum, 0–4 kHz, dB", "log-spectral distance"),
    "lsd_4_12k_db": Measure("LSD 4–12 kHz, dB", "Spectrum, 4–12 kHz, dB", "log-spectral distance"),
    "lsd_12_24k_db": Measure("LSD 12–24 kHz, dB", "Spectrum, 12–24 kHz, dB", "log-spectral distance"),
    "loudness_error_db": Measure("loudness error, dB", "Loudness, dB", "difference of level", at_end=True, noted=True),
    "zimtohrli": Measure("Zimtohrli", "As people hear it", "Zimtohrli, no unit: 0.005 is plain to hear", digits=4),
}
"""Measures of reconstruction by their key, in the order in which they are shown."""

AT_END = tuple(key for key, measure in RECONSTRUCTION.items() if measure.at_end)
"""Keys of what is measured on held-out sound at the end of every training."""

OF_TRAINING = {
    "best_val_loss": Measure("best held-out loss", "Held-out loss of the best epoch, nats per cell", digits=3),
    "overfitting_gap": Measure(
        "gap, %", "Error on held-out over that on training sound", digits=0, factor=100.0, compared=True
    ),
}
"""Figures of every training, by their key in its summary."""

OF_EVALUATION = {
    "reconstruction.error_ratio": Measure("held-out over training error", "Held-out over training error", noted=True),
    "memorisation.replay_rate": Measure(
        "replays, %",
        "Generated seconds that replay training sound, %",
        digits=0,
        factor=100.0,
        compared=True,
        noted=True,
    ),
    "distribution.hand_made.ratio": Measure(
        "distance ratio, timbre and movement",
        "Distance of generated over training sound, timbre and movement",
        noted=True,
    ),
    "distribution.hand_made.ratio_rebuilt": Measure(
        "distance ratio, rebuilt", "The same of training sound through the model", noted=True
    ),
    "distribution.aisfx.ratio": Measure(
        "distance ratio, sound-effect network",
        "Distance of generated over training sound, sound-effect network",
        noted=True,
    ),
    "distribution.aisfx.ratio_rebuilt": Measure(
        "distance ratio, rebuilt, sound-effect network", "The same of training sound through the model", noted=True
    ),
    "form.distance": Measure(
        "form, distance in spreads", "Form of generated sounds, spreads away from real sound", noted=True
    ),
    "silence.generated.near_silent_files": Measure(
        "near-silent files, %", "Generated files that are near-silent, %", digits=0, factor=100.0, noted=True
    ),
}
"""Figures of an evaluation that are named outside its own report, by their key in `evaluation.json`."""

BETTER_HIGHER = (
    "coverage",
    "coverage_rebuilt",
    "density",
    "density_rebuilt",
    "skill_held_out",
    "skill_train",
    "active_units",
    "information",
    "recordings_per_sound",
    "recordings_used",
)
"""Last parts of keys of `evaluation.json` whose figures are better the higher they are."""

OF_RUN = {**{key: RECONSTRUCTION[key] for key in AT_END}, **OF_TRAINING, **OF_EVALUATION}
"""Figures of a whole run by the name that `sweep.objective` gives them."""


def describe(key: str) -> Measure:
    """A figure of a run by the name that `sweep.objective` gives it; one that has no row is called by its key."""
    return OF_RUN.get(key, Measure(key, key, digits=3))


def is_better_higher(key: str) -> bool:
    """Whether a figure is better the higher it is; all that have a row are better the lower they are.

    >>> is_better_higher("distribution.aisfx.coverage"), is_better_higher("mr_stft")
    (True, False)
    """
    return key.rpartition(".")[2] in BETTER_HIGHER
