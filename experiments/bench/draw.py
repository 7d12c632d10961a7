"""How fast new sounds are drawn, and how fast a run is judged, against the time that listening takes."""

import time
from statistics import median

from experiments.bench.commands import run_verb, train_whole
from experiments.bench.sounds import write_folder
from experiments.bench.trial import Figure, Trial
from sda.app.loading import open_run
from sda.config.arguments import quote_value
from sda.generation.sampling import draw_new_sound
from sda.parallel import use_threads

N_ROUNDS = 3
SOUND_S = 20.0
N_JUDGED, JUDGED_S = 40, 5.0
MOST_JUDGING_S = 100.0


def measure(trial: Trial) -> list[Figure]:
    """Length of new sound over the time that one core takes for it, and `evaluate.py` of 40 files."""
    run_dir = trial.folder / "runs" / "draw"
    train_whole(trial, "spectral_vae", run_dir, trial.data)
    drawn_s, taken_s = _time_drawing(trial, str(run_dir))
    figures = [
        Figure(
            "new sound / time of one core to draw it",
            median(length_s / one_s for length_s, one_s in zip(drawn_s, taken_s, strict=True)),
            at_least=20.0,
            detail=f"{SOUND_S:g} s in {median(taken_s):.2f} s",
        )
    ]
    return figures if trial.quick else [*figures, _time_judging(trial)]


def _time_judging(trial: Trial) -> Figure:
    """The whole command; its run is trained on the very files."""
    folder, run_dir = trial.folder / "judged", trial.folder / "runs" / "judged"
    write_folder(folder, N_JUDGED, JUDGED_S)
    train_whole(trial, "spectral_vae", run_dir, folder)
    started = time.perf_counter()
    run_verb(trial, "evaluate", f"run={quote_value(str(run_dir))}", f"device={trial.device}")
    judging_s = time.perf_counter() - started
    return Figure(
        f"evaluate.py of {N_JUDGED} files of {JUDGED_S:g} s / {MOST_JUDGING_S:g} s",
        judging_s / MOST_JUDGING_S,
        at_most=1.0,
        detail=f"{judging_s:.0f} s",
    )


def _time_drawing(trial: Trial, run: str) -> tuple[list[float], list[float]]:
    """Seconds of sound, and seconds that they took one core; the first, for which a bank is laid out, is left out."""
    synthesizer = open_run(run, str(trial.device)).synthesizer
    lengths_s, taken_s = [], []
    with use_threads(1):
        for number in range(trial.pick(N_ROUNDS, 1) + 1):
            started = time.perf_counter()
            n_asked = round(SOUND_S * synthesizer.features.sample_rate_hz)
            new = draw_new_sound(synthesizer, n_asked, seed=0, number=number + 1)
            n_samples = sum(stretch.shape[-1] for stretch in new.stretches)
            if number:
                taken_s.append(time.perf_counter() - started)
                lengths_s.append(n_samples / synthesizer.features.sample_rate_hz)
    return lengths_s, taken_s
