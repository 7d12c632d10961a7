"""Ranking of settings: which is better and how sure that is, by the bootstrap over repetitions and held-out files.

A setting was trained a few times (repetitions: seeds, folds), and each time judged on a few held-out files. Where two
settings share a repetition, they share its files, so that their difference is free of which files these were. Both
levels are therefore drawn again together: the same repetitions and the same files for every setting.

Draws of three seeds cannot show how far three other seeds would stray. Draws are therefore stretched about their mean
until their deviation is the standard error that repetitions show (and not less than files alone show), and their tails
are as wide as those of Student's t: with three seeds 2.2 times, with two 6.5 times what a normal distribution has.

The best of many settings looks better than it is, because it was chosen for looking so. `Standing.chance_best`, the
share of draws in which a setting is the best of all, takes that into account; the interval of a difference does not.

Letters in the shapes: `R` replicates, `K` repetitions, `F` files.

Reference:
    Davison & Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8 (hierarchical data).
    Hesterberg, "What Teachers Should Know About the Bootstrap", The American Statistician 69(4), 2015 (intervals
    expanded by the quantiles of t).
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from sda.bootstrap import CONFIDENCE, N_REPLICATES, Estimate, FloatArray, draw_weights


@dataclass(frozen=True)
class Trial:
    """One run, judged."""

    setting: str
    """What it was told, apart from what is only repeated; runs of one setting are averaged."""
    repetition: str
    """Its seed and fold: runs of several settings that share it were judged on the same files."""
    errors: dict[str, tuple[float, float]]
    """Error and weight (such as the number of clips) by held-out file; lower is better. One entry where only the
    whole is known."""

    @property
    def error(self) -> float:
        """The mean over all clips."""
        total = sum(weight for _, weight in self.errors.values())
        return sum(error * weight for error, weight in self.errors.values()) / total


@dataclass(frozen=True)
class Standing:
    """A setting among the others."""

    setting: str
    n_repetitions: int
    score: Estimate
    """Mean error over repetitions, with its interval over repetitions and files."""
    spread: float
    """Standard deviation over repetitions (that of a sample); not a number where there is one."""
    chance_best: float
    """Share of draws in which it is the best."""


@dataclass(frozen=True)
class Difference:
    """How much better the best setting is than another."""

    better: str
    other: str
    gain: Estimate
    """Error of the other minus error of the better one, on the repetitions that both have."""
    n_repetitions: int
    n_files: int

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves no doubt which is better."""
        return self.gain.low > 0


@dataclass(frozen=True)
class Ranking:
    """Settings, best first."""

    standings: list[Standing]
    differences: list[Difference]
    """Of the best to each of the others, in their order."""


def rank(trials: Sequence[Trial], seed: int = 0, lowest: float = -math.inf) -> Ranking:
    """Order settings by their mean error.

    Args:
        lowest: that an error can be; no range of a score goes below.

    Raises:
        ValueError: there is no trial, or one without an error.

    >>> ranking = rank([Trial("a", "0", {"x": (1.0, 1)}), Trial("b", "0", {"x": (2.0, 1)})])
    >>> [(one.setting, one.score.value) for one in ranking.standings], ranking.differences[0].gain.value
    ([('a', 1.0), ('b', 2.0)], 1.0)
    """
    if not trials or any(not trial.errors for trial in trials):
        raise ValueError("every trial needs an error, and there must be one")
    by_setting: dict[str, list[Trial]] = {}
    for trial in trials:
        by_setting.setdefault(trial.setting, []).append(trial)
    draws = _Draws(trials, seed)
    replicates = {setting: draws.spread(own) for setting, own in by_setting.items()}
    best_in = _find_best(np.stack(list(replicates.values())))
    standings = []
    for place, (setting, own) in enumerate(by_setting.items()):
        errors = [trial.error for trial in own]
        score = _enclose(statistics.fmean(errors), replicates[setting].clip(min=lowest), _count_blocks(own))
        spread = statistics.stdev(errors) if len(errors) > 1 else math.nan
        standings.append(Standing(setting, len(own), score, spread, float((best_in == place).mean())))
    standings.sort(key=lambda standing: standing.score.value)
    best = standings[0].setting
    differences = [
        _compare(best, other.setting, by_setting[best], by_setting[other.setting], draws) for other in standings[1:]
    ]
    return Ranking(standings, differences)


def _compare(better: str, other: str, ours: list[Trial], theirs: list[Trial], draws: "_Draws") -> Difference:
    shared = {trial.repetition for trial in ours} & {trial.repetition for trial in theirs}
    if shared:
        ours = [trial for trial in ours if trial.repetition in shared]
        theirs = [trial for trial in theirs if trial.repetition in shared]
    gain = _mean(theirs) - _mean(ours)
    files = {(trial.repetition, file) for trial in (*ours, *theirs) for file in trial.errors}
    n_blocks = min(_count_blocks(ours), _count_blocks(theirs))
    replicates = draws.spread(theirs, ours) if shared else draws.spread(theirs) - draws.spread(ours)
    return Difference(better, other, _enclose(gain, replicates, n_blocks), len(shared), len(files))


class _Draws:
    """How often each repetition, and each file in it, is drawn in each replicate; the same for all settings."""

    def __init__(self, trials: Sequence[Trial], seed: int):
        repetitions = list(dict.fromkeys(trial.repetition for trial in trials))
        is_repeated = len(repetitions) > 1
        counts = draw_weights(len(repetitions), seed) if is_repeated else np.ones((N_REPLICATES, 1))
        self._repetitions = dict(zip(repetitions, counts.T, strict=True))
        self._files: dict[tuple[str, str], FloatArray] = {}
        for number, repetition in enumerate(repetitions):
            own = (trial for trial in trials if trial.repetition == repetition)
            files = list(dict.fromkeys(file for trial in own for file in trial.errors))
            drawn = draw_weights(len(files), seed + 1 + number)
            self._files |= {(repetition, file): column for file, column in zip(files, drawn.T, strict=True)}

    def spread(self, trials: Sequence[Trial], less: Sequence[Trial] = ()) -> FloatArray:
        """Means of one setting's error, less another's on the same repetitions, as far apart as is honest, `[R]`."""
        value, replicates, over_files = _mean(trials), self._average(trials), self._average(trials, files_alone=True)
        by_repetition = _average_repetitions(trials)
        if less:
            value -= _mean(less)
            replicates = replicates - self._average(less)
            over_files = over_files - self._average(less, files_alone=True)
            theirs = _average_repetitions(less)
            by_repetition = {repetition: error - theirs[repetition] for repetition, error in by_repetition.items()}
        n_blocks = _count_blocks(trials)
        deviation = float(np.nanstd(replicates))
        if n_blocks < 2 or deviation == 0:
            return replicates
        error = float(np.std(over_files))
        if len(by_repetition) > 1:
            error = max(error, statistics.stdev(by_repetition.values()) / math.sqrt(len(by_repetition)))
        else:
            error *= math.sqrt(n_blocks / (n_blocks - 1))
        quantile = 0.5 + CONFIDENCE / 2
        tails = float(stdtrit(n_blocks - 1, quantile) / ndtri(quantile))
        return value + tails * error / deviation * (replicates - value)

    def _average(self, trials: Sequence[Trial], *, files_alone: bool = False) -> FloatArray:
        """The mean error of one setting in each replicate, `[R]`; not a number where none of it was drawn."""
        total, count = np.zeros(N_REPLICATES), np.zeros(N_REPLICATES)
        for trial in trials:
            errors, weights = np.zeros(N_REPLICATES), np.zeros(N_REPLICATES)
            for file, (error, weight) in trial.errors.items():
                drawn = weight * self._files[trial.repetition, file]
                errors += drawn * error
                weights += drawn
            mean = np.divide(errors, weights, out=np.full(N_REPLICATES, trial.error), where=weights > 0)
            times = np.ones(N_REPLICATES) if files_alone else self._repetitions[trial.repetition]
            total += times * mean
            count += times
        averages: FloatArray = np.divide(total, count, out=np.full(N_REPLICATES, math.nan), where=count > 0)
        return averages


def _mean(trials: Sequence[Trial]) -> float:
    return statistics.fmean(trial.error for trial in trials)


def _enclose(value: float, replicates: FloatArray, n_blocks: int) -> Estimate:
    if n_blocks < 2:
        return Estimate(value, math.nan, math.nan)
    tail = (1.0 - CONFIDENCE) / 2
    low, high = np.quantile(replicates[np.isfinite(replicates)], [tail, 1.0 - tail])
    return Estimate(value, float(low), float(high))


def _find_best(replicates: FloatArray) -> FloatArray:
    """The place of the lowest in each replicate, `[S, R]` → `[R]`; one that was not drawn is not the lowest."""
    places: FloatArray = np.where(np.isfinite(replicates), replicates, np.inf).argmin(axis=0).astype(np.float64)
    return places


def _average_repetitions(trials: Sequence[Trial]) -> dict[str, float]:
    """Errors by repetition: a setting may have been trained twice with one seed."""
    return {
        repetition: _mean([trial for trial in trials if trial.repetition == repetition])
        for repetition in dict.fromkeys(trial.repetition for trial in trials)
    }


def _count_blocks(trials: Sequence[Trial]) -> int:
    """What was drawn from: repetitions, or the files of the only one."""
    repetitions = {trial.repetition for trial in trials}
    return len(repetitions) if len(repetitions) > 1 else len(trials[0].errors)
