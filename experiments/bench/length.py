"""How memory goes with the length of what is generated."""

import os
import subprocess
import sys
from pathlib import Path

from experiments.bench.sounds import write_folder
from experiments.bench.trial import PROJECT, Figure, Trial
from sda.config.arguments import quote_value

SHORT_S, LONG_S = 60.0, 600.0
MODES = (
    ("spectral_vae", "sample"),
    ("spectral_vae", "reconstruct"),
    ("spectral_vae", "interpolate"),
    ("mel_vae", "sample"),
)
BYTES_OF_MAXRSS = 1 if sys.platform == "darwin" else 1024


def measure(trial: Trial) -> list[Figure]:
    """Peak memory of a whole `generate.py` for a long sound over that for a short one."""
    short_s, long_s = trial.pick(SHORT_S, 2.0), trial.pick(LONG_S, 4.0)
    write_folder(trial.folder / "long_sources", 2, long_s)
    figures = []
    for model, mode in trial.pick(MODES, MODES[-2:]):
        run_dir = trial.folder / "runs" / f"length_{model}"
        if not run_dir.exists():
            _train(trial, model, run_dir)
        short, long = (_measure_peak(trial, run_dir, mode, duration_s) for duration_s in (short_s, long_s))
        what = f"peak memory, {model}, {mode}: {long_s:g} s / {short_s:g} s"
        figures.append(Figure(what, long / short, at_most=1.1, detail=f"{long / 2**20:.0f} MiB"))
    return figures


def _train(trial: Trial, model: str, run_dir: Path) -> None:
    overrides = [override for override in trial.overrides if not override.startswith("model=")]
    given = {"data.root": trial.data, "data.cache_dir": trial.folder / "length_cache", "hydra.run.dir": run_dir}
    _run(
        trial,
        "train",
        *(f"{key}={quote_value(str(path))}" for key, path in given.items()),
        f"model={model}",
        *(["model.size=tiny"] if model == "spectral_vae" else []),
        *("training.max_epochs=1", "tracking=none", "evaluation.at_end=none", f"training.device={trial.device}"),
        *overrides,
    )


def _measure_peak(trial: Trial, run_dir: Path, mode: str, duration_s: float) -> int:
    """Most memory that one sound of a length takes, bytes."""
    sources = [] if mode == "sample" else [f"source={quote_value(str(trial.folder / 'long_sources'))}"]
    place = [f"run={quote_value(str(run_dir))}", f"device={trial.device}"]
    return _run(trial, "generate", *place, f"mode={mode}", "n=1", f"duration_s={duration_s:g}", *sources)


def _run(trial: Trial, verb: str, *arguments: str) -> int:
    """Run a command to its end; most memory that it had, bytes.

    Raises:
        RuntimeError: it failed.
    """
    with (trial.folder / "length.log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, str(PROJECT / f"{verb}.py"), *arguments],
            cwd=trial.folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            raise RuntimeError(f"{verb} {' '.join(arguments)} failed:\n{log.read()}")
    return usage.ru_maxrss * BYTES_OF_MAXRSS
