"""`python -m experiments.false_alarms FOLDER…`: how often is real, unheard sound called a replay?

Recordings of a folder are dealt out again and again: some play the part of what a model made, the others that of what
it was trained on. None of the first is a copy, so every replay that is found is a false alarm. Each folder is searched
once, for windows of all its recordings in all its recordings; a division only chooses among the matches.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch

from sda.audio.augmentation import SPEED_RATIOS, change_speed
from sda.data.cache import SoundCache
from sda.data.corpus import Corpus
from sda.data.groups import AUTO, group_files
from sda.data.scan import scan_folder
from sda.evaluation.memorisation import (
    PIECE_S,
    WINDOW_S,
    Replay,
    measure_replay,
    summarise_matches,
)
from sda.evaluation.patches import PatchFeatures
from sda.evaluation.search import Matches, find_nearest
from sda.evaluation.sounds import Sound, Window, cut, trim
from sda.evaluation.speeds import list_patches, take_best
from sda.evaluation.suite import choose_windows, shift

COLUMNS = (
    "sounds", "window", "false alarms", "in one of twenty", "copies found", "at other speeds", "limit",
    "intervals that hold",
)  # fmt: skip
MOST_NEW, NEW_SHARE = 10, 0.25
"""Of the recordings, those that play what a model made."""


@dataclass(frozen=True)
class Searched:
    """Windows of a set and where they occur in all of the folder."""

    windows: list[Window]
    matches: Matches

    def select(self, rows: list[int], sounds: list[int]) -> tuple[Matches, list[Window]]:
        """The matches of some of the windows in some of the sounds."""
        columns = torch.tensor(sounds)
        part = Matches(*(values[rows][:, columns] for values in self.matches))
        return part, [self.windows[row] for row in rows]


@dataclass(frozen=True)
class Folder:
    """A folder that was searched for itself."""

    groups: list[str]
    own: Searched
    copies: Searched
    transposed: Searched
    """The sounds at other speeds, a different one for each of eight."""

    def divide(self, rng: np.random.Generator) -> Replay:
        """One division, judged as an evaluation would."""
        keys = rng.permutation(sorted(set(self.groups)))
        keys = keys[: max(1, min(MOST_NEW, round(NEW_SHARE * len(keys))))]
        new = [index for index, group in enumerate(self.groups) if group in keys]
        train = [index for index in range(len(self.groups)) if index not in new]
        groups = [self.groups[index] for index in train]

        def choose(searched: Searched, sounds: list[int]) -> list[int]:
            return [row for row, window in enumerate(searched.windows) if window.sound in sounds]

        part, windows = self.own.select(choose(self.own, train), train)
        own = [self.groups[window.sound] for window in windows]
        null = summarise_matches(part, windows, groups, own)
        null = null._replace(sound=np.unique(own, return_inverse=True)[1].astype(np.intp))
        generated = summarise_matches(*self.own.select(choose(self.own, new), train))
        controls = {
            name: summarise_matches(*searched.select(choose(searched, train), train))
            for name, searched in (("copies", self.copies), ("transposed", self.transposed))
        }
        return measure_replay(null, generated, controls)


def search_folder(root: Path, window_s: float, rate_hz: int) -> Folder:
    """Search a folder for windows of its own sounds."""
    cache = SoundCache(sample_rate_hz=rate_hz)
    scan = scan_folder(root, cache=cache)
    corpus = Corpus(cache, {file.path: file.sha256 for file in scan.usable})
    key_of = group_files(scan, cache, AUTO).key_of
    sounds = [trim(Sound(Path(file.path).name, corpus.get(file.path)), rate_hz) for file in scan.usable]
    features = PatchFeatures(rate_hz).fit(sounds)
    n, longest = round(window_s * rate_hz), round(WINDOW_S * rate_hz)
    shifted = shift(sounds, round(features.hop_s / 2 * rate_hz))
    transposed = [transpose(sound, number % len(SPEED_RATIOS)) for number, sound in enumerate(sounds)]
    sets = {"all": sounds, "copies": shifted, "transposed": transposed}
    chosen = [choose_windows(features, name, own, n, longest) for name, own in sets.items()]
    clips = [cut(own, windows, n) for own, windows in zip(sets.values(), chosen, strict=True)]
    matches = take_best(find_nearest(list_patches(features, torch.cat(clips)), sounds, features))
    ends = list(accumulate(len(windows) for windows in chosen))
    searched = [
        Searched(windows, Matches(*(values[end - len(windows) : end] for values in matches)))
        for windows, end in zip(chosen, ends, strict=True)
    ]
    return Folder([key_of[file.path] for file in scan.usable], *searched)


def transpose(sound: Sound, speed: int) -> Sound:
    """A sound at another speed."""
    n_out, n_in = SPEED_RATIOS[speed]
    n_samples = len(sound.waveform) * n_out // n_in
    return Sound(sound.name, change_speed(sound.waveform[None], np.array([speed]), n_samples)[0])


def judge(folder: Folder, n_divisions: int) -> Iterator[float]:
    """Rate of false alarms, its highest in twenty, copies found, those at other speeds, limit, intervals that hold."""
    rng = np.random.default_rng(0)
    replays = [folder.divide(rng) for _ in range(n_divisions)]
    rates = np.array([one.rate.value for one in replays])
    yield float(rates.mean())
    yield float(np.quantile(rates, 0.95))
    for name in ("copies", "transposed"):
        yield float(np.mean([one.controls[name].rate for one in replays]))
    yield float(np.mean([one.threshold for one in replays]))
    yield float(np.mean([one.rate.low <= rates.mean() <= one.rate.high for one in replays]))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.false_alarms", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", help="folders of real sound, several recordings in each")
    parser.add_argument("--divisions", type=int, default=100)
    parser.add_argument("--rate-hz", type=int, default=48000)
    arguments = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for root in arguments.folders:
        for window_s in (WINDOW_S, PIECE_S):
            figures = list(judge(search_folder(root, window_s, arguments.rate_hz), arguments.divisions))
            cells = " | ".join(f"{figure:.3f}" for figure in figures)
            print(f"| {root.name} | {window_s:g} s | {cells} |", flush=True)


if __name__ == "__main__":
    main()
