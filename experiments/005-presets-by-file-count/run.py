"""Which preset is best for how many files? Three presets on 5, 20, 60 and 200 sounds; see README.md.

Usage: python experiments/005-presets-by-file-count/run.py PATH/TO/ESC-10 [--work runs/presets] [key=value …]

What has been trained is not trained again; `--draw` only draws what there is.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from sda.durable import write_text
from sda.measures import OF_RUN
from sda.report.comparison_lines import describe_ranking, write_csv
from sda.runs.comparison import Comparison, compare_runs, list_sweep_runs

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
PRESETS = ("conservative", "balanced", "aggressive")
SEEDS = (0, 1, 2)
COLOURS = {"conservative": "#2f6f8f", "balanced": "#b57900", "aggressive": "#b0307c"}
MEASURES = {
    key: (OF_RUN[key].title, OF_RUN[key].factor, OF_RUN[key].digits)
    for key in ("log_mel_l1_db", "mr_stft", "overfitting_gap", "memorisation.replay_rate")
}
"""Titles, factors and digits of the figures that are shown."""


class Size(NamedTuple):
    """A corpus, and how 260 to 420 steps are cut into epochs on it."""

    n_files: int
    classes: tuple[str, ...]
    n_epochs: int
    n_visits: int
    """Visits to every chunk in an epoch."""


SIZES = (
    Size(5, ("002 - Rain",), 20, 9),
    Size(20, ("002 - Rain",), 10, 4),
    Size(60, ("002 - Rain", "003 - Sea waves"), 4, 2),
    Size(200, ("002 - Rain", "003 - Sea waves", "007 - Helicopter", "008 - Chainsaw", "010 - Fire crackling"), 2, 1),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("esc10", type=Path, help="folder with the ten classes of ESC-10 in folders of their own")
    parser.add_argument("--work", type=Path, default=Path("runs/presets"), help="where links and runs go")
    parser.add_argument("--draw", action="store_true", help="train nothing, draw what has been trained")
    arguments, overrides = parser.parse_known_args()
    work = arguments.work.absolute()
    for size in SIZES if not arguments.draw else ():
        for seed in SEEDS:
            link_files(draw_files(arguments.esc10.absolute(), size, seed), work / "sounds" / f"{size.n_files}_{seed}")
        train(size, work, overrides)
    found = {size.n_files: compare(work / str(size.n_files), size) for size in SIZES}
    comparisons = {n_files: comparison for n_files, comparison in found.items() if comparison is not None}
    write_text(HERE / "table.md", "\n".join(tabulate(comparisons)) + "\n")
    for n_files, comparison in comparisons.items():
        write_text(HERE / f"runs_{n_files}_files.csv", write_csv(comparison))
    draw(comparisons).savefig(HERE / "presets.png", dpi=130)


def draw_files(esc10: Path, size: Size, seed: int) -> Iterator[Path]:
    """As many files of every class, drawn without replacement."""
    rng = np.random.default_rng(seed)
    for name in size.classes:
        files = sorted((esc10 / name).glob("*.ogg"))
        yield from (files[place] for place in rng.permutation(len(files))[: size.n_files // len(size.classes)])


def link_files(files: Iterator[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        link = folder / f"{file.parent.name[:3]}-{file.name}"
        if not link.exists():
            link.symlink_to(file)


def train(size: Size, work: Path, overrides: list[str]) -> None:
    """A sweep over presets and seeds, in which the seed draws the files, too."""
    command = [
        *(sys.executable, str(PROJECT / "train.py"), "-m"),
        f"hydra.sweep.dir={work / str(size.n_files)}",
        f"data.root={work / 'sounds' / str(size.n_files)}_${{seed}}",
        f"preset={','.join(PRESETS)}",
        f"seed={','.join(map(str, SEEDS))}",
        f"training.max_epochs={size.n_epochs}",
        f"regularization.augmentation_expansion={size.n_visits - 1}",
        "preview.n_samples=0",
        "preview.n_variations=0",
        *overrides,
    ]
    subprocess.run(command, check=True)


def compare(folder: Path, size: Size) -> Comparison | None:
    run_dirs = list_sweep_runs(folder)
    return compare_runs(run_dirs, "log_mel_l1_db", f"{size.n_files} files") if run_dirs else None


def tabulate(comparisons: dict[int, Comparison]) -> list[str]:
    """A row for each file count and preset (mean ± standard deviation over seeds), then what is sure."""
    titles = [title for title, _, _ in MEASURES.values()]
    lines = [_row(["files", "preset", "runs", *titles, "lowest log-mel in"]), _row(["---"] * (len(titles) + 4))]
    for n_files, comparison in comparisons.items():
        assert comparison.ranking is not None
        for preset in PRESETS:
            runs = [run for run in comparison.ranked if run.setting["preset"] == preset]
            cells = [_spell([run.figures[name] for run in runs], *MEASURES[name][1:]) for name in MEASURES]
            (standing,) = (one for one in comparison.ranking.standings if one.setting == f"preset={preset}")
            lines.append(_row([str(n_files), preset, str(len(runs)), *cells, f"{standing.chance_best:.0%}"]))
    for n_files, comparison in comparisons.items():
        lines += ["", f"{n_files} files:", "", *(f"- {sentence}" for sentence in describe_ranking(comparison))]
    return lines


def draw(comparisons: dict[int, Comparison]) -> Figure:
    """Each measure against the number of files: dots are runs, lines join the means of a preset."""
    shown = [name for name in MEASURES if name != "mr_stft"]
    figure = Figure(figsize=(3.9 * len(shown), 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, name in zip(figure.subplots(1, len(shown)), shown, strict=True):
        title, factor, _ = MEASURES[name]
        for shift, preset in enumerate(PRESETS):
            means = []
            for place, comparison in enumerate(comparisons.values()):
                runs = [run for run in comparison.ranked if run.setting["preset"] == preset]
                values = [factor * run.figures[name] for run in runs]
                axes.plot(
                    [place + 0.12 * (shift - 1)] * len(values), values, "o", color=COLOURS[preset], alpha=0.5, ms=4
                )
                means.append(np.nanmean(values))
            axes.plot(np.arange(len(means)) + 0.12 * (shift - 1), means, color=COLOURS[preset], label=preset)
        axes.set_xticks(range(len(comparisons)), [str(n_files) for n_files in comparisons])
        axes.set_xlabel("files")
        axes.set_title(title, fontsize=10)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.axes[0].legend(frameon=False, fontsize=8)
    return figure


def _spell(values: list[float], factor: float, digits: int) -> str:
    known = np.array([factor * value for value in values if np.isfinite(value)])
    if len(known) == 0:
        return ""
    text = f"{known.mean():.{digits}f}"
    return text if len(known) == 1 else f"{text} ± {known.std(ddof=1):.{digits}f}"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
