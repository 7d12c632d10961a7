"""What the page has to play: paths that the prior drew, and the map with the latents behind it.

Numbers lie in files of their own, little-endian, row after row; what they mean stands in `sounds.json`.

Letters in the shapes: `N` latents of the bank, `D` latent dimensions, `K` latents of a path, `P` places.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sda.audio.mel import DB_PER_NEPER
from sda.generation import walk
from sda.generation.atlas import Atlas
from sda.generation.modes import FADE_S
from sda.generation.passages import JOIN_POINTS, find_successors
from sda.generation.sampling import SILENT_DBFS, note_sources_of
from sda.generation.spectral_synthesizer import SpectralSynthesizer
from sda.generation.synthesizer import draw_length, take_seed
from sda.generation.walk import map_sound
from sda.models.priors.mosaic import Mosaic
from sda.models.priors.prior import Drawn, join

N_PATHS = 100
"""New sounds that are drawn for the page."""
LONGEST_S = 8.0
"""Of a new sound; of one that would be longer, its beginning."""
SEED = 0
"""They are those of `generate.py seed=0 duration_s=auto`, as far as they are no longer."""
LATENTS_FILE, PLACES_FILE, PATHS_FILE = "bank.f32", "bank.i32", "paths.f32"


class Sounds(NamedTuple):
    """Everything that the page plays."""

    facts: dict[str, Any]
    """`sounds.json`."""
    files: dict[str, bytes]
    """By name, beside it."""


def collect_sounds(synthesizer: SpectralSynthesizer, n_paths: int = N_PATHS, longest_s: float = LONGEST_S) -> Sounds:
    """Draw the paths, and lay out the map where the prior remembers sound.

    Args:
        n_paths: new sounds that are drawn; those that nothing is heard of are left out.
        longest_s: of a new sound.
    """
    hop_s = synthesizer.hop_samples / synthesizer.features.sample_rate_hz
    paths, drawn = _draw_paths(synthesizer, n_paths, round(longest_s * synthesizer.features.sample_rate_hz))
    facts: dict[str, Any] = {"hop_s": hop_s, "fade_s": FADE_S, "names": synthesizer.prior.names, "paths": paths}
    files = {PATHS_FILE: _to_bytes(torch.cat(drawn, dim=1).T if drawn else torch.zeros(0), "<f4")}
    prior = synthesizer.prior
    if isinstance(prior, Mosaic) and len(prior.rows.latents):
        atlas = map_sound(synthesizer)
        facts["map"] = _describe_map(atlas)
        whole = torch.stack([atlas.rows.owner, atlas.rows.place, find_successors(atlas.rows), atlas.place_of])
        files[LATENTS_FILE] = _to_bytes(atlas.rows.latents, "<f4")
        files[PLACES_FILE] = _to_bytes(whole, "<i4")
    return Sounds(facts, files)


def _draw_paths(
    synthesizer: SpectralSynthesizer, n_paths: int, longest: int
) -> tuple[list[dict[str, Any]], list[Tensor]]:
    """What is to be known of every path, and the paths, each `[D, K]`."""
    facts, paths, n_before = [], list[Tensor](), 0
    for number in range(1, n_paths + 1):
        length = draw_length(synthesizer, seed=SEED, number=number)
        n_samples, seed = min(length, longest), take_seed(SEED, number)
        n_points = synthesizer.count_points(n_samples)
        drawn = join(synthesizer.sample_stretches(n_points, seed, whole=length <= longest))
        if _find_loudest_dbfs(synthesizer, drawn.path) < SILENT_DBFS:
            continue
        facts.append(
            {
                "number": number,
                "seed": seed,
                "first": n_before,
                "n_latents": n_points,
                "n_samples": n_samples,
                "made_of": _find_sources(synthesizer, drawn),
            }
        )
        paths.append(drawn.path)
        n_before += n_points
    return facts, paths


def _find_sources(synthesizer: SpectralSynthesizer, drawn: Drawn) -> dict[str, Any]:
    provenance = note_sources_of(synthesizer)
    provenance.add(drawn)
    return provenance.describe()


def _find_loudest_dbfs(synthesizer: SpectralSynthesizer, path: Tensor) -> float:
    """Level of the loudest frame that a path asks for, on the network's scale."""
    model = synthesizer.model
    loudest = path[: model.stride].max().cpu()
    level = float(loudest * model.standardise_level.deviation.cpu() + model.standardise_level.mean.cpu())
    full_scale = float(0.5 * (0.5 * model.n_fft * model.window.cpu().square().sum()).log())
    return DB_PER_NEPER * (level - full_scale)


def _describe_map(atlas: Atlas) -> dict[str, Any]:
    numbers = {name: number for number, name in enumerate(atlas.names)}
    return {
        "n_latents": len(atlas.place_of),
        "places": [
            [numbers[place.recording], place.start_s, round(place.x, 5), round(place.y, 5), int(first)]
            for place, first in zip(atlas.places, atlas.first.tolist(), strict=True)
        ],
        "n_nearest": max(1, min(walk.N_NEAREST, len(atlas.places) // 4)),
        "n_stay": max(1, round(walk.LEAST_STAY_S / atlas.hop_s)),
        "n_remembered": walk.REMEMBERED,
        "steepness": walk.STEEPNESS,
        "n_join": JOIN_POINTS,
    }


def _to_bytes(values: Tensor, kind: str) -> bytes:
    array: np.ndarray[Any, Any] = values.cpu().numpy()
    return np.ascontiguousarray(array).astype(kind).tobytes()
