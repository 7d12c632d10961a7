"""A trained model, or a folder of sound, assessed: everything that `evaluate.py` measures, as data."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sda.app.builders import count_chunk_samples
from sda.app.subject import Reconstruction, Subject, collect_pieces, encode_clips, reconstruct, vary
from sda.bootstrap import Estimate
from sda.evaluation.embedding import HandMadeEmbedding, standardise
from sda.evaluation.latents import LatentSpace, arrange_neighbours, describe_latents, project
from sda.evaluation.memorisation import WINDOW_S
from sda.evaluation.sounds import Sound, Window, cut, list_windows, spread
from sda.evaluation.suite import (
    Material,
    Memorisation,
    Resemblance,
    assess_memorisation,
    assess_resemblance,
    choose_window_s,
    list_embeddings,
)
from sda.evaluation.verdict import Evidence, Verdict, judge
from sda.generation.voice import generate_sound
from sda.models.latents import Posterior

MOST_ENCODED = 400
"""Training windows that the latent space is described by."""
MOST_POINTS = {"train": 160, "held_out": 80, "generated": 64}
"""Windows of each kind on the map: every one of them brings its sound along."""

Stage = Callable[[str, float], None]
"""Told what is being done, and how much of the whole is done, in [0, 1]."""


@dataclass(frozen=True)
class Effort:
    """How much is looked at."""

    max_clips: int
    n_generated: int
    generated_s: float
    with_map: bool = True


@dataclass(frozen=True)
class MapPoint:
    """A window of sound in the plane."""

    kind: str
    sound: Sound
    start_s: float
    clip: Tensor
    spread: tuple[float, float]
    neighbours: tuple[float, float]


@dataclass(frozen=True)
class Assessment:
    """Everything that was measured."""

    material: Material
    memorisation: Memorisation
    resemblance: dict[str, Resemblance]
    verdict: Verdict
    reconstruction: Reconstruction | None = None
    latents: LatentSpace | None = None
    points: list[MapPoint] = field(default_factory=list)
    variance_share: float = 0.0


def assess_model(subject: Subject, effort: Effort, seed: int, stage: Stage = lambda _, __: None) -> Assessment:
    """Evaluate a trained model.

    Raises:
        DataError: a sound file is gone or has changed.
    """
    rate_hz = subject.features.sample_rate_hz
    train, held_out = (collect_pieces(pieces, subject.corpus) for pieces in (subject.split.train, subject.split.val))
    reconstruction, rebuilt = reconstruct(
        subject, effort.max_clips, advance=lambda share: stage("reconstructing", 0.4 * share)
    )
    n_samples = round(effort.generated_s * rate_hz)
    generated = []
    for number in range(1, effort.n_generated + 1):
        waveform = generate_sound(subject.voice, n_samples, seed=seed, number=number)
        generated.append(Sound(f"generated {number}", waveform))
        stage("generating", 0.4 + 0.25 * number / effort.n_generated)
    window_s = choose_window_s(train, generated, rate_hz)
    controls = {"augmented": vary(train, subject.config, seed, window_s), "reconstructed": rebuilt}
    groups = [subject.group_of.get(piece.path, piece.path) for piece in subject.split.train]
    material = Material(rate_hz, train, held_out, generated, groups, controls)
    memorisation, resemblance = _assess_sound(material, material, seed, stage)
    stage("looking at the latent space", 0.92)
    n_chunk = count_chunk_samples(subject.config)
    windows = spread(list_windows(train, n_chunk, n_chunk), MOST_ENCODED)
    latents = (
        describe_latents(_line_up(encode_clips(subject, cut(train, windows, n_chunk)))) if len(windows) > 1 else None
    )
    points, share = (
        draw_map(material, n_chunk, lambda _, clips: encode_clips(subject, clips).mean.mean(dim=2), seed)
        if effort.with_map
        else ([], 0.0)
    )
    evidence = Evidence(
        replay_rate=memorisation.replay.rate,
        collage_rate=memorisation.collage.rate,
        replay_doubt=memorisation.replay.doubt,
        skill_train=reconstruction.skill.get("train"),
        skill_held_out=reconstruction.skill.get("held_out"),
        error_ratio=reconstruction.error_ratio,
        likeness=_list_ratios(resemblance),
        n_held_out_files=reconstruction.n_files["held_out"],
        weakness=subject.split.weakness,
    )
    return Assessment(material, memorisation, resemblance, judge(evidence), reconstruction, latents, points, share)


def assess_folders(material: Material, halves: Material, seed: int, stage: Stage = lambda _, __: None) -> Assessment:
    """Evaluate generated sound without a model.

    Args:
        material: all real sound; replays are looked for in all of it.
        halves: the same with real sound in two parts, so that real can be compared with real.
    """
    memorisation, resemblance = _assess_sound(material, halves, seed, stage)
    stage("drawing the map", 0.92)
    window = round(WINDOW_S * material.sample_rate_hz)
    embedding = HandMadeEmbedding(material.sample_rate_hz)

    def encode(reference: Tensor, clips: Tensor) -> Tensor:
        return standardise(embedding(reference), embedding(clips), n_parts=embedding.n_parts)[0]

    points, share = draw_map(material, window, encode, seed)
    evidence = Evidence(
        replay_rate=memorisation.replay.rate,
        collage_rate=memorisation.collage.rate,
        replay_doubt=memorisation.replay.doubt,
        likeness=_list_ratios(resemblance),
        n_held_out_files=memorisation.replay.n_null_files,
    )
    return Assessment(material, memorisation, resemblance, judge(evidence), points=points, variance_share=share)


def _assess_sound(
    material: Material, halves: Material, seed: int, stage: Stage
) -> tuple[Memorisation, dict[str, Resemblance]]:
    total_s = sum(len(sound.waveform) for sound in material.train) / material.sample_rate_hz
    gone_through_s = 0.0

    def advance(seconds: float) -> None:
        nonlocal gone_through_s
        gone_through_s += seconds
        stage("looking for replays", 0.65 + 0.15 * min(1.0, gone_through_s / total_s))

    memorisation = assess_memorisation(material, seed, advance)
    resemblance = {}
    for name, embedding in list_embeddings(material.sample_rate_hz).items():
        stage(f"comparing distributions ({name})", 0.85)
        resemblance[name] = assess_resemblance(halves, embedding, seed)
    return memorisation, resemblance


def _list_ratios(resemblance: dict[str, Resemblance]) -> dict[str, Estimate]:
    return {name: one.likeness.ratio for name, one in resemblance.items() if one.likeness is not None}


def draw_map(
    material: Material, n_samples: int, encode: Callable[[Tensor, Tensor], Tensor], seed: int
) -> tuple[list[MapPoint], float]:
    """Windows of all kinds of sound in the plane, and the share of variance that two directions hold.

    Args:
        encode: from windows of real sound (`[R, T]`, to be scaled by) and windows (`[B, T]`) to vectors `[B, D]`.
    """
    kinds = {"train": material.train, "held_out": material.held_out, "generated": material.generated}
    chosen: list[tuple[str, Sound, Window]] = []
    clips: list[Tensor] = []
    for kind, sounds in kinds.items():
        windows = spread(list_windows(sounds, n_samples, n_samples), MOST_POINTS[kind])
        chosen += [(kind, sounds[window.sound], window) for window in windows]
        clips += list(cut(sounds, windows, n_samples))
    if len(clips) < 8:
        return [], 0.0
    is_real = torch.tensor([kind != "generated" for kind, _, _ in chosen])
    every = torch.stack(clips)
    vectors = encode(every[is_real], every).cpu()
    (places,), share = project(vectors[is_real], vectors)
    neighbours = arrange_neighbours(vectors, seed)
    points = [
        MapPoint(kind, sound, sound.start_s + window.start / material.sample_rate_hz, clip, _pair(place), _pair(near))
        for (kind, sound, window), clip, place, near in zip(chosen, clips, places, neighbours, strict=True)
    ]
    return points, share


def _line_up(posterior: Posterior) -> Posterior:
    """The latents of all windows in one row. Two `[B, D, K]` → two `[B · K, D]`."""
    return Posterior(*(values.transpose(1, 2).flatten(0, 1) for values in posterior))


def _pair(row: NDArray[np.float64]) -> tuple[float, float]:
    return float(row[0]), float(row[1])
