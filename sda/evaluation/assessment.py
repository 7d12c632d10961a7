"""A trained model, or a folder of sound, assessed: everything that `evaluate.py` measures, as data."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from torch import Tensor

from sda.audio.waveform import read_waveform
from sda.evaluation.controls import ProvenControls
from sda.evaluation.embedding import HandMadeEmbedding, standardise
from sda.evaluation.findings import Evidence
from sda.evaluation.floor import choose_stretches, rebuild
from sda.evaluation.form_comparison import Form, Silence
from sda.evaluation.latents import LatentSpace, describe_latents
from sda.evaluation.memorisation import WINDOW_S
from sda.evaluation.sound_map import MapPoint, draw_map
from sda.evaluation.sounds import cut, list_windows
from sda.evaluation.specimens import LONGEST_S, are_whole, draw_specimens
from sda.evaluation.suite import (
    DistributionComparison,
    EvaluationAudio,
    Memorisation,
    assess_distribution,
    assess_memorisation,
    assess_whole,
    choose_window_s,
    list_embeddings,
)
from sda.evaluation.trained_model import (
    Reconstruction,
    TrainedModel,
    collect_segments,
    collect_whole,
    encode_clips,
    reconstruct,
    vary,
)
from sda.evaluation.verdict import Verdict, judge
from sda.generation.synthesizer import take_seed
from sda.models.latents import Posterior
from sda.subsample import subsample_evenly

MOST_ENCODED = 400
"""Training windows that the latent space is described by."""

Stage = Callable[[str, float], None]
"""Told what is being done, and how much of the whole is done, in [0, 1]."""


@dataclass(frozen=True)
class Effort:
    """How much is looked at."""

    max_clips: int
    n_generated: int
    generated_s: float | str
    """Length of each; `auto` for lengths as in the corpus."""
    with_map: bool = True


@dataclass(frozen=True)
class Assessment:
    """Everything that was measured."""

    audio: EvaluationAudio
    memorisation: Memorisation
    distribution: dict[str, DistributionComparison]
    form: Form
    silence: dict[str, Silence]
    """By kind: `generated`, `rebuilt` and `real`."""
    verdict: Verdict
    reconstruction: Reconstruction | None = None
    latents: LatentSpace | None = None
    points: list[MapPoint] = field(default_factory=list)
    variance_share: float = 0.0
    made_of: list[dict[str, Any]] = field(default_factory=list)
    """What each generated sound is made of, see `Provenance.describe`."""
    controls: ProvenControls | None = None
    """What sound can be steered by; none where it was not tried."""
    n_silent_draws: int = 0
    """Draws in which nothing could be heard, and in whose place the sounds that are judged were made."""


def assess_model(trained: TrainedModel, effort: Effort, seed: int, stage: Stage = lambda _, __: None) -> Assessment:
    """Evaluate a trained model.

    Raises:
        DataError: a sound file is gone or has changed.
    """
    rate_hz = trained.features.sample_rate_hz
    sides = {"train": trained.split.train, "held_out": trained.split.val}
    names = trained.split.names
    train, held_out = (collect_segments(segments, trained.corpus, names) for segments in sides.values())
    reconstruction, rebuilt = reconstruct(
        trained, effort.max_clips, advance=lambda share: stage("reconstructing", 0.4 * share)
    )
    synthesizer, length_s = trained.synthesizer, effort.generated_s
    specimens = draw_specimens(
        synthesizer, effort.n_generated, length_s, seed, lambda share: stage("generating", 0.4 + 0.15 * share)
    )
    generated = specimens.sounds
    n_samples = round(sum(len(one.waveform) for one in generated) / effort.n_generated)
    longest = round(LONGEST_S * rate_hz) if are_whole(synthesizer, length_s) else n_samples
    stretches = choose_stretches(train, effort.n_generated, n_samples, longest)
    floor = []
    for number, stretch in enumerate(stretches, start=1):
        floor.append(
            stretch._replace(waveform=rebuild(trained, read_waveform(stretch.waveform), take_seed(seed, number)))
        )
        stage("rebuilding training sound", 0.55 + 0.1 * number / len(stretches))
    window_s = choose_window_s(train, generated, rate_hz)
    controls = {"augmented": vary(train, trained.augmentation, rate_hz, seed, window_s), "reconstructed": rebuilt}
    groups = [trained.group_of.get(segment.path, segment.path) for segment in trained.split.train]
    whole = {side: collect_whole(segments, trained.corpus, names) for side, segments in sides.items()}
    audio = EvaluationAudio(
        rate_hz, train, held_out, generated, groups, controls, floor, whole, are_whole(synthesizer, length_s)
    )
    heard = _assess_sound(audio, audio, seed, stage)
    stage("looking at the latent space", 0.92)
    n_chunk = trained.chunk_samples
    windows = subsample_evenly(list_windows(train, n_chunk, n_chunk), MOST_ENCODED)
    latents = (
        describe_latents(_line_up(encode_clips(trained, cut(train, windows, n_chunk)))) if len(windows) > 1 else None
    )
    points, share = (
        draw_map(audio, n_chunk, lambda _, clips: encode_clips(trained, clips).mean.mean(dim=2), seed)
        if effort.with_map
        else ([], 0.0)
    )
    evidence = replace(
        heard.list_evidence(),
        skill_train=reconstruction.skill.get("train"),
        skill_held_out=reconstruction.skill.get("held_out"),
        error_ratio=reconstruction.error_ratio,
        n_held_out_files=reconstruction.n_files["held_out"],
        weakness=trained.split.weakness,
    )
    return Assessment(
        audio,
        *heard,
        judge(evidence),
        reconstruction,
        latents,
        points,
        share,
        specimens.made_of,
        n_silent_draws=specimens.n_silent,
    )


def assess_folders(
    audio: EvaluationAudio, halves: EvaluationAudio, seed: int, stage: Stage = lambda _, __: None
) -> Assessment:
    """Evaluate generated sound without a model.

    Args:
        audio: all real sound; replays are looked for in all of it.
        halves: the same with real sound in two parts, so that real can be compared with real.
    """
    heard = _assess_sound(audio, halves, seed, stage)
    stage("drawing the map", 0.92)
    window = round(WINDOW_S * audio.sample_rate_hz)
    embedding = HandMadeEmbedding(audio.sample_rate_hz)

    def encode(reference: Tensor, clips: Tensor) -> Tensor:
        return standardise(embedding(reference), embedding(clips), n_parts=embedding.n_parts)[0]

    points, share = draw_map(audio, window, encode, seed)
    evidence = replace(heard.list_evidence(), n_held_out_files=heard.memorisation.replay.n_null_files)
    verdict = judge(evidence)
    return Assessment(audio, *heard, verdict, points=points, variance_share=share)


class _Heard(NamedTuple):
    """What can be measured without a model."""

    memorisation: Memorisation
    distribution: dict[str, DistributionComparison]
    form: Form
    silence: dict[str, Silence]

    def list_evidence(self) -> Evidence:
        """What of it a verdict is made from."""
        scored = {name: one.likeness for name, one in self.distribution.items() if one.likeness is not None}
        return Evidence(
            replay_rate=self.memorisation.replay.rate,
            collage_rate=self.memorisation.collage.rate,
            replay_doubt=self.memorisation.replay.doubt,
            likeness=scored,
            form=self.form if self.form.distance else None,
            silence=self.silence,
        )


def _assess_sound(audio: EvaluationAudio, halves: EvaluationAudio, seed: int, stage: Stage) -> _Heard:
    total_s = sum(len(sound.waveform) for sound in audio.train) / audio.sample_rate_hz
    gone_through_s = 0.0

    def advance(seconds: float) -> None:
        nonlocal gone_through_s
        gone_through_s += seconds
        stage("looking for replays", 0.65 + 0.15 * min(1.0, gone_through_s / total_s))

    memorisation = assess_memorisation(audio, seed, advance)
    distribution = {}
    for name, embedding in list_embeddings(audio.sample_rate_hz).items():
        stage(f"comparing distributions ({name})", 0.82)
        distribution[name] = assess_distribution(halves, embedding, seed)
    stage("comparing form", 0.9)
    return _Heard(memorisation, distribution, *assess_whole(halves, seed))


def _line_up(posterior: Posterior) -> Posterior:
    """The latents of all windows in one row. Two `[B, D, K]` → two `[B · K, D]`."""
    return Posterior(*(values.transpose(1, 2).flatten(0, 1) for values in posterior))
