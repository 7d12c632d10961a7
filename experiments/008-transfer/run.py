"""Is what a corpus plays loud when the given sound is loud, and does it sound like the corpus? See README.md.

Usage: PYTHONPATH=. python experiments/008-transfer/run.py RUN FOLDER [--n 10] [--adherence 0.3] [--output FILE.json]

RUN is a trained run of the corpus, FOLDER holds the sounds that are given.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sda.app.loading import TrainedRun, open_run
from sda.audio.io import read_mono
from sda.config.verbs import GenerateConfig
from sda.data.corpus import to_amplitude
from sda.durable import write_json
from sda.evaluation.embedding import standardise
from sda.evaluation.mmd import Sample, median_distance, replicate_mmd2
from sda.evaluation.sounds import Sound, cut, list_windows
from sda.evaluation.suite import list_embeddings
from sda.generation.synthesizer import reconstruct_sound
from sda.generation.transfer import transfer_stretches
from sda.subsample import subsample_evenly

LONGEST_S = 5.0
SOUNDING_DB = 60.0
"""Frames this far below the given sound's loudest are not compared."""
MOST_RECORDINGS = 16
"""Of the corpus, on either side."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--n", type=int, default=10, help="given sounds, spread over the folder")
    parser.add_argument("--adherence", type=float, default=GenerateConfig().adherence)
    parser.add_argument("--output", type=Path, help="figures are added to those that the file holds")
    arguments = parser.parse_args()
    run = open_run(arguments.run, "cpu")
    paths = [path for path in sorted(arguments.folder.iterdir()) if path.suffix in {".ogg", ".wav", ".flac"}]
    row = measure(run, [str(path) for path in subsample_evenly(paths, arguments.n)], arguments.adherence)
    name = f"{arguments.folder.name} to {Path(run.config.data.root).name}, adherence {arguments.adherence:g}"
    print(json.dumps({name: row}, indent=1))
    if arguments.output:
        known = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
        write_json(arguments.output, known | {name: row})


def measure(run: TrainedRun, paths: list[str], adherence: float) -> dict[str, Any]:
    """Correlation of level, and where transferred and reconstructed sound lies between the given one and the corpus."""
    synthesizer, rate_hz = run.synthesizer, run.features.sample_rate_hz
    given = [_read(run, path, LONGEST_S) for path in paths]
    made, rebuilt = [], []
    for number, sound in enumerate(given, start=1):
        path = synthesizer.encode(sound.waveform)
        stretches = transfer_stretches(
            synthesizer, path, len(sound.waveform), adherence=adherence, seed=0, number=number
        )
        made.append(sound._replace(waveform=torch.cat(list(stretches))))
        rebuilt.append(sound._replace(waveform=reconstruct_sound(synthesizer, sound.waveform, seed=number)))
    corpus = [_read(run, segment.path, 2 * LONGEST_S) for segment in subsample_evenly(run.split.train, MOST_RECORDINGS)]
    sides = {"transferred": made, "reconstructed": rebuilt, "given": given, "corpus": corpus}
    row: dict[str, Any] = {}
    for name, of in {"transferred": made, "reconstructed": rebuilt}.items():
        found = [correlate_levels(x.waveform, y.waveform, rate_hz) for x, y in zip(given, of, strict=True)]
        row[f"level correlation, {name}"] = {"mean": round(float(np.mean(found)), 3), "least": round(min(found), 3)}
    for name, embedding in list_embeddings(rate_hz).items():
        row[name] = _compare(sides, rate_hz, embedding)
    return row


def correlate_levels(given: Tensor, made: Tensor, rate_hz: int) -> float:
    """Correlation of the levels of 10 ms, dB, where the given sound sounds. Both `[T]`."""
    n_frame = rate_hz // 100
    levels = [
        10 * (one[: len(one) // n_frame * n_frame].view(-1, n_frame).square().mean(dim=1) + 1e-12).log10()
        for one in (given, made)
    ]
    sounds = levels[0] > levels[0].max() - SOUNDING_DB
    return float(torch.corrcoef(torch.stack(levels)[:, sounds])[0, 1])


def _compare(sides: dict[str, list[Sound]], rate_hz: int, embedding: Any) -> dict[str, Any]:
    """MMD² over windows of 1 s, with the range of 90 % of its values over draws of the files."""
    windows = {name: list_windows(sounds, rate_hz, rate_hz // 2) for name, sounds in sides.items()}
    vectors = {name: embedding(cut(sides[name], listed, rate_hz)) for name, listed in windows.items()}
    scaled = standardise(vectors["corpus"], *vectors.values(), n_parts=embedding.n_parts)
    samples = {
        name: Sample(one.double().numpy(), np.array([window.sound for window in windows[name]]))
        for name, one in zip(sides, scaled, strict=True)
    }
    bandwidth = median_distance(np.concatenate([samples["corpus"].vectors, samples["given"].vectors]))
    pairs = (("transferred", "corpus"), ("transferred", "given"), ("reconstructed", "corpus"), ("given", "corpus"))
    found = {}
    for one, other in pairs:
        value, draws = replicate_mmd2(samples[one], samples[other], bandwidth)
        low, high = np.nanquantile(draws, [0.05, 0.95])
        found[f"{one} – {other}"] = [round(float(figure), 3) for figure in (value, low, high)]
    return {"windows": {name: len(listed) for name, listed in windows.items()}, **found}


def _read(run: TrainedRun, path: str, longest_s: float) -> Sound:
    """A sound, as loud as the model knows it."""
    rate_hz = run.features.sample_rate_hz
    waveform = torch.cat([torch.from_numpy(block.copy()) for block in read_mono(path, rate_hz)])
    return Sound(path, to_amplitude(run.config.data.gain_db) * waveform[: round(longest_s * rate_hz)])


if __name__ == "__main__":
    main()
