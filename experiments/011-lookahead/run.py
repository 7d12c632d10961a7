"""What does it cost to wait for fewer latents, where a model plays as it goes? See README.md.

Usage: PYTHONPATH=. python experiments/011-lookahead/run.py RUN [--n 6] [--output FILE.json]

RUN is a trained run; what it held out is what is listened to.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sda.app.loading import TrainedRun, open_run
from sda.audio.waveform import read_waveform
from sda.data.corpus import Corpus
from sda.durable import write_json
from sda.evaluation.reconstruction import log_mel_l1_db
from sda.evaluation.trained_model import collect_segments
from sda.export.nn import build_nn, check_streamable
from sda.export.nn_module import Bank
from sda.export.streams import find_rest, see_latents
from sda.generation.spectral_synthesizer import SpectralSynthesizer
from sda.runs.prepare_data import build_cache
from sda.subsample import subsample_evenly

LONGEST_S, SHORTEST_S = 4.0, 2.5
LOOKAHEADS = (0, 1, 2, 3, 4, 6, None)
"""Latents; the last one is all that matter."""
SEED, OTHER_SEED = 1, 2
Figures = dict[str, list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--n", type=int, default=6, help="held-out sounds, spread over all of them")
    parser.add_argument("--output", type=Path, help="figures are added to those that the file holds")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    run = open_run(arguments.run, "cpu")
    rows = measure(run, arguments.n)
    print(json.dumps(rows, indent=1))
    if arguments.output:
        known = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
        write_json(arguments.output, known | {Path(run.config.data.root).name: rows})


@torch.inference_mode()
def measure(run: TrainedRun, n_sounds: int) -> dict[str, Any]:
    """Of each lookahead, what it adds in dB, and how late sound comes out."""
    synthesizer = check_streamable(run.synthesizer)
    sounds = _list_sounds(run, n_sounds)
    rows: dict[str, Any] = {"sounds": len(sounds), "another draw of noise": _redraw(synthesizer, sounds)}
    for lookahead in LOOKAHEADS:
        found: Figures = {}
        for sound in sounds:
            for name, value in (*_decode(synthesizer, sound, lookahead), *_pass(synthesizer, sound, lookahead)):
                found.setdefault(name, []).append(value)
        module = build_nn(synthesizer, _no_bank(synthesizer), lookahead=lookahead)
        delays = dict(zip(("encode", "decode", "forward"), module.delays, strict=True))
        rows["all" if lookahead is None else str(lookahead)] = {
            "delay, ms": {name: round(1000 * n / module.sr, 1) for name, n in delays.items()},
            **{name: {"mean": _round(np.mean(values)), "most": _round(max(values))} for name, values in found.items()},
        }
    return rows


def _list_sounds(run: TrainedRun, n_sounds: int) -> list[Tensor]:
    corpus = Corpus(build_cache(run.config), run.known, run.config.data.gain_db)
    rate_hz, hop = run.features.sample_rate_hz, run.synthesizer.hop_samples
    held_out = [read_waveform(sound.waveform) for sound in collect_segments(run.split.val, corpus, run.split.names)]
    long = [waveform for waveform in held_out if len(waveform) >= SHORTEST_S * rate_hz]
    lengths = [min(len(waveform), round(LONGEST_S * rate_hz)) // hop * hop for waveform in long]
    return subsample_evenly([waveform[:n].cpu() for waveform, n in zip(long, lengths, strict=True)], n_sounds)


def _redraw(synthesizer: SpectralSynthesizer, sounds: list[Tensor]) -> float:
    """What the same latents differ by when their noise is drawn anew, dB: a difference that nobody calls an error."""
    found = []
    for sound in sounds:
        path = synthesizer.encode(sound)
        one, other = (synthesizer.decode(path, len(sound), seed) for seed in (SEED, OTHER_SEED))
        found.append(_compare(synthesizer, one, other))
    return _round(np.mean(found))


def _decode(synthesizer: SpectralSynthesizer, sound: Tensor, lookahead: int | None) -> list[tuple[str, float]]:
    """Latents of the whole sound, decoded as a stream, beside what they give when all is known."""
    path = synthesizer.encode(sound)
    module, hop = build_nn(synthesizer, _no_bank(synthesizer), lookahead=lookahead, seed=SEED), synthesizer.hop_samples
    streamed = module.decode(path[None])[0, 0, module.speaker.delay * hop :]
    n_lead = see_latents(synthesizer.model, lookahead).width
    whole = _render(synthesizer, path, n_lead)
    kept = slice(0, (path.shape[1] - synthesizer.model.context) * hop)
    of_join = _weigh_joins(streamed[kept], hop) / _weigh_joins(whole[kept], hop)
    return [
        ("decode, dB", _compare(synthesizer, whole[kept], streamed[kept])),
        ("decode, steps at joins", of_join),
    ]


def _pass(synthesizer: SpectralSynthesizer, sound: Tensor, lookahead: int | None) -> list[tuple[str, float]]:
    """Sound that goes through both ways as a stream, beside what it gives when all is known, and beside itself."""
    model, hop = synthesizer.model, synthesizer.hop_samples
    module = build_nn(synthesizer, _no_bank(synthesizer), lookahead=lookahead, seed=SEED)
    streamed = module.forward(sound[None, None])[0, 0, module.delays[2] :]
    n_lead = see_latents(model, lookahead).width + module.forward_listener.delay
    path = synthesizer.encode(sound)
    whole = _render(synthesizer, path, n_lead)
    kept = slice(model.context * hop, (path.shape[1] - 2 * model.context) * hop)
    one, other = streamed[kept], whole[kept]
    given = sound[kept.start :][: len(one)]
    return [
        ("forward, dB", _compare(synthesizer, other, one)),
        ("forward, dB to the sound itself", _compare(synthesizer, given, one)),
    ]


def _render(synthesizer: SpectralSynthesizer, path: Tensor, n_lead: int) -> Tensor:
    """The sound of a path behind so many latents of silence, all of it known, with the noise that a stream draws."""
    rest = find_rest(synthesizer.model, synthesizer.features)
    after = torch.cat([rest[:, None].expand(-1, n_lead), path], dim=1)
    hop = synthesizer.hop_samples
    return synthesizer.decode(after, after.shape[1] * hop, SEED)[n_lead * hop :]


def _weigh_joins(sound: Tensor, hop: int) -> float:
    """Steps from sample to sample where the sound of one latent meets that of the next, relative to all others."""
    steps = sound.diff().abs()
    return float(steps[hop - 1 :: hop].mean() / steps.mean())


def _compare(synthesizer: SpectralSynthesizer, one: Tensor, other: Tensor) -> float:
    return float(log_mel_l1_db(one[None], other[None], synthesizer.features))


def _no_bank(synthesizer: SpectralSynthesizer) -> Bank:
    return Bank(torch.zeros(1, 1, synthesizer.model.latent_dim, 1), [0.0])


def _round(value: float | np.floating[Any]) -> float:
    return round(float(value), 4)


if __name__ == "__main__":
    main()
