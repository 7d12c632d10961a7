"""Findings: what an evaluation found, in words that anyone understands, each with the number it stands on."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from sda.bootstrap import Estimate
from sda.evaluation.distribution import DistributionScores
from sda.evaluation.form import TRAITS
from sda.evaluation.form_comparison import Form, Silence
from sda.evaluation.names import EMBEDDINGS
from sda.wording import format_share


@dataclass(frozen=True)
class Finding:
    """One sentence and its number."""

    text: str
    key: str
    """Where the number stands in `evaluation.json`."""
    estimate: Estimate


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
    likeness: Mapping[str, DistributionScores] = field(default_factory=dict)
    """How like unheard sound generated sound is, by embedding; those with too little sound are left out."""
    form: Form | None = None
    """Whether whole sounds have the form of real ones; none where there are too few."""
    silence: Mapping[str, Silence] = field(default_factory=dict)
    """How much of `generated`, of `rebuilt` and of `real` sound is silence."""
    n_held_out_files: int = 0
    weakness: str = ""
    """Why what was held out says less than it should."""


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
    for name, likeness in evidence.likeness.items():
        findings += _describe_likeness(name, likeness)
    if evidence.form is not None:
        findings += _describe_form(evidence.form)
    return [*findings, *_describe_silence(evidence.silence)]


def _describe_likeness(name: str, likeness: DistributionScores) -> list[Finding]:
    text = (
        f"Taken together, generated sound lies {likeness.ratio} times as far from unheard sound as training sound "
        f"does, by {EMBEDDINGS[name]}, and comes close to {100 * likeness.coverage:.0f} % of it; training sound to "
        f"{100 * likeness.coverage_train:.0f} %."
    )
    findings = [Finding(text, f"distribution.{name}.ratio", likeness.ratio)]
    if likeness.rebuilt is not None:
        text = (
            f"Training sound through the model, with nothing drawn anew, lies {likeness.rebuilt.ratio} times as far: "
            f"{BLAME[find_blame(likeness)]}."
        )
        findings.append(Finding(text, f"distribution.{name}.ratio_rebuilt", likeness.rebuilt.ratio))
    return findings


BLAME = {
    "both": "likeness is lost before anything new is drawn (the decoder), and more of it in drawing (the prior)",
    "decoder": "likeness is lost before anything new is drawn (the decoder); that more is lost in drawing (the "
    "prior) cannot be told",
    "prior": "likeness is lost in drawing something new (the prior); that any is lost before (the decoder) cannot be "
    "told",
    "": "that likeness is lost before anything new is drawn (the decoder), or in drawing (the prior), cannot be told",
}
"""What is known of where likeness is lost, by `find_blame`."""


def find_blame(likeness: DistributionScores) -> str:
    """Where likeness is lost, beyond what few files leave open: `decoder`, `prior` or `both`; empty where nowhere."""
    if likeness.rebuilt is None:
        return ""
    in_decoder, in_prior = likeness.rebuilt.lost_rebuilding.low > 0.0, likeness.rebuilt.lost_drawing.low > 0.0
    return "both" if in_decoder and in_prior else "decoder" if in_decoder else "prior" if in_prior else ""


def _describe_form(form: Form) -> list[Finding]:
    distance, excess = form.distance.get("generated"), form.excess
    if distance is None or excess is None:
        return []
    text = (
        f"In form, whole generated sounds lie {distance} spreads of real sound from unheard ones, training sounds "
        f"{form.distance['train']}"
    )
    if excess.low > 0.0:
        name = find_most_deformed(form)
        made, real = (form.traits[kind][name].value for kind in ("generated", "held_out"))
        trait = TRAITS[name]
        text += f"; most apart: {trait.term}, {made:.{trait.digits}f} where unheard sound has {real:.{trait.digits}f}"
    return [Finding(f"{text}.", "form.distance", distance)]


def find_most_deformed(form: Form) -> str:
    """The trait by which generated sounds lie farthest from unheard ones, beside training sounds."""
    made, train = form.distance_by_trait["generated"], form.distance_by_trait["train"]
    return max(made, key=lambda name: made[name] - train[name])


def _describe_silence(silence: Mapping[str, Silence]) -> list[Finding]:
    made, real = silence.get("generated"), silence.get("real")
    if made is None or real is None:
        return []
    files = (
        f"{_percent(made.near_silent_files)} of the generated files are near-silent, of real ones "
        f"{_percent(real.near_silent_files)}."
    )
    frames = (
        f"Generated files are silent for {_percent(made.silent_frames)} of the time, real ones for "
        f"{_percent(real.silent_frames)} of as much time"
    )
    if made.windows_left_out:
        left_out = f"{100 * made.windows_left_out:.0f} %"
        frames += (
            f"; {left_out} of the generated seconds are too quiet to be compared, and likeness is that of the rest"
        )
    return [
        Finding(files, "silence.generated.near_silent_files", made.near_silent_files),
        Finding(f"{frames}.", "silence.generated.silent_frames", made.silent_frames),
    ]


def _percent(estimate: Estimate) -> str:
    return format_share(estimate.value, estimate.low, estimate.high)
