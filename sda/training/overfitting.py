"""What tells overfitting from noise: the gap between held-out and training error, its interval and its trend.

Standard library only, so that everything that listens to a run can import it.
"""

from collections.abc import Sequence
from math import expm1, sqrt

OVERFITTING_THRESHOLD = 0.2
"""An overfitting gap above this counts as overfitting."""

TREND_EPOCHS = 10
"""The newest epochs that the gap's trend is taken from."""

OVERFITTING, NO_OVERFITTING, CANNOT_TELL = "overfitting", "no overfitting", "cannot tell"
TOO_EARLY = "too early"
"""The verdict while the KL term still warms up."""


def compute_overfitting_gap(train_loss: float, val_loss: float) -> float:
    """How much larger the error is on held-out than on training sound, as a fraction; 0.2 is 20 % larger.

    Both losses are negative log-likelihoods in nats per cell, which may be zero or negative, so that their
    ratio means nothing. Under a Gaussian likelihood with its optimal deviation σ the loss is `log σ` plus a
    constant (the KL is small beside it), hence `exp(val_loss − train_loss)` is the ratio of the two errors σ and

        gap = (σ_val − σ_train) / σ_train = exp(val_loss − train_loss) − 1.

    >>> round(compute_overfitting_gap(-0.1, 0.1), 2)
    0.22
    """
    return expm1(min(val_loss - train_loss, 100.0))


def judge_gap(low: float, high: float, threshold: float = OVERFITTING_THRESHOLD) -> str:
    """What the interval of a gap tells: `overfitting` above the threshold, `no overfitting` up to it.

    `cannot tell` where the threshold lies inside, or where the interval has no width: then there was nothing to take
    it from.

    >>> judge_gap(0.25, 0.6), judge_gap(-0.1, 0.2), judge_gap(0.1, 0.6), judge_gap(0.3, 0.3)
    ('overfitting', 'no overfitting', 'cannot tell', 'cannot tell')
    """
    if low == high:
        return CANNOT_TELL
    if low > threshold:
        return OVERFITTING
    return NO_OVERFITTING if high <= threshold else CANNOT_TELL


def fit_gap_slope(epochs: Sequence[int], gaps: Sequence[float]) -> tuple[float, float]:
    """Change of the gap an epoch and its standard error, by least squares over the last `TREND_EPOCHS`.

    Both are 0 below three epochs. The error takes epochs for independent.

    Args:
        epochs: numbers of the epochs, no two the same.
        gaps: the gap in each.

    Reference:
        Draper & Smith, "Applied Regression Analysis", 1998, chapter 1.

    >>> fit_gap_slope([1, 2, 3], [0.0, 1.0, 2.0])
    (1.0, 0.0)
    """
    epochs, gaps = epochs[-TREND_EPOCHS:], gaps[-TREND_EPOCHS:]
    n = len(epochs)
    if n < 3:
        return 0.0, 0.0
    centre = sum(epochs) / n
    times = [epoch - centre for epoch in epochs]
    rises = [gap - gaps[0] for gap in gaps]  # a gap that does not change has a slope of 0 to the last digit
    spread = sum(time * time for time in times)
    slope = sum(time * rise for time, rise in zip(times, rises, strict=True)) / spread
    mean = sum(rises) / n
    residual = sum((rise - mean - slope * time) ** 2 for time, rise in zip(times, rises, strict=True))
    return slope, sqrt(residual / (n - 2) / spread)


def describe_trend(slope: float, slope_error: float) -> str:
    """`widening` or `narrowing` where the slope is more than two standard errors from 0, else `steady`.

    >>> describe_trend(0.03, 0.01), describe_trend(-0.03, 0.01), describe_trend(0.03, 0.02)
    ('widening', 'narrowing', 'steady')
    """
    if abs(slope) <= 2 * slope_error or slope == 0.0:
        return "steady"
    return "widening" if slope > 0 else "narrowing"
