"""`generate.py`: new sounds from a run's best epoch."""

from rich.console import Console
from rich.progress import track

from sda.app.loading import open_run
from sda.app.report import print_lines
from sda.audio.io import save_wav
from sda.config.schema import GenerateConfig
from sda.generation.voice import generate_sound


def generate_from_run(config: GenerateConfig, console: Console) -> None:
    """Write `n` WAV files of `duration_s` into `generated/seed_S` in the run's folder.

    Sound `i` of seed `s` depends on the run, `s` and `i` alone.

    Raises:
        CheckpointError: there is no such run, or it cannot be read.
    """
    run = open_run(config.run, config.device)
    rate = run.config.audio.sample_rate_hz
    n_samples = round(config.duration_s * rate)
    folder = run.run_dir / "generated" / f"seed_{config.seed}"
    for number in track(range(1, config.n + 1), "generating", console=console):
        sound = generate_sound(run.voice, n_samples, seed=config.seed, number=number)
        save_wav(folder / f"sound_{number:03d}.wav", sound.numpy(), rate)
    print_lines(console, [f"written: {config.n} sounds of {config.duration_s:g} s in {folder}"])
