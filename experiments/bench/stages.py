"""`python -m experiments.bench.stages FOLDER SOUNDS …`: what a run does with all of its sound, stage by stage.

For each stage a line of JSON: its name, the seconds that it took, and the most memory of its own that the process had
meanwhile, bytes (nothing where the system does not tell).
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

from experiments.bench.commands import read_memory
from experiments.bench.live import plan_training
from experiments.bench.trial import Trial
from sda.app.session import Session, build_session
from sda.data.scan import scan_folder
from sda.evaluation.patches import PatchFeatures
from sda.evaluation.search import find_nearest
from sda.evaluation.sounds import Sound
from sda.runs import prepare_data
from sda.training.loop import Request, train

STAGES = ("scan", "groups", "split", "scan again", "build", "first step", "prior", "search")
PLANNED = {"scan": "scan_folder", "groups": "group_files", "split": "split_scan"}
"""What planning does, by the name of its function."""
POLL_S = 0.01
N_SOUGHT = 32
"""Held-out seconds that are looked for in all training sound."""

Result = TypeVar("Result")


def run_stage(name: str, stage: Callable[[], Result]) -> Result:
    """Do it, watched, and tell what it took."""
    most, is_over = [0], threading.Event()

    def watch() -> None:
        is_last = False
        while not is_last:
            is_last = is_over.wait(POLL_S)
            memory = read_memory(os.getpid())
            most[0] = max(most[0], 0 if memory is None else memory.own)

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    try:
        result = stage()
    finally:
        seconds = time.perf_counter() - started
        is_over.set()
        watcher.join()
    print(json.dumps({"stage": name, "seconds": seconds, "own": most[0] or None}), flush=True)
    return result


def main() -> None:
    """All stages for a folder of sounds; the first folder is where caches and runs go."""
    folder, sounds, *overrides = sys.argv[1:]
    trial = Trial(Path(folder), sounds, quick=False, device=torch.device("cpu"))
    for name, function in PLANNED.items():
        _follow(function, name)
    plan = plan_training(trial, Path(folder) / "runs" / Path(sounds).name, *overrides)
    data = plan.config.data
    cache = prepare_data.build_cache(plan.config)
    run_stage("scan again", lambda: scan_folder(sounds, data.min_duration_s, data.silence_dbfs, cache))
    session = run_stage("build", lambda: build_session(plan))
    run_stage("first step", lambda: train(session.setup, lambda _: None, lambda: Request.STOP))
    run_stage("prior", lambda: session.synthesizer.fit(session.training_sounds))
    run_stage("search", lambda: _search(session))


def _follow(function: str, name: str) -> None:
    """Make planning tell of a stage of it."""
    call = getattr(prepare_data, function)
    setattr(prepare_data, function, lambda *given, **named: run_stage(name, lambda: call(*given, **named)))


def _search(session: Session) -> None:
    """Look for held-out seconds in all training sound."""
    rate_hz = session.synthesizer.features.sample_rate_hz
    sounds = [Sound(sound.name, sound.waveform, sound.start_s) for sound in session.training_sounds]
    features = PatchFeatures(rate_hz).fit(sounds)
    sought = session.held_out.judged[:N_SOUGHT]
    find_nearest(
        [features.patches(torch.cat([session.held_out.grid_chunk(index) for index in sought]))], sounds, features
    )


if __name__ == "__main__":
    main()
