"""Names of previews in MLflow, which lists files by name alone: so that they are heard in order.

A held-out sound, what the model makes of it, the next one; then ways between them, and new sounds. In a run's own
folder they are called by what they are.
"""

import re
from pathlib import PurePosixPath

from sda.tracking.metric_names import FORMER_NAMING

PREVIEWS = "previews"
_NUMBERED = re.compile(r"(original|reconstruction|interpolation|sample|ceiling)_(\d+)")
_PAIR = ("original", "reconstruction")


def name_artifact(relative: str, naming: int) -> str:
    """What a file of a run is called in MLflow, without its folder.

    Args:
        relative: its path in the run's folder.
        naming: that of the run, see `NAMING`.

    >>> [name_artifact(f"previews/epoch_0005/{name}", naming=2) for name in ("original_1.wav", "sample_1.wav")]
    ['01_original.wav', 'sample_01.wav']
    """
    path = PurePosixPath(relative)
    found = _NUMBERED.fullmatch(path.stem) if path.parts[0] == PREVIEWS else None
    if naming == FORMER_NAMING or found is None:
        return path.name
    kind, number = found[1], int(found[2])
    stem = f"{number:02d}_{kind}" if kind in _PAIR else f"{kind}_{number:02d}"
    return f"{stem}{path.suffix}"
