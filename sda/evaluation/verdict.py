"""The verdict: what to make of all findings together; silence, likeness, form and replays each can decide it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sda.evaluation.distribution import DistributionScores
from sda.evaluation.findings import Evidence, Finding, list_findings
from sda.evaluation.form_comparison import Form, Silence

MOST_REPLAYED = 0.10
"""Share of generated seconds that may be replays: by the null's definition, one in a hundred seems to be one."""
MOST_OVERFIT = 1.2
"""Held-out error over training error above this counts as overfitting, as during training."""
LEAST_SKILL = 0.3
"""Share of the mean spectrogram's error that a model must take away on sound it trained on, or it learned nothing."""
MOST_UNLIKE = 5.0
"""Generated sound this much farther from unheard sound than training sound is, is unlike it: real and replayed sound
lie at 0 to 8, white noise and the mean spectrogram at 10 to 80."""
SURELY_UNLIKE = 2.5
"""The lower end of that figure's interval must lie above this: of real sound, it lies below 2.3."""
LEAST_COVERED = 0.5
"""Sound that is unlike reaches less than this share of the unheard sound that training sound reaches."""
MOST_DEFORMED = 0.5
"""Spreads of real sound that generated sounds may lie farther from unheard ones, in form, than training sounds do."""
SURELY_DEFORMED = 0.1
"""The lower end of that figure's interval must lie above this: of real sound, it lies below 0.09."""
MOST_SILENT = 0.1
"""Share of the time that generated sound may be silent for longer than real sound is."""
FEWEST_FILES = 4
"""Held-out files below which nothing is said for certain."""


@dataclass(frozen=True)
class Verdict:
    """What to make of a model."""

    label: str
    """`learned`, `underfit`, `overfit`, `unlike`, `replaying` or `cannot tell`; of two folders `new` for `learned`."""
    headline: str
    findings: list[Finding] = field(default_factory=list)
    advice: str = ""
    case: str = ""
    """What decided it: `replaying`, `underfit`, `silent`, `unlike`, `deformed`, `overfit`, `new` or `cannot tell`."""


class Case(NamedTuple):
    """A verdict in words."""

    label: str
    headline: str
    advice: str


SILENT = "Much of what it makes is silence, where real sound is not."
WITH_MODEL = {
    "replaying": Case(
        "replaying",
        "It replays: what it generates is training sound, played back.",
        "Draw further from them, guard against storing, or add sounds; and do not call what it makes new.",
    ),
    "underfit": Case(
        "underfit",
        "It has not learned yet: even the sounds it trained on come back poorly.",
        "Train for longer.",
    ),
    "silent": Case("unlike", SILENT, "Train for longer; what starts from real sound is less at risk."),
    "unlike": Case(
        "unlike",
        "What it generates is unlike the sounds it should be like.",
        "Train for longer, or add sounds; what starts from real sound is less at risk.",
    ),
    "deformed": Case(
        "unlike",
        "What it generates does not have the form of real sounds, however alike single seconds are.",
        "Train for longer, or add sounds; what starts from real sound keeps its form.",
    ),
    "overfit": Case(
        "overfit",
        "It overfits: sounds it trained on come back clearly better than sounds it never heard.",
        "More sounds help most; else more guard against it.",
    ),
    "new": Case(
        "learned",
        "It learned: sounds it never heard come back about as well as those it trained on, and what it makes is like "
        "them.",
        "Make sounds, and listen.",
    ),
    "cannot tell": Case(
        "cannot tell",
        "It cannot be told with this little sound.",
        "Hold out more files: add sounds, or hold out every file once.",
    ),
}
"""What is said of a model, by what was found."""
WITHOUT_MODEL = {
    "replaying": Case(
        "replaying",
        "It is a replay: the generated sound is the reference, played back.",
        "Listen to each sound beside its nearest source.",
    ),
    "silent": Case("unlike", "Much of the generated sound is silence, where the reference is not.", "Listen to it."),
    "unlike": Case(
        "unlike",
        "It is unlike: the generated sound does not resemble the reference.",
        "Look at the map, and listen.",
    ),
    "deformed": Case(
        "unlike",
        "It is unlike in form: generated sounds move, begin or end in other ways than the reference does.",
        "Look at the table of form, and listen.",
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
    case = find_case(evidence)
    said = (WITH_MODEL if evidence.error_ratio is not None else WITHOUT_MODEL)[case]
    return Verdict(said.label, said.headline, list_findings(evidence), said.advice, case)


def find_case(evidence: Evidence) -> str:
    """What decides the verdict: the first that is certain, the worst first."""
    rates = [rate for rate in (evidence.replay_rate, evidence.collage_rate) if rate is not None]
    skill, ratio = evidence.skill_train, evidence.error_ratio
    enough = evidence.n_held_out_files >= FEWEST_FILES
    certain = {
        "replaying": any(rate.low > MOST_REPLAYED for rate in rates),
        "underfit": skill is not None and skill.high < LEAST_SKILL,
        "silent": is_silent(evidence.silence),
        "unlike": any(is_unlike(one) for one in evidence.likeness.values()),
        "deformed": evidence.form is not None and is_deformed(evidence.form),
        "overfit": ratio is not None and ratio.low > MOST_OVERFIT and enough,
    }
    worst = next((case for case, is_certain in certain.items() if is_certain), "")
    if worst:
        return worst
    is_new = not evidence.replay_doubt and all(rate.high <= 2 * MOST_REPLAYED for rate in rates)
    is_alike = ratio is None or ratio.high <= MOST_OVERFIT
    has_skill = skill is None or skill.low >= LEAST_SKILL
    is_like = any(one.ratio.high <= MOST_UNLIKE for one in evidence.likeness.values())
    has_form = evidence.form is None or evidence.form.excess is None or evidence.form.excess.value <= MOST_DEFORMED
    is_well = is_new and is_alike and has_skill and is_like and has_form
    return "new" if is_well and enough and not evidence.weakness else "cannot tell"


def is_unlike(likeness: DistributionScores) -> bool:
    """Whether generated sound is certainly unlike unheard sound: far from it, beyond noise, and near little of it."""
    is_far = likeness.ratio.value > MOST_UNLIKE and likeness.ratio.low > SURELY_UNLIKE
    reaches_little = likeness.coverage < LEAST_COVERED * likeness.coverage_train
    return is_far and reaches_little and likeness.coverage_shortfall.low > 0.0


def is_deformed(form: Form) -> bool:
    """Whether generated sounds certainly lack the form of real ones."""
    return form.excess is not None and form.excess.value > MOST_DEFORMED and form.excess.low > SURELY_DEFORMED


def is_silent(silence: Mapping[str, Silence]) -> bool:
    """Whether more of generated sound is silence than of real sound, beyond what few files leave open."""
    made, real = silence.get("generated"), silence.get("real")
    if made is None or real is None:
        return False
    has_silent_files = made.near_silent_files.low > real.near_silent_files.high
    return has_silent_files or made.silent_frames.low > real.silent_frames.high + MOST_SILENT
