"""Hits and misses of the near-duplicate search, on copies made from a folder's own sounds.

Usage: python experiments/001-near-duplicates/run.py FOLDER [--n 40] [--seed 0] [--takes]
"""

import argparse
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import soxr

from sda.audio.io import FloatArray, load_audio
from sda.data.cache import SoundCache
from sda.data.groups import TAKES_PATTERN, group_files
from sda.data.scan import scan_folder

RATE_HZ = 48000
Copy = Callable[[str, FloatArray], None]


def _write(stem: str, sound: FloatArray, rate_hz: int = RATE_HZ, suffix: str = ".wav", **how: float) -> None:
    soundfile.write(stem + suffix, np.clip(sound, -1, 1), rate_hz, **how)


def _at(rate_hz: float, sound: FloatArray) -> FloatArray:
    return soxr.resample(sound, RATE_HZ, rate_hz).astype(np.float32)


def _add_noise(sound: FloatArray, level_db: float) -> FloatArray:
    noise = np.random.default_rng(0).normal(0, 1, len(sound)) * np.sqrt(np.square(sound).mean())
    return (sound + noise * 10 ** (level_db / 20)).astype(np.float32)


COPIES: dict[str, Copy] = {
    "MP3, good quality": lambda stem, x: _write(stem, x, suffix=".mp3", compression_level=0.2),
    "MP3, worst quality": lambda stem, x: _write(stem, x, suffix=".mp3", compression_level=0.99),
    "Vorbis": lambda stem, x: _write(stem, x, suffix=".ogg"),
    "resampled to 44.1 kHz": lambda stem, x: _write(stem, _at(44100, x), 44100),
    "resampled to 11.025 kHz": lambda stem, x: _write(stem, _at(11025, x), 11025),
    "6 dB quieter": lambda stem, x: _write(stem, 0.5 * x),
    "inverted": lambda stem, x: _write(stem, -x),
    "trimmed by 0.2 s": lambda stem, x: _write(stem, x[round(0.2 * RATE_HZ) :]),
    "second half, looped": lambda stem, x: _write(stem, np.tile(x[len(x) // 2 :], 3)),
    "one second cut out": lambda stem, x: _write(stem, x[len(x) // 2 : len(x) // 2 + RATE_HZ]),
    "with noise 20 dB below": lambda stem, x: _write(stem, _add_noise(x, -20)),
    "with noise 6 dB below": lambda stem, x: _write(stem, _add_noise(x, -6)),
    "trim, 32 kHz, −6 dB, MP3": lambda stem, x: _write(stem, 0.5 * _at(32000, x[9601:]), 32000, suffix=".mp3"),
    "1 % faster": lambda stem, x: _write(stem, _at(RATE_HZ / 1.01, x)),
    "reversed": lambda stem, x: _write(stem, x[::-1]),
}


def _count_hits(chosen: list[str], copy: Copy, folder: Path) -> int:
    """Copies that are found to belong to their original, among all originals."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number, path in enumerate(chosen):
        (folder / f"{number:03d} original{Path(path).suffix}").symlink_to(path)
        copy(str(folder / f"{number:03d} copy"), load_audio(path, RATE_HZ))
    cache = SoundCache(folder.parent / "cache")
    groups = group_files(scan_folder(folder, cache=cache), cache)
    keys: dict[str, set[str]] = {}
    for path, key in groups.key_of.items():
        keys.setdefault(Path(path).name[:3], set()).add(key)
    return sum(len(found) == 1 for found in keys.values())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--n", type=int, default=40, help="sounds that copies are made of")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--takes", action="store_true", help="count what names say are takes of one recording")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        cache = SoundCache(Path(name) / "cache")
        scan = scan_folder(options.folder, cache=cache)
        paths = [file.path for file in scan.usable]
        found = group_files(scan, cache)
        n_pairs = len(paths) * (len(paths) - 1) // 2
        print(f"{len(paths)} files, {n_pairs} pairs; found among them: {len(found.near_duplicates)}")
        for pair in found.near_duplicates:
            print(f"  {pair.path} and {pair.other}: shift {pair.shift_s:.2f} s, correlation {pair.correlation:.3f}")
        if options.takes:
            named = {path: re.search(TAKES_PATTERN, Path(path).relative_to(scan.root).as_posix()) for path in paths}
            pairs = [(a, b) for number, a in enumerate(paths) for b in paths[:number]]
            same = [(a, b) for a, b in pairs if named[a] and named[b] and named[a].groups() == named[b].groups()]
            n_hit = sum(found.key_of[a] == found.key_of[b] for a, b in same)
            print(f"pairs that are takes of one recording by name: {len(same)}, of which found by sound: {n_hit}")
        audible = [file.path for file in scan.usable if file.measured.quiet_fraction < 0.5]
        draw = np.random.default_rng(options.seed).choice(audible, min(options.n, len(audible)), replace=False)
        chosen = sorted(str(path) for path in draw)
        for kind, copy in COPIES.items():
            n_hits = _count_hits(chosen, copy, Path(name) / "made")
            print(f"  {kind:<28} {n_hits:3d} of {len(chosen)}")


if __name__ == "__main__":
    main()
