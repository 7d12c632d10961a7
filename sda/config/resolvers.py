"""The adaptive resolvers: values that follow from the sounds in the folder, computed when they are first read."""

import secrets
from collections.abc import Callable
from typing import Any, Protocol

from omegaconf import OmegaConf

from sda.config.environment import choose_experiment, choose_uri
from sda.config.machine import count_gpus, measure_machine, share_cores
from sda.training.presets import PRESETS, choose_batch_size, choose_preset, choose_val_fraction


class FolderSize(Protocol):
    """How much usable sound a folder holds."""

    @property
    def file_count(self) -> int:
        """Usable files."""

    @property
    def gain_db(self) -> float:
        """By how much they are turned up, or down, while they are learned."""

    def count_chunks(self, chunk_duration_s: float) -> int:
        """Chunks they hold, the last of each file counted whole."""


Measure = Callable[[str, float, float, str, int], FolderSize]
"""`(root, min_duration_s, silence_dbfs, cache_dir, sample_rate_hz)` → the folder's size."""


def register_resolvers(measure: Measure) -> None:
    """Make the resolvers known to OmegaConf, replacing earlier ones.

    - `${adaptive:N,FIELD}`: FIELD of the preset for N files.
    - `${val_fraction:N}`: share of N files to hold out.
    - `${batch_size:N,MOST}`: batch size for N chunks, at most MOST.
    - `${count_files:ROOT,MIN_DURATION_S,SILENCE_DBFS,CACHE_DIR,SAMPLE_RATE_HZ}`: usable files in ROOT.
    - `${count_chunks:…the same…,CHUNK_DURATION_S}`: chunks in them.
    - `${find_gain:…the same as count_files…}`: decibels by which they are turned up while they are learned.
    - `${tracking_uri:}`, `${tracking_experiment:}`: where runs go that are told nothing else.
    - `${jobs_at_once:}`, `${gpus_a_job:}`: how a sweep's jobs share this machine.
    - `${short_id:}`: eight random hexadecimal digits, the same throughout one composition.

    Args:
        measure: scans a folder; given here so that the configuration need not know how sounds are read.
    """

    def adaptive(file_count: int, field: str) -> Any:
        preset = PRESETS[choose_preset(file_count)]
        return getattr(preset, field)

    def count_files(*folder: Any) -> int:
        return measure(*folder).file_count

    def count_chunks(*folder_and_duration: Any) -> int:
        *folder, chunk_duration_s = folder_and_duration
        return measure(*folder).count_chunks(chunk_duration_s)

    def find_gain(*folder: Any) -> float:
        return measure(*folder).gain_db

    resolvers: dict[str, Callable[..., Any]] = {
        "adaptive": adaptive,
        "val_fraction": choose_val_fraction,
        "batch_size": choose_batch_size,
        "count_files": count_files,
        "count_chunks": count_chunks,
        "find_gain": find_gain,
        "tracking_uri": choose_uri,
        "tracking_experiment": choose_experiment,
        "jobs_at_once": lambda: share_cores(*measure_machine())[0],
        "gpus_a_job": lambda: min(1, count_gpus()),
    }
    for name, resolver in resolvers.items():
        OmegaConf.register_new_resolver(name, resolver, replace=True)
    OmegaConf.register_new_resolver("short_id", lambda: secrets.token_hex(4), use_cache=True, replace=True)
