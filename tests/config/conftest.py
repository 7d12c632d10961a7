"""Compositions of the configuration for a folder of a given size."""

from dataclasses import dataclass

import pytest

from sda.config.resolvers import register_resolvers
from sda.runs.prepare_data import scan_once
from tests.composing import compose_verb


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

    def build(n_files: int, *overrides: str, **options: bool):
        folder = Folder(n_files, 5 * n_files)
        register_resolvers(lambda *_: folder)
        return compose_verb("train", "data.root=/sounds", *overrides, **options)

    yield build
    register_resolvers(scan_once)
