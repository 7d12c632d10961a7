"""Do sounds lie where they are wanted, and does it cost likeness? See README.md.

Usage: PYTHONPATH=. python experiments/010-wanted/run.py RUN [--n 8] [--output FILE.json]
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.stats import spearmanr

from sda.app.loading import TrainedRun, open_run
from sda.app.steering import build_wanted, find_controls
from sda.audio.descriptors import Describer
from sda.data.corpus import Corpus, to_amplitude
from sda.durable import write_json
from sda.evaluation.embedding import standardise
from sda.evaluation.mmd import Sample, median_distance, replicate_mmd2
from sda.evaluation.sounds import Sound, cut, list_windows
from sda.evaluation.suite import list_embeddings
from sda.evaluation.trained_model import collect_segments
from sda.generation.provenance import list_main
from sda.generation.sampling import NewSound, draw_new_sound
from sda.generation.synthesizer import Synthesizer
from sda.generation.wanted import CANDIDATE_SEEDS_APART, Draw, Wanted, draw_wanted, round_as_written
from sda.runs.prepare_data import build_cache
from sda.subsample import subsample_evenly

KEYS = ("brightness", "noisiness", "pitch", "decay", "density")
PLACES = (0.1, 0.5, 0.9)
DURATION_S = 4.0
MOST_REAL = 24
"""Stretches of real sound on either side, one of each file first."""


class Made(NamedTuple):
    """A sound that was drawn."""

    waveform: torch.Tensor
    described: Mapping[str, float]
    origin: str
    """The recording that it is made of most."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--n", type=int, default=8, help="sounds for each condition")
    parser.add_argument("--output", type=Path, help="figures are added to those that the file holds")
    arguments = parser.parse_args()
    run = open_run(arguments.run, "cpu")
    figures = measure(run, arguments.n)
    name = Path(run.config.data.root).name
    print(json.dumps({name: figures}, indent=1))
    if arguments.output:
        known = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
        write_json(arguments.output, known | {name: figures})


def measure(run: TrainedRun, n: int) -> dict[str, Any]:
    """By descriptor: where sounds lie without a condition, by choice alone and with controls; and their likeness."""
    proven, gain = find_controls(run), to_amplitude(run.config.data.gain_db)
    draws = _Draws(run.synthesizer, gain)
    plain = [
        draws.describe(draws.take(run.synthesizer, number, candidate * CANDIDATE_SEEDS_APART))
        for candidate in range(len(PLACES))
        for number in range(1, n + 1)
    ]
    rows, pooled = {}, {"no condition": plain}
    for key in KEYS:
        if key not in proven.ranges:
            continue
        corpus, is_named = proven.ranges[key], proven.is_named(key)
        row: dict[str, Any] = {"range": [round(end, 3) for end in corpus], "is_named": is_named}
        row["no condition"] = _summarise([one.described.get(key) for one in plain], corpus.find_place)
        for way in ("choice", *(["choice and control"] if is_named else [])):
            made, wanted_at, places = [], [], []
            for place in PLACES:
                wanted = build_wanted(proven, f"{key}:{place}", {}, gain=gain)
                wanted = wanted if way != "choice" else replace(wanted, reaches={})
                own = [draws.keep(wanted, number) for number in range(1, n + 1)]
                found = [one.described.get(key) for one in own]
                row[f"{way}, {place}"] = _summarise(found, corpus.find_place) | {
                    "origins": len({one.origin for one in own})
                }
                made += own
                wanted_at += [place] * n
                places += [np.nan if value is None else corpus.find_place(value) for value in found]
            row[f"{way}, rank correlation"] = round(float(spearmanr(wanted_at, places, nan_policy="omit")[0]), 3)
            row[f"{way}, error"] = round(float(np.nanmedian(np.abs(np.array(places) - np.array(wanted_at)))), 3)
            pooled[f"{key}, {way}"] = made
        rows[key] = row
        print(key, row, flush=True)
    origins = len({one.origin for one in plain[:n]})
    return {"descriptors": rows, "origins of 8 without a condition": origins, "likeness": _compare(run, pooled)}


class _Draws:
    """Draws sounds; what is drawn without controls is drawn once."""

    def __init__(self, synthesizer: Synthesizer, gain: float):
        self.synthesizer = synthesizer
        self.gain = gain
        self.rate_hz = synthesizer.features.sample_rate_hz
        self._known: dict[tuple[int, int], NewSound] = {}
        self._describer = Describer(self.rate_hz)

    def take(self, synthesizer: Synthesizer, number: int, seed: int = 0) -> NewSound:
        is_plain = synthesizer is self.synthesizer
        new = self._known.get((seed, number)) if is_plain else None
        if new is None:
            new = draw_new_sound(synthesizer, round(DURATION_S * self.rate_hz), seed=seed, number=number)
            new = new._replace(stretches=[torch.cat(list(new.stretches))])
            if is_plain:
                self._known[seed, number] = new
        return new

    def keep(self, wanted: Wanted, number: int) -> Made:
        draw: Draw = lambda synthesizer, seed: self.take(synthesizer, number, seed)  # noqa: E731
        return self.describe(draw_wanted(self.synthesizer, wanted, draw, 0).sound)

    def describe(self, new: NewSound) -> Made:
        waveform = round_as_written(torch.cat(list(new.stretches)), self.gain)
        return Made(waveform, self._describer(waveform), list_main(new.provenance.describe())[0])


def _summarise(values: Sequence[float | None], find_place: Any) -> dict[str, Any]:
    """Median and quartiles of the places, and how many sounds have one."""
    places = [find_place(value) for value in values if value is not None]
    quartiles = np.quantile(places, [0.25, 0.5, 0.75]) if places else [np.nan] * 3
    low, middle, high = (round(float(value), 3) for value in quartiles)
    return {"median": middle, "quartiles": [low, high], "n": len(places)}


def _compare(run: TrainedRun, pooled: Mapping[str, Sequence[Made]]) -> dict[str, Any]:
    """MMD² of windows of 1 s, by timbre and movement, to sound that was held out; 90 % of it over draws of sounds."""
    corpus = Corpus(build_cache(run.config), run.known, run.config.data.gain_db)
    rate_hz = run.features.sample_rate_hz
    sides = {
        name: [
            sound._replace(waveform=sound.waveform[: round(DURATION_S * rate_hz)])
            for sound in subsample_evenly(collect_segments(segments, corpus, run.split.names), MOST_REAL)
        ]
        for name, segments in (("held out", run.split.val), ("training", run.split.train))
    }
    sides |= {name: [Sound(str(i), one.waveform) for i, one in enumerate(made)] for name, made in pooled.items()}
    embedding = next(iter(list_embeddings(rate_hz).values()))
    windows = {name: list_windows(sounds, rate_hz, rate_hz // 2) for name, sounds in sides.items()}
    vectors = {name: embedding(cut(sides[name], listed, rate_hz)) for name, listed in windows.items()}
    scaled = standardise(vectors["training"], *vectors.values(), n_parts=embedding.n_parts)
    samples = {
        name: Sample(one.double().numpy(), np.array([window.sound for window in windows[name]]))
        for name, one in zip(sides, scaled, strict=True)
    }
    bandwidth = median_distance(np.concatenate([samples["training"].vectors, samples["held out"].vectors]))
    found = {}
    for name in [name for name in sides if name != "held out"]:
        value, draws = replicate_mmd2(samples[name], samples["held out"], bandwidth)
        found[name] = [round(float(figure), 3) for figure in (value, *np.nanquantile(draws, [0.05, 0.95]))]
    return found


if __name__ == "__main__":
    main()
