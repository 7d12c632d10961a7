"""What the numbers mean, in words that anyone understands, each sentence with the number it stands on."""

from dataclasses import dataclass, field

from sda.bootstrap import Estimate

MOST_REPLAYED = 0.10
"""Share of generated seconds that may be replays: by the null's definition, one in a hundred seems to be one."""
MOST_OVERFIT = 1.2
"""Held-out error over training error above this counts as overfitting, as during training."""
LEAST_SKILL = 0.3
"""Share of the mean spectrogram's error that a model must take away on sound it trained on, or it learned nothing."""
FEWEST_FILES = 4
"""Held-out files below which nothing is said for certain."""


@dataclass(frozen=True)
class Finding:
    """One sentence and its number."""

    text: str
    key: str
    """Where the number stands in `evaluation.json`."""
    estimate: Estimate


@dataclass(frozen=True)
class Verdict:
    """What to make of a model."""

    label: str
    """`learned`, `underfit`, `overfit`, `replaying` or `cannot tell`."""
    headline: str
    findings: list[Finding] = field(default_factory=list)
    advice: str = ""


@dataclass(frozen=True)
class Evidence:
    """What a verdict is made from."""

    replay_rate: Estimate | None = None
    collage_rate: Estimate | None = None
    replay_doubt: str = ""
    """Why the replay rate cannot be relied upon; empty where it can."""
    skill_train: Estimate | None = None
    """Share of the mean spectrogram's error taken away on training sound."""
    skill_held_out: Estimate | None = None
    error_ratio: Estimate | None = None
    """Held-out over training error."""
    n_held_out_files: int = 0
    weakness: str = ""
    """Why what was held out says less than it should."""


HEADLINES = {
    "learned": "It learned: sounds it never heard come back about as well as those it trained on.",
    "underfit": "It has not learned yet: even the sounds it trained on come back poorly.",
    "overfit": "It overfits: sounds it trained on come back clearly better than sounds it never heard.",
    "replaying": "It replays: what it generates is training sound, played back.",
    "cannot tell": "It cannot be told with this little sound.",
}
ADVICE = {
    "learned": "Listen to the samples, then compare presets: python train.py -m preset=conservative,balanced",
    "underfit": "Train for longer (training.max_epochs), or with a higher training.learning_rate.",
    "overfit": "More sounds help most; else preset=conservative, or a higher regularization.augmentation_expansion.",
    "replaying": "Stop earlier, use preset=conservative, or add sounds; and do not call what it makes new.",
    "cannot tell": "Hold out more files: add sounds, or cross-validate with data.folds=4 data.fold=0,1,2,3 and -m.",
}


def judge(evidence: Evidence) -> Verdict:
    """The verdict: replaying before underfitting before overfitting; none of them where the interval is too wide."""
    label = _choose_label(evidence)
    return Verdict(label, HEADLINES[label], list_findings(evidence), ADVICE[label])


def _choose_label(evidence: Evidence) -> str:
    rates = [rate for rate in (evidence.replay_rate, evidence.collage_rate) if rate is not None]
    if any(rate.low > MOST_REPLAYED for rate in rates):
        return "replaying"
    skill, ratio = evidence.skill_train, evidence.error_ratio
    if skill is not None and skill.high < LEAST_SKILL:
        return "underfit"
    if ratio is not None and ratio.low > MOST_OVERFIT and evidence.n_held_out_files >= FEWEST_FILES:
        return "overfit"
    is_new = evidence.replay_rate is None or (
        not evidence.replay_doubt and all(rate.high <= 2 * MOST_REPLAYED for rate in rates)
    )
    is_alike = ratio is None or ratio.high <= MOST_OVERFIT
    has_skill = skill is None or skill.low >= LEAST_SKILL
    enough = evidence.n_held_out_files >= FEWEST_FILES and not evidence.weakness
    return "learned" if is_new and is_alike and has_skill and enough else "cannot tell"


def list_findings(evidence: Evidence) -> list[Finding]:
    """A sentence for every number that there is."""
    findings = []
    if evidence.replay_rate is not None:
        doubt = f"; {evidence.replay_doubt}" if evidence.replay_doubt else ""
        text = (
            f"{_percent(evidence.replay_rate)} of the generated seconds are closer to training sound than 99 % of "
            f"unheard sound is (1 % would be chance){doubt}."
        )
        findings.append(Finding(text, "memorisation.replay_rate", evidence.replay_rate))
    if evidence.collage_rate is not None:
        text = f"Of quarter seconds, {_percent(evidence.collage_rate)} are: a collage of pieces would show here."
        findings.append(Finding(text, "memorisation.collage_rate", evidence.collage_rate))
    if evidence.skill_train is not None:
        text = (
            f"On sound it trained on, it takes away {_percent(evidence.skill_train)} of the error of knowing nothing."
        )
        findings.append(Finding(text, "reconstruction.skill_train", evidence.skill_train))
    if evidence.skill_held_out is not None:
        text = f"On sound it never heard, it takes away {_percent(evidence.skill_held_out)} of it."
        findings.append(Finding(text, "reconstruction.skill_held_out", evidence.skill_held_out))
    if evidence.error_ratio is not None:
        text = f"Its error is {evidence.error_ratio} times as large on held-out as on training sound."
        findings.append(Finding(text, "reconstruction.error_ratio", evidence.error_ratio))
    return findings


def _percent(estimate: Estimate) -> str:
    """A share with its interval.

    >>> _percent(Estimate(0.25, 0.1, 0.4))
    '25 % (10 to 40)'
    """
    bounds = f" ({100 * estimate.low:.0f} to {100 * estimate.high:.0f})" if estimate.low == estimate.low else ""
    return f"{100 * estimate.value:.0f} %{bounds}"
