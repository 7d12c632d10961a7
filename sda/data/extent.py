"""Trimming: where the sound of a file begins and ends; digital silence before and behind it is no part of it.

Nothing that is drawn or counted may depend on how much silence there is: two takes of one sound, one of them followed
by a second of zeros, are split, counted and judged alike.

Letters in the shapes: `N` frames, `C` channels.
"""

import hashlib

import numpy as np

from sda.audio.io import FloatArray

DIGITAL_SILENCE = 1e-6
"""As in `sda.audio.span`, which needs torch."""


class Extent:
    """Takes a file block by block.

    Args:
        header: what the hash begins with.
    """

    def __init__(self, header: bytes):
        self.first = 0
        """The first frame that is not digitally silent."""
        self.end = 0
        """The frame after the last one; 0 where there is none."""
        self._n_frames = 0
        self._running = hashlib.sha256(header)
        self._kept = self._running.copy()

    @property
    def sha256(self) -> str:
        """Hash of what lies between."""
        return self._kept.hexdigest()

    def add(self, block: FloatArray) -> None:
        """Take one block `[N, C]`."""
        loud = np.flatnonzero(np.abs(block).max(axis=1, initial=0.0) > DIGITAL_SILENCE)
        if len(loud):
            begin, end = 0, int(loud[-1]) + 1
            if self.end == 0:
                begin = int(loud[0])
                self.first = self._n_frames + begin
            self._running.update(block[begin:end].tobytes())
            self._kept = self._running.copy()
            self._running.update(block[end:].tobytes())
            self.end = self._n_frames + end
        elif self.end:
            self._running.update(block.tobytes())
        self._n_frames += len(block)
