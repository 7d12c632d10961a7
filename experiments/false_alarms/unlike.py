"""`python -m experiments.false_alarms.unlike FOLDER…`: how often is real, unheard sound called unlike, or silent?

Recordings of a folder are dealt out again and again, in training, held-out and new sound; the new plays what a model
made. It is real, so that whatever the verdict holds against its likeness, its form or its silence is a false alarm.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from sda.data.cache import SoundCache
from sda.data.corpus import Corpus
from sda.data.groups import AUTO, group_files
from sda.data.scan import scan_folder
from sda.evaluation.distribution import DistributionScores, compare, find_shortage
from sda.evaluation.embedding import standardise
from sda.evaluation.findings import Evidence
from sda.evaluation.mmd import Sample
from sda.evaluation.sounds import Sound, trim
from sda.evaluation.suite import EvaluationAudio, assess_whole, embed, list_embeddings
from sda.evaluation.verdict import find_case

SHARES = (0.5, 0.75)
"""Recordings up to the first share are trained on, up to the second held out; the rest are new."""
ALARMS = ("silent", "unlike", "deformed")


class Folder:
    """Sounds of a folder with their embeddings."""

    def __init__(self, root: Path, rate_hz: int):
        cache = SoundCache(sample_rate_hz=rate_hz)
        scan = scan_folder(root, cache=cache)
        corpus = Corpus(cache, {file.path: file.sha256 for file in scan.usable})
        key_of = group_files(scan, cache, AUTO).key_of
        self.rate_hz = rate_hz
        self.groups = [key_of[file.path] for file in scan.usable]
        self.sounds = [Sound(Path(file.path).name, corpus.get(file.path)) for file in scan.usable]
        self.embeddings = list_embeddings(rate_hz)
        self.vectors = {
            name: [embed([trim(sound, rate_hz)], rate_hz, embedding)[0] for sound in self.sounds]
            for name, embedding in self.embeddings.items()
        }

    def divide(self, seed: int) -> Evidence:
        """One division, as an evaluation would see it."""
        keys = sorted(set(self.groups))
        place_of = dict(
            zip(np.random.default_rng(seed).permutation(keys), np.arange(len(keys)) / len(keys), strict=True)
        )
        parts: list[list[int]] = [[], [], []]
        for index, group in enumerate(self.groups):
            parts[sum(place_of[group] >= share for share in SHARES)].append(index)
        train, held_out, new = ([self.sounds[index] for index in part] for part in parts)
        form, silence = assess_whole(EvaluationAudio(self.rate_hz, train, held_out, new))
        compared = {name: self.compare(name, *parts) for name in self.embeddings}
        return Evidence(
            likeness={name: one for name, one in compared.items() if one is not None},
            form=form if form.distance else None,
            silence=silence,
        )

    def compare(
        self, name: str, train: Sequence[int], held_out: Sequence[int], new: Sequence[int]
    ) -> DistributionScores | None:
        """New with held-out sound, by an embedding; nothing where there is too little."""
        sides = [[self.vectors[name][index] for index in part] for part in (new, held_out, train)]
        files = [np.repeat(np.arange(len(side)), [len(one) for one in side]) for side in sides]
        vectors = [torch.cat(side) for side in sides]
        scaled = standardise(torch.cat(vectors[1:]), *vectors, n_parts=self.embeddings[name].n_parts)
        samples = [Sample(one.double().numpy(), labels) for one, labels in zip(scaled, files, strict=True)]
        return None if find_shortage(*samples) else compare(*samples)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.false_alarms.unlike", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", help="folders of real sound, several recordings in each")
    parser.add_argument("--divisions", type=int, default=16)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--rate-hz", type=int, default=48000)
    arguments = parser.parse_args()
    print(
        "| sounds | called silent | unlike | deformed | highest ratio | its lower end | highest form | its lower end |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for root in arguments.folders:
        folder = Folder(root, arguments.rate_hz)
        seeds = range(arguments.first_seed, arguments.first_seed + arguments.divisions)
        found = [folder.divide(seed) for seed in seeds]
        cases = [find_case(one) for one in found]
        ratios = [likeness.ratio for one in found for likeness in one.likeness.values()]
        forms = [one.form.excess for one in found if one.form is not None and one.form.excess is not None]
        extremes = [
            f"{max((one.value for one in group), default=0):.2f} | {max((one.low for one in group), default=0):.2f}"
            for group in (ratios, forms)
        ]
        counts = [f"{cases.count(case)} of {len(cases)}" for case in ALARMS]
        print(f"| {root.name} | {' | '.join([*counts, *extremes])} |", flush=True)


if __name__ == "__main__":
    main()
