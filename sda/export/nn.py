"""A model as a TorchScript file for nn~ in Max and Pure Data, and for nn.ar in SuperCollider.

It is the network in streams, and a bank of paths that the prior drew beforehand: a prior that draws while it plays does
not fit into a file without Python.

Letters in the shapes: `V` novelties, `P` paths, `D` latent dimensions, `K` latents.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from sda.config.export import ExportConfig
from sda.durable import write_bytes, write_json
from sda.errors import ConfigError
from sda.evaluation.controls import ProvenControls
from sda.export.description import Description
from sda.export.nn_module import TURNABLE, Bank, Knob, NNModule
from sda.export.scripting import script
from sda.export.streams import (
    Listener,
    Speaker,
    find_rest,
    freeze_hearing,
    freeze_speaking,
    see_latents,
    see_sound,
)
from sda.generation.provenance import Provenance
from sda.generation.spectral_synthesizer import SpectralSynthesizer
from sda.generation.synthesizer import Synthesizer, note_sources, take_seed

SUFFIX = ".ts"
"""What hosts look for."""
NOVELTIES = (0.0, 0.1, 0.5)
"""At which paths are drawn: one recording at a time, the default of `generate.py`, and much newer."""


@dataclass(frozen=True)
class DrawnBank:
    """A bank of paths, and what they are made of."""

    bank: Bank
    sources: list[dict[str, Any]]
    """Of each path its `novelty`, its number `path`, from 1, and what `Provenance.describe` says."""


def list_knobs(proven: ProvenControls) -> list[Knob]:
    """The controls that have a name on this model and that a stream can follow, as far as they were proven."""
    knobs = []
    for key in TURNABLE:
        proof = proven.find(key)
        if proof is not None and proven.is_named(key) and key in proven.controls.keys:
            knobs.append(Knob(key, proof.reach, proven.controls.directions.get(key)))
    return knobs


def check_streamable(synthesizer: Synthesizer) -> SpectralSynthesizer:
    """The synthesizer, where its network can be a stream.

    Raises:
        ConfigError: it cannot.
    """
    if not isinstance(synthesizer, SpectralSynthesizer):
        raise ConfigError(
            "format=nn is not possible with this model: its latents are a second long. Train with model=spectral_vae."
        )
    model = synthesizer.model
    hop, overlap = model.hop_of_latents, model.n_fft // model.hop_length
    if hop & (hop - 1) or model.stride % overlap:
        raise ConfigError(
            f"format=nn is not possible with this model: its latents are {model.stride} frames of {model.hop_length} "
            f"samples apart, and hosts need a power of two, and a multiple of {overlap} frames. Train with "
            "model.frames_per_latent=4 and an audio.hop_length such as 512, both the default."
        )
    return synthesizer


@torch.no_grad()
def draw_bank(
    synthesizer: Synthesizer, *, novelties: Sequence[float], n_paths: int, path_s: float, seed: int
) -> DrawnBank:
    """New paths, each as `generate.py` draws the one of the same seed, number and novelty."""
    hop_s = synthesizer.hop_samples / synthesizer.features.sample_rate_hz
    n_points = max(1, round(path_s / hop_s))
    rows, sources = [], []
    for novelty in novelties:
        drawer = synthesizer.adapted(manner=replace(synthesizer.manner, novelty=novelty))
        paths = []
        for number in range(1, n_paths + 1):
            made_of = Provenance(synthesizer.prior.names, hop_s)
            drawn = drawer.sample_stretches(n_points, take_seed(seed, number))
            paths.append(torch.cat(list(note_sources(drawn, made_of.add)), dim=1))
            sources.append({"novelty": novelty, "path": number, **made_of.describe()})
        rows.append(torch.stack(paths))
    return DrawnBank(Bank(torch.stack(rows), list(novelties)), sources)


def build_nn(
    synthesizer: SpectralSynthesizer,
    bank: Bank,
    *,
    knobs: Sequence[Knob] = (),
    gain: float = 1.0,
    lookahead: int | None = None,
    seed: int = 0,
) -> NNModule:
    """The module that is written, not yet as TorchScript.

    Args:
        gain: what the model hears was made louder by this factor; what comes out is made quieter by it again.
        lookahead: latents that are waited for on either way; as many as matter if not given.
        seed: of the noise, until the host sets another.
    """
    model, features = synthesizer.model, synthesizer.features
    heard, spoken, rest = see_sound(model, lookahead), see_latents(model, lookahead), find_rest(model, features)
    hearing, speaking = freeze_hearing(model, features, heard), freeze_speaking(model, spoken)
    first, second = (Listener(hearing, model, view=heard, gain=gain) for _ in range(2))
    third, fourth, fifth = (Speaker(speaking, model, view=spoken, rest=rest, gain=1.0 / gain) for _ in range(3))
    return NNModule(
        listeners=(first, second),
        speakers=(third, fourth, fifth),
        n_loudness=synthesizer.n_loudness,
        bank=bank,
        knobs=knobs,
        sample_rate_hz=features.sample_rate_hz,
        seed=seed,
    )


def describe_nn(module: NNModule, drawn: DrawnBank, knobs: Sequence[Knob]) -> dict[str, Any]:
    """What there is to say of the file, for the one beside it."""
    rate_hz, names = module.sr, ("encode", "decode", "forward")
    return {
        "sample_rate_hz": rate_hz,
        "samples_per_latent": module.hop,
        "delay": {
            name: {"samples": n_samples, "ms": round(1000 * n_samples / rate_hz, 1)}
            for name, n_samples in zip(names, module.delays, strict=True)
        },
        "attributes": {knob.key: {"from": -knob.reach, "to": knob.reach} for knob in knobs},
        "paths": drawn.sources,
    }


def write_nn(
    synthesizer: Synthesizer,
    description: Description,
    folder: Path,
    *,
    lookahead: int | None = ExportConfig.lookahead,
    n_paths: int = ExportConfig.paths,
    path_s: float = ExportConfig.path_s,
    seed: int = ExportConfig.seed,
) -> list[Path]:
    """Write `NAME.ts`, and what there is to say of it as `NAME.json`, into a folder; controls that are known are knobs.

    Args:
        n_paths: drawn at each of `NOVELTIES`.
        path_s: length of each.
        lookahead, seed: see `build_nn`.

    Raises:
        ConfigError: the model cannot be streamed.
        OSError: a file cannot be written.
    """
    synthesizer = check_streamable(synthesizer)
    knobs = [] if description.controls is None else list_knobs(description.controls)
    drawn = draw_bank(synthesizer, novelties=NOVELTIES, n_paths=n_paths, path_s=path_s, seed=seed)
    module = build_nn(synthesizer, drawn.bank, knobs=knobs, gain=description.gain, lookahead=lookahead, seed=seed)
    model, beside = folder / f"{description.name}{SUFFIX}", folder / f"{description.name}.json"
    write_bytes(model, script(module))
    facts = {"name": description.name, "epoch": description.epoch, "license": description.license}
    write_json(beside, facts | describe_nn(module, drawn, knobs))
    return [model, beside]
