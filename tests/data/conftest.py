"""A folder of sounds, its cache, what of it is decoded, and why files are left out."""

import os
import time
from pathlib import Path

import pytest

from sda.data import signature
from sda.data.cache import SoundCache
from sda.data.scan import scan_folder
from tests.conftest import RATE_HZ


@pytest.fixture
def cache(cache_dir):
    return SoundCache(cache_dir, sample_rate_hz=RATE_HZ)


@pytest.fixture
def root(make_sounds):
    """Three sounds that were written long enough ago to be told from what is written next."""
    folder = make_sounds(3)
    settle()
    return folder


def settle():
    time.sleep(2 * signature.CLOCK_TICK_NS / 1e9)


@pytest.fixture
def decoded(monkeypatch):
    """Names of the files that are decoded."""
    names = []

    def spy(path):
        names.append(Path(path).name)
        return real(path)

    from sda.data import scan

    real = scan.read_blocks
    monkeypatch.setattr(scan, "read_blocks", spy)
    return names


def list_reasons(root, **kwargs):
    return {os.path.relpath(file.path, root): file.reason for file in scan_folder(root, **kwargs).files}
