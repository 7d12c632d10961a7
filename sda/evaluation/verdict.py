"""What the numbers mean, in words that anyone understands, each sentence with the number it stands on."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sda.bootstrap import Estimate

EMBEDDINGS = {"hand_made": "timbre and movement", "aisfx": "the sound-effect network"}
"""What likeness is judged by, in words."""

MOST_REPLAYED = 0.10
"""Share of generated seconds that may be replays: by the null's definition, one in a hundred seems to be one."""
MOST_OVERFIT = 1.2
"""Held-out error over training error above this counts as overfitting, as during training."""
LEAST_SKILL = 0.3
"""Share of the mean spectrogram's error that a model must take away on sound it trained on, or it learned nothing."""
MOST_UNLIKE = 5.0
"""Generated sound this much farther from unheard sound than training sound is, is unlike it: real and replayed sound
lie at 0 to 2, white noise and the mean spectrogram at 10 to 80."""
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
    """`learned`, `underfit`, `overfit`, `replaying` or `cannot tell`; of two folders `new`, `unlike`, `replaying` or
    `cannot tell`."""
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
    likeness: Mapping[str, Estimate] = field(default_factory=dict)
    """How much farther from unheard sound generated sound lies than training sound does, by embedding; those with too
    little sound are left out."""
    n_held_out_files: int = 0
    weakness: str = ""
    """Why what was held out says less than it should."""


class Case(NamedTuple):
    """A verdict in words."""

    label: str
    headline: str
    advice: str


WITH_MODEL = {
    "replaying": Case(
        "replaying",
        "It replays: what it generates is training sound, played back.",
        "Stop earlier, use preset=conservative, or add sounds; and do not call what it makes new.",
    ),
    "underfit": Case(
        "underfit",
        "It has not learned yet: even the sounds it trained on come back poorly.",
        "Train for longer (training.max_epochs), or with a higher training.learning_rate.",
    ),
    "overfit": Case(
        "overfit",
        "It overfits: sounds it trained on come back clearly better than sounds it never heard.",
        "More sounds help most; else preset=conservative, or a higher regularization.augmentation_expansion.",
    ),
    "unlike": Case(
        "underfit",
        "It has not learned to make such sounds: what it generates is unlike any of them.",
        "Listen to reconstructions beside generated sounds; train for longer (training.max_epochs), or add sounds.",
    ),
    "new": Case(
        "learned",
        "It learned: sounds it never heard come back about as well as those it trained on.",
        "Listen to the samples, then compare presets: python train.py -m preset=conservative,balanced",
    ),
    "cannot tell": Case(
        "cannot tell",
        "It cannot be told with this little sound.",
        "Hold out more files: add sounds, or cross-validate with data.folds=4 data.fold=0,1,2,3 and -m.",
    ),
}
"""What is said of a model, by what was found."""
WITHOUT_MODEL = {
    "replaying": Case(
        "replaying",
        "It is a replay: the generated sound is the reference, played back.",
        "Listen to each sound beside its nearest source.",
    ),
    "unlike": Case(
        "unlike",
        "It is unlike: the generated sound resembles none of the reference.",
        "Look at the map, and listen.",
    ),
    "new": Case(
        "new",
        "It is new: the generated sound is like the reference, and no replay of it.",
        "Listen to each sound beside its nearest source.",
    ),
    "cannot tell": Case(
        "cannot tell",
        "It cannot be told with this little sound.",
        "Add sounds to either folder, or give held_out=FOLDER with real sound that the generator never heard.",
    ),
}
"""The same of two folders of sound."""


def judge(evidence: Evidence) -> Verdict:
    """The verdict: the worst that is certain; where nothing is, and not all is well either, that it cannot be told."""
    case = (WITH_MODEL if evidence.error_ratio is not None else WITHOUT_MODEL)[_find_case(evidence)]
    return Verdict(case.label, case.headline, list_findings(evidence), case.advice)


def _find_case(evidence: Evidence) -> str:
    rates = [rate for rate in (evidence.replay_rate, evidence.collage_rate) if rate is not None]
    skill, ratio, likeness = evidence.skill_train, evidence.error_ratio, evidence.likeness.values()
    if any(rate.low > MOST_REPLAYED for rate in rates):
        return "replaying"
    if skill is not None and skill.high < LEAST_SKILL:
        return "underfit"
    if ratio is not None and ratio.low > MOST_OVERFIT and evidence.n_held_out_files >= FEWEST_FILES:
        return "overfit"
    if likeness and all(one.low > MOST_UNLIKE for one in likeness):
        return "unlike"
    is_new = not evidence.replay_doubt and all(rate.high <= 2 * MOST_REPLAYED for rate in rates)
    is_alike = ratio is None or ratio.high <= MOST_OVERFIT
    has_skill = skill is None or skill.low >= LEAST_SKILL
    is_like = any(one.high <= MOST_UNLIKE for one in likeness)
    enough = evidence.n_held_out_files >= FEWEST_FILES and not evidence.weakness
    return "new" if is_new and is_alike and has_skill and is_like and enough else "cannot tell"


def list_findings(evidence: Evidence) -> list[Finding]:
    """A sentence for every number that there is."""
    findings = []
    if evidence.replay_rate is not None:
        doubt = f"; {evidence.replay_doubt}" if evidence.replay_doubt else ""
        text = f"Replays were not looked for: {evidence.replay_doubt}."
        if not math.isnan(evidence.replay_rate.value):
            text = (
                f"{_percent(evidence.replay_rate)} of the generated seconds are closer to training sound than 99 % of "
                f"unheard sound is (1 % would be chance){doubt}."
            )
        findings.append(Finding(text, "memorisation.replay_rate", evidence.replay_rate))
    if evidence.collage_rate is not None and not math.isnan(evidence.collage_rate.value):
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
    for name, estimate in evidence.likeness.items():
        text = (
            f"Taken together, generated sound lies {estimate} times as far from unheard sound as training sound does, "
            f"by {EMBEDDINGS[name]}."
        )
        findings.append(Finding(text, f"distribution.{name}.ratio", estimate))
    return findings


def _percent(estimate: Estimate) -> str:
    """A share with its interval.

    >>> _percent(Estimate(0.25, 0.1, 0.4))
    '25 % (10 to 40)'
    """
    bounds = f" ({100 * estimate.low:.0f} to {100 * estimate.high:.0f})" if not math.isnan(estimate.low) else ""
    return f"{100 * estimate.value:.0f} %{bounds}"
