"""The evaluation as a whole, on sound alone: what is generated against what was trained on and what was held out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from sda.audio.waveform import read_waveform
from sda.evaluation.aisfx import SoundEffectEmbedding, find_weights
from sda.evaluation.distribution import DistributionScores, compare, find_shortage
from sda.evaluation.embedding import Embedding, HandMadeEmbedding, standardise
from sda.evaluation.form_comparison import Form, Silence, assess_form
from sda.evaluation.memorisation import (
    PIECE_S,
    WINDOW_S,
    Replay,
    Similarity,
    join,
    measure_replay,
    summarise_matches,
)
from sda.evaluation.mmd import Labels, Sample
from sda.evaluation.patches import PatchFeatures
from sda.evaluation.search import Matches, find_nearest
from sda.evaluation.sounds import Sound, Window, cut, list_windows
from sda.evaluation.speeds import list_patches, take_best
from sda.subsample import subsample_evenly

MOST_WINDOWS = 240
"""Windows of a set that are looked at, spread evenly."""
MOST_CONTROLS = 60
MOST_EMBEDDED = 256
SHORTEST_WINDOW_S = 0.05
"""Sounds that fill less than half of this are too short to be searched for."""
SILENCES = ("generated", "rebuilt", "real")
"""Kinds of sound that silence is told of; held-out and training sound are one."""
SHORT_SHARE = 0.1
"""Where most sounds are shorter than a second, windows are as long as the sounds but for this share, the shortest."""


@dataclass(frozen=True)
class EvaluationAudio:
    """The sound that an evaluation is made from, all at one rate."""

    sample_rate_hz: int
    train: Sequence[Sound]
    held_out: Sequence[Sound]
    """Real sound that nothing was trained on; may be empty where only replays are looked for."""
    generated: Sequence[Sound]
    train_groups: Sequence[str] = ()
    """The recording that each training sound belongs to; each is its own by default."""
    controls: Mapping[str, Sequence[Sound]] = field(default_factory=dict)
    """Sound that is known to be training sound in another guise, by name."""
    rebuilt: Sequence[Sound] = ()
    """Stretches of training sound through the model, one of a file; empty where there is no model."""
    whole: Mapping[str, Sequence[Sound]] = field(default_factory=dict)
    """`train`, `held_out` and `generated` as they are in their files, with the silence at their ends, where that was
    cut off."""
    are_whole: bool = False
    """Generated sounds are as long as they are, as real ones in their files, and were not asked to be of one length."""


@dataclass(frozen=True)
class Memorisation:
    """Whether generated sound is training sound, in whole seconds and in quarters."""

    replay: Replay
    collage: Replay
    similarities: dict[str, Similarity]
    """By set: `generated`, `unheard`, `copies` and the material's controls; whole seconds."""
    window_s: float = WINDOW_S
    """Length of the windows: a second, or as long as the sounds are where most are shorter."""


@dataclass(frozen=True)
class DistributionComparison:
    """Whether generated sound is like unheard sound, by one embedding."""

    likeness: DistributionScores | None
    too_few: str = ""
    """Why there is no figure."""


def assess_memorisation(
    audio: EvaluationAudio, seed: int = 0, advance: Callable[[float], None] = lambda _: None
) -> Memorisation:
    """Search all training sound for what was generated, for unheard sound, and for copies of itself.

    Unheard are held-out sound and, because that is often little, training sound whose own recording is passed over: to
    the rest of the training sound, it is as new as any.

    Where most sounds are shorter than a second, windows are as long as they are, see `choose_window_s`; of what is too
    short even for that, nothing is said.

    Args:
        advance: told how many seconds of training sound have been gone through since it was last told.

    Raises:
        ValueError: there is no training sound.
    """
    rate_hz = audio.sample_rate_hz
    window_s = choose_window_s(audio.train, audio.generated, rate_hz)
    features = PatchFeatures(rate_hz, is_short=window_s < PIECE_S).fit(audio.train)
    groups = list(audio.train_groups) or [str(number) for number in range(len(audio.train))]
    sets = {
        "generated": audio.generated,
        "held_out": audio.held_out,
        "others": audio.train if len(set(groups)) > 1 else [],
        # Cut off the grid that sound is searched on by half a hop: as bad as it gets.
        "copies": shift(audio.train, round(features.hop_s / 2 * rate_hz)),
        **audio.controls,
    }
    lengths = [round(window_s * rate_hz), round(min(PIECE_S, window_s) * rate_hz)]
    windows = [
        {name: choose_windows(features, name, sounds, n, lengths[0]) for name, sounds in sets.items()} for n in lengths
    ]
    patches = [
        list_patches(features, torch.cat([cut(sets[name], chosen, n) for name, chosen in of_length.items()]))
        for of_length, n in zip(windows, lengths, strict=True)
    ]
    matched = iter(find_nearest([one for some in patches for one in some], audio.train, features, advance))
    found = []
    for some, of_length in zip(patches, windows, strict=True):
        matches = take_best([next(matched) for _ in some])
        first, similarities = 0, {}
        for name, chosen in of_length.items():
            rows = slice(first, first + len(chosen))
            first += len(chosen)
            own = [groups[window.sound] for window in chosen] if name == "others" else []
            part = Matches(matches.correlation[rows], matches.start_s[rows])
            similarity = summarise_matches(part, chosen, groups, own)
            if own:  # takes of one recording are one
                similarity = similarity._replace(sound=np.unique(own, return_inverse=True)[1].astype(np.intp))
            similarities[name] = similarity
        similarities["unheard"] = join(similarities.pop("held_out"), similarities.pop("others"))
        found.append(similarities)
    replays = []
    for similarities in found:
        controls = {name: one for name, one in similarities.items() if name not in ("generated", "unheard")}
        replays.append(measure_replay(similarities["unheard"], similarities["generated"], controls, seed))
    return Memorisation(replays[0], replays[1], found[0], window_s)


def choose_window_s(train: Sequence[Sound], generated: Sequence[Sound], sample_rate_hz: int) -> float:
    """Length of the windows that are searched for: a second, less where most sounds of a side are shorter.

    A window that is mostly silence resembles nothing, so that hits would never be found.
    """
    shortest = WINDOW_S
    for sounds in (train, generated):
        lengths_s = np.array([len(sound.waveform) / sample_rate_hz for sound in sounds])
        if len(sounds) and np.median(lengths_s) < WINDOW_S:
            shortest = min(shortest, float(np.quantile(lengths_s, SHORT_SHARE)))
    return max(SHORTEST_WINDOW_S, shortest)


def list_embeddings(sample_rate_hz: int) -> dict[str, Embedding]:
    """The embeddings that can be computed here, by name: `hand_made` always, `aisfx` where it is installed."""
    embeddings: dict[str, Embedding] = {"hand_made": HandMadeEmbedding(sample_rate_hz)}
    if find_weights() is not None:
        embeddings["aisfx"] = SoundEffectEmbedding(sample_rate_hz)
    return embeddings


def assess_distribution(audio: EvaluationAudio, embedding: Embedding, seed: int = 0) -> DistributionComparison:
    """Compare generated, training and rebuilt sound with held-out sound by an embedding.

    Nothing is embedded where there is too little to compare, nor more of what was made than will be compared.
    """
    rate_hz = audio.sample_rate_hz
    sides = (audio.generated, audio.held_out, audio.train, audio.rebuilt)
    generated, held_out, train, rebuilt = (choose_embedded(sounds, rate_hz) for sounds in sides)
    most = min(len(generated), len(train))
    chosen = (subsample_evenly(generated, most), held_out, train, subsample_evenly(rebuilt, most))
    files = [label(windows) for windows in chosen]
    shortage = find_shortage(*files[:3])
    if shortage:
        return DistributionComparison(None, shortage)
    vectors = [
        embedding(cut(sounds, windows, round(WINDOW_S * rate_hz)))
        for sounds, windows in zip(sides, chosen, strict=True)
    ]
    scaled = standardise(torch.cat(vectors[1:3]), *vectors, n_parts=embedding.n_parts)
    of_generated, of_held_out, of_train, of_rebuilt = (
        Sample(one.double().numpy(), labels) for one, labels in zip(scaled, files, strict=True)
    )
    return DistributionComparison(
        compare(of_generated, of_held_out, of_train, seed, of_rebuilt if audio.rebuilt else None)
    )


def assess_whole(audio: EvaluationAudio, seed: int = 0) -> tuple[Form, dict[str, Silence]]:
    """The form of whole sounds, and how much of each kind is silence: of `generated`, `rebuilt` and `real` sound."""
    kinds = {name: audio.whole.get(name, sounds) for name, sounds in (
        ("generated", audio.generated), ("held_out", audio.held_out), ("train", audio.train)
    )}  # fmt: skip
    if audio.rebuilt:
        kinds["rebuilt"] = audio.rebuilt
    form = assess_form(kinds, audio.sample_rate_hz, seed, are_whole=audio.are_whole)
    windowed = {**kinds, "real": [*audio.held_out, *audio.train]}
    silence: dict[str, Silence] = {
        kind: Silence(form.near_silent[kind], form.silent[kind], count_left_out(windowed[kind], audio.sample_rate_hz))
        for kind in SILENCES
        if kind in form.near_silent and kind in form.silent
    }
    return form, silence


def count_left_out(sounds: Sequence[Sound], sample_rate_hz: int) -> float:
    """Share of half-overlapping seconds that are near-silent, and are therefore embedded by none; 0 without any."""
    n_samples = round(WINDOW_S * sample_rate_hz)
    hop = n_samples // 2
    n_windows = sum(max(0, len(sound.waveform) - n_samples) // hop + 1 for sound in sounds)
    return 1.0 - len(list_windows(sounds, n_samples, hop)) / n_windows if n_windows else 0.0


def choose_embedded(sounds: Sequence[Sound], sample_rate_hz: int) -> list[Window]:
    """The half-overlapping seconds that sounds are embedded by: all that are not near-silent, or some, evenly."""
    n_samples = round(WINDOW_S * sample_rate_hz)
    return subsample_evenly(list_windows(sounds, n_samples, n_samples // 2), MOST_EMBEDDED)


def label(windows: Sequence[Window]) -> Labels:
    """The index of the sound that each was cut from, `[B]`."""
    return np.array([window.sound for window in windows], dtype=np.intp)


def embed(sounds: Sequence[Sound], sample_rate_hz: int, embedding: Embedding) -> tuple[Tensor, Labels]:
    """Vectors of half-overlapping seconds `[B, D]`, and the index of the sound that each was cut from `[B]`."""
    windows = choose_embedded(sounds, sample_rate_hz)
    return embedding(cut(sounds, windows, round(WINDOW_S * sample_rate_hz))), label(windows)


def choose_windows(
    features: PatchFeatures, name: str, sounds: Sequence[Sound], n_samples: int, longest: int
) -> list[Window]:
    """Windows of a set: overlapping by half where they are whole seconds, end to end where they are pieces.

    Those that are mostly near-silent, or filled up, are left out: no place that is so is searched.
    """
    hop = n_samples // 2 if n_samples == longest else n_samples
    most = MOST_WINDOWS if name in ("generated", "held_out", "others") else MOST_CONTROLS
    windows = [
        one
        for one in list_windows(sounds, n_samples, hop)
        if features.is_mostly_loud(
            read_waveform(sounds[one.sound].waveform[one.start : one.start + n_samples]), n_samples
        )
    ]
    return subsample_evenly(windows, most)


def shift(sounds: Sequence[Sound], n_samples: int) -> list[Sound]:
    """The same sounds from a little later on."""
    return [Sound(sound.name, sound.waveform[n_samples:], sound.start_s) for sound in sounds]
