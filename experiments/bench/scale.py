"""How memory, start and speed go with the amount of sound: from few files to many, and at one hour."""

from statistics import median

from experiments.bench.commands import Observed, observe_training
from experiments.bench.sounds import write_folder
from experiments.bench.timing import divide
from experiments.bench.trial import Figure, Trial

COUNTS = (10, 500)
SHORT_S = 2.0
HOUR_FILES = 60
HOUR_FILE_S = 60.0
N_ROUNDS = 2
N_STEPS = 12
BATCH = "training.batch_size=8"
"""The same for all: it would follow the amount of sound."""
CACHED_BYTES_PER_S = 4 * 48000


def measure(trial: Trial) -> list[Figure]:
    """Ratios to the smallest folder, and an hour of sound."""
    counts = trial.pick(COUNTS, (6, 12))
    cold: dict[int, list[Observed]] = {count: [] for count in counts}
    warm: dict[int, list[Observed]] = {count: [] for count in counts}
    for count in counts:
        write_folder(trial.folder / f"{count}_files", count, trial.pick(SHORT_S, 1.0))
    for number in range(trial.pick(N_ROUNDS, 1)):
        for count in counts:
            for starts in (cold, warm):
                starts[count].append(_observe(trial, f"{count}_files", f"cache_{count}_{number}"))
    fewest = counts[0]
    figures = []
    for count in counts[1:]:
        figures += _compare(f"{count} files / {fewest} files", cold, warm, count, fewest)
    return figures + _measure_hour(trial, warm[fewest][0])


def _compare(
    versus: str, cold: dict[int, list[Observed]], warm: dict[int, list[Observed]], count: int, fewest: int
) -> list[Figure]:
    figures = [
        Figure(
            f"start, {name} cache: {versus}",
            divide(_starts(starts[count]), _starts(starts[fewest])),
            detail=_tell(starts[count]),
        )
        for name, starts in (("cold", cold), ("warm", warm))
    ]
    steps = {n: [observed.step_s for observed in cold[n] + warm[n]] for n in (count, fewest)}
    figures.append(Figure(f"steps/s: {versus}", divide(steps[fewest], steps[count])))
    few, many = warm[fewest][0].memory, warm[count][0].memory
    if few is not None and many is not None:
        detail = f"{many.own / 2**20:.0f} MiB"
        figures.append(Figure(f"memory of its own: {versus}", many.own / few.own, detail=detail))
    return figures


def _measure_hour(trial: Trial, smallest: Observed) -> list[Figure]:
    n_files, file_s = trial.pick(HOUR_FILES, 6), trial.pick(HOUR_FILE_S, 2.0)
    name = f"{n_files * file_s / 60:g} min"
    write_folder(trial.folder / "long_files", n_files, file_s)
    cold, warm = (_observe(trial, "long_files", "long_cache") for _ in range(2))
    figures = [Figure(f"start, {name} of sound: cold / warm cache", cold.start_s / warm.start_s, detail=_tell([cold]))]
    if cold.memory is not None and warm.memory is not None and smallest.memory is not None:
        peak = max(cold.memory, warm.memory, key=lambda memory: memory.total)
        own = warm.memory.own
        waveforms = n_files * file_s * CACHED_BYTES_PER_S
        figures += [
            Figure(
                f"peak memory, {name} / its waveforms", peak.total / waveforms, detail=f"{peak.total / 2**20:.0f} MiB"
            ),
            Figure(f"file-backed share of the peak, {name}", peak.file_backed / peak.total),
            Figure(
                f"memory of its own: {name} / the fewest files",
                own / smallest.memory.own,
                detail=f"{own / 2**20:.0f} MiB",
            ),
            Figure(
                f"memory of its own, beyond the fewest files' / waveforms of {name}",
                (own - smallest.memory.own) / waveforms,
            ),
        ]
    return figures


def _observe(trial: Trial, folder: str, cache: str) -> Observed:
    return observe_training(trial, trial.folder / folder, trial.folder / cache, trial.pick(N_STEPS, 3), BATCH)


def _starts(observed: list[Observed]) -> list[float]:
    return [one.start_s for one in observed]


def _tell(observed: list[Observed]) -> str:
    return f"{median(_starts(observed)):.1f} s"
