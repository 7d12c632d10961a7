"""Whether whole generated sounds have the form of real ones, see `form`, and how many of them are silence.

Of every trait there is the mean over the sounds of a kind, and one distance is taken over all traits: the energy
distance between the traits of two sets of sounds, in spreads of real sound. It is unbiased, as MMD² is: two sets of one
kind lie at 0 on average, and as often below. Training sound's own distance to held-out sound stands beside it.

Letters in the shapes: `T` samples, `N`, `M` values, `K`, `L` sounds, `R` replicates.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from sda.audio.span import find_sound
from sda.audio.waveform import Waveform, read_waveform
from sda.bootstrap import Estimate, FloatArray, draw_weights, enclose, estimate_mean
from sda.evaluation.form import FRAME_S, TRAITS, Measure, Outline, list_levels_db, outline
from sda.evaluation.mmd import Labels, PairSums, count_pairs, find_discrepancies, sum_by_file
from sda.evaluation.silence import REAL, estimate_faint, estimate_silent, is_faint
from sda.evaluation.sounds import Sound
from sda.subsample import subsample_evenly

COMPARED = {"generated": "generated", "held_out": "held-out", "train": "training"}
"""Kinds that it takes for a distance, in words."""
FEWEST_SOUNDS = 4
"""With fewer sounds on a side, a trait is not compared."""
MOST_STRETCHES = 160
"""Of a kind, spread evenly."""
FARTHEST = 10.0
"""What lies more spreads than this from the median real sound counts as that."""
MIDDLE = (0.1, 0.5, 0.9)
"""Quantiles of real sound that the spread is taken from, so that a tenth of outliers on either side does not count."""
DEVIATIONS = 2.563
"""Between the outer two of them, in a normal distribution."""
SHOT_SHARE = 0.5
"""Where so many real sounds end, what is before and behind a sound is no part of its form."""
N_REPLICATES = 400


class Column(NamedTuple):
    """One trait of the sounds of one kind."""

    values: FloatArray
    """`[N]`, of stretches."""
    sounds: Labels
    """The sound of each, `[N]`."""

    @property
    def n_sounds(self) -> int:
        """How many sounds have this trait."""
        return len(np.unique(self.sounds))


@dataclass(frozen=True)
class Form:
    """The form of real, rebuilt and generated sounds."""

    traits: dict[str, dict[str, Estimate]] = field(default_factory=dict)
    """Means by kind (`generated`, `held_out`, `train`, `rebuilt`), then by trait; with intervals over sounds."""
    n_sounds: dict[str, int] = field(default_factory=dict)
    near_silent: dict[str, Estimate] = field(default_factory=dict)
    """Share of whole sounds that are near-silent, by kind, and by `real` for both kinds of real sound together."""
    silent: dict[str, Estimate] = field(default_factory=dict)
    """Share of the time that is silent, by the same, see `silence`."""
    distance: dict[str, Estimate] = field(default_factory=dict)
    """To held-out sound, in spreads of real sound, by kind; empty where `too_few` says why."""
    distance_by_trait: dict[str, dict[str, float]] = field(default_factory=dict)
    """The same by kind, then by trait: their mean is the distance."""
    excess: Estimate | None = None
    """How much farther generated sounds lie from held-out ones than training sounds do."""
    longest_s: float = 0.0
    """No sound was looked at for longer at once."""
    are_shots: bool = False
    """Whether real sounds end, so that what is before and behind a sound was left out."""
    too_few: str = ""


@dataclass(frozen=True)
class Silence:
    """How much of some sound is not there to be compared."""

    near_silent_files: Estimate
    """Share of whole sounds that never come near the level of real ones."""
    silent_frames: Estimate
    """Share of their time."""
    windows_left_out: float
    """Share of windows that are too quiet for anything to be said of what they resemble."""


class _Traced(NamedTuple):
    waveform: Waveform
    outline: Outline


class _Stretch(NamedTuple):
    sound: int
    waveform: Waveform
    is_first: bool


def assess_form(
    kinds: Mapping[str, Sequence[Sound]], sample_rate_hz: int, seed: int = 0, *, are_whole: bool = False
) -> Form:
    """Measure the form of every kind of sound, and how far generated and rebuilt sound lies from held-out sound.

    No sound is looked at for longer at once than the longest real or the longest generated file lasts, whichever is
    shorter: what moves within a minute does not within two seconds. A longer one is looked at in stretches.

    Args:
        kinds: `generated`, `held_out` and `train` as they are in their files, with the silence at their ends;
            `rebuilt`, where there is a model, in stretches, of which it is not asked how they end.
        are_whole: generated sounds have lengths of their own, as real ones have.
    """
    frame = round(FRAME_S * sample_rate_hz)
    traced = {kind: [_trace(one.waveform, frame) for one in sounds] for kind, sounds in kinds.items()}
    real = [one.outline for kind in REAL for one in traced[kind] if len(one.outline.levels)]
    n_sounds = {kind: len(sounds) for kind, sounds in kinds.items()}
    if not real or not traced["generated"]:
        return Form(n_sounds=n_sounds, too_few=_count_few(n_sounds))
    measure = Measure(sample_rate_hz, float(np.median([one.loudest_db for one in real])))
    are_shots = float(np.mean([one.ends for one in real])) >= SHOT_SHARE
    bodies = {
        kind: [_take_body(one, frame, are_shots=are_shots, is_real=kind in REAL) for one in found]
        for kind, found in traced.items()
    }
    # What has room to end in its file may be as long as that; else a sound is as long as there is of it.
    whole = {kind: [one.waveform for one in found] for kind, found in traced.items()} if are_shots else bodies
    rooms = {kind: [len(waveform) for waveform in found] for kind, found in whole.items()}
    longest = max(frame, min(max(rooms["held_out"] + rooms["train"]), max(rooms["generated"])))
    columns = {
        kind: _measure_kind(measure, bodies[kind], [] if kind == "rebuilt" else traced[kind], longest, are_shots)
        for kind in traced
    }
    outlines = {kind: [one.outline for one in found] for kind, found in traced.items()}
    in_room = are_shots and not are_whole
    heard = outlines if in_room else {kind: [_trace(one, frame).outline for one in bodies[kind]] for kind in bodies}
    form = Form(
        traits={
            kind: {name: estimate_trait(name, one, seed) for name, one in found.items()}
            for kind, found in columns.items()
        },
        n_sounds=n_sounds,
        near_silent=estimate_faint(outlines, measure.loudest_db),
        silent=estimate_silent(heard, measure.loudest_db, in_room=in_room, seed=seed),
        longest_s=longest / sample_rate_hz,
        are_shots=are_shots,
    )
    return compare_form(form, columns, seed)


def _measure_kind(
    measure: Measure, bodies: Sequence[Waveform], traced: Sequence[_Traced], longest: int, are_shots: bool
) -> dict[str, Column]:
    """The traits of all stretches of one kind of sound, and how its sounds end.

    Args:
        traced: the whole sounds; none where it is not asked how they end.
    """
    rows = [
        (stretch.sound, measure(read_waveform(stretch.waveform), from_nothing=are_shots and stretch.is_first))
        for stretch in subsample_evenly(_cut(bodies, longest), MOST_STRETCHES)
    ]
    rows += [
        (number, one.outline.measure_end(longest // measure.frame))
        for number, one in enumerate(traced)
        if not is_faint(one.outline, measure.loudest_db)
    ]
    return _collect(rows)


def compare_form(form: Form, columns: Mapping[str, Mapping[str, Column]], seed: int = 0) -> Form:
    """The same with its distances, over all traits that enough sounds of each kind have.

    Rebuilt sound is compared by those of them that it has.
    """
    scaled = standardise(columns)
    names = [
        name for name in TRAITS if all(scaled[kind].get(name, NOTHING).n_sounds >= FEWEST_SOUNDS for kind in COMPARED)
    ]
    if not names:
        return replace(form, too_few=_count_few(form.n_sounds))
    weights = {
        kind: draw_weights(n, seed + place, N_REPLICATES) for place, (kind, n) in enumerate(form.n_sounds.items())
    }
    distance, by_trait, replicates = {}, {}, {}
    for kind in ("generated", "train", "rebuilt"):
        shared = [name for name in names if scaled.get(kind, {}).get(name, NOTHING).n_sounds >= FEWEST_SOUNDS]
        if not shared:
            continue
        ns = (form.n_sounds[kind], form.n_sounds["held_out"])
        pairs = [sum_distances(scaled[kind][name], scaled["held_out"][name], *ns) for name in shared]
        values = [float(find_discrepancies(*pair, *(np.ones((1, n)) for n in ns))[0]) for pair in pairs]
        drawn = np.array([find_discrepancies(*pair, weights[kind], weights["held_out"]) for pair in pairs])
        replicates[kind] = np.where(np.isnan(drawn).any(axis=0), np.nan, drawn.mean(axis=0))
        by_trait[kind] = dict(zip(shared, values, strict=True))
        distance[kind] = enclose(float(np.mean(values)), replicates[kind], min(ns))
    farther = distance["generated"].value - distance["train"].value
    fewest = min(form.n_sounds[kind] for kind in COMPARED)
    excess = enclose(farther, replicates["generated"] - replicates["train"], fewest)
    return replace(form, distance=distance, distance_by_trait=by_trait, excess=excess)


def standardise(columns: Mapping[str, Mapping[str, Column]]) -> dict[str, dict[str, Column]]:
    """Every trait in spreads of real sound, from its median; lengths by their logarithm."""
    scaled: dict[str, dict[str, Column]] = {kind: {} for kind in columns}
    for name, trait in TRAITS.items():
        found = {
            kind: of_kind[name]._replace(
                values=np.log2(of_kind[name].values) if trait.is_length else of_kind[name].values
            )
            for kind, of_kind in columns.items()
            if name in of_kind
        }
        real = [found[kind].values for kind in REAL if kind in found]
        if not real:
            continue
        low, middle, high = np.quantile(np.concatenate(real), MIDDLE)
        scale = max((high - low) / DEVIATIONS, trait.least)
        for kind, column in found.items():
            values = ((column.values - middle) / scale).clip(-FARTHEST, FARTHEST)
            scaled[kind][name] = column._replace(values=values)
    return scaled


def sum_distances(x: Column, y: Column, n_x: int, n_y: int) -> tuple[PairSums, PairSums]:
    """The kernel `−|x − y|` summed over the values of two sounds, and how many pairs of values they are."""

    def add(a: Column, b: Column, n_a: int, n_b: int) -> FloatArray:
        return sum_by_file(-np.abs(a.values[:, None] - b.values[None]), a.sounds, b.sounds, n_a, n_b)

    counts = (np.bincount(one.sounds, minlength=n).astype(np.float64) for one, n in ((x, n_x), (y, n_y)))
    return PairSums(add(x, x, n_x, n_x), add(y, y, n_y, n_y), add(x, y, n_x, n_y)), count_pairs(*counts)


def estimate_trait(name: str, column: Column, seed: int = 0) -> Estimate:
    """The mean of a trait, with its interval over sounds."""
    mean = estimate_mean(column.values, column.sounds.tolist(), seed)
    if not TRAITS[name].is_share:
        return mean
    return Estimate(mean.value, *(min(1.0, max(0.0, bound)) for bound in (mean.low, mean.high)))


NOTHING = Column(np.zeros(0), np.zeros(0, dtype=np.intp))


def _trace(waveform: Waveform, frame: int) -> _Traced:
    return _Traced(waveform, outline(list_levels_db(read_waveform(waveform), frame)))


def _take_body(traced: _Traced, frame: int, *, are_shots: bool, is_real: bool) -> Waveform:
    """What of a sound has a form: where sounds end, from beginning to end; else all but what a file is filled up with.

    What a generator is silent for before or behind a sound that should go on is its own doing.
    """
    waveform, found = traced
    if are_shots:
        return waveform[found.first * frame : found.last * frame]
    if not is_real:
        return waveform
    first, last = find_sound(read_waveform(waveform)[None])[0].tolist()
    return waveform[first:last]


def _cut(bodies: Sequence[Waveform], longest: int) -> list[_Stretch]:
    """Every sound in stretches of no more than `longest` samples, spread evenly over it; a shorter one is one."""
    stretches = []
    for number, body in enumerate(bodies):
        n_stretches = max(1, round(len(body) / longest))
        for place in range(n_stretches):
            start = place * max(0, len(body) - longest) // max(1, n_stretches - 1)
            stretches.append(_Stretch(number, body[start : start + longest], place == 0))
    return stretches


def _collect(rows: Iterable[tuple[int, Mapping[str, float]]]) -> dict[str, Column]:
    """Traits by name, from the traits of each stretch and the sound it is of."""
    found: dict[str, tuple[list[float], list[int]]] = {}
    for sound, traits in rows:
        for name, value in traits.items():
            values, sounds = found.setdefault(name, ([], []))
            values.append(value)
            sounds.append(sound)
    return {
        name: Column(np.array(found[name][0]), np.array(found[name][1], dtype=np.intp))
        for name in TRAITS
        if name in found
    }


def _count_few(n_sounds: Mapping[str, int]) -> str:
    counts = ", ".join(f"{n_sounds[kind]} {words}" for kind, words in COMPARED.items())
    return f"too few to tell: {counts} sounds, and it takes {FEWEST_SOUNDS} of each"
