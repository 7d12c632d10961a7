"""Silence: whole sounds that are hardly there, and the time that others are silent for.

Where real sounds end, silence behind a sound is no fault in itself: a hit of half a second, alone in a file of five, is
silent for most of it. Real sounds are then put into as much time as generated ones were given, from where they begin;
unless those have lengths of their own: then what is before and behind a sound does not count on either side.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from sda.bootstrap import Estimate, estimate_mean
from sda.evaluation.form import FAINT_DB, SILENT_DB, Outline
from sda.evaluation.memorisation import enclose_share

REAL = ("held_out", "train")


def is_faint(found: Outline, loudest_db: float) -> bool:
    """Whether a whole sound is near-silent, beside real sounds whose loudest frame has that level, dBFS."""
    return found.loudest_db < loudest_db - FAINT_DB


def estimate_faint(kinds: Mapping[str, Sequence[Outline]], loudest_db: float) -> dict[str, Estimate]:
    """Share of whole sounds that are near-silent, by kind, and by `real` for held-out and training sound together."""
    faint = {kind: [is_faint(one, loudest_db) for one in found] for kind, found in kinds.items()}
    faint["real"] = [one for kind in REAL for one in faint.get(kind, [])]
    return {kind: _estimate_share(found) for kind, found in faint.items() if found}


def estimate_silent(
    kinds: Mapping[str, Sequence[Outline]], loudest_db: float, *, in_room: bool, seed: int = 0
) -> dict[str, Estimate]:
    """Share of the time that is silent, the mean over sounds, by the same.

    Args:
        kinds: real sounds without what their files are filled up with, unless they end.
        in_room: real sounds, as they end, are put into as much time as generated ones were given.
    """
    room = int(np.median([len(one.levels) for one in kinds["generated"]])) if in_room else 0
    shares = {
        kind: [measure_silent(one, loudest_db, room if kind in REAL else 0) for one in found if len(one.levels) or room]
        for kind, found in kinds.items()
    }
    shares["real"] = [share for kind in REAL for share in shares.get(kind, [])]
    found = {kind: estimate_mean(of_kind, range(len(of_kind)), seed) for kind, of_kind in shares.items() if of_kind}
    return {
        kind: Estimate(mean.value, *(min(1.0, max(0.0, bound)) for bound in (mean.low, mean.high)))
        for kind, mean in found.items()
    }


def measure_silent(found: Outline, loudest_db: float, room: int = 0) -> float:
    """Share of a sound's frames that are silent.

    Args:
        room: frames that it is put into, from where it begins; 0 for as many as it has.
    """
    levels = found.levels[found.first : found.first + room] if room else found.levels
    loud = levels >= max(found.loudest_db, loudest_db) - SILENT_DB
    return 1.0 - float(loud.sum()) / (room or len(levels))


def _estimate_share(of_sounds: Sequence[bool]) -> Estimate:
    """Share of sounds, with the interval of a share among so many."""
    share = sum(of_sounds) / len(of_sounds)
    return Estimate(share, *enclose_share(share, len(of_sounds)))
