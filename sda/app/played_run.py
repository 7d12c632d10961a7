"""A run as the page to play on has it: opened, with what it can make, its controls, and its map."""

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from sda.config.verbs import GenerateConfig, GenerateMode, WhichCheckpoint
from sda.errors import ConfigError
from sda.play.opened import Control, MapPlace, Mode, OpenedRun, Path2D
from sda.roots import find_base, split_roots
from sda.runs.outputs import find_places

if TYPE_CHECKING:
    from sda.app.loading import TrainedRun
    from sda.evaluation.controls import ProvenControls
    from sda.generation.atlas import Atlas, Place

MOST_PASSED = 16
"""Places that a walk along a path on the map goes past."""
MOST_ON_MAP_S = 600.0
"""Of held-out sound, what lies on the map."""


def open_for_page(run_dir: Path, device: str, which: WhichCheckpoint, root: str = "") -> OpenedRun:
    """A run, as the page uses it: made and written by the same functions as `generate.py` has.

    Raises:
        CheckpointError, ConfigError, DataError: it cannot be opened.
    """
    from sda.app.generate import Watch, generate_with
    from sda.app.loading import open_run
    from sda.app.making import NEED_TWO, NEEDS_NONE
    from sda.app.steering import find_controls, find_known_controls

    run = open_run(str(run_dir), device, which, root)
    run.synthesizer.sample(1, seed=0)  # what is worked out with the first sound is there before it
    places = find_places(run.run_dir, run.is_own)
    recordings: dict[str, Path] = {}
    if run.is_own or root:  # what a stranger's run names may be any file of this machine
        base = find_base(split_roots(run.config.data.root))
        recordings = {os.path.relpath(now, base): Path(now) for now in run.places.values() if Path(now).is_file()}
    held_out = {os.path.relpath(one.path, base): Path(one.path) for one in run.split.val} if recordings else {}

    known = find_known_controls(run)
    board = _Board(run, held_out) if run.synthesizer.n_loudness and run.synthesizer.prior.name == "mosaic" else None

    def generate(config: GenerateConfig, watch: Watch) -> Path:
        config.device, config.data.root = device, root
        return generate_with(run, config, watch, known).folder

    def try_controls(advance: Callable[[float], None]) -> list[Control]:
        nonlocal known
        known = find_controls(run, advance)
        return list_controls(known)

    return OpenedRun(
        rate_hz=run.config.audio.sample_rate_hz,
        generated=places.generated,
        kept=places.kept,
        modes=[Mode(mode.name, 0 if mode in NEEDS_NONE else 2 if mode in NEED_TWO else 1) for mode in GenerateMode],
        generate=generate,
        defaults={key: getattr(run.config.prior, key) for key in ("novelty", "memory_s", "temperature")},
        held_out={name: path for name, path in held_out.items() if path.is_file()},
        recordings=recordings,
        controls=list_controls(known) if known is not None else (),
        try_controls=try_controls if known is None and run.synthesizer.n_loudness else None,
        read_map=board.list_places if board else None,
        plan_walk=board.plan_walk if board else None,
    )


class _Board:
    """The map of a run's sounds, laid out when it is first asked for."""

    def __init__(self, run: "TrainedRun", held_out: Mapping[str, Path]):
        self._run = run
        self._held_out = held_out
        self._lock = Lock()
        self._atlas: Atlas | None = None

    def list_places(self) -> list[MapPlace]:
        """Every second of training sound, and of held-out sound as far as its files are known."""
        return [
            MapPlace(name=one.recording, start_s=one.start_s, side=one.side, x=one.x, y=one.y)
            for one in self._lay_out().places
        ]

    def plan_walk(self, path: Path2D) -> dict[str, str]:
        """The places of training sound that a path comes by, as `generate.py` is told of them."""
        import torch

        places = [one for one in self._lay_out().places if one.side == "train" and not {",", "@"} & {*one.recording}]
        if not places:
            raise ConfigError("There is nothing on the map that could be walked past.")
        corners, points = torch.tensor(path), torch.tensor([[one.x, one.y] for one in places])
        lengths = torch.cat([torch.zeros(1), corners.diff(dim=0).norm(dim=1).cumsum(dim=0)])
        passed: list[Place] = []
        for length in torch.linspace(0.0, float(lengths[-1]), MOST_PASSED):
            behind = int(torch.searchsorted(lengths, length).clamp(1, len(corners) - 1))
            share = (length - lengths[behind - 1]) / (lengths[behind] - lengths[behind - 1]).clamp(min=1e-9)
            point = torch.lerp(corners[behind - 1], corners[behind], share.clamp(0.0, 1.0))
            nearest = places[int((points - point).norm(dim=1).argmin())]
            if not passed or passed[-1] != nearest:
                passed.append(nearest)
        return {"mode": "walk", "places": ",".join(f"{one.recording}@{one.start_s:g}" for one in passed)}

    def _lay_out(self) -> "Atlas":
        from sda.audio.waveform import read_waveform
        from sda.data.corpus import Corpus
        from sda.generation.atlas import build_atlas
        from sda.generation.passages import take_bank
        from sda.models.priors.prior import Recording
        from sda.runs.prepare_data import build_cache

        with self._lock:
            if self._atlas is None:
                run, synthesizer = self._run, self._run.synthesizer
                prior = take_bank(synthesizer.prior, "walk")
                corpus = Corpus(build_cache(run.config), run.known, run.config.data.gain_db)
                rate_hz, left, heard = (
                    run.features.sample_rate_hz,
                    round(MOST_ON_MAP_S * run.features.sample_rate_hz),
                    [],
                )
                for name, path in self._held_out.items():
                    if name not in prior.names and left > 0:
                        sound = read_waveform(corpus.get(str(path))[:left])
                        left -= len(sound)
                        heard.append(Recording(name, synthesizer.encode(sound)))
                self._atlas = build_atlas(prior, synthesizer.hop_samples / rate_hz, heard)
            return self._atlas


def list_controls(proven: "ProvenControls") -> list[Control]:
    """A run's controls as they are shown and turned, those with a name first."""
    from sda.evaluation.controls import number_axis
    from sda.report.control_words import describe_unit, list_control_rows, tell_moving_along

    found = []
    for row in list_control_rows(proven):
        proof = next(one for one in proven.proofs if row.key in (one.key, f"axis_{number_axis(one.key)}"))
        if math.isfinite(proof.correlation.value):
            found.append(
                Control(
                    key=row.key,
                    name=row.name,
                    unit=describe_unit(proof.key).strip(),
                    low=-proof.reach,
                    high=proof.reach,
                    reliability=proof.correlation.value,
                    is_named=proven.is_named(proof.key),
                    leakage=tell_moving_along(proof),
                )
            )
    return found
