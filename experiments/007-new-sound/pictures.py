"""Spectrograms of held-out sound over those of new sound, side by side, to be looked at.

Usage: PYTHONPATH=. python experiments/007-new-sound/pictures.py FILE.png RUN… [--way mosaic=0.1]
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from measure import open_trained
from PIL import Image
from ways import choose_way

from sda.audio.mel import LogMel
from sda.audio.waveform import read_waveform
from sda.evaluation.sounds import Sound
from sda.evaluation.trained_model import collect_whole

N_SHOWN = 4
"""Sounds of each kind."""
SHOWN_S = 6.0
"""Of each, its beginning; where it is shorter, nothing follows."""
RANGE_DB = 80.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--way", default="mosaic=0.1")
    arguments = parser.parse_args()
    rows = []
    for run in arguments.runs:
        trained, root = open_trained(run)
        whole = {kind: collect_whole(of, trained.corpus, trained.split.names) for kind, of in (
            ("train", trained.split.train), ("held out", trained.split.val)
        )}  # fmt: skip
        made = choose_way(arguments.way, root)(trained, whole["train"], N_SHOWN).sounds
        rows.append((f"{Path(run).name}, held out", whole["held out"][:N_SHOWN], trained.features))
        rows.append((f"{Path(run).name}, new", made[:N_SHOWN], trained.features))
    draw(rows, arguments.picture)


def draw(rows: Sequence[tuple[str, Sequence[Sound], LogMel]], path: Path) -> None:
    """A row of spectrograms for each name, all of them over the same time."""
    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        len(rows), N_SHOWN, figsize=(12, 1.15 * len(rows)), squeeze=False, layout="constrained"
    )
    for line, (name, sounds, features) in zip(axes, rows, strict=True):
        for axis, sound in zip(line, sounds, strict=False):
            n_samples = round(SHOWN_S * features.sample_rate_hz)
            log_mel = features(read_waveform(sound.waveform[:n_samples])[None])[0].numpy() * 20 / np.log(10)
            axis.imshow(
                log_mel, origin="lower", aspect="auto", cmap="magma", vmin=log_mel.max() - RANGE_DB, vmax=log_mel.max(),
                extent=(0, log_mel.shape[1] * features.hop_length / features.sample_rate_hz, 0, 1),
            )  # fmt: skip
        for axis in line:
            axis.set(xlim=(0, SHOWN_S), xticks=[], yticks=[])
        line[0].set_ylabel(name.replace(", ", "\n"), fontsize=8)
    figure.savefig(path, dpi=80)
    Image.open(path).convert("RGB").quantize(64).save(path, optimize=True)


if __name__ == "__main__":
    main()
