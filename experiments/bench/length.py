"""How memory goes with the length of what is generated."""

from pathlib import Path

from experiments.bench.commands import run_verb, train_whole
from experiments.bench.sounds import write_folder
from experiments.bench.trial import Figure, Trial
from sda.config.arguments import quote_value

SHORT_S, LONG_S = 60.0, 600.0
MODES = (
    ("spectral_vae", "sample"),
    ("spectral_vae", "reconstruct"),
    ("spectral_vae", "interpolate"),
    ("mel_vae", "sample"),
)


def measure(trial: Trial) -> list[Figure]:
    """Peak memory of a whole `generate.py` for a long sound over that for a short one."""
    short_s, long_s = trial.pick(SHORT_S, 2.0), trial.pick(LONG_S, 4.0)
    write_folder(trial.folder / "long_sources", 2, long_s)
    figures = []
    for model, mode in trial.pick(MODES, MODES[-1:]):
        run_dir = trial.folder / "runs" / f"length_{model}"
        if not run_dir.exists():
            train_whole(trial, model, run_dir, trial.data)
        short, long = (_measure_peak(trial, run_dir, mode, duration_s) for duration_s in (short_s, long_s))
        what = f"peak memory, {model}, {mode}: {long_s:g} s / {short_s:g} s"
        figures.append(Figure(what, long / short, at_most=1.1, detail=f"{long / 2**20:.0f} MiB"))
    return figures


def _measure_peak(trial: Trial, run_dir: Path, mode: str, duration_s: float) -> int:
    """Most memory that one sound of a length takes, bytes."""
    sources = [] if mode == "sample" else [f"source={quote_value(str(trial.folder / 'long_sources'))}"]
    place = [f"run={quote_value(str(run_dir))}", f"device={trial.device}"]
    return run_verb(trial, "generate", *place, f"mode={mode}", "n=1", f"duration_s={duration_s:g}", *sources)
