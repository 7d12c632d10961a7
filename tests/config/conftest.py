"""Compositions of the configuration for a folder of a given size."""

from dataclasses import dataclass

import pytest
from hydra import compose, initialize_config_dir

from sda.config.help import CONFIG_DIR
from sda.config.resolvers import register_resolvers
from sda.config.store import prefer_own_choices
from sda.runs.prepare_data import scan_once


@dataclass
class Folder:
    file_count: int
    n_chunks: int
    gain_db: float = -2.5

    def count_chunks(self, chunk_duration_s: float) -> int:
        return round(self.n_chunks / chunk_duration_s)


@pytest.fixture
def compose_for():
    """Composes as `train.py` does, for a folder of a given size."""

    def build(n_files: int, *overrides: str):
        folder = Folder(n_files, 5 * n_files)
        register_resolvers(lambda *_: folder)
        return compose("train", overrides=["data.root=/sounds", *overrides])

    prefer_own_choices(CONFIG_DIR)
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        yield build
    register_resolvers(scan_once)
